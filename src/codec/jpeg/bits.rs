//! The bit writer: branch-free appends into a small raw buffer, byte stuffing when the buffer is drained.

use crate::error::{Error, Result};

/// Room that one `drain` must find: the most that [`BitWriter::BLOCKS`] blocks can make, and a power of two.
const CAPACITY: usize = 16 * 1024;

/// Whole bytes go to `buffer` unstuffed, up to 7 bits wait in the cursor. Keeping 0xFF out of the hot loop makes an
/// append a dozen instructions without a branch, and stuffing a copy with one test per 32 bytes.
pub struct BitWriter {
    buffer: Box<Buffer>,
    pub cursor: Cursor,
}

/// The moving part of a [`BitWriter`], kept in registers by the block coders.
#[derive(Clone, Copy, Default)]
pub struct Cursor {
    /// The newest bits lowest; all above the lowest `waiting` are in the buffer already.
    recent: u64,
    /// Bits that do not fill a byte yet, 0..=7.
    waiting: u32,
    /// Bytes complete in the buffer.
    at: usize,
}

impl Cursor {
    /// The most bits of one append.
    pub const MOST: u32 = 57;

    /// Appends the lower `len` bits (0..=57) of `bits`, whose other bits are zero.
    #[inline(always)]
    pub fn append(&mut self, buffer: &mut Buffer, bits: u64, len: u32) {
        self.recent = self.recent << (len & 63) | bits;
        let filled = self.waiting + len;
        // With nothing to write the shift is 0 rather than 64; the bytes are then overwritten by the next append.
        let left = self.recent << (filled.wrapping_neg() & 63);
        // The mask keeps the store inside the buffer whatever the caller did; `drain` is due long before it bites.
        let at = self.at & (CAPACITY - 1);
        buffer[at..at + 8].copy_from_slice(&left.to_be_bytes());
        self.at += (filled >> 3) as usize;
        self.waiting = filled & 7;
    }
}

/// Room for an append at the last byte too.
pub type Buffer = [u8; CAPACITY + 8];

impl BitWriter {
    /// Blocks that may be coded between two drains: a block makes at most 63 codes of 26 bits and its DC.
    pub const BLOCKS: usize = 64;

    #[inline(always)]
    pub fn parts(&mut self) -> (&mut Buffer, &mut Cursor) {
        (&mut self.buffer, &mut self.cursor)
    }

    /// Moves the complete bytes to `out` and stuffs a zero behind each 0xFF.
    pub fn drain(&mut self, out: &mut Vec<u8>) -> Result<()> {
        // Twice as many at most, and a marker after them.
        let more = 2 * self.cursor.at + 4;
        out.try_reserve(more)
            .map_err(|_| Error::out_of_memory(out.len().saturating_add(more), "coded JPEG blocks"))?;
        stuff(&self.buffer[..self.cursor.at], out);
        self.cursor.at = 0;
        Ok(())
    }

    /// Ends the segment: fills the last byte with ones and drains. The writer is then as new.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let (buffer, cursor) = self.parts();
        let missing = cursor.waiting.wrapping_neg() & 7;
        cursor.append(buffer, (1 << missing) - 1, missing);
        self.drain(out)?;
        self.cursor = Cursor::default();
        Ok(())
    }

    /// Ends the segment with the restart marker that is the `number`th of its scan.
    pub fn restart(&mut self, number: usize, out: &mut Vec<u8>) -> Result<()> {
        self.finish(out)?;
        out.extend_from_slice(&[0xff, 0xd0 + (number % 8) as u8]);
        Ok(())
    }
}

impl Default for BitWriter {
    fn default() -> BitWriter {
        BitWriter { buffer: Box::new([0; CAPACITY + 8]), cursor: Cursor::default() }
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
