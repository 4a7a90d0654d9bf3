//! Blocks that PNG files keep in text chunks, and profiles.

use super::*;

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
        let (jpeg, _) = pack(Input::Source(source(&file)), &options("image/jpeg"));
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
        for size in [132, 70_000, 1_048_576] {
            let mut pixels = corners(48, 32);
            let icc = profile(size, b"RGB ");
            pixels.color.icc = Some(check_icc(&icc).unwrap());
            let (file, _) = pack(Input::Pixels(Arc::new(pixels)), &options(mime));
            let (again, report) = pack(Input::Source(source(&file)), &options(mime));
            assert!(report.warnings.is_empty(), "{:?}", report.warnings);
            if mime == "image/jpeg" {
                // 65519 bytes of a profile have room in a segment.
                let segments = again.windows(12).filter(|name| name == b"ICC_PROFILE\0").count();
                assert_eq!(
                    segments,
                    [(132, 1), (70_000, 2), (1_048_576, 17)].iter().find(|c| c.0 == size).unwrap().1
                );
            }
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

#[test]
fn the_parts_of_a_profile_are_put_together_by_their_numbers() {
    let mut icc = profile(3000, b"RGB ");
    for (i, byte) in icc.iter_mut().enumerate().skip(132) {
        *byte = (i % 251) as u8;
    }
    let part = |number: u8| {
        let range = 1000 * (usize::from(number) - 1)..1000 * usize::from(number);
        let body = [&b"ICC_PROFILE\0"[..], &[number, 3], &icc[range]].concat();
        [&[0xff, 0xe2][..], &(body.len() as u16 + 2).to_be_bytes(), &body].concat()
    };
    let mut plain = picture(1, true);
    plain.metadata = Metadata::default();
    let (file, _) = pack_picture(plain, &options("image/jpeg"));
    for (numbers, whole) in [
        (&[1, 2, 3][..], true),
        (&[2, 3, 1], true),
        (&[1, 1, 2, 2, 3, 1], true),
        (&[1, 3], false),
        (&[2, 3], false),
    ] {
        let parts: Vec<u8> = numbers.iter().flat_map(|&number| part(number)).collect();
        let from = [&file[..20], &parts, &file[20..]].concat();
        let (again, report) = pack(Input::Source(source(&from)), &options("image/jpeg"));
        let read = codec::decode::decode(&source(&again), 0, &Default::default()).unwrap();
        assert_eq!(read.color.icc.as_deref().map(|read| read == icc), whole.then_some(true), "{numbers:?}");
        assert_eq!(codes(&report).contains(&Code::ProfileDropped), !whole, "{numbers:?}");
    }
}
