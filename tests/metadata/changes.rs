//! What is changed or removed, in packs and in edits of files.

use super::*;

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
                let (again, _) = pack(Input::Source(source), &options);
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
    for mime in carriers() {
        thumbnail_shows_the_new_pixels(mime);
    }
}

fn thumbnail_shows_the_new_pixels(mime: &str) {
    let mut options = options(mime);
    options.max_embed_thumbnail = 24;
    let (file, _) = pack_picture(picture(1, true), &options);
    assert!(!has(&file, b"THUMBNAIL"), "{mime}");
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
        for input in [Input::Source(source(&file)), Input::Picture(Arc::new(picture))] {
            let (packed, report) = pack(input, &options("image/jpeg"));
            assert!(codes(&report).contains(&Code::ProvenanceDropped));
            assert!(!has(&packed, b"manifest"));
        }
    }
    let mut out = Buffer::default();
    metadata::exchange(&source(&jpeg), &Metadata::default(), &mut out).unwrap();
    assert!(has(out.as_slice(), &other), "boxes of other kinds stay");
}

#[test]
fn a_density_that_is_set_goes_before_that_of_exif() {
    for mime in ["image/jpeg", "image/png", "image/webp"] {
        let (file, _) = pack_picture(picture(1, true), &options(mime));
        assert!(found(&file).metadata.density.is_some(), "{mime}");
        for density in [Density::per_inch(200.0, 100.0), None] {
            let mut metadata = codec::decode::properties(&source(&file)).unwrap();
            metadata.set_density(density).unwrap();
            let mut out = Buffer::default();
            metadata::exchange(&source(&file), &metadata, &mut out).unwrap();
            let exif = found(out.as_slice()).metadata.exif.unwrap();
            let read = metadata::exif::Exif::new(&exif).unwrap().density();
            assert_eq!(
                read.map(|density| density.to_inch()),
                density.map(|density| density.to_inch()),
                "{mime}"
            );
            let mut again = picture(1, true);
            again.metadata = metadata;
            let (file, _) = pack_picture(again, &options(mime));
            let read = found(&file).metadata.density;
            assert_eq!(
                read.map(|density| density.to_inch()),
                density.map(|density| density.to_inch()),
                "{mime}"
            );
        }
    }
}
