//! The peak of an image.

use crate::error::{Result, try_vec};

/// Brightest light that all but 1 of 10 000 values stay below: a histogram of quarter-percent steps.
#[derive(Debug)]
pub struct Histogram {
    bins: Vec<u32>,
    count: u32,
}

impl Histogram {
    /// Bits of a float that make no difference.
    const BELOW: u32 = 15;

    /// Nothing counted yet.
    pub fn new() -> Result<Self> {
        Ok(Self { bins: try_vec((i32::MAX as usize >> Self::BELOW) + 1, "a histogram")?, count: 0 })
    }

    /// Counts the largest component.
    pub fn count(&mut self, [r, g, b]: [f32; 3]) {
        let largest = r.max(g).max(b).max(0.0);
        self.bins[(largest.to_bits() >> Self::BELOW) as usize] += 1;
        self.count += 1;
    }

    /// Counts what `other` has counted, too.
    pub fn add(&mut self, other: &Self) {
        self.bins.iter_mut().zip(&other.bins).for_each(|(to, from)| *to += from);
        self.count += other.count;
    }

    /// The peak.
    pub fn peak(&self) -> f32 {
        let mut left = self.count / 10_000;
        for (bin, &count) in self.bins.iter().enumerate().rev() {
            if count > left {
                return f32::from_bits(((bin as u32) << Self::BELOW) + (1 << (Self::BELOW - 1)));
            }
            left -= count;
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_leaves_out_one_value_in_ten_thousand() {
        let mut histogram = Histogram::new().unwrap();
        for index in 0..20_000 {
            let light = if index < 2 { 40.0 } else { 5.0 };
            histogram.count([light, 0.1, 0.0]);
        }
        assert!((histogram.peak() / 5.0 - 1.0).abs() < 0.005);
        histogram.count([40.0; 3]);
        assert!((histogram.peak() / 40.0 - 1.0).abs() < 0.005);
    }
}
