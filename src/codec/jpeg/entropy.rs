//! Entropy coding of quantised blocks, one coefficient at a time: the portable coder, and the fallback of the
//! vector coders for rare blocks.

use super::bits::{BitWriter, Buffer, Cursor};
use super::huffman::{Code, Codes, LENGTH, SMALL, Tables, value_bits};
use super::tables::{Block, ZIGZAG};

/// Which blocks belong to which component: the order inside one MCU, repeated.
pub struct Order<'a> {
    /// Component of each block of an MCU.
    pub components: &'a [u8],
    /// Codes of each component.
    pub tables: [&'a Tables; 3],
}

/// Zigzag mask of one row's natural mask: bit k is set when the coefficient at zigzag position k is in the row.
static SPREAD: [[u64; 256]; 8] = {
    let mut table = [[0u64; 256]; 8];
    let mut k = 0;
    while k < 64 {
        let natural = ZIGZAG[k] as usize;
        let mut mask = 0;
        while mask < 256 {
            if mask >> (natural % 8) & 1 == 1 {
                table[natural / 8][mask] |= 1 << k;
            }
            mask += 1;
        }
        k += 1;
    }
    table
};

/// Turns the mask of nonzero coefficients from natural into zigzag order.
#[inline(always)]
pub fn zigzag_mask(natural: u64) -> u64 {
    let rows = natural.to_le_bytes();
    let mut mask = 0;
    for (row, spread) in rows.iter().zip(&SPREAD) {
        mask |= spread[usize::from(*row)];
    }
    mask
}

/// Mask of the nonzero coefficients in zigzag order.
#[inline(always)]
pub fn nonzero(block: &Block) -> u64 {
    let mut natural = 0u64;
    for (row, spread) in block.0.chunks_exact(8).zip(&SPREAD) {
        if row.iter().fold(0, |all, &v| all | v) != 0 {
            let bits = row.iter().enumerate().fold(0, |bits, (i, &v)| bits | usize::from(v != 0) << i);
            natural |= spread[bits];
        }
    }
    natural
}

/// Codes `blocks` in their order.
#[inline(always)]
pub fn encode_with(
    writer: &mut BitWriter,
    blocks: &[Block],
    order: &Order,
    dc: &mut [i16; 3],
    nonzero: impl Fn(&Block) -> u64,
) {
    let (buffer, outer) = writer.parts();
    let mut cursor = *outer;
    let mut end = Bits::NONE;
    for mcu in blocks.chunks_exact(order.components.len()) {
        for (block, &component) in mcu.iter().zip(order.components) {
            let c = usize::from(component % 3);
            let tables = order.tables[c];
            let first = end.and(dc_code(block.0[0], &mut dc[c], &tables.codes));
            cursor.append(buffer, first.bits, first.len);
            let mask = with_zero_runs(nonzero(block) & !1);
            end = ac_codes(buffer, &mut cursor, block, mask, tables);
        }
    }
    cursor.append(buffer, end.bits, end.len);
    *outer = cursor;
}

pub fn encode(writer: &mut BitWriter, blocks: &[Block], order: &Order, dc: &mut [i16; 3]) {
    encode_with(writer, blocks, order, dc, nonzero);
}

/// Bits on their way into a [`Cursor`].
#[derive(Clone, Copy)]
pub struct Bits {
    pub bits: u64,
    pub len: u32,
}

impl Bits {
    pub const NONE: Bits = Bits { bits: 0, len: 0 };

    #[inline(always)]
    pub fn of(code: Code) -> Bits {
        Bits { bits: u64::from(code >> 5), len: code & LENGTH }
    }

    /// These bits and more behind them.
    #[inline(always)]
    pub fn and(self, more: Bits) -> Bits {
        Bits { bits: self.bits << (more.len & 63) | more.bits, len: self.len + more.len }
    }
}

/// Code and value bits of a DC coefficient, which becomes the next one's prediction.
#[inline(always)]
pub fn dc_code(value: i16, prediction: &mut i16, codes: &Codes) -> Bits {
    let difference = i32::from(value) - i32::from(*prediction);
    *prediction = value;
    let size = 32 - difference.unsigned_abs().leading_zeros();
    let code = Bits::of(codes.dc[size.min(11) as usize]);
    code.and(Bits { bits: u64::from(value_bits(difference, size)), len: size })
}

/// The code that ends a block whose last coefficient is (`mask`, zigzag order) or is not zero.
#[inline(always)]
pub fn end_of_block(mask: u64, tables: &Tables) -> Bits {
    Bits::of(if mask >> 63 == 0 { tables.codes.ac[0] } else { 0 })
}

/// Codes the AC coefficients at the zigzag positions in `mask`, which has no gap of more than 15 zeros, two at a
/// time; answers the end of block, which may share an append with what follows.
#[inline(always)]
pub fn ac_codes(buffer: &mut Buffer, cursor: &mut Cursor, block: &Block, mask: u64, tables: &Tables) -> Bits {
    let end = end_of_block(mask, tables);
    let mut rest = mask;
    let mut previous = 0;
    loop {
        if rest == 0 {
            return end;
        }
        let first = next_code(block, &mut rest, &mut previous, tables);
        if rest == 0 {
            return first.and(end);
        }
        let both = first.and(next_code(block, &mut rest, &mut previous, tables));
        cursor.append(buffer, both.bits, both.len);
    }
}

/// Code and value bits, at most 26, of the lowest position in `rest`.
#[inline(always)]
fn next_code(block: &Block, rest: &mut u64, previous: &mut u32, tables: &Tables) -> Bits {
    let position = rest.trailing_zeros() & 63;
    *rest &= *rest - 1;
    let step = (position - *previous) & 31;
    *previous = position;
    let value = i32::from(block.0[usize::from(ZIGZAG[position as usize])]);
    let index = (step as i32 * 128 + value) as usize;
    if (-SMALL..SMALL).contains(&value) && index < tables.run_value.len() {
        return Bits::of(tables.run_value[index]);
    }
    let size = 32 - value.unsigned_abs().leading_zeros();
    let code = Bits::of(tables.codes.ac[(step.wrapping_sub(1) << 4 | size) as usize & 255]);
    code.and(Bits { bits: u64::from(value_bits(value, size)), len: size })
}

/// Adds the positions where a ZRL must stand to the mask of AC coefficients: every sixteenth of a run of zeros that a
/// coefficient ends. There the run is 15 and the value 0, which is just what ZRL means.
#[inline(always)]
pub fn with_zero_runs(mask: u64) -> u64 {
    let set = mask | 1;
    let near = set | set << 1;
    let near = near | near << 2;
    let near = near | near << 4;
    let near = near | near << 8;
    let far = mask & !(near << 1);
    if far == 0 { mask } else { with_zero_runs_at(mask, far) }
}

/// For the coefficients in `far`, which have 16 zeros or more before them.
#[cold]
fn with_zero_runs_at(mask: u64, mut far: u64) -> u64 {
    let mut all = mask;
    while far != 0 {
        let position = far.trailing_zeros();
        let before = 63 - ((mask | 1) & ((1 << position) - 1)).leading_zeros();
        for zero in (before + 16..position).step_by(16) {
            all |= 1 << zero;
        }
        far &= far - 1;
    }
    all
}

/// How often each symbol would be used: DC sizes and AC run/size pairs, per table class.
#[derive(Clone)]
pub struct Counts {
    pub dc: [u32; 256],
    pub ac: [u32; 256],
}

impl Counts {
    pub const ZERO: Counts = Counts { dc: [0; 256], ac: [0; 256] };

    /// Adds another count.
    pub fn merge(&mut self, other: &Counts) {
        let pairs = self.dc.iter_mut().zip(&other.dc).chain(self.ac.iter_mut().zip(&other.ac));
        pairs.for_each(|(sum, &more)| *sum = sum.saturating_add(more));
    }

    /// Makes sure that every symbol a baseline file can need counts at least once.
    pub fn complete(&mut self) {
        for count in &mut self.dc[..12] {
            *count = (*count).max(1);
        }
        for (symbol, count) in self.ac.iter_mut().enumerate() {
            let (run, size) = (symbol >> 4, symbol & 15);
            if (1..=10).contains(&size) || size == 0 && (run == 0 || run == 15) {
                *count = (*count).max(1);
            }
        }
    }

    /// Counts the symbols of one block whose nonzero coefficients `mask` names in zigzag order.
    pub fn add(&mut self, block: &Block, mask: u64, prediction: &mut i16) {
        let difference = i32::from(block.0[0]) - i32::from(*prediction);
        *prediction = block.0[0];
        self.dc[(32 - difference.unsigned_abs().leading_zeros()) as usize] += 1;
        let mut rest = mask & !1;
        let mut previous = 0;
        while rest != 0 {
            let position = rest.trailing_zeros();
            rest &= rest - 1;
            let run = position - previous - 1;
            previous = position;
            self.ac[0xf0] += run >> 4;
            let value = i32::from(block.0[usize::from(ZIGZAG[position as usize])]);
            let size = 32 - value.unsigned_abs().leading_zeros();
            self.ac[((run & 15) << 4 | size) as usize & 255] += 1;
        }
        self.ac[0] += u32::from(mask >> 63 == 0);
    }
}

/// Masks of the nonzero coefficients of each block.
pub fn masks(blocks: &[Block], masks: &mut [u64]) {
    for (block, mask) in blocks.iter().zip(masks) {
        *mask = nonzero(block);
    }
}
