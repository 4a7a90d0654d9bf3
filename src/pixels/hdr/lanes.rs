//! The vector operations that the way from HDR signals to an SDR image needs, over any number of lanes.
//!
//! Nothing is fused: a product is rounded before it is added, so that every processor makes the same bytes.
#![allow(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "island: vector intrinsics, raw loads and table look-ups"
)]

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

/// Floats side by side.
///
/// # Safety
/// Every method needs the processor features of its implementation; loads and stores need memory for
/// [`Lanes::COUNT`] elements, look-ups indices inside the table.
pub trait Lanes: Copy {
    /// How many.
    const COUNT: usize;
    /// As many 32-bit numbers.
    type Bits: Copy;

    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(value: f32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// Whether one lane or more is below 0.
    unsafe fn any_negative(self) -> bool;
    /// `other` where either is not a number.
    unsafe fn min(self, other: Self) -> Self;
    /// `other` where either is not a number.
    unsafe fn max(self, other: Self) -> Self;
    /// 0 where it is more than `limit`.
    unsafe fn up_to(self, limit: f32) -> Self;
    /// Rounded to the nearest whole number, for values of 0 to 2^22.
    unsafe fn round(self) -> Self::Bits;
    unsafe fn bits(self) -> Self::Bits;
    unsafe fn from_bits(bits: Self::Bits) -> Self;
    /// The number as a float.
    unsafe fn number(bits: Self::Bits) -> Self;

    unsafe fn splat_bits(value: u32) -> Self::Bits;
    unsafe fn words(from: *const u8) -> Self::Bits;
    /// At any address.
    unsafe fn store_words(bits: Self::Bits, to: *mut u8);
    /// 16-bit numbers.
    unsafe fn halves(from: *const u8) -> Self::Bits;
    /// Pairs of 16-bit numbers, the first in the low half, for two lanes each: those of lanes `at`, `at + 1` ... of
    /// a row that starts at `from`.
    unsafe fn pairs(from: *const u8, at: usize) -> Self::Bits;
    /// Four 16-bit numbers for each lane: the first two, and the last two.
    unsafe fn two(from: *const u8) -> [Self::Bits; 2];
    /// The way back, at any address.
    unsafe fn store_two(pairs: [Self::Bits; 2], to: *mut u8);
    unsafe fn shr<const N: u32>(bits: Self::Bits) -> Self::Bits;
    unsafe fn shl<const N: u32>(bits: Self::Bits) -> Self::Bits;
    unsafe fn and(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn or(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn sub(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    /// Entries of a table of 32-bit numbers.
    unsafe fn look_up(table: *const u32, index: Self::Bits) -> Self::Bits;
    /// Entries of a table of bytes, which has three more behind its last.
    unsafe fn look_up_bytes(table: *const u8, index: Self::Bits) -> Self::Bits;
}

/// One lane.
impl Lanes for f32 {
    const COUNT: usize = 1;
    type Bits = u32;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        from.read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.write_unaligned(self);
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        value
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self / other
    }
    #[inline(always)]
    unsafe fn any_negative(self) -> bool {
        self < 0.0
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
    #[inline(always)]
    unsafe fn up_to(self, limit: f32) -> Self {
        if self <= limit { self } else { 0.0 }
    }
    #[inline(always)]
    unsafe fn round(self) -> u32 {
        // Added to a float below 2^22, 2^23 leaves it, rounded, in the low bits.
        (self + 8_388_608.0).to_bits() & 0x3f_ffff
    }
    #[inline(always)]
    unsafe fn bits(self) -> u32 {
        self.to_bits()
    }
    #[inline(always)]
    unsafe fn from_bits(bits: u32) -> Self {
        f32::from_bits(bits)
    }
    #[inline(always)]
    unsafe fn number(bits: u32) -> Self {
        bits as i32 as f32
    }
    #[inline(always)]
    unsafe fn splat_bits(value: u32) -> u32 {
        value
    }
    #[inline(always)]
    unsafe fn words(from: *const u8) -> u32 {
        from.cast::<u32>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store_words(bits: u32, to: *mut u8) {
        to.cast::<u32>().write_unaligned(bits);
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> u32 {
        from.cast::<u16>().read_unaligned().into()
    }
    #[inline(always)]
    unsafe fn pairs(from: *const u8, at: usize) -> u32 {
        let [a, b] = from.add(at / 2 * 4).cast::<[u16; 2]>().read_unaligned();
        u32::from(a) | u32::from(b) << 16
    }
    #[inline(always)]
    unsafe fn two(from: *const u8) -> [u32; 2] {
        let [a, b, c, d] = from.cast::<[u16; 4]>().read_unaligned().map(u32::from);
        [a | b << 16, c | d << 16]
    }
    #[inline(always)]
    unsafe fn store_two(pairs: [u32; 2], to: *mut u8) {
        to.cast::<[u32; 2]>().write_unaligned(pairs);
    }
    #[inline(always)]
    unsafe fn shr<const N: u32>(bits: u32) -> u32 {
        bits >> N
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(bits: u32) -> u32 {
        bits << N
    }
    #[inline(always)]
    unsafe fn and(a: u32, b: u32) -> u32 {
        a & b
    }
    #[inline(always)]
    unsafe fn or(a: u32, b: u32) -> u32 {
        a | b
    }
    #[inline(always)]
    unsafe fn sub(a: u32, b: u32) -> u32 {
        a.wrapping_sub(b)
    }
    #[inline(always)]
    unsafe fn look_up(table: *const u32, index: u32) -> u32 {
        table.add(index as usize).read()
    }
    #[inline(always)]
    unsafe fn look_up_bytes(table: *const u8, index: u32) -> u32 {
        table.add(index as usize).read().into()
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m256 {
    const COUNT: usize = 8;
    type Bits = __m256i;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        _mm256_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm256_storeu_ps(to, self);
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        _mm256_set1_ps(value)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        _mm256_add_ps(self, other)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        _mm256_mul_ps(self, other)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        _mm256_div_ps(self, other)
    }
    #[inline(always)]
    unsafe fn any_negative(self) -> bool {
        _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(self, _mm256_setzero_ps())) != 0
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        _mm256_min_ps(self, other)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        _mm256_max_ps(self, other)
    }
    #[inline(always)]
    unsafe fn up_to(self, limit: f32) -> Self {
        _mm256_and_ps(self, _mm256_cmp_ps::<_CMP_LE_OQ>(self, _mm256_set1_ps(limit)))
    }
    #[inline(always)]
    unsafe fn round(self) -> __m256i {
        _mm256_cvtps_epi32(self)
    }
    #[inline(always)]
    unsafe fn bits(self) -> __m256i {
        _mm256_castps_si256(self)
    }
    #[inline(always)]
    unsafe fn from_bits(bits: __m256i) -> Self {
        _mm256_castsi256_ps(bits)
    }
    #[inline(always)]
    unsafe fn number(bits: __m256i) -> Self {
        _mm256_cvtepi32_ps(bits)
    }
    #[inline(always)]
    unsafe fn splat_bits(value: u32) -> __m256i {
        _mm256_set1_epi32(value as i32)
    }
    #[inline(always)]
    unsafe fn words(from: *const u8) -> __m256i {
        _mm256_loadu_si256(from.cast())
    }
    #[inline(always)]
    unsafe fn store_words(bits: __m256i, to: *mut u8) {
        _mm256_storeu_si256(to.cast(), bits);
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> __m256i {
        _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()))
    }
    #[inline(always)]
    unsafe fn pairs(from: *const u8, at: usize) -> __m256i {
        let four = _mm256_castsi128_si256(_mm_loadu_si128(from.add(at / 2 * 4).cast()));
        _mm256_permutevar8x32_epi32(four, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3))
    }
    #[inline(always)]
    unsafe fn two(from: *const u8) -> [__m256i; 2] {
        let a = _mm256_loadu_ps(from.cast());
        let b = _mm256_loadu_ps(from.add(32).cast());
        let even = _mm256_castps_si256(_mm256_shuffle_ps::<0x88>(a, b));
        let odd = _mm256_castps_si256(_mm256_shuffle_ps::<0xdd>(a, b));
        [_mm256_permute4x64_epi64::<0b11_01_10_00>(even), _mm256_permute4x64_epi64::<0b11_01_10_00>(odd)]
    }
    #[inline(always)]
    unsafe fn store_two([first, second]: [__m256i; 2], to: *mut u8) {
        let (low, high) = (_mm256_unpacklo_epi32(first, second), _mm256_unpackhi_epi32(first, second));
        _mm256_storeu_si256(to.cast(), _mm256_permute2x128_si256::<0x20>(low, high));
        _mm256_storeu_si256(to.add(32).cast(), _mm256_permute2x128_si256::<0x31>(low, high));
    }
    #[inline(always)]
    unsafe fn shr<const N: u32>(bits: __m256i) -> __m256i {
        _mm256_srl_epi32(bits, _mm_cvtsi32_si128(N as i32))
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(bits: __m256i) -> __m256i {
        _mm256_sll_epi32(bits, _mm_cvtsi32_si128(N as i32))
    }
    #[inline(always)]
    unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
        _mm256_and_si256(a, b)
    }
    #[inline(always)]
    unsafe fn or(a: __m256i, b: __m256i) -> __m256i {
        _mm256_or_si256(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
        _mm256_sub_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn look_up(table: *const u32, index: __m256i) -> __m256i {
        _mm256_i32gather_epi32::<4>(table.cast(), index)
    }
    #[inline(always)]
    unsafe fn look_up_bytes(table: *const u8, index: __m256i) -> __m256i {
        _mm256_and_si256(_mm256_i32gather_epi32::<1>(table.cast(), index), _mm256_set1_epi32(0xff))
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m512 {
    const COUNT: usize = 16;
    type Bits = __m512i;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        _mm512_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm512_storeu_ps(to, self);
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        _mm512_set1_ps(value)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        _mm512_add_ps(self, other)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        _mm512_mul_ps(self, other)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        _mm512_div_ps(self, other)
    }
    #[inline(always)]
    unsafe fn any_negative(self) -> bool {
        _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self, _mm512_setzero_ps()) != 0
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        _mm512_min_ps(self, other)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        _mm512_max_ps(self, other)
    }
    #[inline(always)]
    unsafe fn up_to(self, limit: f32) -> Self {
        let mask = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(self, _mm512_set1_ps(limit));
        _mm512_maskz_mov_ps(mask, self)
    }
    #[inline(always)]
    unsafe fn round(self) -> __m512i {
        _mm512_cvtps_epi32(self)
    }
    #[inline(always)]
    unsafe fn bits(self) -> __m512i {
        _mm512_castps_si512(self)
    }
    #[inline(always)]
    unsafe fn from_bits(bits: __m512i) -> Self {
        _mm512_castsi512_ps(bits)
    }
    #[inline(always)]
    unsafe fn number(bits: __m512i) -> Self {
        _mm512_cvtepi32_ps(bits)
    }
    #[inline(always)]
    unsafe fn splat_bits(value: u32) -> __m512i {
        _mm512_set1_epi32(value as i32)
    }
    #[inline(always)]
    unsafe fn words(from: *const u8) -> __m512i {
        _mm512_loadu_si512(from.cast())
    }
    #[inline(always)]
    unsafe fn store_words(bits: __m512i, to: *mut u8) {
        _mm512_storeu_si512(to.cast(), bits);
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> __m512i {
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()))
    }
    #[inline(always)]
    unsafe fn pairs(from: *const u8, at: usize) -> __m512i {
        let eight = _mm512_castsi256_si512(_mm256_loadu_si256(from.add(at / 2 * 4).cast()));
        let twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
        _mm512_permutexvar_epi32(twice, eight)
    }
    #[inline(always)]
    unsafe fn two(from: *const u8) -> [__m512i; 2] {
        let (a, b) = (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(64).cast()));
        let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        [_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b)]
    }
    #[inline(always)]
    unsafe fn store_two([first, second]: [__m512i; 2], to: *mut u8) {
        let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi32(first, low, second));
        _mm512_storeu_si512(to.add(64).cast(), _mm512_permutex2var_epi32(first, high, second));
    }
    #[inline(always)]
    unsafe fn shr<const N: u32>(bits: __m512i) -> __m512i {
        _mm512_srli_epi32::<N>(bits)
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(bits: __m512i) -> __m512i {
        _mm512_slli_epi32::<N>(bits)
    }
    #[inline(always)]
    unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
        _mm512_and_si512(a, b)
    }
    #[inline(always)]
    unsafe fn or(a: __m512i, b: __m512i) -> __m512i {
        _mm512_or_si512(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
        _mm512_sub_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn look_up(table: *const u32, index: __m512i) -> __m512i {
        _mm512_i32gather_epi32::<4>(index, table.cast())
    }
    #[inline(always)]
    unsafe fn look_up_bytes(table: *const u8, index: __m512i) -> __m512i {
        _mm512_and_si512(_mm512_i32gather_epi32::<1>(index, table.cast()), _mm512_set1_epi32(0xff))
    }
}
