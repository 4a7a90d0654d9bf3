//! Kernels for AVX-512 with VBMI2 and VNNI (Intel since Ice Lake, AMD since Zen 4).
#![allow(unsafe_code)] // Vector intrinsics; functions that need CPU features.

use core::arch::x86_64::*;

use super::super::bits::{BitWriter, Buffer, Cursor};
use super::super::entropy::{Bits, Order, ac_codes, dc_code, end_of_block, with_zero_runs};
use super::super::front::{self, PixelOrder, Place, Plain, Row};
use super::super::huffman::{LENGTH, SMALL};
use super::super::tables::{Block, Quantizer, ZIGZAG};
use super::forward;

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn rgb_row(row: &[u8], order: &PixelOrder, y: &mut Row, cb: &mut Row, cr: &mut Row) {
    // SAFETY: this function has the features of `__m512i`.
    unsafe {
        match order.bytes {
            3 => forward::rgb_row::<__m512i, 3, false>(row, order, y, cb, cr),
            _ => forward::rgb_row::<__m512i, 4, false>(row, order, y, cb, cr),
        }
    }
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn rgb_row_folded(row: &[u8], order: &PixelOrder, y: &mut Row, cb: &mut Row, cr: &mut Row) {
    // SAFETY: as above.
    unsafe {
        match order.bytes {
            3 => forward::rgb_row::<__m512i, 3, true>(row, order, y, cb, cr),
            _ => forward::rgb_row::<__m512i, 4, true>(row, order, y, cb, cr),
        }
    }
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn rgb_pair(rows: [&[u8]; 2], order: &PixelOrder, y: [&mut Row; 2], cb: &mut Row, cr: &mut Row) {
    // SAFETY: as above.
    unsafe {
        match order.bytes {
            3 => forward::rgb_pair::<__m512i, 3>(rows, order, y, cb, cr),
            _ => forward::rgb_pair::<__m512i, 4>(rows, order, y, cb, cr),
        }
    }
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn widen(from: &[u8], to: &mut Row) {
    front::widen(from, to);
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn split(from: &[u8], first: &mut Row, second: &mut Row) {
    front::split(from, first, second);
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn forward(samples: &[i16], blocks: usize, q: Option<&Quantizer>, out: &mut [Block], place: Place) {
    // SAFETY: as above.
    unsafe {
        match q {
            Some(_) => forward::forward::<__m512i, true>(samples, blocks, q, out, place),
            None => forward::forward::<__m512i, false>(samples, blocks, q, out, place),
        }
    }
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn forward_plain(samples: Plain, blocks: usize, q: &Quantizer, out: &mut [Block], place: Place) {
    // SAFETY: as above.
    unsafe { forward::forward_plain::<__m512i>(samples, blocks, q, out, place) }
}

/// Where each zigzag position lies after the block's halves were packed lane by lane into bytes.
static PACKED_ZIGZAG: [u8; 64] = {
    let mut table = [0; 64];
    let mut k = 0;
    while k < 64 {
        let (row, column) = (ZIGZAG[k] / 8, ZIGZAG[k] % 8);
        table[k] = 16 * (row % 4) + 8 * (row / 4) + column;
        k += 1;
    }
    table
};

static POSITIONS: [u8; 64] = {
    let mut table = [0; 64];
    let mut k = 0;
    while k < 64 {
        table[k] = k as u8;
        k += 1;
    }
    table
};

/// Codes whole MCUs. Sixteen coefficients at a time: the nonzero bytes and their positions are compressed to the
/// front, whole code words are gathered by run and value, and neighbours are joined twice into four words of up to
/// 64 bits, so that the serial part, the appends, sees a quarter of the codes. Blocks with a value outside the table
/// go through the scalar coder.
#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
pub fn encode(writer: &mut BitWriter, blocks: &[Block], order: &Order, dc: &mut [i16; 3]) {
    let (buffer, outer) = writer.parts();
    let mut cursor = *outer;
    // SAFETY: both tables have 64 bytes.
    let (zigzag, positions) = unsafe {
        (_mm512_loadu_si512(PACKED_ZIGZAG.as_ptr().cast()), _mm512_loadu_si512(POSITIONS.as_ptr().cast()))
    };
    let mut end = Bits::NONE;
    for mcu in blocks.chunks_exact(order.components.len()) {
        for (block, &component) in mcu.iter().zip(order.components) {
            let c = usize::from(component % 3);
            let tables = order.tables[c];
            let first = end.and(dc_code(block.0[0], &mut dc[c], &tables.codes));
            cursor.append(buffer, first.bits, first.len);

            // SAFETY: a block has 128 bytes.
            let (low, high) = unsafe {
                let from = block.0.as_ptr().cast::<__m512i>();
                (_mm512_loadu_si512(from), _mm512_loadu_si512(from.add(1)))
            };
            let bytes = _mm512_permutexvar_epi8(zigzag, _mm512_packs_epi16(low, high));
            let mask = with_zero_runs(_mm512_test_epi8_mask(bytes, bytes) & !1);
            let shifted = _mm512_add_epi8(bytes, _mm512_set1_epi8(SMALL as i8));
            let large = _mm512_cmpge_epu8_mask(shifted, _mm512_set1_epi8((2 * SMALL) as u8 as i8)) & !1;
            if large != 0 {
                end = ac_codes(buffer, &mut cursor, block, mask, tables);
                continue;
            }
            end = end_of_block(mask, tables);
            let mut values = _mm512_maskz_compress_epi8(mask, bytes);
            let mut places = _mm512_maskz_compress_epi8(mask, positions);
            let mut left = mask.count_ones();
            let mut previous = _mm512_setzero_si512();
            while left > 8 {
                let place = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places));
                let value = _mm512_cvtepi8_epi32(_mm512_castsi512_si128(values));
                let step = _mm512_sub_epi32(place, _mm512_alignr_epi32::<15>(place, previous));
                let index = _mm512_add_epi32(_mm512_slli_epi32::<7>(step), value);
                let lanes = _bzhi_u32(0xffff, left) as u16;
                // SAFETY: in the chosen lanes the step is 1..=16 and the value -64..=63, which the table covers.
                let codes = unsafe {
                    let table = tables.run_value.as_ptr().cast();
                    _mm512_mask_i32gather_epi32::<4>(_mm512_setzero_si512(), lanes, index, table)
                };
                append_16(buffer, &mut cursor, codes);
                left = left.saturating_sub(16);
                previous = place;
                values = _mm512_alignr_epi64::<2>(values, values);
                places = _mm512_alignr_epi64::<2>(places, places);
            }
            if left > 0 {
                let place = _mm256_cvtepu8_epi32(_mm512_castsi512_si128(places));
                let value = _mm256_cvtepi8_epi32(_mm512_castsi512_si128(values));
                let previous = _mm512_extracti64x4_epi64::<1>(previous);
                let step = _mm256_sub_epi32(place, _mm256_alignr_epi32::<7>(place, previous));
                let index = _mm256_add_epi32(_mm256_slli_epi32::<7>(step), value);
                let lanes = _bzhi_u32(0xff, left) as u8;
                // SAFETY: as above.
                let codes = unsafe {
                    let table = tables.run_value.as_ptr().cast();
                    _mm256_mmask_i32gather_epi32::<4>(_mm256_setzero_si256(), lanes, index, table)
                };
                append_8(buffer, &mut cursor, codes);
            }
        }
    }
    cursor.append(buffer, end.bits, end.len);
    *outer = cursor;
}

/// Appends 16 packed codes.
#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
#[inline]
fn append_16(buffer: &mut Buffer, cursor: &mut Cursor, codes: __m512i) {
    let lengths = _mm512_and_si512(codes, _mm512_set1_epi32(LENGTH as i32));
    let bits = _mm512_srli_epi32::<5>(codes);
    let second = _mm512_srli_epi64::<32>(lengths);
    let pairs = _mm512_or_si512(
        _mm512_sllv_epi64(_mm512_maskz_mov_epi32(0x5555, bits), second),
        _mm512_srli_epi64::<32>(bits),
    );
    let pair_lengths = _mm512_and_si512(_mm512_add_epi64(lengths, second), _mm512_set1_epi64(0x7f));
    let (third, third_lengths) =
        (_mm512_unpackhi_epi64(pairs, pairs), _mm512_unpackhi_epi64(pair_lengths, pair_lengths));
    let quads = _mm512_or_si512(_mm512_sllv_epi64(pairs, third_lengths), third);
    let quad_lengths = _mm512_add_epi64(pair_lengths, third_lengths);
    let most = _mm512_set1_epi64(Cursor::MOST.into());
    let (mut words, mut lengths) = ([0u64; 8], [0u64; 8]);
    let split = _mm512_mask_cmpgt_epu64_mask(0x55, quad_lengths, most) != 0;
    let (stored, stored_lengths) = if split { (pairs, pair_lengths) } else { (quads, quad_lengths) };
    // SAFETY: both arrays have 64 bytes.
    unsafe {
        _mm512_storeu_si512(words.as_mut_ptr().cast(), stored);
        _mm512_storeu_si512(lengths.as_mut_ptr().cast(), stored_lengths);
    }
    for i in (0..8).step_by(if split { 1 } else { 2 }) {
        cursor.append(buffer, words[i], lengths[i] as u32);
    }
}

/// Appends 8 packed codes.
#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vnni,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
#[inline]
fn append_8(buffer: &mut Buffer, cursor: &mut Cursor, codes: __m256i) {
    let lengths = _mm256_and_si256(codes, _mm256_set1_epi32(LENGTH as i32));
    let bits = _mm256_srli_epi32::<5>(codes);
    let second = _mm256_srli_epi64::<32>(lengths);
    let pairs = _mm256_or_si256(
        _mm256_sllv_epi64(_mm256_maskz_mov_epi32(0x55, bits), second),
        _mm256_srli_epi64::<32>(bits),
    );
    let pair_lengths = _mm256_and_si256(_mm256_add_epi64(lengths, second), _mm256_set1_epi64x(0x7f));
    let (third, third_lengths) =
        (_mm256_unpackhi_epi64(pairs, pairs), _mm256_unpackhi_epi64(pair_lengths, pair_lengths));
    let quads = _mm256_or_si256(_mm256_sllv_epi64(pairs, third_lengths), third);
    let quad_lengths = _mm256_add_epi64(pair_lengths, third_lengths);
    let most = _mm256_set1_epi64x(Cursor::MOST.into());
    let (mut words, mut lengths) = ([0u64; 4], [0u64; 4]);
    let split = _mm256_mask_cmpgt_epu64_mask(0x5, quad_lengths, most) != 0;
    let (stored, stored_lengths) = if split { (pairs, pair_lengths) } else { (quads, quad_lengths) };
    // SAFETY: both arrays have 32 bytes.
    unsafe {
        _mm256_storeu_si256(words.as_mut_ptr().cast(), stored);
        _mm256_storeu_si256(lengths.as_mut_ptr().cast(), stored_lengths);
    }
    for i in (0..4).step_by(if split { 1 } else { 2 }) {
        cursor.append(buffer, words[i], lengths[i] as u32);
    }
}
