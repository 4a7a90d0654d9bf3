//! HDR pixels packed into files with gain maps, taken apart again by decoders and parsers that are not the
//! library's own.

#[path = "../common/mod.rs"]
mod common;

mod bright;
mod gates;
mod hostile;
mod mapping;
mod others;
mod renditions;

use std::sync::Arc;

use common::{
    jpeg::{XMP, body, decode, images, segments},
    light::{Sky, bt709_to_light, nits_to_pq, pq_to_nits, srgb_to_light},
    packing::{pack, pack_pixels, quick},
    tools::exiftool,
};
use image_packer::{
    codec::{
        self,
        gain_map::{iso, xmp},
    },
    limits::Limits,
    model::{
        color::Cicp,
        gain_map::{GainMap, GainMapParams},
        options::{DynamicRange, Options},
        picture::{Auxiliary, AuxiliaryKind, Picture},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
        report::Code,
        source::ImageSource,
    },
    pack::{
        control::Control,
        develop,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const SKY: Sky = Sky { width: 400, height: 300 };

/// The sky, packed.
fn pack_sky(options: &Options) -> Vec<u8> {
    pack_pixels(SKY.pixels(), options).0
}

/// The HDR image of a file with the map applied in full, bilinear between the centres of the map's samples.
fn reconstruct(file: &[u8]) -> Vec<[f64; 3]> {
    let images = images(file);
    let (base, map) = (decode(images[0].1).to_rgb8(), decode(images[1].1).to_rgb8());
    let params = iso::read(body(images[1].1, 0xe2, iso::NAME).unwrap()).unwrap();
    let (width, height) = base.dimensions();
    let sample = |x: u32, y: u32, c: usize| {
        let place = |at: u32, size: u32, of: u32| {
            let at = (f64::from(at) + 0.5) * f64::from(of) / f64::from(size) - 0.5;
            let at = at.clamp(0.0, f64::from(of - 1));
            (at as u32, (at as u32 + 1).min(of - 1), at.fract())
        };
        let (x0, x1, fx) = place(x, width, map.width());
        let (y0, y1, fy) = place(y, height, map.height());
        let at = |x, y| f64::from(map.get_pixel(x, y).0[c]) / 255.0;
        (at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx) * (1.0 - fy)
            + (at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx) * fy
    };
    let mut light = Vec::new();
    for (x, y, pixel) in base.enumerate_pixels() {
        light.push([0, 1, 2].map(|c| {
            let gain = sample(x, y, c).powf(1.0 / f64::from(params.gamma[c]));
            let gain = f64::from(params.min[c]) + f64::from(params.max[c] - params.min[c]) * gain;
            let base = srgb_to_light(f64::from(pixel.0[c]) / 255.0) + f64::from(params.base_offset[c]);
            base * gain.exp2() - f64::from(params.alternate_offset[c])
        }));
    }
    light
}

#[test]
fn the_segments_of_a_jpeg_are_in_the_tested_order() {
    // Every way through the encoder.
    for effort in [1, 2, 5, 9] {
        let mut options = quick("image/jpeg", 90, &[]);
        options.effort = effort;
        check_segments(&pack_sky(&options));
    }
}

fn check_segments(file: &[u8]) {
    let images = images(file);
    assert_eq!(images.iter().map(|i| i.0).collect::<Vec<_>>(), [0x03_0000, 0]);
    let [main, map] = [images[0].1, images[1].1];
    let names: Vec<_> = segments(main)
        .into_iter()
        .filter(|(marker, ..)| (0xe0..=0xef).contains(marker))
        .map(|(_, _, body)| String::from_utf8_lossy(body.split(|&b| b == 0).next().unwrap()).into_owned())
        .collect();
    let expected =
        ["JFIF", "http://ns.adobe.com/xap/1.0/", "ICC_PROFILE", "urn:iso:std:iso:ts:21496:-1", "MPF"];
    assert_eq!(names, expected);
    assert_eq!(body(main, 0xe2, iso::NAME), Some(&[0; 4][..]));

    let packet = std::str::from_utf8(body(main, 0xe1, XMP).unwrap()).unwrap();
    assert!(packet.contains(" hdrgm:Version=\"1.0\""), "the attribute that readers look for");
    assert!(packet.contains(&format!(
        "Item:Semantic=\"GainMap\" Item:Mime=\"image/jpeg\" Item:Length=\"{}\"",
        map.len()
    )));

    let metadata = body(map, 0xe2, iso::NAME).unwrap();
    assert_eq!((metadata.len(), metadata[4] & 0x3f), (61, 0));
    let (a, b) = (iso::read(metadata).unwrap(), xmp::read(body(map, 0xe1, XMP).unwrap()).unwrap());
    for (a, b) in [(a.min, b.min), (a.max, b.max), (a.gamma, b.gamma), (a.base_offset, b.base_offset)] {
        assert!((a[0] - b[0]).abs() < 1e-5);
    }
    assert!((a.alternate_headroom - b.alternate_headroom).abs() < 1e-5);
    let map = decode(map);
    assert_eq!((map.width(), map.height(), map.color()), (200, 150, image::ColorType::L8));
}

#[test]
fn the_image_comes_back_within_the_gates() {
    for (quality, scale, gate) in [(95, "1", 50.0), (90, "2", 46.0), (90, "4", 42.0)] {
        let file = pack_sky(&quick("image/jpeg", quality, &[("gain_map.scale", scale)]));
        let decibels = SKY.decibels(&reconstruct(&file));
        assert!(decibels >= gate, "1/{scale}: {decibels} dB");
    }
}

#[test]
fn quality_and_scale_of_the_map_are_options() {
    let size = |quality: i32, settings: &[(&str, &str)]| {
        let file = pack_sky(&quick("image/jpeg", quality, settings));
        let map = decode(images(&file)[1].1);
        (map.width(), images(&file)[1].1.len())
    };
    assert_eq!((size(94, &[]).0, size(95, &[]).0), (200, 400));
    assert_eq!(size(95, &[("gain_map.scale", "4")]).0, 100);
    assert!(size(90, &[("gain_map.quality", "20")]).1 < size(90, &[]).1);
}

#[test]
fn sdr_is_asked_for_or_all_that_the_format_has() {
    for (mime, range) in [
        ("image/jpeg", DynamicRange::Sdr),
        ("image/png", DynamicRange::Auto),
        ("image/webp", DynamicRange::Auto),
    ] {
        let mut options = quick(mime, 90, &[]);
        options.dynamic_range = range;
        let (file, report) = pack(Input::Pixels(Arc::new(SKY.pixels())), &options);
        assert!(report.warnings.iter().any(|w| w.code == Code::ToneMapped), "{mime}");
        assert!(!file.windows(4).any(|w| w == b"MPF\0"), "{mime}");
        // Diffuse white of an image with a peak of 1300 nits.
        let image = image::load_from_memory(&file).unwrap().to_rgb8();
        let brightest = image.pixels().map(|p| p.0[1]).max().unwrap();
        assert!(brightest >= 240, "{mime}: {brightest}");
        assert!(
            file.windows(12).any(|w| w == b"D\0i\0s\0p\0l\0a\0") || mime == "image/png",
            "{mime}: P3's profile"
        );
    }
}

#[test]
fn a_gain_map_of_the_callers_is_taken_as_given() {
    let base = Pixels::from_vec(32, 16, PixelFormat::Rgb888, vec![90; 32 * 16 * 3]).unwrap();
    let map: Vec<u8> = (0..8 * 4).flat_map(|_| [10, 128, 250]).collect();
    let map = Arc::new(Pixels::from_vec(8, 4, PixelFormat::Rgb888, map).unwrap());
    let params = GainMapParams {
        alternate_headroom: 3.0,
        min: [-0.5, 0.0, 0.25],
        max: [1.0, 2.0, 3.0],
        gamma: [1.0, 0.8, 1.25],
        base_color: false,
        ..GainMapParams::default()
    };
    let mut picture = Picture::new(Arc::new(base));
    picture.gain_map = Some(GainMap { pixels: map, params });
    let depth = Pixels::from_vec(16, 8, PixelFormat::Gray8, vec![77; 128]).unwrap();
    picture.auxiliaries.push(Auxiliary { kind: AuxiliaryKind::Depth, pixels: Arc::new(depth) });
    let picture = Arc::new(picture);

    let (file, report) = pack(Input::Picture(picture.clone()), &quick("image/jpeg", 95, &[]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let images = images(&file);
    assert_eq!(images.iter().map(|i| i.0).collect::<Vec<_>>(), [0x03_0000, 0, 0x02_0002]);
    let metadata = body(images[1].1, 0xe2, iso::NAME).unwrap();
    assert_eq!((metadata.len(), metadata[4]), (141, 0x80));
    let read = iso::read(metadata).unwrap();
    for (a, b) in [(read.min, params.min), (read.max, params.max), (read.gamma, params.gamma)] {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    }
    let decoded = decode(images[1].1).to_rgb8();
    for (value, expected) in decoded.get_pixel(3, 2).0.iter().zip([10, 128, 250]) {
        assert!(value.abs_diff(expected) <= 3, "{value}, expected {expected}");
    }
    assert!(decode(images[2].1).to_luma8().get_pixel(5, 5).0[0].abs_diff(77) <= 1);

    let mut options = quick("image/jpeg", 95, &[]);
    options.dynamic_range = DynamicRange::Sdr;
    let (file, report) = pack(Input::Picture(picture), &options);
    assert!(report.warnings.iter().any(|w| w.code == Code::GainMapDropped));
    assert_eq!(self::images(&file).len(), 2, "the main image and its depth map");
}

#[test]
fn png_keeps_the_signal_where_it_is_asked_for() {
    let mut pixels = SKY.pixels();
    (pixels.light.max_cll, pixels.light.max_fall) = (1300, 200);
    let source = Arc::new(pixels);
    let (file, report) =
        pack(Input::Pixels(source.clone()), &quick("image/png", 90, &[("hdr.form", "signal")]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let chunk = |name: &[u8]| {
        let at = file.windows(4).position(|w| w == name).expect("the chunk");
        &file[at + 4..at + 4 + u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize]
    };
    assert_eq!(chunk(b"cICP"), [12, 16, 0, 1]);
    assert_eq!(chunk(b"cLLI"), [13_000_000u32.to_be_bytes(), 2_000_000u32.to_be_bytes()].concat());
    assert!(file.windows(4).any(|w| w == b"iCCP"), "for readers that know profiles alone");
    let decoded = image::load_from_memory(&file).unwrap().to_rgb16();
    for (i, pixel) in decoded.pixels().enumerate().step_by(101) {
        let word = u32::from_ne_bytes(source.plane(0).0.as_chunks::<4>().0[i]);
        for (c, &value) in pixel.0.iter().enumerate() {
            let code = word >> (10 * c) & 1023;
            assert_eq!((u32::from(value) * 1023 + 32767) / 65535, code);
        }
    }
}

/// A profile that names PQ is as good as the code points, and is written beside them.
#[test]
fn signals_that_a_profile_names_have_code_points_in_files() {
    let mut pixels = SKY.pixels();
    let (png, _) = pack_pixels(pixels.clone(), &quick("image/png", 90, &[("hdr.form", "signal")]));
    let at = png.windows(4).position(|name| name == b"iCCP").unwrap() + 4;
    let packed = png[at..].iter().position(|byte| *byte == 0).unwrap() + at + 2;
    let mut icc = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&png[packed..]), &mut icc).unwrap();
    pixels.color.icc = Some(image_packer::model::color::check_icc(&icc).unwrap());
    pixels.color.cicp = Cicp::SRGB;
    (pixels.light.max_cll, pixels.light.max_fall) = (1300, 200);
    for format in codec::supported().filter(|format| format.features & codec::features::HDR != 0) {
        let mime = format.name();
        let (file, _) = pack_pixels(pixels.clone(), &quick(mime, 90, &[("hdr.form", "signal")]));
        let has = |bytes: &[u8]| file.windows(bytes.len()).any(|window| window == bytes);
        match mime {
            "image/png" => assert!(has(b"cICP\x0c\x10\0\x01") && has(b"iCCP") && has(b"cLLI")),
            _ => assert!(has(b"nclx\0\x0c\0\x10") && has(b"prof") && has(b"clli\x05\x14\0\xc8"), "{mime}"),
        }
    }
}

#[test]
fn a_sources_gain_map_is_kept_and_never_computed_again() {
    let file = pack_sky(&quick("image/jpeg", 95, &[("gain_map.scale", "2")]));
    let source = Arc::new(ImageSource::from_copy(&file).unwrap());
    let (again, report) = pack(Input::Source(source.clone()), &quick("image/jpeg", 95, &[]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let [old, new] = [&file, &again].map(|file| images(file)[1].1);
    let [a, b] = [old, new].map(|map| iso::read(body(map, 0xe2, iso::NAME).unwrap()).unwrap());
    assert_eq!(a, b);
    assert_eq!(decode(old).width(), decode(new).width());
    let decibels = SKY.decibels(&reconstruct(&again));
    assert!(decibels > 45.0, "{decibels} dB");

    // Without its index, by the directory of items; without either, an SDR image.
    let replaced = |from: &[u8], to: &[u8]| {
        let mut file = file.clone();
        let places: Vec<_> = (0..file.len() - from.len()).filter(|&i| file[i..].starts_with(from)).collect();
        places.iter().for_each(|&at| file[at..at + to.len()].copy_from_slice(to));
        file
    };
    let pack_source = |bytes: &[u8]| {
        pack(Input::Source(Arc::new(ImageSource::from_copy(bytes).unwrap())), &quick("image/jpeg", 80, &[])).0
    };
    assert_eq!(images(&pack_source(&replaced(b"MPF\0", b"XXX\0"))).len(), 2);
    let plain = pack_source(&replaced(b"urn:iso", b"urn:xxx"));
    assert_eq!(images(&plain).len(), 2, "by XMP alone");

    let (png, report) = pack(Input::Source(source), &quick("image/png", 80, &[]));
    assert!(report.warnings.iter().any(|w| w.code == Code::GainMapDropped));
    assert_eq!(image::load_from_memory(&png).unwrap().width(), SKY.width);
}
