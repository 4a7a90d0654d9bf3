//! In which scans a progressive file is coded.

use super::{
    kernels::Kernels,
    scan::{Job, Scan},
};
use crate::{error::Result, pack::pool::Pool};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const fn scan(components: u8, first: u8, last: u8, high: u8, low: u8) -> Scan {
    Scan { components, first, last, high, low }
}

/// Few scans: luma's lowest frequencies apart, its last bit apart.
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

/// About the scripts above, whichever is best, from a sample.
pub const NARROW: Search = Search { splits: &[2], bits: 2, sample: 4096 };
/// Everything that has been seen to help, if seldom.
pub const WIDE: Search = Search { splits: &[2, 5, 12], bits: 3, sample: 8192 };

/// The script with the fewest bytes among those that `search` spans, each component by itself.
pub fn best(kernels: &'static Kernels, job: Job, pool: &Pool, search: Search) -> Result<Vec<Scan>> {
    let count = job.planes.len() as u8;
    let all = (1 << count) - 1;
    let mut bands = vec![(1, 63)];
    bands.extend(search.splits.iter().flat_map(|&split| [(1, split), (split + 1, 63)]));
    // A band with its lowest `low` bits left out, then one scan for each of them.
    let steps = |low: u8| std::iter::once((0, low)).chain((0..low).rev().map(|low| (low + 1, low)));

    let mut wanted: Vec<Scan> = (0..count).map(|c| scan(1 << c, 0, 0, 0, 0)).collect();
    wanted.push(scan(all, 0, 0, 0, 0));
    for c in 0..count {
        for &(first, last) in &bands {
            for low in 0..=search.bits {
                wanted.push(scan(1 << c, first, last, 0, low));
                if low > 0 {
                    wanted.push(scan(1 << c, first, last, low, low - 1));
                }
            }
        }
    }
    let every = (job.planes[0].real_across * job.planes[0].real_down / search.sample).max(1);
    let sizes: Vec<_> = wanted.iter().map(|_| AtomicU64::new(0)).collect();
    pool.for_each(wanted.len(), &|i| {
        sizes[i].store(kernels.measure(job, wanted[i], every)?, Relaxed);
        Ok(())
    })?;
    let size = |scan: Scan| {
        let at = wanted.iter().position(|&wanted| wanted == scan);
        at.map_or(u64::MAX / 64, |at| sizes[at].load(Relaxed))
    };

    let apart: u64 = (0..count).map(|c| size(scan(1 << c, 0, 0, 0, 0))).sum();
    let mut script = match apart < size(scan(all, 0, 0, 0, 0)) {
        true => wanted[..usize::from(count)].to_vec(),
        false => vec![scan(all, 0, 0, 0, 0)],
    };
    let mut later = Vec::new();
    for c in 0..count {
        // The cheapest way to code one band, as its cost and the bits left out of its first scan.
        let cheapest = |(first, last): (u8, u8)| {
            let cost =
                |low| steps(low).map(|(high, low)| size(scan(1 << c, first, last, high, low))).sum::<u64>();
            (0..=search.bits).map(|low| (cost(low), low)).min().unwrap_or((u64::MAX / 64, 0))
        };
        let whole = (cheapest(bands[0]).0, &bands[..1]);
        let halves =
            bands[1..].chunks_exact(2).map(|two| (two.iter().map(|&b| cheapest(b).0).sum::<u64>(), two));
        let (_, chosen) = halves.fold(whole, |best, other| if other.0 < best.0 { other } else { best });
        for &(first, last) in chosen {
            let mut scans = steps(cheapest((first, last)).1);
            let (_, low) = scans.next().unwrap_or((0, 0));
            script.push(scan(1 << c, first, last, 0, low));
            later.extend(scans.map(|(high, low)| scan(1 << c, first, last, high, low)));
        }
    }
    // High bits first, so that every part of the picture gets better at the same pace.
    later.sort_by_key(|scan| std::cmp::Reverse(scan.low));
    script.extend(later);
    Ok(script)
}
