//! A scene, and its bytes in every pixel layout, written here independently of the library.

use image_packer::model::pixel_format::{FORMATS, FormatInfo, PixelFormat as F};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    Opaque,
    Premultiplied,
    Straight,
}

/// A layout as the tests see it.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub info: &'static FormatInfo,
    pub name: &'static str,
    pub yuv: bool,
    pub bits: u8,
    pub float: bool,
}

pub fn formats() -> Vec<Layout> {
    let of = |info: &'static FormatInfo| {
        let float = matches!(info.format, F::RgbaF16 | F::RgbaF32);
        Layout { info, name: info.name, yuv: info.yuv, bits: info.bits, float }
    };
    FORMATS.iter().map(of).collect()
}

impl Layout {
    pub fn alpha_types(&self) -> Vec<Alpha> {
        match self.info.format {
            F::Alpha8 => vec![Alpha::Straight],
            _ if self.info.alpha => vec![Alpha::Opaque, Alpha::Premultiplied, Alpha::Straight],
            _ => vec![Alpha::Opaque],
        }
    }
}

/// Smooth colours with alpha from 1/4 to 1.
pub struct Scene {
    pub width: u32,
    pub height: u32,
}

impl Scene {
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// R, G, B, alpha in 0..=1; the coordinates may lie between pixels.
    pub fn at(&self, x: f64, y: f64) -> [f64; 4] {
        let (u, v) = (x / 64.0, y / 48.0);
        [
            0.1 + 0.8 * u.min(1.0),
            0.2 + 0.6 * v.min(1.0),
            0.9 - 0.5 * u.min(1.0) * v.min(1.0),
            0.25 + 0.75 * (1.0 - v.min(1.0)),
        ]
    }

    /// What is left of the scene in a layout's resolution, straight alpha.
    pub fn seen_through(&self, layout: Layout, alpha: Alpha) -> Vec<[f64; 4]> {
        let quantise = |v: f64, steps: f64| (v * steps).round() / steps;
        let mut seen = Vec::new();
        for y in 0..self.height {
            for x in 0..self.width {
                let [r, g, b, a] = self.at(x.into(), y.into());
                let luma = 0.299 * r + 0.587 * g + 0.114 * b;
                let a = if alpha == Alpha::Opaque { 1.0 } else { a };
                seen.push(match layout.info.format {
                    F::Rgb565 => [quantise(r, 31.0), quantise(g, 63.0), quantise(b, 31.0), 1.0]
                        .map(|v| quantise(v, 255.0)),
                    F::Alpha8 => [0.0, 0.0, 0.0, quantise(a, 255.0)],
                    F::Gray8 => [quantise(luma, 255.0), quantise(luma, 255.0), quantise(luma, 255.0), 1.0],
                    F::Gray16 => {
                        [quantise(luma, 65535.0), quantise(luma, 65535.0), quantise(luma, 65535.0), 1.0]
                    }
                    F::GrayAlpha88 => [
                        quantise(luma, 255.0),
                        quantise(luma, 255.0),
                        quantise(luma, 255.0),
                        quantise(a, 255.0),
                    ],
                    F::Rgba1010102 => {
                        let a = quantise(a, 3.0);
                        [quantise(r, 1023.0), quantise(g, 1023.0), quantise(b, 1023.0), a]
                            .map(|v| quantise(v, 65535.0))
                    }
                    _ if layout.bits >= 16 || layout.float => [r, g, b, a].map(|v| quantise(v, 65535.0)),
                    _ if layout.yuv => [r, g, b, 1.0],
                    _ => [r, g, b, a].map(|v| quantise(v, 255.0)),
                });
            }
        }
        seen
    }
}

/// Shows a colour through what is not opaque.
pub fn blend(pixels: &mut [[f64; 4]], background: [f64; 3]) {
    for pixel in pixels {
        for c in 0..3 {
            pixel[c] = pixel[c] * pixel[3] + background[c] * (1.0 - pixel[3]);
        }
        pixel[3] = 1.0;
    }
}

/// The scene in a layout: bytes and row stride (0 when tight). Padding is filled with noise.
pub fn encode_pixels(scene: &Scene, layout: Layout, alpha: Alpha, padding: usize) -> (Vec<u8>, usize) {
    let (width, height) = (scene.width as usize, scene.height as usize);
    let pixel = |x: usize, y: usize| {
        let [r, g, b, a] = scene.at(x as f64, y as f64);
        match alpha {
            // Opaque layouts may hold anything where alpha would be.
            Alpha::Opaque => [r, g, b, 0.3],
            Alpha::Straight => [r, g, b, a],
            Alpha::Premultiplied => {
                // Alpha as the layout resolves it, so that undoing it is exact but for the rounding of colour.
                let steps = match layout.info.format {
                    F::Rgba1010102 => 3.0,
                    F::Rgba16161616 => 65535.0,
                    F::RgbaF16 | F::RgbaF32 => 1e9,
                    _ => 255.0,
                };
                let a = (a * steps).round() / steps;
                [r * a, g * a, b * a, a]
            }
        }
    };
    let u8s = |v: f64| (v * 255.0).round() as u8;
    let u16s = |v: f64| ((v * 65535.0).round() as u16).to_ne_bytes();
    let luma = |p: [f64; 4]| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    let planes = layout.info.planes;
    let (first, padding) =
        (usize::from(planes[0].bytes), padding / usize::from(planes[0].bytes) * usize::from(planes[0].bytes));
    let stride = width * first + padding;
    let mut out = Vec::new();
    for (index, plane) in planes.iter().enumerate() {
        let (sx, sy) = (1usize << plane.shift_x, 1usize << plane.shift_y);
        let (columns, rows) = (width.div_ceil(sx), height.div_ceil(sy));
        let group = usize::from(plane.bytes);
        // The first plane's pixel stride, subsampled.
        let plane_stride = if padding == 0 {
            columns * group
        } else {
            ((stride / first).div_ceil(sx) * group).max(columns * group)
        };
        for y in 0..rows {
            let start = out.len();
            for x in 0..columns {
                let p = pixel(x * sx, y * sy);
                let [r, g, b, a] = p;
                if layout.yuv {
                    // The mean of the samples that a chroma sample stands for.
                    let (mut sum, mut count) = ([0.0; 3], 0.0);
                    for j in 0..sy {
                        for i in 0..sx {
                            let p = pixel((x * sx + i).min(width - 1), (y * sy + j).min(height - 1));
                            let l = luma(p);
                            for (s, v) in
                                sum.iter_mut().zip([l, (p[2] - l) / 1.772 + 0.5, (p[0] - l) / 1.402 + 0.5])
                            {
                                *s += v;
                            }
                            count += 1.0;
                        }
                    }
                    let [l, cb, cr] = sum.map(|v| v / count);
                    // Full-range chroma is centred on 128 of 255 (512 of 1023).
                    let (c8, c10) = (
                        |v: f64| ((v - 0.5) * 255.0 + 128.0).round().clamp(0.0, 255.0) as u8,
                        |v: f64| {
                            ((((v - 0.5) * 1023.0 + 512.0).round().clamp(0.0, 1023.0) as u16) << 6)
                                .to_ne_bytes()
                        },
                    );
                    let l10 = (((l * 1023.0).round() as u16) << 6).to_ne_bytes();
                    match (layout.info.format, index) {
                        (F::YcbcrP010 | F::YcrcbP010, 0) => out.extend(l10),
                        (F::YcbcrP010, _) => out.extend([c10(cb), c10(cr)].concat()),
                        (F::YcrcbP010, _) => out.extend([c10(cr), c10(cb)].concat()),
                        (_, 0) => out.push(u8s(l)),
                        (F::Nv12, _) => out.extend([c8(cb), c8(cr)]),
                        (F::Nv21, _) => out.extend([c8(cr), c8(cb)]),
                        (_, 1) => out.push(c8(cb)),
                        (_, _) => out.push(c8(cr)),
                    }
                    continue;
                }
                match layout.info.format {
                    F::Rgb565 => {
                        let q = |v: f64, n: f64| (v * n).round() as u16;
                        out.extend((q(r, 31.0) << 11 | q(g, 63.0) << 5 | q(b, 31.0)).to_ne_bytes());
                    }
                    F::Rgba8888 | F::Rgbx8888 => out.extend([r, g, b, a].map(u8s)),
                    F::Bgra8888 | F::Bgrx8888 => out.extend([b, g, r, a].map(u8s)),
                    F::Argb8888 => out.extend([a, r, g, b].map(u8s)),
                    F::Rgb888 => out.extend([r, g, b].map(u8s)),
                    F::Bgr888 => out.extend([b, g, r].map(u8s)),
                    F::Alpha8 => out.push(u8s(a)),
                    F::Gray8 => out.push(u8s(luma(p))),
                    F::GrayAlpha88 => out.extend([u8s(luma(p)), u8s(a)]),
                    F::Gray16 => out.extend(u16s(luma(p))),
                    F::Rgb161616 => out.extend([r, g, b].map(u16s).concat()),
                    F::Rgba16161616 => out.extend([r, g, b, a].map(u16s).concat()),
                    F::RgbaF32 => out.extend([r, g, b, a].map(|v| (v as f32).to_ne_bytes()).concat()),
                    F::RgbaF16 => out.extend([r, g, b, a].map(|v| half(v).to_ne_bytes()).concat()),
                    F::Rgba1010102 => {
                        let q = |v: f64, n: f64| (v * n).round() as u32;
                        let word = q(r, 1023.0) | q(g, 1023.0) << 10 | q(b, 1023.0) << 20 | q(a, 3.0) << 30;
                        out.extend(word.to_ne_bytes());
                    }
                    _ => unreachable!(),
                }
            }
            while out.len() < start + plane_stride {
                out.push((out.len() * 37) as u8);
            }
        }
    }
    (out, if padding == 0 { 0 } else { stride })
}

/// IEEE half, round to nearest, for 0 and values in 2^-14..=1.
fn half(v: f64) -> u16 {
    if v == 0.0 {
        return 0;
    }
    let exponent = v.log2().floor() as i32;
    let mantissa = (v / 2f64.powi(exponent) * 1024.0).round() as i32 - 1024;
    (((exponent + 15) << 10) + mantissa) as u16
}
