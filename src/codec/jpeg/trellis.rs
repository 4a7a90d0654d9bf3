//! Rate-distortion optimal levels: among all ways to round the AC coefficients of a block down, the one with the
//! least sum of squared error (in steps) and bits times `lambda`. A shortest path through the coefficients in zigzag
//! order, each as rounded, one lower, or zero (K. Ramchandran and M. Vetterli, "Rate-distortion optimal fast
//! thresholding with complete JPEG/MPEG decoder compatibility", 1994).
//!
//! The arithmetic is scalar single precision without fused operations: the same on every machine.

use super::{
    huffman::{Code, LENGTH, codes},
    tables::{Block, TYPICAL, ZIGZAG},
    zone::MEDIUM,
};

/// Bits of a level by the zeros before it and its size, value bits included.
struct Rates {
    /// `zeros << 4 | size`.
    level: [f32; 64 * 16],
    end: f32,
}

impl Rates {
    const fn new(codes: [Code; 256]) -> Rates {
        // A symbol that the table lacks costs as much as the longest code.
        const fn length(code: Code) -> u32 {
            if code & LENGTH == 0 { 16 } else { code & LENGTH }
        }
        let mut level = [0.0; 64 * 16];
        let mut i = 0;
        while i < level.len() {
            let (zeros, size) = (i >> 4, i & 15);
            let runs = (zeros >> 4) as u32 * length(codes[0xf0]);
            level[i] = (runs + length(codes[(zeros & 15) << 4 | size]) + size as u32) as f32;
            i += 1;
        }
        Rates { level, end: length(codes[0]) as f32 }
    }
}

/// Those of the example tables of T.81.
static TYPICAL_RATES: [Rates; 2] = [typical_rates(0), typical_rates(1)];

const fn typical_rates(class: usize) -> Rates {
    let [_, (counts, symbols)] = &TYPICAL[class];
    Rates::new(codes(counts, symbols))
}

/// How hard bits are weighed against errors, by component and activity.
pub struct Decider {
    thorough: bool,
    inverse: [[f32; 64]; 3],
    /// 2^14 / step for luma; 0 for DC. The same for coarse frequencies alone.
    weight: [i16; 64],
    coarse_weight: [i16; 64],
    /// For luma and chroma blocks of medium activity.
    lambda: [f32; 2],
}

/// Squared steps that a bit is worth in a luma and in a chroma block of medium activity, when ones are weighed one by
/// one. All constants were found by search: bytes at equal SSIMULACRA2.
const ONES: [f32; 2] = [0.06, 0.042];
/// The same for the best path through all levels.
const PATH: [f32; 2] = [0.037, 0.048];
/// What is added to lambda in a white luma block and taken off in a black one.
const BRIGHT: f32 = 0.6;
/// What is taken off where all of a luma block is fine, and added where all of it is coarse.
const FINE: f32 = 0.9;
/// Coarse are the frequencies of which the horizontal and the vertical number add up to this at most.
const COARSE: usize = 3;
/// One step of one coefficient, in the scale of the weights.
const ONE_STEP: i32 = 8 << 14;

/// By activity: lambda grows with it to the power of 0.2, which is 2^(0.2 / 16) for a sixteenth of an octave. Powers by
/// multiplication: library functions differ from machine to machine.
static GROWTH: [f32; 256] = {
    const STEP: f32 = 1.008_702_3;
    let medium = MEDIUM as usize;
    let mut growth = [1.0; 256];
    let mut i = medium + 1;
    while i < 256 {
        growth[i] = growth[i - 1] * STEP;
        i += 1;
    }
    let mut i = medium;
    while i > 0 {
        i -= 1;
        growth[i] = growth[i + 1] / STEP;
    }
    growth
};

impl Decider {
    /// `thorough` is for the best path through all levels, else ones are weighed one by one.
    pub fn new(steps: &[[u16; 64]; 3], thorough: bool) -> Decider {
        let mut weight = steps[0].map(|step| (16384 / step.max(1)) as i16);
        weight[0] = 0;
        let coarse = |i: usize| if i / 8 + i % 8 <= COARSE { weight[i] } else { 0 };
        Decider {
            thorough,
            weight,
            coarse_weight: core::array::from_fn(coarse),
            inverse: steps.map(|steps| steps.map(|step| 1.0 / (8.0 * f32::from(step)))),
            lambda: if thorough { PATH } else { ONES },
        }
    }

    /// How much more or less a bit is worth in this block than in others of the same activity: less where all is fine
    /// detail, of which nothing may be lost without being seen to be; more where it is bright.
    #[inline(always)]
    fn character(&self, raw: &Block) -> f32 {
        let (mut all, mut coarse) = (0i32, 0i32);
        for ((&value, &weight), &coarse_weight) in raw.0.iter().zip(&self.weight).zip(&self.coarse_weight) {
            let magnitude = i32::from(value.wrapping_abs());
            all += magnitude * i32::from(weight);
            coarse += magnitude * i32::from(coarse_weight);
        }
        // From -1 to 1; a block without texture is neither.
        let fine = (all - 2 * coarse) as f32 / (all + ONE_STEP) as f32;
        let bright = f32::from(raw.0[0]) / 8192.0;
        (1.0 + BRIGHT * bright) * (1.0 - FINE * fine)
    }

    /// Decides the AC levels of a row of blocks, rounded to nearest, and brings the masks up to date.
    #[inline(always)]
    pub fn row(&self, c: usize, raw: &[Block], activity: &[u8], row: Levels) {
        let class = usize::from(c > 0);
        let inverse = &self.inverse[c];
        let rates = &TYPICAL_RATES[class];
        for (((raw, &activity), out), mask) in raw.iter().zip(activity).zip(row.blocks).zip(row.masks) {
            let character = if c == 0 { self.character(raw) } else { 1.0 };
            let lambda = self.lambda[class] * GROWTH[usize::from(activity)] * character;
            *mask = match self.thorough {
                true => path(raw, inverse, rates, lambda, *mask, out),
                false => prune(raw, inverse, rates, lambda, *mask, out),
            };
        }
    }
}

/// A row of quantised blocks and the zigzag masks of what is not zero.
pub struct Levels<'a> {
    pub blocks: &'a mut [Block],
    pub masks: &'a mut [u64],
}

/// Drops ones whose bits cost more than their error, from the last to the first.
#[inline(always)]
fn prune(raw: &Block, inverse: &[f32; 64], rates: &Rates, lambda: f32, mask: u64, out: &mut Block) -> u64 {
    let mut kept = mask | 1;
    let mut rest = mask & !1;
    // The next coefficient that stays, and its size.
    let (mut next, mut next_bits) = (64, 0);
    while rest != 0 {
        let k = 63 - rest.leading_zeros();
        rest &= !(1 << k);
        let natural = usize::from(ZIGZAG[k as usize & 63]);
        let level = out.0[natural].unsigned_abs();
        if level == 1 {
            let before = 63 - (rest | 1).leading_zeros();
            let bits =
                |from: u32, to: u32, bits: u32| rates.level[((to - from - 1) << 4 | bits) as usize & 1023];
            let (with, without) = match next {
                64 => (bits(before, k, 1) + if k == 63 { 0.0 } else { rates.end }, rates.end),
                _ => (bits(before, k, 1) + bits(k, next, next_bits), bits(before, next, next_bits)),
            };
            let size = f32::from(raw.0[natural].unsigned_abs()) * inverse[natural];
            if 2.0 * size - 1.0 < lambda * (with - without) {
                out.0[natural] = 0;
                kept &= !(1 << k);
                continue;
            }
        }
        (next, next_bits) = (k, u16::BITS - level.leading_zeros());
    }
    kept
}

/// Lowers the AC levels of `out`, which are rounded to nearest, and returns the zigzag mask of what is not zero;
/// `mask` is the mask before.
#[inline(always)]
fn path(raw: &Block, inverse: &[f32; 64], rates: &Rates, lambda: f32, mask: u64, out: &mut Block) -> u64 {
    // Node 0 is the DC coefficient; the others are the coefficients that may be kept.
    let mut nodes = [Node { cost: 0.0, level: 0, position: 0, before: 0 }; 64];
    let mut count = 1;
    // Nodes worth extending. A node that costs no less than a later one is dropped: a longer run of zeros does not
    // make a code shorter (all but exactly true, and far from it among typical nodes).
    let mut open = [0u8; 64];
    let mut opened = 1;
    let mut rest = mask & !1;
    while rest != 0 {
        let k = rest.trailing_zeros();
        rest &= rest - 1;
        let natural = usize::from(ZIGZAG[k as usize & 63]);
        let size = f32::from(raw.0[natural].unsigned_abs()) * inverse[natural];
        let high = i32::from(out.0[natural].unsigned_abs());
        let mut best = f32::MAX;
        let (mut from, mut chosen) = (0, 0);
        let mut value = high;
        loop {
            let error = size - value as f32;
            let own = error * error - size * size;
            let bits = 32 - value.leading_zeros();
            for &i in &open[..opened] {
                let node = &nodes[usize::from(i & 63)];
                let zeros = k - u32::from(node.position) - 1;
                let total = node.cost + own + lambda * rates.level[(zeros << 4 | bits) as usize & 1023];
                if total < best {
                    (best, from, chosen) = (total, i, value);
                }
            }
            // One lower is worth a try where rounding went up.
            if value < high || value == 1 || size >= value as f32 {
                break;
            }
            value -= 1;
        }
        while opened > 0 && nodes[usize::from(open[opened - 1] & 63)].cost >= best {
            opened -= 1;
        }
        nodes[count & 63] = Node { cost: best, level: chosen as i16, position: k as u8, before: from };
        open[opened & 63] = count as u8;
        opened += 1;
        count += 1;
    }
    let mut last = 0;
    let mut best = f32::MAX;
    for &i in &open[..opened] {
        let node = &nodes[usize::from(i & 63)];
        let total = node.cost + if node.position == 63 { 0.0 } else { lambda * rates.end };
        if total < best {
            (best, last) = (total, i);
        }
    }
    let dc = out.0[0];
    *out = Block::ZERO;
    out.0[0] = dc;
    let mut mask = 1;
    while last > 0 {
        let node = &nodes[usize::from(last & 63)];
        let natural = usize::from(ZIGZAG[usize::from(node.position & 63)]);
        out.0[natural] = if raw.0[natural] < 0 { -node.level } else { node.level };
        mask |= 1 << node.position;
        last = node.before;
    }
    mask
}

#[derive(Clone, Copy)]
struct Node {
    /// Least cost of a path that keeps this node, less the cost of keeping none so far.
    cost: f32,
    level: i16,
    position: u8,
    before: u8,
}
