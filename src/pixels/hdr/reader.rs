//! From the pixels of an HDR image to linear light, a tile of a row at a time.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{
    kernels::{Kernels, Planes, YuvFactors},
    tables::Decoder,
};
use crate::{
    error::{Result, try_resize, try_vec},
    model::{
        color::Cicp,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pixels::{
        convert::TILE,
        layout::YuvPacking,
        load::load,
        planes::{CodeTile, Shape},
        sample::{Rgba, Sample, unit},
        simd::{unpack_3, update},
        yuv::{Codes, ToRgb},
    },
};

/// Reads one image, whose bytes it shares.
#[derive(Debug)]
pub struct Reader {
    pixels: Pixels,
    decoder: Decoder,
    kernels: Kernels,
    /// For luma and chroma.
    yuv: Option<(Shape, ToRgb, YuvFactors)>,
    premultiplied: bool,
    /// What shows through transparent pixels, in linear light; none to keep alpha.
    background: Option<[f32; 3]>,
    /// Whether a pixel was not opaque and was blended on the background.
    blended: AtomicBool,
}

/// A thread's tiles.
pub struct Work {
    /// Linear light in the primaries of the SDR image.
    pub light: Planes,
    /// Alpha, where it is kept.
    pub alpha: [f32; TILE],
    pixels: [Rgba<f32>; TILE],
    codes: CodeTile,
    words: [[u8; 4]; TILE],
    rows: [Vec<u8>; 2],
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

impl Work {
    /// Tiles for one thread.
    pub fn new() -> Result<Box<Self>> {
        Ok(Box::new(Self {
            light: [[0.0; TILE]; 3],
            alpha: [1.0; TILE],
            pixels: [Rgba::default(); TILE],
            codes: CodeTile::new(),
            words: [[0; 4]; TILE],
            rows: [try_vec(0, "rows")?, try_vec(0, "rows")?],
        }))
    }
}

impl Reader {
    pub fn new(
        pixels: &Pixels,
        cicp: Cicp,
        decoder: Decoder,
        kernels: Kernels,
        background: Option<[f32; 3]>,
    ) -> Result<Self> {
        let yuv = match Shape::of(pixels.info().format) {
            None => None,
            Some(shape) => {
                let codes = Codes::new(cicp.matrix, cicp.full_range, shape.bits)?;
                let to_rgb = ToRgb::new(&codes, 1.0);
                let swap = shape.packing == YuvPacking::CrCb;
                let factors =
                    to_rgb.factors().map(|[y, cb, cr, c]| if swap { [y, cr, cb, c] } else { [y, cb, cr, c] });
                Some((shape, to_rgb, factors))
            }
        };
        let premultiplied = pixels.has_alpha() && pixels.alpha == AlphaType::Premultiplied;
        let blended = AtomicBool::new(false);
        Ok(Self { pixels: pixels.clone(), decoder, kernels, yuv, premultiplied, background, blended })
    }

    /// Whether a pixel so far was not opaque and was blended on the background.
    pub fn has_blended(&self) -> bool {
        self.blended.load(Relaxed)
    }

    /// What is read.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// The loops that fit the processor.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// Light, and alpha if it is kept, of `n` pixels from column `x` of row `y` on; `x` is even.
    pub fn read(&self, y: u32, x: usize, n: usize, work: &mut Work) {
        let group = usize::from(self.pixels.info().planes[0].bytes);
        let first = &self.pixels.row(0, y)[x * group..];
        let second = if self.is_p010() { &self.pixels.row(1, y / 2)[x / 2 * 4..] } else { first };
        if self.quick(first, second, n, &mut work.words, &mut work.light) {
            work.alpha[..n].fill(1.0);
        } else {
            self.general(y, x, n, work);
        }
    }

    /// Light of every fourth pixel of row `y`, or of two neighbours in eight: calls `each` for each run.
    pub fn sample(&self, y: u32, work: &mut Work, mut each: impl FnMut(&Planes, usize)) -> Result<()> {
        let width = self.pixels.width() as usize;
        let info = self.pixels.info();
        let mut rows = std::mem::take(&mut work.rows);
        let count = match info.format {
            PixelFormat::Rgba1010102 => take_runs::<4, 4>(self.pixels.row(0, y), &mut rows[0])?,
            PixelFormat::RgbaF16 => take_runs::<8, 4>(self.pixels.row(0, y), &mut rows[0])?,
            PixelFormat::YcbcrP010 | PixelFormat::YcrcbP010 => {
                take_runs::<4, 4>(self.pixels.row(1, y / 2), &mut rows[1])?;
                2 * take_runs::<4, 4>(self.pixels.row(0, y), &mut rows[0])?
            }
            _ => 0,
        };
        let group = usize::from(info.planes[0].bytes);
        let mut done = 0;
        while done < count {
            let n = TILE.min(count - done);
            let first = &rows[0][done * group..];
            let second = if self.is_p010() { &rows[1][done * 2..] } else { first };
            if !self.quick(first, second, n, &mut work.words, &mut work.light) {
                break;
            }
            each(&work.light, n);
            done += n;
        }
        work.rows = rows;
        if count == 0 || done < count {
            for x in (0..width).step_by(TILE) {
                let n = TILE.min(width - x);
                self.general(y, x, n, work);
                each(&work.light, n);
            }
        }
        Ok(())
    }

    fn is_p010(&self) -> bool {
        matches!(self.pixels.info().format, PixelFormat::YcbcrP010 | PixelFormat::YcrcbP010)
    }

    /// The formats of cameras and renderers, if all pixels are opaque; answers whether it was one.
    fn quick(
        &self,
        first: &[u8],
        second: &[u8],
        n: usize,
        words: &mut [[u8; 4]; TILE],
        to: &mut Planes,
    ) -> bool {
        let alpha = self.pixels.has_alpha();
        match self.pixels.info().format {
            format @ PixelFormat::Rgba1010102 if !self.decoder.is_linear() => {
                let opaque = !alpha || is_opaque_row(format, &first[..4 * n]);
                opaque.then(|| self.kernels.ten(first, &self.decoder, to, n)).is_some()
            }
            format @ PixelFormat::RgbaF16 if self.decoder.is_linear() => {
                let opaque = !alpha || is_opaque_row(format, &first[..8 * n]);
                opaque.then(|| self.kernels.halves(first, &self.decoder, to, n)).is_some()
            }
            format @ (PixelFormat::Rgb888 | PixelFormat::Bgr888) if !self.decoder.bytes.is_empty() => {
                unpack_3(first.as_chunks().0, &mut words[..n], format == PixelFormat::Bgr888);
                self.kernels.eight(words.as_flattened(), &self.decoder, to, n);
                true
            }
            PixelFormat::Rgba8888 | PixelFormat::Rgbx8888 if !alpha && !self.decoder.bytes.is_empty() => {
                self.kernels.eight(first, &self.decoder, to, n);
                true
            }
            PixelFormat::YcbcrP010 | PixelFormat::YcrcbP010 if !self.decoder.is_linear() => match &self.yuv {
                Some((_, _, factors)) => {
                    self.kernels.p010(first, second, factors, &self.decoder, to, n);
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    /// Every format.
    fn general(&self, y: u32, x: usize, n: usize, work: &mut Work) {
        let info = self.pixels.info();
        let tile = &mut work.pixels[..n];
        if let Some((shape, to_rgb, _)) = &self.yuv {
            work.codes.read(*shape, &self.pixels, y, x, n);
            work.codes.to_rgb(*shape, to_rgb, tile);
        } else {
            let row = &self.pixels.row(0, y)[x * usize::from(info.planes[0].bytes)..];
            load(info.format, !self.pixels.has_alpha(), row, tile);
        }
        if self.premultiplied {
            update(tile, f32::unpremultiply);
        }
        let [r, g, b] = &mut work.light;
        for (i, pixel) in tile.iter().enumerate() {
            // Larger numbers, which no display shows, would not stay numbers.
            [r[i], g[i], b[i], work.alpha[i]] = pixel.map(|v| v.clamp(-65536.0, 65536.0));
        }
        self.kernels.signals(&self.decoder, &mut work.light, n);
        if let (Some(background), true) = (self.background, self.pixels.has_alpha()) {
            if !self.has_blended() && work.alpha[..n].iter().any(|alpha| unit(*alpha) != 1.0) {
                self.blended.store(true, Relaxed);
            }
            for (plane, under) in work.light.iter_mut().zip(background) {
                for (light, alpha) in plane.iter_mut().zip(&work.alpha[..n]) {
                    let alpha = unit(*alpha);
                    *light = *light * alpha + under * (1.0 - alpha);
                }
            }
        }
    }
}

/// Whether alpha of the formats of cameras and renderers is 1 everywhere; false for other formats.
pub fn is_opaque(pixels: &Pixels) -> bool {
    let (format, bytes) = (pixels.info().format, usize::from(pixels.info().planes[0].bytes));
    let size = pixels.width() as usize * bytes;
    (0..pixels.height()).all(|y| is_opaque_row(format, &pixels.row(0, y)[..size]))
}

fn is_opaque_row(format: PixelFormat, row: &[u8]) -> bool {
    match format {
        PixelFormat::Rgba1010102 => {
            let pixels = row.as_chunks::<4>().0.iter();
            pixels.fold(!0, |all, &pixel| all & u32::from_ne_bytes(pixel)) >> 30 == 3
        }
        PixelFormat::RgbaF16 => {
            let alphas = row.as_chunks::<8>().0.iter().map(|&pixel| u64::from_ne_bytes(pixel));
            // The fourth half is the highest in the order of the machines that are supported.
            alphas.fold(0, |sum, pixel| sum | (pixel >> 48) ^ 0x3c00) == 0
        }
        _ => false,
    }
}

/// Every `EVERY`th group of `N` bytes; answers how many there are.
fn take_runs<const N: usize, const EVERY: usize>(row: &[u8], to: &mut Vec<u8>) -> Result<usize> {
    let groups = row.as_chunks::<N>().0;
    let count = groups.len().div_ceil(EVERY);
    try_resize(to, count * N, "sampled pixels")?;
    for (to, from) in to.as_chunks_mut::<N>().0.iter_mut().zip(groups.iter().step_by(EVERY)) {
        *to = *from;
    }
    Ok(count)
}
