//! Length-limited prefix codes.

/// Computes code lengths of at most `limit` bits for the given frequencies:
/// Huffman's lengths by the in-place method of Moffat and Katajainen
/// ("In-Place Calculation of Minimum-Redundancy Codes", 1995), then shortened
/// to the limit by moving leaves until Kraft's sum fits again.
///
/// Symbols that never occur get no code. At least one code of one bit comes
/// out, since some decoders refuse an empty code.
pub fn code_lengths(frequencies: &[u32], limit: u8, lengths: &mut [u8]) {
    debug_assert_eq!(frequencies.len(), lengths.len());
    lengths.fill(0);
    let mut order = [0u64; 288];
    let mut used = 0;
    for (symbol, &frequency) in frequencies.iter().enumerate() {
        if frequency > 0 {
            order[used] = u64::from(frequency) << 16 | symbol as u64;
            used += 1;
        }
    }
    let order = &mut order[..used];
    if used < 2 {
        // One symbol gets the code 0; none at all lends it to symbol 0. A second
        // code keeps the set complete for strict decoders.
        let only = order.first().map_or(0, |o| (o & 0xffff) as usize);
        lengths[only] = 1;
        lengths[usize::from(only == 0)] = 1;
        return;
    }
    order.sort_unstable();
    let mut tree = [0u32; 288];
    let tree = &mut tree[..used];
    for (node, &o) in tree.iter_mut().zip(order.iter()) {
        *node = (o >> 16) as u32;
    }
    depths(tree);

    // Leaves per length, deepest first in `order`.
    let limit = usize::from(limit);
    let mut count = [0u32; 33];
    for &depth in tree.iter() {
        count[(depth as usize).min(limit)] += 1;
    }
    let mut kraft: u64 = (1..=limit).map(|l| u64::from(count[l]) << (limit - l)).sum();
    while kraft > 1 << limit {
        // Make one leaf of the longest non-full length one bit longer and hang
        // a leaf of the last level beside it.
        let level = (1..limit).rev().find(|&l| count[l] > 0).unwrap_or(1);
        count[level] -= 1;
        count[level + 1] += 2;
        count[limit] -= 1;
        kraft -= 1;
    }
    let mut rest = order.iter();
    for length in (1..=limit).rev() {
        for o in rest.by_ref().take(count[length] as usize) {
            lengths[(o & 0xffff) as usize] = length as u8;
        }
    }
}

/// Turns sorted weights into leaf depths, in place (three passes).
fn depths(a: &mut [u32]) {
    let n = a.len();
    // Pass 1: pair the two smallest, storing parents.
    a[0] += a[1];
    let (mut root, mut leaf) = (0, 2);
    for next in 1..n - 1 {
        if leaf >= n || a[root] < a[leaf] {
            a[next] = a[root];
            a[root] = next as u32;
            root += 1;
        } else {
            a[next] = a[leaf];
            leaf += 1;
        }
        if leaf >= n || (root < next && a[root] < a[leaf]) {
            a[next] += a[root];
            a[root] = next as u32;
            root += 1;
        } else {
            a[next] += a[leaf];
            leaf += 1;
        }
    }
    // Pass 2: depths of the inner nodes.
    a[n - 2] = 0;
    for next in (0..n - 2).rev() {
        a[next] = a[a[next] as usize] + 1;
    }
    // Pass 3: depths of the leaves.
    let (mut available, mut used, mut depth) = (1usize, 0usize, 0u32);
    let mut root = n as isize - 2;
    let mut next = n as isize - 1;
    while available > 0 {
        while root >= 0 && a[root as usize] == depth {
            used += 1;
            root -= 1;
        }
        while available > used {
            a[next as usize] = depth;
            next -= 1;
            available -= 1;
        }
        available = 2 * used;
        depth += 1;
        used = 0;
    }
}

/// Assigns canonical codes, bit-reversed as DEFLATE sends them.
pub fn codes(lengths: &[u8], codes: &mut [u16]) {
    let mut count = [0u16; 16];
    for &length in lengths {
        count[usize::from(length)] += 1;
    }
    count[0] = 0;
    let mut next = [0u16; 16];
    for length in 1..16 {
        next[length] = (next[length - 1] + count[length - 1]) << 1;
    }
    for (code, &length) in codes.iter_mut().zip(lengths) {
        if length > 0 {
            let slot = &mut next[usize::from(length)];
            *code = slot.reverse_bits() >> (16 - length);
            *slot += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kraft(lengths: &[u8]) -> f64 {
        lengths.iter().filter(|&&l| l > 0).map(|&l| 0.5f64.powi(i32::from(l))).sum()
    }

    #[test]
    fn codes_are_complete_and_within_the_limit() {
        // Fibonacci weights make the deepest Huffman trees.
        for limit in [7u8, 9, 14, 15] {
            for symbols in [2usize, 3, 19, 30, 100] {
                let mut weights = vec![1u32; symbols];
                for i in 2..symbols {
                    weights[i] = weights[i - 1].saturating_add(weights[i - 2]).min(1 << 24);
                }
                let mut lengths = vec![0; symbols];
                code_lengths(&weights, limit, &mut lengths);
                assert!(lengths.iter().all(|&l| l >= 1 && l <= limit));
                assert_eq!(kraft(&lengths), 1.0, "limit {limit}, {symbols} symbols");
            }
        }
    }

    #[test]
    fn lengths_are_optimal_for_a_known_case() {
        let mut lengths = [0; 6];
        code_lengths(&[45, 13, 12, 16, 9, 5], 15, &mut lengths);
        assert_eq!(lengths, [1, 3, 3, 3, 4, 4]);
    }

    #[test]
    fn one_or_no_symbol_still_makes_a_code() {
        let mut lengths = [0; 30];
        code_lengths(&[0; 30], 15, &mut lengths);
        assert_eq!(kraft(&lengths), 1.0);
        let mut weights = [0; 30];
        weights[7] = 5;
        code_lengths(&weights, 15, &mut lengths);
        assert_eq!((lengths[7], kraft(&lengths)), (1, 1.0));
    }
}
