//! One DEFLATE block: statistics, choice of representation, bits out.

use super::bits::Bits;
use super::huffman::{code_lengths, codes};
use super::literals;
use super::{
    super::simd::{Kernel, Simd},
    OutOfMemory,
};

/// A run of literals followed by one match; the last of a chunk may have no
/// match (`length` 0). The literals themselves stay in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub literals: u32,
    pub length: u16,
    pub distance: u16,
}

pub const LITERAL_SYMBOLS: usize = 286;
pub const DISTANCE_SYMBOLS: usize = 30;
/// Codes for literals and lengths are kept to 14 bits, so that four of them
/// fit beside the 7 bits that a flush leaves (4 x 14 + 7 = 63), and a match
/// (14 + 5 + 15 + 13) does as well.
const LITERAL_LIMIT: u8 = 14;
const DISTANCE_LIMIT: u8 = 15;
const END_OF_BLOCK: usize = 256;

const LENGTH_BASE: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
];
const LENGTH_EXTRA: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const fn distance_extra(symbol: usize) -> u32 {
    if symbol < 4 { 0 } else { symbol as u32 / 2 - 1 }
}
const fn distance_base(symbol: usize) -> u32 {
    if symbol < 4 { symbol as u32 + 1 } else { ((2 + (symbol as u32 & 1)) << distance_extra(symbol)) + 1 }
}

/// Length symbol (less 257) of a match length.
static LENGTH_SLOT: [u8; 259] = {
    let mut table = [0; 259];
    let mut slot = 0;
    let mut length = 3;
    while length < 259 {
        while slot + 1 < 29 && LENGTH_BASE[slot + 1] as usize <= length {
            slot += 1;
        }
        table[length] = slot as u8;
        length += 1;
    }
    table
};

#[inline(always)]
pub fn length_slot(length: usize) -> usize {
    usize::from(LENGTH_SLOT[length])
}

/// Distance symbol: the position of the highest bit of `distance - 1` and the
/// bit below it.
#[inline(always)]
pub fn distance_slot(distance: u32) -> usize {
    let d = distance - 1;
    if d < 4 {
        return d as usize;
    }
    let high = d.ilog2();
    (2 * high + ((d >> (high - 1)) & 1)) as usize
}

/// Extra bits of a length slot and of a distance slot.
#[inline]
pub fn extra(length_slot: usize, distance_slot: usize) -> u32 {
    u32::from(LENGTH_EXTRA[length_slot]) + distance_extra(distance_slot)
}

/// How often each symbol occurs.
#[derive(Clone)]
pub struct Histogram {
    pub literals: [u32; LITERAL_SYMBOLS],
    pub distances: [u32; DISTANCE_SYMBOLS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { literals: [0; LITERAL_SYMBOLS], distances: [0; DISTANCE_SYMBOLS] }
    }
}

impl Histogram {
    /// Counts what `sequences` send from `data`.
    pub fn count(&mut self, data: &[u8], sequences: &[Sequence]) {
        let mut at = 0;
        let mut counter = literals::Counter::new();
        for s in sequences {
            let run = s.literals as usize;
            counter.see(&data[at..at + run]);
            at += run;
            if s.length > 0 {
                self.literals[257 + length_slot(usize::from(s.length))] += 1;
                self.distances[distance_slot(u32::from(s.distance))] += 1;
                at += usize::from(s.length);
            }
        }
        counter.add_to(&mut self.literals);
    }

    pub fn add(&mut self, other: &Self) {
        for (a, b) in self.literals.iter_mut().zip(&other.literals) {
            *a += b;
        }
        for (a, b) in self.distances.iter_mut().zip(&other.distances) {
            *a += b;
        }
    }

    /// Entropy of the symbols plus extra bits, in bits: what a block of these
    /// would cost without its header.
    pub fn entropy(&self) -> f32 {
        fn part(counts: &[u32]) -> f32 {
            let total: u32 = counts.iter().sum();
            let sum: f32 = counts.iter().map(|&c| n_log_n(c)).sum();
            n_log_n(total) - sum
        }
        part(&self.literals) + part(&self.distances) + self.extra() as f32
    }

    /// Number of distinct symbols, which is what a block header grows with.
    pub fn distinct(&self) -> usize {
        self.literals.iter().chain(&self.distances).filter(|&&c| c > 0).count()
    }

    fn extra(&self) -> u32 {
        let lengths: u32 =
            self.literals[257..].iter().zip(&LENGTH_EXTRA).map(|(n, &bits)| n * u32::from(bits)).sum();
        let distances: u32 =
            self.distances.iter().enumerate().map(|(slot, n)| n * distance_extra(slot)).sum();
        lengths + distances
    }
}

/// n log2 n, with the logarithm to about 1 part in 1000 (the mantissa's
/// parabola through 1, 1.5 and 2): plain arithmetic, so that every machine
/// makes the same choices.
#[inline]
pub fn n_log_n(n: u32) -> f32 {
    if n < 2 {
        return 0.0;
    }
    n as f32 * log2(n)
}

/// Approximate binary logarithm of n >= 1.
#[inline]
pub fn log2(n: u32) -> f32 {
    let bits = (n as f32).to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let m = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    exponent as f32 + (m - 1.0) * (1.0 + 0.339_85 * (2.0 - m))
}

/// Code lengths of both alphabets.
#[derive(Clone)]
pub struct Lengths {
    pub literals: [u8; LITERAL_SYMBOLS],
    pub distances: [u8; DISTANCE_SYMBOLS],
}

impl Lengths {
    pub fn optimal(histogram: &Histogram) -> Self {
        let mut l = Self { literals: [0; LITERAL_SYMBOLS], distances: [0; DISTANCE_SYMBOLS] };
        code_lengths(&histogram.literals, LITERAL_LIMIT, &mut l.literals);
        code_lengths(&histogram.distances, DISTANCE_LIMIT, &mut l.distances);
        l
    }

    /// The lengths that DEFLATE's fixed block type implies.
    fn fixed() -> Self {
        let mut literals = [8; LITERAL_SYMBOLS];
        literals[144..256].fill(9);
        literals[256..280].fill(7);
        Self { literals, distances: [5; DISTANCE_SYMBOLS] }
    }

    fn cost(&self, h: &Histogram) -> u64 {
        fn part(counts: &[u32], lengths: &[u8]) -> u64 {
            counts.iter().zip(lengths).map(|(&c, &l)| u64::from(c) * u64::from(l)).sum()
        }
        part(&h.literals, &self.literals) + part(&h.distances, &self.distances) + u64::from(h.extra())
    }
}

/// Ready-made bits for one block: code in the low bits, its length above.
pub struct Codes {
    /// Literals and the end of block: code << 8 | bits.
    pub literals: [u32; 257],
    /// Match lengths with their extra bits: code and extra | bits << 24.
    lengths: [u32; 259],
    /// Distance slots: code | bits << 16.
    distances: [u32; DISTANCE_SYMBOLS],
}

impl Codes {
    fn new(lengths: &Lengths, fixed: bool) -> Self {
        let mut literal_codes = [0u16; 288];
        let mut distance_codes = [0u16; DISTANCE_SYMBOLS];
        let mut all = [8u8; 288];
        all[..LITERAL_SYMBOLS].copy_from_slice(&lengths.literals);
        // The fixed code has two symbols that are never sent but take space.
        codes(&all[..if fixed { 288 } else { LITERAL_SYMBOLS }], &mut literal_codes);
        codes(&lengths.distances, &mut distance_codes);
        let mut out = Self { literals: [0; 257], lengths: [0; 259], distances: [0; DISTANCE_SYMBOLS] };
        for (symbol, entry) in out.literals.iter_mut().enumerate() {
            *entry = u32::from(literal_codes[symbol]) << 8 | u32::from(lengths.literals[symbol]);
        }
        for (length, entry) in out.lengths.iter_mut().enumerate().skip(3) {
            let slot = length_slot(length);
            let bits = u32::from(lengths.literals[257 + slot]);
            let extra = (length - usize::from(LENGTH_BASE[slot])) as u32;
            *entry = u32::from(literal_codes[257 + slot])
                | extra << bits
                | (bits + u32::from(LENGTH_EXTRA[slot])) << 24;
        }
        for (slot, entry) in out.distances.iter_mut().enumerate() {
            *entry = u32::from(distance_codes[slot]) | u32::from(lengths.distances[slot]) << 16;
        }
        out
    }
}

impl Codes {
    /// Code and its length.
    #[inline(always)]
    pub fn literal(&self, symbol: usize) -> (u64, u32) {
        let entry = self.literals[symbol];
        (u64::from(entry >> 8), entry & 0xff)
    }
}

/// The description of a dynamic block's codes, ready to send.
struct Header {
    literals: usize,
    distances: usize,
    precodes: usize,
    lengths: [u8; 19],
    /// Precode symbol | extra bits << 8 | number of extra bits << 16.
    items: [u32; LITERAL_SYMBOLS + DISTANCE_SYMBOLS],
    used: usize,
    bits: u64,
}

const PRECODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

impl Header {
    fn new(lengths: &Lengths) -> Self {
        let trim =
            |l: &[u8], least: usize| l.iter().rposition(|&x| x > 0).map_or(least, |p| (p + 1).max(least));
        let literals = trim(&lengths.literals, 257);
        let distances = trim(&lengths.distances, 1);
        let mut sent = [0u8; LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
        sent[..literals].copy_from_slice(&lengths.literals[..literals]);
        sent[literals..literals + distances].copy_from_slice(&lengths.distances[..distances]);
        let sent = &sent[..literals + distances];

        let mut header = Self {
            literals,
            distances,
            precodes: 4,
            lengths: [0; 19],
            items: [0; LITERAL_SYMBOLS + DISTANCE_SYMBOLS],
            used: 0,
            bits: 0,
        };
        let mut counts = [0u32; 19];
        let mut push = |symbol: u32, extra: usize, bits: u32| {
            header.items[header.used] = symbol | (extra as u32) << 8 | bits << 16;
            header.used += 1;
            counts[symbol as usize] += 1;
        };
        let mut at = 0;
        while at < sent.len() {
            let value = sent[at];
            let run = sent[at..].iter().take_while(|&&l| l == value).count();
            let mut left = run;
            if value == 0 {
                while left >= 11 {
                    let n = left.min(138);
                    push(18, n - 11, 7);
                    left -= n;
                }
                if left >= 3 {
                    push(17, left - 3, 3);
                    left = 0;
                }
            } else if left >= 4 {
                push(u32::from(value), 0, 0);
                left -= 1;
                while left >= 3 {
                    let n = left.min(6);
                    push(16, n - 3, 2);
                    left -= n;
                }
            }
            for _ in 0..left {
                push(u32::from(value), 0, 0);
            }
            at += run;
        }
        code_lengths(&counts, 7, &mut header.lengths);
        let last = PRECODE_ORDER.iter().rposition(|&s| header.lengths[s] > 0);
        header.precodes = last.map_or(4, |p| (p + 1).max(4));
        header.bits = 3 + 14 + 3 * header.precodes as u64;
        for &item in &header.items[..header.used] {
            header.bits += u64::from(header.lengths[(item & 0xff) as usize]) + u64::from(item >> 16);
        }
        header
    }

    fn send(&self, bits: &mut Bits, last: bool) {
        bits.put(u32::from(last) | 2 << 1, 3);
        bits.put((self.literals - 257) as u32, 5);
        bits.put((self.distances - 1) as u32, 5);
        bits.put((self.precodes - 4) as u32, 4);
        for &symbol in &PRECODE_ORDER[..self.precodes] {
            bits.put(u32::from(self.lengths[symbol]), 3);
        }
        let mut precodes = [0u16; 19];
        codes(&self.lengths, &mut precodes);
        for &item in &self.items[..self.used] {
            let symbol = (item & 0xff) as usize;
            bits.add(u64::from(precodes[symbol]), u32::from(self.lengths[symbol]));
            bits.put(item >> 8 & 0xff, item >> 16);
        }
    }
}

/// Sends one block in its cheapest form: dynamic, fixed or stored.
/// `histogram` must hold the counts of `sequences`, without the end of block.
pub fn write(
    simd: Simd,
    bits: &mut Bits,
    data: &[u8],
    sequences: &[Sequence],
    histogram: &mut Histogram,
    last: bool,
) -> Result<(), OutOfMemory> {
    histogram.literals[END_OF_BLOCK] += 1;
    let lengths = Lengths::optimal(histogram);
    let header = Header::new(&lengths);
    let dynamic = header.bits + lengths.cost(histogram);
    let fixed_lengths = Lengths::fixed();
    let fixed = 3 + fixed_lengths.cost(histogram);
    // Per piece: 3 bits, up to 7 of padding, two 16-bit sizes.
    let pieces = data.len().div_ceil(0xffff).max(1);
    let stored = 8 * data.len() as u64 + pieces as u64 * (3 + 7 + 32);

    let best = dynamic.min(fixed).min(stored);
    bits.reserve(usize::try_from(best / 8 + 16).map_err(|_| OutOfMemory)?)?;
    if best == stored {
        write_stored(bits, data, last);
    } else if best == fixed {
        bits.put(u32::from(last) | 1 << 1, 3);
        simd.run(Write { bits, data, sequences, codes: &Codes::new(&fixed_lengths, true) });
    } else {
        header.send(bits, last);
        simd.run(Write { bits, data, sequences, codes: &Codes::new(&lengths, false) });
    }
    Ok(())
}

fn write_stored(bits: &mut Bits, data: &[u8], last: bool) {
    let mut pieces = data.chunks(0xffff).peekable();
    while let Some(piece) = pieces.next() {
        bits.put(u32::from(last && pieces.peek().is_none()), 3);
        bits.align();
        let size = piece.len() as u16;
        bits.bytes(&size.to_le_bytes());
        bits.bytes(&(!size).to_le_bytes());
        bits.bytes(piece);
    }
}

/// Sends sequences and the end of the block.
struct Write<'a> {
    bits: &'a mut Bits,
    data: &'a [u8],
    sequences: &'a [Sequence],
    codes: &'a Codes,
}

impl Kernel for Write<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { bits, data, sequences, codes } = self;
        let mut at = 0;
        for s in sequences {
            let run = s.literals as usize;
            literals::write(bits, &data[at..at + run], codes);
            at += run;
            if s.length > 0 {
                let length = codes.lengths[usize::from(s.length)];
                bits.add(u64::from(length & 0x00ff_ffff), length >> 24);
                let slot = distance_slot(u32::from(s.distance));
                let code = codes.distances[slot];
                bits.add(u64::from(code & 0xffff), code >> 16);
                bits.add(u64::from(u32::from(s.distance) - distance_base(slot)), distance_extra(slot));
                bits.flush();
                at += usize::from(s.length);
            }
        }
        let (end, count) = codes.literal(END_OF_BLOCK);
        bits.put(end as u32, count);
    }
}
