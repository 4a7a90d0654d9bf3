//! GIF, read back by decoders that share no code with the encoder.

mod common;

use common::{Alpha, Pack, Scene, encode_pixels, formats};
use image_packer::model::pixel_format::PixelFormat;

fn rgba() -> common::Layout {
    formats().into_iter().find(|format| format.info.format == PixelFormat::Rgba8888).unwrap()
}

fn pack(pack: &Pack, width: u32, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let height = bytes.len() as u32 / width / 4;
    pack.run(width, height, rgba(), Alpha::Straight, bytes, width as usize * 4)
}

fn decode(bytes: &[u8]) -> image::RgbaImage {
    image::load_from_memory_with_format(bytes, image::ImageFormat::Gif).expect("a GIF").to_rgba8()
}

/// `count` different opaque colours, each `run` times in a row.
fn colors(count: u32, run: usize) -> Vec<u8> {
    let color = |i: u32| [(i * 7) as u8, (i / 3) as u8, 255 ^ i as u8, 255];
    (0..count).flat_map(|i| std::iter::repeat_n(color(i), run)).flatten().collect()
}

#[test]
fn up_to_256_colours_are_exact() {
    for count in [1, 2, 3, 4, 5, 16, 17, 255, 256] {
        for run in [1, 31] {
            let bytes = colors(count, run);
            let out = pack(&Pack { lossless: true, ..Pack::new("image/gif", 100) }, count, &bytes).unwrap();
            assert_eq!(decode(&out).into_raw(), bytes, "{count} colours");
        }
    }
}

#[test]
fn long_codes_and_full_dictionaries_are_read_back() {
    // Noise fills the dictionary every 4000 pixels, and repeats make strings of thousands.
    let mut state = 1u32;
    let mut noise = |most: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % most
    };
    for most in [2, 4, 200, 256] {
        let mut bytes = Vec::new();
        for y in 0..300 {
            for _ in 0..200 {
                let v = if (100..200).contains(&y) { 0 } else { noise(most) as u8 };
                bytes.extend([v, v ^ 0x55, 7, 255]);
            }
        }
        let out = pack(&Pack::new("image/gif", 100), 200, &bytes).unwrap();
        assert!(decode(&out).into_raw() == bytes, "{most} colours");
    }
}

#[test]
fn lossless_is_exact_or_an_error() {
    let lossless = Pack { lossless: true, ..Pack::new("image/gif", 100) };
    let error = pack(&lossless, 257, &colors(257, 2)).unwrap_err();
    assert!(error.contains("256 colours"), "{error}");
    let error = pack(&lossless, 2, &[1, 2, 3, 255, 4, 5, 6, 77]).unwrap_err();
    assert!(error.contains("77"), "{error}");
    // 256 colours and a hole are one too many.
    let mut bytes = colors(256, 1);
    bytes.extend([0; 4 * 256]);
    assert!(pack(&lossless, 256, &bytes).is_err());
    let out = pack(&lossless, 255, &[colors(255, 1), vec![0; 4 * 255]].concat()).unwrap();
    let image = decode(&out);
    assert_eq!(image.as_raw()[..4 * 255], colors(255, 1)[..]);
    assert!(image.rows().nth(1).unwrap().all(|pixel| pixel.0[3] == 0));
}

#[test]
fn every_layout_shows_in_256_colours() {
    for format in formats() {
        for alpha in format.alpha_types() {
            for (width, height, padding) in [(1, 1, 0), (33, 17, 13), (64, 48, 0)] {
                let scene = Scene::new(width, height);
                let (bytes, stride) = encode_pixels(&scene, format, alpha, padding);
                let what = format!("{} {alpha:?} {width}x{height}", format.name);
                let out = Pack::new("image/gif", 100)
                    .run(width, height, format, alpha, &bytes, stride)
                    .expect(&what);
                let got = decode(&out);
                let mut squares = 0.0;
                for (pixel, wanted) in got.pixels().zip(scene.seen_through(format, alpha)) {
                    // One bit of alpha: half is opaque.
                    assert!((f64::from(pixel.0[3]) / 255.0 - wanted[3]).abs() < 0.51, "{what}");
                    if pixel.0[3] == 255 {
                        squares +=
                            (0..3).map(|c| (f64::from(pixel.0[c]) / 255.0 - wanted[c]).powi(2)).sum::<f64>();
                    }
                }
                let psnr = -10.0 * (squares / f64::from(width * height * 3)).max(1e-12).log10();
                assert!(psnr > 35.0, "{what}: {psnr:.1} dB");
            }
        }
    }
}

#[test]
fn settings_do_what_they_say() {
    let scene = Scene::new(64, 48);
    let (mut bytes, _) = encode_pixels(&scene, rgba(), Alpha::Straight, 0);
    bytes.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
    let with = |settings: &[(&str, &str)]| {
        pack(&Pack { settings, ..Pack::new("image/gif", 100) }, 64, &bytes).unwrap()
    };
    let distinct = |gif: &[u8]| {
        let mut colors: Vec<_> = decode(gif).pixels().map(|pixel| pixel.0).collect();
        colors.sort_unstable();
        colors.dedup();
        colors.len()
    };
    assert!(distinct(&with(&[("gif.colors", "2")])) <= 2);
    let few = distinct(&with(&[("gif.colors", "16")]));
    assert!((3..=16).contains(&few), "{few}");
    let exact = with(&[]);
    let lossy = with(&[("gif.lossy", "100")]);
    assert!(lossy.len() * 10 < exact.len() * 9, "{} and {} bytes", lossy.len(), exact.len());
    let kinds =
        ["none", "ordered", "diffusion"].map(|kind| with(&[("gif.dither", kind), ("gif.colors", "16")]));
    assert!(kinds[0] != kinds[1] && kinds[1] != kinds[2] && kinds[0] != kinds[2]);
    assert!(kinds[0].len() < kinds[1].len() && kinds[0].len() < kinds[2].len());
}
