//! The tables of ITU-T T.81: zigzag order, the example quantisation and Huffman tables of Annex K, and the exact
//! reciprocal form of a quantisation table.

/// One 8 x 8 block of coefficients in natural (row-major) order, aligned for the widest vectors.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Block(pub [i16; 64]);

impl Default for Block {
    fn default() -> Block {
        Block::ZERO
    }
}

impl Block {
    pub const ZERO: Block = Block([0; 64]);

    /// A block with the same DC coefficient and nothing else.
    pub fn dc_only(&self) -> Block {
        let mut block = Block::ZERO;
        block.0[0] = self.0[0];
        block
    }
}

/// Natural index of the coefficient at each zigzag position (T.81 figure A.6).
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Luminance quantisation steps, natural order (T.81 table K.1).
pub const LUMA_STEPS: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// Chrominance quantisation steps, natural order (T.81 table K.2).
pub const CHROMA_STEPS: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// A base table at a quality of 0 to 100, by the scale that every libjpeg user knows: 50 is the table itself, 100 is
/// all ones, 0 counts as 1. Steps stay within 1..=255, so that the file is baseline.
pub fn scaled(base: &[u8; 64], quality: u8) -> [u16; 64] {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    base.map(|step| ((u32::from(step) * percent + 50) / 100).clamp(1, 255) as u16)
}

/// A quantisation table ready for the forward transform, whose output is 8 times the true coefficient.
///
/// Dividing by `8 * step`, rounding halves away from zero, is `mulhi(mulhi(|x| + corr, recip), scale)` with 16-bit
/// unsigned high products: the form that vector units have. It is exact for every 16-bit coefficient (tested).
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Quantizer {
    pub recip: [u16; 64],
    pub corr: [u16; 64],
    pub scale: [u16; 64],
    pub steps: [u16; 64],
}

impl Quantizer {
    pub fn new(steps: &[u16; 64]) -> Quantizer {
        let mut q = Quantizer { recip: [0; 64], corr: [0; 64], scale: [0; 64], steps: *steps };
        for (i, &step) in steps.iter().enumerate() {
            (q.recip[i], q.corr[i], q.scale[i]) = RECIPROCALS[usize::from(step & 255)];
        }
        q
    }

    /// A quantizer that rounds down further: `dead` steps (half a step or more) are needed for a one.
    pub fn with_dead_zone(steps: &[u16; 64], dead: &[f32; 64]) -> Quantizer {
        let mut q = Quantizer::new(steps);
        for i in 1..64 {
            q.corr[i] -= ((dead[i] - 0.5) * 8.0 * f32::from(steps[i])) as u16;
        }
        q
    }

    /// The quantised value of one coefficient.
    #[inline(always)]
    pub fn divide(&self, i: usize, x: i16) -> i16 {
        let magnitude = x.unsigned_abs().wrapping_add(self.corr[i]);
        let high = |a: u16, b: u16| ((u32::from(a) * u32::from(b)) >> 16) as u16;
        let q = high(high(magnitude, self.recip[i]), self.scale[i]) as i16;
        if x < 0 { -q } else { q }
    }
}

/// By step: [`reciprocal`] of eight times the step.
static RECIPROCALS: [(u16, u16, u16); 256] = {
    let mut table = [(0, 0, 0); 256];
    let mut step = 1;
    while step < 256 {
        table[step] = reciprocal(8 * step as u32);
        step += 1;
    }
    table
};

/// Multiplier, correction and second multiplier for a divisor of 8..=2040 (a multiple of 8).
///
/// With `2^b <= d < 2^(b+1)` the reciprocal `2^(16+b) / d` keeps 16 significant bits; the correction carries half the
/// divisor and, where the reciprocal was rounded down, the one more that makes every quotient come out whole.
const fn reciprocal(divisor: u32) -> (u16, u16, u16) {
    let bits = divisor.ilog2();
    let (whole, rest) = ((1u32 << (16 + bits)) / divisor, (1u32 << (16 + bits)) % divisor);
    let half = divisor / 2;
    if rest == 0 {
        // A power of two: 2^16 does not fit, its half and one bit less of scale do.
        (1 << 15, half as u16, (1u32 << (17 - bits)) as u16)
    } else if rest <= half {
        (whole as u16, (half + 1) as u16, (1u32 << (16 - bits)) as u16)
    } else {
        ((whole + 1) as u16, half as u16, (1u32 << (16 - bits)) as u16)
    }
}

/// A Huffman table as a DHT segment carries it: codes of each length, then the symbols in order of their codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HuffSpec {
    pub counts: [u8; 16],
    pub symbols: Vec<u8>,
}

/// Code counts by length, and symbols.
type Typical = ([u8; 16], &'static [u8]);

/// The typical tables of T.81 Annex K.3: DC and AC for luminance, then for chrominance.
pub const TYPICAL: [[Typical; 2]; 2] = [
    [
        ([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC),
        ([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], &LUMA_AC),
    ],
    [
        ([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC),
        ([0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &CHROMA_AC),
    ],
];

/// [`TYPICAL`] as specifications.
pub fn standard_huffman() -> [[HuffSpec; 2]; 2] {
    TYPICAL.map(|class| class.map(|(counts, symbols)| HuffSpec { counts, symbols: symbols.to_vec() }))
}

const DC: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

const LUMA_AC: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22,
    0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33,
    0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34,
    0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55,
    0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76,
    0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5,
    0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4,
    0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1,
    0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

const CHROMA_AC: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13,
    0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62,
    0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29,
    0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54,
    0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75,
    0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3,
    0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2,
    0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea,
    0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reciprocal_division_is_exact() {
        for step in 1..=255u16 {
            let q = Quantizer::new(&[step; 64]);
            let divisor = 8 * i32::from(step);
            // The transform stays within +-2^14; the last few hundred below 2^15 would wrap with the correction.
            for x in -16384..=16384i32 {
                let exact = (x.abs() + divisor / 2) / divisor * x.signum();
                assert_eq!(i32::from(q.divide(0, x as i16)), exact, "{x} / {divisor}");
            }
        }
    }
}
