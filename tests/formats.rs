//! Every pixel layout into every format, through the C functions: strides, odd sizes, alpha types. What comes out is
//! decoded by decoders that share no code with the encoders, and compared with the scene that went in.

mod common;

#[cfg(feature = "heif")]
use std::process::Command;

#[cfg(feature = "heif")]
use common::tools::scratch;
use common::{
    layouts::{self, Alpha, Layout, Scene, encode_pixels, formats},
    through_c::{self, Pack},
};

type Rgba16 = image::ImageBuffer<image::Rgba<u16>, Vec<u16>>;

const SIZES: [(u32, u32); 6] = [(1, 1), (2, 1), (1, 3), (7, 5), (33, 17), (64, 48)];

/// Largest and mean difference of 16-bit components over all pixels.
fn differences(got: &Rgba16, wanted: &[[f64; 4]]) -> (f64, f64) {
    let (mut largest, mut sum) = (0f64, 0f64);
    for (pixel, wanted) in got.pixels().zip(wanted) {
        for c in 0..4 {
            let difference = (f64::from(pixel.0[c]) - wanted[c] * 65535.0).abs();
            largest = largest.max(difference);
            sum += difference;
        }
    }
    (largest, sum / (wanted.len() * 4) as f64)
}

fn decode(bytes: &[u8], what: &str) -> Rgba16 {
    image::load_from_memory(bytes).unwrap_or_else(|e| panic!("{what}: {e}")).to_rgba16()
}

#[test]
fn lossless_formats_keep_every_layout() {
    for mime in ["image/png", "image/webp"] {
        let webp = mime == "image/webp";
        for format in formats() {
            for alpha in format.alpha_types() {
                for (width, height) in SIZES {
                    for padding in [0, 13] {
                        let scene = Scene::new(width, height);
                        let (bytes, stride) = encode_pixels(&scene, format, alpha, padding);
                        let what = format!("{} {alpha:?} {width}x{height}+{padding} {mime}", format.name);
                        let pack = Pack { lossless: !format.yuv, ..Pack::new(mime, 100) };
                        let out = pack.run(width, height, format, alpha, &bytes, stride);
                        if webp && format.bits > 8 && !format.yuv {
                            // Lossless is exact or an error, and WebP has 8 bits.
                            assert!(out.unwrap_err().starts_with("401:"), "{what}");
                            continue;
                        }
                        let out = out.unwrap_or_else(|e| panic!("{what}: {e}"));
                        let got = decode(&out, &what);
                        assert_eq!(got.dimensions(), (width, height), "{what}");
                        let wanted = scene.seen_through(format, alpha);
                        let (largest, mean) = differences(&got, &wanted);
                        // What the layout itself, and eight bits in WebP, can resolve.
                        let step = 65535.0 / 255.0;
                        let allowed = if format.yuv {
                            // Subsampled chroma, and WebP's limited-range 4:2:0.
                            if webp { 24.0 * step } else { 6.0 * step }
                        } else if format.float || (format.bits > 8 && alpha == Alpha::Premultiplied) {
                            // Halves resolve 11 bits; undoing premultiplied low alpha multiplies the rounding.
                            if format.bits == 10 { 1.01 * 65535.0 / 3.0 } else { 48.0 }
                        } else if alpha == Alpha::Premultiplied {
                            // The scene's alpha is at least 1/4, so a rounded component is off by at most 2 codes.
                            2.01 * step
                        } else {
                            0.51
                        };
                        assert!(
                            largest <= allowed,
                            "{what}: off by {largest:.1} of 65535 ({allowed:.1} allowed)"
                        );
                        assert!(mean <= allowed / 2.0 + 0.51, "{what}: mean {mean:.1}");
                    }
                }
            }
        }
    }
}

/// PSNR in dB of a lossy image to the scene that went in, seen through a layout.
fn psnr(got: &Rgba16, wanted: &[[f64; 4]]) -> f64 {
    let mut squares = 0.0;
    for (pixel, wanted) in got.pixels().zip(wanted) {
        // Where alpha hides a pixel, its colour is free.
        let weight = wanted[3];
        for c in 0..3 {
            squares += ((f64::from(pixel.0[c]) / 65535.0 - wanted[c]) * weight).powi(2);
        }
        squares += (f64::from(pixel.0[3]) / 65535.0 - wanted[3]).powi(2);
    }
    -10.0 * (squares / (wanted.len() * 4) as f64).max(1e-12).log10()
}

/// A layout into a lossy format at quality 95, decoded and compared.
fn shows(
    mime: &str,
    decode: impl Fn(&[u8], &str) -> Rgba16,
    format: Layout,
    alpha: Alpha,
    (width, height, padding): (u32, u32, usize),
    floor: f64,
) {
    let scene = Scene::new(width, height);
    let (bytes, stride) = encode_pixels(&scene, format, alpha, padding);
    let what = format!("{} {alpha:?} {width}x{height}+{padding} {mime}", format.name);
    // Full chroma where the format has it.
    let subsampling = if mime == "image/webp" { 0 } else { 444 };
    let pack = Pack { background: 0x40_80_c0, subsampling, ..Pack::new(mime, 95) };
    let out =
        pack.run(width, height, format, alpha, &bytes, stride).unwrap_or_else(|e| panic!("{what}: {e}"));
    let got = decode(&out, &what);
    assert_eq!(got.dimensions(), (width, height), "{what}");
    let mut wanted = scene.seen_through(format, alpha);
    if mime == "image/jpeg" {
        layouts::blend(&mut wanted, [64.0 / 255.0, 128.0 / 255.0, 192.0 / 255.0]);
    }
    let psnr = psnr(&got, &wanted);
    assert!(psnr >= floor, "{what}: {psnr:.1} dB, {floor} wanted");
}

#[test]
fn lossy_formats_show_every_layout() {
    for (mime, floor) in [("image/jpeg", 38.0), ("image/webp", 33.0)] {
        for format in formats() {
            for alpha in format.alpha_types() {
                for size in [(1, 1, 0), (33, 17, 13), (64, 48, 0), (64, 48, 32)] {
                    shows(mime, decode, format, alpha, size, floor);
                }
            }
        }
    }
}

/// Decodes HEIC or AVIF with libheif's own program, which hands its own conversion to RGB over as a PNG.
#[cfg(feature = "heif")]
fn decode_heif(bytes: &[u8], what: &str) -> Rgba16 {
    let (coded, plain) = (scratch(".heif"), scratch(".png"));
    std::fs::write(&coded, bytes).unwrap();
    let run = |program: &str| Command::new(program).args([&coded, &plain]).output();
    // Its name since libheif 1.18, and before.
    let output = run("heif-dec").or_else(|_| run("heif-convert")).expect("libheif-examples is installed");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    let image = decode(&std::fs::read(&plain).unwrap(), what);
    for path in [coded, plain] {
        std::fs::remove_file(path).unwrap();
    }
    image
}

#[cfg(feature = "heif")]
#[test]
fn heic_shows_every_layout() {
    heif_shows_every_layout("image/heic");
}

#[cfg(feature = "heif")]
#[test]
fn avif_shows_every_layout() {
    heif_shows_every_layout("image/avif");
}

#[cfg(feature = "heif")]
fn heif_shows_every_layout(mime: &str) {
    if !through_c::supported().iter().any(|format| format == mime) {
        eprintln!("NOT TESTED: this machine's libheif does not write {mime}"); // tests/heif.rs fails then
        return;
    }
    for format in formats() {
        for alpha in format.alpha_types() {
            for size in [(33, 17, 13), (64, 48, 0)] {
                shows(mime, decode_heif, format, alpha, size, 38.0);
            }
        }
    }
}

#[test]
fn every_supported_format_can_be_read_back_as_a_source() {
    let scene = Scene::new(64, 48);
    for mime in through_c::supported() {
        for format in formats() {
            for alpha in format.alpha_types() {
                let (bytes, stride) = encode_pixels(&scene, format, alpha, 0);
                let what = format!("{} {alpha:?} {mime}", format.name);
                let pack = Pack { effort: 2, ..Pack::new(&mime, 90) };
                let out =
                    pack.run(64, 48, format, alpha, &bytes, stride).unwrap_or_else(|e| panic!("{what}: {e}"));
                let (found, width, height) =
                    through_c::describe(&out).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!((found.as_str(), width, height), (mime.as_str(), 64, 48), "{what}");
            }
        }
    }
}
