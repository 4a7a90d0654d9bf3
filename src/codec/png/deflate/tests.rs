//! Streams of every search, decoded by another library: contents that cross the borders of what is parsed at a time.

use std::{
    io::Read,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{
    super::simd::Simd,
    Bits, CHECK, Compressor, Grid, Limits, Search,
    window::{MAX_MATCH, WINDOW},
};
use crate::{bail, error::ErrorKind};

const SEARCHES: [Search; 7] = [
    Search::Literals,
    Search::Runs,
    Search::Fast { skip: 5 },
    Search::Chain { depth: 16, nice: 64, lazy: true, exact: false, skip: 6 },
    Search::Chain { depth: 64, nice: 128, lazy: true, exact: true, skip: 30 },
    Search::Optimal(Limits { depth: 32, nice: 64, passes: 1 }),
    Search::Optimal(Limits { depth: 200, nice: MAX_MATCH, passes: 2 }),
];

/// Groups of equal bytes of two kinds: long matches of every length, everywhere, at every distance.
fn two_kinds(len: usize, group: usize, mut seed: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + group);
    while bytes.len() < len {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.resize(bytes.len() + group, if (seed >> 8) % 13 % 2 == 1 { 255 } else { 0 });
    }
    bytes.truncate(len);
    bytes
}

fn inflate(stream: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::DeflateDecoder::new(stream).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn matches_across_stretches_and_chunks_are_exact() {
    for search in SEARCHES {
        let mut compressor = Compressor::new(Simd::detect(), &|| Ok(()));
        for seed in 0..8 {
            let data = two_kinds(90_000, 1 + seed as usize % 4, seed);
            let mut bits = Bits::default();
            // As one chunk, and as two, of which the second looks back on the first.
            let cut = [data.len(), 40_001][seed as usize % 2];
            let (end, grid) = (cut == data.len(), Grid::BYTES);
            compressor.chunk(search, &data[..cut], 0, grid, end, &mut bits).unwrap();
            if !end {
                let from = cut - WINDOW;
                compressor.chunk(search, &data[from..], WINDOW, grid, true, &mut bits).unwrap();
            }
            assert!(inflate(bits.written()) == data, "{search:?}, seed {seed}");
        }
    }
}

/// What searches of a chunk cost grows with how much repeats, so they ask by position, before and within the chunk.
#[test]
fn long_searches_ask_whether_to_go_on_and_stop_at_once() {
    let data = two_kinds(6 * WINDOW, 3, 1);
    for search in SEARCHES.into_iter().skip(3) {
        let (asked, refuse) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let check = || {
            if asked.fetch_add(1, Relaxed) + 1 == refuse.load(Relaxed) {
                bail!(Cancelled, "stopped");
            }
            Ok(())
        };
        let mut compressor = Compressor::new(Simd::detect(), &check);
        let mut run = |refusal| {
            asked.store(0, Relaxed);
            refuse.store(refusal, Relaxed);
            let mut bits = Bits::default();
            let result = compressor.chunk(search, &data, WINDOW, Grid::BYTES, true, &mut bits);
            (asked.load(Relaxed), result.map_err(|error| error.kind))
        };
        let (all, result) = run(usize::MAX);
        assert_eq!(result, Ok(()));
        // A step may be as long as a match more than asked for.
        assert!(all >= 5 * WINDOW / (CHECK + MAX_MATCH), "{search:?} asked {all} times");
        for refusal in [1, 2, all / 2, all] {
            assert_eq!(run(refusal), (refusal, Err(ErrorKind::Cancelled)), "{search:?}");
        }
        // And the compressor is as good as new.
        assert_eq!(run(usize::MAX), (all, Ok(())), "{search:?}");
    }
}
