//! Shared by the searches: reading words, comparing strings, recording matches.

use super::block::Sequence;

pub const WINDOW: usize = 32768;
pub const MAX_MATCH: usize = 258;

#[inline(always)]
pub fn word32(data: &[u8], at: usize) -> u32 {
    // One slice and one conversion, or the compiler loads byte by byte.
    u32::from_le_bytes(data[at..at + 4].try_into().unwrap_or_default())
}

#[inline(always)]
pub fn word64(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(data[at..at + 8].try_into().unwrap_or_default())
}

/// Number of equal bytes at `a` and the later position `b`, at most `most`.
#[inline(always)]
pub fn match_length(data: &[u8], a: usize, b: usize, most: usize) -> usize {
    let (x, y) = (&data[a..a + most], &data[b..b + most]);
    let mut n = 0;
    if most >= 8 {
        let diff = word64(x, 0) ^ word64(y, 0);
        if diff != 0 {
            return (diff.trailing_zeros() >> 3) as usize;
        }
        // Long matches of flat areas: 32 bytes a comparison.
        let (blocks_x, _) = x.as_chunks::<32>();
        let (blocks_y, _) = y.as_chunks::<32>();
        n = 32 * blocks_x.iter().zip(blocks_y).take_while(|(x, y)| x == y).count();
    }
    while n + 8 <= most {
        let diff = word64(x, n) ^ word64(y, n);
        if diff != 0 {
            return n + (diff.trailing_zeros() >> 3) as usize;
        }
        n += 8;
    }
    while n < most && x[n] == y[n] {
        n += 1;
    }
    n
}

/// Records a match of any length of at least 3 as one or more sequences.
#[inline]
pub fn push_match(out: &mut Vec<Sequence>, literals: usize, length: usize, distance: usize) {
    let mut literals = literals as u32;
    let mut left = length;
    while left > MAX_MATCH {
        // Leave enough for the rest to be a match.
        let piece = if left < MAX_MATCH + 3 { left - 3 } else { MAX_MATCH };
        out.push(Sequence { literals, length: piece as u16, distance: distance as u16 });
        literals = 0;
        left -= piece;
    }
    out.push(Sequence { literals, length: left as u16, distance: distance as u16 });
}

/// Records what is left at the end.
pub fn push_literals(out: &mut Vec<Sequence>, literals: usize) {
    if literals > 0 {
        out.push(Sequence { literals: literals as u32, length: 0, distance: 0 });
    }
}
