//! HDR pixels packed into files with gain maps, taken apart again by decoders and parsers that are not the
//! library's own.

use std::sync::Arc;

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
        report::{Code, Report},
        source::ImageSource,
    },
    pack::{
        control::Control,
        develop,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const WIDTH: u32 = 400;
const HEIGHT: u32 = 300;
const PQ: Cicp = Cicp { primaries: 9, transfer: 16, matrix: 0, full_range: true };

/// Light of a scene in units of diffuse white, in Display P3: a sky with a sun of 1300 nits over dark ground.
fn scene(x: u32, y: u32) -> [f64; 3] {
    let (u, v) = (f64::from(x) / f64::from(WIDTH), f64::from(y) / f64::from(HEIGHT));
    let sun = (-((u - 0.7).powi(2) + (v - 0.25).powi(2)) * 60.0).exp() * 6.0;
    let wave = 0.5 + 0.5 * (u * 37.0).sin() * (v * 29.0).cos();
    let sky = 0.4 + 0.5 * (1.0 - v);
    let ground = if v > 0.6 { 0.05 + 0.2 * wave } else { 1.0 };
    [(sky * 0.7 + sun) * ground, (sky * 0.8 + sun * 0.9) * ground, (sky + sun * 0.7) * ground]
}

fn nits_to_pq(nits: f64) -> f64 {
    let power = (nits / 10_000.0).powf(0.159_301_757_812_5);
    ((0.835_937_5 + 18.851_562_5 * power) / (1.0 + 18.687_5 * power)).powf(78.843_75)
}

fn pq_to_nits(signal: f64) -> f64 {
    let root = signal.powf(1.0 / 78.843_75);
    10_000.0
        * ((root - 0.835_937_5).max(0.0) / (18.851_562_5 - 18.687_5 * root)).powf(1.0 / 0.159_301_757_812_5)
}

/// The scene as RGBA_1010102, PQ, with P3's primaries.
fn pixels() -> Pixels {
    let mut bytes = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let [r, g, b] = scene(x, y).map(|c| (nits_to_pq(c * 203.0) * 1023.0).round() as u32);
            bytes.extend_from_slice(&(r | g << 10 | b << 20 | 3 << 30).to_ne_bytes());
        }
    }
    let mut pixels = Pixels::from_vec(WIDTH, HEIGHT, PixelFormat::Rgba1010102, bytes).unwrap();
    pixels.color.cicp = Cicp { primaries: 12, ..PQ };
    pixels
}

fn options(mime: &str, quality: i32, settings: &[(&str, &str)]) -> Options {
    let mut options = Options::new(mime, quality).unwrap();
    options.effort = 2;
    settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
    options
}

fn pack(input: Input, options: &Options) -> (Vec<u8>, Report) {
    let mut bytes = Buffer::default();
    let report = Packer::default().pack(input, options, &mut bytes, &Control::default()).unwrap();
    assert_eq!(report.bytes as usize, bytes.as_slice().len());
    (bytes.as_slice().to_vec(), report)
}

fn pack_pixels(options: &Options) -> Vec<u8> {
    pack(Input::Pixels(Arc::new(pixels())), options).0
}

/// `(marker, body)` of the segments up to the first scan, and where each starts.
fn segments(jpeg: &[u8]) -> Vec<(u8, usize, &[u8])> {
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

const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

fn body<'a>(jpeg: &'a [u8], marker: u8, name: &[u8]) -> Option<&'a [u8]> {
    segments(jpeg)
        .into_iter()
        .find_map(|(m, _, body)| if m == marker { body.strip_prefix(name) } else { None })
}

/// The images that the Multi-Picture Format lists: type and bytes. They must fill the file.
fn images(file: &[u8]) -> Vec<(u32, &[u8])> {
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

fn decode(jpeg: &[u8]) -> image::DynamicImage {
    image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap()
}

/// The inverse of BT.709's OETF, which Apple's samples have.
fn bt709_to_light(signal: f64) -> f64 {
    if signal < 0.081 { signal / 4.5 } else { ((signal + 0.099) / 1.099).powf(1.0 / 0.45) }
}

fn srgb_to_light(code: f64) -> f64 {
    if code <= 0.04045 { code / 12.92 } else { ((code + 0.055) / 1.055).powf(2.4) }
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

/// PSNR of PQ signals.
fn decibels(light: &[[f64; 3]]) -> f64 {
    let mut sum = 0.0;
    for (i, pixel) in light.iter().enumerate() {
        let truth = scene(i as u32 % WIDTH, i as u32 / WIDTH);
        for (a, b) in pixel.iter().zip(truth) {
            sum += (nits_to_pq(a.max(0.0) * 203.0) - nits_to_pq(b * 203.0)).powi(2);
        }
    }
    -10.0 * (sum / (3 * light.len()) as f64).log10()
}

#[test]
fn the_segments_of_a_jpeg_are_in_the_tested_order() {
    // Every way through the encoder.
    for effort in [1, 2, 5, 9] {
        let mut options = options("image/jpeg", 90, &[]);
        options.effort = effort;
        check_segments(&pack_pixels(&options));
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
        let file = pack_pixels(&options("image/jpeg", quality, &[("gain_map.scale", scale)]));
        let decibels = decibels(&reconstruct(&file));
        assert!(decibels >= gate, "1/{scale}: {decibels} dB");
    }
}

#[test]
fn quality_and_scale_of_the_map_are_options() {
    let size = |quality: i32, settings: &[(&str, &str)]| {
        let file = pack_pixels(&options("image/jpeg", quality, settings));
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
        let mut options = options(mime, 90, &[]);
        options.dynamic_range = range;
        let (file, report) = pack(Input::Pixels(Arc::new(pixels())), &options);
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

    let (file, report) = pack(Input::Picture(picture.clone()), &options("image/jpeg", 95, &[]));
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

    let mut options = options("image/jpeg", 95, &[]);
    options.dynamic_range = DynamicRange::Sdr;
    let (file, report) = pack(Input::Picture(picture), &options);
    assert!(report.warnings.iter().any(|w| w.code == Code::GainMapDropped));
    assert_eq!(self::images(&file).len(), 2, "the main image and its depth map");
}

#[test]
fn png_keeps_the_signal_where_it_is_asked_for() {
    let mut pixels = pixels();
    (pixels.light.max_cll, pixels.light.max_fall) = (1300, 200);
    let source = Arc::new(pixels);
    let (file, report) =
        pack(Input::Pixels(source.clone()), &options("image/png", 90, &[("hdr.form", "signal")]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let chunk = |name: &[u8]| {
        let at = file.windows(4).position(|w| w == name).expect("the chunk");
        &file[at + 4..at + 4 + u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize]
    };
    assert_eq!(chunk(b"cICP"), [12, 16, 0, 1]);
    assert_eq!(chunk(b"cLLI"), [13_000_000u32.to_be_bytes(), 2_000_000u32.to_be_bytes()].concat());
    assert!(!file.windows(4).any(|w| w == b"iCCP"));
    let decoded = image::load_from_memory(&file).unwrap().to_rgb16();
    for (i, pixel) in decoded.pixels().enumerate().step_by(101) {
        let word = u32::from_ne_bytes(source.plane(0).0.as_chunks::<4>().0[i]);
        for (c, &value) in pixel.0.iter().enumerate() {
            let code = word >> (10 * c) & 1023;
            assert_eq!((u32::from(value) * 1023 + 32767) / 65535, code);
        }
    }
}

#[test]
fn a_sources_gain_map_is_kept_and_never_computed_again() {
    let file = pack_pixels(&options("image/jpeg", 95, &[("gain_map.scale", "2")]));
    let source = Arc::new(ImageSource::from_copy(&file).unwrap());
    let (again, report) = pack(Input::Source(source.clone()), &options("image/jpeg", 95, &[]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let [old, new] = [&file, &again].map(|file| images(file)[1].1);
    let [a, b] = [old, new].map(|map| iso::read(body(map, 0xe2, iso::NAME).unwrap()).unwrap());
    assert_eq!(a, b);
    assert_eq!(decode(old).width(), decode(new).width());
    let decibels = decibels(&reconstruct(&again));
    assert!(decibels > 45.0, "{decibels} dB");

    // Without its index, by the directory of items; without either, an SDR image.
    let replaced = |from: &[u8], to: &[u8]| {
        let mut file = file.clone();
        let places: Vec<_> = (0..file.len() - from.len()).filter(|&i| file[i..].starts_with(from)).collect();
        places.iter().for_each(|&at| file[at..at + to.len()].copy_from_slice(to));
        file
    };
    let pack_source = |bytes: &[u8]| {
        pack(Input::Source(Arc::new(ImageSource::from_copy(bytes).unwrap())), &options("image/jpeg", 80, &[]))
            .0
    };
    assert_eq!(images(&pack_source(&replaced(b"MPF\0", b"XXX\0"))).len(), 2);
    let plain = pack_source(&replaced(b"urn:iso", b"urn:xxx"));
    assert_eq!(images(&plain).len(), 2, "by XMP alone");

    let (png, report) = pack(Input::Source(source), &options("image/png", 80, &[]));
    assert!(report.warnings.iter().any(|w| w.code == Code::GainMapDropped));
    assert_eq!(image::load_from_memory(&png).unwrap().width(), WIDTH);
}

/// An SDR rendition that is not the HDR one scaled: each channel has a curve of its own, as after grading.
fn graded() -> Pixels {
    let code = |light: f64| {
        let light = (light / (1.0 + 0.25 * light)).min(1.0);
        let signal = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        (signal * 255.0).round() as u8
    };
    let places = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    let bytes = places.flat_map(|(x, y)| {
        let [r, g, b] = scene(x, y);
        [code(r * 0.9), code(g), code(b * 1.1)]
    });
    let mut pixels = Pixels::from_vec(WIDTH, HEIGHT, PixelFormat::Rgb888, bytes.collect()).unwrap();
    pixels.color.cicp = Cicp { primaries: 12, ..Cicp::SRGB };
    pixels
}

fn two_renditions(sdr: Pixels) -> Input {
    let mut picture = Picture::new(Arc::new(sdr));
    picture.hdr = Some(Arc::new(pixels()));
    Input::Picture(Arc::new(picture))
}

#[test]
fn two_renditions_become_a_map_of_three_channels() {
    for (quality, scale, gate) in [(95, "1", 50.0), (95, "2", 46.0)] {
        let options = options("image/jpeg", quality, &[("gain_map.scale", scale)]);
        let (file, report) = pack(two_renditions(graded()), &options);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let images = images(&file);
        assert_eq!(decode(images[1].1).color(), image::ColorType::Rgb8);
        assert_eq!(body(images[1].1, 0xe2, iso::NAME).unwrap().len(), 141);
        let (by_iso, by_xmp) = (
            iso::read(body(images[1].1, 0xe2, iso::NAME).unwrap()).unwrap(),
            xmp::read(body(images[1].1, 0xe1, XMP).unwrap()).unwrap(),
        );
        for (a, b) in [(by_iso.min, by_xmp.min), (by_iso.max, by_xmp.max)] {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
        }
        // The base is the caller's.
        let base = decode(images[0].1).to_rgb8();
        let sdr = graded();
        let squares = base.iter().zip(sdr.plane(0).0).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
        let psnr = 20.0 * 255f64.log10() - 10.0 * (squares.sum::<f64>() / base.len() as f64).log10();
        assert!(psnr > 40.0, "the SDR rendition: {psnr} dB");
        let decibels = decibels(&reconstruct(&file));
        println!("two renditions at 1/{scale}: {decibels} dB");
        assert!(decibels >= gate, "1/{scale}: {decibels} dB");
    }
}

#[test]
fn one_channel_is_enough_where_channels_are_scaled_alike() {
    // Our own tone mapping is such a rendition.
    let mut options = options("image/png", 100, &[]);
    options.dynamic_range = DynamicRange::Sdr;
    let (png, _) = pack(Input::Pixels(Arc::new(pixels())), &options);
    let sdr = image::load_from_memory(&png).unwrap().to_rgb8();
    let mut sdr = Pixels::from_vec(WIDTH, HEIGHT, PixelFormat::Rgb888, sdr.into_raw()).unwrap();
    sdr.color.cicp = Cicp { primaries: 12, ..Cicp::SRGB };
    let (file, _) = pack(two_renditions(sdr), &self::options("image/jpeg", 95, &[("gain_map.scale", "1")]));
    assert_eq!(decode(images(&file)[1].1).color(), image::ColorType::L8);
    let decibels = decibels(&reconstruct(&file));
    assert!(decibels >= 50.0, "{decibels} dB");
}

#[test]
fn the_rendition_goes_where_the_format_has_a_place_for_it() {
    let (png, report) = pack(two_renditions(graded()), &options("image/png", 90, &[("hdr.form", "signal")]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(image::load_from_memory(&png).unwrap().color(), image::ColorType::Rgb16);
    let (webp, report) = pack(two_renditions(graded()), &options("image/webp", 90, &[]));
    assert_eq!(report.warnings.iter().map(|w| w.code).collect::<Vec<_>>(), [Code::GainMapDropped]);
    assert_eq!(image::load_from_memory(&webp).unwrap().color(), image::ColorType::Rgb8);
}

#[test]
fn renditions_that_do_not_go_together_are_refused() {
    let refused = |input: Input| {
        let mut bytes = Buffer::default();
        let options = options("image/jpeg", 90, &[]);
        Packer::default().pack(input, &options, &mut bytes, &Control::default()).unwrap_err().message
    };
    let small = Pixels::from_vec(8, 8, PixelFormat::Rgb888, vec![0; 192]).unwrap();
    assert!(refused(two_renditions(small)).contains("400 x 300 pixels, the main image 8 x 8"));
    assert!(refused(two_renditions(pixels())).contains("is HDR itself"));
    let mut picture = Picture::new(Arc::new(graded()));
    picture.hdr = Some(Arc::new(graded()));
    assert!(refused(Input::Picture(Arc::new(picture))).contains("RGB_888, is not HDR"));
}

fn half(bits: [u8; 2]) -> f64 {
    let bits = u32::from(u16::from_ne_bytes(bits));
    f64::from(f32::from_bits(bits << 13)) * 2f64.powi(112)
}

/// Light of BT.2020 in Display P3 (H.273's chromaticities, both with white D65).
fn to_p3([r, g, b]: [f64; 3]) -> [f64; 3] {
    [
        1.343_578_25 * r - 0.282_179_67 * g - 0.061_398_58 * b,
        -0.065_297_45 * r + 1.075_787_93 * g - 0.010_490_46 * b,
        0.002_821_78 * r - 0.019_598_49 * g + 1.016_776_71 * b,
    ]
}

#[test]
fn a_source_with_a_gain_map_is_decoded_to_its_hdr_rendition() {
    let file = pack_pixels(&options("image/jpeg", 95, &[("gain_map.scale", "2")]));
    let source = ImageSource::from_copy(&file).unwrap();
    let picture = codec::decode::picture(&source, &Limits::default()).unwrap();
    let headroom = picture.gain_map.as_ref().unwrap().params.alternate_headroom;
    let truth = reconstruct(&file);
    let light = |headroom: f32, format: PixelFormat| -> Vec<[f64; 3]> {
        let pixels = develop::bright(&picture, headroom, format).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (WIDTH, HEIGHT));
        assert_eq!(pixels.color.cicp.primaries, 9);
        assert!(pixels.color.icc.is_none());
        let bytes = pixels.plane(0).0;
        let transfer = pixels.color.cicp.transfer;
        let light = |signal: f64| if transfer == 8 { signal } else { pq_to_nits(signal) / 203.0 };
        let pixel = |i: usize| -> [f64; 3] {
            [0, 1, 2].map(|c| match format {
                PixelFormat::RgbaF16 => half(bytes.as_chunks::<2>().0[4 * i + c]),
                PixelFormat::RgbaF32 => f64::from(f32::from_ne_bytes(bytes.as_chunks::<4>().0[4 * i + c])),
                PixelFormat::Rgba1010102 => {
                    let word = u32::from_ne_bytes(bytes.as_chunks::<4>().0[i]);
                    light(f64::from(word >> (10 * c) & 1023) / 1023.0)
                }
                PixelFormat::Rgb161616 => {
                    light(f64::from(u16::from_ne_bytes(bytes.as_chunks::<2>().0[3 * i + c])) / 65535.0)
                }
                _ => light(f64::from(u16::from_ne_bytes(bytes.as_chunks::<2>().0[4 * i + c])) / 65535.0),
            })
        };
        (0..truth.len()).map(|i| to_p3(pixel(i))).collect()
    };
    use PixelFormat::*;
    for (format, gate) in
        [(RgbaF32, 70.0), (RgbaF16, 70.0), (Rgb161616, 70.0), (Rgba16161616, 70.0), (Rgba1010102, 62.0)]
    {
        let light = light(f32::INFINITY, format);
        let squares = light
            .iter()
            .flatten()
            .zip(truth.iter().flatten())
            .map(|(a, b)| (nits_to_pq(a.max(0.0) * 203.0) - nits_to_pq(b.max(0.0) * 203.0)).powi(2));
        let psnr = -10.0 * (squares.sum::<f64>() / (3 * light.len()) as f64).log10();
        println!("{format:?}: {psnr} dB of the reference");
        assert!(psnr > gate, "{format:?}: {psnr} dB of the reference");
    }
    // The headroom law: SDR at 0, the peak doubles with every stop until the map is applied in full.
    let peak = |stops: f32| light(stops, RgbaF32).into_iter().flatten().fold(0.0, f64::max);
    assert!((peak(0.0) - 1.0).abs() < 0.01, "{}", peak(0.0));
    for stops in [1.0, 2.0] {
        let ratio = peak(stops) / f64::from(stops).exp2();
        assert!((ratio - 1.0).abs() < 0.02, "at {stops} stops {ratio}");
    }
    assert!((peak(20.0) / f64::from(headroom).exp2() - 1.0).abs() < 0.02);
    assert_eq!(peak(20.0), peak(f32::INFINITY));
    for refused in [-0.5, f32::NAN] {
        assert!(develop::bright(&picture, refused, RgbaF16).is_err());
    }
    assert!(develop::bright(&picture, 1.0, Rgba8888).is_err());
    assert!(develop::bright(&Picture::new(picture.main.clone()), 1.0, RgbaF16).is_err());
}

#[test]
fn a_source_with_a_gain_map_becomes_an_hdr_png_where_that_is_asked_for() {
    let file = pack_pixels(&options("image/jpeg", 95, &[("gain_map.scale", "1")]));
    let source = Arc::new(ImageSource::from_copy(&file).unwrap());
    let (png, report) = pack(Input::Source(source), &options("image/png", 90, &[("hdr.form", "signal")]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let at = png.windows(4).position(|w| w == b"cICP").expect("cICP");
    assert_eq!(png[at + 4..at + 8], [9, 16, 0, 1]);
    let image = image::load_from_memory(&png).unwrap().to_rgb16();
    let light: Vec<_> =
        image.pixels().map(|p| to_p3(p.0.map(|v| pq_to_nits(f64::from(v) / 65535.0) / 203.0))).collect();
    let decibels = decibels(&light);
    println!("PNG of a gain-mapped source: {decibels} dB");
    assert!(decibels >= 49.0, "{decibels} dB");
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

/// A JPEG without application segments.
fn bare(jpeg: &[u8]) -> Vec<u8> {
    let first = segments(jpeg).into_iter().find(|(marker, ..)| !(0xe0..=0xef).contains(marker)).unwrap();
    [&jpeg[..2], &jpeg[first.1..]].concat()
}

/// Two JPEG images and the index of the Multi-Picture Format that names the second, with further segments in each.
fn pair(main: &[u8], of_main: &[u8], map: &[u8], of_map: &[u8]) -> Vec<u8> {
    let (main, map) = (bare(main), [&[0xff, 0xd8], of_map, &bare(map)[2..]].concat());
    const INDEX: usize = 4 + 8 + 2 + 3 * 12 + 4 + 32;
    let size = main.len() + of_main.len() + INDEX + 4;
    let origin = 2 + of_main.len() + 8;
    let mut index = b"MPF\0MM\0\x2a\0\0\0\x08\0\x03".to_vec();
    index.extend_from_slice(b"\xb0\0\0\x07\0\0\0\x040100\xb0\x01\0\x04\0\0\0\x01\0\0\0\x02");
    index.extend_from_slice(b"\xb0\x02\0\x07\0\0\0\x20\0\0\0\x32\0\0\0\0");
    for (attribute, size, offset) in [(0x03_0000, size, 0), (0, map.len(), size - origin)] {
        for value in [attribute, size as u32, offset as u32, 0] {
            index.extend_from_slice(&value.to_be_bytes());
        }
    }
    [&[0xff, 0xd8], of_main, &segment(0xe2, &index), &main[2..], &map].concat()
}

/// EXIF with nothing but Apple's maker note: HDRHeadroom 1.5, HDRGain 0.01, which make 2.3 stops.
fn apples_exif() -> Vec<u8> {
    let mut note = b"Apple iOS\0\0\x01MM\0\x02".to_vec();
    note.extend_from_slice(b"\0\x21\0\x0a\0\0\0\x01\0\0\0\x28\0\x30\0\x0a\0\0\0\x01\0\0\0\x30");
    [3u32, 2, 1, 100].iter().for_each(|v| note.extend_from_slice(&v.to_be_bytes()));
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0".to_vec();
    tiff.extend_from_slice(b"\0\x01\x92\x7c\0\x07");
    tiff.extend_from_slice(&(note.len() as u32).to_be_bytes());
    tiff.extend_from_slice(b"\0\0\0\x2c\0\0\0\0");
    segment(0xe1, &[b"Exif\0\0", &tiff[..], &note].concat())
}

#[test]
fn apples_gain_maps_are_read_and_moved() {
    let mut options = options("image/jpeg", 97, &[]);
    options.dynamic_range = DynamicRange::Sdr;
    let (base, _) = pack(Input::Pixels(Arc::new(pixels())), &options);
    let samples = (0..100 * 75).map(|i| ((i % 100) * 255 / 99) as u8).collect();
    let map = Pixels::from_vec(100, 75, PixelFormat::Gray8, samples).unwrap();
    let (map, _) = pack(Input::Pixels(Arc::new(map)), &options);
    let xmp = |version: u32, more: &str| {
        let space = "http://ns.apple.com/HDRGainMap/1.0/";
        let description = format!(
            "<rdf:Description xmlns:HDRGainMap=\"{space}\" xmlns:apdi=\"http://ns.apple.com/pixeldatainfo/1.0/\">\
             <apdi:AuxiliaryImageType>urn:com:apple:photo:2020:aux:hdrgainmap</apdi:AuxiliaryImageType>\
             <HDRGainMap:HDRGainMapVersion>{version}</HDRGainMap:HDRGainMapVersion>{more}</rdf:Description>"
        );
        segment(0xe1, &[XMP, xmp::packet(&description).as_bytes()].concat())
    };
    let headroom = "<HDRGainMap:HDRGainMapHeadroom>4.0</HDRGainMap:HDRGainMapHeadroom>";
    let newer = pair(&base, &[], &map, &xmp(131_072, headroom));
    let older = pair(&base, &apples_exif(), &map, &xmp(65_536, ""));
    if let Ok(folder) = std::env::var("HDR_TEST_FILES") {
        std::fs::write(format!("{folder}/apple.jpg"), &newer).unwrap();
    }
    let (light, samples) = (decode(&base).to_rgb8(), decode(&map).to_luma8());
    for (file, stops) in [(&newer, 2.0f64), (&older, 2.3)] {
        let source = Arc::new(ImageSource::from_copy(file).unwrap());
        let (again, report) = pack(Input::Source(source.clone()), &self::options("image/jpeg", 100, &[]));
        assert!(report.warnings.iter().all(|w| w.code != Code::GainMapDropped), "{:?}", report.warnings);
        let images = images(&again);
        let params = iso::read(body(images[1].1, 0xe2, iso::NAME).unwrap()).unwrap();
        assert!((f64::from(params.alternate_headroom) - stops).abs() < 1e-3, "{params:?}");
        // As Apple's documentation has it: base x (1 + (headroom - 1) x sample), the sample with BT.709's transfer.
        let moved = decode(images[1].1).to_luma8();
        assert_eq!(moved.dimensions(), (100, 75));
        for (old, new) in samples.pixels().zip(moved.pixels()) {
            let gain = 1.0 + (stops.exp2() - 1.0) * bt709_to_light(f64::from(old.0[0]) / 255.0);
            let new = (f64::from(params.max[0]) * f64::from(new.0[0]) / 255.0).exp2();
            assert!((new / gain - 1.0).abs() < 0.03, "{gain} became {new}");
        }
        let picture = codec::decode::picture(&source, &Limits::default()).unwrap();
        let bright = develop::bright(&picture, f32::INFINITY, PixelFormat::RgbaF32).unwrap();
        for (i, pixel) in light.pixels().enumerate().filter(|(i, _)| i % 400 % 40 == 20) {
            let sample = f64::from((i as u32 % 400 / 4) * 255 / 99) / 255.0;
            let gain = 1.0 + (stops.exp2() - 1.0) * bt709_to_light(sample);
            let at =
                |c: usize| f64::from(f32::from_ne_bytes(bright.plane(0).0.as_chunks::<4>().0[4 * i + c]));
            let [r, ..] = [at(0), at(1), at(2)];
            // The base's profile is gone: it is sRGB now, whose red weighs 0.6274, 0.3293 and 0.0433 in BT.2020.
            let base = pixel.0.map(|v| srgb_to_light(f64::from(v) / 255.0));
            let red = (0.6274 * base[0] + 0.3293 * base[1] + 0.0433 * base[2]) * gain;
            assert!((r / red - 1.0).abs() < 0.05, "{i}: {r}, expected {red}");
        }
    }
    // A map that does not say how bright is none.
    let mute = pair(&base, &[], &map, &xmp(65_536, ""));
    let source = Arc::new(ImageSource::from_copy(&mute).unwrap());
    let (again, _) = pack(Input::Source(source), &self::options("image/jpeg", 90, &[]));
    assert!(body(&again, 0xe2, b"MPF\0").is_none());
}

#[test]
fn xmp_of_the_callers_and_that_of_the_gain_map_share_a_packet() {
    let user = "<?xpacket begin=\"\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
        <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
        <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
        xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" hdrgm:Version=\"1.0\" \
        xmlns:Container=\"http://ns.google.com/photos/1.0/container/\" \
        xmlns:Item=\"http://ns.google.com/photos/1.0/container/item/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
        xmp:Rating=\"4\"><dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">Harbour</rdf:li></rdf:Alt></dc:title>\
        <Container:Directory><rdf:Seq><rdf:li rdf:parseType=\"Resource\"><Container:Item Item:Semantic=\"Primary\" \
        Item:Mime=\"image/jpeg\"/></rdf:li><rdf:li rdf:parseType=\"Resource\"><Container:Item \
        Item:Semantic=\"GainMap\" Item:Mime=\"image/jpeg\" Item:Length=\"99\"/></rdf:li></rdf:Seq>\
        </Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>";
    let mut picture = Picture::new(Arc::new(pixels()));
    picture.metadata.xmp = Some(user.as_bytes().into());
    let mut options = options("image/jpeg", 90, &[]);
    options.needs_pack_properties = true;
    let (mut file, _) = pack(Input::Picture(Arc::new(picture)), &options);
    // Once more from the file: nothing piles up.
    for _ in 0..2 {
        let images = images(&file);
        let packet = std::str::from_utf8(body(images[0].1, 0xe1, XMP).unwrap()).unwrap();
        for once in
            ["hdrgm:Version=", "<Container:Directory", "Item:Semantic=\"GainMap\"", "Harbour", "Rating=\"4\""]
        {
            assert_eq!(packet.matches(once).count(), 1, "{once} in {packet}");
        }
        assert!(packet.contains(&format!("Item:Length=\"{}\"", images[1].1.len())));
        exiftool(&file);
        let source = Arc::new(ImageSource::from_copy(&file).unwrap());
        file = pack(Input::Source(source), &options).0;
    }
}

/// What another reader makes of it, where it is installed.
fn exiftool(file: &[u8]) {
    let path = std::env::temp_dir().join(format!("image_packer_hdr_{}.jpg", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new("exiftool").args(arguments).arg(&path).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let seen = run(&[
        "-a",
        "-s",
        "-G1",
        "-Title",
        "-Rating",
        "-NumberOfImages",
        "-DirectoryItemSemantic",
        "-validate",
        "-warning",
    ]);
    std::fs::remove_file(&path).unwrap();
    let Some(seen) = seen else { return eprintln!("exiftool is not here: its part is left out") };
    for (tag, values) in [
        ("Title", &["Harbour"][..]),
        ("Rating", &["4"]),
        ("NumberOfImages", &["2"]),
        ("DirectoryItemSemantic", &["Primary", "GainMap"]),
    ] {
        let lines: Vec<_> = seen.lines().filter(|line| line.contains(&format!(" {tag} "))).collect();
        assert_eq!(lines.len(), values.len(), "{tag}: {seen}");
        assert!(lines.iter().zip(values).all(|(line, value)| line.ends_with(value)), "{tag}: {seen}");
    }
    assert!(!seen.contains("Duplicate"), "{seen}");
}

/// Patches of 32 x 32 next to each other, as linear light in Display P3's primaries.
fn patches(colors: &[[f32; 3]]) -> Arc<Pixels> {
    let mut bytes = Vec::new();
    for _ in 0..32 {
        for [r, g, b] in colors {
            (0..32).for_each(|_| bytes.extend([*r, *g, *b, 1.0].into_iter().flat_map(f32::to_ne_bytes)));
        }
    }
    let mut pixels = Pixels::from_vec(32 * colors.len() as u32, 32, PixelFormat::RgbaF32, bytes).unwrap();
    pixels.color.cicp = Cicp { primaries: 12, transfer: 8, matrix: 0, full_range: true };
    Arc::new(pixels)
}

/// Codes of the patches in the SDR image, and whether it says that it is Display P3.
fn base_of(pixels: &Arc<Pixels>, settings: &[(&str, &str)]) -> (Vec<[u8; 3]>, bool) {
    let mut options = options("image/png", 90, settings);
    options.dynamic_range = DynamicRange::Sdr;
    let (png, _) = pack(Input::Pixels(pixels.clone()), &options);
    let image = image::load_from_memory(&png).unwrap().to_rgb8();
    let codes = (0..image.width() / 32).map(|i| image.get_pixel(32 * i + 16, 16).0).collect();
    (codes, png.windows(4).any(|w| w == b"iCCP"))
}

fn near(seen: [u8; 3], expected: [u8; 3]) -> bool {
    seen.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2)
}

#[test]
fn tone_mappers_are_told_apart_by_the_sdr_image() {
    // 100, 203 and 1000 nits.
    let pixels = patches(&[[100.0 / 203.0; 3], [1.0; 3], [1000.0 / 203.0; 3]]);
    for (mapper, expected) in [
        ("bt2390", [186, 229, 255]),
        ("clip", [186, 255, 255]),
        ("bt2446a", [131, 171, 255]),
        ("reinhard", [157, 191, 255]),
    ] {
        let (codes, _) = base_of(&pixels, &[("hdr.tone_mapper", mapper)]);
        for (seen, expected) in codes.into_iter().zip(expected) {
            assert!(near(seen, [expected; 3]), "{mapper}: {seen:?}, expected {expected}");
        }
        // Its map undoes each.
        let file = pack(
            Input::Pixels(pixels.clone()),
            &options("image/jpeg", 100, &[("hdr.tone_mapper", mapper), ("gain_map.scale", "1")]),
        );
        let light = reconstruct(&file.0);
        for (i, expected) in [100.0 / 203.0, 1.0, 1000.0 / 203.0].into_iter().enumerate() {
            let seen = light[96 * 16 + 32 * i + 16][1];
            // Nothing but clipping loses light: none here is brighter than the peak.
            assert!((seen / expected - 1.0).abs() < 0.02, "{mapper}: {expected} came back as {seen}");
        }
    }
}

#[test]
fn the_base_gamut_is_that_of_the_sdr_image() {
    let pixels = patches(&[[0.4, 0.2, 0.1], [3.0; 3]]);
    let code = |light: f64| {
        let signal = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        (signal * 255.0).round() as u8
    };
    let (p3, is_p3) = base_of(&pixels, &[("hdr.base_gamut", "p3")]);
    assert!(near(p3[0], [0.4, 0.2, 0.1].map(code)) && is_p3, "{p3:?}");
    assert_eq!(base_of(&pixels, &[]), (p3, true), "sources that are wider than sRGB");
    // Display P3 in sRGB's primaries.
    let (srgb, is_p3) = base_of(&pixels, &[("hdr.base_gamut", "srgb")]);
    let expected = [1.224_94 * 0.4 - 0.224_94 * 0.2, -0.042_06 * 0.4 + 1.042_06 * 0.2, 0.086_25].map(code);
    assert!(near(srgb[0], expected) && !is_p3, "{srgb:?}, expected {expected:?}");
}

#[test]
fn linear_white_is_what_one_means() {
    // 80 nits and 1000 nits where 1.0 is 80, as in scRGB.
    let pixels = patches(&[[1.0; 3], [12.5; 3]]);
    let headroom = |settings: &[(&str, &str)]| {
        let (file, _) = pack(Input::Pixels(pixels.clone()), &options("image/jpeg", 90, settings));
        iso::read(body(images(&file)[1].1, 0xe2, iso::NAME).unwrap()).unwrap().alternate_headroom
    };
    assert!((headroom(&[("hdr.linear_white", "80")]) - (1000f32 / 203.0).log2()).abs() < 0.05);
    assert!((headroom(&[]) - 12.5f32.log2()).abs() < 0.05);
    let (codes, _) = base_of(&pixels, &[("hdr.linear_white", "80")]);
    // Below the knee of a peak of 1000 nits: sRGB's code of 80 / 203.
    assert!(near(codes[0], [168; 3]), "{codes:?}");
}
