//! Runs of literals: counting them and sending them. These two loops are
//! where a photograph's time goes.

use super::bits::Bits;
use super::block::{Codes, LITERAL_SYMBOLS};

/// Counts in four tables in turn, so that equal neighbours do not wait for each other's increment.
pub struct Counter([[u32; 256]; 4]);

impl Counter {
    pub fn new() -> Self {
        Self([[0; 256]; 4])
    }

    /// Counts these bytes.
    #[inline(always)]
    pub fn see(&mut self, data: &[u8]) {
        let [a, b, c, d] = &mut self.0;
        let (quads, rest) = data.as_chunks::<4>();
        for quad in quads {
            a[usize::from(quad[0])] += 1;
            b[usize::from(quad[1])] += 1;
            c[usize::from(quad[2])] += 1;
            d[usize::from(quad[3])] += 1;
        }
        for (&byte, table) in rest.iter().zip([a, b, c]) {
            table[usize::from(byte)] += 1;
        }
    }

    /// Adds what was counted.
    pub fn add_to(&self, counts: &mut [u32; LITERAL_SYMBOLS]) {
        for (byte, count) in counts[..256].iter_mut().enumerate() {
            *count += self.0.iter().map(|table| table[byte]).sum::<u32>();
        }
    }
}

/// Adds the bytes' counts.
pub fn count(data: &[u8], counts: &mut [u32; LITERAL_SYMBOLS]) {
    let mut counter = Counter::new();
    counter.see(data);
    counter.add_to(counts);
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
