//! The forward transform: C. Loeffler, A. Ligtenberg and G. Moschytz, "Practical fast 1-D DCT algorithms with 11
//! multiplications" (ICASSP 1989), in 13-bit fixed point with 2 extra bits between the passes and the rounding of
//! libjpeg's accurate integer method ("islow"), so that the coefficients are the same, bit for bit. Both passes
//! together scale by 8.
//!
//! The rotations are multiplied out: each output is a sum of products of the four inputs of its half, which is exact
//! in 32 bits before the one rounding, and is what multiply-add vector instructions do best.

use super::front::{Place, TILE};
use super::tables::{Block, Quantizer};

/// Factors of `tmp12` and `tmp13` for outputs 2 and 6.
pub const EVEN: [(i16, i16); 2] = [(4433, 10703), (-10704, 4433)];

/// Factors of the differences 3-4, 2-5, 1-6 and 0-7 for outputs 1, 3, 5 and 7.
pub const ODD: [[i16; 4]; 4] = [
    [2260, 6437, 9633, 11363],
    [-6436, -11362, -2259, 9633],
    [9633, 2261, -11362, 6437],
    [-11363, 9633, -6436, 2260],
];

/// One dimension over 8 inputs `STRIDE` apart.
#[inline(always)]
fn pass<const SECOND: bool, const STRIDE: usize>(data: &mut [i32; 64], first: usize) {
    let d: [i32; 8] = core::array::from_fn(|i| data[first + i * STRIDE]);
    let shift = if SECOND { 15 } else { 11 };
    let even = [
        d[0] + d[7] + d[3] + d[4],
        d[1] + d[6] + d[2] + d[5],
        d[1] + d[6] - d[2] - d[5],
        d[0] + d[7] - d[3] - d[4],
    ];
    let odd = [d[3] - d[4], d[2] - d[5], d[1] - d[6], d[0] - d[7]];
    let whole = |v: i32| if SECOND { (v + 2) >> 2 } else { v << 2 };
    data[first] = whole(even[0] + even[1]);
    data[first + 4 * STRIDE] = whole(even[0] - even[1]);
    let round = |v: i32| (v + (1 << (shift - 1))) >> shift;
    for (i, (a, b)) in EVEN.iter().enumerate() {
        data[first + (2 + 4 * i) * STRIDE] = round(even[2] * i32::from(*a) + even[3] * i32::from(*b));
    }
    for (i, factors) in ODD.iter().enumerate() {
        let sum: i32 = odd.iter().zip(factors).map(|(v, &f)| v * i32::from(f)).sum();
        data[first + (1 + 2 * i) * STRIDE] = round(sum);
    }
}

/// Transforms `blocks` blocks that lie side by side in a tile, and quantises them when told to.
pub fn forward(
    samples: &[i16],
    blocks: usize,
    quantizer: Option<&Quantizer>,
    out: &mut [Block],
    place: Place,
) {
    for block in 0..blocks {
        let mut data = [0i32; 64];
        for (row, line) in data.chunks_exact_mut(8).enumerate() {
            let from = &samples[row * TILE + 8 * block..][..8];
            for (value, &sample) in line.iter_mut().zip(from) {
                *value = i32::from(sample);
            }
        }
        for row in 0..8 {
            pass::<false, 1>(&mut data, 8 * row);
        }
        for column in 0..8 {
            pass::<true, 8>(&mut data, column);
        }
        let to = &mut out[place.of(block)].0;
        match quantizer {
            Some(q) => {
                to.iter_mut().zip(&data).enumerate().for_each(|(i, (to, &v))| *to = q.divide(i, v as i16))
            }
            None => to.iter_mut().zip(&data).for_each(|(to, &v)| *to = v as i16),
        }
    }
}
