//! LZW as GIF has it: codes of 3 to 12 bits, least significant bit first, in blocks of up to 255 bytes.

use crate::error::{Result, try_extend, try_vec};

/// Most codes there are.
const CODES: u32 = 4096;
/// log2 of the slots of the dictionary's hash table.
const SLOTS: u32 = 14;
const WHAT: &str = "a frame's data";

/// Codes into blocks.
struct Bits {
    bytes: Vec<u8>,
    block: [u8; 256],
    /// Bytes in `block` behind its length.
    filled: usize,
    pending: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, code: u32, bits: u32) -> Result<()> {
        self.pending |= u64::from(code) << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.byte()?;
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<()> {
        self.filled += 1;
        self.block[self.filled] = self.pending as u8;
        self.pending >>= 8;
        self.count = self.count.saturating_sub(8);
        if self.filled == 255 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.block[0] = self.filled as u8;
        let filled = std::mem::take(&mut self.filled);
        try_extend(&mut self.bytes, &self.block[..=filled], WHAT)
    }
}

/// Compresses pixels one by one. The one who calls knows the string so far and may ask which pixels would make it
/// longer, and choose among those that look the same.
pub struct Lzw {
    bits: Bits,
    /// (string << 8 | pixel) << 12 | the longer string; 0 is free: no string that has a code of its own has code 0.
    slots: Vec<u32>,
    depth: u32,
    next: u32,
    width: u32,
    string: u32,
    last: u8,
    since: Since,
}

/// What decides about a fresh start.
#[derive(Default)]
struct Since {
    /// Pixels since the dictionary was cleared, and bits for them.
    pixels: u64,
    bits: u64,
    /// The same since it was full and last looked at.
    recent: (u64, u64),
}

/// No string: the start.
const NOTHING: u32 = u32::MAX;
/// Bits after which a full dictionary is judged.
const TRIAL: u64 = 12 * 384;

impl Lzw {
    /// Starts image data of pixels that have `depth` bits, 2 to 8.
    pub fn new(depth: u32) -> Result<Self> {
        let mut bytes = Vec::new();
        try_extend(&mut bytes, &[depth as u8], WHAT)?;
        let bits = Bits { bytes, block: [0; 256], filled: 0, pending: 0, count: 0 };
        let slots = try_vec(1 << SLOTS, WHAT)?;
        let mut lzw = Self {
            bits,
            slots,
            depth,
            next: 0,
            width: depth + 1,
            string: NOTHING,
            last: 0,
            since: Since::default(),
        };
        lzw.clear()?;
        Ok(lzw)
    }

    /// The string that `pixel` would make of the one so far, if it has a code.
    pub fn longer(&self, pixel: u8) -> Option<u32> {
        if self.string == NOTHING {
            return Some(pixel.into());
        }
        self.find(self.string << 8 | u32::from(pixel)).ok()
    }

    fn find(&self, key: u32) -> std::result::Result<u32, usize> {
        let mask = (1 << SLOTS) - 1;
        let mut slot = (key.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS)) as usize;
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                entry if entry >> 12 == key => return Ok(entry & 0xfff),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// The next pixel.
    pub fn push(&mut self, pixel: u8) -> Result<()> {
        self.last = pixel;
        self.since.pixels += 1;
        self.since.recent.0 += 1;
        if self.string == NOTHING {
            self.string = pixel.into();
            return Ok(());
        }
        let key = self.string << 8 | u32::from(pixel);
        match self.find(key) {
            Ok(longer) => self.string = longer,
            Err(slot) => {
                let added = self.next;
                self.emit(self.string)?;
                if added < CODES {
                    self.slots[slot] = key << 12 | added;
                } else {
                    self.judge()?;
                }
                self.string = pixel.into();
            }
        }
        Ok(())
    }

    /// The next pixel, which looks the same as `this` and, if it is there, as `that`.
    pub fn push_one_of(&mut self, this: u8, that: Option<u8>) -> Result<()> {
        let Some(that) = that else { return self.push(this) };
        match (self.longer(this).is_some(), self.longer(that).is_some()) {
            (true, false) => self.push(this),
            (false, true) => self.push(that),
            _ if self.last == that => self.push(that),
            _ => self.push(this),
        }
    }

    /// Writes a code, after which the reader knows one string more.
    fn emit(&mut self, code: u32) -> Result<()> {
        self.bits.put(code, self.width)?;
        self.since.bits += u64::from(self.width);
        self.since.recent.1 += u64::from(self.width);
        if self.next == 1 << self.width && self.width < 12 {
            self.width += 1;
        }
        self.next = (self.next + 1).min(CODES);
        Ok(())
    }

    /// A full dictionary stays as long as it does no worse than all since the last start, start-up included.
    fn judge(&mut self) -> Result<()> {
        let (pixels, bits) = self.since.recent;
        if bits < TRIAL {
            return Ok(());
        }
        self.since.recent = (0, 0);
        if bits * self.since.pixels > self.since.bits * pixels { self.clear() } else { Ok(()) }
    }

    fn clear(&mut self) -> Result<()> {
        self.bits.put(1 << self.depth, self.width)?;
        self.slots.fill(0);
        self.width = self.depth + 1;
        self.next = (1 << self.depth) + 2;
        self.since = Since::default();
        Ok(())
    }

    /// The image data with its end.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        if self.string != NOTHING {
            self.emit(self.string)?;
        }
        self.bits.put((1 << self.depth) + 1, self.width)?;
        if self.bits.count > 0 {
            self.bits.byte()?;
        }
        if self.bits.filled > 0 {
            self.bits.flush()?;
        }
        try_extend(&mut self.bits.bytes, &[0], WHAT)?;
        Ok(self.bits.bytes)
    }
}
