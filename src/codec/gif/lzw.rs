//! LZW as GIF has it: codes of 3 to 12 bits, least significant bit first, in blocks of up to 255 bytes.

use crate::error::{Result, try_extend, try_vec};

/// Most codes there are.
pub const CODES: u32 = 4096;
/// log2 of the slots of the dictionary's hash table.
const SLOTS: u32 = 14;
pub const WHAT: &str = "a frame's data";

/// Codes into blocks.
pub struct Bits {
    bytes: Vec<u8>,
    block: [u8; 256],
    /// Bytes in `block` behind its length.
    filled: usize,
    pending: u64,
    count: u32,
}

impl Bits {
    /// Starts image data of pixels that have `depth` bits.
    pub fn new(depth: u32) -> Result<Self> {
        let mut bytes = Vec::new();
        try_extend(&mut bytes, &[depth as u8], WHAT)?;
        Ok(Self { bytes, block: [0; 256], filled: 0, pending: 0, count: 0 })
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.filled
    }

    /// The image data with its end.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        if self.count > 0 {
            self.byte()?;
        }
        if self.filled > 0 {
            self.flush()?;
        }
        try_extend(&mut self.bytes, &[0], WHAT)?;
        Ok(self.bytes)
    }

    pub fn put(&mut self, code: u32, bits: u32) -> Result<()> {
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
    judge: Judge,
}

/// Decides about a fresh start.
pub struct Judge {
    /// How many per cent worse than before a full dictionary may get.
    patience: u32,
    /// Pixels since the dictionary was cleared, and bits for them.
    all: (u64, u64),
    /// The same since it was last looked at.
    recent: (u64, u64),
}

impl Judge {
    pub fn new(patience: u32) -> Self {
        Self { patience, all: (0, 0), recent: (0, 0) }
    }

    pub fn note(&mut self, pixels: u64, bits: u32) {
        for (all_pixels, all_bits) in [&mut self.all, &mut self.recent] {
            *all_pixels += pixels;
            *all_bits += u64::from(bits);
        }
    }

    /// Whether to clear a full dictionary: it stays as long as it does little worse than all since the last start,
    /// start-up included.
    pub fn clears(&mut self) -> bool {
        let (pixels, bits) = self.recent;
        if bits < TRIAL || self.patience == ENDLESS {
            return false;
        }
        self.recent = (0, 0);
        let cost = |bits: u64, pixels: u64| u128::from(bits) * u128::from(pixels);
        let most = u128::from(100 + self.patience);
        let clears = cost(bits, self.all.0) * 100 > cost(self.all.1, pixels) * most;
        if clears {
            self.all = (0, 0);
        }
        clears
    }
}

/// Patience with which a full dictionary stays to the end.
pub const ENDLESS: u32 = u32::MAX;
/// No string: the start.
const NOTHING: u32 = u32::MAX;
/// Bits after which a full dictionary is judged.
const TRIAL: u64 = 12 * 384;

impl Lzw {
    /// Starts image data of pixels that have `depth` bits, 2 to 8.
    pub fn new(depth: u32) -> Result<Self> {
        let bits = Bits::new(depth)?;
        let slots = try_vec(1 << SLOTS, WHAT)?;
        let mut lzw = Self {
            bits,
            slots,
            depth,
            next: 0,
            width: depth + 1,
            string: NOTHING,
            last: 0,
            judge: Judge::new(0),
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
        self.judge.note(1, 0);
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
                } else if self.judge.clears() {
                    self.clear()?;
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
        self.judge.note(0, self.width);
        if self.next == 1 << self.width && self.width < 12 {
            self.width += 1;
        }
        self.next = (self.next + 1).min(CODES);
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        self.bits.put(1 << self.depth, self.width)?;
        self.slots.fill(0);
        self.width = self.depth + 1;
        self.next = (1 << self.depth) + 2;
        Ok(())
    }

    /// The image data with its end.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        if self.string != NOTHING {
            self.emit(self.string)?;
        }
        self.bits.put((1 << self.depth) + 1, self.width)?;
        self.bits.finish()
    }
}
