//! Image sources: every format, every way in, damage and bombs. `data/make.py` made the files.

use std::{
    fs,
    io::Write as _,
    os::fd::AsRawFd as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use image_packer::{
    codec::decode::decode,
    error::{Error, ErrorKind, Result},
    limits::Limits,
    model::{
        options::Options,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
        source::{ImageSource, ReadAt},
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const W: u32 = 50;
const H: u32 = 38;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect()
}

fn file(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

fn source(bytes: &[u8]) -> Result<ImageSource> {
    ImageSource::from_copy(bytes)
}

fn pixels(name: &str, frame: usize) -> Pixels {
    let source = ImageSource::from_path(&path(name)).unwrap();
    let pixels = decode(&source, frame, &Limits::default()).unwrap();
    let info = source.info();
    assert_eq!((pixels.width(), pixels.height()), (info.width, info.height), "{name}");
    pixels
}

/// A pixel as red, green, blue, alpha; deep samples are rounded to 8 bits.
fn rgba(pixels: &Pixels, x: u32, y: u32) -> [u8; 4] {
    let row = pixels.row(0, y);
    let x = x as usize;
    let deep = |i: usize| (u32::from(u16::from_ne_bytes([row[2 * i], row[2 * i + 1]])) * 255 / 65535) as u8;
    match pixels.info().format {
        PixelFormat::Gray8 => [row[x], row[x], row[x], 255],
        PixelFormat::GrayAlpha88 => [row[2 * x], row[2 * x], row[2 * x], row[2 * x + 1]],
        PixelFormat::Rgb888 => [row[3 * x], row[3 * x + 1], row[3 * x + 2], 255],
        PixelFormat::Rgba8888 => *row[4 * x..].first_chunk().unwrap(),
        PixelFormat::Gray16 => [deep(x), deep(x), deep(x), 255],
        PixelFormat::Rgb161616 => [deep(3 * x), deep(3 * x + 1), deep(3 * x + 2), 255],
        PixelFormat::Rgba16161616 => [deep(4 * x), deep(4 * x + 1), deep(4 * x + 2), deep(4 * x + 3)],
        other => panic!("{other:?}"),
    }
}

/// Largest difference and mean square error from what the formula says.
fn difference(pixels: &Pixels, formula: impl Fn(u32, u32) -> [u8; 4]) -> (u8, f64) {
    let (mut most, mut sum) = (0, 0.0);
    for y in 0..pixels.height() {
        for x in 0..pixels.width() {
            for (a, b) in rgba(pixels, x, y).into_iter().zip(formula(x, y)) {
                most = a.abs_diff(b).max(most);
                sum += f64::from(a.abs_diff(b)).powi(2);
            }
        }
    }
    (most, sum / f64::from(4 * pixels.width() * pixels.height()))
}

/// `smooth` of make.py.
fn smooth(x: u32, y: u32) -> [u8; 4] {
    [(x * 5) as u8, (y * 6) as u8, (250 - x * 5) as u8, 255]
}

fn smooth_alpha(x: u32, y: u32) -> [u8; 4] {
    let [r, g, b, _] = smooth(x, y);
    [r, g, b, (y * 6) as u8]
}

fn gray(x: u32, y: u32) -> [u8; 4] {
    let [r, g, b, _] = smooth(x, y).map(f64::from);
    let l = (0.299 * r + 0.587 * g + 0.114 * b).round() as u8;
    [l, l, l, 255]
}

#[test]
fn every_format_is_named_measured_and_decoded() {
    type Formula = fn(u32, u32) -> [u8; 4];
    let inks: Formula = |x, y| [255 - (x * 5) as u8, 255 - (y * 6) as u8, 255, 255];
    let deep: Formula = |x, y| [((x * 1000 + y) * 255 / 65535) as u8; 3].map_last();
    // File, type, format, formula, largest difference, mean square error.
    let cases: &[(&str, &str, PixelFormat, Formula, u8, f64)] = &[
        ("rgb.jpg", "image/jpeg", PixelFormat::Rgb888, smooth, 8, 2.0),
        ("420.jpg", "image/jpeg", PixelFormat::Rgb888, smooth, 30, 12.0),
        ("progressive.jpg", "image/jpeg", PixelFormat::Rgb888, smooth, 8, 2.0),
        ("gray.jpg", "image/jpeg", PixelFormat::Gray8, gray, 6, 2.0),
        ("turned.jpg", "image/jpeg", PixelFormat::Rgb888, smooth, 8, 2.0),
        ("cmyk.jpg", "image/jpeg", PixelFormat::Rgb888, inks, 8, 2.0),
        ("turned.png", "image/png", PixelFormat::Rgb888, smooth, 0, 0.0),
        ("interlaced.png", "image/png", PixelFormat::Rgb888, smooth, 0, 0.0),
        ("turned.webp", "image/webp", PixelFormat::Rgb888, smooth, 0, 0.0),
        ("lossless.webp", "image/webp", PixelFormat::Rgba8888, smooth_alpha, 0, 0.0),
        ("opaque.webp", "image/webp", PixelFormat::Rgb888, smooth, 30, 12.0),
        ("rgb.bmp", "image/bmp", PixelFormat::Rgb888, smooth, 0, 0.0),
        ("rgba.bmp", "image/bmp", PixelFormat::Rgb888, smooth, 0, 0.0),
        ("rgb.tif", "image/tiff", PixelFormat::Rgb888, smooth, 0, 0.0),
        ("turned.tif", "image/tiff", PixelFormat::Rgb888, smooth, 0, 0.0),
        ("rgba.tif", "image/tiff", PixelFormat::Rgba8888, smooth_alpha, 0, 0.0),
        ("gray16.tif", "image/tiff", PixelFormat::Gray16, deep, 1, 1.0),
        ("cmyk.tif", "image/tiff", PixelFormat::Rgb888, inks, 2, 1.0),
    ];
    for &(name, mime, format, formula, most, error) in cases {
        let info = *ImageSource::from_path(&path(name)).unwrap().info();
        assert_eq!(info.mime.to_str().unwrap(), mime, "{name}");
        assert_eq!((info.width, info.height, info.frames), (W, H, 1), "{name}");
        let pixels = pixels(name, 0);
        assert_eq!(pixels.info().format, format, "{name}");
        let found = difference(&pixels, formula);
        assert!(found.0 <= most && found.1 <= error, "{name}: {found:?}");
    }
    let icon = ImageSource::from_path(&path("icon.ico")).unwrap();
    assert_eq!((icon.info().width, icon.info().height), (32, 24));
    assert_eq!(pixels("icon.ico", 0).info().format, PixelFormat::Rgba8888);
    assert_eq!(pixels("bits.bmp", 0).info().format, PixelFormat::Rgb888);
    let lossy = pixels("lossy.webp", 0);
    let alpha = (0..H).all(|y| (0..W).all(|x| rgba(&lossy, x, y)[3] == smooth_alpha(x, y)[3]));
    assert!(alpha, "alpha of lossy WebP is exact");
}

trait MapLast {
    fn map_last(self) -> [u8; 4];
}
impl MapLast for [u8; 3] {
    fn map_last(self) -> [u8; 4] {
        [self[0], self[1], self[2], 255]
    }
}

#[test]
fn inks_go_through_the_profile_where_there_is_one() {
    // By its profile this cyan is red; without one it is cyan.
    let bytes = file("cmyk_icc.jpg");
    let limits = Limits::default();
    let red = decode(&source(&bytes).unwrap(), 0, &limits).unwrap();
    let [r, g, b, _] = rgba(&red, 8, 8);
    assert!(r > 180 && g < 80 && b < 80, "{r} {g} {b}");
    assert!(red.color.icc.is_none(), "a profile of inks does not describe RGB");

    let mut cyan = bytes.clone();
    let at = cyan.windows(11).position(|name| name == b"ICC_PROFILE").unwrap();
    cyan[at] = b'X';
    let [r, g, b, _] = rgba(&decode(&source(&cyan).unwrap(), 0, &limits).unwrap(), 8, 8);
    assert!(r < 5 && g > 250 && b > 250, "{r} {g} {b}");

    // The same components, said to be YCCK by the last byte of the Adobe marker.
    let mut bytes = file("cmyk.jpg");
    let at = bytes.windows(5).position(|name| name == b"Adobe").unwrap();
    assert_eq!(bytes[at + 11], 0);
    bytes[at + 11] = 2;
    let ycck = decode(&source(&bytes).unwrap(), 0, &limits).unwrap();
    let (most, error) = difference(&ycck, |x, y| {
        // Stored: 255 - ink.
        let (luma, cb, cr) = (255.0 - f64::from(x * 5), 127.0 - f64::from(y * 6), 127.0);
        let rgb = [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb];
        rgb.map(|v| 255 - v.round().clamp(0.0, 255.0) as u8).map_last()
    });
    assert!(most <= 16 && error < 4.0, "{most} {error}");
}

/// A frame of make.py's animation. `trail`: earlier squares are still there.
fn frame(k: u32, x: u32, y: u32) -> [u8; 4] {
    let inside = (8 * k..8 * k + 12).contains(&x) && (6 * k..6 * k + 12).contains(&y);
    match (inside, k) {
        (true, _) => [200, if k & 1 == 1 { 100 } else { 0 }, 0, 255],
        (false, 3) => [0; 4],
        (false, _) => [0, 0, 200, 255],
    }
}

#[test]
fn frames_of_animations_are_whole_images() {
    for (name, mime, count) in [
        ("anim.png", "image/png", 4),
        ("anim.gif", "image/gif", 4),
        ("anim_keep.gif", "image/gif", 3),
        ("anim.webp", "image/webp", 4),
    ] {
        let source = ImageSource::from_path(&path(name)).unwrap();
        let info = *source.info();
        assert_eq!((info.mime.to_str().unwrap(), info.frames), (mime, count), "{name}");
        for k in 0..count {
            let pixels = pixels(name, k);
            for y in 0..H {
                for x in 0..W {
                    let (got, expected) = (rgba(&pixels, x, y), frame(k as u32, x, y));
                    assert!(
                        got == expected || (got[3] == 0 && expected[3] == 0),
                        "{name}, frame {k}, {x} {y}: {got:?}"
                    );
                }
            }
            let opaque = pixels.alpha == AlphaType::Opaque || k == 3 || mime == "image/webp" || k == 0;
            assert!(opaque, "{name}, frame {k}");
        }
        let error = decode(&source, count, &Limits::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutOfRange);
        assert!(error.message.contains(&count.to_string()), "{error}");
    }
}

// A PNG writer for what no library writes: every depth and colour type, interlaced or not.

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    let start = out.len();
    out.extend_from_slice(name);
    out.extend_from_slice(bytes);
    let crc = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&crc.to_be_bytes());
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    zlib.write_all(bytes).unwrap();
    zlib.finish().unwrap()
}

fn png_head(width: u32, height: u32, depth: u8, color: u8, interlaced: bool) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend_from_slice(&[depth, color, 0, 0, interlaced.into()]);
    chunk(&mut out, b"IHDR", &head);
    out
}

/// Any sample of `depth` bits, for component `c`.
fn sample(x: u32, y: u32, c: u32, depth: u8) -> u32 {
    (x * 40_503 + y * 9_973 + c * 30_011 + x * y * 77) % (1 << depth)
}

fn png(depth: u8, color: u8, interlaced: bool, between: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let components = match color {
        0 | 3 => 1,
        2 => 3,
        4 => 2,
        _ => 4,
    };
    let mut out = png_head(W, H, depth, color, interlaced);
    between(&mut out);
    // Start and step of the seven passes (PNG specification, 8.2).
    let adam: &[(u32, u32, u32, u32)] = if interlaced {
        &[(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    } else {
        &[(0, 0, 1, 1)]
    };
    let mut raw = Vec::new();
    for &(x0, y0, dx, dy) in adam {
        for y in (y0..H).step_by(dy as usize) {
            raw.push(0);
            let (mut bits, mut count) = (0u32, 0);
            for x in (x0..W).step_by(dx as usize) {
                for c in 0..components {
                    let value = sample(x, y, c, depth);
                    if depth == 16 {
                        raw.extend_from_slice(&(value as u16).to_be_bytes());
                        continue;
                    }
                    (bits, count) = (bits << depth | value, count + depth);
                    if count == 8 {
                        raw.push(bits as u8);
                        (bits, count) = (0, 0);
                    }
                }
            }
            if count > 0 {
                raw.push((bits << (8 - count)) as u8);
            }
        }
    }
    chunk(&mut out, b"IDAT", &deflate(&raw));
    chunk(&mut out, b"IEND", &[]);
    out
}

#[test]
fn png_of_every_depth_and_colour_interlaced_or_not() {
    let palette: Vec<u8> = (0..256u32).flat_map(|i| [i as u8, (i * 7) as u8, (255 - i) as u8]).collect();
    for (color, depths) in
        [(0u8, &[1u8, 2, 4, 8, 16][..]), (2, &[8, 16]), (3, &[1, 2, 4, 8]), (4, &[8, 16]), (6, &[8, 16])]
    {
        for &depth in depths {
            for (interlaced, transparent) in [(false, false), (true, false), (false, true), (true, true)] {
                let entries = 1usize << depth.min(8);
                let bytes = png(depth, color, interlaced, |out| {
                    if color == 3 {
                        chunk(out, b"PLTE", &palette[..3 * entries]);
                    }
                    if transparent && color == 3 {
                        chunk(out, b"tRNS", &[0, 100]);
                    } else if transparent && color < 3 {
                        // The colour of the pixel at 1, 1 is transparent.
                        let key = |c| (sample(1, 1, c, depth) as u16).to_be_bytes();
                        let keys = [key(0), key(1), key(2)].concat();
                        chunk(out, b"tRNS", &keys[..if color == 0 { 2 } else { 6 }]);
                    }
                });
                let what = format!("colour {color}, depth {depth}, interlaced {interlaced}, {transparent}");
                let source = source(&bytes).unwrap();
                let pixels = decode(&source, 0, &Limits::default()).unwrap();
                let alpha = transparent || color >= 4;
                assert_eq!(pixels.info().bits, if depth == 16 { 16 } else { 8 }, "{what}");
                assert_eq!(pixels.info().alpha, alpha, "{what}");
                let wide = |value: u32| (value * 255 / ((1 << depth) - 1)) as u8;
                let (most, _) = difference(&pixels, |x, y| {
                    let s = |c| sample(x, y, c, depth);
                    let key = [s(0), s(1), s(2)] == [0, 1, 2].map(|c| sample(1, 1, c, depth));
                    let gray_key = s(0) == sample(1, 1, 0, depth);
                    match color {
                        0 => {
                            let a = if transparent && gray_key { 0 } else { 255 };
                            [wide(s(0)), wide(s(0)), wide(s(0)), a]
                        }
                        2 => {
                            let a = if transparent && key { 0 } else { 255 };
                            [wide(s(0)), wide(s(1)), wide(s(2)), a]
                        }
                        3 => {
                            let i = s(0) as usize;
                            let a = if transparent { *[0, 100].get(i).unwrap_or(&255) } else { 255 };
                            [palette[3 * i], palette[3 * i + 1], palette[3 * i + 2], a]
                        }
                        4 => [wide(s(0)), wide(s(0)), wide(s(0)), wide(s(1))],
                        _ => [wide(s(0)), wide(s(1)), wide(s(2)), wide(s(3))],
                    }
                });
                assert_eq!(most, 0, "{what}");
                if depth == 16 && color == 2 && !transparent {
                    // All 16 bits, in the machine's order.
                    let row = pixels.row(0, 3);
                    let value = u16::from_ne_bytes([row[30], row[31]]);
                    assert_eq!(u32::from(value), sample(5, 3, 0, 16));
                }
            }
        }
    }
}

#[test]
fn colour_is_carried() {
    let mut icc = vec![0u8; 200];
    icc[..4].copy_from_slice(&200u32.to_be_bytes());
    icc[12..24].copy_from_slice(b"mntrRGB XYZ ");
    icc[36..40].copy_from_slice(b"acsp");
    let iccp = [b"name\0\0".to_vec(), deflate(&icc)].concat();
    let limits = Limits::default();
    let with = |bytes: Vec<u8>| decode(&source(&bytes).unwrap(), 0, &limits).unwrap();
    let pixels = with(png(8, 2, false, |out| chunk(out, b"iCCP", &iccp)));
    assert_eq!(pixels.color.icc.as_deref(), Some(&icc[..]));
    let pixels = with(png(16, 2, false, |out| {
        chunk(out, b"cICP", &[9, 16, 0, 1]);
        chunk(out, b"cLLI", &[10_000_000u32.to_be_bytes(), 2_000_000u32.to_be_bytes()].concat());
        chunk(out, b"iCCP", &iccp);
    }));
    let cicp = pixels.color.cicp;
    assert_eq!((cicp.primaries, cicp.transfer, cicp.matrix, cicp.full_range), (9, 16, 0, true));
    assert!(pixels.color.icc.is_none(), "code points go before a profile");
    assert_eq!((pixels.light.max_cll, pixels.light.max_fall), (1000, 200));
    // A profile that is none is left out.
    let broken = [b"name\0\0".to_vec(), deflate(&icc[..100])].concat();
    assert!(with(png(8, 2, false, |out| chunk(out, b"iCCP", &broken))).color.icc.is_none());
}

const ALL: &[&str] = &[
    "rgb.jpg",
    "420.jpg",
    "progressive.jpg",
    "gray.jpg",
    "turned.jpg",
    "cmyk.jpg",
    "cmyk_icc.jpg",
    "turned.png",
    "anim.png",
    "anim.gif",
    "anim_keep.gif",
    "anim.webp",
    "turned.webp",
    "lossy.webp",
    "lossless.webp",
    "opaque.webp",
    "rgb.bmp",
    "rgba.bmp",
    "bits.bmp",
    "rgb.tif",
    "rgba.tif",
    "turned.tif",
    "cmyk.tif",
    "cmyk_icc.tif",
    "gray16.tif",
    "icon.ico",
];

/// Decodes all frames.
fn all(bytes: &[u8]) -> std::result::Result<(), Error> {
    let source = source(bytes)?;
    for frame in 0..source.info().frames.min(8) {
        decode(&source, frame, &Limits::default())?;
    }
    Ok(())
}

#[test]
fn data_that_ends_early_is_an_error() {
    for name in ALL {
        let bytes = file(name);
        all(&bytes).unwrap();
        for part in 0..20 {
            let len = bytes.len() * part / 20;
            let result = all(&bytes[..len]);
            // A GIF says nowhere how many frames it has.
            let gif = name.ends_with(".gif") && result.is_ok();
            if !gif {
                let error = result.expect_err(&format!("{name}, {len} of {} bytes", bytes.len()));
                let known = [ErrorKind::BadData, ErrorKind::UnknownFormat];
                assert!(known.contains(&error.kind), "{name}, {len} bytes: {error:?}");
                assert!(!error.message.contains("panicked") && error.message.len() > 20, "{name}: {error}");
            }
        }
        // Not even the last byte of a JPEG is dispensable.
        if name.ends_with(".jpg") {
            assert!(all(&bytes[..bytes.len() - 1]).is_err(), "{name}");
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for name in ALL {
        let bytes = file(name);
        for round in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..=round % 4 {
                // Half of the damage goes into the headers.
                let at = next(if round % 2 == 0 { bytes.len() } else { bytes.len().min(200) });
                damaged[at] ^= 1 << next(8);
            }
            if let Err(error) = all(&damaged) {
                let known = [
                    ErrorKind::BadData,
                    ErrorKind::UnknownFormat,
                    ErrorKind::TooLarge,
                    ErrorKind::OutOfRange,
                ];
                assert!(known.contains(&error.kind), "{name}: {error:?}");
            }
        }
    }
}

#[test]
fn bombs_are_refused_by_their_headers() {
    // 16384 x 16384 pixels of one bit in about 32 KB.
    let mut bomb = png_head(16384, 16384, 1, 0, false);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..16384).for_each(|_| zlib.write_all(&[0; 2049]).unwrap());
    chunk(&mut bomb, b"IDAT", &zlib.finish().unwrap());
    chunk(&mut bomb, b"IEND", &[]);
    assert!(bomb.len() < 200_000);
    let bomb = Arc::new(source(&bomb).unwrap());
    let packer = Packer::default();
    let options = Options::new("image/jpeg", 80).unwrap();
    let pack = || {
        let input = Input::Source(bomb.clone());
        packer.pack(input, &options, &mut Buffer::default(), &Control::default()).unwrap_err()
    };
    packer.limits.set_memory(64 << 20);
    let error = pack();
    assert_eq!(error.kind, ErrorKind::MemoryLimit);
    assert!(error.message.contains("67108864"), "{error}");
    packer.limits.set_max_pixels(100_000_000);
    let error = pack();
    assert_eq!(error.kind, ErrorKind::TooLarge);
    assert!(error.message.contains("268435456") && error.message.contains("100000000"), "{error}");

    // Sides past every limit, for every format that states them in one place.
    let limits = Limits::default();
    let png = png_head(0x7fff_ffff, 0x7fff_ffff, 16, 6, false);
    let mut png = png;
    chunk(&mut png, b"IDAT", &deflate(&[0; 64]));
    let mut jpeg = file("rgb.jpg");
    let sof = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[sof + 5..sof + 9].fill(0xff);
    let mut bmp = file("rgb.bmp");
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    let mut webp = file("turned.webp");
    webp[24..30].fill(0xff);
    let mut gif = file("anim.gif");
    gif[6..10].fill(0xff);
    for (name, bytes) in [("png", png), ("jpeg", jpeg), ("bmp", bmp), ("webp", webp), ("gif", gif)] {
        let error = source(&bytes).and_then(|source| decode(&source, 0, &limits)).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::TooLarge | ErrorKind::BadData), "{name}: {error:?}");
    }

    // A profile of a gigabyte of zeros in one megabyte.
    let mut zlib = flate2::write::ZlibEncoder::new(b"name\0\0".to_vec(), flate2::Compression::fast());
    (0..64).for_each(|_| zlib.write_all(&[0; 1 << 20]).unwrap());
    let bytes = zlib.finish().unwrap();
    let bytes = self::png(8, 2, false, |out| {
        chunk(out, b"iCCP", &bytes);
        chunk(out, b"zTXt", &bytes);
    });
    if let Ok(source) = source(&bytes) {
        let pixels = decode(&source, 0, &limits);
        assert!(pixels.is_err() || pixels.unwrap().color.icc.is_none());
    }
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    for bytes in [
        &b""[..],
        b"x",
        b"%PDF-1.7 and so on",
        &[0; 100],
        b"BM is not enough for a bitmap",
        b"RIFF\0\0\0\0WAVE",
    ] {
        let error = source(bytes).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownFormat, "{error}");
    }
}

/// Counts what is read, and fails from some offset on.
struct Counting<'a> {
    bytes: Vec<u8>,
    read: &'a AtomicU64,
    fails_at: u64,
}

impl ReadAt for Counting<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        if offset + buffer.len() as u64 > self.fails_at {
            return Err(Error::new(ErrorKind::Read, format!("no data at {offset}")));
        }
        let start = (offset as usize).min(self.bytes.len());
        let count = buffer.len().min(self.bytes.len() - start);
        buffer[..count].copy_from_slice(&self.bytes[start..start + count]);
        self.read.fetch_add(count as u64, Relaxed);
        Ok(count)
    }
}

#[test]
fn only_headers_are_read_at_creation() {
    static READ: AtomicU64 = AtomicU64::new(0);
    for name in ["rgb.jpg", "turned.png", "anim.png", "opaque.webp", "rgb.bmp", "rgba.bmp"] {
        // Far behind the header there may be anything.
        let mut bytes = file(name);
        bytes.resize(10 << 20, 0x55);
        READ.store(0, Relaxed);
        let reader = Counting { bytes, read: &READ, fails_at: u64::MAX };
        let source = ImageSource::from_reader(Box::new(reader)).unwrap();
        assert_eq!((source.info().width, source.info().height), (W, H));
        assert!(READ.load(Relaxed) <= 64 << 10, "{name}: {}", READ.load(Relaxed));
    }
    for name in ALL {
        let reader = Counting { bytes: file(name), read: &READ, fails_at: 0 };
        let error = ImageSource::from_reader(Box::new(reader)).unwrap_err();
        assert_eq!((error.kind, &*error.message), (ErrorKind::Read, "no data at 0"), "{name}");
        let mut bytes = file(name);
        bytes.resize(bytes.len().max(40_000), 0);
        let reader = Counting { bytes, read: &READ, fails_at: 20_000 };
        if let Ok(source) = ImageSource::from_reader(Box::new(reader)) {
            let error = decode(&source, 0, &Limits::default()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Read, "{name}: {error}");
        }
    }
}

#[test]
fn a_descriptor_keeps_its_offset() {
    use std::io::Seek as _;
    for name in ["rgb.jpg", "turned.png", "anim.gif", "lossy.webp", "rgb.tif", "rgb.bmp"] {
        let mut file = fs::File::open(path(name)).unwrap();
        file.seek(std::io::SeekFrom::Start(7)).unwrap();
        let source = ImageSource::from_fd(file.try_clone().unwrap().into()).unwrap();
        decode(&source, 0, &Limits::default()).unwrap();
        assert_eq!(file.stream_position().unwrap(), 7, "{name}");
        assert!(file.as_raw_fd() >= 0);
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_before_memory_is_asked_for() {
    let path = std::env::temp_dir().join(format!("image_packer-large-{}.jpg", std::process::id()));
    fs::write(&path, file("rgb.jpg")).unwrap();
    // A hole: it takes no space, and read into memory it would take all there is.
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let source = ImageSource::from_path(&path);
    fs::remove_file(&path).unwrap();
    let error = decode(&source.unwrap(), 0, &Limits::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge, "{error}");
}

#[test]
fn every_source_packs_into_lossless_webp_and_png() {
    let packer = Packer::default();
    for name in ALL {
        let source = Arc::new(ImageSource::from_path(&path(name)).unwrap());
        let pixels = pixels(name, 0);
        let mime = if pixels.info().bits > 8 { "image/png" } else { "image/webp" };
        let mut options = Options::new(mime, 90).unwrap();
        options.lossless = true;
        options.set_effort(1).unwrap();
        let mut file = Buffer::default();
        let input = Input::Source(source);
        if let Err(error) = packer.pack(input, &options, &mut file, &Control::default()) {
            panic!("{name}: {error}");
        }
        let again = ImageSource::from_copy(file.as_slice()).unwrap();
        let again = decode(&again, 0, &Limits::default()).unwrap();
        let (most, _) = difference(&again, |x, y| rgba(&pixels, x, y));
        assert_eq!(most, 0, "{name}");
    }
}
