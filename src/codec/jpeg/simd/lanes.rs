//! The vector operations that the forward path needs, over any number of 128-bit lanes: one lane holds one row of
//! one 8 x 8 block, so a 256-bit vector works on two neighbouring blocks and a 512-bit vector on four.
//!
//! Each method is one or a few intrinsics; their only conditions are the trait's, which the callers meet.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn)] // Vector intrinsics and raw loads.

#[cfg(target_arch = "x86_64")]
use core::arch::{asm, x86_64::*};

/// # Safety
/// Every method needs the CPU features of its implementation; the ones with pointers need memory of the size that
/// they name.
pub trait Lanes: Copy {
    /// Blocks side by side: 128-bit lanes in a vector.
    const BLOCKS: usize;

    /// Loads 8 samples for each block.
    unsafe fn load(from: *const i16) -> Self;
    /// Loads 8 plain samples for each block and level-shifts them.
    unsafe fn load_bytes(from: *const u8) -> Self;
    /// Loads 8 pairs of samples for each block and level-shifts the first or the second of each.
    unsafe fn load_pairs<const SECOND: bool>(from: *const u8) -> Self;
    unsafe fn store(self, to: *mut i16);
    /// Loads 8 table entries and repeats them for each block.
    unsafe fn load_entries(from: *const u16) -> Self;
    /// Loads 16 shuffle indices and repeats them for each block.
    unsafe fn load_shuffle(from: *const u8) -> Self;
    /// Stores each lane 8 coefficients wide at its own block, `offset` coefficients in.
    unsafe fn scatter(self, to: &[*mut i16; 4], offset: usize);
    /// Loads 8 pixels for each block: in each lane the first four of a block, and the last four, which begin at
    /// byte 4 of the lane when a pixel has three bytes.
    unsafe fn pixels<const BYTES: usize>(from: *const u8) -> (Self, Self);

    unsafe fn splat16(value: i16) -> Self;
    unsafe fn splat32(value: i32) -> Self;
    /// Repeats a pair of 32-bit values.
    unsafe fn splat_pair(even: i32, odd: i32) -> Self;
    unsafe fn add16(self, other: Self) -> Self;
    unsafe fn sub16(self, other: Self) -> Self;
    unsafe fn not(self) -> Self;
    unsafe fn shl16<const N: i32, const M: u32>(self) -> Self;
    unsafe fn sra16<const N: i32, const M: u32>(self) -> Self;
    unsafe fn sra32<const N: i32, const M: u32>(self) -> Self;
    /// `sum + a.even * b.even + a.odd * b.odd` in 32 bits.
    unsafe fn dot(sum: Self, a: Self, b: Self) -> Self;
    unsafe fn shuffle8(self, indices: Self) -> Self;
    unsafe fn pack32(self, other: Self) -> Self;
    /// Packs 32-bit lanes of two vectors into 16-bit lanes in memory order.
    unsafe fn pack_in_order(self, other: Self) -> Self;
    unsafe fn low16(self, other: Self) -> Self;
    unsafe fn high16(self, other: Self) -> Self;
    unsafe fn low32(self, other: Self) -> Self;
    unsafe fn high32(self, other: Self) -> Self;
    unsafe fn low64(self, other: Self) -> Self;
    unsafe fn high64(self, other: Self) -> Self;
    /// `mulhi(mulhi(|self| + corr, recip), scale)` with the sign of `self`.
    unsafe fn quantize(self, corr: Self, recip: Self, scale: Self) -> Self;
}

/// The same value, which the optimiser knows nothing of: of two multiplications that keep their upper halves LLVM would
/// make one chain of wide ones, at three times the cost.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn wall256(mut value: __m256i) -> __m256i {
    // SAFETY: an empty statement.
    unsafe { asm!("/* {0} */", inout(ymm_reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

/// As [`wall256`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn wall512(mut value: __m512i) -> __m512i {
    // SAFETY: an empty statement.
    unsafe { asm!("/* {0} */", inout(zmm_reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m256i {
    const BLOCKS: usize = 2;

    #[inline(always)]
    unsafe fn load(from: *const i16) -> Self {
        _mm256_loadu_si256(from.cast())
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128(from.cast())), _mm256_set1_epi16(128))
    }
    #[inline(always)]
    unsafe fn load_pairs<const SECOND: bool>(from: *const u8) -> Self {
        let pairs = _mm256_loadu_si256(from.cast());
        let samples = match SECOND {
            true => _mm256_srli_epi16::<8>(pairs),
            false => _mm256_and_si256(pairs, _mm256_set1_epi16(255)),
        };
        _mm256_sub_epi16(samples, _mm256_set1_epi16(128))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i16) {
        _mm256_storeu_si256(to.cast(), self)
    }
    #[inline(always)]
    unsafe fn load_entries(from: *const u16) -> Self {
        wall256(_mm256_broadcastsi128_si256(_mm_loadu_si128(from.cast())))
    }
    #[inline(always)]
    unsafe fn load_shuffle(from: *const u8) -> Self {
        _mm256_broadcastsi128_si256(_mm_loadu_si128(from.cast()))
    }
    #[inline(always)]
    unsafe fn scatter(self, to: &[*mut i16; 4], offset: usize) {
        _mm_store_si128(to[0].add(offset).cast(), _mm256_castsi256_si128(self));
        _mm_store_si128(to[1].add(offset).cast(), _mm256_extracti128_si256::<1>(self));
    }
    #[inline(always)]
    unsafe fn pixels<const BYTES: usize>(from: *const u8) -> (Self, Self) {
        // The second of three-byte pixels' halves starts 4 bytes early, so that no load passes the last pixel.
        let (second, first1, second1) = if BYTES == 3 { (8, 24, 32) } else { (16, 32, 48) };
        (
            _mm256_set_m128i(_mm_loadu_si128(from.add(first1).cast()), _mm_loadu_si128(from.cast())),
            _mm256_set_m128i(
                _mm_loadu_si128(from.add(second1).cast()),
                _mm_loadu_si128(from.add(second).cast()),
            ),
        )
    }
    #[inline(always)]
    unsafe fn splat16(value: i16) -> Self {
        _mm256_set1_epi16(value)
    }
    #[inline(always)]
    unsafe fn splat32(value: i32) -> Self {
        _mm256_set1_epi32(value)
    }
    #[inline(always)]
    unsafe fn splat_pair(even: i32, odd: i32) -> Self {
        _mm256_set1_epi64x(i64::from(odd) << 32 | i64::from(even as u32))
    }
    #[inline(always)]
    unsafe fn add16(self, other: Self) -> Self {
        _mm256_add_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn sub16(self, other: Self) -> Self {
        _mm256_sub_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn not(self) -> Self {
        _mm256_xor_si256(self, _mm256_set1_epi8(-1))
    }
    #[inline(always)]
    unsafe fn shl16<const N: i32, const M: u32>(self) -> Self {
        _mm256_slli_epi16::<N>(self)
    }
    #[inline(always)]
    unsafe fn sra16<const N: i32, const M: u32>(self) -> Self {
        _mm256_srai_epi16::<N>(self)
    }
    #[inline(always)]
    unsafe fn sra32<const N: i32, const M: u32>(self) -> Self {
        _mm256_srai_epi32::<N>(self)
    }
    #[inline(always)]
    unsafe fn dot(sum: Self, a: Self, b: Self) -> Self {
        _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
    }
    #[inline(always)]
    unsafe fn shuffle8(self, indices: Self) -> Self {
        _mm256_shuffle_epi8(self, indices)
    }
    #[inline(always)]
    unsafe fn pack32(self, other: Self) -> Self {
        _mm256_packs_epi32(self, other)
    }
    #[inline(always)]
    unsafe fn pack_in_order(self, other: Self) -> Self {
        _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(self, other))
    }
    #[inline(always)]
    unsafe fn low16(self, other: Self) -> Self {
        _mm256_unpacklo_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn high16(self, other: Self) -> Self {
        _mm256_unpackhi_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn low32(self, other: Self) -> Self {
        _mm256_unpacklo_epi32(self, other)
    }
    #[inline(always)]
    unsafe fn high32(self, other: Self) -> Self {
        _mm256_unpackhi_epi32(self, other)
    }
    #[inline(always)]
    unsafe fn low64(self, other: Self) -> Self {
        _mm256_unpacklo_epi64(self, other)
    }
    #[inline(always)]
    unsafe fn high64(self, other: Self) -> Self {
        _mm256_unpackhi_epi64(self, other)
    }
    #[inline(always)]
    unsafe fn quantize(self, corr: Self, recip: Self, scale: Self) -> Self {
        let magnitude = _mm256_add_epi16(_mm256_abs_epi16(self), corr);
        let quotient = _mm256_mulhi_epu16(wall256(_mm256_mulhi_epu16(magnitude, recip)), scale);
        _mm256_sign_epi16(quotient, self)
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m512i {
    const BLOCKS: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const i16) -> Self {
        _mm512_loadu_si512(from.cast())
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm256_loadu_si256(from.cast())), _mm512_set1_epi16(128))
    }
    #[inline(always)]
    unsafe fn load_pairs<const SECOND: bool>(from: *const u8) -> Self {
        let pairs = _mm512_loadu_si512(from.cast());
        let samples = match SECOND {
            true => _mm512_srli_epi16::<8>(pairs),
            false => _mm512_and_si512(pairs, _mm512_set1_epi16(255)),
        };
        _mm512_sub_epi16(samples, _mm512_set1_epi16(128))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i16) {
        _mm512_storeu_si512(to.cast(), self)
    }
    #[inline(always)]
    unsafe fn load_entries(from: *const u16) -> Self {
        _mm512_broadcast_i32x4(_mm_loadu_si128(from.cast()))
    }
    #[inline(always)]
    unsafe fn load_shuffle(from: *const u8) -> Self {
        _mm512_broadcast_i32x4(_mm_loadu_si128(from.cast()))
    }
    #[inline(always)]
    unsafe fn scatter(self, to: &[*mut i16; 4], offset: usize) {
        _mm_store_si128(to[0].add(offset).cast(), _mm512_castsi512_si128(self));
        _mm_store_si128(to[1].add(offset).cast(), _mm512_extracti32x4_epi32::<1>(self));
        _mm_store_si128(to[2].add(offset).cast(), _mm512_extracti32x4_epi32::<2>(self));
        _mm_store_si128(to[3].add(offset).cast(), _mm512_extracti32x4_epi32::<3>(self));
    }
    #[inline(always)]
    unsafe fn pixels<const BYTES: usize>(from: *const u8) -> (Self, Self) {
        if BYTES == 3 {
            let low = _mm512_loadu_si512(from.cast());
            let high = _mm512_loadu_si512(from.add(32).cast());
            // 32-bit words 0..=15 are in `low`, 8..=23 in `high` (indices 16..=31).
            let first = _mm512_setr_epi32(0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 26, 27, 28, 29);
            let last = _mm512_setr_epi32(2, 3, 4, 5, 8, 9, 10, 11, 14, 15, 24, 25, 28, 29, 30, 31);
            (_mm512_permutex2var_epi32(low, first, high), _mm512_permutex2var_epi32(low, last, high))
        } else {
            let low = _mm512_loadu_si512(from.cast());
            let high = _mm512_loadu_si512(from.add(64).cast());
            (
                _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high),
                _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high),
            )
        }
    }
    #[inline(always)]
    unsafe fn splat16(value: i16) -> Self {
        _mm512_set1_epi16(value)
    }
    #[inline(always)]
    unsafe fn splat32(value: i32) -> Self {
        _mm512_set1_epi32(value)
    }
    #[inline(always)]
    unsafe fn splat_pair(even: i32, odd: i32) -> Self {
        _mm512_set1_epi64(i64::from(odd) << 32 | i64::from(even as u32))
    }
    #[inline(always)]
    unsafe fn add16(self, other: Self) -> Self {
        _mm512_add_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn sub16(self, other: Self) -> Self {
        _mm512_sub_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn not(self) -> Self {
        _mm512_ternarylogic_epi32::<0x55>(self, self, self)
    }
    #[inline(always)]
    unsafe fn shl16<const N: i32, const M: u32>(self) -> Self {
        _mm512_slli_epi16::<M>(self)
    }
    #[inline(always)]
    unsafe fn sra16<const N: i32, const M: u32>(self) -> Self {
        _mm512_srai_epi16::<M>(self)
    }
    #[inline(always)]
    unsafe fn sra32<const N: i32, const M: u32>(self) -> Self {
        _mm512_srai_epi32::<M>(self)
    }
    #[inline(always)]
    unsafe fn dot(sum: Self, a: Self, b: Self) -> Self {
        _mm512_dpwssd_epi32(sum, a, b)
    }
    #[inline(always)]
    unsafe fn shuffle8(self, indices: Self) -> Self {
        _mm512_shuffle_epi8(self, indices)
    }
    #[inline(always)]
    unsafe fn pack32(self, other: Self) -> Self {
        _mm512_packs_epi32(self, other)
    }
    #[inline(always)]
    unsafe fn pack_in_order(self, other: Self) -> Self {
        let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        _mm512_permutexvar_epi64(order, _mm512_packs_epi32(self, other))
    }
    #[inline(always)]
    unsafe fn low16(self, other: Self) -> Self {
        _mm512_unpacklo_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn high16(self, other: Self) -> Self {
        _mm512_unpackhi_epi16(self, other)
    }
    #[inline(always)]
    unsafe fn low32(self, other: Self) -> Self {
        _mm512_unpacklo_epi32(self, other)
    }
    #[inline(always)]
    unsafe fn high32(self, other: Self) -> Self {
        _mm512_unpackhi_epi32(self, other)
    }
    #[inline(always)]
    unsafe fn low64(self, other: Self) -> Self {
        _mm512_unpacklo_epi64(self, other)
    }
    #[inline(always)]
    unsafe fn high64(self, other: Self) -> Self {
        _mm512_unpackhi_epi64(self, other)
    }
    #[inline(always)]
    unsafe fn quantize(self, corr: Self, recip: Self, scale: Self) -> Self {
        let magnitude = _mm512_add_epi16(_mm512_abs_epi16(self), corr);
        let quotient = _mm512_mulhi_epu16(wall512(_mm512_mulhi_epu16(magnitude, recip)), scale);
        _mm512_mask_sub_epi16(quotient, _mm512_movepi16_mask(self), _mm512_setzero_si512(), quotient)
    }
}
