//! PNG's five row filters, and how well a filtered row is likely to pack.
//

use super::simd::{Kernel, Simd};

/// The filter types of the PNG specification, section 9.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    None = 0,
    Sub = 1,
    Up = 2,
    Average = 3,
    Paeth = 4,
}

pub const ALL: [Filter; 5] = [Filter::None, Filter::Sub, Filter::Up, Filter::Average, Filter::Paeth];

/// Filters `row`, `bpp` bytes a pixel, above it `above` (zeros for the first row), into `out`. All three have the
/// same length.
pub fn apply(simd: Simd, filter: Filter, bpp: usize, above: &[u8], row: &[u8], out: &mut [u8]) {
    simd.run(Apply { filter, bpp, above, row, out });
}

/// Sum of the bytes' magnitudes as signed numbers: libpng's old and good guess at how small the row gets.
pub fn magnitude(simd: Simd, row: &[u8]) -> u64 {
    simd.run(Magnitude(row))
}

struct Apply<'a> {
    filter: Filter,
    bpp: usize,
    above: &'a [u8],
    row: &'a [u8],
    out: &'a mut [u8],
}

impl Kernel for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        apply_generic(self.filter, self.bpp, self.above, self.row, self.out);
    }
}

struct Magnitude<'a>(&'a [u8]);

impl Kernel for Magnitude<'_> {
    type Output = u64;
    #[inline(always)]
    fn run(self) -> u64 {
        magnitude_generic(self.0)
    }
}

#[inline(always)]
fn apply_generic(filter: Filter, bpp: usize, above: &[u8], row: &[u8], out: &mut [u8]) {
    let n = row.len();
    assert!(above.len() == n && out.len() == n && (1..=8).contains(&bpp));
    // The first pixel has nothing to its left; the rest sees its neighbours
    // through shifted slices, which leaves the loops free of bounds checks.
    let first = bpp.min(n);
    let (head, out) = out.split_at_mut(first);
    let left = &row[..n - first];
    let up = &above[first..];
    let corner = &above[..n - first];
    for (i, o) in head.iter_mut().enumerate() {
        *o = match filter {
            Filter::None | Filter::Sub => row[i],
            Filter::Up | Filter::Paeth => row[i].wrapping_sub(above[i]),
            Filter::Average => row[i].wrapping_sub(above[i] / 2),
        };
    }
    let row = &row[first..];
    match filter {
        Filter::None => out.copy_from_slice(row),
        Filter::Sub => {
            for ((o, &x), &a) in out.iter_mut().zip(row).zip(left) {
                *o = x.wrapping_sub(a);
            }
        }
        Filter::Up => {
            for ((o, &x), &b) in out.iter_mut().zip(row).zip(up) {
                *o = x.wrapping_sub(b);
            }
        }
        Filter::Average => {
            for (((o, &x), &a), &b) in out.iter_mut().zip(row).zip(left).zip(up) {
                // The average rounded down, without a ninth bit.
                *o = x.wrapping_sub((a & b).wrapping_add((a ^ b) >> 1));
            }
        }
        Filter::Paeth => {
            for ((((o, &x), &a), &b), &c) in out.iter_mut().zip(row).zip(left).zip(up).zip(corner) {
                *o = x.wrapping_sub(paeth(a, b, c));
            }
        }
    }
}

/// The neighbour nearest to a + b - c, in 8-bit arithmetic.
///
/// With p = a + b - c the distances from a, b and c are |b - c|, |a - c| and |a + b - 2c|. When c lies outside of
/// a and b, the third is the sum of the others and never the smallest; between them it is their difference.
#[inline(always)]
fn paeth(a: u8, b: u8, c: u8) -> u8 {
    let (from_a, from_b) = (b.abs_diff(c), a.abs_diff(c));
    let (near, far) = (from_a.min(from_b), from_a.max(from_b));
    let between = (a.min(b) <= c) & (c <= a.max(b));
    let a_or_b = if from_a <= from_b { a } else { b };
    if between & (far - near < near) { c } else { a_or_b }
}

#[inline(always)]
fn magnitude_generic(row: &[u8]) -> u64 {
    let mut total = 0u64;
    // 128 x 255 magnitudes at most fit 16 bits.
    for part in row.chunks(255) {
        let mut sum = 0u16;
        for &byte in part {
            sum += u16::from(byte.min(byte.wrapping_neg()));
        }
        total += u64::from(sum);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own formula.
    fn reference(filter: Filter, a: u8, b: u8, c: u8) -> u8 {
        match filter {
            Filter::None => 0,
            Filter::Sub => a,
            Filter::Up => b,
            Filter::Average => ((u16::from(a) + u16::from(b)) / 2) as u8,
            Filter::Paeth => {
                let (a, b, c) = (i32::from(a), i32::from(b), i32::from(c));
                let p = a + b - c;
                let (pa, pb, pc) = ((p - a).abs(), (p - b).abs(), (p - c).abs());
                (if pa <= pb && pa <= pc {
                    a
                } else if pb <= pc {
                    b
                } else {
                    c
                }) as u8
            }
        }
    }

    #[test]
    fn paeth_is_the_specifications_for_all_neighbours() {
        for a in 0..=255 {
            for b in 0..=255 {
                for c in 0..=255 {
                    assert_eq!(paeth(a, b, c), reference(Filter::Paeth, a, b, c), "{a} {b} {c}");
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_filters_alike_and_right() {
        let mut seed = 1u32;
        let mut noise = |n: usize| -> Vec<u8> {
            (0..n)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect()
        };
        for &simd in Simd::all() {
            for n in [1, 2, 3, 7, 8, 31, 32, 33, 100, 257, 1000] {
                let (above, row) = (noise(n), noise(n));
                for bpp in [1, 2, 3, 4, 6, 8] {
                    for filter in ALL {
                        let mut out = vec![0; n];
                        apply(simd, filter, bpp, &above, &row, &mut out);
                        for i in 0..n {
                            let at = |s: &[u8]| if i >= bpp { s[i - bpp] } else { 0 };
                            let p = reference(filter, at(&row), above[i], at(&above));
                            assert_eq!(
                                out[i],
                                row[i].wrapping_sub(p),
                                "{simd:?} {filter:?} bpp {bpp} at {i} of {n}"
                            );
                        }
                    }
                }
                let sum: u64 = row.iter().map(|&x| u64::from((x as i8).unsigned_abs())).sum();
                assert_eq!(magnitude(simd, &row), sum);
            }
        }
    }
}
