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

/// Eight rows of eight lanes.
type Matrix = [[i16; 8]; 8];

/// One dimension, down the columns; the second pass takes the extra bits back. The loop over lanes is what compilers
/// turn into vector code.
#[inline(always)]
fn pass<const SECOND: bool>(d: &Matrix) -> Matrix {
    let mut out = [[0; 8]; 8];
    for lane in 0..8 {
        let sum = |i: usize| d[i][lane] + d[7 - i][lane];
        let difference = |i: usize| d[i][lane] - d[7 - i][lane];
        let (even0, even3) = (sum(0) + sum(3), i32::from(sum(0) - sum(3)));
        let (even1, even2) = (sum(1) + sum(2), i32::from(sum(1) - sum(2)));
        let odd = [difference(3), difference(2), difference(1), difference(0)].map(i32::from);

        // A black block reaches -32768 here, which is the most that fits.
        let whole = |v: i16| if SECOND { (v + 2) >> 2 } else { v << 2 };
        out[0][lane] = whole(even0 + even1);
        out[4][lane] = whole(even0 - even1);
        let narrow = |v: i32| if SECOND { (v + (1 << 14)) >> 15 } else { (v + (1 << 10)) >> 11 } as i16;
        let rotate = |(a, b): (i16, i16)| narrow(even2 * i32::from(a) + even3 * i32::from(b));
        out[2][lane] = rotate(EVEN[0]);
        out[6][lane] = rotate(EVEN[1]);
        let mix = |f: [i16; 4]| {
            let [a, b, c, d] = f.map(i32::from);
            narrow(odd[0] * a + odd[1] * b + (odd[2] * c + odd[3] * d))
        };
        out[1][lane] = mix(ODD[0]);
        out[3][lane] = mix(ODD[1]);
        out[5][lane] = mix(ODD[2]);
        out[7][lane] = mix(ODD[3]);
    }
    out
}

#[inline(always)]
fn transpose(d: &Matrix) -> Matrix {
    core::array::from_fn(|i| core::array::from_fn(|j| d[j][i]))
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
        // Transposed on the way in: the first pass is along the rows.
        let mut columns: Matrix = [[0; 8]; 8];
        for (row, from) in samples.chunks(TILE).take(8).enumerate() {
            for (column, &sample) in columns.iter_mut().zip(&from[8 * block..8 * block + 8]) {
                column[row] = sample;
            }
        }
        let data = pass::<true>(&transpose(&pass::<false>(&columns)));
        let data = data.as_flattened();
        let to = &mut out[place.of(block)].0;
        match quantizer {
            Some(q) => to.iter_mut().zip(data).enumerate().for_each(|(i, (to, &v))| *to = q.divide(i, v)),
            None => to.copy_from_slice(data),
        }
    }
}
