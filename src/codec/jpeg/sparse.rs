//! Quantised coefficients without their zeros: what the two-pass entropy coders read, in a fraction of the room of a
//! full coefficient image.

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
    heads: Vec<Head>,
    values: Vec<i16>,
}

#[derive(Clone, Copy)]
struct Head {
    /// Zigzag positions with a value; bit 0, the DC coefficient, always.
    mask: u64,
    /// Index of the DC coefficient in `values`.
    start: usize,
}

/// One block's coefficients in zigzag order.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub mask: u64,
    pub values: &'a [i16],
}

impl Plane {
    /// The empty planes of an image.
    pub fn all(geometry: &Geometry) -> Vec<Plane> {
        let (h, v) = geometry.sampling.factors();
        let plane = |(own_h, own_v): (usize, usize), (less_h, less_v): (usize, usize)| Plane {
            across: geometry.mcus_across() * own_h,
            down: 0,
            real_across: geometry.width.div_ceil(less_h).div_ceil(8),
            real_down: geometry.height.div_ceil(less_v).div_ceil(8),
            h: own_h,
            v: own_v,
            heads: Vec::new(),
            values: Vec::new(),
        };
        let luma = plane((h, v), (1, 1));
        match geometry.sampling {
            Sampling::Gray => vec![luma],
            _ => vec![luma, plane((1, 1), (h, v)), plane((1, 1), (h, v))],
        }
    }

    /// Appends a row of blocks (natural order, with the zigzag masks of what is not zero). `real` says whether the
    /// row holds pixels; blocks without pixels repeat the DC coefficient before them, which costs the fewest bits.
    pub fn push_row(&mut self, blocks: &[Block], masks: &[u64], real: bool) -> Result<()> {
        let room =
            self.heads.try_reserve(self.across).and_then(|()| self.values.try_reserve(64 * self.across));
        room.map_err(|_| Error::out_of_memory(self.bytes(), "JPEG coefficients"))?;
        let real = if real { self.real_across } else { 0 };
        let mut dc = 0;
        for (block, &mask) in blocks[..real].iter().zip(masks) {
            let mask = mask | 1;
            self.heads.push(Head { mask, start: self.values.len() });
            let mut rest = mask;
            while rest != 0 {
                self.values.push(block.0[usize::from(ZIGZAG[rest.trailing_zeros() as usize])]);
                rest &= rest - 1;
            }
            dc = block.0[0];
        }
        for _ in real..self.across {
            self.heads.push(Head { mask: 1, start: self.values.len() });
            self.values.push(dc);
        }
        self.down += 1;
        Ok(())
    }

    /// Appends the rows of the strip below.
    pub fn append(&mut self, below: &Plane) -> Result<()> {
        let room = self.heads.try_reserve(below.heads.len());
        room.and_then(|()| self.values.try_reserve(below.values.len()))
            .map_err(|_| Error::out_of_memory(self.bytes() + below.bytes(), "JPEG coefficients"))?;
        let base = self.values.len();
        let moved = |head: &Head| Head { mask: head.mask, start: head.start + base };
        self.heads.extend(below.heads.iter().map(moved));
        self.values.extend_from_slice(&below.values);
        self.down += below.down;
        Ok(())
    }

    #[inline(always)]
    pub fn block(&self, x: usize, y: usize) -> View<'_> {
        let head = self.heads[y * self.across + x];
        View { mask: head.mask, values: &self.values[head.start..] }
    }

    fn bytes(&self) -> usize {
        self.heads.len() * size_of::<Head>() + self.values.len() * size_of::<i16>()
    }
}
