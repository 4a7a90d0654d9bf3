//! JPEG files taken apart: segments, and the images of the Multi-Picture Format.

/// `(marker, body)` of the segments up to the first scan, and where each starts.
pub fn segments(jpeg: &[u8]) -> Vec<(u8, usize, &[u8])> {
    assert_eq!(jpeg[..2], [0xff, 0xd8]);
    let (mut at, mut found) = (2, Vec::new());
    loop {
        assert_eq!(jpeg[at], 0xff);
        let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        found.push((jpeg[at + 1], at, &jpeg[at + 4..at + 2 + length]));
        if jpeg[at + 1] == 0xda {
            return found;
        }
        at += 2 + length;
    }
}

pub const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

pub fn body<'a>(jpeg: &'a [u8], marker: u8, name: &[u8]) -> Option<&'a [u8]> {
    segments(jpeg)
        .into_iter()
        .find_map(|(m, _, body)| if m == marker { body.strip_prefix(name) } else { None })
}

/// The images that the Multi-Picture Format lists: type and bytes. They must fill the file.
pub fn images(file: &[u8]) -> Vec<(u32, &[u8])> {
    let (_, at, mpf) =
        segments(file).into_iter().find(|(m, _, b)| *m == 0xe2 && b.starts_with(b"MPF\0")).unwrap();
    let number = |at: usize| u32::from_be_bytes(mpf[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(&mpf[4..12], b"MM\0\x2a\0\0\0\x08");
    assert_eq!(mpf[12..14], [0, 3]);
    assert_eq!(&mpf[14..26], [0xb0, 0, 0, 7, 0, 0, 0, 4, b'0', b'1', b'0', b'0']);
    let count = number(34);
    assert_eq!(number(46), 50, "where the entries are");
    assert_eq!(mpf.len(), 54 + 16 * count);
    let mut end = 0;
    let mut images = Vec::new();
    for entry in 0..count {
        let entry = 54 + 16 * entry;
        let (size, offset) = (number(entry + 4), number(entry + 8));
        let start = if offset == 0 { 0 } else { at + 8 + offset };
        assert_eq!(start, end, "images follow each other");
        end = start + size;
        let image = &file[start..end];
        assert_eq!((&image[..2], &image[image.len() - 2..]), (&[0xff, 0xd8][..], &[0xff, 0xd9][..]));
        images.push((number(entry) as u32, image));
    }
    assert_eq!(end, file.len(), "nothing behind the last image");
    images
}

pub fn decode(jpeg: &[u8]) -> image::DynamicImage {
    image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap()
}
