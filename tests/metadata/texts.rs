//! Comments and other texts, what vendors put into files, and what EXIF says of the colour.

use super::*;
use metadata::exif::{Dir, Exif, tag};

/// A plain file of this format with `segments` behind the first `at` bytes.
fn file_with(mime: &str, at: usize, segments: &[u8]) -> Vec<u8> {
    let mut plain = picture(1, true);
    plain.metadata = Metadata::default();
    let (file, _) = pack_picture(plain, &options(mime));
    [&file[..at], segments, &file[at..]].concat()
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

/// Comment segments behind JFIF's.
fn jpeg_with(segments: &[u8]) -> Vec<u8> {
    file_with("image/jpeg", 20, segments)
}

#[test]
fn comments_go_where_there_is_a_place_for_them_and_are_told_elsewhere() {
    let gif = file_with("image/gif", 0, &[]);
    // Behind the header and its table of colours.
    let at = 13 + (6 << (gif[10] & 7));
    let gif = [&gif[..at], b"\x21\xfe\x07a lake,\x09 at night\0", &gif[at..]].concat();
    let sources = [
        jpeg_with(&segment(0xfe, b"a lake, at night")),
        png_with(&[chunk(b"tEXt", b"Comment\0a lake, at night")]),
        gif,
    ];
    for from in sources {
        for to in codec::supported().map(|format| format.name()) {
            let (file, report) = pack(Input::Source(source(&from)), &options(to));
            let carried = matches!(to, "image/jpeg" | "image/png" | "image/gif");
            assert_eq!(!codes(&report).contains(&Code::TextDropped), carried, "{to}: {:?}", report.warnings);
            if let Some(read) = exiftool(&file, &["-s3", "-Comment"]) {
                assert_eq!(read.trim(), if carried { "a lake, at night" } else { "" }, "{to}");
            }
            // Nothing of it where no properties are asked for.
            let mut bare = options(to);
            bare.needs_pack_properties = false;
            let (file, report) = pack(Input::Source(source(&from)), &bare);
            assert!(!has(&file, b"at night") && !codes(&report).contains(&Code::TextDropped), "{to}");
        }
    }
}

#[test]
fn texts_of_png_keep_their_chunks_and_places_among_them_go() {
    let chunks = [
        chunk(b"tEXt", b"Author\0somebody"),
        chunk(b"iTXt", "Title\0\0\0de\0Titel\0Nachts am See – größer".as_bytes()),
        chunk(b"tEXt", b"exif:GPSLatitude\x0048/1"),
    ];
    let file = png_with(&chunks);
    let (again, report) = pack(Input::Source(source(&file)), &options("image/png"));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert!(chunks.iter().all(|chunk| has(&again, chunk)));
    let mut without = options("image/png");
    without.keep_gps = false;
    let (again, report) = pack(Input::Source(source(&file)), &without);
    assert!(codes(&report).contains(&Code::GpsRemoved) && !has(&again, b"GPSLatitude"));
    assert!(chunks[..2].iter().all(|chunk| has(&again, chunk)));
    // JPEG has comments alone.
    let (_, report) = pack(Input::Source(source(&file)), &options("image/jpeg"));
    assert_eq!(codes(&report), [Code::TextDropped; 3]);
}

#[test]
fn of_any_number_of_texts_some_are_carried_and_the_others_told() {
    let many = jpeg_with(&segment(0xfe, b"x").repeat(3000));
    let (file, report) = pack(Input::Source(source(&many)), &options("image/jpeg"));
    let carried = file.windows(5).filter(|bytes| *bytes == [0xff, 0xfe, 0, 3, b'x']).count();
    assert_eq!(carried, 256);
    let told = report.warnings.iter().find(|warning| warning.code == Code::TextDropped).unwrap();
    assert!(told.text.contains("2744"), "{told:?}");
}

#[test]
fn metadata_that_cannot_be_read_is_told() {
    // A chunk behind the image that ends behind the file.
    let mut file = file_with("image/webp", 0, &[]);
    file.extend(b"EXIF\xff\0\0\0II*\0");
    let size = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    let (_, report) = pack(Input::Source(source(&file)), &options("image/png"));
    assert_eq!(codes(&report), [Code::ExifDropped]);
    assert!(report.warnings[0].text.contains("a chunk is cut off"), "{:?}", report.warnings);
    let mut bare = options("image/png");
    bare.needs_pack_properties = false;
    let (_, report) = pack(Input::Source(source(&file)), &bare);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

#[test]
fn what_vendors_put_into_files_is_told() {
    let (tail, map) = ([b"\0\0\0\x18ftypmp42", &[7; 20][..]].concat(), jpeg_with(&[]));
    let told = |file: &[u8]| -> Vec<String> {
        let (_, report) = pack(Input::Source(source(file)), &options("image/jpeg"));
        let told = report.warnings.iter().filter(|warning| warning.code == Code::VendorDataDropped);
        told.map(|warning| warning.text.to_string()).collect()
    };
    for (marker, body) in
        [(0xe0, &b"JFXX\0\x10"[..]), (0xe1, b"FLIR\0\x01\0\0"), (0xe2, b"FPXR\0\0\x01"), (0xe4, b"mine")]
    {
        assert_eq!(told(&jpeg_with(&segment(marker, body))).len(), 1, "{marker:x}");
    }
    assert_eq!(told(&png_with(&[chunk(b"prVt", b"mine")])).len(), 1);
    let named = [&map[..], &(map.len() as u32).to_le_bytes(), b"DepthP\0\0"].concat();
    for (behind, bytes) in [
        (tail.clone(), 32),
        ([&[0; 5], &tail[..]].concat(), 37),
        ([&map[..], &tail].concat(), 32),
        ([&named[..], &tail].concat(), 32),
    ] {
        let told = told(&[&map[..], &behind].concat());
        assert!(told.len() == 1 && told[0].contains(&format!(" {bytes} bytes")), "{told:?}");
    }
    // Padding and further images are nothing of the kind.
    for behind in [&[][..], &[0; 9], &map, &named, &[&[0; 3], &map[..]].concat()] {
        assert_eq!(told(&[&map[..], behind].concat()), [""; 0]);
    }
}

/// EXIF whose ColorSpace is this.
fn with_color_space(value: u8) -> Vec<u8> {
    let mut block = exif(true, 1);
    let at = block.windows(8).position(|bytes| bytes == b"\xa0\x01\0\x03\0\0\0\x01").unwrap();
    block[at + 8..at + 10].copy_from_slice(if value == 1 { &[0, 1] } else { &[0xff, 0xff] });
    block
}

#[test]
fn what_exif_says_of_the_colour_is_true() {
    use image_packer::model::color::{Cicp, Color};
    let srgb = Color { cicp: Cicp::SRGB, icc: None };
    let p3 = Color { cicp: Cicp { primaries: 12, ..Cicp::SRGB }, icc: None };
    let like_srgb = {
        let made = lcms2::Profile::new_srgb().icc().unwrap();
        Color { cicp: Cicp::SRGB, icc: Some(made.into()) }
    };
    for (color, said, is) in [
        // Adobe RGB without a profile, as cameras write it: nothing else knows.
        (&srgb, 0xffff, 0xffff),
        (&srgb, 1, 1),
        (&p3, 1, 0xffff),
        (&p3, 0xffff, 0xffff),
        (&like_srgb, 1, 1),
    ] {
        let mut made = picture(1, true);
        let mut pixels = Pixels::clone(&made.main);
        pixels.color = color.clone();
        made.main = Arc::new(pixels);
        made.metadata.exif = Some(with_color_space(said as u8).into());
        for mime in carriers() {
            let (file, _) = pack_picture(made.clone(), &options(mime));
            let block = found(&file).metadata.exif.unwrap();
            let number = Exif::new(&block).unwrap().number(Dir::Exif, tag::COLOR_SPACE);
            assert_eq!(number, Some(is), "{mime}: {color:?} said to be {said}");
            // Converted, it is sRGB.
            let mut converted = options(mime);
            converted.color = image_packer::model::options::ColorPolicy::Srgb;
            let (file, _) = pack_picture(made.clone(), &converted);
            let block = found(&file).metadata.exif.unwrap();
            let number = Exif::new(&block).unwrap().number(Dir::Exif, tag::COLOR_SPACE);
            assert!(number == Some(1) || color == &srgb, "{mime}: {color:?} said to be {said}");
        }
    }
}

#[test]
fn a_directory_of_no_entries_is_none() {
    let mut block = exif(false, 1);
    let at = block.windows(8).position(|bytes| bytes == b"\x25\x88\x04\0\x01\0\0\0").unwrap();
    block[at + 4] = 0;
    // It points into the first directory, as a game console writes it.
    block[at + 8] = 20;
    let mut made = picture(1, true);
    made.metadata.exif = Some(block.into());
    let (file, report) = pack_picture(made, &options("image/jpeg"));
    assert!(!codes(&report).contains(&Code::ExifDropped), "{:?}", report.warnings);
    let block = found(&file).metadata.exif.unwrap();
    assert_eq!(Exif::new(&block).unwrap().text(Dir::Main, tag::MODEL).as_deref(), Some("Camera 5"));
}
