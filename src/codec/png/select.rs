//! Choosing filters.

use super::{
    deflate::plain_bits,
    filter::{ALL, Filter, apply, magnitude},
    simd::Simd,
};

/// How the rows of one chunk are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All rows alike.
    Fixed(Filter),
    /// Per row, the filter whose bytes have the smallest magnitudes.
    Magnitude,
    /// Per row, the filter whose bytes have the lowest entropy.
    Entropy,
    /// Per row, the filter that makes the fewest different pairs of bytes.
    Pairs,
}

/// Filters rows; keeps its buffers.
#[derive(Default)]
pub struct Filterer {
    candidates: [Vec<u8>; 5],
    seen: Vec<u64>,
}

impl Filterer {
    /// Room for rows of `bytes` bytes.
    pub fn new(bytes: usize) -> crate::error::Result<Self> {
        let mut new = Self::default();
        for candidate in &mut new.candidates {
            *candidate = super::chunk::buffer(bytes)?;
        }
        Ok(new)
    }

    /// Writes the filter type and the filtered row to `out`, which is one byte longer than the row.
    pub fn row(
        &mut self,
        simd: Simd,
        strategy: Strategy,
        bpp: usize,
        above: &[u8],
        row: &[u8],
        out: &mut [u8],
    ) {
        let (kind, out) = out.split_at_mut(1);
        let fixed = match strategy {
            Strategy::Fixed(filter) => filter,
            _ => {
                let mut best = (u64::MAX, Filter::None);
                for (filter, candidate) in ALL.into_iter().zip(&mut self.candidates) {
                    apply(simd, filter, bpp, above, row, candidate);
                    let cost = match strategy {
                        Strategy::Entropy => plain_bits(candidate).max(0.0) as u64,
                        Strategy::Pairs => pairs(&mut self.seen, candidate),
                        _ => magnitude(simd, candidate),
                    };
                    if cost < best.0 {
                        best = (cost, filter);
                    }
                }
                kind[0] = best.1 as u8;
                out.copy_from_slice(&self.candidates[best.1 as usize]);
                return;
            }
        };
        kind[0] = fixed as u8;
        apply(simd, fixed, bpp, above, row, out);
    }
}

/// Number of different pairs of neighbouring bytes.
fn pairs(seen: &mut Vec<u64>, row: &[u8]) -> u64 {
    seen.clear();
    seen.resize(1024, 0);
    for pair in row.windows(2) {
        let index = usize::from(pair[0]) << 8 | usize::from(pair[1]);
        seen[index / 64] |= 1 << (index % 64);
    }
    seen.iter().map(|word| u64::from(word.count_ones())).sum()
}
