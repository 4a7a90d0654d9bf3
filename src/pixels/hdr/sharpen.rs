//! What a gain map of fewer samples than pixels cannot tell goes into the SDR image: light divided by the gain that
//! decoders find between samples.

use super::tables::{Developer, GAIN_STEPS};
use crate::{
    error::{Result, try_vec},
    pixels::convert::TILE,
};

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

/// Factors for the light of the SDR image.
#[derive(Debug)]
pub struct Sharpener {
    /// Pixels and samples down.
    height: (usize, usize),
    columns: Vec<Place>,
    /// The factor for every difference of gains, from the lowest that is made up for.
    factors: Vec<f32>,
    /// The largest difference, in steps of the developer's gains.
    limit: i32,
    /// By gain: how much brighter the SDR image may be there before it is clipped.
    room: Vec<u16>,
}

impl Sharpener {
    /// For an image and a map of these sizes.
    pub fn new(size: (usize, usize), map: (usize, usize), developer: &Developer) -> Result<Self> {
        let mut columns: Vec<Place> = try_vec(size.0, "places in a gain map")?;
        columns.iter_mut().enumerate().for_each(|(x, to)| *to = place(x, size.0, map.0));
        let steps = developer.steps_of_a_stop();
        let top = (255 * GAIN_STEPS) as i32;
        let limit = ((LIMIT * steps) as i32).min(top);
        let mut factors = try_vec(2 * limit as usize + 1, "factors")?;
        for (difference, factor) in (-limit..).zip(&mut factors) {
            *factor = (f64::from(difference) / steps).exp2() as f32;
        }
        Ok(Self { height: (size.1, map.1), columns, factors, limit, room: developer.room()? })
    }

    /// The place of row `y`.
    pub fn row(&self, y: usize) -> Place {
        place(y, self.height.0, self.height.1)
    }

    /// A row of gains as decoders find it, before it is enlarged across: 16 times the samples of two rows.
    pub fn between(rows: [&[u8]; 2], (_, part): Place, to: &mut [u32]) {
        let [above, below] = rows;
        for ((to, above), below) in to.iter_mut().zip(above).zip(below) {
            *to = u32::from(*above) * (16 - part) + u32::from(*below) * part;
        }
    }

    /// The factors of `n` pixels from column `x` on whose own gains these are; false if all are 1.
    pub fn factors(&self, between: &[u32], gains: &[u32], x: usize, n: usize, to: &mut [f32; TILE]) -> bool {
        let mut differ = false;
        let last = between.len() - 1;
        for ((to, &(index, part)), &gain) in to.iter_mut().zip(&self.columns[x..x + n]).zip(gains) {
            let index = index as usize;
            let (left, right) = (between[index], between[(index + 1).min(last)]);
            let found = (left * (16 - part) + right * part + 8) / 16;
            let most = i32::from(self.room[gain as usize]).min(self.limit);
            let difference = (gain as i32 - found as i32).clamp(-self.limit, most);
            differ |= difference != 0;
            *to = self.factors[(difference + self.limit) as usize];
        }
        differ
    }

    /// Whether there is no gain in `n` pixels from column `x` on.
    pub fn is_dark(&self, between: &[u32], x: usize, n: usize) -> bool {
        let (first, last) = (self.columns[x].0 as usize, self.columns[x + n - 1].0 as usize);
        between[first..(last + 2).min(between.len())].iter().all(|gain| *gain == 0)
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
