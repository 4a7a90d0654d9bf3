//! Blocks that are long, damaged or anything at all.

use super::*;

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
fn values_that_share_bytes_do_not_make_a_small_file_large() {
    for big in [false, true] {
        let o = Order(big);
        // Every line of the directory says that the whole file is the camera's maker.
        let (lines, size) = (300u16, 1 << 20);
        let mut file = [if big { b"MM\0*" } else { b"II*\0" }.to_vec(), o.long(8), o.short(lines)].concat();
        for _ in 0..lines {
            file.extend([o.short(0x010f), o.short(2), o.long(size), o.long(0)].concat());
        }
        file.resize(size as usize, b'x');
        let found = metadata::find(c"image/tiff", &file).unwrap().metadata;
        assert!(found.exif.is_none(), "{} bytes", found.exif.map_or(0, |exif| exif.len()));
        // Once is fine.
        file[8..10].copy_from_slice(&o.short(1));
        let found = metadata::find(c"image/tiff", &file).unwrap().metadata;
        assert!(found.exif.is_some_and(|exif| exif.len() > size as usize));
    }
}

#[test]
fn exif_without_a_directory_is_damaged() {
    for block in [b"II*\0\0\0\0\0", b"MM\0*\0\0\0\0"] {
        let error = metadata::exif::Exif::new(block).unwrap_err();
        assert_eq!((error.kind, &*error.message), (ErrorKind::BadData, "EXIF of 8 bytes has no directory"));
    }
}
