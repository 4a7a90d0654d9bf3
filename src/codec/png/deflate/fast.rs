//! The quick search: the last distance again, then one hash probe, pixel by pixel.

use super::block::Sequence;
use super::window::{WINDOW, match_length, push_literals, push_match, word64};
use super::{super::simd::Kernel, Grid, OutOfMemory};

const HASH_BITS: u32 = 14;
/// Bytes that a position reads ahead.
const LOOK: usize = 16;
/// Bytes before the chunk that are searched.
const PRIME: usize = 4 << 10;

/// Positions are kept modulo 65536; a stale entry is caught by comparing the bytes, and whatever compares equal
/// within the window is a match.
pub struct Fast {
    head: Box<[u16; 1 << HASH_BITS]>,
}

impl Fast {
    pub fn new() -> Result<Self, OutOfMemory> {
        Ok(Self { head: super::table()? })
    }

    #[inline(always)]
    fn parse_stepped<const STEP: usize>(
        &mut self,
        data: &[u8],
        start: usize,
        grid: Grid,
        skip: u32,
        out: &mut Vec<Sequence>,
    ) {
        // Bytes that are hashed: two pixels, since less rarely pays against literals.
        let unused: u32 = match STEP {
            1 | 2 => 24,
            3 | 6 => 16,
            _ => 0,
        };
        let hash =
            |word: u64| ((word << unused).wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - HASH_BITS)) as usize;
        let head = &mut *self.head;
        head.fill(0);
        let end = data.len();
        let mut literals_from = start;
        if end - start >= 2 * LOOK {
            let limit = end - LOOK;
            // Rows count back from the start of the chunk, and pixels from the end of their row.
            let mut at = start.saturating_sub(PRIME);
            while at < start {
                at += (start - at) % grid.stride % STEP;
                if at < start {
                    head[hash(word64(data, at))] = at as u16;
                }
                at += STEP;
            }
            let mut last_distance = STEP;
            let mut row_end = start;
            at = start;
            'rows: while at < limit {
                // To the first pixel at or behind `at`.
                if at >= row_end {
                    row_end += ((at - row_end) / grid.stride + 1) * grid.stride;
                }
                at += (row_end - at) % STEP;
                let stop = row_end.min(limit);
                while at < stop {
                    let word = word64(data, at);
                    let slot = &mut head[hash(word)];
                    let mut distance = usize::from((at as u16).wrapping_sub(*slot));
                    *slot = at as u16;
                    if at >= last_distance && (word64(data, at - last_distance) ^ word) << unused == 0 {
                        distance = last_distance;
                    } else if distance == 0
                        || distance > WINDOW
                        || distance > at
                        || (word64(data, at - distance) ^ word) << unused != 0
                    {
                        at += STEP * (1 + ((at - literals_from) >> skip));
                        continue;
                    }
                    let mut from = at;
                    // Bytes skipped over may belong to the match.
                    while from >= distance + 8 {
                        let differing = word64(data, from - 8) ^ word64(data, from - 8 - distance);
                        let equal = (differing.leading_zeros() as usize / 8).min(from - literals_from);
                        from -= equal;
                        if equal < 8 {
                            break;
                        }
                    }
                    let length = match_length(data, from - distance, from, end - from);
                    push_match(out, from - literals_from, length, distance);
                    last_distance = distance;
                    at = from + length;
                    literals_from = at;
                    continue 'rows;
                }
            }
        }
        push_literals(out, end - literals_from);
    }
}

/// One run of the search.
pub struct Parse<'a> {
    pub fast: &'a mut Fast,
    pub data: &'a [u8],
    pub start: usize,
    pub grid: Grid,
    pub skip: u32,
    pub out: &'a mut Vec<Sequence>,
}

impl Kernel for Parse<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { fast, data, start, grid, skip, out } = self;
        match grid.bpp {
            3 => fast.parse_stepped::<3>(data, start, grid, skip, out),
            4 => fast.parse_stepped::<4>(data, start, grid, skip, out),
            6 => fast.parse_stepped::<6>(data, start, grid, skip, out),
            8 => fast.parse_stepped::<8>(data, start, grid, skip, out),
            _ => fast.parse_stepped::<1>(data, start, grid, skip, out),
        }
    }
}
