//! All matches at a position, from a binary search tree per hash value, sorted by what follows.
//!
//! The tree of a hash holds the window's positions ordered by their strings; walking down to the current string
//! passes its longest matches, nearest first, and makes it the new root on the way.

use super::window::{MAX_MATCH, WINDOW, match_length, word32};

const HASH4_BITS: u32 = 16;
const HASH3_BITS: u32 = 15;

/// Positions are stored plus one; 0 is none.
pub struct Tree {
    head3: Vec<[u32; 2]>,
    head4: Vec<u32>,
    /// Per position of the window: the child before it and the child behind it.
    children: Vec<[u32; 2]>,
}

/// A match: length and distance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Match {
    pub length: u16,
    pub distance: u16,
}

#[inline(always)]
fn hash(word: u32, bits: u32) -> usize {
    (word.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}

impl Tree {
    pub fn new() -> Result<Self, super::OutOfMemory> {
        Ok(Self {
            head3: super::zeroed(1 << HASH3_BITS)?,
            head4: super::zeroed(1 << HASH4_BITS)?,
            children: super::zeroed(WINDOW)?,
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.head3.fill([0; 2]);
        self.head4.fill(0);
    }

    /// Enters position `at`, which has at least four bytes, and appends its matches by growing length and distance.
    /// A match of `nice` bytes ends the search. Returns the longest length.
    ///
    /// Strings count as equal after `nice` bytes, so all of a tree's positions must be entered with the same number:
    /// the order of the tree, by which the search knows what it need not compare, hangs on it.
    #[inline(always)]
    pub fn advance<const RECORD: bool>(
        &mut self,
        data: &[u8],
        at: usize,
        nice: usize,
        depth: u32,
        out: &mut Vec<Match>,
    ) -> usize {
        let data = &data[..data.len().min(at + MAX_MATCH)];
        let most = data.len() - at;
        let nice = nice.min(most);
        let word = word32(data, at);
        let oldest = at.saturating_sub(WINDOW - 1);
        let mut best = 2;

        // Of three bytes the last two places are known.
        let slot = &mut self.head3[hash(word << 8, HASH3_BITS)];
        let recent = *slot;
        *slot = [at as u32 + 1, recent[0]];
        if RECORD && most >= 3 {
            for near in recent.map(|place| place as usize) {
                if near > oldest && (word32(data, near - 1) ^ word) << 8 == 0 {
                    best = 3;
                    out.push(Match { length: 3, distance: (at + 1 - near) as u16 });
                    break;
                }
            }
        }

        let slot = &mut self.head4[hash(word, HASH4_BITS)];
        let mut node = *slot as usize;
        *slot = at as u32 + 1;
        // Where the next smaller and the next larger string will be hung.
        let (mut smaller, mut larger) = ((at % WINDOW, 0), (at % WINDOW, 1));
        let (mut smaller_len, mut larger_len) = (0, 0);
        let mut length = 0;
        let mut left = depth;
        while node > oldest && left > 0 {
            left -= 1;
            let from = node - 1;
            if length < most && data[from + length] == data[at + length] {
                length += match_length(data, from + length, at + length, most - length);
                if RECORD && length > best {
                    best = length;
                    out.push(Match { length: length as u16, distance: (at - from) as u16 });
                }
            }
            if length >= nice {
                // The node's place is taken by the current string.
                self.children[smaller.0][smaller.1] = self.children[from % WINDOW][0];
                self.children[larger.0][larger.1] = self.children[from % WINDOW][1];
                return best.max(length);
            }
            let place = from % WINDOW;
            if data[from + length] < data[at + length] {
                self.children[smaller.0][smaller.1] = node as u32;
                smaller = (place, 1);
                smaller_len = length;
                length = length.min(larger_len);
                node = self.children[place][1] as usize;
            } else {
                self.children[larger.0][larger.1] = node as u32;
                larger = (place, 0);
                larger_len = length;
                length = length.min(smaller_len);
                node = self.children[place][0] as usize;
            }
        }
        self.children[smaller.0][smaller.1] = 0;
        self.children[larger.0][larger.1] = 0;
        best
    }
}
