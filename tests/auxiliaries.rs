//! Auxiliary images through JPEG files and back: each keeps its kind, and its bytes where nothing has to be turned.

mod common;

use std::sync::Arc;

use common::{
    packing::{self, picture_of, source},
    tools::exiftool_bytes,
};

use image_packer::{
    codec::metadata::properties::Place,
    model::{
        gain_map::{GainMap, GainMapParams},
        metadata::Metadata,
        options::Options,
        picture::{Auxiliary, AuxiliaryKind, Parts, Picture},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
        report::{Code, Report},
    },
    pack::packer::Input,
    pixels::Orientation,
};

const KINDS: [AuxiliaryKind; 4] =
    [AuxiliaryKind::Depth, AuxiliaryKind::Unrefocus, AuxiliaryKind::Linear, AuxiliaryKind::Fragment];

/// Each image has a size and a gray of its own; brighter on the right.
fn gray(width: u32, height: u32, from: u8) -> Arc<Pixels> {
    let bytes = (0..height).flat_map(|_| (0..width).map(|x| from + x as u8 * 2)).collect();
    Arc::new(Pixels::from_vec(width, height, PixelFormat::Gray8, bytes).unwrap())
}

fn picture(gain_map: bool) -> Picture {
    let main = Pixels::from_vec(64, 32, PixelFormat::Rgb888, vec![90; 64 * 32 * 3]).unwrap();
    let mut picture = Picture::new(Arc::new(main));
    if gain_map {
        let params = GainMapParams { alternate_headroom: 2.0, max: [2.0; 3], ..GainMapParams::default() };
        picture.gain_map = Some(GainMap { pixels: gray(20, 10, 5), params });
    }
    for (number, kind) in KINDS.into_iter().enumerate() {
        let n = number as u32;
        picture
            .auxiliaries
            .push(Auxiliary { kind, pixels: gray(16 + 8 * n, 8 + 4 * n, 30 + 40 * number as u8) });
    }
    picture
}

fn pack(input: Input, mime: &str, properties: bool) -> (Vec<u8>, Report) {
    let mut options = Options::new(mime, 92).unwrap();
    options.needs_pack_properties = properties;
    packing::pack(input, &options)
}

/// The JPEG of each auxiliary image.
fn coded(picture: &Picture) -> Vec<Arc<[u8]>> {
    picture.auxiliaries.iter().map(|auxiliary| auxiliary.pixels.coded.clone().unwrap()).collect()
}

/// Image `number` of the Multi-Picture Format as exiftool finds it; none where it is not installed.
fn by_exiftool(file: &[u8], number: usize) -> Option<Vec<u8>> {
    exiftool_bytes(file, &["-b", &format!("-MPImage{number}")])
}

#[test]
fn every_kind_is_read_back_as_it_was_packed() {
    for gain_map in [false, true] {
        let packed = picture(gain_map);
        let (file, report) = pack(Input::Picture(Arc::new(packed.clone())), "image/jpeg", false);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let read = picture_of(&file);
        assert_eq!(read.gain_map.is_some(), gain_map);
        assert_eq!(read.auxiliaries.iter().map(|a| a.kind).collect::<Vec<_>>(), KINDS);
        for (index, (is, was)) in read.auxiliaries.iter().zip(&packed.auxiliaries).enumerate() {
            assert_eq!((is.pixels.width(), is.pixels.height()), (was.pixels.width(), was.pixels.height()));
            let worst =
                is.pixels.plane(0).0.iter().zip(was.pixels.plane(0).0).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst.unwrap() <= 4, "{:?}: {worst:?}", is.kind);
            if let Some(found) = by_exiftool(&file, 2 + usize::from(gain_map) + index) {
                assert_eq!(found, is.pixels.coded.as_deref().unwrap(), "{:?}", is.kind);
            }
        }
    }
}

#[test]
fn what_is_moved_keeps_every_byte() {
    let (file, _) = pack(Input::Picture(Arc::new(picture(true))), "image/jpeg", false);
    let before = coded(&picture_of(&file));
    // From file to file, and through a picture whose main image is another.
    let (again, report) = pack(Input::Source(source(&file)), "image/jpeg", true);
    assert!(report.warnings.iter().all(|w| w.code == Code::XmpChanged), "{:?}", report.warnings);
    assert_eq!(coded(&picture_of(&again)), before);
    let mut parts = Parts::from_picture(picture_of(&file)).unwrap();
    let (again, _) = pack(Input::Picture(Arc::new(parts.picture().unwrap())), "image/jpeg", false);
    assert_eq!(coded(&picture_of(&again)), before);
    // What is written to is encoded anew.
    let depth = parts.auxiliaries[AuxiliaryKind::Depth as usize].take().unwrap();
    depth.write(&[200; 16 * 8], 0).unwrap();
    parts.auxiliaries[AuxiliaryKind::Depth as usize] = Some(depth);
    let (again, _) = pack(Input::Picture(Arc::new(parts.picture().unwrap())), "image/jpeg", false);
    let after = picture_of(&again);
    assert_ne!(coded(&after)[0], before[0]);
    assert_eq!(coded(&after)[1..], before[1..]);
    assert!(after.auxiliaries[0].pixels.plane(0).0.iter().all(|v| v.abs_diff(200) <= 1));
}

#[test]
fn without_the_place_theirs_goes_too() {
    let exif = {
        let mut metadata = Metadata::default();
        metadata.set_place(Place { latitude: 48.123_456, longitude: 11.5, altitude: None }).unwrap();
        metadata.exif.unwrap()
    };
    let (file, _) = pack(Input::Picture(Arc::new(picture(false))), "image/jpeg", false);
    let mut placed = picture_of(&file);
    for auxiliary in &mut placed.auxiliaries {
        let mut pixels = Pixels::clone(&auxiliary.pixels);
        let jpeg = pixels.coded.take().unwrap();
        let length = (exif.len() as u16 + 8).to_be_bytes();
        let segment = [&[0xff, 0xe1][..], &length, b"Exif\0\0", &exif].concat();
        pixels.coded = Some([&jpeg[..20], &segment, &jpeg[20..]].concat().into());
        auxiliary.pixels = Arc::new(pixels);
    }
    let (file, _) = pack(Input::Picture(Arc::new(placed)), "image/jpeg", false);
    // Degrees of the latitude as EXIF has them.
    let places = |file: &[u8]| file.windows(exif.len() - 8).filter(|bytes| *bytes == &exif[8..]).count();
    assert_eq!(places(&file), 4);
    for keep_gps in [true, false] {
        let mut options = Options::new("image/jpeg", 92).unwrap();
        (options.needs_pack_properties, options.keep_gps) = (true, keep_gps);
        let (again, _) = packing::pack(Input::Source(source(&file)), &options);
        assert_eq!(places(&again), if keep_gps { 4 } else { 0 });
        assert_eq!(picture_of(&again).auxiliaries.len(), 4);
        if let Some(read) = exiftool_bytes(&again, &["-b", "-MPImage2"]) {
            assert_eq!(places(&read), usize::from(keep_gps));
        }
    }
}

#[test]
fn they_are_turned_with_their_main_image() {
    let mut stored = picture(true);
    stored.metadata.set_orientation(Orientation::Right).unwrap();
    let (file, _) = pack(Input::Picture(Arc::new(stored)), "image/jpeg", false);
    let read = picture_of(&file);
    assert_eq!((read.main.width(), read.main.height()), (32, 64));
    let depth = &read.auxiliaries[0].pixels;
    assert_eq!((depth.width(), depth.height()), (8, 16));
    // Brighter to the right becomes brighter to the bottom.
    assert!(depth.row(0, 15)[3] > depth.row(0, 0)[3] + 20);
    let map = &read.gain_map.as_ref().unwrap().pixels;
    assert_eq!((map.width(), map.height()), (10, 20));
    assert!(depth.coded.is_none());
}

#[test]
fn what_has_no_place_is_told() {
    let (file, _) = pack(Input::Picture(Arc::new(picture(false))), "image/jpeg", false);
    for (mime, properties) in [("image/png", true), ("image/webp", true), ("image/jpeg", false)] {
        let (again, report) = pack(Input::Source(source(&file)), mime, properties);
        let dropped = report.warnings.iter().filter(|w| w.code == Code::AuxiliaryDropped).count();
        assert_eq!(dropped, 4, "{mime}: {:?}", report.warnings);
        assert!(picture_of(&again).auxiliaries.is_empty());
    }
}

#[test]
fn planes_are_turned_where_readers_do_not() {
    // Left half dark and blue, right half bright and red: corners tell which way is up.
    let (w, h) = (48u32, 32u32);
    for (format, chroma) in [(PixelFormat::Nv12, 2), (PixelFormat::I422, 1), (PixelFormat::I420, 1)] {
        let (columns, rows) = (w / 2, if format == PixelFormat::I422 { h } else { h / 2 });
        let left = |x: u32, width: u32| x < width / 2;
        let mut bytes: Vec<u8> =
            (0..h).flat_map(|_| (0..w).map(move |x| if left(x, w) { 60 } else { 120 })).collect();
        let plane = |low: u8, high: u8| {
            (0..rows).flat_map(move |_| (0..columns).map(move |x| if left(x, columns) { low } else { high }))
        };
        if chroma == 2 {
            bytes.extend(plane(200, 90).zip(plane(90, 200)).flat_map(|(u, v)| [u, v]));
        } else {
            bytes.extend(plane(200, 90).chain(plane(90, 200)));
        }
        let main = Arc::new(Pixels::from_vec(w, h, format, bytes).unwrap());
        for number in 1..=8u16 {
            let mut turned = Picture::new(main.clone());
            turned.metadata.set_orientation(Orientation::from_exif(number).unwrap()).unwrap();
            let (file, _) = pack(Input::Picture(Arc::new(turned)), "image/png", false);
            let seen = image::load_from_memory(&file).unwrap().to_rgb8();
            assert_eq!(seen.dimensions(), if number < 5 { (w, h) } else { (h, w) });
            let blue = |x: u32, y: u32| {
                let [r, _, b] = seen.get_pixel(x, y).0;
                b > r
            };
            let (right, low) = (seen.width() - 3, seen.height() - 3);
            let corners = [blue(2, 2), blue(right, 2), blue(2, low), blue(right, low)];
            let expected = match number {
                1 | 4 => [true, false, true, false],
                2 | 3 => [false, true, false, true],
                5 | 6 => [true, true, false, false],
                _ => [false, false, true, true],
            };
            assert_eq!(corners, expected, "{format:?} {number}");
        }
    }
}

#[test]
fn images_that_are_appended_without_an_index_are_read() {
    let (main, _) = pack(Input::Pixels(picture(false).main), "image/jpeg", false);
    let jpeg = |size: u32, value: u8| pack(Input::Pixels(gray(size, size, value)), "image/jpeg", false).0;
    let foot = |data: &[u8], name: &[u8; 8]| [data, &(data.len() as u32).to_le_bytes(), name].concat();
    let (edof, fragment) = (jpeg(24, 60), jpeg(16, 120));
    let file = [
        main.clone(),
        foot(&edof, b"edof\0\0\0\0"),
        foot(b"private", b"XtStyle\0"),
        foot(&fragment, b"Fragmnt\0"),
        // Its size in pixels is nowhere.
        foot(&[7; 64], b"DepthP\0\0"),
    ]
    .concat();
    let read_back = picture_of(&file);
    let kinds: Vec<_> = read_back.auxiliaries.iter().map(|a| (a.kind, a.pixels.width())).collect();
    assert_eq!(kinds, [(AuxiliaryKind::Fragment, 16), (AuxiliaryKind::Unrefocus, 24)]);
    assert_eq!(
        coded(&read_back).iter().map(|c| c.to_vec()).collect::<Vec<_>>(),
        [fragment.clone(), edof.clone()]
    );
    // From there they go into files with an index, byte for byte.
    let (again, _) = pack(Input::Source(source(&file)), "image/jpeg", true);
    let mut kept = coded(&picture_of(&again)).iter().map(|c| c.to_vec()).collect::<Vec<_>>();
    kept.sort_by_key(Vec::len);
    let mut expected = [fragment, edof];
    expected.sort_by_key(Vec::len);
    assert_eq!(kept, expected);
    // Lies are no images.
    for cut in (1..file.len() - main.len()).step_by(13) {
        let _ = image_packer::codec::decode::picture(&source(&file[..file.len() - cut]), &Default::default());
    }
    let mut lie = file.clone();
    let at = lie.len() - 12;
    lie[at..at + 4].fill(0xff);
    assert!(picture_of(&lie).auxiliaries.is_empty());
}
