//! Blocks through every format, and from every source to every format.

use super::*;

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
            let input = Input::Source(source(&file));
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
    let folder = scratch("");
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
            let (again, _) = pack(Input::Source(source(file)), &options(to));
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
            let (packed, report) = pack(Input::Source(source(&file)), &options(mime));
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
fn density_and_a_word_about_provenance_need_no_properties() {
    for from in carriers() {
        let mut picture = picture(1, true);
        picture.metadata.density = Density::per_inch(300.0, 300.0);
        let (file, _) = pack_picture(picture, &options(from));
        let mut bare = options("image/jpeg");
        bare.needs_pack_properties = false;
        let (jpeg, report) = pack(Input::Source(source(&file)), &bare);
        // JFIF's unit, 1 for inches, and density.
        let expected = found(&file).metadata.density.unwrap().to_inch()[0];
        assert_eq!(
            jpeg[13..18],
            [&[1][..], &expected.to_be_bytes(), &expected.to_be_bytes()].concat(),
            "{from}"
        );
        assert!(!codes(&report).contains(&Code::DensityDropped));
        bare.format = codec::supported().find(|format| format.name() == "image/webp").unwrap();
        let (_, report) = pack(Input::Source(source(&file)), &bare);
        assert!(codes(&report).contains(&Code::DensityDropped), "{from}: {:?}", report.warnings);
        if matches!(from, "image/heic" | "image/avif") {
            let c2pa = *b"\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81";
            let signed = [&file[..], &[0, 0, 0, 24], b"uuid", &c2pa].concat();
            let (_, report) = pack(Input::Source(source(&signed)), &bare);
            assert!(codes(&report).contains(&Code::ProvenanceDropped), "{from}");
        }
    }
}
