//! EXIF, XMP, IPTC and density through every format, looked at with exiftool where it is installed.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::Arc,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use image_packer::{
    codec::{self, metadata},
    model::{
        metadata::{Density, Metadata},
        options::Options,
        picture::Picture,
        pixel_format::PixelFormat,
        pixelmap::Pixels,
        report::{Code, Report},
        source::ImageSource,
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const MAKER_NOTE: &[u8] = b"MakersOwnNote\0 with offsets that count from the TIFF header \x01\x02\x03\x04";
const LATITUDE: [u32; 6] = [48, 1, 8, 1, 123_457, 10_000];
const LONGITUDE: [u32; 6] = [11, 1, 34, 1, 567_891, 10_000];

/// A value for [`exif`]: type, number of values, bytes in the block's order.
struct Value(u16, u32, Vec<u8>);

struct Order(bool);

impl Order {
    fn short(&self, v: u16) -> Vec<u8> {
        if self.0 { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec()
    }
    fn long(&self, v: u32) -> Vec<u8> {
        if self.0 { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec()
    }
    fn s(&self, v: u16) -> Value {
        Value(3, 1, self.short(v))
    }
    fn l(&self, v: u32) -> Value {
        Value(4, 1, self.long(v))
    }
    fn text(&self, v: &str) -> Value {
        Value(2, v.len() as u32 + 1, [v.as_bytes(), b"\0"].concat())
    }
    fn rationals(&self, v: &[u32]) -> Value {
        Value(5, v.len() as u32 / 2, v.iter().flat_map(|&v| self.long(v)).collect())
    }

    /// A directory at `at`, with the values that do not fit behind it.
    fn directory(&self, at: usize, entries: &[(u16, Value)], next: u32) -> Vec<u8> {
        let mut table = self.short(entries.len() as u16);
        let mut values = Vec::new();
        let behind = at + 2 + entries.len() * 12 + 4;
        for (tag, Value(kind, count, bytes)) in entries {
            table.extend([self.short(*tag), self.short(*kind), self.long(*count)].concat());
            let mut place = bytes.clone();
            if bytes.len() > 4 {
                place = self.long((behind + values.len()) as u32);
                values.extend(bytes);
                values.resize(values.len().next_multiple_of(2), 0);
            }
            place.resize(4, 0);
            table.extend(place);
        }
        table.extend(self.long(next));
        [table, values].concat()
    }
}

/// EXIF as a camera writes it: everything that an edit has to mind.
fn exif(big: bool, orientation: u16) -> Vec<u8> {
    let o = Order(big);
    let thumbnail = [&b"\xff\xd8\xff\xdbTHUMBNAIL"[..], &[7; 500], b"\xff\xd9"].concat();
    let main = |exif: u32, gps: u32| {
        vec![
            (0x0100, o.l(4000)),
            (0x0101, o.l(3000)),
            (0x010f, o.text("Maker")),
            (0x0110, o.text("Camera 5")),
            (0x0112, o.s(orientation)),
            (0x011a, o.rationals(&[240, 1])),
            (0x011b, o.rationals(&[240, 1])),
            (0x0128, o.s(2)),
            (0x0132, o.text("2024:05:06 07:08:09")),
            (0x8298, o.text("(c) somebody")),
            (0x8769, o.l(exif)),
            (0x8825, o.l(gps)),
        ]
    };
    let photo = [
        (0x9003, o.text("2024:05:06 07:08:09")),
        (0x927c, Value(7, MAKER_NOTE.len() as u32, MAKER_NOTE.to_vec())),
        (0xa001, o.s(1)),
        (0xa002, o.l(4000)),
        (0xa003, o.l(3000)),
    ];
    let gps = [
        (0, Value(1, 4, vec![2, 3, 0, 0])),
        (1, o.text("N")),
        (2, o.rationals(&LATITUDE)),
        (3, o.text("E")),
        (4, o.rationals(&LONGITUDE)),
        (29, o.text("2024:05:06")),
    ];
    let photo_at = 8 + o.directory(8, &main(0, 0), 0).len();
    let gps_at = photo_at + o.directory(photo_at, &photo, 0).len();
    let next_at = gps_at + o.directory(gps_at, &gps, 0).len();
    let second = |data: u32| [(0x0103, o.s(6)), (0x0201, o.l(data)), (0x0202, o.l(thumbnail.len() as u32))];
    let data_at = next_at + o.directory(next_at, &second(0), 0).len();
    [
        if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() },
        o.long(8),
        o.directory(8, &main(photo_at as u32, gps_at as u32), next_at as u32),
        o.directory(photo_at, &photo, 0),
        o.directory(gps_at, &gps, 0),
        o.directory(next_at, &second(data_at as u32), 0),
        thumbnail,
    ]
    .concat()
}

const XMP: &str = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
    <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
    xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:exif=\"http://ns.adobe.com/exif/1.0/\" \
    xmlns:tiff=\"http://ns.adobe.com/tiff/1.0/\" xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" \
    exif:GPSLatitude=\"48,8.2057N\" tiff:Orientation=\"6\" hdrgm:Version=\"1.0\">\
    <dc:subject><rdf:Bag><rdf:li>lake</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>\
    <?xpacket end=\"w\"?>";
const IPTC: &[u8] = b"8BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x78\0\x05hello";

/// Red, green, blue and white in the corners.
fn corners(width: u32, height: u32) -> Pixels {
    let mut bytes = Vec::new();
    for y in 0..height {
        for x in 0..width {
            bytes.extend(match (x < width / 2, y < height / 2) {
                (true, true) => [250, 10, 10],
                (false, true) => [10, 250, 10],
                (true, false) => [10, 10, 250],
                (false, false) => [250, 250, 250],
            });
        }
    }
    Pixels::from_vec(width, height, PixelFormat::Rgb888, bytes).unwrap()
}

fn picture(orientation: u16, big: bool) -> Picture {
    let mut picture = Picture::new(Arc::new(corners(48, 32)));
    picture.metadata = Metadata {
        exif: Some(exif(big, orientation).into()),
        xmp: Some(XMP.as_bytes().into()),
        iptc: Some(IPTC.into()),
        density: Density::per_inch(300.0, 300.0),
        provenance: false,
    };
    picture
}

fn options(mime: &str) -> Options {
    let mut options = Options::new(mime, 90).unwrap();
    options.needs_pack_properties = true;
    options.effort = 1;
    options
}

fn pack(input: Input, options: &Options) -> (Vec<u8>, Report) {
    let mut file = Buffer::default();
    let report = Packer::default().pack(input, options, &mut file, &Control::default()).unwrap();
    assert_eq!(report.bytes, file.as_slice().len() as u64);
    (file.as_slice().to_vec(), report)
}

fn pack_picture(picture: Picture, options: &Options) -> (Vec<u8>, Report) {
    pack(Input::Picture(Arc::new(picture)), options)
}

fn source(file: &[u8]) -> ImageSource {
    ImageSource::from_copy(file).unwrap()
}

fn found(file: &[u8]) -> metadata::Found {
    metadata::find(source(file).info().mime, file).unwrap()
}

fn codes(report: &Report) -> Vec<Code> {
    report.warnings.iter().map(|warning| warning.code).collect()
}

/// Formats with metadata that can be written here.
/// The formats that carry EXIF as well: all that carry anything but GIF.
fn carriers() -> Vec<&'static str> {
    let all = codec::supported().filter(|format| format.features & codec::features::METADATA != 0);
    let all: Vec<_> = all.map(|format| format.name()).filter(|name| *name != "image/gif").collect();
    assert!(all.len() >= 3, "{all:?}");
    all
}

/// What exiftool reads, tag by tag; none where it is not installed.
fn exiftool(file: &[u8], arguments: &[&str]) -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("metadata-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let path: PathBuf = [env!("CARGO_TARGET_TMPDIR"), &name].iter().collect();
    fs::write(&path, file).unwrap();
    let output = Command::new("exiftool").args(arguments).arg(&path).output();
    fs::remove_file(&path).unwrap();
    let output = output.ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn has(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|bytes| bytes == needle)
}

#[test]
fn every_block_goes_through_every_format_and_its_reader() {
    for mime in carriers() {
        for big in [false, true] {
            let (file, report) = pack_picture(picture(1, big), &options(mime));
            let found = found(&file).metadata;
            let exif = metadata::exif::Exif::new(found.exif.as_deref().unwrap()).unwrap();
            use metadata::exif::{Dir, tag};
            assert_eq!(exif.text(Dir::Main, tag::MODEL).as_deref(), Some("Camera 5"), "{mime}");
            assert_eq!(exif.number(Dir::Main, tag::WIDTH), Some(48), "{mime}");
            assert_eq!(exif.number(Dir::Exif, tag::PIXEL_Y), Some(32), "{mime}");
            assert!(exif.has_gps() && !exif.has_thumbnail() && !has(&file, b"THUMBNAIL"), "{mime}");
            let original = crate::exif(big, 1);
            let at = original.windows(MAKER_NOTE.len()).position(|bytes| bytes == MAKER_NOTE).unwrap();
            assert_eq!(
                &exif.bytes()[at..at + MAKER_NOTE.len()],
                MAKER_NOTE,
                "{mime}: the offset of the notes"
            );

            assert_eq!(found.density.map(Density::to_inch), Some([300; 2]), "{mime}");
            let xmp = String::from_utf8(found.xmp.as_deref().unwrap().to_vec()).unwrap();
            let rest = XMP.replace(" tiff:Orientation=\"6\" hdrgm:Version=\"1.0\"", "");
            assert_eq!(xmp, rest, "{mime}");
            assert_eq!(found.iptc.is_some(), mime == "image/jpeg");
            assert!(
                codes(&report).contains(&Code::ExifChanged) && codes(&report).contains(&Code::XmpChanged)
            );
            assert_eq!(codes(&report).contains(&Code::IptcDropped), mime != "image/jpeg");
            let Some(read) = exiftool(&file, &["-s", "-a", "-G1"]) else { continue };
            for line in
                ["Camera 5", "48 deg 8' 12.35\" N", "(c) somebody", ": lake", "2024:05:06 07:08:09", ": 300"]
            {
                assert!(read.contains(line), "{mime}: no {line} in\n{read}");
            }
            assert_eq!(read.contains(": hello"), mime == "image/jpeg", "{read}");
            let complaints = exiftool(&file, &["-validate", "-warning", "-a"]).unwrap();
            let serious: Vec<_> =
                complaints.lines().filter(|l| !l.contains("[minor]") && !l.contains(": OK")).collect();
            let known = ["minor", "MakerNotes", "Entries in", "Missing required"];
            let serious: Vec<_> = serious.iter().filter(|l| !known.iter().any(|k| l.contains(k))).collect();
            assert!(serious.is_empty(), "{mime}: {serious:?}");
        }
    }
}

#[test]
fn gif_carries_xmp_alone() {
    let (file, report) = pack_picture(picture(1, true), &options("image/gif"));
    let found = found(&file).metadata;
    let rest = XMP.replace(" tiff:Orientation=\"6\" hdrgm:Version=\"1.0\"", "");
    assert_eq!(String::from_utf8(found.xmp.unwrap().to_vec()).unwrap(), rest);
    assert_eq!((found.exif, found.iptc, found.density), (None, None, None));
    assert!([Code::ExifDropped, Code::IptcDropped].iter().all(|code| codes(&report).contains(code)));
    // A reader that knows nothing of XMP steps over it.
    let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(&file)).unwrap();
    assert_eq!(image::DynamicImage::from_decoder(decoder).unwrap().width(), 48);
    if let Some(read) = exiftool(&file, &["-s", "-a", "-G1"]) {
        assert!(read.contains(": lake") && !read.contains("Warning"), "{read}");
    }
}

#[test]
fn from_every_source_to_every_format() {
    for from in carriers() {
        let (file, _) = pack_picture(picture(1, true), &options(from));
        for to in carriers() {
            let input = Input::Source(Arc::new(source(&file)));
            let (again, _) = pack(input.clone(), &options(to));
            let (was, is) = (found(&file).metadata, found(&again).metadata);
            assert_eq!(is.exif, was.exif, "{from} to {to}");
            assert_eq!(is.xmp, was.xmp, "{from} to {to}");
            assert_eq!(is.density, was.density, "{from} to {to}");
            assert_eq!(is.iptc.is_some(), from == "image/jpeg" && to == "image/jpeg", "{from} to {to}");
            // Without properties: none, but the density where the container has one.
            let mut bare = options(to);
            bare.needs_pack_properties = false;
            let (bare, _) = pack(input, &bare);
            let left = found(&bare).metadata;
            assert!(left.exif.is_none() && left.xmp.is_none() && left.iptc.is_none(), "{from} to {to}");
            let keeps = |mime: &str| matches!(mime, "image/jpeg" | "image/png");
            if keeps(to) && from != "image/heic" && from != "image/avif" {
                assert_eq!(left.density.map(Density::to_inch), Some([300; 2]), "{from} to {to}");
            }
        }
    }
}

/// What exiftool reads of many files at once: for each, lines of group, tag and value.
fn exiftool_all(files: &[(String, Vec<u8>)]) -> Option<Vec<Vec<String>>> {
    let folder: PathBuf =
        [env!("CARGO_TARGET_TMPDIR"), &format!("matrix-{}", std::process::id())].iter().collect();
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let paths = files.iter().map(|(name, _)| folder.join(name));
    let output = Command::new("exiftool").args(["-G1", "-S", "-n", "-a"]).args(paths).output();
    fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8_lossy(&output.ok()?.stdout).into_owned();
    let read = text.split("======== ").skip(1).map(|part| part.lines().skip(1).map(str::to_owned).collect());
    Some(read.collect())
}

/// From every source to every format, as exiftool sees both: all that is said of the photograph is the same, but for
/// the drops that the documentation tells.
#[test]
fn the_matrix_of_sources_and_formats() {
    let all: Vec<_> = codec::supported().map(|format| format.name()).collect();
    let name = |from: &str, to: &str| format!("{}.{}", from.replace('/', "-"), &to[6..]);
    let p3 = || {
        let mut picture = picture(1, true);
        let mut pixels = Pixels::clone(&picture.main);
        pixels.color.cicp.primaries = 12;
        picture.main = Arc::new(pixels);
        picture
    };
    let (mut files, mut sources) = (Vec::new(), Vec::new());
    for from in &all {
        let (file, _) = pack_picture(p3(), &options(from));
        files.push((name("source", from), file.clone()));
        sources.push(file);
    }
    for (from, file) in all.iter().zip(&sources) {
        for to in &all {
            let (again, _) = pack(Input::Source(Arc::new(source(file))), &options(to));
            files.push((name(from, to), again));
        }
    }
    let Some(read) = exiftool_all(&files) else { return };
    assert_eq!(read.len(), files.len());
    // The blocks: what the pixels, the container or the library says of itself is not metadata of the photograph.
    let blocks = |lines: &[String], groups: &[&str]| -> Vec<String> {
        let mut kept: Vec<_> = lines
            .iter()
            .filter(|line| groups.iter().any(|group| line.starts_with(&format!("[{group}"))))
            // Density: PNG and JPEG have it, too; its place among EXIF's tags is free.
            .filter(|line| !line.contains("ProfileDateTime"))
            .cloned()
            .collect();
        kept.sort();
        kept
    };
    let exif = ["IFD0]", "ExifIFD]", "GPS]", "InteropIFD]"];
    for (row, from) in all.iter().enumerate() {
        let was = &read[row];
        for (column, to) in all.iter().enumerate() {
            let is = &read[all.len() + row * all.len() + column];
            let case = format!("{from} to {to}");
            // GIF has a place for XMP alone.
            let has_exif = *from != "image/gif" && *to != "image/gif";
            let expected = if has_exif { blocks(was, &exif) } else { Vec::new() };
            let found = blocks(is, &exif);
            if *to != "image/gif" {
                // Where only EXIF has a density, GIF's sources have none.
                assert_eq!(found, expected, "{case}");
            } else {
                assert!(found.is_empty(), "{case}: {found:?}");
            }
            assert_eq!(
                blocks(is, &["XMP-dc]", "XMP-exif]"]),
                blocks(was, &["XMP-dc]", "XMP-exif]"]),
                "{case}"
            );
            assert!(!blocks(is, &["XMP-dc]"]).is_empty(), "{case}");
            assert_eq!(
                blocks(is, &["IPTC]"]).is_empty(),
                *from != "image/jpeg" || *to != "image/jpeg",
                "{case}: IPTC is JPEG's"
            );
            // PNG has code points, which this exiftool may not know; what comes of them is a profile again.
            let named = |lines: &[String]| {
                lines.iter().any(|line| line.starts_with("[ICC_Profile] ProfileDescription: Display P3"))
            };
            let profile = matches!(*to, "image/jpeg" | "image/webp") && *from != "image/gif";
            if profile {
                assert!(named(is), "{case}: {is:?}");
            }
        }
    }
}

#[test]
fn the_place_leaves_no_byte_behind() {
    let bytes = |order: &Order, v: &[u32]| v.iter().flat_map(|&v| order.long(v)).collect::<Vec<_>>();
    for mime in carriers() {
        for big in [false, true] {
            let mut options = options(mime);
            let (with, _) = pack_picture(picture(1, big), &options);
            options.keep_gps = false;
            let (without, report) = pack_picture(picture(1, big), &options);
            assert!(codes(&report).contains(&Code::GpsRemoved));
            for secret in [bytes(&Order(big), &LATITUDE), bytes(&Order(big), &LONGITUDE)] {
                // PNG, WebP and HEIF hold EXIF as it is, too.
                assert!(has(&with, &secret) && !has(&without, &secret), "{mime}");
            }
            assert!(has(&with, b"48,8.2057N") && !has(&without, b"48,8.2057N"), "{mime}");
            assert!(!has(&without, b"GPS"), "{mime}");
            if let Some(read) = exiftool(&without, &["-s", "-a", "-G1"]) {
                assert!(!read.contains("GPS") && read.contains("Camera 5"), "{mime}: {read}");
            }
        }
    }
}

#[test]
fn pictures_stand_upright_in_every_format() {
    // Corners of the stored image, in the order red, green, blue, white; and where they are seen.
    let probe = |pixels: &Pixels, right: bool, low: bool| {
        let x = if right { pixels.width() - 6 } else { 5 };
        let y = if low { pixels.height() - 6 } else { 5 };
        let row = pixels.row(0, y);
        let at = x as usize * usize::from(pixels.info().planes[0].bytes);
        match [row[at], row[at + 1], row[at + 2]].map(|v| v > 128) {
            [true, false, false] => 'r',
            [false, true, false] => 'g',
            [false, false, true] => 'b',
            [true, true, true] => 'w',
            other => panic!("{other:?}"),
        }
    };
    let seen = ["rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"];
    for mime in carriers() {
        for properties in [false, true] {
            for (number, seen) in (1u16..).zip(seen) {
                let mut options = options(mime);
                options.needs_pack_properties = properties;
                let (file, report) = pack_picture(picture(number, false), &options);
                let source = source(&file);
                let size = if number < 5 { (48, 32) } else { (32, 48) };
                assert_eq!((source.info().width, source.info().height), size, "{mime} {number}");
                let pixels = codec::decode::decode(&source, 0, &Default::default()).unwrap();
                let mut corners = String::new();
                for (right, low) in [(false, false), (true, false), (false, true), (true, true)] {
                    corners.push(probe(&pixels, right, low));
                }
                assert_eq!(corners, seen, "{mime} {number} {properties}");
                let tagged = found(&file).metadata.orientation() as u16;
                assert_eq!(tagged, if mime == "image/jpeg" { number } else { 1 }, "{mime}");
                assert_eq!(report.size, if mime == "image/jpeg" { (48, 32) } else { size });
                // Once more, from the file: pixels are turned, the tag is not left to turn them again.
                let (again, _) = pack(Input::Source(Arc::new(source)), &options);
                assert_eq!(found(&again).metadata.orientation() as u16, 1, "{mime} {number}");
                let again = codec::decode::decode(&crate::source(&again), 0, &Default::default()).unwrap();
                assert_eq!((again.width(), again.height()), size);
                assert_eq!(probe(&again, false, false), seen.chars().next().unwrap());
            }
        }
    }
}

#[test]
fn thumbnails_show_the_new_pixels() {
    let mut options = options("image/jpeg");
    options.max_embed_thumbnail = 24;
    let (file, _) = pack_picture(picture(1, true), &options);
    assert!(!has(&file, b"THUMBNAIL"));
    let exif = found(&file).metadata.exif.unwrap();
    let exif = metadata::exif::Exif::new(&exif).unwrap();
    use metadata::exif::{Dir, tag};
    let at = exif.number(Dir::Thumbnail, tag::THUMBNAIL).unwrap() as usize;
    let size = exif.number(Dir::Thumbnail, tag::THUMBNAIL_SIZE).unwrap() as usize;
    let small = image::load_from_memory(&exif.bytes()[at..at + size]).unwrap().to_rgb8();
    assert_eq!(small.dimensions(), (24, 16));
    let [r, g, b] = small.get_pixel(3, 3).0;
    assert!(r > 200 && g < 60 && b < 60, "{r} {g} {b}");
}

#[test]
fn long_xmp_becomes_two_packets_and_one_again() {
    let long = XMP.replace("lake", &"0123456789abcdef".repeat(20_000));
    let mut big = picture(1, true);
    big.metadata.xmp = Some(long.as_bytes().into());
    let (file, _) = pack_picture(big, &options("image/jpeg"));
    let read = String::from_utf8(found(&file).metadata.xmp.unwrap().to_vec()).unwrap();
    assert!(read.contains(&"0123456789abcdef".repeat(20_000)));
    if let Some(read) = exiftool(&file, &["-b", "-XMP-dc:Subject"]) {
        assert_eq!(read.trim().len(), 320_000);
    }
}

#[test]
fn damaged_blocks_are_dropped_and_told() {
    for mime in carriers() {
        let mut bad = picture(1, true);
        // Its directory of the photograph is the first one: a circle.
        let mut exif = exif(true, 1);
        let at = exif.windows(4).position(|b| b == [0x87, 0x69, 0, 4]).unwrap() + 8;
        exif[at..at + 4].copy_from_slice(&[0, 0, 0, 8]);
        bad.metadata.exif = Some(exif.into());
        bad.metadata.xmp = Some(b"<x:xmpmeta><rdf:RDF></x:xmp".as_slice().into());
        bad.metadata.iptc = Some(b"8BIM\x04\x04\0\0\0\xff\xff\xff".as_slice().into());
        let (file, report) = pack_picture(bad, &options(mime));
        for code in [Code::ExifDropped, Code::XmpDropped, Code::IptcDropped] {
            assert!(codes(&report).contains(&code), "{mime}: {report:?}");
        }
        let found = found(&file).metadata;
        assert!(found.xmp.is_none() && found.iptc.is_none());
    }
}

/// A stream of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn any_bytes_are_an_error_or_harmless() {
    use metadata::exif::{Dir, Exif, tag};
    let mut random = Random(7);
    for round in 0..10_000 {
        let mut block = exif(round % 2 == 0, 6);
        for _ in 0..1 + random.below(4) {
            // The tables are in front: most of the changes go there.
            let limit = if round % 3 == 0 { block.len() } else { 300 };
            let at = random.below(limit);
            block[at] = [0, 1, 8, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(7)];
        }
        if round % 5 == 0 {
            block.truncate(random.below(block.len()));
        }
        let Ok(mut exif) = Exif::new(&block) else { continue };
        let _ = (exif.density(), exif.text(Dir::Main, tag::MAKE), exif.rationals::<3>(Dir::Gps, 2));
        exif.replace_number(Dir::Main, tag::WIDTH, 70_000);
        let _ = exif.set_short(Dir::Main, tag::ORIENTATION, 1);
        let _ = exif.set_text(Dir::Exif, 0x9004, "2024:01:01 00:00:00");
        exif.remove_thumbnail();
        let _ = exif.remove_gps();
        let _ = exif.add_thumbnail(&[1, 2, 3]);
        exif.remove_maker_note();
    }
    for mime in carriers() {
        let (file, _) = pack_picture(picture(1, false), &options(mime));
        // libheif is not ours to test.
        let rounds = if mime.ends_with('f') || mime.ends_with("ic") { 0 } else { 1500 };
        for _ in 0..rounds {
            let mut file = file.clone();
            for _ in 0..1 + random.below(3) {
                let limit = file.len().min(3000);
                file[random.below(limit)] = random.below(256) as u8;
            }
            if random.below(4) == 0 {
                file.truncate(random.below(file.len()));
            }
            let Ok(source) = ImageSource::from_copy(&file) else { continue };
            let _ = metadata::find(source.info().mime, &file);
            let mut out = Buffer::default();
            let _ = metadata::exchange(&source, &picture(1, true).metadata, &mut out);
        }
    }
}

#[test]
fn an_exchange_of_metadata_leaves_the_image_alone() {
    for mime in ["image/jpeg", "image/png", "image/webp"] {
        let mut plain = picture(1, true);
        plain.metadata = Metadata::default();
        let (file, _) = pack_picture(plain, &options(mime));
        let mut out = Buffer::default();
        let new = picture(1, false).metadata;
        metadata::exchange(&source(&file), &new, &mut out).unwrap();
        let found = found(out.as_slice()).metadata;
        assert_eq!((found.exif, found.xmp), (new.exif.clone(), new.xmp.clone()), "{mime}");
        let decode = |file: &[u8]| codec::decode::decode(&source(file), 0, &Default::default()).unwrap();
        assert_eq!(decode(&file).plane(0).0, decode(out.as_slice()).plane(0).0, "{mime}");
        // Taken out again, the file is what it was but for WebP's extended header and the density.
        let mut back = Buffer::default();
        metadata::exchange(&source(out.as_slice()), &Metadata::default(), &mut back).unwrap();
        match mime {
            "image/jpeg" => assert_eq!(back.as_slice()[20..], file[20..]),
            "image/webp" => assert_eq!(back.as_slice()[30..], file[12..]),
            _ => assert!(back.as_slice().ends_with(&file[33..])),
        }
    }
}

/// EXIF as ImageMagick writes it into PNG: digits in a text chunk.
fn raw_profile(kind: &str, bytes: &[u8], packed: bool) -> Vec<u8> {
    let mut text = format!("\n{kind}\n{:>8}\n", bytes.len());
    for line in bytes.chunks(36) {
        line.iter().for_each(|byte| text += &format!("{byte:02x}"));
        text += "\n";
    }
    let mut body = format!("Raw profile type {kind}\0").into_bytes();
    if packed {
        use std::io::Write;
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(text.as_bytes()).unwrap();
        body.push(0);
        body.extend(zlib.finish().unwrap());
    } else {
        body.extend(text.as_bytes());
    }
    chunk(if packed { b"zTXt" } else { b"tEXt" }, &body)
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(body);
    [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
}

/// A PNG without metadata, and chunks behind its header.
fn png_with(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut plain = picture(1, true);
    plain.metadata = Metadata::default();
    let (file, _) = pack_picture(plain, &options("image/png"));
    [&file[..33], &chunks.concat(), &file[33..]].concat()
}

#[test]
fn raw_profiles_of_png_are_read() {
    let exif = exif(true, 1);
    let iptc = &IPTC[12..];
    for (packed, kind) in [(false, "exif"), (true, "APP1")] {
        let block = [b"Exif\0\0", &exif[..]].concat();
        let file = png_with(&[
            raw_profile(kind, &block, packed),
            raw_profile("xmp", XMP.as_bytes(), packed),
            raw_profile("iptc", IPTC, packed),
        ]);
        let found = found(&file).metadata;
        assert_eq!(found.exif.as_deref(), Some(&exif[..]));
        assert_eq!(found.xmp.as_deref(), Some(XMP.as_bytes()));
        assert_eq!(found.iptc.as_deref(), Some(IPTC));
        if let Some(read) = exiftool(&file, &["-s", "-a", "-G1"]) {
            assert!(read.contains("Camera 5") && read.contains(": hello"), "exiftool agrees: {read}");
        }
        let (jpeg, _) = pack(Input::Source(Arc::new(source(&file))), &options("image/jpeg"));
        if let Some(read) = exiftool(&jpeg, &["-s", "-a", "-G1"]) {
            assert!(
                read.contains("Camera 5") && read.contains(": hello") && read.contains(": lake"),
                "{read}"
            );
        }
        // An edit that takes the place out leaves no copy of it in the old text.
        let mut without = found.clone();
        without.remove_place().unwrap();
        let mut out = Buffer::default();
        metadata::exchange(&source(&file), &without, &mut out).unwrap();
        if let Some(read) = exiftool(out.as_slice(), &["-s", "-a", "-G1"]) {
            assert!(!read.contains("GPS") && read.contains("Camera 5") && read.contains(": hello"), "{read}");
        }
    }
    // A chunk of its own goes first; IPTC without resources around it becomes one; damage is nothing.
    let file = png_with(&[
        raw_profile("exif", &exif, true),
        chunk(b"eXIf", &crate::exif(false, 1)),
        raw_profile("iptc", iptc, false),
        chunk(b"tEXt", b"Raw profile type xmp\0\nxmp\n      99\n3cz"),
    ]);
    let found = found(&file).metadata;
    assert_eq!(found.exif.as_deref(), Some(&crate::exif(false, 1)[..]));
    assert_eq!(found.iptc.as_deref(), Some(IPTC));
    assert!(found.xmp.is_none());
}

#[test]
fn what_tiff_says_of_the_photograph_is_carried() {
    for big in [false, true] {
        let o = Order(big);
        let pixels = vec![90u8; 24 * 16 * 3];
        let xmp = XMP.as_bytes().to_vec();
        let main = |photo: u32, gps: u32, data: u32| {
            vec![
                (256, o.s(24)),
                (257, o.s(16)),
                (258, Value(3, 3, [o.short(8), o.short(8), o.short(8)].concat())),
                (259, o.s(1)),
                (262, o.s(2)),
                (0x010f, o.text("Maker")),
                (0x0110, o.text("Camera 5")),
                (273, o.l(data)),
                (277, o.s(3)),
                (278, o.s(16)),
                (279, o.l(pixels.len() as u32)),
                (0x011a, o.rationals(&[240, 1])),
                (0x011b, o.rationals(&[240, 1])),
                (0x0128, o.s(2)),
                (700, Value(1, xmp.len() as u32, xmp.clone())),
                (0x8298, o.text("(c) somebody")),
                (33723, Value(7, IPTC.len() as u32 - 12, IPTC[12..].to_vec())),
                (0x8769, o.l(photo)),
                (0x8825, o.l(gps)),
            ]
        };
        let photo = [
            (0x9003, o.text("2024:05:06 07:08:09")),
            (0x927c, Value(7, MAKER_NOTE.len() as u32, MAKER_NOTE.to_vec())),
            (0xa002, o.l(24)),
        ];
        let gps =
            [(1, o.text("N")), (2, o.rationals(&LATITUDE)), (3, o.text("E")), (4, o.rationals(&LONGITUDE))];
        let photo_at = 8 + o.directory(8, &main(0, 0, 0), 0).len();
        let gps_at = photo_at + o.directory(photo_at, &photo, 0).len();
        let data_at = gps_at + o.directory(gps_at, &gps, 0).len();
        let file = [
            if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() },
            o.long(8),
            o.directory(8, &main(photo_at as u32, gps_at as u32, data_at as u32), 0),
            o.directory(photo_at, &photo, 0),
            o.directory(gps_at, &gps, 0),
            pixels,
        ]
        .concat();
        for mime in carriers() {
            let (packed, report) = pack(Input::Source(Arc::new(source(&file))), &options(mime));
            assert!(codes(&report).contains(&Code::VendorDataDropped), "notes whose offsets would be wrong");
            if let Some(read) = exiftool(&packed, &["-s", "-a", "-G1"]) {
                for line in
                    ["Camera 5", "48 deg 8' 12.35\" N", "(c) somebody", ": lake", "2024:05:06", ": 240"]
                {
                    assert!(read.contains(line), "{mime}: no {line} in\n{read}");
                }
                assert_eq!(read.contains(": hello"), mime == "image/jpeg", "{read}");
                assert!(!read.contains("StripOffsets"), "{read}");
            }
        }
        for cut in (0..file.len()).step_by(7) {
            let _ = metadata::find(c"image/tiff", &file[..cut]);
        }
    }
}

#[test]
fn provenance_is_left_out_of_edits_and_told() {
    let jumbf = |number: u16, part: u32, body: &[u8]| {
        let content = [b"JP", &number.to_be_bytes()[..], &part.to_be_bytes(), body].concat();
        [b"\xff\xeb", &(content.len() as u16 + 2).to_be_bytes()[..], &content].concat()
    };
    let label = b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\08\x9bq\x03c2pa\0manifest";
    let mut plain = picture(1, true);
    plain.metadata = Metadata::default();
    let (jpeg, _) = pack_picture(plain.clone(), &options("image/jpeg"));
    let other = jumbf(2, 1, b"\0\0\0\x20jumb of another kind");
    let jpeg =
        [&jpeg[..20], &jumbf(1, 1, label), &other, &jumbf(1, 2, b"more of the first"), &jpeg[20..]].concat();
    let (webp, _) = pack_picture(plain, &options("image/webp"));
    let mut webp = [&webp[..], b"C2PA\x08\0\0\0manifest"].concat();
    let size = webp.len() as u32 - 8;
    webp[4..8].copy_from_slice(&size.to_le_bytes());
    for file in [jpeg.clone(), png_with(&[chunk(b"caBX", label)]), webp] {
        let found = codec::decode::properties(&source(&file)).unwrap();
        assert!(found.provenance);
        let mut out = Buffer::default();
        metadata::exchange(&source(&file), &found, &mut out).unwrap();
        assert!(!has(out.as_slice(), b"manifest") && !has(out.as_slice(), b"more of the first"));
        assert!(!codec::decode::properties(&source(out.as_slice())).unwrap().provenance);
        let picture = codec::decode::picture(&source(&file), &Default::default()).unwrap();
        for input in [Input::Source(Arc::new(source(&file))), Input::Picture(Arc::new(picture))] {
            let (packed, report) = pack(input, &options("image/jpeg"));
            assert!(codes(&report).contains(&Code::ProvenanceDropped));
            assert!(!has(&packed, b"manifest"));
        }
    }
    let mut out = Buffer::default();
    metadata::exchange(&source(&jpeg), &Metadata::default(), &mut out).unwrap();
    assert!(has(out.as_slice(), &other), "boxes of other kinds stay");
}

/// A profile of this size whose header holds.
fn profile(size: usize, space: &[u8; 4]) -> Vec<u8> {
    let mut random = Random(size as u64);
    let mut bytes: Vec<u8> = (0..size).map(|_| random.below(256) as u8).collect();
    // No tags.
    bytes[..132].fill(0);
    bytes[..4].copy_from_slice(&(size as u32).to_be_bytes());
    bytes[8..16].copy_from_slice(b"\x04\x30\0\0mntr");
    bytes[16..20].copy_from_slice(space);
    bytes[20..24].copy_from_slice(b"XYZ ");
    bytes[36..40].copy_from_slice(b"acsp");
    bytes
}

#[test]
fn profiles_go_through_verbatim_and_bad_ones_are_refused_before_a_byte_is_written() {
    use image_packer::{error::ErrorKind, model::color::check_icc};
    for mime in ["image/jpeg", "image/png", "image/webp"] {
        for size in [132, 70_000, 1_000_000] {
            let mut pixels = corners(48, 32);
            let icc = profile(size, b"RGB ");
            pixels.color.icc = Some(check_icc(&icc).unwrap());
            let (file, _) = pack(Input::Pixels(Arc::new(pixels)), &options(mime));
            let (again, report) = pack(Input::Source(Arc::new(source(&file))), &options(mime));
            assert!(report.warnings.is_empty(), "{:?}", report.warnings);
            let read = codec::decode::decode(&source(&again), 0, &Default::default()).unwrap();
            assert!(read.color.icc.as_deref() == Some(&icc[..]), "{mime} {size}");
        }
    }
    let whole = profile(1000, b"RGB ");
    let with = |at: usize, bytes: &[u8]| {
        let mut copy = whole.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        copy
    };
    // One tag that ends behind the profile; more tags than there is room for.
    let outside = with(128, b"\0\0\0\x01desc\0\0\x03\xe0\0\0\0\x09");
    for (bad, why) in [
        (whole[..100].to_vec(), "truncated"),
        (whole[..999].to_vec(), "truncated"),
        ([&whole[..], &[0]].concat(), "longer than it says"),
        (with(36, b"x"), "no signature"),
        (with(0, &[0, 0, 3, 0xe9]), "a size that is a lie"),
        (with(0, &[0, 0, 0, 100]), "a size that is a lie"),
        (with(12, b"link"), "a link between devices"),
        (with(20, b"RGB "), "no connection space"),
        (with(128, &[0, 0, 1, 0]), "too many tags"),
        (outside, "a tag outside"),
        (with(8, &[99]), "a version of another world"),
    ] {
        assert_eq!(check_icc(&bad).map_err(|error| error.kind), Err(ErrorKind::Icc), "{why}");
    }
    let mut gray = Pixels::zeroed(48, 32, PixelFormat::Gray8).unwrap();
    gray.color.icc = Some(whole.into());
    let mut bad = vec![gray];
    for (space, size) in [(b"CMYK", 1000), (b"GRAY", 1000), (b"RGB ", 17_000_000)] {
        let mut pixels = corners(48, 32);
        pixels.color.icc = Some(profile(size, space).into());
        bad.push(pixels);
    }
    for pixels in bad {
        let (input, mut file) = (Input::Pixels(Arc::new(pixels)), Buffer::default());
        let error = Packer::default().pack(input, &options("image/jpeg"), &mut file, &Control::default());
        assert_eq!(error.unwrap_err().kind, ErrorKind::Icc);
        assert!(file.as_slice().is_empty());
    }
}
