//! Whole images through the encoder and independent decoders: pixels have to come back exactly.

use std::{process::Command, sync::Arc};

use super::{FORMAT, Simd, encode_with};
use crate::{
    model::{
        options::Options,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pack::{control::Control, plan::Plan, pool::Pool},
    pixels::Rows,
    sink::memory::Buffer,
};

/// A kind of picture; each is made for any number of channels.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Noise,
    Smooth,
    Flat,
    /// This many colours, in runs and repeated rows.
    Colors(u32),
    /// Equal red, green and blue of this many evenly spaced levels.
    Gray(u32),
    /// Noise whose alpha is 255.
    Opaque,
}

const KINDS: [Kind; 15] = [
    Kind::Noise,
    Kind::Smooth,
    Kind::Flat,
    Kind::Colors(2),
    Kind::Colors(3),
    Kind::Colors(5),
    Kind::Colors(16),
    Kind::Colors(17),
    Kind::Colors(256),
    Kind::Colors(257),
    Kind::Gray(2),
    Kind::Gray(4),
    Kind::Gray(16),
    Kind::Gray(256),
    Kind::Opaque,
];

const SIZES: [(u32, u32); 8] = [(1, 1), (1, 9), (9, 1), (3, 5), (17, 33), (64, 3), (31, 64), (5, 400)];

fn hash(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// One pixel as R, G, B, A.
fn pixel(kind: Kind, x: u32, y: u32) -> [u8; 4] {
    match kind {
        Kind::Noise => hash(x ^ y << 16).to_le_bytes(),
        Kind::Smooth => [(x * 3 + y) as u8, (x + y * 2) as u8, ((x * y) >> 5) as u8, 255 - (y & 31) as u8],
        Kind::Flat => [10, 20, 30, 40],
        Kind::Colors(n) => {
            let mut color = hash((hash(x / 3 ^ (y / 5) << 16) % n) + 1).to_le_bytes();
            color[3] |= 0xfe;
            color
        }
        Kind::Gray(n) => {
            let v = (hash(x / 2 ^ (y / 2) << 16) % n * 255 / (n - 1)) as u8;
            [v, v, v, 255]
        }
        Kind::Opaque => {
            let [r, g, b, _] = hash(x ^ y << 16).to_le_bytes();
            [r, g, b, 255]
        }
    }
}

/// A source for the encoder, and its pixels as 16-bit R, G, B, A.
struct Case {
    pixels: Arc<Pixels>,
    expected: Vec<u16>,
}

fn case(format: PixelFormat, kind: Kind, width: u32, height: u32) -> Case {
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for y in 0..height {
        for x in 0..width {
            let [r, g, b, a] = pixel(kind, x, y);
            let (sample, opaque): (&[u8], bool) = match format {
                PixelFormat::Gray8 => (&[r], true),
                PixelFormat::Rgb888 => (&[r, g, b], true),
                PixelFormat::Rgbx8888 => (&[r, g, b, a], true),
                _ => (&[r, g, b, a], false),
            };
            bytes.extend_from_slice(sample);
            let rgb = if sample.len() == 1 { [r, r, r] } else { [r, g, b] };
            expected.extend(rgb.map(|v| u16::from(v) * 257));
            expected.push(if opaque { 65535 } else { u16::from(a) * 257 });
        }
    }
    let mut pixels = Pixels::from_vec(width, height, format, bytes).unwrap();
    pixels.alpha = AlphaType::Unpremultiplied;
    Case { pixels: Arc::new(pixels), expected }
}

fn options(effort: i32, settings: &[(&str, &str)]) -> Options {
    let mut options = Options::new("image/png", 100).unwrap();
    options.set_effort(effort).unwrap();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    options
}

fn encode(case: &Case, options: &Options, threads: usize, simd: Simd) -> Vec<u8> {
    let layout = (FORMAT.layout)(&case.pixels, options).unwrap();
    let rows = Rows::new(case.pixels.clone(), layout, options).unwrap();
    let (pool, control) = (Pool::new(threads), Control::default());
    let mut out = Buffer::default();
    encode_with(
        &Plan {
            rows: &rows,
            options,
            pool: &pool,
            control: &control,
            gain_map: None,
            auxiliaries: &[],
            metadata: &Default::default(),
            notes: &Default::default(),
        },
        simd,
        &mut out,
    )
    .unwrap();
    out.as_slice().to_vec()
}

/// Decodes with another library and compares every pixel.
fn check(case: &Case, png: &[u8], what: &str) {
    let image = image::load_from_memory_with_format(png, image::ImageFormat::Png)
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!((image.width(), image.height()), (case.pixels.width(), case.pixels.height()), "{what}");
    assert!(image.to_rgba16().into_raw() == case.expected, "{what}: pixels differ");
}

const FORMATS: [PixelFormat; 4] =
    [PixelFormat::Gray8, PixelFormat::Rgb888, PixelFormat::Rgbx8888, PixelFormat::Rgba8888];

#[test]
fn every_kind_size_and_effort_comes_back_exactly() {
    for format in FORMATS {
        for kind in KINDS {
            for (index, (width, height)) in SIZES.into_iter().enumerate() {
                let case = case(format, kind, width, height);
                for effort in 1..=10 {
                    // All efforts for some sizes, and some efforts for all sizes.
                    if index == 0 || (effort + index as i32) % 5 == 0 {
                        let png = encode(&case, &options(effort, &[]), 1, Simd::detect());
                        check(
                            &case,
                            &png,
                            &format!("{format:?} {kind:?} {width} x {height} effort {effort}"),
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn bytes_depend_neither_on_threads_nor_on_instructions() {
    // Several chunks each.
    for (format, kind) in [
        (PixelFormat::Rgba8888, Kind::Colors(500)),
        (PixelFormat::Rgb888, Kind::Noise),
        (PixelFormat::Rgb888, Kind::Smooth),
        (PixelFormat::Rgba8888, Kind::Colors(256)),
    ] {
        let case = case(format, kind, 409, 311);
        for effort in [1, 2, 4, 6, 7, 8] {
            let options = options(effort, &[]);
            let first = encode(&case, &options, 1, Simd::Baseline);
            check(&case, &first, &format!("{format:?} {kind:?} effort {effort}"));
            for (threads, &simd) in [1, 3, 16].into_iter().zip(Simd::all().iter().rev().cycle()) {
                let other = encode(&case, &options, threads, simd);
                assert!(first == other, "{kind:?} effort {effort}: {threads} threads, {simd:?}");
            }
        }
    }
}

#[test]
fn every_filter_setting_comes_back_exactly() {
    for filter in ["none", "sub", "up", "average", "paeth"] {
        for format in FORMATS {
            for palette in ["auto", "off"] {
                let case = case(format, Kind::Colors(9), 37, 29);
                let options = options(5, &[("png.filter", filter), ("png.palette", palette)]);
                check(
                    &case,
                    &encode(&case, &options, 1, Simd::detect()),
                    &format!("{format:?} {filter} {palette}"),
                );
            }
        }
    }
}

/// Colour type and depth of the header.
fn header(png: &[u8]) -> (u8, u8) {
    (png[25], png[24])
}

#[test]
fn the_smallest_exact_type_is_chosen() {
    let of = |format, kind, effort| {
        header(&encode(&case(format, kind, 64, 64), &options(effort, &[]), 1, Simd::detect()))
    };
    let rgba = PixelFormat::Rgba8888;
    // Opaque alpha and gray colour go at any effort.
    assert_eq!(of(rgba, Kind::Opaque, 1), (2, 8));
    assert_eq!(of(rgba, Kind::Gray(256), 1), (0, 8));
    assert_eq!(of(rgba, Kind::Noise, 1), (6, 8));
    // Palettes and small depths from effort 3 on.
    assert_eq!(of(rgba, Kind::Gray(2), 3), (0, 1));
    assert_eq!(of(rgba, Kind::Gray(4), 3), (0, 2));
    assert_eq!(of(rgba, Kind::Gray(16), 3), (0, 4));
    assert_eq!(of(PixelFormat::Gray8, Kind::Gray(2), 3), (0, 1));
    assert_eq!(of(rgba, Kind::Colors(2), 3), (3, 1));
    assert_eq!(of(rgba, Kind::Colors(3), 3), (3, 2));
    assert_eq!(of(rgba, Kind::Colors(16), 3), (3, 4));
    assert_eq!(of(rgba, Kind::Colors(17), 3), (3, 8));
    assert_eq!(of(rgba, Kind::Colors(2), 2), (6, 8));
}

#[test]
fn noise_grows_by_next_to_nothing() {
    let case = case(PixelFormat::Rgb888, Kind::Noise, 500, 300);
    for effort in 1..=10 {
        let png = encode(&case, &options(effort, &[]), 1, Simd::detect());
        check(&case, &png, "noise");
        let raw = 500 * 300 * 3;
        assert!(png.len() < raw + raw / 500 + 300, "effort {effort}: {} bytes for {raw}", png.len());
    }
}

#[test]
fn very_wide_and_very_high_images() {
    for (width, height) in [(65_535, 1), (65_535, 3), (1, 65_535), (40_000, 5)] {
        for kind in [Kind::Smooth, Kind::Flat, Kind::Colors(300)] {
            let case = case(PixelFormat::Rgba8888, kind, width, height);
            for effort in [1, 5, 7] {
                check(
                    &case,
                    &encode(&case, &options(effort, &[]), 2, Simd::detect()),
                    &format!("{width} x {height}"),
                );
            }
        }
    }
}

#[test]
fn flat_images_are_tiny() {
    for effort in 1..=10 {
        let case = case(PixelFormat::Rgb888, Kind::Flat, 1000, 300);
        let png = encode(&case, &options(effort, &[]), 1, Simd::detect());
        check(&case, &png, "flat");
        assert!(png.len() < 6000, "effort {effort}: {} bytes", png.len());
    }
}

/// pngcheck knows the specification's rules better than any decoder.
#[test]
fn pngcheck_finds_no_fault() {
    let folder = std::env::temp_dir().join(format!("image_packer_pngcheck_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    for format in FORMATS {
        for kind in [Kind::Noise, Kind::Colors(9), Kind::Colors(200), Kind::Gray(2), Kind::Smooth] {
            for effort in [1, 3, 6, 10] {
                let mut options = options(effort, &[]);
                options.density = [300, 300];
                let case = case(format, kind, 43, 27);
                let mut with_profile = (*case.pixels).clone();
                if effort == 6 && !matches!(format, PixelFormat::Gray8) {
                    with_profile.color.icc = Some(profile().into());
                }
                let case = Case { pixels: Arc::new(with_profile), ..case };
                let path = folder.join(format!("{format:?}_{kind:?}_{effort}.png"));
                std::fs::write(&path, encode(&case, &options, 1, Simd::detect())).unwrap();
                files.push(path);
            }
        }
    }
    let result = Command::new("pngcheck").arg("-v").args(&files).output();
    std::fs::remove_dir_all(&folder).unwrap();
    let output = result.expect("pngcheck is needed for this test: apt-get install pngcheck");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("No errors detected").count(), files.len(), "{text}");
}

/// The header of a display profile for RGB, and an empty tag table.
fn profile() -> Vec<u8> {
    let mut icc = vec![0; 132];
    icc[..4].copy_from_slice(&132u32.to_be_bytes());
    icc[12..24].copy_from_slice(b"mntrRGB XYZ ");
    icc[36..40].copy_from_slice(b"acsp");
    icc
}

#[test]
fn a_profile_is_embedded_and_keeps_gray_pixels_in_colour() {
    let case = case(PixelFormat::Rgb888, Kind::Gray(200), 20, 20);
    let mut pixels = (*case.pixels).clone();
    pixels.color.icc = Some(profile().into());
    let case = Case { pixels: Arc::new(pixels), ..case };
    let png = encode(&case, &options(1, &[]), 1, Simd::detect());
    check(&case, &png, "profile");
    assert_eq!(header(&png), (2, 8));
    let mut decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(&png)).unwrap();
    assert_eq!(image::ImageDecoder::icc_profile(&mut decoder).unwrap(), Some(profile()));
}
