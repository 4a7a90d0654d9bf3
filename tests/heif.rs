//! HEIC and AVIF through the machine's libheif: coded, decoded again, and looked at box by box.
//!
//! Without a libheif these tests fail, because a machine that should prove HEIC would prove nothing;
//! `IMAGE_PACKER_TEST_WITHOUT_LIBHEIF=1` says that none is expected.
#![cfg(feature = "heif")]

use std::{process::Command, sync::Arc};

use image_packer::{
    codec::{self, decode},
    error::{ErrorKind, Result},
    limits::Limits,
    model::{
        color::Cicp,
        options::{Options, Subsampling},
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
        source::ImageSource,
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const HEIC: &str = "image/heic";
const AVIF: &str = "image/avif";

/// The formats that can be tested here.
fn formats() -> Vec<&'static str> {
    let found: Vec<_> = [HEIC, AVIF].into_iter().filter(|mime| codec::find(mime).is_ok()).collect();
    if std::env::var_os("IMAGE_PACKER_TEST_WITHOUT_LIBHEIF").is_some() {
        eprintln!("NOT TESTED: this machine's libheif writes {found:?} of HEIC and AVIF");
    } else if let Err(error) = codec::find(HEIC) {
        panic!("{error}\nset IMAGE_PACKER_TEST_WITHOUT_LIBHEIF=1 if this machine is to have none");
    }
    found
}

fn pack(pixels: &Pixels, options: &Options) -> Result<Vec<u8>> {
    pack_with(&Packer::default(), pixels, options)
}

fn pack_with(packer: &Packer, pixels: &Pixels, options: &Options) -> Result<Vec<u8>> {
    let mut sink = Buffer::default();
    let input = Input::Pixels(Arc::new(pixels.clone()));
    packer.pack(input, options, &mut sink, &Control::default())?;
    Ok(sink.as_slice().to_vec())
}

fn unpack(bytes: &[u8]) -> Pixels {
    let source = ImageSource::from_copy(bytes).unwrap();
    let pixels = decode::decode(&source, 0, &Limits::default()).unwrap();
    assert_eq!((source.info().width, source.info().height), (pixels.width(), pixels.height()));
    pixels
}

fn options(mime: &str, quality: i32) -> Options {
    Options::new(mime, quality).unwrap()
}

fn lossless(mime: &str) -> Options {
    let mut options = options(mime, 50);
    options.lossless = true;
    options
}

/// Smooth colours with an edge, so that a wrong matrix, range or channel order shows in the PSNR.
fn picture(width: u32, height: u32) -> Vec<[u8; 4]> {
    let colour = |x: u32, y: u32| {
        let (u, v) = (f64::from(x) / 31.0, f64::from(y) / 23.0);
        let edge = if (x / 40 + y / 40) % 2 == 0 { 30.0 } else { -30.0 };
        let wave = |phase: f64| (127.0 + edge + 80.0 * (u + v * 0.7 + phase).sin()) as u8;
        [wave(0.0), wave(2.0), wave(4.5), (128.0 + 120.0 * (u - v).cos()) as u8]
    };
    (0..height).flat_map(|y| (0..width).map(move |x| colour(x, y))).collect()
}

fn rgba(width: u32, height: u32) -> Pixels {
    Pixels::from_vec(width, height, PixelFormat::Rgba8888, picture(width, height).concat()).unwrap()
}

fn rgb(width: u32, height: u32) -> Pixels {
    let bytes = picture(width, height).iter().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Pixels::from_vec(width, height, PixelFormat::Rgb888, bytes).unwrap()
}

/// Peak signal to noise ratio in dB over the first `take` of every `of` bytes.
fn psnr(a: &Pixels, b: &Pixels) -> f64 {
    assert_eq!((a.width(), a.height(), a.info().format), (b.width(), b.height(), b.info().format));
    let rows = (0..a.height()).flat_map(|y| a.row(0, y).iter().zip(b.row(0, y)));
    let (sum, count) = rows.fold((0.0, 0.0), |(sum, count), (a, b)| {
        (sum + (f64::from(*a) - f64::from(*b)).powi(2), count + 1.0)
    });
    10.0 * (255.0 * 255.0 * count / f64::max(sum, 1e-9)).log10()
}

fn assert_same(a: &Pixels, b: &Pixels, what: &str) {
    assert_eq!((a.width(), a.height(), a.info().format), (b.width(), b.height(), b.info().format), "{what}");
    for y in 0..a.height() {
        assert_eq!(a.row(0, y), b.row(0, y), "{what}, row {y}");
    }
}

/// Payloads of all boxes of a type inside `path`, each box found by walking sizes.
fn boxes<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Vec<&'a [u8]> {
    let Some((first, rest)) = path.split_first() else { return vec![bytes] };
    let (mut at, mut found) = (0, Vec::new());
    while let Some(header) = bytes.get(at..at + 8) {
        let size = u32::from_be_bytes(header[..4].try_into().unwrap()) as usize;
        let end = if size == 0 { bytes.len() } else { at + size };
        assert!(size == 0 || size >= 8 && end <= bytes.len(), "a box of {size} bytes at {at}");
        if &header[4..] == *first {
            // `meta` has version and flags before its boxes.
            let body = &bytes[at + if *first == b"meta" { 12 } else { 8 }..end];
            found.extend(boxes(body, rest));
        }
        at = end;
    }
    found
}

fn properties<'a>(file: &'a [u8], kind: &[u8; 4]) -> Vec<&'a [u8]> {
    boxes(file, &[b"meta", b"iprp", b"ipco", kind])
}

/// (primaries, transfer, matrix, full range) of the file's only nclx box.
fn nclx(file: &[u8]) -> (u16, u16, u16, bool) {
    let all: Vec<_> =
        properties(file, b"colr").into_iter().filter(|colr| colr.starts_with(b"nclx")).collect();
    assert_eq!(all.len(), 1, "one nclx box");
    let code = |at: usize| u16::from_be_bytes([all[0][at], all[0][at + 1]]);
    (code(4), code(6), code(8), all[0][10] & 0x80 != 0)
}

/// (chroma_format_idc, bits) as the decoder configuration of the first image tells.
fn coded(file: &[u8]) -> (u8, u8) {
    if let Some(hvcc) = properties(file, b"hvcC").first() {
        return (hvcc[16] & 3, (hvcc[17] & 7) + 8);
    }
    let av1c = properties(file, b"av1C")[0];
    let bits = if av1c[2] & 0x40 == 0 { 8 } else { 10 };
    match (av1c[2] >> 4 & 1, av1c[2] >> 3 & 1, av1c[2] >> 2 & 1) {
        (1, ..) => (0, bits),
        (_, 1, 1) => (1, bits),
        (_, 1, 0) => (2, bits),
        _ => (3, bits),
    }
}

#[test]
fn every_size_comes_back_as_it_was() {
    for mime in formats() {
        for (width, height) in [(1, 1), (2, 1), (1, 3), (17, 9), (64, 64), (65, 127), (200, 131), (3, 500)] {
            let pixels = rgb(width, height);
            let file = pack(&pixels, &options(mime, 95)).unwrap();
            let quality = psnr(&pixels, &unpack(&file));
            assert!(quality > 34.0, "{mime} {width} x {height}: {quality:.1} dB");
            let lost = pack(&pixels, &lossless(mime)).unwrap();
            assert_same(&pixels, &unpack(&lost), mime);
        }
    }
}

#[test]
fn quality_orders_sizes_and_distortion() {
    for mime in formats() {
        let pixels = rgb(256, 192);
        let at = |quality| {
            let file = pack(&pixels, &options(mime, quality)).unwrap();
            (file.len(), psnr(&pixels, &unpack(&file)))
        };
        let steps: Vec<_> = [0, 25, 50, 75, 100].map(at).into();
        for pair in steps.windows(2) {
            assert!(pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1, "{mime}: {steps:?}");
        }
        assert!(steps[4].1 > 40.0, "{mime}: {steps:?}");
    }
}

#[test]
fn alpha_is_kept_straight() {
    for mime in formats() {
        let pixels = rgba(120, 77);
        let file = pack(&pixels, &options(mime, 90)).unwrap();
        let back = unpack(&file);
        assert_eq!(back.alpha, AlphaType::Unpremultiplied);
        let quality = psnr(&pixels, &back);
        assert!(quality > 34.0, "{mime}: {quality:.1} dB");
        let auxc = properties(&file, b"auxC");
        assert!(
            auxc.len() == 1 && auxc[0].ends_with(b"alpha\0") || auxc[0].ends_with(b"auxid:1\0"),
            "{auxc:?}"
        );
        assert_same(&pixels, &unpack(&pack(&pixels, &lossless(mime)).unwrap()), mime);

        let mut opaque = pixels.clone();
        opaque.alpha = AlphaType::Opaque;
        let file = pack(&opaque, &options(mime, 90)).unwrap();
        assert!(properties(&file, b"auxC").is_empty(), "{mime}: no alpha where there is none");
    }
}

#[test]
fn gray_is_coded_as_gray() {
    for mime in formats() {
        let bytes: Vec<u8> = picture(90, 51).iter().map(|pixel| pixel[1]).collect();
        let pixels = Pixels::from_vec(90, 51, PixelFormat::Gray8, bytes).unwrap();
        let file = pack(&pixels, &lossless(mime)).unwrap();
        assert_eq!(coded(&file), (0, 8), "{mime}");
        let back = unpack(&file);
        for y in 0..51 {
            let gray: Vec<u8> = back.row(0, y).chunks(3).map(|pixel| pixel[0]).collect();
            assert_eq!(pixels.row(0, y), gray, "{mime}");
            assert!(back.row(0, y).chunks(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
        }
    }
}

#[test]
fn subsampling_is_what_was_asked_for() {
    for mime in formats() {
        for (subsampling, chroma) in [
            (Subsampling::Auto, 1),
            (Subsampling::Yuv420, 1),
            (Subsampling::Yuv422, 2),
            (Subsampling::Yuv444, 3),
        ] {
            for (width, height) in [(150, 100), (33, 35)] {
                let pixels = rgb(width, height);
                let mut options = options(mime, 85);
                options.subsampling = subsampling;
                let file = pack(&pixels, &options).unwrap();
                assert_eq!(coded(&file), (chroma, 8), "{mime} {subsampling:?}");
                let quality = psnr(&pixels, &unpack(&file));
                assert!(quality > 34.0, "{mime} {subsampling:?}: {quality:.1} dB");
            }
        }
    }
}

#[test]
fn code_points_are_written_with_the_matrix_that_was_used() {
    for mime in formats() {
        let mut pixels = rgb(80, 60);
        for (primaries, transfer, matrix) in [(1, 13, 6), (12, 13, 6), (9, 14, 9)] {
            pixels.color.cicp = Cicp { primaries, transfer, ..Cicp::SRGB };
            let file = pack(&pixels, &options(mime, 90)).unwrap();
            let expected = (primaries.into(), transfer.into(), matrix, true);
            assert_eq!(nclx(&file), expected, "{mime}");
            let back = unpack(&file);
            assert_eq!(back.color.cicp, pixels.color.cicp, "{mime}");
            let quality = psnr(&pixels, &back);
            assert!(quality > 34.0, "{mime} matrix {matrix}: {quality:.1} dB");
        }
        pixels.color.cicp = Cicp::SRGB;
        assert_eq!(nclx(&pack(&pixels, &lossless(mime)).unwrap()), (1, 13, 0, true), "{mime}");
        // Gray has none: primaries that H.273 does not know are "unspecified".
        let mut gray = Pixels::from_vec(8, 8, PixelFormat::Gray8, vec![90; 64]).unwrap();
        for (primaries, written) in [(9, 9), (3, 2), (18, 2)] {
            gray.color.cicp.primaries = primaries;
            assert_eq!(nclx(&pack(&gray, &options(mime, 90)).unwrap()).0, written, "{mime}");
        }
    }
}

/// H.273, 8.3: RGB of codes of 8 bits.
fn rgb_of([y, cb, cr]: [f64; 3], cicp: Cicp) -> [f64; 3] {
    let [kr, kb] = match cicp.matrix {
        1 => [0.2126, 0.0722],
        9 => [0.2627, 0.0593],
        _ => [0.299, 0.114],
    };
    let (y, cb, cr) = if cicp.full_range {
        (y / 255.0, (cb - 128.0) / 255.0, (cr - 128.0) / 255.0)
    } else {
        ((y - 16.0) / 219.0, (cb - 128.0) / 224.0, (cr - 128.0) / 224.0)
    };
    let (r, b) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
    [r, (y - kr * r - kb * b) / (1.0 - kr - kb), b].map(|v| (v * 255.0).clamp(0.0, 255.0))
}

#[test]
fn camera_pixels_are_coded_as_they_are() {
    use PixelFormat::{I420, I422, I444, Nv12, Nv21, YcbcrP010, YcrcbP010};
    let (width, height) = (70u32, 46u32);
    let (cb, cr) = (100u8, 170u8);
    for mime in formats() {
        for format in [Nv12, Nv21, I420, I422, I444, YcbcrP010, YcrcbP010] {
            if mime == AVIF && format.info().bits > 8 {
                continue; // not every libheif can
            }
            for (matrix, full_range) in [(1, false), (6, true), (9, false)] {
                let cicp = Cicp { primaries: 1, transfer: 1, matrix, full_range };
                let luma = |x: u32, y: u32| (40 + x * 2 + y) as u8;
                let mut codes: Vec<u8> =
                    (0..height).flat_map(|y| (0..width).map(move |x| luma(x, y))).collect();
                for (index, plane) in format.info().planes[1..].iter().enumerate() {
                    let samples = (plane.columns(width) * plane.rows(height)) as usize;
                    match format {
                        Nv12 | YcbcrP010 => codes.extend([cb, cr].repeat(samples)),
                        Nv21 | YcrcbP010 => codes.extend([cr, cb].repeat(samples)),
                        _ => codes.extend([[cb, cr][index]].repeat(samples)),
                    }
                }
                let deep = format.info().bits > 8;
                let bytes = if deep {
                    codes.iter().flat_map(|code| (u16::from(*code) << 8).to_ne_bytes()).collect()
                } else {
                    codes
                };
                let mut pixels = Pixels::from_vec(width, height, format, bytes).unwrap();
                pixels.color.cicp = cicp;
                let file = pack(&pixels, &lossless(mime)).unwrap();
                let chroma = match format {
                    I422 => 2,
                    I444 => 3,
                    _ => 1,
                };
                assert_eq!(coded(&file), (chroma, if deep { 10 } else { 8 }), "{mime} {format:?}");
                assert_eq!(nclx(&file), (1, 1, matrix.into(), full_range), "{mime} {format:?}");
                let back = unpack(&file);
                for y in 0..height {
                    for (x, pixel) in (0..width).zip(back.row(0, y).chunks(if deep { 6 } else { 3 })) {
                        let wanted = rgb_of([luma(x, y), cb, cr].map(f64::from), cicp);
                        for (index, wanted) in wanted.into_iter().enumerate() {
                            let got = if deep {
                                f64::from(u16::from_ne_bytes([pixel[2 * index], pixel[2 * index + 1]]))
                                    / 257.0
                            } else {
                                f64::from(pixel[index])
                            };
                            let what = format!("{mime} {format:?} {cicp:?} at {x}, {y}, {index}");
                            assert!((got - wanted).abs() < 2.1, "{what}: {got} is not {wanted}");
                        }
                    }
                }
            }
        }
    }
}

/// 16-bit RGBA out of 8-bit pixels, with something in the low bits.
fn deep(pixels: &[[u8; 4]]) -> impl Iterator<Item = [u16; 4]> {
    pixels.iter().map(|pixel| pixel.map(|value| u16::from(value) << 8 | u16::from(value) / 3))
}

#[test]
fn deep_pixels_stay_deep() {
    formats();
    let (width, height) = (96, 64);
    let bytes = deep(&picture(width, height)).flatten().flat_map(u16::to_ne_bytes).collect();
    let pixels = Pixels::from_vec(width, height, PixelFormat::Rgba16161616, bytes).unwrap();
    let file = pack(&pixels, &options(HEIC, 98)).unwrap();
    assert_eq!(coded(&file), (1, 10));
    let back = unpack(&file);
    assert_eq!(back.info().format, PixelFormat::Rgba16161616);
    let mut worst = [0; 2];
    for y in 0..height {
        for (index, (a, b)) in pixels.row(0, y).chunks(2).zip(back.row(0, y).chunks(2)).enumerate() {
            let [a, b] = [a, b].map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
            let kind = usize::from(index % 4 == 3);
            worst[kind] = worst[kind].max(a.abs_diff(b));
        }
    }
    // Alpha, at full resolution, shows the precision: less than one and a half steps of 8 bits.
    assert!(worst[1] < 384, "{worst:?}");

    let error = pack(&pixels, &lossless(HEIC)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("16 bits"), "{error}");
}

#[test]
fn ten_bits_are_coded_without_loss() {
    formats();
    let packed =
        |x: u32, y: u32| (x * 37 + y) % 1024 | (y * 51 % 1024) << 10 | (x * y % 1024) << 20 | (x % 4) << 30;
    let bytes = (0..40).flat_map(|y| (0..50).map(move |x| packed(x, y))).flat_map(u32::to_ne_bytes).collect();
    let pixels = Pixels::from_vec(50, 40, PixelFormat::Rgba1010102, bytes).unwrap();
    let back = unpack(&pack(&pixels, &lossless(HEIC)).unwrap());
    for y in 0..40 {
        for (x, pixel) in (0..50).zip(back.row(0, y).chunks(8)) {
            let [r, g, b, a] =
                [0, 2, 4, 6].map(|at| u32::from(u16::from_ne_bytes([pixel[at], pixel[at + 1]])));
            let got = r >> 6 | (g >> 6) << 10 | (b >> 6) << 20 | (a >> 14) << 30;
            assert_eq!(got, packed(x, y), "at {x}, {y}");
        }
    }
}

#[test]
fn premultiplied_colour_is_undone() {
    for mime in formats() {
        let straight = rgba(60, 40);
        let bytes = picture(60, 40).into_iter().flat_map(|pixel| {
            let times = |value: u8| ((u32::from(value) * u32::from(pixel[3]) + 127) / 255) as u8;
            [times(pixel[0]), times(pixel[1]), times(pixel[2]), pixel[3]]
        });
        let mut pixels = Pixels::from_vec(60, 40, PixelFormat::Rgba8888, bytes.collect()).unwrap();
        pixels.alpha = AlphaType::Premultiplied;
        let back = unpack(&pack(&pixels, &options(mime, 95)).unwrap());
        for y in 0..40 {
            for (a, b) in straight.row(0, y).chunks(4).zip(back.row(0, y).chunks(4)) {
                // Where little is left of a colour, little can be undone.
                let close = a[..3].iter().zip(b).all(|(a, b)| a.abs_diff(*b) < 40);
                assert!(a[3] < 100 || close, "{mime}: {a:?} became {b:?}");
            }
        }
    }
}

#[test]
fn an_icc_profile_is_embedded_verbatim() {
    let mut profile = vec![7u8; 700];
    profile[..4].copy_from_slice(&700u32.to_be_bytes());
    profile[12..24].copy_from_slice(b"mntrRGB XYZ ");
    profile[128..132].fill(0);
    profile[36..40].copy_from_slice(b"acsp");
    for mime in formats() {
        let mut pixels = rgb(50, 40);
        pixels.color.icc = Some(profile.clone().into());
        let file = pack(&pixels, &options(mime, 80)).unwrap();
        let prof: Vec<_> =
            properties(&file, b"colr").into_iter().filter(|colr| colr.starts_with(b"prof")).collect();
        assert_eq!(prof, [[b"prof", &profile[..]].concat()], "{mime}");
        assert_eq!(nclx(&file), (2, 2, 6, true), "the profile tells the colours, the code points the matrix");
        assert_eq!(unpack(&file).color.icc.as_deref(), Some(&profile[..]), "{mime}");
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let pixels = rgba(500, 300);
    for mime in formats() {
        for effort in [1, 5, 7] {
            let with = |threads| {
                let packer = Packer::default();
                packer.limits.set_threads(threads);
                let mut options = options(mime, 60);
                options.effort = effort;
                pack_with(&packer, &pixels, &options).unwrap()
            };
            let one = with(1);
            assert!(one == with(2) && one == with(5), "{mime} effort {effort}");
        }
    }
}

#[test]
fn settings_reach_the_codec() {
    let pixels = rgb(128, 96);
    for mime in formats() {
        let with = |settings: &[(&str, &str)]| {
            let mut options = options(mime, 60);
            settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
            pack(&pixels, &options).unwrap()
        };
        let plain = with(&[]);
        let prefix = if mime == HEIC { "heif" } else { "avif" };
        assert!(plain == with(&[(&format!("{prefix}.bit_depth"), "8")]));
        assert!(plain != with(&[(&format!("{prefix}.tune"), "psnr")]));
        if mime == HEIC {
            assert!(plain != with(&[("heif.preset", "medium")]));
            let deep = with(&[("heif.bit_depth", "10")]);
            assert_eq!(coded(&deep), (1, 10));
            assert_eq!(unpack(&deep).info().format, PixelFormat::Rgb161616);
        }
    }
    let mut options = options(formats()[0], 60);
    assert_eq!(options.set("heif.preset", "warp").unwrap_err().kind, ErrorKind::OutOfRange);
}

#[test]
fn refusals_have_numbers() {
    for mime in formats() {
        let strip = Pixels::zeroed(32769, 1, PixelFormat::Rgb888).unwrap();
        let error = pack(&strip, &options(mime, 80)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge);
        assert_eq!(error.message, format!("32769 x 1 pixels: {mime} has at most 32768 pixels a side"));

        let packer = Packer::default();
        packer.limits.set_memory(20 << 20);
        let error = pack_with(&packer, &rgb(1000, 1000), &options(mime, 80)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::MemoryLimit, "{error}");
        // 1.5 samples a pixel, 16 bytes each, and 16 MiB.
        assert!(error.message.contains(&((16 << 20) + 24_000_000).to_string()), "{error}");
    }
}

#[test]
fn damaged_files_are_errors() {
    for mime in formats() {
        let file = pack(&rgba(100, 80), &options(mime, 50)).unwrap();
        for keep in [0, 7, 12, 40, 100, 200, 300, file.len() / 2, file.len() - 1] {
            let source = ImageSource::from_copy(&file[..keep]);
            let result = source.and_then(|source| decode::decode(&source, 0, &Limits::default()));
            let error = result.map(drop).expect_err(&format!("{keep} of {} bytes of {mime}", file.len()));
            let kinds = [ErrorKind::BadData, ErrorKind::UnknownFormat];
            assert!(kinds.contains(&error.kind), "{keep} bytes of {mime}: {error:?}");
        }
        let source = ImageSource::from_copy(&file).unwrap();
        assert_eq!(source.info().mime.to_str(), Ok(mime));
        assert_eq!(source.info().frames, 1);
        let limits = Limits::default();
        limits.set_max_pixels(7999);
        assert_eq!(decode::decode(&source, 0, &limits).unwrap_err().kind, ErrorKind::TooLarge);
        assert_eq!(decode::decode(&source, 1, &Limits::default()).unwrap_err().kind, ErrorKind::OutOfRange);
    }
}

/// Runs a test of this file alone, in a process with one more environment variable.
fn alone(test: &str, name: &str, value: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(name, value)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn threads_of_the_codecs_take_no_signals() {
    use std::{collections::HashSet, fs, sync::mpsc, thread};
    const CHILD: &str = "IMAGE_PACKER_TEST_SIGNALS";
    if std::env::var_os(CHILD).is_none() {
        return alone("threads_of_the_codecs_take_no_signals", CHILD, "1");
    }
    let tasks = || -> HashSet<String> {
        let entries = fs::read_dir("/proc/self/task").unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    for mime in formats() {
        let pixels = rgb(900, 700);
        let (go, wait) = mpsc::channel();
        let worker = thread::spawn(move || {
            wait.recv().unwrap();
            let file = pack(&pixels, &options(mime, 90)).unwrap();
            unpack(&file);
        });
        let known = tasks();
        go.send(()).unwrap();
        let mut seen = HashSet::new();
        while !worker.is_finished() {
            for task in tasks().difference(&known) {
                // A thread may be gone before it is looked at.
                let Ok(status) = fs::read_to_string(format!("/proc/self/task/{task}/status")) else {
                    continue;
                };
                let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                // Of a thread that has just ended the kernel reports no mask and a count of 0 threads.
                let Some(mask) = field("SigBlk:").filter(|_| field("Threads:") != Some("0")) else {
                    continue;
                };
                let mask = u64::from_str_radix(mask, 16).unwrap();
                // SIGINT, SIGUSR1, SIGALRM and SIGTERM, counted from bit 0.
                let wanted = 1 << 1 | 1 << 9 | 1 << 13 | 1 << 14;
                assert_eq!(mask & wanted, wanted, "{mime}: a thread with the mask {mask:x}");
                seen.insert(task.clone());
            }
        }
        worker.join().unwrap();
        assert!(!seen.is_empty(), "{mime}: no thread was seen");
    }
}

#[test]
fn without_libheif_the_rest_works() {
    const NONE: &str = "/nonexistent/libheif.so.1";
    if std::env::var("IMAGE_PACKER_LIBHEIF").as_deref() != Ok(NONE) {
        return alone("without_libheif_the_rest_works", "IMAGE_PACKER_LIBHEIF", NONE);
    }
    for mime in [HEIC, AVIF, "IMAGE/HEIF"] {
        let error = Options::new(mime, 90).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownFormat);
        assert!(error.message.contains(NONE) && error.message.contains("apt install libheif1"), "{error}");
    }
    assert!(codec::supported().all(|format| ![HEIC, AVIF].contains(&format.name())));
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    let error = ImageSource::from_copy(heic).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownFormat);
    assert!(error.message.contains("image/heic"), "{error}");
    assert!(pack(&rgb(9, 9), &options("image/jpeg", 90)).unwrap().starts_with(&[0xff, 0xd8]));
}

#[test]
fn a_library_that_is_no_libheif_is_refused() {
    const WRONG: &str = "libc.so.6";
    if std::env::var("IMAGE_PACKER_LIBHEIF").as_deref() != Ok(WRONG) {
        return alone("a_library_that_is_no_libheif_is_refused", "IMAGE_PACKER_LIBHEIF", WRONG);
    }
    let error = Options::new(HEIC, 90).unwrap_err();
    assert!(error.message.contains("heif_get_version"), "{error}");
}
