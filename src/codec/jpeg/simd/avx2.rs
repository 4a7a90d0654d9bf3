//! Kernels for AVX2 (with BMI and LZCNT, which every CPU with AVX2 has).
#![allow(unsafe_code)] // Vector intrinsics; functions that need CPU features.

use core::arch::x86_64::*;

use super::super::bits::BitWriter;
use super::super::entropy::{self, Order, zigzag_mask};
use super::super::front::{self, PixelOrder, Place, Plain, Row};
use super::super::raw;
use super::super::scan::{self, Coded, Job, Scan};
use super::super::tables::{Block, Quantizer};
use super::super::tokens::{self, Usage};
use super::super::trellis::{Decider, Levels};
use super::super::zone::Zone;
use super::forward;
use crate::error::Result;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn rgb_row(row: &[u8], order: &PixelOrder, y: &mut Row, cb: &mut Row, cr: &mut Row) {
    // SAFETY: this function has the features of `__m256i`.
    unsafe {
        match order.bytes {
            3 => forward::rgb_row::<__m256i, 3, false>(row, order, y, cb, cr),
            _ => forward::rgb_row::<__m256i, 4, false>(row, order, y, cb, cr),
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn rgb_row_folded(row: &[u8], order: &PixelOrder, y: &mut Row, cb: &mut Row, cr: &mut Row) {
    // SAFETY: as above.
    unsafe {
        match order.bytes {
            3 => forward::rgb_row::<__m256i, 3, true>(row, order, y, cb, cr),
            _ => forward::rgb_row::<__m256i, 4, true>(row, order, y, cb, cr),
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn rgb_pair(rows: [&[u8]; 2], order: &PixelOrder, y: [&mut Row; 2], cb: &mut Row, cr: &mut Row) {
    // SAFETY: as above.
    unsafe {
        match order.bytes {
            3 => forward::rgb_pair::<__m256i, 3>(rows, order, y, cb, cr),
            _ => forward::rgb_pair::<__m256i, 4>(rows, order, y, cb, cr),
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn widen(from: &[u8], to: &mut Row) {
    front::widen(from, to);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn split(from: &[u8], first: &mut Row, second: &mut Row) {
    front::split(from, first, second);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn forward(samples: &[i16], blocks: usize, q: Option<&Quantizer>, out: &mut [Block], place: Place) {
    // SAFETY: as above.
    unsafe {
        match q {
            Some(_) => forward::forward::<__m256i, true>(samples, blocks, q, out, place),
            None => forward::forward::<__m256i, false>(samples, blocks, q, out, place),
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn forward_plain(samples: Plain, blocks: usize, q: &Quantizer, out: &mut [Block], place: Place) {
    // SAFETY: as above.
    unsafe { forward::forward_plain::<__m256i>(samples, blocks, q, out, place) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn encode(writer: &mut BitWriter, blocks: &[Block], order: &Order, dc: &mut [i16; 3]) {
    entropy::encode_with(writer, blocks, order, dc, |block| nonzero(block));
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn masks(blocks: &[Block], masks: &mut [u64]) {
    for (block, mask) in blocks.iter().zip(masks) {
        *mask = nonzero(block);
    }
}

/// Mask of the nonzero coefficients in zigzag order.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
fn nonzero(block: &Block) -> u64 {
    let half = |at: usize| {
        // SAFETY: `at` is 0 or 32: both halves lie in the block.
        let (a, b) = unsafe {
            let from = block.0.as_ptr().add(at).cast::<__m256i>();
            (_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1)))
        };
        let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(a, b));
        !_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_setzero_si256())) as u32
    };
    zigzag_mask(u64::from(half(32)) << 32 | u64::from(half(0)))
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn sharpen(rows: [&[i16]; 3], x: usize, out: &mut [i16]) {
    raw::sharpen_row(rows, x, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn activity(zone: &Zone, blocks: &[Block], out: &mut [u8]) {
    zone.activity(blocks, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn quantize(zone: &Zone, raw: &[Block], activity: &[u8], out: &mut [Block]) {
    zone.quantize(raw, activity, out);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn decide(decider: &Decider, c: usize, raw: &[Block], activity: &[u8], row: Levels) {
    decider.row(c, raw, activity, row);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn pack_tokens(blocks: &[Block], masks: &[u64], usage: &mut Usage, out: &mut [u8]) -> usize {
    tokens::pack(blocks, masks, usage, out)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn write_tokens(writer: &mut tokens::Writer, strip: &tokens::Strip, row: usize) -> Result<()> {
    writer.add(strip, row)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn code(job: Job, scan: Scan) -> Result<Coded> {
    scan::code(job, scan)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub fn measure(job: Job, scan: Scan, every: usize) -> Result<u64> {
    scan::measure(job, scan, every)
}
