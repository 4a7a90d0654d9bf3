//! Runs of literals: counting them and sending them. These two loops are
//! where a photograph's time goes.

use super::bits::Bits;
use super::block::{Codes, LITERAL_SYMBOLS};

/// Adds the bytes' counts. Long runs count into four tables, so that equal
/// neighbours do not wait for each other's increment.
pub fn count(data: &[u8], counts: &mut [u32; LITERAL_SYMBOLS]) {
    if data.len() < 512 {
        for &byte in data {
            counts[usize::from(byte)] += 1;
        }
        return;
    }
    let mut tables = [[0u32; 256]; 4];
    let mut words = data.chunks_exact(8);
    for word in &mut words {
        let w = u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
        for k in 0..8 {
            tables[k & 3][(w >> (8 * k) & 0xff) as usize] += 1;
        }
    }
    for &byte in words.remainder() {
        counts[usize::from(byte)] += 1;
    }
    for (byte, count) in counts[..256].iter_mut().enumerate() {
        *count += tables.iter().map(|t| t[byte]).sum::<u32>();
    }
}

/// Sends the bytes as literals.
#[inline(always)]
pub fn write(bits: &mut Bits, data: &[u8], codes: &Codes) {
    let mut quads = data.chunks_exact(4);
    for quad in &mut quads {
        for &byte in quad {
            let (code, count) = codes.literal(usize::from(byte));
            bits.add(code, count);
        }
        bits.flush();
    }
    for &byte in quads.remainder() {
        let (code, count) = codes.literal(usize::from(byte));
        bits.add(code, count);
    }
    bits.flush();
}
