//! Hash chains with lazy matching.

use super::window::{MAX_MATCH, WINDOW, match_length, push_literals, push_match, word32};
use super::{super::simd::Kernel, CHECK, Check, Grid, block::Sequence};
use crate::error::Result;

const HASH4_BITS: u32 = 15;
const HASH3_BITS: u32 = 13;
/// Matches of three bytes only pay when they are near.
const NEAR: usize = 2048;
/// Bytes of a match above which its inside is left out of the table.
const LONG: usize = 64;

/// Positions are kept modulo 65536, as in the quick search: a stale entry is
/// caught by comparing the bytes, and a chain ends when it stops going back.
pub struct Chain {
    head3: Box<[u16; 1 << HASH3_BITS]>,
    head4: Box<[u16; 1 << HASH4_BITS]>,
    previous: Box<[u16; WINDOW]>,
}

#[inline(always)]
fn hash(word: u32, bits: u32) -> usize {
    (word.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}

#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
}

impl Match {
    /// A rough worth in eighths of a bit: bytes covered less the distance's cost.
    fn gain(self) -> i32 {
        4 * self.length as i32 - (self.distance as u32).ilog2() as i32
    }
}

impl Chain {
    pub fn new() -> Result<Self> {
        Ok(Self { head3: super::table()?, head4: super::table()?, previous: super::table()? })
    }

    /// Enters a position; returns the distances to the last place of its three bytes (only when every byte is
    /// searched: pixels repeat whole) and of its four.
    #[inline(always)]
    fn insert<const STEP: usize>(&mut self, data: &[u8], at: usize) -> (usize, usize) {
        let word = word32(data, at);
        let mut near = 0;
        if STEP == 1 {
            let h3 = &mut self.head3[hash(word << 8, HASH3_BITS)];
            near = usize::from((at as u16).wrapping_sub(*h3));
            *h3 = at as u16;
        }
        let h4 = &mut self.head4[hash(word, HASH4_BITS)];
        let far = usize::from((at as u16).wrapping_sub(*h4));
        self.previous[at & (WINDOW - 1)] = *h4;
        *h4 = at as u16;
        (near, far)
    }

    /// Inserts `at` and returns the longest match there that is longer than
    /// `least` (length 0 if there is none).
    #[inline(always)]
    fn longest<const STEP: usize>(
        &mut self,
        data: &[u8],
        at: usize,
        least: usize,
        depth: u32,
        nice: usize,
    ) -> Match {
        let (near, mut distance) = self.insert::<STEP>(data, at);
        let most = MAX_MATCH.min(data.len() - at);
        let reach = at.min(WINDOW);
        let nice = nice.min(most);
        let word = word32(data, at);
        let mut best = Match { length: least, distance: 0 };
        if least < 3 && near != 0 && near <= reach.min(NEAR) && (word32(data, at - near) ^ word) << 8 == 0 {
            best = Match { length: 3, distance: near };
        }
        let mut left = depth;
        let mut previous_distance = 0;
        while distance > previous_distance && distance <= reach {
            let from = at - distance;
            // The bytes that would make it longer, then the start.
            let probe = best.length.max(3) - 3;
            if best.length < most
                && word32(data, from + probe) == word32(data, at + probe)
                && word32(data, from) == word
            {
                let length = match_length(data, from, at, most);
                if length > best.length {
                    best = Match { length, distance };
                    if length >= nice {
                        break;
                    }
                }
            }
            left -= 1;
            if left == 0 {
                break;
            }
            previous_distance = distance;
            distance = usize::from((at as u16).wrapping_sub(self.previous[from & (WINDOW - 1)]));
        }
        if best.distance == 0 {
            best.length = 0;
        }
        best
    }

    #[inline(always)]
    fn parse<const STEP: usize>(&mut self, p: Parse<'_>) -> Result<()> {
        let Parse { data, start, grid, depth, nice, lazy, skip, check, out } = p;
        if STEP == 1 {
            self.head3.fill(0);
        }
        self.head4.fill(0);
        let end = data.len();
        let mut literals_from = start;
        if end - start >= 16 {
            let limit = end - 8;
            // Rows count back from the start of the chunk, and pixels from the end of their row.
            let mut at = start.saturating_sub(WINDOW);
            while at < start {
                at += (start - at) % grid.stride % STEP;
                if at < start.min(limit) {
                    self.insert::<STEP>(data, at);
                }
                at += STEP;
            }
            let mut at = start;
            let mut row_end = start;
            let mut checked = start;
            while at < limit {
                if at - checked >= CHECK {
                    check()?;
                    checked = at;
                }
                if STEP > 1 {
                    if at >= row_end {
                        row_end += ((at - row_end) / grid.stride + 1) * grid.stride;
                    }
                    at += (row_end - at) % STEP;
                    if at >= limit {
                        break;
                    }
                }
                let mut found = self.longest::<STEP>(data, at, 2, depth, nice);
                if found.length < 3 {
                    at += STEP * (1 + ((at - literals_from) >> skip));
                    continue;
                }
                let mut inserted = at;
                while lazy && found.length < nice && at + STEP < limit {
                    let next = self.longest::<STEP>(data, at + STEP, found.length - 1, depth / 2, nice);
                    inserted = at + STEP;
                    if next.length > 0 && next.gain() > found.gain() + 2 {
                        at += STEP;
                        found = next;
                    } else {
                        break;
                    }
                }
                let mut length = found.length;
                if length == MAX_MATCH {
                    // A long run goes on with the same distance, unsearched.
                    length +=
                        match_length(data, at + length - found.distance, at + length, end - at - length);
                }
                let mut from = at;
                if STEP > 1 {
                    while from > literals_from
                        && from > found.distance
                        && data[from - 1] == data[from - 1 - found.distance]
                    {
                        from -= 1;
                        length += 1;
                    }
                }
                push_match(out, from - literals_from, length, found.distance);
                let next = from + length;
                let mut fill = inserted + STEP;
                // Within a long match only the ends are worth finding again.
                if length > LONG {
                    fill = fill.max((next - LONG / 2) / STEP * STEP + fill % STEP);
                }
                while fill < next.min(limit) {
                    self.insert::<STEP>(data, fill);
                    fill += STEP;
                }
                at = next;
                literals_from = at;
            }
        }
        push_literals(out, end - literals_from);
        Ok(())
    }
}

/// One run of the search.
pub struct Parse<'a> {
    pub data: &'a [u8],
    pub start: usize,
    pub grid: Grid,
    pub depth: u32,
    pub nice: usize,
    pub lazy: bool,
    pub skip: u32,
    pub check: &'a Check<'a>,
    pub out: &'a mut Vec<Sequence>,
}

impl Kernel for (&mut Chain, Parse<'_>) {
    type Output = Result<()>;
    #[inline(always)]
    fn run(self) -> Result<()> {
        let (chain, parse) = self;
        match parse.grid.bpp {
            3 => chain.parse::<3>(parse),
            4 => chain.parse::<4>(parse),
            _ => chain.parse::<1>(parse),
        }
    }
}
