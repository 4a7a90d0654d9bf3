//! Quantised coefficients without their zeros: what the progressive scans read, in a fraction of the room of a full
//! coefficient image.

use super::{
    geometry::{Geometry, Sampling},
    tables::{Block, ZIGZAG},
};
use crate::error::{Error, Result};

/// One component. Blocks lie in rows of `across`; a scan of the component alone leaves out the padding.
pub struct Plane {
    /// Blocks of a row, padded to whole MCUs.
    pub across: usize,
    /// Rows of blocks so far; whole MCUs in the end.
    pub down: usize,
    /// Blocks that hold pixels.
    pub real_across: usize,
    pub real_down: usize,
    /// Blocks in an MCU, across and down.
    pub h: usize,
    pub v: usize,
    rows: Vec<Row>,
}

/// A row of blocks.
struct Row {
    /// For each block, the zigzag positions with a value; bit 0, the DC coefficient, always.
    masks: Vec<u64>,
    values: Vec<i16>,
}

/// One block's coefficients in zigzag order.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub mask: u64,
    pub values: &'a [i16],
}

/// What is left of a row of blocks.
#[derive(Clone, Copy, Default)]
pub struct BlockRow<'a> {
    masks: &'a [u64],
    values: &'a [i16],
}

impl<'a> BlockRow<'a> {
    /// The next block; behind the end an empty one.
    #[inline(always)]
    pub fn next(&mut self) -> View<'a> {
        let Some((&mask, masks)) = self.masks.split_first() else { return View { mask: 1, values: &[0] } };
        self.masks = masks;
        let (values, rest) = self.values.split_at(mask.count_ones() as usize);
        self.values = rest;
        View { mask, values }
    }
}

impl Plane {
    /// The empty planes of an image.
    pub fn all(geometry: &Geometry) -> Vec<Plane> {
        let (h, v) = geometry.sampling.factors();
        let plane = |c| {
            let (h, v) = if c == 0 { (h, v) } else { (1, 1) };
            let (real_across, real_down) = geometry.real_blocks(c);
            let across = geometry.mcus_across() * h;
            Plane { across, down: 0, real_across, real_down, h, v, rows: Vec::new() }
        };
        (0..if geometry.sampling == Sampling::Gray { 1 } else { 3 }).map(plane).collect()
    }

    /// Appends a row of blocks (natural order, with the zigzag masks of what is not zero). Bit 0 of a mask counts as
    /// set.
    pub fn push_row(&mut self, blocks: &[Block], masks: &[u64]) -> Result<()> {
        let count = masks.iter().map(|mask| (mask | 1).count_ones() as usize).sum();
        let mut row = Row { masks: Vec::new(), values: Vec::new() };
        let room = row.values.try_reserve_exact(count);
        room.and_then(|()| row.masks.try_reserve_exact(masks.len()))
            .and_then(|()| self.rows.try_reserve(1))
            .map_err(|_| Error::out_of_memory(2 * count + 8 * masks.len(), "JPEG coefficients"))?;
        for (block, mask) in blocks.iter().zip(masks) {
            let mut rest = mask | 1;
            row.masks.push(rest);
            while rest != 0 {
                row.values.push(block.0[usize::from(ZIGZAG[rest.trailing_zeros() as usize & 63])]);
                rest &= rest - 1;
            }
        }
        self.rows.push(row);
        self.down += 1;
        Ok(())
    }

    /// Appends the rows of the strip below.
    pub fn append(&mut self, below: &mut Plane) -> Result<()> {
        self.rows
            .try_reserve(below.rows.len())
            .map_err(|_| Error::out_of_memory(below.rows.len() * size_of::<Row>(), "JPEG coefficients"))?;
        self.rows.append(&mut below.rows);
        self.down += below.down;
        Ok(())
    }

    /// The blocks of row `y`.
    pub fn row(&self, y: usize) -> BlockRow<'_> {
        let Row { masks, values } = &self.rows[y];
        BlockRow { masks, values }
    }
}
