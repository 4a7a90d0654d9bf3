//! Huffman code tables: from a specification to codes, and the optimal specification for counted symbols.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::tables::{HuffSpec, TYPICAL};

/// A code and its length, packed as `code << 5 | length`; the length of a symbol without a code is 0.
pub type Code = u32;

pub const LENGTH: u32 = 31;

/// Coefficients from `-SMALL` to `SMALL - 1` have code and value bits ready in [`Tables::run_value`].
pub const SMALL: i32 = 64;

/// One component class's codes.
#[derive(Clone)]
pub struct Codes {
    /// By size of the difference.
    pub dc: [Code; 12],
    /// By `run << 4 | size`.
    pub ac: [Code; 256],
}

impl Codes {
    pub fn new(dc: &HuffSpec, ac: &HuffSpec) -> Codes {
        Codes::from(codes(&dc.counts, &dc.symbols), codes(&ac.counts, &ac.symbols))
    }

    const fn from(dc: [Code; 256], ac: [Code; 256]) -> Codes {
        let mut codes = Codes { dc: [0; 12], ac };
        let mut size = 0;
        while size < 12 {
            codes.dc[size] = dc[size];
            size += 1;
        }
        codes
    }
}

/// The same in the shape that the coders of blocks want.
#[derive(Clone)]
pub struct Tables {
    pub codes: Codes,
    /// Whole code words (Huffman code and value bits) by `(run + 1) * 128 + value` for small values; value 0 stands
    /// for ZRL at run 15.
    pub run_value: [Code; 17 * 128],
}

/// The typical tables.
pub static STANDARD: [Tables; 2] = [standard(0), standard(1)];

const fn standard(class: usize) -> Tables {
    let [(dc_counts, dc_symbols), (ac_counts, ac_symbols)] = &TYPICAL[class];
    Tables::of(Codes::from(codes(dc_counts, dc_symbols), codes(ac_counts, ac_symbols)))
}

impl Tables {
    pub fn new(dc: &HuffSpec, ac: &HuffSpec) -> Tables {
        Tables::of(Codes::new(dc, ac))
    }

    const fn of(codes: Codes) -> Tables {
        let mut tables = Tables { codes, run_value: [0; 17 * 128] };
        // Symbols that have a code; values by size.
        let mut symbol = 0;
        while symbol < 256 {
            let (run, size) = (symbol >> 4, symbol as u32 & 15);
            let code = tables.codes.ac[symbol];
            if code & LENGTH > 0 && size <= SMALL.ilog2() + 1 {
                let (word, length) = ((code >> 5) << size, (code & LENGTH) + size);
                let zero = (run + 1) * 128;
                let (mut value, end) = ((1 << size) >> 1, 1 << size);
                while value < end && value <= SMALL as usize {
                    if value < SMALL as usize {
                        tables.run_value[zero + value] = (word | value as u32) << 5 | length;
                    }
                    tables.run_value[zero - value] = (word | (end - 1 - value) as u32) << 5 | length;
                    value += 1;
                }
            }
            symbol += 1;
        }
        tables
    }
}

/// The `size` bits that follow the code: the value itself, or one less for a negative one (T.81 F.1.2.1).
#[inline(always)]
pub const fn value_bits(value: i32, size: u32) -> u32 {
    ((value + (value >> 31)) as u32) & ((1 << size) - 1)
}

/// Assigns codes in order of length and symbol (T.81 annex C).
pub const fn codes(counts: &[u8; 16], symbols: &[u8]) -> [Code; 256] {
    let mut table = [0; 256];
    let (mut code, mut next, mut length) = (0, 0, 1);
    while length <= 16 {
        let mut left = counts[length as usize - 1];
        while left > 0 {
            table[symbols[next] as usize] = code << 5 | length;
            (code, next, left) = (code + 1, next + 1, left - 1);
        }
        (code, length) = (code << 1, length + 1);
    }
    table
}

/// The specification with the fewest bits for these counts and no code above 16 bits, by the procedure of
/// T.81 K.2, which also keeps the code of all ones free.
pub fn optimal(counts: &[u32; 256]) -> HuffSpec {
    // Symbol 256 is the reserved one: it gets one of the longest codes and is removed at the end.
    let mut weight = [0u64; 257];
    for (wide, &count) in weight.iter_mut().zip(counts) {
        *wide = u64::from(count);
    }
    weight[256] = 1;
    let lengths = tree_depths(&weight);

    let mut per_length = [0u32; 64];
    for &length in lengths.iter().filter(|&&length| length > 0) {
        per_length[length as usize] += 1;
    }
    // Too long codes: a pair at depth i shares a prefix one level up; one of it takes that prefix, the other
    // pairs with a leaf from a shorter level.
    for i in (17..64).rev() {
        while per_length[i] > 0 {
            let j = (1..i - 1).rev().find(|&j| per_length[j] > 0).expect("a shorter code exists");
            per_length[i] -= 2;
            per_length[i - 1] += 1;
            per_length[j + 1] += 2;
            per_length[j] -= 1;
        }
    }
    if let Some(longest) = per_length.iter().rposition(|&n| n > 0) {
        per_length[longest] -= 1;
    }

    let mut symbols: Vec<u8> = (0..=255u8).filter(|&symbol| lengths[usize::from(symbol)] > 0).collect();
    symbols.sort_unstable_by_key(|&symbol| (lengths[usize::from(symbol)], symbol));
    HuffSpec { counts: core::array::from_fn(|i| per_length[i + 1] as u8), symbols }
}

/// Depth of every symbol in the Huffman tree; ties go to the higher symbol, as libjpeg does.
fn tree_depths(weight: &[u64; 257]) -> [u8; 257] {
    // Lightest first; a pair goes on under the symbol of its lighter half.
    let mut heap: BinaryHeap<_> = (0..257)
        .filter(|&symbol| weight[symbol] > 0)
        .map(|symbol| (Reverse(weight[symbol]), symbol, symbol))
        .collect();
    let mut parent = [0u16; 2 * 257];
    let mut nodes = 257;
    while let (Some((Reverse(light), symbol, a)), Some((Reverse(heavy), _, b))) = (heap.pop(), heap.pop()) {
        (parent[a], parent[b]) = (nodes as u16, nodes as u16);
        heap.push((Reverse(light + heavy), symbol, nodes));
        nodes += 1;
    }
    let mut depth = [0u8; 2 * 257];
    for node in (0..nodes - 1).rev() {
        if parent[node] > 0 {
            depth[node] = depth[usize::from(parent[node])] + 1;
        }
    }
    *depth.first_chunk().expect("the symbols are the first nodes")
}

/// Bits that the symbols would take with optimal codes (of any length).
pub fn optimal_bits(counts: &[u32; 256]) -> u64 {
    let weights = counts.iter().filter(|&&count| count > 0).map(|&count| u64::from(count));
    // And the reserved code of all ones.
    let mut heap: BinaryHeap<_> = weights.chain([1]).map(Reverse).collect();
    let mut bits = 0;
    while let (Some(Reverse(light)), Some(Reverse(heavy))) = (heap.pop(), heap.pop()) {
        bits += light + heavy;
        heap.push(Reverse(light + heavy));
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optimal_codes_are_short_enough_and_prefix_free() {
        // Fibonacci weights make the deepest trees there are.
        let mut counts = [0u32; 256];
        let (mut a, mut b) = (1u32, 1u32);
        for count in counts.iter_mut().take(40) {
            *count = a;
            (a, b) = (b, a + b);
        }
        let spec = optimal(&counts);
        assert_eq!(spec.symbols.len(), 40);
        let kraft: u32 = (1u32..).zip(&spec.counts).map(|(length, &n)| u32::from(n) << (16 - length)).sum();
        assert!(kraft < 1 << 16, "the code of all ones stays free");
        let table = codes(&spec.counts, &spec.symbols);
        for (i, &a) in table.iter().enumerate() {
            for (j, &b) in table.iter().enumerate() {
                let (la, lb) = (a & LENGTH, b & LENGTH);
                if i != j && la > 0 && lb >= la {
                    assert_ne!(a >> 5, (b >> 5) >> (lb - la), "{i} is a prefix of {j}");
                }
            }
        }
    }

    #[test]
    fn one_symbol_gets_one_bit() {
        let mut counts = [0u32; 256];
        counts[7] = 5;
        assert_eq!(
            optimal(&counts),
            HuffSpec { counts: core::array::from_fn(|i| u8::from(i == 0)), symbols: vec![7] }
        );
    }
}
