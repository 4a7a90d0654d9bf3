//! Bits, least significant first, into a growing buffer.

use super::OutOfMemory;

/// Bytes that may be written past the position by one flush.
const SLACK: usize = 16;

/// Writes bits into a vector that is kept longer than its contents, so that
/// every flush is one unconditional 8-byte store.
#[derive(Default)]
pub struct Bits {
    buffer: Vec<u8>,
    position: usize,
    pending: u64,
    count: u32,
}

impl Bits {
    /// Makes room for `bytes` more bytes; every write until then is free of
    /// growth.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let need = self.position.checked_add(bytes).and_then(|n| n.checked_add(SLACK)).ok_or(OutOfMemory)?;
        if need > self.buffer.len() {
            self.buffer.try_reserve(need - self.buffer.len()).map_err(|_| OutOfMemory)?;
            let room = self.buffer.capacity();
            self.buffer.resize(room, 0);
        }
        Ok(())
    }

    /// Appends `count` bits without flushing. The caller flushes before more
    /// than 63 bits are pending (up to 7 stay after a flush).
    #[inline(always)]
    pub fn add(&mut self, bits: u64, count: u32) {
        self.pending |= bits << self.count;
        self.count += count;
    }

    /// Stores all complete bytes.
    #[inline(always)]
    pub fn flush(&mut self) {
        self.buffer[self.position..self.position + 8].copy_from_slice(&self.pending.to_le_bytes());
        self.position += (self.count >> 3) as usize;
        self.pending >>= self.count & !7;
        self.count &= 7;
    }

    /// Appends up to 32 bits and flushes.
    #[inline]
    pub fn put(&mut self, bits: u32, count: u32) {
        self.add(u64::from(bits), count);
        self.flush();
    }

    /// Fills up the last byte with zero bits.
    pub fn align(&mut self) {
        self.count = (self.count + 7) & !7;
        self.flush();
    }

    /// Number of bits that the last, unfinished byte holds.
    pub fn partial(&self) -> u32 {
        self.count
    }

    /// Appends whole bytes; the stream must be aligned and room reserved.
    pub fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.count, 0);
        self.buffer[self.position..self.position + bytes.len()].copy_from_slice(bytes);
        self.position += bytes.len();
    }

    /// Everything written so far; the stream must be aligned.
    pub fn written(&self) -> &[u8] {
        debug_assert_eq!(self.count, 0);
        &self.buffer[..self.position]
    }

    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        self.position = 0;
        self.pending = 0;
        self.count = 0;
    }
}
