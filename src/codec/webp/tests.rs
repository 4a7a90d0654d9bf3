//! Whole images through the encoder; decoded by image-webp, which shares nothing with libwebp.
#![allow(unsafe_code, reason = "island: calls libwebp's own API for comparison")]

use std::{
    mem::{MaybeUninit, zeroed},
    sync::{Arc, Mutex},
};

use image::ImageDecoder as _;

use super::*;
use crate::{
    error::ErrorKind,
    model::pixelmap::AlphaType,
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::{Sink, memory::Buffer},
};

fn hash(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// A smooth picture with some grain: R, G, B, and A that covers 0 to 255 where `alpha`.
fn picture(width: u32, height: u32, alpha: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let wave = |f: f32, p: f32| {
                let v = 128.0 + 90.0 * ((x as f32 / f + p).sin() * (y as f32 / (f + 7.0)).cos());
                v as u8 + (hash(x ^ (y << 14)) & 7) as u8
            };
            let a = if alpha { ((x * 3 + y * 5) % 511).min(255) as u8 } else { 255 };
            bytes.extend_from_slice(&[wave(23.0, 0.0), wave(31.0, 1.0), wave(41.0, 2.0), a]);
        }
    }
    bytes
}

fn pixels(width: u32, height: u32, alpha: bool) -> Pixels {
    let bytes = picture(width, height, alpha);
    Pixels::copy_from(width, height, PixelFormat::Rgba8888, &bytes, 0).unwrap()
}

fn options(quality: i32, effort: i32, settings: &[(&str, &str)]) -> Options {
    let mut options = Options::new("image/webp", quality).unwrap();
    options.set_effort(effort).unwrap();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    options
}

fn pack_on(threads: u32, pixels: &Pixels, options: &Options) -> Result<Vec<u8>> {
    let packer = Packer::default();
    packer.limits.set_threads(threads);
    let mut file = Buffer::default();
    packer.pack(Input::Pixels(Arc::new(pixels.clone())), options, &mut file, &Control::default())?;
    Ok(file.as_slice().to_vec())
}

fn pack(pixels: &Pixels, options: &Options) -> Vec<u8> {
    pack_on(1, pixels, options).unwrap()
}

/// R, G, B, A and whether the file has alpha.
fn unpack(file: &[u8]) -> (u32, u32, Vec<u8>, bool) {
    let decoder = image::codecs::webp::WebPDecoder::new(std::io::Cursor::new(file)).unwrap();
    let alpha = decoder.color_type().has_alpha();
    let image = image::DynamicImage::from_decoder(decoder).unwrap().into_rgba8();
    (image.width(), image.height(), image.into_raw(), alpha)
}

fn psnr(a: &[u8], b: &[u8], channels: std::ops::Range<usize>) -> f64 {
    assert_eq!(a.len(), b.len());
    let (mut sum, mut count) = (0.0, 0.0);
    for (a, b) in a.chunks(4).zip(b.chunks(4)) {
        for i in channels.clone() {
            sum += (f64::from(a[i]) - f64::from(b[i])).powi(2);
            count += 1.0;
        }
    }
    10.0 * (255.0f64 * 255.0 * count / f64::max(sum, 1e-9)).log10()
}

const SIZES: [(u32, u32); 8] = [(1, 1), (1, 9), (9, 1), (2, 2), (33, 17), (64, 64), (61, 65), (130, 129)];

#[test]
fn lossless_comes_back_exactly() {
    for (width, height) in SIZES {
        for alpha in [false, true] {
            let bytes = picture(width, height, alpha);
            for effort in if width < 60 { [1, 5, 10] } else { [2, 3, 4] } {
                let mut options = options(30, effort, &[]);
                options.lossless = true;
                let (w, h, back, _) = unpack(&pack(&pixels(width, height, alpha), &options));
                assert_eq!((w, h), (width, height));
                assert!(back == bytes, "{width} x {height}, alpha {alpha}, effort {effort}");
            }
        }
    }
}

#[test]
fn lossy_stays_near_at_every_effort() {
    let (width, height) = (67, 69);
    let bytes = picture(width, height, true);
    for (quality, floor) in [(0, 22.0), (50, 28.0), (75, 30.0), (98, 33.0), (100, 33.0)] {
        for effort in 1..=10 {
            let (_, _, back, alpha) =
                unpack(&pack(&pixels(width, height, false), &options(quality, effort, &[])));
            assert!(!alpha);
            let opaque = picture(width, height, false);
            let got = psnr(&opaque, &back, 0..3);
            assert!(got > floor, "quality {quality}, effort {effort}: {got} dB");
            let (_, _, back, alpha) =
                unpack(&pack(&pixels(width, height, true), &options(quality, effort, &[])));
            assert!(alpha && psnr(&bytes, &back, 3..4) > 100.0, "alpha is exact by default");
        }
    }
}

#[test]
fn alpha_that_is_opaque_is_not_written() {
    for lossless in [false, true] {
        let mut options = options(80, 3, &[]);
        options.lossless = lossless;
        let file = pack(&pixels(70, 70, false), &options);
        assert!(!unpack(&file).3);
        assert!(matches!(&file[12..16], b"VP8 " | b"VP8L"));
        // Alpha that is said to be opaque is not looked at.
        let mut opaque = pixels(70, 70, true);
        opaque.alpha = AlphaType::Opaque;
        assert_eq!(pack(&opaque, &options), file);
    }
    // Transparency below the first band of rows is still found.
    let mut bytes = picture(70, 200, false);
    bytes[70 * 180 * 4 + 3] = 7;
    let pixels = Pixels::copy_from(70, 200, PixelFormat::Rgba8888, &bytes, 0).unwrap();
    let (_, _, back, alpha) = unpack(&pack(&pixels, &options(80, 3, &[])));
    assert!(alpha && psnr(&bytes, &back, 3..4) > 100.0);
}

/// libwebp's own way from RGBA to a file.
fn reference(
    bytes: &[u8],
    (width, height): (u32, u32),
    change: impl Fn(&mut libwebp_sys::WebPConfig),
) -> Vec<u8> {
    use libwebp_sys::*;
    // SAFETY: as libwebp's documentation of WebPEncode shows it.
    unsafe {
        let mut config = WebPConfig::new().unwrap();
        change(&mut config);
        let mut picture = MaybeUninit::<WebPPicture>::uninit();
        assert!(WebPPictureInit(picture.as_mut_ptr()));
        let mut picture = picture.assume_init();
        picture.use_argb = (config.lossless != 0 || config.use_sharp_yuv != 0).into();
        (picture.width, picture.height) = (width as _, height as _);
        let mut memory: WebPMemoryWriter = zeroed();
        WebPMemoryWriterInit(&mut memory);
        picture.writer = Some(WebPMemoryWrite);
        picture.custom_ptr = (&raw mut memory).cast();
        assert_ne!(WebPPictureImportRGBA(&mut picture, bytes.as_ptr(), width as i32 * 4), 0);
        assert_ne!(WebPEncode(&config, &mut picture), 0);
        let file = std::slice::from_raw_parts(memory.mem, memory.size).to_vec();
        WebPMemoryWriterClear(&mut memory);
        WebPPictureFree(&mut picture);
        file
    }
}

#[test]
fn bytes_are_those_of_libwebps_own_api_for_any_number_of_threads() {
    for alpha in [false, true] {
        let size = (71, 131);
        let (bytes, pixels) = (picture(size.0, size.1, alpha), pixels(size.0, size.1, alpha));
        for method in 0..=6 {
            let own = reference(&bytes, size, |config| (config.method, config.quality) = (method, 63.0));
            let options = options(63, 5, &[("webp.method", &method.to_string())]);
            for threads in [1, 3] {
                let file = pack_on(threads, &pixels, &options).unwrap();
                assert!(file == own, "method {method}, alpha {alpha}, threads {threads}");
            }
        }
        let own = reference(&bytes, size, |config| (config.use_sharp_yuv, config.quality) = (1, 80.0));
        assert!(pack_on(2, &pixels, &options(80, 5, &[("WebP.Sharp_YUV", "on")])).unwrap() == own);
        let own = reference(&bytes, size, |config| {
            (config.lossless, config.exact, config.method, config.quality) = (1, 1, 2, 40.0)
        });
        let mut expert = options(40, 9, &[("webp.method", "2")]);
        expert.lossless = true;
        assert!(pack(&pixels, &expert) == own);
        for (effort, (method, quality)) in (1..=10).zip(LOSSLESS).step_by(3) {
            let own = reference(&bytes, size, |config| {
                (config.lossless, config.exact) = (1, 1);
                (config.method, config.quality) = (method, quality.into());
            });
            let mut options = options(0, effort, &[]);
            options.lossless = true;
            for threads in [1, 2] {
                assert!(
                    pack_on(threads, &pixels, &options).unwrap() == own,
                    "effort {effort}, alpha {alpha}"
                );
            }
        }
    }
}

/// Luma and chroma of `picture` in the code of a matrix and a range, as planes of I420 or NV12.
fn planes(width: u32, height: u32, format: PixelFormat, [kr, kb]: [f64; 2], full: bool) -> Vec<u8> {
    let rgb = picture(width, height, false);
    let (width, height) = (width as usize, height as usize);
    let at = |x: usize, y: usize| {
        let pixel = &rgb[4 * (y.min(height - 1) * width + x.min(width - 1))..];
        let [r, g, b] = [0, 1, 2].map(|i| f64::from(pixel[i]));
        let luma = kr * r + (1.0 - kr - kb) * g + kb * b;
        [luma, (b - luma) / (1.0 - kb) / 2.0, (r - luma) / (1.0 - kr) / 2.0]
    };
    let code = |v: f64, luma: bool| match (luma, full) {
        (true, true) => v.round() as u8,
        (false, true) => (v + 128.0).round().clamp(0.0, 255.0) as u8,
        (true, false) => (16.0 + v * 219.0 / 255.0).round() as u8,
        (false, false) => (128.0 + v * 224.0 / 255.0).round() as u8,
    };
    let mut bytes = Vec::new();
    (0..width * height).for_each(|i| bytes.push(code(at(i % width, i / width)[0], true)));
    let mut chroma = [Vec::new(), Vec::new()];
    for y in 0..height.div_ceil(2) {
        for x in 0..width.div_ceil(2) {
            for (i, plane) in chroma.iter_mut().enumerate() {
                let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| at(2 * x + dx, 2 * y + dy)[i + 1]);
                plane.push(code(four.iter().sum::<f64>() / 4.0, false));
            }
        }
    }
    match format {
        PixelFormat::I420 => bytes.extend(chroma.concat()),
        _ => bytes.extend(chroma[0].iter().zip(&chroma[1]).flat_map(|(&u, &v)| [u, v])),
    }
    bytes
}

#[test]
fn luma_and_chroma_go_in_as_they_are() {
    for (width, height) in [(64, 130), (61, 65)] {
        let expected = picture(width, height, false);
        for (format, matrix, k, full) in [
            (PixelFormat::I420, 6, [0.299, 0.114], false),
            (PixelFormat::I420, 5, [0.299, 0.114], true),
            (PixelFormat::Nv12, 6, [0.299, 0.114], false),
            (PixelFormat::Nv12, 1, [0.2126, 0.0722], true),
        ] {
            let bytes = planes(width, height, format, k, full);
            let mut pixels = Pixels::copy_from(width, height, format, &bytes, 0).unwrap();
            (pixels.color.cicp.matrix, pixels.color.cicp.full_range) = (matrix, full);
            let file = pack(&pixels, &options(100, 3, &[]));
            let got = psnr(&expected, &unpack(&file).2, 0..3);
            assert!(got > 31.0, "{format:?}, matrix {matrix}, full {full}: {got} dB");
            assert!(pack_on(3, &pixels, &options(100, 3, &[])).unwrap() == file);
        }
    }
}

#[test]
fn every_pixel_format_becomes_the_same_colours_as_in_png() {
    for format in crate::model::pixel_format::FORMATS {
        for (width, height) in [(1, 1), (7, 5), (33, 67)] {
            // Any bytes are pixels, but floats should be sensible ones.
            let bytes: Vec<u8> = match format.format {
                PixelFormat::RgbaF16 => (0..width * height * 4)
                    .flat_map(|i| [hash(i) as u8, 0x30 + (hash(i + 9) % 12) as u8])
                    .collect(),
                PixelFormat::RgbaF32 => (0..width * height * 4)
                    .flat_map(|i| ((hash(i) % 1000) as f32 / 999.0).to_ne_bytes())
                    .collect(),
                _ => (0..width * height * 16).map(|i| hash(i) as u8).collect(),
            };
            let pixels = Pixels::copy_from(width, height, format.format, &bytes, 0).unwrap();
            let mut lossless = options(80, 2, &[]);
            lossless.lossless = true;
            let webp = pack_on(2, &pixels, &lossless);
            if format.bits > 8 {
                assert_eq!(webp.unwrap_err().kind, ErrorKind::Unsupported, "{}", format.name);
            } else {
                let png = pack(&pixels, &Options::new("image/png", 80).unwrap());
                let png = image::load_from_memory(&png).unwrap().into_rgba8().into_raw();
                assert!(unpack(&webp.unwrap()).2 == png, "{} {width} x {height}", format.name);
            }
            let (w, h, ..) = unpack(&pack(&pixels, &options(80, 2, &[("webp.sharp_yuv", "1")])));
            assert_eq!((w, h), (width, height), "{}", format.name);
            let (w, h, ..) = unpack(&pack(&pixels, &options(80, 2, &[])));
            assert_eq!((w, h), (width, height), "{}", format.name);
        }
    }
}

#[test]
fn settings_do_what_they_say() {
    let pixels = pixels(130, 129, true);
    let bytes = picture(130, 129, true);
    let size = |settings: &[_]| pack(&pixels, &options(75, 3, settings)).len();
    assert_ne!(size(&[("webp.alpha_quality", "10")]), size(&[]));
    assert_ne!(size(&[("webp.filter_strength", "0")]), size(&[]));
    assert_ne!(size(&[("webp.preset", "text")]), size(&[]));
    // Near lossless: close, but not the same.
    let (_, _, back, _) = unpack(&pack(&pixels, &options(75, 3, &[("webp.near_lossless", "40")])));
    let near = psnr(&bytes, &back, 0..4);
    assert!(near > 35.0 && near < 90.0, "{near}");
    // Colours below alpha 0 stay only if asked for.
    let hidden = |back: &[u8]| back.chunks(4).zip(bytes.chunks(4)).all(|(a, b)| b[3] != 0 || a == b);
    let mut lossless = options(75, 3, &[("webp.exact", "0")]);
    lossless.lossless = true;
    assert!(!hidden(&unpack(&pack(&pixels, &lossless)).2));
    lossless.set("webp.exact", "1").unwrap();
    assert!(hidden(&unpack(&pack(&pixels, &lossless)).2));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut lossless = options(75, 3, &[]);
    lossless.lossless = true;
    let deep = Pixels::zeroed(8, 8, PixelFormat::Rgb161616).unwrap();
    let error = pack_on(1, &deep, &lossless).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("16 bits of RGB_161616"), "{error}");
    lossless.set("webp.near_lossless", "60").unwrap();
    assert_eq!(pack_on(1, &pixels(8, 8, false), &lossless).unwrap_err().kind, ErrorKind::OutOfRange);
    let mut full = options(75, 3, &[]);
    full.subsampling = Subsampling::Yuv444;
    assert_eq!(pack_on(1, &pixels(8, 8, false), &full).unwrap_err().kind, ErrorKind::Unsupported);
}

#[test]
fn sides_end_at_16383() {
    for (width, height) in [(16383, 1), (1, 16383), (16383, 3)] {
        let file = pack(&Pixels::zeroed(width, height, PixelFormat::Rgb888).unwrap(), &options(50, 1, &[]));
        let (w, h, ..) = unpack(&file);
        assert_eq!((w, h), (width, height));
    }
    for (width, height) in [(16384, 1), (1, 16384)] {
        let pixels = Pixels::zeroed(width, height, PixelFormat::Rgb888).unwrap();
        let error = pack_on(1, &pixels, &options(50, 1, &[])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge);
        assert!(error.message.contains("16384") && error.message.contains("16383"), "{error}");
    }
}

#[test]
fn a_profile_comes_back_byte_by_byte() {
    for len in [128, 129, 3144] {
        let mut icc = vec![0; len];
        icc.iter_mut().zip(0..).for_each(|(byte, i)| *byte = hash(i) as u8);
        icc[..4].copy_from_slice(&(len as u32).to_be_bytes());
        icc[16..20].copy_from_slice(b"RGB ");
        icc[36..40].copy_from_slice(b"acsp");
        for (alpha, lossless) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut pixels = pixels(61, 65, alpha);
            pixels.color.icc = Some(icc.clone().into());
            let mut options = options(75, 2, &[]);
            options.lossless = lossless;
            let file = pack(&pixels, &options);
            let mut decoder = image::codecs::webp::WebPDecoder::new(std::io::Cursor::new(&file)).unwrap();
            assert_eq!(decoder.icc_profile().unwrap().as_deref(), Some(&icc[..]));
            let (w, h, back, has_alpha) = unpack(&file);
            assert_eq!((w, h, has_alpha), (61, 65, alpha));
            assert!(!lossless || back == picture(61, 65, alpha));
            info(&file);
        }
    }
}

/// libwebp's own checker of containers, where it is installed.
fn info(file: &[u8]) {
    let path = std::env::temp_dir().join(format!("image_packer_{}.webp", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let output = std::process::Command::new("webpinfo").arg("-quiet").arg(&path).output();
    std::fs::remove_file(&path).unwrap();
    if let Ok(output) = output {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn sinks_and_progress_stop_the_encoder() {
    struct Full(usize);
    impl Sink for Full {
        fn write(&mut self, bytes: &[u8]) -> Result<()> {
            match self.0.checked_sub(bytes.len()) {
                Some(left) => self.0 = left,
                None => bail!(Write, "no more room"),
            }
            Ok(())
        }
    }
    struct Panics;
    impl Sink for Panics {
        fn write(&mut self, _: &[u8]) -> Result<()> {
            panic!("on purpose")
        }
    }
    let packer = Packer::default();
    let input = || Input::Pixels(Arc::new(pixels(130, 129, true)));
    for room in [0, 11, 40, 500] {
        let error =
            packer.pack(input(), &options(75, 2, &[]), &mut Full(room), &Control::default()).unwrap_err();
        assert_eq!((error.kind, &*error.message), (ErrorKind::Write, "no more room"));
    }
    let panicked = std::panic::catch_unwind(|| {
        let _ = packer.pack(input(), &options(75, 2, &[]), &mut Panics, &Control::default());
    });
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"on purpose"));

    for (lossless, stop) in [(false, 50), (false, 500), (true, 500)] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let watcher = seen.clone();
        let control = Control::with_progress(Some(Arc::new(move |done| {
            watcher.lock().unwrap().push(done);
            done < stop
        })));
        let mut options = options(75, 2, &[]);
        options.lossless = lossless;
        let error = packer.pack(input(), &options, &mut Buffer::default(), &control).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cancelled);
        let seen = seen.lock().unwrap();
        assert!(seen.is_sorted() && seen.iter().filter(|&&done| done >= stop).count() == 1, "{seen:?}");
    }
}
