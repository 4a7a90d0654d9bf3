//! The cheapest search: runs of one byte, which is what well filtered rows repeat.

use super::super::simd::Kernel;
use super::block::Sequence;
use super::window::{match_length, push_literals, push_match, word64};

/// Every run of 11 bytes or more is found, and most of 8.
const STEP: usize = 4;
/// Bytes that a position reads ahead.
const LOOK: usize = 8;

/// One run of the search.
pub struct Parse<'a> {
    pub data: &'a [u8],
    pub start: usize,
    pub out: &'a mut Vec<Sequence>,
}

impl Kernel for Parse<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { data, start, out } = self;
        let end = data.len();
        let mut literals_from = start;
        let mut at = start.max(1);
        while at + LOOK <= end {
            if word64(data, at) != word64(data, at - 1) {
                at += STEP;
                continue;
            }
            let mut from = at;
            while from > literals_from && from > 1 && data[from - 1] == data[from - 2] {
                from -= 1;
            }
            let length = match_length(data, from - 1, from, end - from);
            push_match(out, from - literals_from, length, 1);
            at = from + length;
            literals_from = at;
        }
        push_literals(out, end - literals_from);
    }
}
