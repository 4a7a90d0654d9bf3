//! Rows into the planes of the coded image: copied where the darkroom made them what they have to be; RGB with alpha,
//! for which it has no layout, becomes YCbCr here.

use super::{
    engine::{Chroma, Shape},
    objects::PlaneMut,
};
use crate::{
    bail,
    error::{Result, try_resize},
    pixels::{Band, Codes, FromRgb, Layout, Sampling, YuvLayout, YuvPacking},
};

/// Y, Cb, Cr, alpha.
pub(super) type Planes<'a> = [Option<PlaneMut<'a>>; 4];

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
    /// R, G, B of two rows.
    rows: [[Vec<i32>; 3]; 2],
}

#[derive(Debug, Clone, Copy)]
enum Source {
    /// Samples as they will be coded.
    Yuv(YuvLayout),
    /// Gray, or RGB coded as such (matrix coefficients 0).
    Plain(Packing, Scale),
    /// RGB that becomes YCbCr here, because alpha goes beside it.
    Color(Packing, Scale, FromRgb),
}

impl Filler {
    /// A filler for rows of `layout`; the matrix is the coded image's.
    pub fn new(shape: Shape, layout: Layout, matrix: u8) -> Result<Self> {
        let source = match layout {
            Layout::Yuv(yuv) => Source::Yuv(yuv),
            layout => {
                let packing = Packing::of(layout)?;
                let scale = Scale::new(packing.deep, shape.depth);
                if shape.chroma == Chroma::Gray || matrix == 0 {
                    Source::Plain(packing, scale)
                } else {
                    let codes = Codes::new(matrix, true, shape.depth)?;
                    let top = if packing.deep { 65535.0 } else { 255.0 };
                    Source::Color(packing, scale, FromRgb::new(&codes, top, 4.0 * top))
                }
            }
        };
        let mut rows: [[Vec<i32>; 3]; 2] = Default::default();
        if matches!(source, Source::Color(..)) {
            for row in rows.iter_mut().flatten() {
                // One pixel more: it repeats the last one where the width is odd.
                try_resize(row, shape.width as usize + 1, "rows of the HEIF encoder")?;
            }
        }
        Ok(Self { shape, source, rows })
    }

    /// Writes rows `first..first + count` of the image; `first` is even.
    pub fn fill(&mut self, planes: &mut Planes<'_>, first: u32, count: u32, band: &Band<'_>) -> Result<()> {
        let (packing, scale) = match self.source {
            Source::Yuv(yuv) => return copy_yuv(planes, &self.shape, yuv, first, count, band),
            Source::Plain(packing, scale) | Source::Color(packing, scale, _) => (packing, scale),
        };
        let Shape { width, chroma, depth, .. } = self.shape;
        for y in 0..count {
            let row = packing.row(band, y, width);
            let mut store = |plane: usize, index: usize| {
                if let Some(plane) = &mut planes[plane] {
                    let values = packing.samples(row, index).map(|value| scale.apply(value));
                    write(plane.row(first + y), depth > 8, values);
                }
            };
            store(3, packing.alpha);
            if matches!(self.source, Source::Plain(..)) {
                // Y, Cb, Cr carry G, B, R; gray images have no planes but Y.
                let [red, green, blue] = packing.order;
                [green, blue, red].into_iter().enumerate().for_each(|(plane, index)| store(plane, index));
            }
        }
        if let Source::Color(.., from_rgb) = self.source {
            let together = if chroma == Chroma::Yuv420 { 2 } else { 1 };
            for y in (0..count).step_by(together as usize) {
                // The row below the last one repeats it.
                let both = [y, (y + together - 1).min(count - 1)];
                for (y, components) in both.into_iter().zip(&mut self.rows) {
                    let row = packing.row(band, y, width);
                    for (values, index) in components.iter_mut().zip(packing.order) {
                        values
                            .iter_mut()
                            .zip(packing.samples(row, index))
                            .for_each(|(to, value)| *to = value);
                        // The pixel behind the last column repeats it.
                        values[width as usize] = values[width as usize - 1];
                    }
                }
                self.convert(planes, first, both, &from_rgb);
            }
        }
        Ok(())
    }

    /// Codes the one or two rows in `self.rows`, which are rows `first + rows[..]` of the image.
    fn convert(&self, planes: &mut Planes<'_>, first: u32, rows: [u32; 2], from_rgb: &FromRgb) {
        let (width, deep) = (self.shape.width as usize, self.shape.depth > 8);
        let [Some(luma), Some(cb), Some(cr), _] = planes else { return };
        let distinct = if rows[0] == rows[1] { 1 } else { 2 };
        for (y, [r, g, b]) in rows.into_iter().zip(&self.rows).take(distinct) {
            let pixels = r[..width].iter().zip(g).zip(b);
            write(luma.row(first + y), deep, pixels.map(|((r, g), b)| from_rgb.luma([*r, *g, *b]).into()));
        }
        // Columns and rows that share a chroma sample; its red, green and blue are sums of four pixels.
        let (columns, row) = match self.shape.chroma {
            Chroma::Yuv420 => (2, (first + rows[0]) / 2),
            Chroma::Yuv422 => (2, first + rows[0]),
            _ => (1, first + rows[0]),
        };
        let [above, below] = &self.rows;
        let sum = |component: usize, x: usize| {
            let (last, [a, b]) = (x + columns - 1, [&above[component], &below[component]]);
            a[x] + a[last] + b[x] + b[last]
        };
        let codes = (0..width).step_by(columns).map(|x| from_rgb.chroma([sum(0, x), sum(1, x), sum(2, x)]));
        let (cb, cr) = (cb.row(row), cr.row(row));
        for (index, (b, r)) in codes.enumerate() {
            if deep {
                cb[2 * index..][..2].copy_from_slice(&b.to_ne_bytes());
                cr[2 * index..][..2].copy_from_slice(&r.to_ne_bytes());
            } else {
                (cb[index], cr[index]) = (b as u8, r as u8);
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
