//! Rows of every pixel format in every layout, compared with a slow reference in double precision that was
//! written apart from the library's own arithmetic.

use std::sync::Arc;

use image_packer::{
    error::ErrorKind,
    model::{
        color::Cicp,
        options::Options,
        pixel_format::{FORMATS, PixelFormat},
        pixelmap::{AlphaType, Pixels},
    },
    pack::{control::Control, pool::Pool},
    pixels::{Layout, Rows, Sampling, Scratch, YuvLayout, YuvPacking, hdr},
};

/// A small generator: the tests are the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

const BACKGROUND: [u8; 3] = [200, 100, 50];

fn options() -> Options {
    let mut options = Options::new("image/jpeg", 90).unwrap();
    options.background = BACKGROUND;
    options
}

fn layouts() -> Vec<Layout> {
    let mut layouts = vec![
        Layout::Gray8,
        Layout::GrayA8,
        Layout::Rgb8,
        Layout::Bgr8,
        Layout::Rgbx8,
        Layout::Bgrx8,
        Layout::Xrgb8,
        Layout::Rgba8,
        Layout::Bgra8,
        Layout::Gray16,
        Layout::GrayA16,
        Layout::Rgb16,
        Layout::Rgba16,
    ];
    for sampling in [Sampling::Yuv420, Sampling::Yuv422, Sampling::Yuv444] {
        for packing in [YuvPacking::Planar, YuvPacking::CbCr, YuvPacking::CrCb] {
            for (bits, matrix, full_range) in [(8, 6, true), (8, 6, false), (8, 1, false), (10, 9, false)] {
                layouts.push(Layout::Yuv(YuvLayout { sampling, packing, bits, matrix, full_range }));
            }
        }
    }
    layouts
}

/// Bytes of a pixel map with legal values: premultiplied colour does not exceed alpha, floats are from 0 to 1.
fn bytes(format: PixelFormat, premultiplied: bool, size: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
    let limit = |color: u64, alpha: u64| if premultiplied && alpha > 0 { color % (alpha + 1) } else { color };
    match format {
        PixelFormat::Rgba8888 | PixelFormat::Bgra8888 => bytes.chunks_exact_mut(4).for_each(|p| {
            for i in 0..3 {
                p[i] = if premultiplied && p[3] == 0 { 0 } else { limit(p[i].into(), p[3].into()) as u8 };
            }
        }),
        PixelFormat::Argb8888 => bytes.chunks_exact_mut(4).for_each(|p| {
            for i in 1..4 {
                p[i] = if premultiplied && p[0] == 0 { 0 } else { limit(p[i].into(), p[0].into()) as u8 };
            }
        }),
        PixelFormat::GrayAlpha88 if premultiplied => {
            bytes.chunks_exact_mut(2).for_each(|p| p[0] = p[0].min(p[1]));
        }
        PixelFormat::Rgba1010102 if premultiplied => bytes.chunks_exact_mut(4).for_each(|p| {
            let v = u32::from_ne_bytes([p[0], p[1], p[2], p[3]]);
            let top = (v >> 30) * 341;
            let c = [0, 10, 20].map(|shift| ((v >> shift) & 1023).min(top));
            p.copy_from_slice(&(c[0] | c[1] << 10 | c[2] << 20 | (v >> 30) << 30).to_ne_bytes());
        }),
        PixelFormat::Rgba16161616 if premultiplied => bytes.chunks_exact_mut(8).for_each(|p| {
            let alpha = u16::from_ne_bytes([p[6], p[7]]);
            for i in [0, 2, 4] {
                let c = u16::from_ne_bytes([p[i], p[i + 1]]).min(alpha);
                p[i..i + 2].copy_from_slice(&c.to_ne_bytes());
            }
        }),
        PixelFormat::RgbaF16 => bytes.chunks_exact_mut(8).for_each(|p| {
            // 0x3c00 is 1.0; the smaller number is the smaller pattern.
            let [r, g, b, a] = [0, 2, 4, 6].map(|i| u16::from_ne_bytes([p[i], p[i + 1]]) % 0x3c01);
            let top = if premultiplied { a } else { 0x3c00 };
            for (i, v) in [r.min(top), g.min(top), b.min(top), a].into_iter().enumerate() {
                p[2 * i..2 * i + 2].copy_from_slice(&v.to_ne_bytes());
            }
        }),
        PixelFormat::RgbaF32 => bytes.chunks_exact_mut(16).for_each(|p| {
            let v = [0, 4, 8, 12].map(|i| f32::from(u16::from_ne_bytes([p[i], p[i + 1]])) / 65535.0);
            for (i, c) in v.into_iter().enumerate() {
                let c = if premultiplied && i < 3 { c * v[3] } else { c };
                p[4 * i..4 * i + 4].copy_from_slice(&c.to_ne_bytes());
            }
        }),
        _ => {}
    }
    bytes
}

fn weights(matrix: u8) -> (f64, f64) {
    match matrix {
        1 => (0.2126, 0.0722),
        9 => (0.2627, 0.0593),
        _ => (0.299, 0.114),
    }
}

/// Offset and extent of luma and chroma codes.
fn ranges(full: bool, bits: u8) -> [f64; 4] {
    let scale = f64::from(1u32 << (bits - 8));
    let max = f64::from((1u32 << bits) - 1);
    if full { [0.0, max, 128.0 * scale, max] } else { [16.0, 219.0, 128.0, 224.0].map(|v| v * scale) }
}

fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let value = if exponent == 0 {
        mantissa / 1024.0 * 2f64.powi(-14)
    } else {
        (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15)
    };
    if bits & 0x8000 != 0 { -value } else { value }
}

/// One pixel: red, green, blue, alpha as the format stores them, 0 to 1.
fn stored(pixels: &Pixels, x: u32, y: u32) -> [f64; 4] {
    let info = pixels.info();
    let at = |plane: usize, x: u32, y: u32, i: usize| {
        f64::from(pixels.row(plane, y)[x as usize * info.planes[plane].bytes as usize + i])
    };
    let u16_at = |plane: usize, x: u32, y: u32, i: usize| {
        let start = x as usize * info.planes[plane].bytes as usize + 2 * i;
        let row = pixels.row(plane, y);
        u16::from_ne_bytes([row[start], row[start + 1]])
    };
    let byte = |i: usize| at(0, x, y, i) / 255.0;
    let word = |i: usize| f64::from(u16_at(0, x, y, i)) / 65535.0;
    let single = |i: usize| {
        let start = x as usize * 16 + 4 * i;
        f64::from(f32::from_ne_bytes(pixels.row(0, y)[start..start + 4].try_into().unwrap()))
    };
    match info.format {
        PixelFormat::Rgba8888 => [byte(0), byte(1), byte(2), byte(3)],
        PixelFormat::Bgra8888 => [byte(2), byte(1), byte(0), byte(3)],
        PixelFormat::Argb8888 => [byte(1), byte(2), byte(3), byte(0)],
        PixelFormat::Rgb888 | PixelFormat::Rgbx8888 => [byte(0), byte(1), byte(2), 1.0],
        PixelFormat::Bgr888 | PixelFormat::Bgrx8888 => [byte(2), byte(1), byte(0), 1.0],
        PixelFormat::Rgb565 => {
            let v = u16_at(0, x, y, 0);
            [f64::from(v >> 11) / 31.0, f64::from(v >> 5 & 63) / 63.0, f64::from(v & 31) / 31.0, 1.0]
        }
        PixelFormat::Rgba1010102 => {
            let row = &pixels.row(0, y)[4 * x as usize..];
            let v = u32::from_ne_bytes(row[..4].try_into().unwrap());
            let c = |shift: u32| f64::from(v >> shift & 1023) / 1023.0;
            [c(0), c(10), c(20), f64::from(v >> 30) / 3.0]
        }
        PixelFormat::Alpha8 => [0.0, 0.0, 0.0, byte(0)],
        PixelFormat::Gray8 => [byte(0), byte(0), byte(0), 1.0],
        PixelFormat::GrayAlpha88 => [byte(0), byte(0), byte(0), byte(1)],
        PixelFormat::Gray16 => [word(0), word(0), word(0), 1.0],
        PixelFormat::Rgb161616 => [word(0), word(1), word(2), 1.0],
        PixelFormat::Rgba16161616 => [word(0), word(1), word(2), word(3)],
        PixelFormat::RgbaF16 => [0, 1, 2, 3].map(|i| half(u16_at(0, x, y, i))),
        PixelFormat::RgbaF32 => [single(0), single(1), single(2), single(3)],
        _ => {
            let (bits, [luma, cb, cr]) = codes(pixels, x, y);
            let cicp = pixels.color.cicp;
            let [black, extent, neutral, spread] = ranges(cicp.full_range, bits);
            let (kr, kb) = weights(cicp.matrix);
            let (l, pb, pr) = ((luma - black) / extent, (cb - neutral) / spread, (cr - neutral) / spread);
            let (r, b) = (l + 2.0 * (1.0 - kr) * pr, l + 2.0 * (1.0 - kb) * pb);
            [r, (l - kr * r - kb * b) / (1.0 - kr - kb), b, 1.0]
        }
    }
}

/// Luma and chroma codes of a pixel.
fn codes(pixels: &Pixels, x: u32, y: u32) -> (u8, [f64; 3]) {
    let byte = |plane: usize, x: u32, y: u32| f64::from(pixels.row(plane, y)[x as usize]);
    let word = |plane: usize, x: u32, y: u32| {
        let row = &pixels.row(plane, y)[2 * x as usize..];
        f64::from(u16::from_ne_bytes([row[0], row[1]]) >> 6)
    };
    let (cx, cy) = (x / 2, y / 2);
    match pixels.info().format {
        PixelFormat::Nv12 => (8, [byte(0, x, y), byte(1, 2 * cx, cy), byte(1, 2 * cx + 1, cy)]),
        PixelFormat::Nv21 => (8, [byte(0, x, y), byte(1, 2 * cx + 1, cy), byte(1, 2 * cx, cy)]),
        PixelFormat::YcbcrP010 => (10, [word(0, x, y), word(1, 2 * cx, cy), word(1, 2 * cx + 1, cy)]),
        PixelFormat::YcrcbP010 => (10, [word(0, x, y), word(1, 2 * cx + 1, cy), word(1, 2 * cx, cy)]),
        PixelFormat::I420 => (8, [byte(0, x, y), byte(1, cx, cy), byte(2, cx, cy)]),
        PixelFormat::I422 => (8, [byte(0, x, y), byte(1, cx, y), byte(2, cx, y)]),
        _ => (8, [byte(0, x, y), byte(1, x, y), byte(2, x, y)]),
    }
}

/// What the layout has to show of a pixel, not clipped where it comes from luma and chroma.
fn expected(pixels: &Pixels, alpha: bool, x: u32, y: u32) -> [f64; 4] {
    let [r, g, b, a] = stored(pixels, x, y);
    if !pixels.has_alpha() {
        return [r, g, b, 1.0];
    }
    let premultiplied = pixels.alpha == AlphaType::Premultiplied;
    let mut color = [r, g, b];
    for (c, under) in color.iter_mut().zip(BACKGROUND) {
        let under = f64::from(under) / 255.0;
        *c = match (alpha, premultiplied) {
            (true, true) if a == 0.0 => 0.0,
            (true, true) => (*c / a).min(1.0),
            (true, false) => *c,
            (false, true) => *c + under * (1.0 - a),
            (false, false) => *c * a + under * (1.0 - a),
        };
    }
    [color[0], color[1], color[2], if alpha { a } else { 1.0 }]
}

/// Steps of the layout that a result may be off: RGB_565 is widened to 8 bits first; luma and chroma become 16
/// bits in fixed point.
fn slack(pixels: &Pixels, layout: Layout) -> f64 {
    match (pixels.info().format, layout.bits()) {
        (PixelFormat::Rgb565, 10) => 4.0,
        (PixelFormat::Rgb565, 16) => 257.0,
        (_, 16) if pixels.info().yuv => 16.0,
        (_, 16) if layout.is_gray() => 2.0,
        // Half a step of 16 bits, divided by an alpha of a third.
        (PixelFormat::Rgba1010102, 16) => 2.0,
        _ => 1.0,
    }
}

fn check(pixels: Pixels, layout: Layout, band: u32) {
    let pixels = Arc::new(pixels);
    let rows = Rows::new(pixels.clone(), layout, &options()).unwrap();
    let (width, height) = (pixels.width(), pixels.height());
    let mut scratch = Scratch::default();
    let name = format!(
        "{} {:?} {width}x{height} -> {layout:?}{}",
        pixels.info().name,
        pixels.alpha,
        if rows.is_direct() { " (direct)" } else { "" }
    );
    let near = |got: f64, want: f64, what: &str| {
        assert!((got - want).abs() <= 1.0, "{name}: {what}: {got}, expected {want}");
    };
    for first in (0..height).step_by(band as usize) {
        let last = (first + band).min(height);
        let band = rows.band(first..last, &mut scratch).unwrap();
        if let Layout::Yuv(yuv) = layout {
            let slack = slack(&pixels, layout);
            let near = |got: f64, want: f64, what: &str| near(got / slack, want / slack, what);
            check_yuv(&pixels, yuv, first..last, &band, &near);
            continue;
        }
        let step = layout.pixel_bytes();
        for y in first..last {
            let row = band.planes[0].row((y - first) as usize, width as usize * step);
            for x in 0..width {
                let p = &row[x as usize * step..][..step];
                let clipped = expected(&pixels, layout.has_alpha(), x, y).map(|c| c.clamp(0.0, 1.0));
                let [r, g, b, a] = clipped.map(|c| c * if layout.bits() == 8 { 255.0 } else { 65535.0 });
                let matrix = if pixels.info().yuv { pixels.color.cicp.matrix } else { 6 };
                let (kr, kb) = weights(matrix);
                let gray = kr * r + (1.0 - kr - kb) * g + kb * b;
                let word = |i: usize| f64::from(u16::from_ne_bytes([p[2 * i], p[2 * i + 1]]));
                let byte = |i: usize| f64::from(p[i]);
                let (got, want) = match layout {
                    Layout::Gray8 if pixels.info().yuv => {
                        // Luma, however far the colour is outside of the gamut.
                        let [r, g, b, _] = expected(&pixels, false, x, y).map(|c| c * 255.0);
                        (vec![byte(0)], vec![(kr * r + (1.0 - kr - kb) * g + kb * b).clamp(0.0, 255.0)])
                    }
                    Layout::Gray8 => (vec![byte(0)], vec![gray]),
                    Layout::GrayA8 => (vec![byte(0), byte(1)], vec![gray, a]),
                    Layout::Rgb8 | Layout::Rgbx8 => ((0..3).map(byte).collect(), vec![r, g, b]),
                    Layout::Bgr8 | Layout::Bgrx8 => ((0..3).map(byte).collect(), vec![b, g, r]),
                    Layout::Xrgb8 => ((1..4).map(byte).collect(), vec![r, g, b]),
                    Layout::Rgba8 => ((0..4).map(byte).collect(), vec![r, g, b, a]),
                    Layout::Bgra8 => ((0..4).map(byte).collect(), vec![b, g, r, a]),
                    Layout::Gray16 => (vec![word(0)], vec![gray]),
                    Layout::GrayA16 => (vec![word(0), word(1)], vec![gray, a]),
                    Layout::Rgb16 => ((0..3).map(word).collect(), vec![r, g, b]),
                    Layout::Rgba16 => ((0..4).map(word).collect(), vec![r, g, b, a]),
                    Layout::Yuv(_) => unreachable!(),
                };
                let slack = slack(&pixels, layout);
                for (got, want) in got.into_iter().zip(want) {
                    near(got / slack, want / slack, &format!("({x}, {y})"));
                }
            }
        }
    }
}

fn check_yuv(
    pixels: &Pixels,
    yuv: YuvLayout,
    rows: std::ops::Range<u32>,
    band: &image_packer::pixels::Band<'_>,
    near: &dyn Fn(f64, f64, &str),
) {
    let (width, height) = (pixels.width(), pixels.height());
    let (sx, sy) = yuv.sampling.shifts();
    let sample = usize::from(yuv.bits.div_ceil(8));
    let code = |plane: usize, column: usize, y: u32, columns: usize| {
        let row = band.planes[plane].row(y as usize, columns * sample);
        match sample {
            1 => f64::from(row[column]),
            _ => f64::from(u16::from_ne_bytes([row[2 * column], row[2 * column + 1]])),
        }
    };
    let [black, extent, neutral, spread] = ranges(yuv.full_range, yuv.bits);
    let max = f64::from((1u32 << yuv.bits) - 1);
    let (kr, kb) = weights(yuv.matrix);
    // Colours of luma and chroma may be outside of red, green, blue and stay so; all others are in it.
    let clip = |c: f64| if pixels.info().yuv { c } else { c.clamp(0.0, 1.0) };
    let ycc = |[r, g, b, _]: [f64; 4]| {
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        [y, (b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr))]
    };
    for y in rows.clone() {
        for x in 0..width {
            let [luma, ..] = ycc(expected(pixels, false, x, y).map(clip));
            let got = code(0, x as usize, y - rows.start, width as usize);
            near(got, (black + luma * extent).clamp(0.0, max), &format!("luma ({x}, {y})"));
        }
    }
    let columns = (width as usize).div_ceil(1 << sx);
    for y in rows.start >> sy..rows.end.div_ceil(1 << sy) {
        for x in 0..columns as u32 {
            let mut mean = [0.0; 2];
            for (i, j) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let px = ((x << sx) + (i & sx)).min(width - 1);
                let py = ((y << sy) + (j & sy)).min(height - 1);
                let [_, cb, cr] = ycc(expected(pixels, false, px, py).map(clip));
                mean = [mean[0] + cb / 4.0, mean[1] + cr / 4.0];
            }
            let row = y - (rows.start >> sy);
            let got = match yuv.packing {
                YuvPacking::Planar => [1, 2].map(|p| code(p, x as usize, row, columns)),
                YuvPacking::CbCr => [0, 1].map(|i| code(1, 2 * x as usize + i, row, 2 * columns)),
                YuvPacking::CrCb => [1, 0].map(|i| code(1, 2 * x as usize + i, row, 2 * columns)),
            };
            for (got, mean) in got.into_iter().zip(mean) {
                near(got, (neutral + mean * spread).clamp(0.0, max), &format!("chroma ({x}, {y})"));
            }
        }
    }
}

#[test]
fn every_format_in_every_layout() {
    let mut random = Random(7);
    let tile = 512;
    for info in FORMATS {
        let mut alphas = vec![AlphaType::Opaque];
        if info.alpha {
            alphas.extend([AlphaType::Unpremultiplied, AlphaType::Premultiplied]);
        }
        for alpha in alphas {
            for (width, height, pad, band) in
                [(1, 1, 0, 16), (2, 2, 0, 2), (7, 5, 3, 2), (33, 6, 16, 4), (tile + 3, 3, 0, 16)]
            {
                for layout in layouts() {
                    let first = info.planes[0];
                    let stride = (width + pad) as usize * usize::from(first.bytes);
                    let bytes = bytes(
                        info.format,
                        alpha == AlphaType::Premultiplied,
                        stride * height as usize * 3 + stride * 4,
                        &mut random,
                    );
                    let mut pixels = Pixels::copy_from(width, height, info.format, &bytes, stride).unwrap();
                    pixels.alpha = alpha;
                    if info.yuv {
                        (pixels.color.cicp.matrix, pixels.color.cicp.full_range) =
                            [(6, true), (6, false), (1, false), (9, false)][random.next() as usize % 4];
                    }
                    check(pixels, layout, band);
                }
            }
        }
    }
}

fn converted(pixels: Pixels, layout: Layout) -> (Arc<Rows>, Vec<u8>) {
    let rows = Rows::new(Arc::new(pixels), layout, &options()).unwrap();
    let mut scratch = Scratch::default();
    let bytes = rows.width() as usize * layout.pixel_bytes();
    let band = rows.band(0..rows.height(), &mut scratch).unwrap();
    let all = (0..rows.height() as usize).flat_map(|y| band.planes[0].row(y, bytes).to_vec()).collect();
    (Arc::new(rows), all)
}

#[test]
fn premultiplied_colour_is_undone_exactly() {
    // Every colour and alpha of 8 bits: 256 x 256 pixels.
    let bytes: Vec<u8> =
        (0..=255u8).flat_map(|a| (0..=255u8).flat_map(move |c| [c.min(a), a / 2, 0, a])).collect();
    let mut pixels = Pixels::copy_from(256, 256, PixelFormat::Rgba8888, &bytes, 0).unwrap();
    pixels.alpha = AlphaType::Premultiplied;
    let (_, straight) = converted(pixels, Layout::Rgba8);
    for (before, after) in bytes.chunks_exact(4).zip(straight.chunks_exact(4)) {
        let a = u32::from(before[3]);
        assert_eq!(after[3], before[3]);
        for i in 0..3 {
            let (c, u) = (u32::from(before[i]), u32::from(after[i]));
            assert!(a > 0 || u == 0);
            assert!((u * a).abs_diff(c * 255) * 2 <= a, "{c} of {a} became {u}");
            assert_eq!((u * a + 127) / 255, c, "{c} of {a} became {u}");
        }
    }
    // 16 bits: every alpha with some colours.
    let mut random = Random(3);
    let words: Vec<u16> =
        (0..=65535u16).flat_map(|a| [a, a / 2, (random.next() % (u64::from(a) + 1)) as u16, a]).collect();
    let bytes: Vec<u8> = words.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let mut pixels = Pixels::copy_from(256, 256, PixelFormat::Rgba16161616, &bytes, 0).unwrap();
    pixels.alpha = AlphaType::Premultiplied;
    let (_, straight) = converted(pixels, Layout::Rgba16);
    let straight: Vec<u16> = straight.chunks_exact(2).map(|v| u16::from_ne_bytes([v[0], v[1]])).collect();
    for (before, after) in words.chunks_exact(4).zip(straight.chunks_exact(4)) {
        let a = u64::from(before[3]);
        for i in 0..3 {
            let (c, u) = (u64::from(before[i]), u64::from(after[i]));
            assert!((u * a).abs_diff(c * 65535) * 2 <= a, "{c} of {a} became {u}");
            assert_eq!((u * a + 32767) / 65535, c, "{c} of {a} became {u}");
        }
    }
}

#[test]
fn rows_that_need_no_conversion_are_lent() {
    let yuv = |sampling, packing, matrix, full_range| {
        Layout::Yuv(YuvLayout { sampling, packing, bits: 8, matrix, full_range })
    };
    let (s420, planar) = (Sampling::Yuv420, YuvPacking::Planar);
    let opaque = AlphaType::Opaque;
    let straight = AlphaType::Unpremultiplied;
    for (format, alpha, layout, direct) in [
        (PixelFormat::Rgba8888, straight, Layout::Rgba8, true),
        (PixelFormat::Rgba8888, opaque, Layout::Rgbx8, true),
        (PixelFormat::Rgba8888, opaque, Layout::Rgba8, false),
        (PixelFormat::Rgba8888, straight, Layout::Rgbx8, false),
        (PixelFormat::Rgba8888, AlphaType::Premultiplied, Layout::Rgba8, false),
        (PixelFormat::Bgra8888, straight, Layout::Bgra8, true),
        (PixelFormat::Bgra8888, opaque, Layout::Bgrx8, true),
        (PixelFormat::Argb8888, opaque, Layout::Xrgb8, true),
        (PixelFormat::Bgr888, opaque, Layout::Bgr8, true),
        (PixelFormat::Gray16, opaque, Layout::Gray16, true),
        (PixelFormat::Rgb161616, opaque, Layout::Rgb16, true),
        (PixelFormat::Rgba16161616, straight, Layout::Rgba16, true),
        (PixelFormat::I420, opaque, yuv(s420, planar, 6, true), true),
        (PixelFormat::I420, opaque, yuv(s420, planar, 5, true), true),
        (PixelFormat::I420, opaque, yuv(s420, planar, 6, false), false),
        (PixelFormat::I420, opaque, yuv(s420, planar, 1, true), false),
        (PixelFormat::Nv12, opaque, yuv(s420, YuvPacking::CbCr, 6, true), true),
        (PixelFormat::Nv12, opaque, yuv(s420, YuvPacking::CrCb, 6, true), false),
        (PixelFormat::Nv21, opaque, yuv(s420, YuvPacking::CrCb, 6, true), true),
        (PixelFormat::I422, opaque, yuv(Sampling::Yuv422, planar, 6, true), true),
        (PixelFormat::I444, opaque, yuv(Sampling::Yuv444, planar, 6, true), true),
        (PixelFormat::Nv12, opaque, Layout::Gray8, true),
    ] {
        let bytes = vec![9; 20 * 20 * 16];
        let mut pixels = Pixels::copy_from(16, 16, format, &bytes, 0).unwrap();
        pixels.alpha = alpha;
        let rows = Rows::new(Arc::new(pixels), layout, &options()).unwrap();
        let mut scratch = Scratch::default();
        let band = rows.band(4..8, &mut scratch).unwrap();
        let lent = std::ptr::eq(band.planes[0].bytes.as_ptr(), rows.pixels().row(0, 4).as_ptr());
        // Where only the packing of chroma differs, luma is lent all the same.
        let luma = matches!((format, layout), (PixelFormat::Nv12, Layout::Yuv(_)));
        assert_eq!((rows.is_direct(), lent || direct), (direct, direct || luma), "{format:?} -> {layout:?}");
        assert!(lent || !direct);
    }
}

/// Neutral patches of 8 x 8 pixels in a row, encoded by a transfer function; the last fills half of the image.
fn patches(signals: &[f64], transfer: u8) -> Pixels {
    let width = signals.len() as u32 * 8;
    let row: Vec<u8> = (0..width * 2)
        .flat_map(|x| {
            let signal = signals[(x as usize / 8).min(signals.len() - 1)];
            let code = (signal * 1023.0).round() as u32;
            (code | code << 10 | code << 20 | 3 << 30).to_ne_bytes()
        })
        .collect();
    let mut pixels = Pixels::copy_from(width * 2, 8, PixelFormat::Rgba1010102, &row.repeat(8), 0).unwrap();
    pixels.alpha = AlphaType::Opaque;
    pixels.color.cicp = Cicp { primaries: 9, transfer, matrix: 9, full_range: true };
    pixels
}

#[test]
fn high_dynamic_range_becomes_a_bright_standard_image_in_display_p3() {
    let pq = |nits: f64| {
        let p = (nits / 10_000.0).powf(0.159_301_757_812_5);
        ((0.835_937_5 + 18.851_562_5 * p) / (1.0 + 18.6875 * p)).powf(78.84375)
    };
    let nits = [20.0, 50.0, 100.0, 203.0, 400.0, 1000.0];
    let base = developed(&patches(&nits.map(pq), 16), 12);
    for (i, code) in [88, 136, 186, 229, 250, 255].into_iter().enumerate() {
        let got = base.row(0, 0).as_chunks::<3>().0[i * 8];
        assert!(got.iter().all(|c| c.abs_diff(code) <= 2), "{} nits: {got:?}, not {code}", nits[i]);
    }
    assert_eq!(base.color.cicp, Cicp { primaries: 12, ..Cicp::SRGB });
    assert!(Rows::new(Arc::new(base), Layout::Rgb8, &options()).unwrap().icc().is_some());
    // HLG with the reference display of 1000 nits: 75 % is diffuse white.
    let base = developed(&patches(&[0.75, 1.0], 18), 12);
    assert!(base.row(0, 0)[..3].iter().all(|c| c.abs_diff(229) <= 2), "{:?}", &base.row(0, 0)[..3]);
    // Nothing brighter than white: nothing is changed but the transfer function.
    let base = developed(&patches(&[pq(20.0), pq(203.0)], 16), 12);
    let out = base.row(0, 0);
    assert!(out[0].abs_diff(88) <= 2 && out[8 * 3] == 255, "{} {}", out[0], out[24]);
    // Linear floats: 1.0 is white, sRGB stays sRGB.
    let floats: Vec<u8> = [0.5f32, 0.25, -0.1, 1.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
    let mut pixels = Pixels::copy_from(1, 1, PixelFormat::RgbaF32, &floats, 0).unwrap();
    pixels.color.cicp.transfer = 8;
    let base = developed(&pixels, 1);
    // A third of the way from (0.5, 0.25, -0.1) to where no component is below 0: (0.5, 0.264, -0.067).
    assert_eq!(base.row(0, 0), [188, 141, 0, 255]);
    assert_eq!(base.color.cicp, Cicp::SRGB);
}

/// The SDR image of HDR pixels, alpha kept.
fn developed(pixels: &Pixels, primaries: u8) -> Pixels {
    let recipe = hdr::Recipe {
        mapper: hdr::ToneMapper::Bt2390,
        primaries,
        linear_white: 203.0,
        scale: None,
        sharp: false,
        exact: false,
        background: None,
    };
    let cicp = hdr::code_points(pixels).unwrap();
    let (pool, control) = (Pool::new(1), Control::default());
    let film = hdr::Film::new(pixels, cicp, &recipe, &pool, &control).unwrap();
    film.print(&pool, &control).unwrap().base
}

#[test]
fn wide_colour_keeps_its_numbers_and_gets_a_profile() {
    for (primaries, transfer) in [(12, 13), (9, 13), (9, 1), (1, 8), (12, 4), (5, 6), (11, 17)] {
        let colors: Vec<u8> =
            vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 128, 128, 128, 200, 60, 90];
        let mut pixels = Pixels::copy_from(6, 1, PixelFormat::Rgb888, &colors, 0).unwrap();
        pixels.color.cicp = Cicp { primaries, transfer, ..Cicp::SRGB };
        let rows = Rows::new(Arc::new(pixels), Layout::Rgb8, &options()).unwrap();
        assert!(rows.is_direct());
        assert_eq!((rows.color().cicp.primaries, rows.color().cicp.transfer), (primaries, transfer));
        let icc = rows.icc().expect("a profile");
        assert!(icc.len() <= 640, "{} bytes", icc.len());
        // Read by another library: white is white, gray is gray, and the primaries are where they should be.
        let profile = moxcms::ColorProfile::new_from_slice(icc).unwrap();
        let target = moxcms::ColorProfile::new_srgb();
        let layout = moxcms::Layout::Rgb;
        let transform = profile
            .create_transform_8bit(layout, &target, layout, moxcms::TransformOptions::default())
            .unwrap();
        let mut out = vec![0; colors.len()];
        transform.transform(&colors, &mut out).unwrap();
        assert!(out[9..12].iter().all(|&c| c >= 254), "{primaries}/{transfer}: white is {:?}", &out[9..12]);
        let gray: f64 = 128.0 / 255.0;
        let light = match transfer {
            13 => ((gray + 0.055) / 1.055).powf(2.4),
            1 | 6 => ((gray + 0.099) / 1.099).powf(1.0 / 0.45),
            4 => gray.powf(2.2),
            17 => gray.powf(2.6),
            _ => gray,
        };
        let expected = 255.0 * (1.055 * light.powf(1.0 / 2.4) - 0.055);
        let got = &out[12..15];
        assert!(
            got.iter().all(|&c| (f64::from(c) - expected).abs() < 1.6),
            "{primaries}/{transfer}: {got:?}, {expected}"
        );
    }
    // A P3 colour inside of sRGB, with the matrix between the two written out.
    let mut pixels = Pixels::copy_from(1, 1, PixelFormat::Rgb888, &[200, 60, 90], 0).unwrap();
    pixels.color.cicp.primaries = 12;
    let rows = Rows::new(Arc::new(pixels), Layout::Rgb8, &options()).unwrap();
    let profile = moxcms::ColorProfile::new_from_slice(rows.icc().unwrap()).unwrap();
    let layout = moxcms::Layout::Rgb;
    let transform = profile
        .create_transform_8bit(
            layout,
            &moxcms::ColorProfile::new_srgb(),
            layout,
            moxcms::TransformOptions::default(),
        )
        .unwrap();
    let mut out = [0; 3];
    transform.transform(&[200, 60, 90], &mut out).unwrap();
    let p3 = |c: f64| ((c / 255.0 + 0.055) / 1.055).powf(2.4);
    let [r, g, b] = [200.0, 60.0, 90.0].map(p3);
    // SMPTE EG 432-1 to BT.709, white D65.
    let linear = [
        1.224_940 * r - 0.224_940 * g,
        -0.042_057 * r + 1.042_057 * g,
        -0.019_638 * r - 0.078_636 * g + 1.098_274 * b,
    ];
    for (got, light) in out.into_iter().zip(linear) {
        let expected = 255.0 * (1.055 * light.powf(1.0 / 2.4) - 0.055);
        assert!((f64::from(got) - expected).abs() < 2.0, "{out:?}, {expected}");
    }
}

#[test]
fn the_background_is_a_colour_of_srgb() {
    let mut pixels = Pixels::copy_from(1, 1, PixelFormat::Rgba8888, &[1, 2, 3, 0], 0).unwrap();
    pixels.color.cicp.primaries = 12;
    let mut options = options();
    options.background = [255, 0, 0];
    let rows = Rows::new(Arc::new(pixels), Layout::Rgb8, &options).unwrap();
    let mut scratch = Scratch::default();
    let band = rows.band(0..1, &mut scratch).unwrap();
    assert_eq!(band.planes[0].row(0, 3), [234, 51, 35], "sRGB's red in Display P3");
}

#[test]
fn profiles_of_other_pixels_and_unknown_code_points_are_refused() {
    let profile = |space: &[u8; 4]| {
        let mut profile = vec![0; 132];
        profile[3] = 132;
        profile[16..20].copy_from_slice(space);
        profile[36..40].copy_from_slice(b"acsp");
        Some(profile.into())
    };
    let pixels = Pixels::zeroed(2, 2, PixelFormat::Rgb888).unwrap();
    for (space, layout, kind) in [
        (b"RGB ", Layout::Rgb8, None),
        (b"GRAY", Layout::Gray8, None),
        (b"CMYK", Layout::Rgb8, Some(ErrorKind::Icc)),
        (b"GRAY", Layout::Rgb8, Some(ErrorKind::Icc)),
        (b"RGB ", Layout::Gray8, Some(ErrorKind::Icc)),
    ] {
        let mut pixels = pixels.clone();
        pixels.color.icc = profile(space);
        let result = Rows::new(Arc::new(pixels), layout, &options());
        assert_eq!(result.err().map(|error| error.kind), kind, "{space:?} {layout:?}");
    }
    // Gray pixels do without a profile for gray where there is colour.
    for (space, layout, kept) in [
        (b"RGB ", Layout::Gray8, None),
        (b"RGB ", Layout::Rgb8, Some(true)),
        (b"GRAY", Layout::Rgb8, Some(false)),
    ] {
        let mut pixels = Pixels::zeroed(2, 2, PixelFormat::Gray8).unwrap();
        pixels.color.icc = profile(space);
        let rows = Rows::new(Arc::new(pixels), layout, &options());
        assert_eq!(rows.ok().map(|rows| rows.icc().is_some()), kept, "{space:?} {layout:?}");
    }
    for (primaries, transfer) in [(3, 13), (200, 13), (9, 3), (12, 12)] {
        let mut pixels = pixels.clone();
        pixels.color.cicp = Cicp { primaries, transfer, ..Cicp::SRGB };
        let error = Rows::new(Arc::new(pixels), Layout::Rgb8, &options()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Icc, "{primaries}/{transfer}");
    }
    let mut pixels = Pixels::zeroed(2, 2, PixelFormat::Nv12).unwrap();
    pixels.color.cicp.matrix = 8;
    let error = Rows::new(Arc::new(pixels), Layout::Rgb8, &options()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("matrix coefficients 8"), "{error}");
}

mod guard {
    #![allow(unsafe_code, reason = "makes memory that ends where a page does")]
    use image_packer::model::foreign::Foreign;

    use super::*;

    /// A page that cannot be touched, right behind `len` bytes of memory.
    struct Guarded {
        map: *mut u8,
        pages: usize,
        len: usize,
    }

    const PAGE: usize = 1 << 16;

    impl Guarded {
        fn new(len: usize) -> Self {
            let pages = len.next_multiple_of(PAGE);
            // SAFETY: a fresh anonymous mapping; its last page loses all access.
            unsafe {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let map = libc::mmap(std::ptr::null_mut(), pages + PAGE, access, flags, -1, 0);
                assert_ne!(map, libc::MAP_FAILED);
                assert_eq!(libc::mprotect(map.byte_add(pages), PAGE, libc::PROT_NONE), 0);
                Self { map: map.cast(), pages, len }
            }
        }

        fn start(&self) -> *mut u8 {
            // SAFETY: `len` bytes before the end of the accessible pages.
            unsafe { self.map.add(self.pages - self.len) }
        }
    }

    impl Drop for Guarded {
        fn drop(&mut self) {
            // SAFETY: the mapping made by `new`.
            unsafe { libc::munmap(self.map.cast(), self.pages + PAGE) };
        }
    }

    #[test]
    fn nothing_is_read_behind_the_last_pixel() {
        for info in FORMATS {
            for width in [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 67] {
                let (height, stride) = (3, (width + 5) as usize * usize::from(info.planes[0].bytes));
                let layout = Pixels::borrowed_layout(width, height, info.format, 1 << 20, stride).unwrap();
                let guards = layout.map(|(_, bytes, _)| Guarded::new(bytes));
                for guard in &guards {
                    // SAFETY: the memory before the guard page is ours.
                    unsafe { guard.start().write_bytes(0x35, guard.len) };
                }
                let pieces = [0, 1, 2].map(|i| (guards[i].start().cast_const(), guards[i].len));
                // SAFETY: the pieces live longer than the pixels.
                let foreign = Arc::new(unsafe { Foreign::new(pieces) });
                let strides = layout.map(|(.., stride)| stride);
                let mut pixels = Pixels::from_foreign(width, height, info.format, foreign, strides);
                for alpha in [AlphaType::Opaque, AlphaType::Unpremultiplied, AlphaType::Premultiplied] {
                    pixels.alpha = alpha;
                    for layout in layouts() {
                        let rows = Rows::new(Arc::new(pixels.clone()), layout, &options()).unwrap();
                        rows.band(0..height, &mut Scratch::default()).unwrap();
                    }
                }
            }
        }
    }
}
