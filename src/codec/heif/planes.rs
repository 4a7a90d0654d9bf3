//! Rows into the planes of the coded image: copied where they are YCbCr or gray already, converted from RGB else.
//!
//! All arithmetic is on integers, so the host's rounding mode does not matter.

use super::{
    engine::{Chroma, Shape},
    objects::PlaneMut,
};
use crate::{
    bail,
    error::{Result, try_resize},
    pixels::{Band, Layout, Sampling, YuvLayout, YuvPacking},
};

/// Y, Cb, Cr, alpha.
pub(super) type Planes<'a> = [Option<PlaneMut<'a>>; 4];

/// Fixed-point fraction bits of the weights.
const FRACTION: u32 = 16;

/// How RGB becomes the three coded components.
#[derive(Debug, Clone, Copy)]
enum Matrix {
    /// Not at all (matrix coefficients 0): green, blue and red are coded as they are.
    Identity,
    /// Weights of R, G, B for Y, Cb, Cr.
    Weights([[i32; 3]; 3]),
}

impl Matrix {
    /// Full-range weights of matrix coefficients (H.273, table 4): Kr and Kb of BT.709, BT.2020 and BT.601.
    fn of(code: u8) -> Self {
        let (kr, kb) = match code {
            0 => return Self::Identity,
            1 => (0.2126, 0.0722),
            9 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        };
        let fixed = |x: f64| (x * f64::from(1 << FRACTION)).round() as i32;
        // The last weight takes what is left, so that gray is exactly gray.
        let [r, b] = [fixed(kr), fixed(kb)];
        let cb = [fixed(-0.5 * kr / (1.0 - kb)), fixed(0.5)];
        let cr = [fixed(0.5), fixed(-0.5 * kb / (1.0 - kr))];
        Self::Weights([
            [r, (1 << FRACTION) - r - b, b],
            [cb[0], -cb[0] - cb[1], cb[1]],
            [cr[0], -cr[0] - cr[1], cr[1]],
        ])
    }
}

/// How a layout of gray or RGB pixels is put together.
#[derive(Debug, Clone, Copy)]
struct Packing {
    /// Two bytes a sample.
    deep: bool,
    /// Samples of a pixel.
    samples: usize,
    /// Where R, G, B are among them.
    order: [usize; 3],
    /// Where alpha is, if anywhere.
    alpha: usize,
}

impl Packing {
    fn of(layout: Layout) -> Result<Self> {
        let (deep, samples, order, alpha) = match layout {
            Layout::Gray8 => (false, 1, [0, 0, 0], 0),
            Layout::GrayA8 => (false, 2, [0, 0, 0], 1),
            Layout::Gray16 => (true, 1, [0, 0, 0], 0),
            Layout::GrayA16 => (true, 2, [0, 0, 0], 1),
            Layout::Rgb8 => (false, 3, [0, 1, 2], 0),
            Layout::Bgr8 => (false, 3, [2, 1, 0], 0),
            Layout::Rgbx8 | Layout::Rgba8 => (false, 4, [0, 1, 2], 3),
            Layout::Bgrx8 | Layout::Bgra8 => (false, 4, [2, 1, 0], 3),
            Layout::Rgb16 => (true, 3, [0, 1, 2], 0),
            Layout::Rgba16 => (true, 4, [0, 1, 2], 3),
            other => bail!(Bug, "the HEIF encoder was given rows of {other:?}"),
        };
        Ok(Self { deep, samples, order, alpha })
    }

    /// Row `y` of a band, `width` pixels.
    fn row<'a>(&self, band: &Band<'a>, y: u32, width: u32) -> &'a [u8] {
        band.planes[0].row(y as usize, (width as usize * self.samples) << u32::from(self.deep))
    }

    /// Sample `index` of every pixel.
    fn samples(self, row: &[u8], index: usize) -> impl Iterator<Item = i32> {
        let bytes = 1 << u32::from(self.deep);
        row.chunks_exact(self.samples * bytes).map(move |pixel| {
            let sample = &pixel[index * bytes..];
            if self.deep {
                i32::from(u16::from_ne_bytes([sample[0], sample[1]]))
            } else {
                i32::from(sample[0])
            }
        })
    }
}

/// Fills planes from bands of rows.
#[derive(Debug)]
pub(super) struct Filler {
    shape: Shape,
    source: Source,
    matrix: Matrix,
    /// R, G, B of two rows, at the coded depth.
    rows: [[Vec<i32>; 3]; 2],
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Yuv(YuvLayout),
    Packed(Packing, Scale),
}

impl Filler {
    /// A filler for rows of `layout`; `matrix` are the coded image's matrix coefficients.
    pub fn new(shape: Shape, layout: Layout, matrix: u8) -> Result<Self> {
        let mut rows: [[Vec<i32>; 3]; 2] = Default::default();
        let source = match layout {
            Layout::Yuv(yuv) => Source::Yuv(yuv),
            layout => {
                let packing = Packing::of(layout)?;
                Source::Packed(packing, Scale::new(packing.deep, shape.depth))
            }
        };
        for row in rows.iter_mut().flatten() {
            // One pixel more: it repeats the last one where the width is odd.
            try_resize(row, shape.width as usize + 1, "rows of the HEIF encoder")?;
        }
        Ok(Self { shape, source, matrix: Matrix::of(matrix), rows })
    }

    /// Writes rows `first..first + count` of the image; `first` is even.
    pub fn fill(&mut self, planes: &mut Planes<'_>, first: u32, count: u32, band: &Band<'_>) -> Result<()> {
        let (packing, scale) = match self.source {
            Source::Yuv(yuv) => return copy_yuv(planes, &self.shape, yuv, first, count, band),
            Source::Packed(packing, scale) => (packing, scale),
        };
        let Shape { width, chroma, depth, .. } = self.shape;
        let store = |plane: &mut Option<PlaneMut<'_>>, index: usize, y: u32| {
            if let Some(plane) = plane {
                let row = packing.row(band, y, width);
                let values = packing.samples(row, index).map(|value| scale.apply(value));
                write(plane.row(first + y), depth > 8, values);
            }
        };
        for y in 0..count {
            store(&mut planes[3], packing.alpha, y);
            if chroma == Chroma::Gray {
                store(&mut planes[0], 0, y);
            }
        }
        if chroma == Chroma::Gray {
            return Ok(());
        }
        let together = if chroma == Chroma::Yuv420 { 2 } else { 1 };
        for y in (0..count).step_by(together as usize) {
            // The row below the last one repeats it.
            let both = [y, (y + together - 1).min(count - 1)];
            for (y, components) in both.into_iter().zip(&mut self.rows) {
                let row = packing.row(band, y, width);
                for (values, index) in components.iter_mut().zip(packing.order) {
                    let samples = packing.samples(row, index);
                    values.iter_mut().zip(samples).for_each(|(to, value)| *to = scale.apply(value));
                    // The pixel behind the last column repeats it.
                    values[width as usize] = values[width as usize - 1];
                }
            }
            self.convert(planes, first, both);
        }
        Ok(())
    }

    /// Codes the one or two rows in `self.rows`.
    fn convert(&self, planes: &mut Planes<'_>, first: u32, rows: [u32; 2]) {
        let (width, max) = (self.shape.width as usize, (1i32 << self.shape.depth) - 1);
        let deep = self.shape.depth > 8;
        let weights = match self.matrix {
            Matrix::Identity => {
                // Y, Cb, Cr carry G, B, R; the sampling is 4:4:4.
                for (plane, component) in [(0, 1), (1, 2), (2, 0)] {
                    if let Some(plane) = &mut planes[plane] {
                        write(
                            plane.row(first + rows[0]),
                            deep,
                            self.rows[0][component][..width].iter().copied(),
                        );
                    }
                }
                return;
            }
            Matrix::Weights(weights) => weights,
        };
        let round = 1 << (FRACTION - 1);
        let dot = |w: [i32; 3], r: i32, g: i32, b: i32| w[0] * r + w[1] * g + w[2] * b;
        if let Some(plane) = &mut planes[0] {
            let luma = weights[0];
            for (slot, y) in rows.into_iter().enumerate().take(if rows[0] == rows[1] { 1 } else { 2 }) {
                let [r, g, b] = self.rows[slot].each_ref().map(|row| &row[..width]);
                let values =
                    r.iter().zip(g).zip(b).map(|((r, g), b)| (dot(luma, *r, *g, *b) + round) >> FRACTION);
                write(plane.row(first + y), deep, values);
            }
        }
        let chroma_row =
            if self.shape.chroma == Chroma::Yuv420 { (first + rows[0]) / 2 } else { first + rows[0] };
        for (index, weights) in [(1, weights[1]), (2, weights[2])] {
            let Some(plane) = &mut planes[index] else { continue };
            let row = plane.row(chroma_row);
            // The mean of the pixels that share a chroma sample: the sum is shifted by log2 of their number more.
            let sample = |shift: u32, r: i32, g: i32, b: i32| {
                let value = (dot(weights, r, g, b) + (round << shift)) >> (FRACTION + shift);
                (value + (max + 1) / 2).clamp(0, max)
            };
            let [r, g, b] = self.rows[0].each_ref();
            let [r2, g2, b2] = self.rows[1].each_ref();
            match self.shape.chroma {
                Chroma::Yuv420 => {
                    let quad = |a: &[i32], b: &[i32]| a[0] + a[1] + b[0] + b[1];
                    let red = r.chunks_exact(2).zip(r2.chunks_exact(2)).map(|(a, b)| quad(a, b));
                    let green = g.chunks_exact(2).zip(g2.chunks_exact(2)).map(|(a, b)| quad(a, b));
                    let blue = b.chunks_exact(2).zip(b2.chunks_exact(2)).map(|(a, b)| quad(a, b));
                    write(row, deep, red.zip(green).zip(blue).map(|((r, g), b)| sample(2, r, g, b)));
                }
                Chroma::Yuv422 => {
                    let pairs = r.chunks_exact(2).zip(g.chunks_exact(2)).zip(b.chunks_exact(2));
                    let pair = |p: &[i32]| p[0] + p[1];
                    write(row, deep, pairs.map(|((r, g), b)| sample(1, pair(r), pair(g), pair(b))));
                }
                _ => {
                    let pixels = r[..width].iter().zip(&g[..width]).zip(&b[..width]);
                    write(row, deep, pixels.map(|((r, g), b)| sample(0, *r, *g, *b)));
                }
            }
        }
    }
}

/// 8 or 16 bits to the coded depth.
#[derive(Debug, Clone, Copy)]
struct Scale {
    factor: u32,
    shift: u32,
}

impl Scale {
    fn new(deep: bool, depth: u8) -> Self {
        let max = (1u32 << depth) - 1;
        match (deep, depth) {
            (false, 8) => Self { factor: 1, shift: 0 },
            // v * max / 255, and v * max / 65535, rounded: exact for all values that came from `depth` bits.
            (false, _) => Self { factor: ((max << 12) + 127) / 255, shift: 12 },
            (true, _) => Self { factor: max, shift: 16 },
        }
    }

    fn apply(self, value: i32) -> i32 {
        ((value as u32 * self.factor + ((1 << self.shift) >> 1)) >> self.shift) as i32
    }
}

/// Writes samples of one or two bytes.
fn write(row: &mut [u8], deep: bool, values: impl Iterator<Item = i32>) {
    if deep {
        for (to, value) in row.chunks_exact_mut(2).zip(values) {
            to.copy_from_slice(&(value as u16).to_ne_bytes());
        }
    } else {
        for (to, value) in row.iter_mut().zip(values) {
            *to = value as u8;
        }
    }
}

/// Copies planes, taking interleaved chroma apart.
fn copy_yuv(
    planes: &mut Planes<'_>,
    shape: &Shape,
    yuv: YuvLayout,
    first: u32,
    count: u32,
    band: &Band<'_>,
) -> Result<()> {
    let bytes = if yuv.bits > 8 { 2 } else { 1 };
    let (shift_x, shift_y) = yuv.sampling.shifts();
    let columns = (shape.width as usize).div_ceil(1 << shift_x);
    let (chroma_first, chroma_count) = (first >> shift_y, count.div_ceil(1 << shift_y));
    let [Some(luma), Some(cb), Some(cr), _] = planes else {
        bail!(Bug, "the HEIF encoder has no planes for {:?}", yuv.sampling);
    };
    for y in 0..count {
        let row = band.planes[0].row(y as usize, shape.width as usize * bytes);
        luma.row(first + y)[..row.len()].copy_from_slice(row);
    }
    for y in 0..chroma_count {
        let (cb, cr, y) = (cb.row(chroma_first + y), cr.row(chroma_first + y), y as usize);
        let (first, second) = if yuv.packing == YuvPacking::CrCb { (cr, cb) } else { (cb, cr) };
        if yuv.packing == YuvPacking::Planar {
            first[..columns * bytes].copy_from_slice(band.planes[1].row(y, columns * bytes));
            second[..columns * bytes].copy_from_slice(band.planes[2].row(y, columns * bytes));
        } else {
            let pairs = band.planes[1].row(y, columns * 2 * bytes).chunks_exact(2 * bytes);
            let targets = first.chunks_exact_mut(bytes).zip(second.chunks_exact_mut(bytes));
            for ((a, b), pair) in targets.zip(pairs) {
                a.copy_from_slice(&pair[..bytes]);
                b.copy_from_slice(&pair[bytes..]);
            }
        }
    }
    Ok(())
}

/// The coded sampling of a YCbCr layout.
pub(super) fn chroma_of(sampling: Sampling) -> Chroma {
    match sampling {
        Sampling::Yuv420 => Chroma::Yuv420,
        Sampling::Yuv422 => Chroma::Yuv422,
        Sampling::Yuv444 => Chroma::Yuv444,
    }
}
