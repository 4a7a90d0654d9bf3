//! Whiter than white. Decoders clamp samples to what pixels can hold, so a white pixel beside dark text may as well be
//! more than white: edges ring into what is cut off, and smoother blocks cost fewer bits and come out closer to the
//! original. The idea is mozjpeg's ("overshoot deringing", 2014); the shape is our own, found by search: bytes at equal
//! SSIMULACRA2 of pages of text and charts. Black has been tried as well and wins next to nothing.

use super::{
    front::{Place, TILE},
    kernels::Kernels,
    tables::Block,
};

/// A white sample, shifted.
const WHITE: i16 = 127;
/// How far beyond white samples may go, in steps of DC and in levels.
const STEPS: u16 = 2;
const MOST: u16 = 20;
/// Blocks of a tile.
const BLOCKS: usize = TILE / 8;

/// What is added to a row of blocks of a tile. It is transformed apart: beside samples at their full range there is no
/// room for it in the transform's 16 bits.
pub struct Overshoot {
    limit: u16,
    samples: [i16; 8 * TILE],
    blocks: [Block; BLOCKS],
}

impl Overshoot {
    pub fn new() -> Box<Overshoot> {
        Box::new(Overshoot { limit: 0, samples: [0; 8 * TILE], blocks: [Block::ZERO; BLOCKS] })
    }

    /// Makes ready for blocks with these steps.
    pub fn begin(&mut self, steps: &[u16; 64]) {
        // With a step of one, levels could become larger than a baseline file can say.
        let fine = steps.contains(&1);
        self.limit = if fine { 0 } else { MOST.min(STEPS * steps[0]) };
    }

    /// What to add to those of the first blocks of `tile` that [`found`] names by their bits.
    pub fn of(
        &mut self,
        kernels: &Kernels,
        tile: &[i16],
        found: u16,
    ) -> impl Iterator<Item = (usize, &Block)> {
        if self.limit > 0 && found != 0 {
            self.samples.fill(0);
            (0..BLOCKS).filter(|x| found >> x & 1 == 1).for_each(|x| self.shape(tile, x));
            let place = Place { base: 0, across: 1, per_mcu: 1 };
            kernels.forward(&self.samples, BLOCKS, None, &mut self.blocks, place);
        }
        let found = if self.limit > 0 { found } else { 0 };
        self.blocks.iter().enumerate().filter(move |(x, _)| found >> x & 1 == 1)
    }

    /// Block `x`: the more the 5 x 5 samples around a white one lack to white, the whiter it becomes.
    fn shape(&mut self, tile: &[i16], x: usize) {
        let mut lack = [[0u16; 8]; 8];
        let mut across = [[0u16; 8]; 12];
        let mut total = 0;
        for (y, lack) in lack.iter_mut().enumerate() {
            // The block's edges are repeated.
            let mut row = [0u16; 12];
            for (i, lack) in lack.iter_mut().enumerate() {
                *lack = (WHITE - tile[y * TILE + 8 * x + i]) as u16;
                row[i + 2] = *lack;
            }
            (row[0], row[1], row[10], row[11]) = (row[2], row[2], row[9], row[9]);
            for (i, sum) in across[y + 2].iter_mut().enumerate() {
                *sum = row[i..i + 5].iter().sum();
            }
            total += lack.iter().sum::<u16>();
        }
        (across[0], across[1], across[10], across[11]) = (across[2], across[2], across[9], across[9]);
        let mut over = [[0u16; 8]; 8];
        let mut sum = 0;
        for (y, over) in over.iter_mut().enumerate() {
            for (i, over) in over.iter_mut().enumerate() {
                let around: u16 = across[y..y + 5].iter().map(|row| row[i]).sum();
                // 2.3 times the mean of the 25.
                let more = ((3 * around) >> 5).min(self.limit);
                *over = if lack[y][i] == 0 { more } else { 0 };
                sum += *over;
            }
        }
        // The mean stays below white: its levels are no larger than before.
        let part = if sum > total { (u32::from(total) << 8) / u32::from(sum) } else { 256 } as u16;
        for (y, over) in over.iter().enumerate() {
            for (to, &over) in self.samples[y * TILE + 8 * x..].iter_mut().zip(over) {
                *to = ((over * part) >> 8) as i16;
            }
        }
    }
}

/// Which of the first `blocks` blocks of a tile hold white and something else, by bits.
pub fn found(tile: &[i16], blocks: usize) -> u16 {
    let (mut most, mut least) = ([i16::MIN; TILE], [i16::MAX; TILE]);
    for row in tile.chunks(TILE).take(8) {
        for ((most, least), &sample) in most.iter_mut().zip(&mut least).zip(row) {
            *most = sample.max(*most);
            *least = sample.min(*least);
        }
    }
    if !most.contains(&WHITE) {
        return 0;
    }
    let edge = |x: usize| most[8 * x..][..8].contains(&WHITE) && least[8 * x..][..8] != [WHITE; 8];
    (0..blocks).filter(|&x| edge(x)).fold(0, |found, x| found | 1 << x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A white tile with a dark bar of `width` columns through the second block and a point in the third.
    fn tile(width: usize) -> Vec<i16> {
        let mut tile = vec![WHITE; 8 * TILE];
        tile.chunks_mut(TILE).for_each(|row| row[10..10 + width].fill(-128));
        tile[4 * TILE + 20] = 0;
        tile
    }

    #[test]
    fn only_blocks_with_white_and_more_are_found() {
        assert_eq!(found(&tile(3), BLOCKS), 0b110);
        assert_eq!(found(&tile(3), 2), 0b10);
        assert_eq!(found(&[WHITE; 8 * TILE], BLOCKS), 0);
        assert_eq!(found(&[126; 8 * TILE], BLOCKS), 0);
    }

    #[test]
    fn white_grows_beside_what_is_dark_and_the_mean_stays() {
        for width in 1..7 {
            let tile = tile(width);
            let mut overshoot = Overshoot::new();
            overshoot.begin(&[16; 64]);
            let found = found(&tile, BLOCKS);
            assert_eq!(overshoot.of(Kernels::best(), &tile, found).count(), found.count_ones() as usize);
            for x in 0..BLOCKS {
                let cells = || (0..64).map(|i| i / 8 * TILE + 8 * x + i % 8);
                let lack: i16 = cells().map(|i| (WHITE - tile[i]) / 64).sum();
                let more: i16 = cells().map(|i| overshoot.samples[i]).sum();
                assert!(
                    more <= 64 * lack.max(i16::from(found >> x & 1 == 1) * 2),
                    "{width} {x}: {more} {lack}"
                );
                for i in cells() {
                    let over = overshoot.samples[i];
                    assert!((0..=MOST as i16).contains(&over) && (over == 0 || tile[i] == WHITE));
                }
            }
            assert!(overshoot.samples[9] > 0, "beside the bar of {width}");
        }
    }

    #[test]
    fn fine_steps_are_left_alone() {
        let tile = tile(3);
        let mut overshoot = Overshoot::new();
        overshoot.begin(&[1; 64]);
        assert_eq!(overshoot.of(Kernels::best(), &tile, 0b110).count(), 0);
    }
}
