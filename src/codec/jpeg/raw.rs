//! Unquantised coefficients of a strip: a fixed number of MCU rows that are analysed as if they were an image of
//! their own, so that strips can be made on any thread, in any order, with the same bytes.

use super::{
    band::Band,
    front::{Place, TILE, Tile},
    geometry::{Geometry, Sampling},
    kernels::Kernels,
    tables::Block,
};
use crate::error::{Error, Result};

/// MCU rows of a strip.
pub const STRIP_ROWS: usize = 8;

/// The coefficients (8 times the true ones) of one component of a strip.
#[derive(Default)]
pub struct RawPlane {
    /// Blocks from one block row to the next, at least `across`.
    stride: usize,
    pub across: usize,
    pub down: usize,
    blocks: Vec<Block>,
}

impl RawPlane {
    pub fn row(&self, y: usize) -> &[Block] {
        &self.blocks[y * self.stride..][..self.across]
    }
}

/// One thread's buffers for a strip.
pub struct RawStrip {
    pub planes: [RawPlane; 3],
    /// Subsampled chroma of the strip while it waits for its neighbours.
    chroma: [Chroma; 2],
    tile: Box<Tile>,
}

impl Default for RawStrip {
    fn default() -> RawStrip {
        RawStrip { planes: Default::default(), chroma: Default::default(), tile: Tile::new() }
    }
}

#[derive(Default)]
struct Chroma {
    stride: usize,
    samples: Vec<i16>,
}

impl RawStrip {
    /// Makes room for the strips of an image of at most `mcu_rows` MCU rows. Chroma is kept only to be sharpened.
    pub fn reserve(&mut self, geometry: &Geometry, mcu_rows: usize, sharpen: bool) -> Result<()> {
        let (h, v) = geometry.sampling.factors();
        let tiles = tiles(geometry);
        for (c, plane) in self.planes.iter_mut().enumerate() {
            let (h, v) = match (c, geometry.sampling) {
                (0, _) => (h, v),
                (_, Sampling::Gray) => continue,
                _ => (1, 1),
            };
            plane.across = geometry.mcus_across() * h;
            plane.down = mcu_rows * v;
            plane.stride = tiles * (TILE / 8);
            resize(&mut plane.blocks, plane.stride * plane.down, Block::ZERO)?;
        }
        if sharpen {
            for chroma in &mut self.chroma {
                chroma.stride = tiles * (TILE / h);
                resize(&mut chroma.samples, chroma.stride * 8 * mcu_rows, 0)?;
            }
        }
        Ok(())
    }

    /// Transforms MCU row `mcu_row` of the strip; with `sharpen` its chroma only once all rows are there, by
    /// [`RawStrip::sharpen`].
    pub fn load(
        &mut self,
        kernels: &Kernels,
        geometry: &Geometry,
        mcu_row: usize,
        band: &Band,
        sharpen: bool,
    ) {
        let (h, v) = geometry.sampling.factors();
        for index in 0..tiles(geometry) {
            let tile = &mut self.tile;
            band.load(kernels, geometry, index * TILE, tile);
            for row in 0..v {
                let plane = &mut self.planes[0];
                let base = (mcu_row * v + row) * plane.stride + index * (TILE / 8);
                kernels.forward(&tile.y[8 * row * TILE..], TILE / 8, None, &mut plane.blocks, in_line(base));
            }
            if geometry.sampling == Sampling::Gray {
                continue;
            }
            for (c, samples) in [&tile.cb, &tile.cr].into_iter().enumerate() {
                let across = TILE / h;
                if sharpen {
                    let chroma = &mut self.chroma[c];
                    for row in 0..8 {
                        let at = (8 * mcu_row + row) * chroma.stride + index * across;
                        chroma.samples[at..at + across].copy_from_slice(&samples[row * TILE..][..across]);
                    }
                } else {
                    let plane = &mut self.planes[1 + c];
                    let base = mcu_row * plane.stride + index * (across / 8);
                    kernels.forward(samples, across / 8, None, &mut plane.blocks, in_line(base));
                }
            }
        }
    }

    /// Sharpens and transforms the chroma of a strip of `mcu_rows` rows: makes up for the blur of the decoder's
    /// interpolation.
    pub fn sharpen(&mut self, kernels: &Kernels, geometry: &Geometry, mcu_rows: usize) {
        let (_, v) = geometry.sampling.factors();
        let RawStrip { planes, chroma, tile } = self;
        for (chroma, plane) in chroma.iter().zip(&mut planes[1..]) {
            let stride = chroma.stride;
            let line = |y: usize| &chroma.samples[y * stride..][..stride];
            for mcu_row in 0..mcu_rows {
                for x in (0..stride).step_by(TILE) {
                    let count = TILE.min(stride - x);
                    for row in 0..8 {
                        let y = 8 * mcu_row + row;
                        // The rows above and below; the row itself where chroma has full height.
                        let (above, below) = match v {
                            2 => (y.saturating_sub(1), (y + 1).min(8 * mcu_rows - 1)),
                            _ => (y, y),
                        };
                        let rows = [line(above), line(y), line(below)];
                        kernels.sharpen(rows, x, &mut tile.cb[row * TILE..][..count]);
                    }
                    let base = mcu_row * plane.stride + x / 8;
                    kernels.forward(&tile.cb, count / 8, None, &mut plane.blocks, in_line(base));
                }
            }
        }
    }
}

fn tiles(geometry: &Geometry) -> usize {
    (geometry.mcus_across() * geometry.mcu().0).div_ceil(TILE)
}

fn in_line(base: usize) -> Place {
    Place { base, across: 1, per_mcu: 1 }
}

fn resize<T: Clone>(buffer: &mut Vec<T>, len: usize, value: T) -> Result<()> {
    let more = len.saturating_sub(buffer.len());
    buffer
        .try_reserve_exact(more)
        .map_err(|_| Error::out_of_memory(len * size_of::<T>(), "a strip of JPEG"))?;
    buffer.resize(len, value);
    Ok(())
}

/// Samples `x..x + out.len()` (at most a tile's) of a row, sharpened: one step of back-projection for averaged chroma
/// `c` and the triangle filter `U` that decoders interpolate with, `c + (c - average(U c))`, where `average(U c)` is
/// the kernel (1 6 1) / 8 in each direction.
#[inline(always)]
pub fn sharpen_row([above, row, below]: [&[i16]; 3], x: usize, out: &mut [i16]) {
    // Column sums from x - 1 on, edges repeated.
    let mut sums = [0i16; TILE + 2];
    let count = out.len();
    let column = |i: usize| above[i] + 6 * row[i] + below[i];
    sums[0] = column(x.saturating_sub(1));
    sums[count + 1] = column((x + count).min(row.len() - 1));
    let (above, row, below) = (&above[x..x + count], &row[x..x + count], &below[x..x + count]);
    for (i, sum) in sums[1..=count].iter_mut().enumerate() {
        *sum = above[i] + 6 * row[i] + below[i];
    }
    for (i, (out, &own)) in out.iter_mut().zip(row).enumerate() {
        let blurred = (sums[i] + 6 * sums[i + 1] + sums[i + 2] + 32) >> 6;
        *out = (2 * own - blurred).clamp(-128, 127);
    }
}
