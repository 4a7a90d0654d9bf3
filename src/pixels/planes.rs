//! Planes of luma and chroma: reading those of pixel maps, writing those of layouts, and the way from the one to
//! the other without a detour through red, green, blue.

use super::{
    convert::TILE,
    layout::{Sampling, YuvLayout, YuvPacking},
    sample::{Rgba, Sample},
    simd::{map, map2, map3, update},
    yuv::{Codes, FROM_BITS, ToRgb},
};
use crate::model::{pixel_format::PixelFormat, pixelmap::Pixels};

/// How a pixel map keeps luma and chroma.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Chroma subsampling.
    pub sampling: Sampling,
    /// Where the chroma samples are.
    pub packing: YuvPacking,
    /// 8, or 10 in the high bits of 16.
    pub bits: u8,
}

impl Shape {
    /// The shape of a format; none for packed pixels.
    pub fn of(format: PixelFormat) -> Option<Self> {
        use {Sampling::*, YuvPacking::*};
        let (sampling, packing, bits) = match format {
            PixelFormat::Nv12 => (Yuv420, CbCr, 8),
            PixelFormat::Nv21 => (Yuv420, CrCb, 8),
            PixelFormat::YcbcrP010 => (Yuv420, CbCr, 10),
            PixelFormat::YcrcbP010 => (Yuv420, CrCb, 10),
            PixelFormat::I420 => (Yuv420, Planar, 8),
            PixelFormat::I422 => (Yuv422, Planar, 8),
            PixelFormat::I444 => (Yuv444, Planar, 8),
            _ => return None,
        };
        Some(Self { sampling, packing, bits })
    }

    /// Reads luma from column `x` of row `y` on.
    pub fn luma(self, pixels: &Pixels, y: u32, x: usize, to: &mut [u16]) {
        let row = pixels.row(0, y);
        match self.bits {
            8 => map(&row[x..], to, u16::from),
            _ => map(&row.as_chunks::<2>().0[x..], to, |v| u16::from_ne_bytes(v) >> 6),
        }
    }

    /// Reads chroma from column `x` of row `y` of the chroma planes on.
    pub fn chroma(self, pixels: &Pixels, y: u32, x: usize, cb: &mut [u16], cr: &mut [u16]) {
        let row = pixels.row(1, y);
        if self.packing == YuvPacking::Planar {
            map(&row[x..], cb, u16::from);
            map(&pixels.row(2, y)[x..], cr, u16::from);
            return;
        }
        let (first, second) = if self.packing == YuvPacking::CbCr { (cb, cr) } else { (cr, cb) };
        if self.bits == 8 {
            let pairs = &row.as_chunks::<2>().0[x..];
            map2(pairs, pairs, first, second, |[a, b], _| (a.into(), b.into()));
        } else {
            let pairs = &row.as_chunks::<4>().0[x..];
            map2(pairs, pairs, first, second, |[a, b, c, d], _| {
                (u16::from_ne_bytes([a, b]) >> 6, u16::from_ne_bytes([c, d]) >> 6)
            });
        }
    }
}

/// Codes of a tile. Chroma has a column for one or for two of luma.
pub struct CodeTile {
    /// Luma.
    pub y: [u16; TILE],
    /// Chroma.
    pub cb: [u16; TILE],
    /// Chroma.
    pub cr: [u16; TILE],
}

impl CodeTile {
    /// All zero.
    pub fn new() -> Self {
        Self { y: [0; TILE], cb: [0; TILE], cr: [0; TILE] }
    }

    /// Reads `n` columns from the even column `x` of row `y` on.
    pub fn read(&mut self, shape: Shape, pixels: &Pixels, y: u32, x: usize, n: usize) {
        let (shift_x, shift_y) = shape.sampling.shifts();
        let columns = (n + (1 << shift_x) - 1) >> shift_x;
        shape.luma(pixels, y, x, &mut self.y[..n]);
        let (cb, cr) = (&mut self.cb[..columns], &mut self.cr[..columns]);
        shape.chroma(pixels, y >> shift_y, x >> shift_x, cb, cr);
    }

    /// Calls `f` with the luma of every column and the chroma that belongs to it.
    #[inline(always)]
    fn each<B>(&self, shape: Shape, to: &mut [B], f: impl Fn(u16, u16, u16) -> B) {
        let n = to.len();
        if shape.sampling == Sampling::Yuv444 {
            return map3(&self.y[..n], &self.cb, &self.cr, to, f);
        }
        let (pairs, odd) = to.as_chunks_mut::<2>();
        let luma = self.y[..n].as_chunks::<2>().0;
        map3(luma, &self.cb, &self.cr, pairs, |[y0, y1], cb, cr| [f(y0, cb, cr), f(y1, cb, cr)]);
        if let [last] = odd {
            *last = f(self.y[n - 1], self.cb[n / 2], self.cr[n / 2]);
        }
    }

    /// Pixels of what was read.
    pub fn to_rgb<S: Sample>(&self, shape: Shape, to_rgb: &ToRgb, to: &mut [Rgba<S>]) {
        self.each(shape, to, |y, cb, cr| S::from_yuv(y, cb, cr, to_rgb));
    }
}

/// Writes luma codes from column `x` of a row on.
pub fn store_luma(codes: &[u16], bits: u8, x: usize, row: &mut [u8]) {
    if bits == 8 {
        map(codes, &mut row[x..], |v| v as u8);
    } else {
        map(codes, &mut row.as_chunks_mut::<2>().0[x..], u16::to_ne_bytes);
    }
}

/// Writes chroma codes from column `x` of a row on. `rows` is one row of Cb and one of Cr, or one of both.
pub fn store_chroma(cb: &[u16], cr: &[u16], layout: &YuvLayout, x: usize, rows: [&mut [u8]; 2]) {
    let [first, second] = rows;
    let (a, b) = if layout.packing == YuvPacking::CrCb { (cr, cb) } else { (cb, cr) };
    match (layout.packing, layout.bits) {
        (YuvPacking::Planar, bits) => {
            store_luma(cb, bits, x, first);
            store_luma(cr, bits, x, second);
        }
        (_, 8) => {
            let pairs = &mut first.as_chunks_mut::<2>().0[x..];
            map3(a, b, b, pairs, |a, b, _| [a as u8, b as u8]);
        }
        _ => {
            let pairs = &mut first.as_chunks_mut::<4>().0[x..];
            map3(a, b, b, pairs, |a, b, _| {
                let (a, b) = (a.to_ne_bytes(), b.to_ne_bytes());
                [a[0], a[1], b[0], b[1]]
            });
        }
    }
}

/// Codes of one kind to codes of another. Chroma does not depend on luma.
#[derive(Clone, Copy, Debug)]
pub struct Remap {
    luma: [i32; 4],
    /// Factors of sums of four samples.
    cb: [i32; 3],
    cr: [i32; 3],
    max: i32,
    same: bool,
}

impl Remap {
    /// From one kind to another.
    pub fn new(from: &Codes, to: &Codes) -> Self {
        let ([ri, bi], [ro, bo]) = (from.weights, to.weights);
        let (gi, go) = (1.0 - ri - bi, 1.0 - ro - bo);
        // The new luma of the old Cb and Cr: their red, green and blue, weighted.
        let by_cb = 2.0 * (1.0 - bi) * (bo - go * bi / gi);
        let by_cr = 2.0 * (1.0 - ri) * (ro - go * ri / gi);
        let cb = [(2.0 * (1.0 - bi) - by_cb) / (2.0 * (1.0 - bo)), -by_cr / (2.0 * (1.0 - bo))];
        let cr = [-by_cb / (2.0 * (1.0 - ro)), (2.0 * (1.0 - ri) - by_cr) / (2.0 * (1.0 - ro))];
        let one = f64::from(1u32 << FROM_BITS);
        // `times`: of how many samples the chroma is the sum.
        let row = |factors: [f64; 3], times: f64, extent: f64, offset: f64| {
            let [y, c] = [from.luma, from.chroma * times].map(|input| extent / input * one);
            let [y, cb, cr] = [y * factors[0], c * factors[1], c * factors[2]].map(f64::round);
            let constant = offset * one - y * from.black - (cb + cr) * from.neutral * times;
            [y as i32, cb as i32, cr as i32, constant as i32 + (1 << (FROM_BITS - 1))]
        };
        let luma = row([1.0, by_cb, by_cr], 1.0, to.luma, to.black);
        let [_, a, b, c] = row([0.0, cb[0], cb[1]], 4.0, to.chroma, to.neutral);
        let [_, d, e, f] = row([0.0, cr[0], cr[1]], 4.0, to.chroma, to.neutral);
        Self { luma, cb: [a, b, c], cr: [d, e, f], max: to.max.into(), same: from == to }
    }

    /// Whether nothing changes.
    pub fn is_same(&self) -> bool {
        self.same
    }

    /// New luma of row `y` of the pixels, from the even column `x` on. `tile` is for use in between.
    pub fn luma(&self, shape: Shape, pixels: &Pixels, y: u32, x: usize, tile: &mut CodeTile, to: &mut [u16]) {
        let [ky, kb, kr, c] = self.luma;
        let max = self.max;
        let code = |sum: i32| (sum >> FROM_BITS).clamp(0, max) as u16;
        if self.same {
            shape.luma(pixels, y, x, to);
        } else if kb == 0 && kr == 0 {
            shape.luma(pixels, y, x, to);
            update(to, |y| code(i32::from(y) * ky + c));
        } else {
            tile.read(shape, pixels, y, x, to.len());
            tile.each(shape, to, |y, cb, cr| {
                let chroma = (i32::from(cb) * kb).wrapping_add(i32::from(cr) * kr).wrapping_add(c);
                code((i32::from(y) * ky).wrapping_add(chroma))
            });
        }
    }

    /// New chroma of row `y` of the target's chroma planes, from column `x` on (even where the target has all
    /// columns). `tile` is for use in between.
    pub fn chroma(
        &self,
        shape: Shape,
        pixels: &Pixels,
        target: Sampling,
        (y, x): (u32, usize),
        tile: &mut CodeTile,
        cb: &mut [u16],
        cr: &mut [u16],
    ) {
        let ((from_x, from_y), (to_x, to_y)) = (shape.sampling.shifts(), target.shifts());
        let columns = (pixels.width() as usize).div_ceil(1 << from_x);
        let last = pixels.height().div_ceil(1 << from_y) - 1;
        let first = (y << to_y) >> from_y;
        let second = (((y + 1) << to_y).wrapping_sub(1) >> from_y).min(last);
        let n = cb.len();
        let add = |row: u32, tile: &mut CodeTile, cb: &mut [u16], cr: &mut [u16]| {
            // Twice the source's columns per target column, or half, or as many.
            let start = (x << to_x) >> from_x;
            let count = (((n << to_x) + (1 << from_x) - 1) >> from_x).min(columns - start);
            let [from_cb, from_cr] = [&mut tile.cb, &mut tile.cr];
            // A tile holds as many columns as two rows of half of them.
            shape.chroma(pixels, row, start, &mut from_cb[..count], &mut from_cr[..count]);
            for (from, to) in [(&from_cb[..count], cb), (&from_cr[..count], cr)] {
                spread(from, to_x as i32 - from_x as i32, to);
            }
        };
        cb.fill(0);
        cr.fill(0);
        add(first, tile, cb, cr);
        add(second, tile, cb, cr);
        let ([ka, kb, kc], [kd, ke, kf]) = (self.cb, self.cr);
        let (max, same) = (self.max, self.same);
        let code = |sum: i32| (sum >> FROM_BITS).clamp(0, max) as u16;
        for (cb, cr) in cb.iter_mut().zip(cr) {
            (*cb, *cr) = if same {
                ((*cb + 2) >> 2, (*cr + 2) >> 2)
            } else {
                let (b, r) = (i32::from(*cb), i32::from(*cr));
                (
                    code((b * ka).wrapping_add(r * kb).wrapping_add(kc)),
                    code((b * kd).wrapping_add(r * ke).wrapping_add(kf)),
                )
            };
        }
    }
}

/// Adds twice the average of the source's columns that lie in a target column; `down` is 1 for two of them, 0 for
/// one, -1 for half of one.
fn spread(from: &[u16], down: i32, to: &mut [u16]) {
    match down {
        0 => to.iter_mut().zip(from).for_each(|(to, from)| *to += 2 * from),
        1 => to.iter_mut().zip(from.chunks(2)).for_each(|(to, pair)| *to += pair[0] + pair[pair.len() - 1]),
        _ => to.chunks_mut(2).zip(from).for_each(|(to, from)| to.iter_mut().for_each(|to| *to += 2 * from)),
    }
}
