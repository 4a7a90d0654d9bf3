//! In which scans a progressive file is coded.

use super::{
    kernels::Kernels,
    scan::{Job, Scan},
};
use crate::{error::Result, pack::pool::Pool};
use std::sync::{Mutex, PoisonError};

const fn scan(components: u8, first: u8, last: u8, high: u8, low: u8) -> Scan {
    Scan { components, first, last, high, low }
}

/// Few scans: luma's lowest frequencies apart, its last bit apart.
#[cfg(test)]
pub static SHORT: [Scan; 6] = [
    scan(0b111, 0, 0, 0, 0),
    scan(0b001, 1, 2, 0, 0),
    scan(0b001, 3, 63, 0, 1),
    scan(0b010, 1, 63, 0, 0),
    scan(0b100, 1, 63, 0, 0),
    scan(0b001, 3, 63, 1, 0),
];

/// The last two bits of all high frequencies apart: the best for large photographs.
#[cfg(test)]
pub static LONG: [Scan; 13] = [
    scan(0b111, 0, 0, 0, 0),
    scan(0b001, 1, 2, 0, 0),
    scan(0b010, 1, 2, 0, 0),
    scan(0b100, 1, 2, 0, 0),
    scan(0b001, 3, 63, 0, 2),
    scan(0b010, 3, 63, 0, 2),
    scan(0b100, 3, 63, 0, 2),
    scan(0b001, 3, 63, 2, 1),
    scan(0b010, 3, 63, 2, 1),
    scan(0b100, 3, 63, 2, 1),
    scan(0b001, 3, 63, 1, 0),
    scan(0b010, 3, 63, 1, 0),
    scan(0b100, 3, 63, 1, 0),
];

/// A script for the components of an image: an interleaved scan keeps those that exist.
#[cfg(test)]
pub fn fitted(script: &[Scan], components: u8) -> Vec<Scan> {
    let fit = |scan: &Scan| Scan { components: scan.components & components, ..*scan };
    script.iter().map(fit).filter(|scan| scan.components != 0).collect()
}

/// How wide to search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Search {
    /// Ends of a band of low frequencies that is coded apart; besides none.
    pub splits: &'static [u8],
    /// The most bits that are coded apart.
    pub bits: u8,
    /// About as many blocks of a component are measured; all of a smaller image's.
    pub sample: usize,
}

/// The lowest frequencies and the last two bits apart or not, from a small sample: all but a thousandth of what there is
/// to gain.
pub const BRIEF: Search = Search { splits: &[2], bits: 2, sample: 512 };
/// The same from a larger sample.
pub const NARROW: Search = Search { splits: &[2], bits: 2, sample: 4096 };
/// With other bands.
pub const WIDE: Search = Search { splits: &[2, 5, 8], bits: 2, sample: 4096 };

/// A band of a component, and how it is coded best as far as is known.
#[derive(Clone, Copy)]
struct Band {
    component: u8,
    first: u8,
    last: u8,
    /// The lowest bits that are left out of its first scan and follow one by one.
    low: u8,
    /// Bits of all its scans.
    size: u64,
}

impl Band {
    /// Its first scan, and those of the bits that were left out, highest first.
    fn scans(self) -> impl Iterator<Item = Scan> {
        let scan = move |high, low| scan(1 << self.component, self.first, self.last, high, low);
        std::iter::once(scan(0, self.low)).chain((0..self.low).rev().map(move |low| scan(low + 1, low)))
    }

    /// Finds how many bits to leave out: one more as long as that is better.
    fn measure(&mut self, most: u8, measure: &dyn Fn(Scan) -> Result<u64>) -> Result<()> {
        let mut refined = 0;
        for low in 0..=most {
            let mut scans = Band { low, ..*self }.scans();
            let first = scans.next().map_or(Ok(0), measure)?;
            // The scans of the bits below were measured with one bit less.
            refined += scans.next().map_or(Ok(0), measure)?;
            if first + refined >= self.size {
                break;
            }
            (self.low, self.size) = (low, first + refined);
        }
        Ok(())
    }
}

/// The script with the fewest bytes among those that `search` spans, each component by itself.
pub fn best(kernels: &'static Kernels, job: Job, pool: &Pool, search: Search) -> Result<Vec<Scan>> {
    let count = job.planes.len() as u8;
    let all = (1 << count) - 1;
    let every = (job.planes[0].real_across * job.planes[0].real_down / search.sample).max(1);
    let measure = |scan: Scan| kernels.measure(job, scan, every);

    // The whole band of a component, then the halves of each split.
    let halves = search.splits.iter().flat_map(|&split| [(1, split), (split + 1, 63)]);
    let bands: Vec<_> = std::iter::once((1, 63)).chain(halves).collect();
    let of = |component: u8| {
        let band = move |&(first, last): &(u8, u8)| Band { component, first, last, low: 0, size: u64::MAX };
        bands.iter().map(band)
    };
    let measured: Vec<_> = (0..count).flat_map(of).map(Mutex::new).collect();
    pool.for_each(measured.len(), &|i| {
        measured[i].lock().unwrap_or_else(PoisonError::into_inner).measure(search.bits, &measure)
    })?;
    let measured: Vec<_> =
        measured.into_iter().map(|band| band.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();

    let dc = |components: u8| scan(components, 0, 0, 0, 0);
    let apart: Vec<_> = (0..count).map(|c| dc(1 << c)).collect();
    let mut apart_size = 0;
    for &scan in &apart {
        apart_size += measure(scan)?;
    }
    let mut script = if apart_size < measure(dc(all))? { apart } else { vec![dc(all)] };
    let mut later = Vec::new();
    for bands in measured.chunks_exact(bands.len()) {
        let size = |bands: &[Band]| bands.iter().map(|band| band.size).sum::<u64>();
        let (whole, halves) = bands.split_at(1);
        let better = halves.chunks_exact(2).min_by_key(|halves| size(halves));
        let chosen = better.filter(|halves| size(halves) < size(whole)).unwrap_or(whole);
        for band in chosen {
            let mut scans = band.scans();
            script.extend(scans.next());
            later.extend(scans);
        }
    }
    // High bits first, so that every part of the picture gets better at the same pace.
    later.sort_by_key(|scan| std::cmp::Reverse(scan.low));
    script.extend(later);
    Ok(script)
}
