//! Quantised blocks as tokens, a byte for most coefficients: the form in which a baseline file's blocks wait for
//! their Huffman tables, in less room than anything that could be walked more freely.
//!
//! A token is a run of zeros (upper four bits) and a value from -7 to 7, plus 8. Value 0 with a run of 15 is ZRL, with
//! 0 the end of a block. The lower bits 0 announce a larger value, whose two bytes follow.

use super::{
    bits::{BitWriter, Buffer, Cursor},
    entropy::{Bits, Counts, dc_code, with_zero_runs},
    geometry::Geometry,
    huffman::{Codes, LENGTH, value_bits},
    tables::{Block, ZIGZAG},
};
use crate::error::{Error, Result};

/// The end of a block whose last coefficient is zero: has a code.
const END: u8 = 0x08;
/// The end of a block whose last coefficient is not: has none.
const FULL: u8 = 0x18;
/// A run of 16 zeros.
const ZERO_RUN: u8 = 0xf8;

/// The most bytes of a block: 63 values of three bytes, and the end.
const MOST: usize = 63 * 3 + 1;

/// The blocks of some MCU rows.
#[derive(Default)]
pub struct Strip {
    planes: [Plane; 3],
    /// How often each AC token or symbol is used, for luma and chroma.
    counts: Box<[Usage; 2]>,
    /// MCU rows.
    rows: usize,
}

/// One component of a strip.
#[derive(Default)]
struct Plane {
    dc: Vec<i16>,
    ac: Vec<u8>,
    /// Where each row starts in `ac`.
    starts: Vec<usize>,
}

/// Counted tokens, and counted symbols of larger values.
#[derive(Clone)]
pub struct Usage {
    tokens: [u32; 256],
    large: [u32; 256],
}

impl Default for Usage {
    fn default() -> Usage {
        Usage { tokens: [0; 256], large: [0; 256] }
    }
}

impl Usage {
    fn add_to(&self, counts: &mut [u32; 256]) {
        for (token, &count) in (0u8..=255).zip(&self.tokens).filter(|(_, count)| **count > 0) {
            let (run, value) = (token & 0xf0, i32::from(token & 15) - 8);
            let size = 32 - value.unsigned_abs().leading_zeros();
            if token != FULL && value != -8 {
                counts[usize::from(run) | size as usize] += count;
            }
        }
        counts.iter_mut().zip(&self.large).for_each(|(sum, count)| *sum += count);
    }
}

/// Writes the AC tokens of blocks (natural order, with the zigzag masks of what is not zero) and counts them; says how
/// many bytes they take. `out` has room for [`room`].
#[inline(always)]
pub fn pack(blocks: &[Block], masks: &[u64], usage: &mut Usage, out: &mut [u8]) -> usize {
    let mut at = 0;
    for (block, &mask) in blocks.iter().zip(masks) {
        let out = &mut out[at..at + MOST];
        let mut len = 0;
        let mut rest = with_zero_runs(mask & !1);
        let mut before = 0;
        while rest != 0 {
            let position = rest.trailing_zeros();
            rest &= rest - 1;
            let run = (position - before - 1) & 15;
            before = position;
            let value = block.0[usize::from(ZIGZAG[position as usize & 63])];
            let token = (run << 4) as u8;
            if (-7..=7).contains(&value) {
                let token = token | (value + 8) as u8;
                usage.tokens[usize::from(token)] += 1;
                out[len] = token;
                len += 1;
            } else {
                let size = 16 - value.unsigned_abs().leading_zeros();
                usage.large[usize::from(token) | (size & 15) as usize] += 1;
                out[len] = token;
                out[len + 1..len + 3].copy_from_slice(&value.to_ne_bytes());
                len += 3;
            }
        }
        out[len] = if mask >> 63 == 0 { END } else { FULL };
        usage.tokens[usize::from(out[len])] += 1;
        at += len + 1;
    }
    at
}

/// The most bytes of the tokens of `blocks` blocks.
pub fn room(blocks: usize) -> usize {
    blocks * MOST
}

impl Strip {
    /// Appends a row of blocks of component `c`, whose AC tokens `tokens` are.
    pub fn push_row(&mut self, c: usize, blocks: &[Block], tokens: &[u8]) -> Result<()> {
        let plane = &mut self.planes[c];
        let room = plane.dc.try_reserve(blocks.len()).and_then(|()| plane.starts.try_reserve(1));
        room.map_err(|_| Error::out_of_memory(2 * blocks.len(), "JPEG coefficients"))?;
        plane.dc.extend(blocks.iter().map(|block| block.0[0]));
        plane.starts.push(plane.ac.len());
        // Not doubled, as vectors grow by themselves: strips are kept in great number.
        if plane.ac.capacity() - plane.ac.len() < tokens.len() {
            let more = tokens.len().max(plane.ac.len() / 4);
            let room = plane.ac.try_reserve_exact(more);
            room.map_err(|_| Error::out_of_memory(plane.ac.len() + more, "JPEG coefficients"))?;
        }
        plane.ac.extend_from_slice(tokens);
        Ok(())
    }

    /// MCU rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Where the tokens of component `c` are counted.
    pub fn usage(&mut self, c: usize) -> &mut Usage {
        &mut self.counts[usize::from(c > 0)]
    }

    /// Ends the strip after `rows` MCU rows: it takes no more room than it must.
    pub fn finish(&mut self, rows: usize) -> Result<()> {
        self.rows = rows;
        for plane in &mut self.planes {
            tighten(&mut plane.dc)?;
            tighten(&mut plane.ac)?;
        }
        Ok(())
    }

    /// The memory it takes.
    pub fn bytes(&self) -> usize {
        let planes = self.planes.iter();
        size_of::<Strip>() + planes.map(|p| 2 * p.dc.len() + p.ac.len() + 8 * p.starts.len()).sum::<usize>()
    }
}

/// `shrink_to_fit` that answers when memory runs out.
fn tighten<T: Copy>(vec: &mut Vec<T>) -> Result<()> {
    let mut tight = Vec::new();
    tight
        .try_reserve_exact(vec.len())
        .map_err(|_| Error::out_of_memory(size_of_val(&vec[..]), "JPEG coefficients"))?;
    tight.extend_from_slice(vec);
    *vec = tight;
    Ok(())
}

/// The order of blocks in a file.
#[derive(Clone, Copy)]
pub struct Order {
    geometry: Geometry,
    /// MCUs between restart markers; 0 for none.
    restart_interval: usize,
}

impl Order {
    pub fn new(geometry: Geometry, restart_interval: usize) -> Order {
        Order { geometry, restart_interval }
    }

    /// The number of the restart marker before this MCU, if there is one.
    #[inline(always)]
    fn restart(&self, mcu: usize) -> Option<usize> {
        let due = self.restart_interval > 0 && mcu > 0 && mcu.is_multiple_of(self.restart_interval);
        due.then(|| mcu / self.restart_interval - 1)
    }
}

/// Counts the symbols of strips in their order.
pub struct Counter {
    order: Order,
    /// MCUs so far.
    mcus: usize,
    dc: [i16; 3],
    /// For luma and chroma.
    pub counts: [Counts; 2],
}

impl Counter {
    pub fn new(order: Order) -> Counter {
        Counter { order, mcus: 0, dc: [0; 3], counts: [Counts::ZERO, Counts::ZERO] }
    }

    pub fn add(&mut self, strip: &Strip) {
        for (usage, counts) in strip.counts.iter().zip(&mut self.counts) {
            usage.add_to(&mut counts.ac);
        }
        let geometry = self.order.geometry;
        let (h, v) = geometry.sampling.factors();
        let across = geometry.mcus_across();
        for (c, plane) in strip.planes.iter().enumerate().filter(|(_, plane)| !plane.dc.is_empty()) {
            let (h, v) = if c == 0 { (h, v) } else { (1, 1) };
            let sizes = &mut self.counts[usize::from(c > 0)].dc;
            for (row, lines) in plane.dc.chunks_exact(across * h * v).enumerate() {
                for column in 0..across {
                    if self.order.restart(self.mcus + row * across + column).is_some() {
                        self.dc[c] = 0;
                    }
                    for line in 0..v {
                        for &dc in &lines[(line * across + column) * h..][..h] {
                            let difference = i32::from(dc) - i32::from(self.dc[c]);
                            self.dc[c] = dc;
                            sizes[32 - difference.unsigned_abs().leading_zeros() as usize] += 1;
                        }
                    }
                }
            }
        }
        self.mcus += strip.rows * across;
    }
}

/// Codes strips in their order.
pub struct Writer {
    order: Order,
    codes: [Codes; 2],
    /// Code words by token, for luma and chroma.
    words: [[u32; 256]; 2],
    bits: BitWriter,
    mcus: usize,
    dc: [i16; 3],
    /// What has been written; the caller takes it.
    pub out: Vec<u8>,
}

impl Writer {
    pub fn new(order: Order, codes: [Codes; 2]) -> Writer {
        let words = codes.each_ref().map(|codes| {
            core::array::from_fn(|token| {
                let (run, value) = (token & 0xf0, (token & 15) as i32 - 8);
                if token == usize::from(FULL) || value == -8 {
                    return 0;
                }
                let size = 32 - value.unsigned_abs().leading_zeros();
                let code = codes.ac[run | size as usize];
                ((code >> 5) << size | value_bits(value, size)) << 5 | (code & LENGTH) + size
            })
        });
        let bits = BitWriter::default();
        Writer { order, codes, words, bits, mcus: 0, dc: [0; 3], out: Vec::new() }
    }

    /// Appends MCU row `row` of a strip.
    #[inline(always)]
    pub fn add(&mut self, strip: &Strip, row: usize) -> Result<()> {
        let geometry = self.order.geometry;
        let (h, v) = geometry.sampling.factors();
        let across = geometry.mcus_across();
        let components = strip.planes.iter().filter(|plane| !plane.dc.is_empty()).count();
        // Of each line of blocks: the DC coefficients and what is left of the AC tokens.
        type Line<'a> = (&'a [i16], &'a [u8]);
        let mut lines: [[Line; 2]; 3] = [[(&[], &[]); 2]; 3];
        for (c, plane) in strip.planes[..components].iter().enumerate() {
            let (h, v) = if c == 0 { (h, v) } else { (1, 1) };
            for (i, line) in lines[c][..v].iter_mut().enumerate() {
                let y = row * v + i;
                *line = (&plane.dc[y * across * h..][..across * h], &plane.ac[plane.starts[y]..]);
            }
        }
        for column in 0..across {
            if let Some(number) = self.order.restart(self.mcus) {
                self.bits.restart(number, &mut self.out)?;
                self.dc = [0; 3];
            }
            let (buffer, outer) = self.bits.parts();
            let mut cursor = *outer;
            for (c, lines) in lines[..components].iter_mut().enumerate() {
                let (h, v) = if c == 0 { (h, v) } else { (1, 1) };
                let class = usize::from(c > 0);
                for (dc, ac) in &mut lines[..v] {
                    for &dc in &dc[column * h..][..h] {
                        let first = dc_code(dc, &mut self.dc[c], &self.codes[class]);
                        let tables = (&self.codes[class], &self.words[class]);
                        code_block(buffer, &mut cursor, first, tables, ac);
                    }
                }
            }
            *outer = cursor;
            self.mcus += 1;
            if self.mcus.is_multiple_of(MCUS) {
                self.bits.drain(&mut self.out)?;
            }
        }
        self.bits.drain(&mut self.out)
    }

    /// Ends the scan.
    pub fn finish(&mut self) -> Result<()> {
        self.bits.finish(&mut self.out)
    }
}

/// MCUs between two drains.
const MCUS: usize = BitWriter::BLOCKS / 6;

/// Appends a block: the bits of its DC coefficient, and its tokens, which it takes from `ac`.
#[inline(always)]
fn code_block(
    buffer: &mut Buffer,
    cursor: &mut Cursor,
    first: Bits,
    (codes, words): (&Codes, &[u32; 256]),
    ac: &mut &[u8],
) {
    let mut bits = first;
    let mut tokens = ac.iter();
    while let Some(&token) = tokens.next() {
        let mut word = Bits::of(words[usize::from(token)]);
        if token & 7 == 0 {
            if token & 15 == 0 {
                let mut byte = || tokens.next().copied().unwrap_or(0);
                let value = i32::from(i16::from_ne_bytes([byte(), byte()]));
                let size = 32 - value.unsigned_abs().leading_zeros();
                let code = Bits::of(codes.ac[usize::from(token) | (size & 15) as usize]);
                word = code.and(Bits { bits: u64::from(value_bits(value, size)), len: size });
            } else if token != ZERO_RUN {
                // The end.
                bits = bits.and(word);
                break;
            }
        }
        bits = bits.and(word);
        // Up to 27 bits of DC or 26 of AC may follow.
        if bits.len > Cursor::MOST - 27 {
            cursor.append(buffer, bits.bits, bits.len);
            bits = Bits::NONE;
        }
    }
    cursor.append(buffer, bits.bits, bits.len);
    *ac = tokens.as_slice();
}
