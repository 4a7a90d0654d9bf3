//! What a gain map of fewer samples than pixels cannot tell goes into the SDR image: light divided by the gain that
//! decoders find between samples.

use super::tables::{Columns, Developer, Factors, GAIN_STEPS};
use crate::error::Result;

/// How far the SDR image may be from that of the tone curve alone, in stops.
const LIMIT: f64 = 0.5;

/// Where a pixel is between samples of the map: the one before it, and 16ths of the way to the next.
type Place = (u32, u32);

/// The place of pixel `at` of `size`, for `of` samples over the same length.
fn place(at: usize, size: usize, of: usize) -> Place {
    // The centre of the pixel, counted in 16ths from the centre of the first sample.
    let at = ((2 * at as u64 + 1) * of as u64 * 8 + size as u64 / 2) / size as u64;
    let at = at.saturating_sub(8).min((of as u64 - 1) * 16) as u32;
    (at / 16, at % 16)
}

/// What the light of the SDR image is multiplied with, and by which gains.
#[derive(Debug)]
pub struct Sharpener {
    /// Pixels and samples down.
    height: (usize, usize),
    pub columns: Columns,
    pub factors: Factors,
}

impl Sharpener {
    /// For an image and a map of these sizes.
    pub fn new(size: (usize, usize), map: (usize, usize), developer: &Developer) -> Result<Self> {
        let column = |at: u32| {
            let (index, part) = place(at as usize, size.0, map.0);
            (index, part as f32 / 16.0)
        };
        let columns = Columns::with(size.0 as u32, map.0 as u32, column)?;
        let top = f64::from(255 * GAIN_STEPS);
        let limit = (LIMIT * developer.steps_of_a_stop()).min(top) as u32;
        Ok(Self { height: (size.1, map.1), columns, factors: developer.factors(limit)? })
    }

    /// The place of row `y`.
    pub fn row(&self, y: usize) -> Place {
        place(y, self.height.0, self.height.1)
    }

    /// A row of gains as decoders find it, before it is enlarged across: 16 times the samples of two rows, whole numbers.
    /// The last is there twice.
    pub fn between(rows: [&[u8]; 2], (_, part): Place, to: &mut [f32]) {
        let [above, below] = rows;
        for ((to, above), below) in to.iter_mut().zip(above).zip(below) {
            *to = (u32::from(*above) * (16 - part) + u32::from(*below) * part) as f32;
        }
        to[above.len()] = to[above.len() - 1];
    }

    /// Whether there is no gain in `n` pixels from column `x` on.
    pub fn is_dark(&self, between: &[f32], x: usize, n: usize) -> bool {
        let places = &self.columns.places()[x..x + n];
        let (first, last) = (places[0] as usize, places[n - 1] as usize);
        between[first..last + 2].iter().all(|gain| *gain == 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_between_the_centres_of_samples() {
        let of = |size, of| (0..size).map(|at| place(at, size, of)).collect::<Vec<_>>();
        assert_eq!(of(4, 2), [(0, 0), (0, 4), (0, 12), (1, 0)]);
        assert_eq!(of(8, 2), [(0, 0), (0, 0), (0, 2), (0, 6), (0, 10), (0, 14), (1, 0), (1, 0)]);
        assert_eq!(of(3, 3), [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(of(1, 1), [(0, 0)]);
    }
}
