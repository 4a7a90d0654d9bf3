//! HEIC and AVIF files taken apart by a parser of the tests' own, and decoded by ffmpeg, which shares no code with what
//! wrote them.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Boxes one behind the other.
pub fn boxes(mut bytes: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let size = number(&bytes[..4]);
        assert!(size >= 8 && size <= bytes.len(), "a box of {size} bytes in {}", bytes.len());
        found.push((bytes[4..8].try_into().unwrap(), &bytes[8..size]));
        bytes = &bytes[size..];
    }
    found
}

pub fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

pub fn find<'a>(boxes: &[([u8; 4], &'a [u8])], kind: &[u8; 4]) -> &'a [u8] {
    let found: Vec<_> = boxes.iter().filter(|(k, _)| k == kind).collect();
    assert_eq!(found.len(), 1, "{}", kind.escape_ascii());
    found[0].1
}

#[derive(Debug, Default)]
pub struct Item<'a> {
    pub id: usize,
    pub kind: [u8; 4],
    pub hidden: bool,
    pub data: &'a [u8],
    pub properties: Vec<([u8; 4], &'a [u8])>,
}

impl<'a> Item<'a> {
    pub fn property(&self, kind: &[u8; 4]) -> &'a [u8] {
        find(&self.properties, kind)
    }
}

/// A file as this test sees it: just what the library writes.
#[derive(Debug)]
pub struct File<'a> {
    pub brands: Vec<&'a [u8]>,
    pub primary: usize,
    pub items: Vec<Item<'a>>,
    /// Type, from, to.
    pub references: Vec<([u8; 4], usize, Vec<usize>)>,
    pub groups: Vec<([u8; 4], Vec<usize>)>,
}

impl<'a> File<'a> {
    pub fn new(file: &'a [u8]) -> Self {
        let top = boxes(file);
        assert_eq!(top.iter().map(|(kind, _)| kind).collect::<Vec<_>>(), [b"ftyp", b"meta", b"mdat"]);
        let ftyp = top[0].1;
        let meta = boxes(&top[1].1[4..]);
        let mut items: Vec<Item> = boxes(&find(&meta, b"iinf")[6..])
            .into_iter()
            .map(|(kind, infe)| {
                assert_eq!((&kind, infe[0]), (b"infe", 2));
                let kind = infe[8..12].try_into().unwrap();
                Item { id: number(&infe[4..6]), kind, hidden: infe[3] & 1 != 0, ..Item::default() }
            })
            .collect();
        let iloc = find(&meta, b"iloc");
        assert_eq!((iloc[0], &iloc[4..6]), (0, &[0x44, 0][..]));
        assert_eq!(iloc.len(), 8 + 14 * number(&iloc[6..8]));
        for place in iloc[8..].chunks(14) {
            assert_eq!(number(&place[4..6]), 1, "one extent");
            let (at, len) = (number(&place[6..10]), number(&place[10..14]));
            items.iter_mut().find(|item| item.id == number(&place[..2])).unwrap().data = &file[at..at + len];
        }
        // All bytes of mdat belong to an item.
        assert_eq!(items.iter().map(|item| item.data.len()).sum::<usize>(), top[2].1.len());
        let iprp = boxes(find(&meta, b"iprp"));
        let all = boxes(find(&iprp, b"ipco"));
        let ipma = find(&iprp, b"ipma");
        assert_eq!(ipma[..4], [0; 4]);
        let mut rest = &ipma[8..];
        for _ in 0..number(&ipma[4..8]) {
            let (id, count) = (number(&rest[..2]), usize::from(rest[2]));
            let item = items.iter_mut().find(|item| item.id == id).unwrap();
            item.properties = rest[3..3 + count].iter().map(|p| all[usize::from(p & 127) - 1]).collect();
            rest = &rest[3 + count..];
        }
        assert!(rest.is_empty());
        let of_kind = |kind: &[u8; 4]| meta.iter().find(|(k, _)| k == kind).map(|(_, body)| *body);
        let references = of_kind(b"iref").map_or(Vec::new(), |iref| boxes(&iref[4..]));
        let groups = of_kind(b"grpl").map_or(Vec::new(), boxes);
        Self {
            brands: [&ftyp[..4]].into_iter().chain(ftyp[8..].chunks(4)).collect(),
            primary: number(&find(&meta, b"pitm")[4..]),
            items,
            references: references
                .into_iter()
                .map(|(kind, body)| (kind, number(&body[..2]), body[4..].chunks(2).map(number).collect()))
                .collect(),
            groups: groups
                .into_iter()
                .map(|(kind, body)| (kind, body[12..].chunks(4).map(number).collect()))
                .collect(),
        }
    }

    pub fn item(&self, id: usize) -> &Item<'a> {
        self.items.iter().find(|item| item.id == id).unwrap()
    }

    /// The derived image, the main image and the gain map.
    pub fn tone_mapped(&self) -> [&Item<'a>; 3] {
        let derived: Vec<_> = self.items.iter().filter(|item| &item.kind == b"tmap").collect();
        assert_eq!(derived.len(), 1);
        let inputs: Vec<_> = self.references.iter().filter(|r| r.1 == derived[0].id).collect();
        assert_eq!((inputs.len(), inputs[0].0, inputs[0].2.len()), (1, *b"dimg", 2));
        [derived[0], self.item(inputs[0].2[0]), self.item(inputs[0].2[1])]
    }
}

pub fn ispe(item: &Item) -> (usize, usize) {
    let ispe = item.property(b"ispe");
    (number(&ispe[4..8]), number(&ispe[8..12]))
}

/// (primaries, transfer, matrix, full range) of an item.
pub fn nclx(item: &Item) -> (usize, usize, usize, bool) {
    let all: Vec<_> =
        item.properties.iter().filter(|(k, b)| k == b"colr" && b.starts_with(b"nclx")).collect();
    assert_eq!(all.len(), 1, "one nclx box");
    let body = all[0].1;
    (number(&body[4..6]), number(&body[6..8]), number(&body[8..10]), body[10] == 0x80)
}

/// The samples of a coded item as ffmpeg decodes them.
pub fn samples(item: &Item, pixel_format: &str) -> Vec<u8> {
    let (demuxer, stream) = match &item.kind {
        b"hvc1" => {
            let hvcc = item.property(b"hvcC");
            let mut stream = Vec::new();
            let mut add = |nal: &[u8]| {
                stream.extend_from_slice(&[0, 0, 0, 1]);
                stream.extend_from_slice(nal);
            };
            // Parameter sets, then the image: ISO/IEC 14496-15, 8.3.3.
            let mut rest = &hvcc[23..];
            for _ in 0..hvcc[22] {
                let count = number(&rest[1..3]);
                rest = &rest[3..];
                for _ in 0..count {
                    let size = number(&rest[..2]);
                    add(&rest[2..2 + size]);
                    rest = &rest[2 + size..];
                }
            }
            let (mut rest, length) = (item.data, usize::from(hvcc[21] & 3) + 1);
            while !rest.is_empty() {
                let size = number(&rest[..length]);
                add(&rest[length..length + size]);
                rest = &rest[length + size..];
            }
            ("hevc", stream)
        }
        // A temporal delimiter, then what is in the file.
        b"av01" => ("obu", [&[0x12, 0][..], item.data].concat()),
        other => panic!("{}", other.escape_ascii()),
    };
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-f", demuxer, "-i", "-", "-frames:v", "1"])
        .args(["-pix_fmt", pixel_format, "-f", "rawvideo", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg: apt install ffmpeg");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&stream));
    let output = child.wait_with_output().unwrap();
    // It closes the pipe when it has its frame, perhaps before the last byte.
    let _ = writer.join().unwrap();
    assert!(output.status.success(), "ffmpeg: {output:?}");
    output.stdout
}

/// A plane between the centres of its samples.
pub fn bilinear(plane: &[f64], size: (usize, usize), x: f64, y: f64) -> f64 {
    let place = |at: f64, of: usize| {
        let at = (at * of as f64 - 0.5).clamp(0.0, (of - 1) as f64);
        (at as usize, (at as usize + 1).min(of - 1), at.fract())
    };
    let ((x0, x1, fx), (y0, y1, fy)) = (place(x, size.0), place(y, size.1));
    let at = |x, y| plane[y * size.0 + x];
    (at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx) * (1.0 - fy)
        + (at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx) * fy
}
