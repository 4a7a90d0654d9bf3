//! Colours: kept with their profile where readers know it, converted and told where not. The expected values are counted
//! here, by formulas of the standards.

mod common;

use std::sync::Arc;

use common::{
    light::{light_to_srgb, srgb_to_light},
    packing::{pack, pack_pixels, pixels_of, shipped},
    tools::exiftool,
};

use image_packer::{
    codec::{self, decode},
    model::{
        color::{Cicp, check_icc},
        options::{ColorPolicy, DynamicRange, Options, Subsampling},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
        report::{Code, Report},
        source::ImageSource,
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const P3: Cicp = Cicp { primaries: 12, ..Cicp::SRGB };

fn options(mime: &str) -> Options {
    let mut options = Options::new(mime, 100).unwrap();
    if mime == "image/jpeg" {
        options.subsampling = Subsampling::Yuv444;
    }
    options
}

fn converted(report: &Report) -> bool {
    report.warnings.iter().any(|warning| warning.code == Code::ColorConverted)
}

fn told(file: &[u8], tag: &str) -> Option<String> {
    exiftool(file, &["-s3", tag]).map(|text| text.trim().to_owned())
}

/// Display P3 to sRGB (CSS Color 4, 10.2, by way of XYZ), clipped.
fn p3_to_srgb(rgb: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(srgb_to_light);
    let linear = [
        1.224_940_2 * r - 0.224_940_2 * g,
        -0.042_056_9 * r + 1.042_056_9 * g,
        -0.019_637_6 * r - 0.078_636_1 * g + 1.098_273_7 * b,
    ];
    linear.map(|v| light_to_srgb(v.clamp(0.0, 1.0)))
}

/// 8 x 8 x 8 colours, each a block of 4 x 4 pixels.
const STEPS: u32 = 8;
fn color_of(x: u32, y: u32) -> [f64; 3] {
    let (block_x, block_y) = (x / 4, y / 4);
    [block_x % STEPS, block_x / STEPS, block_y].map(|i| f64::from(i) / f64::from(STEPS - 1))
}
const WIDTH: u32 = 4 * STEPS * STEPS;
const HEIGHT: u32 = 4 * STEPS;

/// All those colours as 10-bit pixels of these code points.
fn chart(cicp: Cicp) -> Pixels {
    let mut bytes = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let [r, g, b] = color_of(x, y).map(|v| (v * 1023.0).round() as u32);
            bytes.extend((r | g << 10 | b << 20 | 3 << 30).to_ne_bytes());
        }
    }
    let mut pixels = Pixels::from_vec(WIDTH, HEIGHT, PixelFormat::Rgba1010102, bytes).unwrap();
    pixels.alpha = image_packer::model::pixelmap::AlphaType::Opaque;
    pixels.color.cicp = cicp;
    pixels
}

/// Largest difference in codes of 8 bits between what was decoded and a formula.
fn difference(pixels: &Pixels, expected: impl Fn(u32, u32) -> [f64; 3]) -> f64 {
    let mut worst = 0f64;
    for y in (1..pixels.height()).step_by(4) {
        for x in (1..pixels.width()).step_by(4) {
            let group = usize::from(pixels.info().planes[0].bytes);
            let sample = &pixels.row(0, y)[x as usize * group..][..group];
            let value = |c: usize| match pixels.info().format {
                PixelFormat::Rgb888 | PixelFormat::Rgba8888 => f64::from(sample[c]),
                PixelFormat::Rgb161616 => {
                    f64::from(u16::from_ne_bytes([sample[2 * c], sample[2 * c + 1]])) / 257.0
                }
                PixelFormat::Gray8 => f64::from(sample[0]),
                other => panic!("{other:?}"),
            };
            let wanted = expected(x, y);
            worst = (0..3).map(|c| (value(c) - wanted[c] * 255.0).abs()).fold(worst, f64::max);
        }
    }
    worst
}

#[test]
fn wide_gamuts_keep_their_numbers_and_their_name() {
    for (cicp, name) in [(P3, "Display P3"), (Cicp { primaries: 9, ..Cicp::SRGB }, "BT.2020")] {
        for (mime, most) in [("image/jpeg", 3.0), ("image/png", 0.51), ("image/webp", 8.0)] {
            let (file, report) = pack_pixels(chart(cicp), &options(mime));
            assert!(!converted(&report), "{mime} {:?}", report.warnings);
            let found = difference(&pixels_of(&file), color_of);
            assert!(found <= most, "{mime}: {found}");
            if let Some(profile) = told(&file, "-ProfileDescription") {
                assert!(profile.starts_with(name), "{mime}: {profile}");
            }
            // Once more from the file: the same profile, byte for byte.
            let (again, report) =
                pack(Input::Source(Arc::new(ImageSource::from_copy(&file).unwrap())), &options("image/webp"));
            assert!(!converted(&report), "{:?}", report.warnings);
            let profile = |file: &[u8]| pixels_of(file).color.icc;
            if mime == "image/png" {
                assert!(profile(&again).is_some(), "PNG's code points become a profile");
            } else {
                assert!(profile(&file).is_some() && profile(&file) == profile(&again), "{mime}");
            }
        }
    }
}

/// BT.2020's own curve, and sRGB's; Display P3: what no format may take for sRGB.
#[test]
fn deep_wide_gamuts_are_never_taken_for_srgb() {
    let spaces = [P3, Cicp { primaries: 9, ..Cicp::SRGB }, Cicp { primaries: 9, transfer: 14, ..Cicp::SRGB }];
    for format in codec::supported() {
        for cicp in spaces {
            let mime = format.name();
            let (file, report) = pack_pixels(chart(cicp), &options(mime));
            let told = |code: Code| report.warnings.iter().filter(|warning| warning.code == code).count();
            let pixels = pixels_of(&file);
            // The number of bits, or a word about it.
            let deep = matches!(mime, "image/png" | "image/heic" | "image/avif") && pixels.info().bits > 8;
            assert_eq!(told(Code::DepthReduced), usize::from(!deep), "{mime}: {:?}", report.warnings);
            assert!(deep || mime != "image/png", "PNG has 16 bits");
            // The numbers with their space, or numbers of sRGB and a word about it.
            if mime == "image/gif" {
                assert_eq!(told(Code::ColorConverted), 1);
                continue;
            }
            assert_eq!(told(Code::ColorConverted), 0, "{mime}");
            let named = match &pixels.color.icc {
                Some(_) if exiftool(b"", &["-ver"]).is_none() => continue,
                Some(profile) => {
                    let name = exiftool(profile, &["-s3", "-ProfileDescription"]).unwrap();
                    assert!(
                        name.starts_with(if cicp.primaries == 12 { "Display P3" } else { "BT.2020" }),
                        "{name}"
                    );
                    continue;
                }
                None => pixels.color.cicp,
            };
            assert_eq!((named.primaries, named.transfer), (cicp.primaries, cicp.transfer), "{mime}");
        }
    }
}

#[test]
fn srgb_is_counted_where_it_is_asked_for_or_all_that_readers_know() {
    let expected = |x, y| p3_to_srgb(color_of(x, y));
    for (mime, most) in [("image/jpeg", 4.0), ("image/png", 1.0), ("image/webp", 8.0)] {
        let mut options = options(mime);
        options.color = ColorPolicy::Srgb;
        let (file, report) = pack_pixels(chart(P3), &options);
        assert!(converted(&report), "{mime}");
        let pixels = pixels_of(&file);
        assert!(pixels.color.icc.is_none() && pixels.color.cicp.is_srgb());
        let found = difference(&pixels, expected);
        assert!(found <= most, "{mime}: {found}");
        // sRGB under the name of a profile loses nothing but the name.
        let (file, _) = pack_pixels(chart(P3), &self::options("image/webp"));
        let srgb = pack(Input::Source(Arc::new(ImageSource::from_copy(&file).unwrap())), &options);
        assert!(converted(&srgb.1) && pixels_of(&srgb.0).color.icc.is_none(), "{mime}");
    }
    // Readers of GIF know nothing of profiles. Few colours, so that the palette holds them all.
    let mut few =
        Pixels::from_vec(4, 1, PixelFormat::Rgb888, vec![255, 0, 0, 0, 255, 0, 90, 120, 60, 9, 9, 9])
            .unwrap();
    few.color.cicp = P3;
    let (file, report) = pack_pixels(few.clone(), &options("image/gif"));
    assert!(converted(&report));
    let seen = image::load_from_memory(&file).unwrap().to_rgb8();
    for (x, pixel) in few.plane(0).0.as_chunks::<3>().0.iter().enumerate() {
        let wanted = p3_to_srgb(pixel.map(|v| f64::from(v) / 255.0)).map(|v| v * 255.0);
        let is = seen.get_pixel(x as u32, 0).0;
        assert!((0..3).all(|c| (f64::from(is[c]) - wanted[c]).abs() <= 2.0), "{x}: {is:?}, not {wanted:?}");
    }
    // A lossless one keeps the numbers, and their profile for those who look.
    let mut exact = options("image/gif");
    exact.lossless = true;
    let (file, report) = pack_pixels(few, &exact);
    assert!(!converted(&report));
    assert_eq!(image::load_from_memory(&file).unwrap().to_rgb8().get_pixel(2, 0).0, [90, 120, 60]);
    exact.color = ColorPolicy::Srgb;
    let input = Input::Pixels(Arc::new(chart(P3)));
    assert!(Packer::default().pack(input, &exact, &mut Buffer::default(), &Control::default()).is_err());
}

#[test]
fn inks_are_converted_and_that_is_told() {
    for (name, how) in [
        ("cmyk.jpg", "as ideal inks"),
        ("cmyk_icc.jpg", "through their profile"),
        ("cmyk.tif", "as ideal inks"),
        ("cmyk_icc.tif", "through their profile"),
    ] {
        for mime in ["image/jpeg", "image/png"] {
            let (file, report) = pack(Input::Source(shipped(name)), &options(mime));
            let told = report.warnings.iter().find(|warning| warning.code == Code::ColorConverted);
            assert!(told.is_some_and(|told| told.text.ends_with(how)), "{name}: {:?}", report.warnings);
            assert!(pixels_of(&file).color.icc.is_none());
        }
    }
    // By its profile this cyan is red.
    let (jpeg, tiff) = (read_source("cmyk_icc.jpg"), read_source("cmyk_icc.tif"));
    let [r, g, b] = [0, 1, 2].map(|c| tiff.row(0, 8)[8 * 3 + c]);
    assert!(r > 180 && g < 80 && b < 80, "{r} {g} {b}");
    assert!((0..3).all(|c| jpeg.row(0, 8)[8 * 3 + c].abs_diff(tiff.row(0, 8)[8 * 3 + c]) <= 1));
}

fn read_source(name: &str) -> Pixels {
    decode::decode(&shipped(name), 0, &Default::default()).unwrap()
}

/// CIE L*a*b* of D50 from linear light of these primaries: XYZ of D50 by the matrices that ICC profiles of the spaces have.
fn lab_of(rgb: [f64; 3], to_xyz: [[f64; 3]; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(srgb_to_light);
    let xyz = to_xyz.map(|row| row[0] * r + row[1] * g + row[2] * b);
    let f = |v: f64| if v > 216.0 / 24389.0 { v.cbrt() } else { (24389.0 / 27.0 * v + 16.0) / 116.0 };
    let [x, y, z] = [f(xyz[0] / 0.9642), f(xyz[1]), f(xyz[2] / 0.8249)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

const SRGB_XYZ: [[f64; 3]; 3] =
    [[0.436_07, 0.385_15, 0.143_07], [0.222_49, 0.716_87, 0.060_61], [0.013_92, 0.097_08, 0.714_10]];
const P3_XYZ: [[f64; 3]; 3] =
    [[0.515_12, 0.291_98, 0.157_10], [0.241_20, 0.692_25, 0.066_57], [-0.001_05, 0.041_89, 0.784_07]];

/// A TIFF of CIE L*a*b*, 8 or 16 bits, in either byte order.
fn lab_tiff(big: bool, deep: bool, lab: impl Fn(u32, u32) -> [f64; 3]) -> Vec<u8> {
    let short = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    let long = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    let bits: u16 = if deep { 16 } else { 8 };
    let mut samples: Vec<u8> = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let [l, a, b] = lab(x, y);
            if deep {
                samples.extend(short((l * 655.35).round() as u16));
                [a, b].iter().for_each(|v| samples.extend(short((v * 256.0).round() as i16 as u16)));
            } else {
                samples.push((l * 2.55).round() as u8);
                [a, b].iter().for_each(|v| samples.push(v.round().clamp(-128.0, 127.0) as i8 as u8));
            }
        }
    }
    let entries: [(u16, u16, u32, u32); 9] = [
        (256, 4, 1, WIDTH),
        (257, 4, 1, HEIGHT),
        (258, 3, 3, 8 + 2 + 9 * 12 + 4),
        (259, 3, 1, 1),
        (262, 3, 1, 8),
        (273, 4, 1, 8 + 2 + 9 * 12 + 4 + 6),
        (277, 3, 1, 3),
        (278, 4, 1, HEIGHT),
        (279, 4, 1, samples.len() as u32),
    ];
    let mut file = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    file.extend(long(8));
    file.extend(short(entries.len() as u16));
    for (tag, kind, count, value) in entries {
        file.extend([short(tag), short(kind)].concat());
        file.extend(long(count));
        if kind == 3 && count == 1 {
            file.extend([short(value as u16), [0; 2]].concat());
        } else {
            file.extend(long(value));
        }
    }
    file.extend(long(0));
    (0..3).for_each(|_| file.extend(short(bits)));
    file.extend(samples);
    file
}

#[test]
fn lab_becomes_srgb_or_display_p3_as_it_fits() {
    for (big, deep) in [(false, false), (true, false), (false, true), (true, true)] {
        for (matrix, p3) in [(SRGB_XYZ, false), (P3_XYZ, true)] {
            let file = lab_tiff(big, deep, |x, y| lab_of(color_of(x, y).map(|v| 0.05 + 0.9 * v), matrix));
            let pixels = pixels_of(&file);
            assert_eq!(pixels.color.cicp.primaries, if p3 { 12 } else { 1 }, "{big} {deep}");
            let found = difference(&pixels, |x, y| color_of(x, y).map(|v| 0.05 + 0.9 * v));
            // A step of 8-bit a* or b* is several codes of a dark saturated colour.
            let most = if deep { 0.6 } else { 40.0 };
            assert!(found <= most, "{big} {deep} {p3}: {found}");
            let input = Input::Source(Arc::new(ImageSource::from_copy(&file).unwrap()));
            let (jpeg, report) = pack(input, &options("image/jpeg"));
            assert!(converted(&report));
            if let Some(profile) = told(&jpeg, "-ProfileDescription") {
                assert_eq!(profile, if p3 { "Display P3" } else { "" });
            }
        }
    }
}

#[test]
fn gray_keeps_its_tones_whatever_its_profile_is_for() {
    // Profiles of this library's own making, with the curve of BT.709 and linear light, are read out of its files.
    let profile = |format: PixelFormat, transfer: u8| {
        let mut pixels = Pixels::zeroed(8, 8, format).unwrap();
        pixels.color.cicp = Cicp { transfer, primaries: 12, ..Cicp::SRGB };
        pixels_of(&pack_pixels(pixels, &options("image/jpeg")).0).color.icc.unwrap()
    };
    let (gray, rgb) = (profile(PixelFormat::Gray8, 8), profile(PixelFormat::Rgb888, 8));
    assert_eq!((&gray[16..20], &rgb[16..20]), (&b"GRAY"[..], &b"RGB "[..]));
    let ramp = |icc: &Arc<[u8]>| {
        let bytes = (0..16).flat_map(|_| 0..=255u8).collect();
        let mut pixels = Pixels::from_vec(256, 16, PixelFormat::Gray8, bytes).unwrap();
        pixels.color.icc = Some(check_icc(icc).unwrap());
        pixels
    };
    let linear = |x: u32, _| [light_to_srgb(f64::from(x) / 255.0); 3];
    let same = |x: u32, _| [f64::from(x) / 255.0; 3];
    for mime in ["image/jpeg", "image/png"] {
        let (file, report) = pack_pixels(ramp(&gray), &options(mime));
        assert!(!converted(&report), "{mime}");
        assert!(pixels_of(&file).color.icc.as_ref() == Some(&gray), "{mime}");
        assert!(difference(&pixels_of(&file), same) <= 2.0, "{mime}");
    }
    // WebP has colour: the tones of the gray profile are counted into sRGB.
    let (file, report) = pack_pixels(ramp(&gray), &options("image/webp"));
    assert!(converted(&report) && pixels_of(&file).color.icc.is_none());
    let found = difference(&pixels_of(&file), linear);
    assert!(found <= 6.0, "{found}");
    // A profile for RGB goes with PNG and WebP, which then have colour, and not with gray JPEG.
    for (mime, most) in [("image/png", 0.0), ("image/webp", 6.0)] {
        let (file, report) = pack_pixels(ramp(&rgb), &options(mime));
        assert!(!converted(&report), "{mime}");
        assert!(pixels_of(&file).color.icc.as_ref() == Some(&rgb), "{mime}");
        assert!(difference(&pixels_of(&file), same) <= most, "{mime}");
    }
    let error = Packer::default().pack(
        Input::Pixels(Arc::new(ramp(&rgb))),
        &options("image/jpeg"),
        &mut Buffer::default(),
        &Control::default(),
    );
    assert_eq!(error.unwrap_err().kind, image_packer::error::ErrorKind::Icc);
    // Files with such a profile exist; their tones are kept.
    let (jpeg, _) = pack_pixels(ramp(&gray), &options("image/jpeg"));
    let at = jpeg.windows(12).position(|name| name == b"ICC_PROFILE\0").unwrap();
    let length = usize::from(u16::from_be_bytes([jpeg[at - 2], jpeg[at - 1]]));
    let segment = [&(rgb.len() as u16 + 16).to_be_bytes()[..], b"ICC_PROFILE\0\x01\x01", &rgb].concat();
    let wrong = [&jpeg[..at - 2], &segment, &jpeg[at - 2 + length..]].concat();
    let (file, report) =
        pack(Input::Source(Arc::new(ImageSource::from_copy(&wrong).unwrap())), &options("image/jpeg"));
    assert!(converted(&report), "{:?}", report.warnings);
    assert!(pixels_of(&file).color.icc.is_none());
    let found = difference(&pixels_of(&file), linear);
    assert!(found <= 4.0, "{found}");
}

#[test]
fn a_bad_profile_of_a_source_is_dropped_and_told() {
    let (webp, _) = pack_pixels(chart(P3), &options("image/webp"));
    let at = webp.windows(4).position(|name| name == b"acsp").unwrap();
    for (place, bytes) in
        [(at, b"xxxx"), (at - 20, b"CMYK"), (at - 24, b"link"), (at + 92, b"\xff\xff\xff\xff")]
    {
        let mut bad = webp.clone();
        bad[place..place + 4].copy_from_slice(bytes);
        let (file, report) =
            pack(Input::Source(Arc::new(ImageSource::from_copy(&bad).unwrap())), &options("image/png"));
        assert_eq!(report.warnings.iter().filter(|w| w.code == Code::ProfileDropped).count(), 1, "{bytes:?}");
        assert!(pixels_of(&file).color.icc.is_none());
    }
}

#[test]
fn every_format_says_whether_its_readers_know_profiles() {
    for format in codec::supported() {
        assert_eq!(format.features & codec::features::PROFILES == 0, format.name() == "image/gif");
    }
}

/// HEIC has at most 10 bits, AVIF and the others 8 or 10, PNG 16.
#[test]
fn whoever_loses_bits_is_told_so() {
    let deep = (0..16 * 16 * 4).flat_map(|i: u32| ((i * 4099 % 65521) as u16).to_ne_bytes());
    let deep: Vec<u8> = deep.collect();
    for (format, bytes) in
        [(PixelFormat::Gray16, 2), (PixelFormat::Rgb161616, 6), (PixelFormat::Rgba16161616, 8)]
    {
        for to in codec::supported() {
            let pixels = Pixels::from_vec(16, 16, format, deep[..256 * bytes].to_vec()).unwrap();
            let (_, report) = pack_pixels(pixels, &options(to.name()));
            let told = report.warnings.iter().filter(|warning| warning.code == Code::DepthReduced).count();
            assert_eq!(told, usize::from(to.name() != "image/png"), "{} {format:?}", to.name());
        }
    }
}

/// Room for transparency is none: what cameras and screens hand out is opaque.
#[test]
fn only_what_is_not_opaque_is_said_to_be_blended() {
    let pq = Cicp { primaries: 9, transfer: 16, ..Cicp::SRGB };
    let float = |v: f32| v.to_ne_bytes().to_vec();
    let ten = |alpha: u32| (700 | 700 << 10 | 700 << 20 | alpha << 30).to_ne_bytes().to_vec();
    let word = |alpha: u16| [[45000u16, 45000, 45000, alpha].map(u16::to_ne_bytes)].concat().concat();
    let linear = Cicp { transfer: 8, ..pq };
    let cases = [
        (PixelFormat::Rgba8888, Cicp::SRGB, vec![200, 100, 50, 255], vec![200, 100, 50, 254]),
        (PixelFormat::Argb8888, Cicp::SRGB, vec![255, 100, 50, 200], vec![0, 100, 50, 200]),
        (PixelFormat::GrayAlpha88, Cicp::SRGB, vec![9, 255], vec![9, 1]),
        (PixelFormat::Rgba16161616, Cicp::SRGB, word(65535), word(65534)),
        (PixelFormat::Rgba16161616, pq, word(65535), word(30000)),
        (PixelFormat::Rgba1010102, pq, ten(3), ten(2)),
        (
            PixelFormat::RgbaF32,
            linear,
            float(4.0).repeat(3).into_iter().chain(float(1.0)).collect(),
            float(0.5).repeat(4),
        ),
    ];
    for (format, cicp, opaque, clear) in cases {
        for (last, expected) in [(&opaque, 0), (&clear, 1)] {
            let bytes = [opaque.repeat(33 * 33 - 1), last.clone()].concat();
            let mut pixels = Pixels::from_vec(33, 33, format, bytes).unwrap();
            pixels.color.cicp = cicp;
            for (range, most) in
                [(DynamicRange::Auto, 0), (DynamicRange::Sdr, 0), (DynamicRange::Auto, 1 << 20)]
            {
                let mut options = options("image/jpeg");
                (options.dynamic_range, options.max_bytes) = (range, most);
                let (_, report) = pack_pixels(pixels.clone(), &options);
                let told =
                    report.warnings.iter().filter(|warning| warning.code == Code::AlphaBlended).count();
                assert_eq!(told, expected, "{format:?} {cicp:?} {range:?}: {:?}", report.warnings);
            }
        }
    }
}
