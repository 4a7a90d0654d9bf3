//! The bit writer: branch-free appends into a small raw buffer, byte stuffing when the buffer is drained.

/// Room that one `drain` must find: the most that the blocks of one tile can make.
const CAPACITY: usize = 32 * 1024;

/// Bits wait left-aligned in `acc`; whole 64-bit words go to `buffer` unstuffed. Keeping 0xFF out of the hot loop
/// makes an append a handful of instructions without a branch, and stuffing a copy with one test per 32 bytes.
pub struct BitWriter {
    buffer: Box<[u8; CAPACITY]>,
    pub cursor: Cursor,
}

/// The moving part of a [`BitWriter`], kept in registers by the block coders.
#[derive(Clone, Copy, Default)]
pub struct Cursor {
    acc: u64,
    /// Bits used in `acc`, 0..=63.
    used: u32,
    /// Bytes complete in the buffer, a multiple of 8.
    at: usize,
}

impl Cursor {
    /// Appends the upper `len` bits (0..=64) of `bits`, whose other bits are zero.
    #[inline(always)]
    pub fn append_left(&mut self, buffer: &mut [u8; CAPACITY], bits: u64, len: u32) {
        self.acc |= bits >> self.used;
        // The mask keeps the store inside the buffer whatever the caller did; `drain` is due long before it bites.
        let at = self.at & (CAPACITY - 8);
        buffer[at..at + 8].copy_from_slice(&self.acc.to_be_bytes());
        let spill = (bits << 1) << (63 - self.used);
        let total = self.used + len;
        let full = total >= 64;
        self.acc = if full { spill } else { self.acc };
        self.at += if full { 8 } else { 0 };
        self.used = total & 63;
    }

    /// Appends the lower `len` bits (1..=57) of `bits`, whose other bits are zero.
    #[inline(always)]
    pub fn append(&mut self, buffer: &mut [u8; CAPACITY], bits: u64, len: u32) {
        self.append_left(buffer, bits << ((64 - len) & 63), len);
    }
}

pub type Buffer = [u8; CAPACITY];

impl BitWriter {
    /// Blocks that may be coded between two drains: a block makes at most 63 codes of 26 bits and its DC.
    pub const BLOCKS: usize = 64;

    #[inline(always)]
    pub fn parts(&mut self) -> (&mut Buffer, &mut Cursor) {
        (&mut self.buffer, &mut self.cursor)
    }

    /// Upper bound of the bytes that the next `drain` or `finish` appends.
    pub fn pending(&self) -> usize {
        2 * self.cursor.at + 16
    }

    /// Moves the complete words to `out`, which has room for `pending` bytes, and stuffs a zero behind each 0xFF.
    pub fn drain(&mut self, out: &mut Vec<u8>) {
        stuff(&self.buffer[..self.cursor.at], out);
        self.cursor.at = 0;
    }

    /// Ends the segment: fills the last byte with ones and drains. The writer is then as new.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let Cursor { acc, used, .. } = self.cursor;
        self.drain(out);
        let ones = if used == 0 { 0 } else { u64::MAX >> used };
        stuff(&(acc | ones).to_be_bytes()[..used.div_ceil(8) as usize], out);
        self.cursor = Cursor::default();
    }
}

impl Default for BitWriter {
    fn default() -> BitWriter {
        BitWriter { buffer: Box::new([0; CAPACITY]), cursor: Cursor::default() }
    }
}

fn stuff(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Some((chunk, rest)) = bytes.split_first_chunk::<32>() {
        if chunk.iter().fold(0, |most, &byte| byte.max(most)) == 0xff {
            stuff_slowly(chunk, out);
        } else {
            out.extend_from_slice(chunk);
        }
        bytes = rest;
    }
    stuff_slowly(bytes, out);
}

fn stuff_slowly(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0xff {
            out.push(0);
        }
    }
}
