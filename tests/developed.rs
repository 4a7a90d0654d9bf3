//! HDR pixels that are developed while they are encoded become the same files as those that are developed first.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use image_packer::{
    error::ErrorKind,
    model::{
        color::Cicp,
        options::{DynamicRange, Options},
        pixel_format::PixelFormat::{self, *},
        pixelmap::{AlphaType, Pixels},
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

/// Light and dark with some noise; alpha as it is said.
fn pixels(format: PixelFormat, width: u32, height: u32, transparent: bool) -> Arc<Pixels> {
    let mut state = width << 16 | height;
    let mut signal = |x: u32, y: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = (f64::from(x) / 17.0).sin() * (f64::from(y) / 11.0).cos();
        0.4 + 0.35 * wave + f64::from(state >> 24) / 4096.0
    };
    let mut bytes = Vec::new();
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    match format {
        Rgba1010102 => {
            for (x, y) in places {
                let [r, g, b] = [0; 3].map(|_: u8| (signal(x, y) * 1023.0) as u32);
                let alpha = if transparent { x % 4 } else { 3 };
                bytes.extend_from_slice(&(r | g << 10 | b << 20 | alpha << 30).to_ne_bytes());
            }
        }
        YcbcrP010 => {
            for (x, y) in places {
                bytes.extend_from_slice(&(((64.0 + 876.0 * signal(x, y)) as u16) << 6).to_ne_bytes());
            }
            for i in 0..2 * width.div_ceil(2) * height.div_ceil(2) {
                bytes.extend_from_slice(&((480 + (i % 61) as u16) << 6).to_ne_bytes());
            }
        }
        _ => {
            for (x, y) in places {
                let [r, g, b] = [0; 3].map(|_: u8| (signal(x, y).powi(2) * 8.0) as f32);
                let alpha = if transparent { (x % 5) as f32 / 4.0 } else { 1.0 };
                bytes.extend([r, g, b, alpha].into_iter().flat_map(f32::to_ne_bytes));
            }
        }
    }
    let mut pixels = Pixels::from_vec(width, height, format, bytes).unwrap();
    let (transfer, matrix) = match format {
        YcbcrP010 => (18, 9),
        RgbaF32 => (8, 0),
        _ => (16, 0),
    };
    pixels.color.cicp = Cicp { primaries: 9, transfer, matrix, full_range: matrix == 0 };
    pixels.alpha = if transparent { AlphaType::Premultiplied } else { AlphaType::Unknown };
    Arc::new(pixels)
}

fn options(mime: &str, effort: u8, settings: &[(&str, &str)]) -> Options {
    let mut options = Options::new(mime, 88).unwrap();
    options.effort = effort;
    settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
    options
}

fn pack(pixels: &Arc<Pixels>, options: &Options, threads: u32) -> Vec<u8> {
    let packer = Packer::default();
    packer.limits.set_threads(threads);
    let mut bytes = Buffer::default();
    packer.pack(Input::Pixels(pixels.clone()), options, &mut bytes, &Control::default()).unwrap();
    bytes.as_slice().to_vec()
}

/// Options under which the image is developed as a whole: a limit of bytes may need it more than once.
fn limited(mut options: Options) -> Options {
    options.max_bytes = 1 << 40;
    options
}

/// The same image, developed as a whole.
fn pack_developed(pixels: &Arc<Pixels>, options: &Options) -> Vec<u8> {
    pack(pixels, &limited(options.clone()), 1)
}

fn check(pixels: &Arc<Pixels>, options: &Options) {
    let expected = pack_developed(pixels, options);
    for threads in [1, 3] {
        let found = pack(pixels, options, threads);
        let what = format!("{:?} to {options:?} on {threads} threads", pixels.info().format);
        assert_eq!(found.len(), expected.len(), "{what}");
        assert!(found == expected, "{what}");
    }
}

#[test]
fn every_format_and_odd_sizes() {
    for format in [Rgba1010102, YcbcrP010, RgbaF32] {
        for (width, height) in [(1, 1), (33, 47), (530, 9), (7, 130)] {
            for scale in ["1", "2", "4"] {
                check(
                    &pixels(format, width, height, false),
                    &options("image/jpeg", 1, &[("gain_map.scale", scale)]),
                );
            }
        }
    }
}

#[test]
fn every_way_of_the_encoders() {
    let image = pixels(Rgba1010102, 131, 67, false);
    for effort in [1, 2, 3, 5, 6, 10] {
        let mut options = options("image/jpeg", effort, &[]);
        for quality in [70, 95] {
            options.quality = quality;
            check(&image, &options);
        }
    }
    for effort in [1, 5] {
        check(&image, &options("image/png", effort, &[]));
        check(&pixels(YcbcrP010, 131, 67, false), &options("image/png", effort, &[]));
    }
}

#[test]
fn strips_that_threads_share() {
    // Large enough for strips with restart markers of their own.
    check(&pixels(YcbcrP010, 1501, 703, false), &options("image/jpeg", 1, &[]));
}

#[test]
fn what_is_transparent_and_what_is_not_sdr() {
    for format in [Rgba1010102, RgbaF32] {
        let image = pixels(format, 61, 40, true);
        let mut jpeg = options("image/jpeg", 1, &[]);
        jpeg.background = [200, 10, 60];
        check(&image, &jpeg);
        jpeg.dynamic_range = DynamicRange::Sdr;
        check(&image, &jpeg);
        check(&image, &options("image/png", 1, &[]));
    }
}

#[test]
fn a_thumbnail_is_made_of_the_sdr_image() {
    let image = pixels(Rgba1010102, 201, 135, false);
    let mut options = options("image/jpeg", 1, &[]);
    let without = pack(&image, &options, 1).len();
    (options.needs_pack_properties, options.max_embed_thumbnail) = (true, 60);
    check(&image, &options);
    assert!(pack(&image, &options, 1).len() > without + 500);
}

#[test]
fn the_whole_sdr_image_is_never_in_memory() {
    let (width, height) = (1600, 1200);
    let image = pixels(Rgba1010102, width, height, false);
    let packer = Packer::default();
    packer.limits.set_threads(1);
    // What the encoder estimates for its own is 2 MiB and a tenth of the pixels.
    let own = (2 << 20) + u64::from(4 * width * height) / 10;
    let (base, map) = (u64::from(3 * width * height), u64::from(width / 2 * height / 2));
    packer.limits.set_memory(own + map + base / 4);
    let mut bytes = Buffer::default();
    let options = options("image/jpeg", 1, &[]);
    packer.pack(Input::Pixels(image.clone()), &options, &mut bytes, &Control::default()).unwrap();
    let (options, mut bytes) = (limited(options), Buffer::default());
    let error = packer.pack(Input::Pixels(image), &options, &mut bytes, &Control::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MemoryLimit, "{error}");
}

#[test]
fn it_can_be_stopped_inside() {
    let image = pixels(Rgba1010102, 640, 480, false);
    for threads in [1, 2] {
        let packer = Packer::default();
        packer.limits.set_threads(threads);
        let told = Arc::new(AtomicU32::new(0));
        let control = Control::with_progress(Some(Arc::new({
            let told = told.clone();
            move |permille| {
                told.store(permille, Relaxed);
                permille < 300
            }
        })));
        let input = Input::Pixels(image.clone());
        let error =
            packer.pack(input, &options("image/jpeg", 1, &[]), &mut Buffer::default(), &control).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cancelled);
        assert!((300..900).contains(&told.load(Relaxed)), "{}", told.load(Relaxed));
    }
}
