//! A palette, and the nearest of its colours.

use super::lab::{self, Lab};
use crate::error::{Error, Result};

/// Up to 256 colours.
pub struct Palette {
    /// As they are written.
    pub rgb: Vec<[u8; 3]>,
    /// As they look.
    pub lab: Vec<Lab>,
    /// For each colour all colours, the nearest first: the bits of their squared distances, which grow as these do, above
    /// their indices. Itself is the first.
    order: Vec<u64>,
}

impl Palette {
    /// A palette of 1 to 256 colours.
    pub fn new(rgb: Vec<[u8; 3]>) -> Result<Self> {
        let lab: Vec<_> = rgb.iter().map(|&color| lab::from_rgb(color)).collect();
        let mut palette = Self { rgb, lab, order: Vec::new() };
        let (count, what) = (palette.lab.len().pow(2), "the neighbours of colours");
        let refused = |_| Error::out_of_memory(count * size_of::<u64>(), what);
        palette.order.try_reserve_exact(count).map_err(refused)?;
        palette.sort();
        Ok(palette)
    }

    fn sort(&mut self) {
        let count = self.lab.len();
        self.order.clear();
        for &from in &self.lab {
            let start = self.order.len();
            let all = self.lab.iter().enumerate();
            let key = |(index, &to)| u64::from(lab::distance(from, to).to_bits()) << 8 | index as u64;
            self.order.extend(all.map(key));
            self.order[start..].sort_unstable();
        }
        debug_assert_eq!(self.order.len(), count * count);
    }

    /// The neighbours of a colour, the nearest first: itself, or its equal.
    pub fn neighbours(&self, index: u8) -> impl Iterator<Item = (f32, u8)> {
        let count = self.lab.len();
        let order = &self.order[usize::from(index) * count..][..count];
        order.iter().map(|&key| (f32::from_bits((key >> 8) as u32), key as u8))
    }

    /// The nearest colour and its squared distance. `guess` is a colour that may be near; a good one saves time.
    ///
    /// By the triangle inequality nothing that is farther from the guess than twice the guess's distance is nearer.
    pub fn nearest(&self, color: Lab, guess: u8) -> (u8, f32) {
        let mut best = (guess, lab::distance(color, self.lab[usize::from(guess)]));
        let reach = 4.0 * best.1;
        for (apart, index) in self.neighbours(guess) {
            if apart >= reach {
                break;
            }
            let distance = lab::distance(color, self.lab[usize::from(index)]);
            if distance < best.1 {
                best = (index, distance);
            }
        }
        best
    }
}
