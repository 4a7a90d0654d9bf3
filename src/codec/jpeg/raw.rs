//! Unquantised coefficients of a strip: a fixed number of MCU rows that are analysed as if they were an image of
//! their own, so that strips can be made on any thread, in any order, with the same bytes. Only the rows that the
//! analysis still needs are kept.

use super::{
    band::Band,
    front::{Place, TILE, Tile},
    geometry::{Geometry, Sampling},
    kernels::Kernels,
    overshoot::{self, Overshoot},
    tables::Block,
};
use crate::error::{Error, Result};

/// MCU rows of a strip.
pub const STRIP_ROWS: usize = 8;

/// Block rows kept: as many as arrive with an MCU row, and the one before them, which waits for its neighbour below.
const KEPT: usize = 3;
/// MCU rows of chroma samples kept: one, and its neighbours.
const KEPT_CHROMA: usize = 3;

/// The newest rows of coefficients (8 times the true ones) of one component of a strip.
#[derive(Default)]
pub struct RawPlane {
    /// Blocks from one block row to the next, at least `across`.
    stride: usize,
    pub across: usize,
    /// Rows so far.
    pub down: usize,
    blocks: Vec<Block>,
}

impl RawPlane {
    /// One of the newest rows.
    pub fn row(&self, y: usize) -> &[Block] {
        &self.blocks[y % KEPT * self.stride..][..self.across]
    }

    /// Transforms `blocks` blocks of row `y` from block `x` on.
    fn transform(&mut self, kernels: &Kernels, samples: &[i16], blocks: usize, y: usize, x: usize) {
        let blocks = blocks.min(self.across - x);
        let place = Place { base: y % KEPT * self.stride + x, across: 1, per_mcu: 1 };
        kernels.forward(samples, blocks, None, &mut self.blocks, place);
    }

    /// Adds what goes beyond white to blocks of row `y` from block `x` on.
    fn add<'a>(&mut self, more: impl Iterator<Item = (usize, &'a Block)>, y: usize, x: usize) {
        let row = &mut self.blocks[y % KEPT * self.stride + x..];
        for (i, more) in more {
            row[i].0.iter_mut().zip(&more.0).for_each(|(to, more)| *to += more);
        }
    }
}

/// What becomes of chroma.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chroma {
    /// It is not looked at.
    Ignored,
    Transformed,
    /// It waits for its neighbours, and [`RawStrip::sharpen`] transforms it.
    Sharpened,
}

/// One thread's buffers for a strip.
pub struct RawStrip {
    pub planes: [RawPlane; 3],
    /// Subsampled chroma of the strip while it waits for its neighbours.
    chroma: [ChromaRows; 2],
    tile: Box<Tile>,
    overshoot: Box<Overshoot>,
    /// Blocks of luma so far that hold white and something else.
    pub edges: usize,
}

impl Default for RawStrip {
    fn default() -> RawStrip {
        RawStrip {
            planes: Default::default(),
            chroma: Default::default(),
            tile: Tile::new(),
            overshoot: Overshoot::new(),
            edges: 0,
        }
    }
}

#[derive(Default)]
struct ChromaRows {
    stride: usize,
    samples: Vec<i16>,
}

impl ChromaRows {
    fn line(&self, y: usize) -> &[i16] {
        &self.samples[y % (8 * KEPT_CHROMA) * self.stride..][..self.stride]
    }
}

impl RawStrip {
    /// Makes ready for a strip that will be quantised with these steps of luma.
    pub fn begin(&mut self, geometry: &Geometry, chroma: Chroma, steps: &[u16; 64]) -> Result<()> {
        self.overshoot.begin(steps);
        self.edges = 0;
        let (h, _) = geometry.sampling.factors();
        let tiles = tiles(geometry);
        for (c, plane) in self.planes.iter_mut().enumerate() {
            let (own_h, less_h) = match (c, geometry.sampling) {
                (0, _) => (h, 1),
                _ if geometry.sampling == Sampling::Gray || chroma == Chroma::Ignored => continue,
                _ => (1, h),
            };
            plane.across = geometry.mcus_across() * own_h;
            plane.down = 0;
            plane.stride = tiles * (TILE / 8 / less_h);
            resize(&mut plane.blocks, plane.stride * KEPT, Block::ZERO)?;
        }
        if chroma == Chroma::Sharpened {
            for chroma in &mut self.chroma {
                chroma.stride = tiles * (TILE / h);
                resize(&mut chroma.samples, chroma.stride * 8 * KEPT_CHROMA, 0)?;
            }
        }
        Ok(())
    }

    /// Transforms MCU row `mcu_row` of the strip.
    pub fn load(
        &mut self,
        kernels: &Kernels,
        geometry: &Geometry,
        mcu_row: usize,
        band: &Band,
        wanted: Chroma,
    ) {
        let (h, v) = geometry.sampling.factors();
        let across = TILE / h;
        let RawStrip { planes: [luma, planes @ ..], chroma, tile, overshoot, edges } = self;
        for index in 0..tiles(geometry) {
            band.load(kernels, geometry, index * TILE, tile);
            for row in 0..v {
                let samples = &tile.y[8 * row * TILE..];
                let x = index * (TILE / 8);
                luma.transform(kernels, samples, TILE / 8, mcu_row * v + row, x);
                let found = overshoot::found(samples, (TILE / 8).min(luma.across - x));
                *edges += found.count_ones() as usize;
                if wanted != Chroma::Ignored {
                    luma.add(overshoot.of(kernels, samples, found), mcu_row * v + row, x);
                }
            }
            if geometry.sampling == Sampling::Gray || wanted == Chroma::Ignored {
                continue;
            }
            for (c, samples) in [&tile.cb, &tile.cr].into_iter().enumerate() {
                if wanted == Chroma::Sharpened {
                    let chroma = &mut chroma[c];
                    for row in 0..8 {
                        let y = (8 * mcu_row + row) % (8 * KEPT_CHROMA);
                        let at = y * chroma.stride + index * across;
                        chroma.samples[at..at + across].copy_from_slice(&samples[row * TILE..][..across]);
                    }
                } else {
                    planes[c].transform(kernels, samples, across / 8, mcu_row, index * (across / 8));
                }
            }
        }
        luma.down = (mcu_row + 1) * v;
        if wanted == Chroma::Transformed {
            planes.iter_mut().for_each(|plane| plane.down = mcu_row + 1);
        }
    }

    /// Sharpens and transforms the chroma of MCU row `mcu_row` of a strip of `mcu_rows`: makes up for the blur of
    /// the decoder's interpolation.
    pub fn sharpen(&mut self, kernels: &Kernels, geometry: &Geometry, mcu_row: usize, mcu_rows: usize) {
        let (_, v) = geometry.sampling.factors();
        let RawStrip { planes, chroma, tile, .. } = self;
        for (chroma, plane) in chroma.iter().zip(&mut planes[1..]) {
            for x in (0..chroma.stride).step_by(TILE) {
                let count = TILE.min(chroma.stride - x);
                for row in 0..8 {
                    let y = 8 * mcu_row + row;
                    // The rows above and below; the row itself where chroma has full height.
                    let (above, below) = match v {
                        2 => (y.saturating_sub(1), (y + 1).min(8 * mcu_rows - 1)),
                        _ => (y, y),
                    };
                    let rows = [above, y, below].map(|y| chroma.line(y));
                    kernels.sharpen(rows, x, &mut tile.cb[row * TILE..][..count]);
                }
                plane.transform(kernels, &tile.cb, count / 8, mcu_row, x / 8);
            }
            plane.down = mcu_row + 1;
        }
    }
}

fn tiles(geometry: &Geometry) -> usize {
    (geometry.mcus_across() * geometry.mcu().0).div_ceil(TILE)
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
