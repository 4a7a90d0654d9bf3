//! HEIC and AVIF whose pixels are stored otherwise than upright: the file says how to turn them (irot, imir), each of its
//! images in the same way, and nothing else says so once more.
#![cfg(feature = "heif")]

mod common;

use std::{fs, process::Command, sync::Arc};

use common::{
    boxes::{File, ispe},
    packing::{pack_picture, picture_of, pixels_of, source},
    tools::{exiftool, scratch},
};
use image_packer::{
    codec,
    model::{
        gain_map::{GainMap, GainMapParams},
        options::Options,
        picture::{Auxiliary, AuxiliaryKind, Picture},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pixels::{Orientation, upright},
};

/// The formats that can be tested here.
fn formats() -> Vec<&'static str> {
    let found: Vec<_> =
        ["image/heic", "image/avif"].into_iter().filter(|mime| codec::find(mime).is_ok()).collect();
    let expected = std::env::var_os("IMAGE_PACKER_TEST_WITHOUT_LIBHEIF").is_none();
    assert!(
        !expected || !found.is_empty(),
        "IMAGE_PACKER_TEST_WITHOUT_LIBHEIF=1 if this machine is to have no libheif"
    );
    found
}

fn orientations() -> impl Iterator<Item = Orientation> {
    (1..=8).map(|number| Orientation::from_exif(number).unwrap())
}

/// Each pixel has a place: brighter to the right in red, to the bottom in green.
fn stored(format: PixelFormat) -> Pixels {
    let pixel = |x: u32, y: u32| [(3 * x) as u8, (4 * y) as u8, 90, (40 + x + y) as u8];
    let taken = if format == PixelFormat::Rgba8888 { 4 } else { 3 };
    let bytes = (0..64).flat_map(|y| (0..80).flat_map(move |x| pixel(x, y).into_iter().take(taken)));
    Pixels::from_vec(80, 64, format, bytes.collect()).unwrap()
}

fn gray(width: u32, height: u32) -> Arc<Pixels> {
    let bytes = (0..height).flat_map(|y| (0..width).map(move |x| (20 + x + y) as u8)).collect();
    Arc::new(Pixels::from_vec(width, height, PixelFormat::Gray8, bytes).unwrap())
}

fn picture(main: Pixels, orientation: Orientation) -> Picture {
    let mut picture = Picture::new(Arc::new(main));
    picture.metadata.set_orientation(orientation).unwrap();
    picture
}

fn lossless(mime: &str) -> Options {
    let mut options = Options::new(mime, 90).unwrap();
    options.lossless = true;
    options
}

/// Where a pixel of the stored image is seen: ISO/IEC 23008-12, 6.5.10 and 6.5.12, step by step.
fn seen_at(
    (mut x, mut y): (u32, u32),
    (mut width, mut height): (u32, u32),
    properties: &[([u8; 4], &[u8])],
) -> (u32, u32) {
    for (kind, body) in properties {
        match kind {
            b"irot" => {
                for _ in 0..body[0] {
                    // A quarter turn counterclockwise.
                    (x, y) = (y, width - 1 - x);
                    (width, height) = (height, width);
                }
            }
            b"imir" if body[0] == 1 => x = width - 1 - x,
            b"imir" => y = height - 1 - y,
            _ => {}
        }
    }
    (x, y)
}

#[test]
fn pixels_stay_as_they_are_stored_and_the_file_says_how_to_turn_them() {
    for mime in formats() {
        for format in [PixelFormat::Rgb888, PixelFormat::Rgba8888] {
            for orientation in orientations() {
                let stored = stored(format);
                let (bytes, report) = pack_picture(picture(stored.clone(), orientation), &lossless(mime));
                let expected = upright(stored.clone(), orientation).unwrap();
                assert_eq!(report.size, (expected.width(), expected.height()));
                let back = pixels_of(&bytes);
                assert_eq!((back.width(), back.height()), report.size);
                assert!(back.plane(0).0 == expected.plane(0).0, "{mime} {format:?} {orientation:?}");

                if orientation == Orientation::Upright {
                    continue;
                }
                let file = File::new(&bytes);
                let images: Vec<_> =
                    file.items.iter().filter(|item| matches!(&item.kind, b"hvc1" | b"av01")).collect();
                assert_eq!(images.len(), if format == PixelFormat::Rgba8888 { 2 } else { 1 });
                for image in images {
                    assert_eq!(ispe(image), (80, 64), "stored as it came");
                    let at = |x, y| seen_at((x, y), (80, 64), &image.properties);
                    for (x, y) in [(0, 0), (79, 0), (3, 60)] {
                        let pixel = stored.row(0, y)[x as usize * 3..][..2].to_vec();
                        if format == PixelFormat::Rgb888 {
                            let (x, y) = at(x, y);
                            let seen = &expected.row(0, y)[x as usize * 3..][..2];
                            assert_eq!(seen, pixel, "{mime} {orientation:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn exif_does_not_turn_them_once_more() {
    for mime in formats() {
        for properties in [false, true] {
            let mut options = Options::new(mime, 90).unwrap();
            options.needs_pack_properties = properties;
            let (bytes, _) = pack_picture(picture(stored(PixelFormat::Rgb888), Orientation::Right), &options);
            let read = picture_of(&bytes);
            assert_eq!(read.metadata.orientation(), Orientation::Upright);
            assert_eq!((read.main.width(), read.main.height()), (64, 80));
            let Some(text) = exiftool(&bytes, &["-n", "-a", "-G1", "-s"]) else { continue };
            let tag = |line: &&str| line.starts_with("[IFD0]") && line.contains("Orientation");
            assert!(text.lines().filter(tag).all(|line| line.ends_with(": 1")), "{text}");
            assert!(!properties || text.lines().any(|line| tag(&line)), "{text}");
            // Degrees or quarters, by exiftool's version.
            let turned =
                |line: &str| line.contains("Rotation") && (line.ends_with(": 270") || line.ends_with(": 3"));
            assert!(text.lines().any(turned), "{text}");
        }
    }
}

#[test]
fn another_program_sees_them_upright() {
    for mime in formats() {
        for orientation in orientations() {
            let (bytes, _) = pack_picture(picture(stored(PixelFormat::Rgb888), orientation), &lossless(mime));
            let (from, to) = (scratch(&format!(".{}", &mime[6..])), scratch(".png"));
            fs::write(&from, &bytes).unwrap();
            let Ok(output) = Command::new("heif-convert").arg(&from).arg(&to).output() else {
                return eprintln!("NOT TESTED: no heif-convert here");
            };
            if !output.status.success() {
                return eprintln!("NOT TESTED: heif-convert reads no {mime}: {output:?}");
            }
            let seen = image::open(&to).unwrap().to_rgb8();
            let expected = upright(stored(PixelFormat::Rgb888), orientation).unwrap();
            assert_eq!(seen.dimensions(), (expected.width(), expected.height()));
            assert!(seen.as_raw() == expected.plane(0).0, "{mime} {orientation:?}");
            fs::remove_file(from).unwrap();
            fs::remove_file(to).unwrap();
        }
    }
}

#[test]
fn gain_map_and_depth_are_turned_alike() {
    for mime in formats() {
        for orientation in orientations() {
            let mut picture = picture(stored(PixelFormat::Rgb888), orientation);
            let params = GainMapParams { alternate_headroom: 2.0, max: [2.0; 3], ..GainMapParams::default() };
            picture.gain_map = Some(GainMap { pixels: gray(96, 72), params });
            picture.auxiliaries.push(Auxiliary { kind: AuxiliaryKind::Depth, pixels: gray(88, 66) });
            let (bytes, _) = pack_picture(picture, &lossless(mime));
            let file = File::new(&bytes);
            let [derived, main, map] = file.tone_mapped();
            assert_eq!(ispe(derived), if orientation.turns() { (64, 80) } else { (80, 64) });
            assert!(derived.properties.iter().all(|(kind, _)| !matches!(kind, b"irot" | b"imir")));
            let turns = |item: &common::boxes::Item<'_>| {
                let turning = item.properties.iter().filter(|(kind, _)| matches!(kind, b"irot" | b"imir"));
                turning.map(|(kind, body)| (*kind, body.to_vec())).collect::<Vec<_>>()
            };
            assert_eq!(turns(main), turns(map));
            assert_eq!(turns(main).is_empty(), orientation == Orientation::Upright);

            let read = picture_of(&bytes);
            let depth = upright(Pixels::clone(&gray(88, 66)), orientation).unwrap();
            assert!(read.auxiliaries[0].pixels.plane(0).0 == depth.plane(0).0, "{mime} {orientation:?}");
            let map = upright(Pixels::clone(&gray(96, 72)), orientation).unwrap();
            let read = read.gain_map.unwrap().pixels;
            assert_eq!((read.width(), read.height()), (map.width(), map.height()));
            assert!(read.plane(0).0 == map.plane(0).0, "{mime} {orientation:?}");
        }
    }
}

#[test]
fn thumbnails_and_sources_are_turned_here() {
    for mime in formats() {
        let mut options = Options::new(mime, 90).unwrap();
        let (turned, _) = pack_picture(picture(stored(PixelFormat::Rgb888), Orientation::Left), &options);
        assert_eq!((source(&turned).info().width, source(&turned).info().height), (64, 80));
        let has = |bytes: &[u8]| File::new(bytes).items[0].properties.iter().any(|(kind, _)| kind == b"irot");
        assert!(has(&turned));
        options.needs_pack_properties = true;
        options.max_embed_thumbnail = 32;
        let (file, _) = pack_picture(picture(stored(PixelFormat::Rgb888), Orientation::Left), &options);
        assert_eq!((source(&file).info().width, source(&file).info().height), (64, 80));
        assert!(!common::tools::has(&file, b"irot"));
    }
}
