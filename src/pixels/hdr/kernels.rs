//! The loops of the way from HDR signals to an SDR image and its gain map, once for every instruction set; all make
//! the same bytes.
#![allow(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "island: calls functions compiled for processor features"
)]

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};
use std::ops::Range;

use super::{
    lanes::Lanes,
    tables::{BELOW, Boost, DARK, Decoder, Developer, GAIN_MASK, LogTable, Ruler, SIGNAL_STEPS},
};
use crate::pixels::convert::TILE;

/// Red, green and blue of a tile, in planes.
pub type Planes = [[f32; TILE]; 3];

/// Factors of luma and of the first and second chroma sample, and a constant, for red, green and blue.
pub type YuvFactors = [[f32; 4]; 3];

/// The loops for one instruction set. A value exists only where the processor has it.
#[derive(Clone, Copy)]
pub struct Kernels {
    ten: unsafe fn(&[u8], &Decoder, &mut Planes, usize),
    p010: unsafe fn(&[u8], &[u8], &YuvFactors, &Decoder, &mut Planes, usize),
    halves: unsafe fn(&[u8], &Decoder, &mut Planes, usize),
    signals: unsafe fn(&Decoder, &mut Planes, usize),
    develop: unsafe fn(&Planes, &Developer, &mut [u8], &mut [u32], usize),
    gains: unsafe fn(&[f32], &[f32], &Ruler, &mut [u32], usize),
    boost: unsafe fn(&mut [f32], &[f32], &Boost, usize),
    curve: unsafe fn(&mut [f32], &LogTable, usize),
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kernels")
    }
}

/// One set of the loops: whole vectors of `$lanes`, and the rest one by one.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $($feature:literal)?) => {
        mod $module {
            use super::*;

            const N: usize = <$lanes as Lanes>::COUNT;

            $(#[target_feature(enable = $feature)])?
            pub unsafe fn ten(row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
                super::ten::<$lanes>(row, decoder, to, 0..n / N * N);
                super::ten::<f32>(row, decoder, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn p010(
                luma: &[u8],
                chroma: &[u8],
                factors: &YuvFactors,
                decoder: &Decoder,
                to: &mut Planes,
                n: usize,
            ) {
                super::p010::<$lanes>(luma, chroma, factors, decoder, to, 0..n / N * N);
                super::p010::<f32>(luma, chroma, factors, decoder, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn halves(row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
                super::halves::<$lanes>(row, decoder, to, 0..n / N * N);
                super::halves::<f32>(row, decoder, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn signals(decoder: &Decoder, planes: &mut Planes, n: usize) {
                super::signals::<$lanes>(decoder, planes, 0..n / N * N);
                super::signals::<f32>(decoder, planes, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn develop(
                light: &Planes,
                developer: &Developer,
                codes: &mut [u8],
                gains: &mut [u32],
                n: usize,
            ) {
                super::develop::<$lanes>(light, developer, codes, gains, 0..n / N * N);
                super::develop::<f32>(light, developer, codes, gains, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn gains(over: &[f32], under: &[f32], ruler: &Ruler, to: &mut [u32], n: usize) {
                super::gains::<$lanes>(over, under, ruler, to, 0..n / N * N);
                super::gains::<f32>(over, under, ruler, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn boost(light: &mut [f32], samples: &[f32], boost: &Boost, n: usize) {
                super::boost::<$lanes>(light, samples, boost, 0..n / N * N);
                super::boost::<f32>(light, samples, boost, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn curve(values: &mut [f32], table: &LogTable, n: usize) {
                super::curve::<$lanes>(values, table, 0..n / N * N);
                super::curve::<f32>(values, table, n / N * N..n);
            }
            pub const KERNELS: Kernels =
                Kernels { ten, p010, halves, signals, develop, gains, boost, curve };
        }
    };
}

kernels!(portable, f32,);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, __m256, "avx2");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, __m512, "avx512f,avx2");

impl Kernels {
    /// The loops that every processor runs.
    #[cfg(test)]
    pub const PORTABLE: Self = portable::KERNELS;

    /// Those for AVX2, where it is.
    #[cfg(test)]
    pub fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Some(avx2::KERNELS);
        }
        None
    }

    /// The fastest loops for this processor.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return if is_x86_feature_detected!("avx512f") { avx512::KERNELS } else { avx2::KERNELS };
        }
        portable::KERNELS
    }

    /// Light of `n` pixels of 10 bits a component.
    pub fn ten(&self, row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
        assert!(n <= TILE && row.len() >= 4 * n && decoder.codes.len() == 1024);
        // SAFETY: the row has `n` pixels, the table an entry for every code; the processor has what is needed.
        unsafe { (self.ten)(row, decoder, to, n) }
    }

    /// Light of `n` pixels of P010: their luma, and pairs of chroma for two of them each.
    pub fn p010(
        &self,
        luma: &[u8],
        chroma: &[u8],
        factors: &YuvFactors,
        decoder: &Decoder,
        to: &mut Planes,
        n: usize,
    ) {
        assert!(n <= TILE && luma.len() >= 2 * n && chroma.len() >= 4 * n.div_ceil(2));
        assert!(decoder.signals.len() == SIGNAL_STEPS);
        // SAFETY: there are `n` samples and half as many pairs, and an entry for every step.
        unsafe { (self.p010)(luma, chroma, factors, decoder, to, n) }
    }

    /// Light of `n` pixels of four linear half floats.
    pub fn halves(&self, row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
        assert!(n <= TILE && row.len() >= 8 * n);
        // SAFETY: the row has `n` pixels; the processor has what is needed.
        unsafe { (self.halves)(row, decoder, to, n) }
    }

    /// Light in place of `n` signals.
    pub fn signals(&self, decoder: &Decoder, planes: &mut Planes, n: usize) {
        assert!(n <= TILE && (decoder.is_linear() || decoder.signals.len() == SIGNAL_STEPS));
        // SAFETY: a tile is at least that long, and there is an entry for every step.
        unsafe { (self.signals)(decoder, planes, n) }
    }

    /// Codes (red, green, blue and 255) and samples of the gain map of `n` pixels.
    pub fn develop(
        &self,
        light: &Planes,
        developer: &Developer,
        codes: &mut [u8],
        gains: &mut [u32],
        n: usize,
    ) {
        assert!(n <= TILE && codes.len() >= 4 * n && gains.len() >= n);
        assert!(developer.oetf.len() == ((1f32.to_bits() - DARK.to_bits()) >> BELOW) as usize + 4);
        // SAFETY: all slices are at least that long, and the tables have an entry for every value in their range.
        unsafe { (self.develop)(light, developer, codes, gains, n) }
    }

    /// How much brighter `n` values are than others, as the ruler counts.
    pub fn gains(&self, over: &[f32], under: &[f32], ruler: &Ruler, to: &mut [u32], n: usize) {
        assert!(over.len() >= n && under.len() >= n && to.len() >= n);
        // SAFETY: all slices are at least that long; the processor has what is needed.
        unsafe { (self.gains)(over, under, ruler, to, n) }
    }

    /// Applies the samples of a gain map, 0 to 1, to light.
    pub fn boost(&self, light: &mut [f32], samples: &[f32], boost: &Boost, n: usize) {
        assert!(light.len() >= n && samples.len() >= n && boost.factors.len() == SIGNAL_STEPS);
        // SAFETY: both slices are at least that long, and there is a factor for every step.
        unsafe { (self.boost)(light, samples, boost, n) }
    }

    /// A function of `n` values in their place, between the entries of [`LogTable::edges`].
    pub fn curve(&self, values: &mut [f32], table: &LogTable, n: usize) {
        let count = ((table.last.to_bits() - table.first.to_bits()) >> BELOW) as usize + 2;
        assert!(values.len() >= n && table.entries.len() == count);
        // SAFETY: the slice is at least that long; every value in the table's range has an entry and one behind it.
        unsafe { (self.curve)(values, table, n) }
    }
}

/// The entry of a value, which is moved into the table's range.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn entry<V: Lanes>(table: &LogTable, value: V) -> V::Bits {
    let value = value.max(V::splat(table.first)).min(V::splat(table.last));
    let place = V::sub(value.bits(), V::splat_bits(table.first.to_bits()));
    V::look_up(table.entries.as_ptr(), V::shr::<BELOW>(place))
}

/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn dot<V: Lanes>(&[x, y, z]: &[f32; 3], [r, g, b]: [V; 3]) -> V {
    r.mul(V::splat(x)).add(g.mul(V::splat(y))).add(b.mul(V::splat(z)))
}

/// What the transfer function made of signals, brought into the gamut and stored.
///
/// # Safety
/// That of [`Lanes`]; `i` and what follows are inside a tile.
#[inline(always)]
unsafe fn finish<V: Lanes>([mut r, mut g, mut b]: [V; 3], decoder: &Decoder, to: &mut Planes, i: usize) {
    if let Some((weights, table)) = &decoder.ootf {
        let factor = V::from_bits(entry(table, dot(weights, [r, g, b])));
        (r, g, b) = (r.mul(factor), g.mul(factor), b.mul(factor));
    }
    let [to_r, to_g, to_b] = to;
    let [row_r, row_g, row_b] = &decoder.gamut;
    dot(row_r, [r, g, b]).max(V::splat(0.0)).store(to_r.as_mut_ptr().add(i));
    dot(row_g, [r, g, b]).max(V::splat(0.0)).store(to_g.as_mut_ptr().add(i));
    dot(row_b, [r, g, b]).max(V::splat(0.0)).store(to_b.as_mut_ptr().add(i));
}

/// # Safety
/// That of [`Lanes`]; signals have been brought into 0 to 1 by the caller's table.
#[inline(always)]
unsafe fn light_of<V: Lanes>(signal: V, decoder: &Decoder) -> V {
    let place = signal.max(V::splat(0.0)).min(V::splat(1.0)).mul(V::splat((SIGNAL_STEPS - 1) as f32));
    V::from_bits(V::look_up(decoder.signals.as_ptr(), place.round()))
}

/// Light of the code in the low 10 bits.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn light_of_code<V: Lanes>(bits: V::Bits, decoder: &Decoder) -> V {
    V::from_bits(V::look_up(decoder.codes.as_ptr(), V::and(bits, V::splat_bits(1023))))
}

/// # Safety
/// As [`Kernels::ten`] demands; `lanes` is inside the row.
#[inline(always)]
unsafe fn ten<V: Lanes>(row: &[u8], decoder: &Decoder, to: &mut Planes, lanes: Range<usize>) {
    for i in lanes.step_by(V::COUNT) {
        let pixels = V::words(row.as_ptr().add(4 * i));
        let r = light_of_code::<V>(pixels, decoder);
        let g = light_of_code::<V>(V::shr::<10>(pixels), decoder);
        let b = light_of_code::<V>(V::shr::<20>(pixels), decoder);
        finish([r, g, b], decoder, to, i);
    }
}

/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn light_of_yuv<V: Lanes>(&[y, a, b, c]: &[f32; 4], yuv: [V; 3], decoder: &Decoder) -> V {
    light_of(dot(&[y, a, b], yuv).add(V::splat(c)), decoder)
}

/// # Safety
/// As [`Kernels::p010`] demands; `lanes` is inside the rows.
#[inline(always)]
unsafe fn p010<V: Lanes>(
    luma: &[u8],
    chroma: &[u8],
    [red, green, blue]: &YuvFactors,
    decoder: &Decoder,
    to: &mut Planes,
    lanes: Range<usize>,
) {
    for i in lanes.step_by(V::COUNT) {
        let y = V::number(V::shr::<6>(V::halves(luma.as_ptr().add(2 * i))));
        let pair = V::pairs(chroma.as_ptr(), i);
        let first = V::number(V::shr::<6>(V::and(pair, V::splat_bits(0xffff))));
        let second = V::number(V::shr::<22>(pair));
        let yuv = [y, first, second];
        let r = light_of_yuv(red, yuv, decoder);
        let g = light_of_yuv(green, yuv, decoder);
        let b = light_of_yuv(blue, yuv, decoder);
        finish([r, g, b], decoder, to, i);
    }
}

/// A half float in the low 16 bits. Infinities become 65536, not a number 0.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn half<V: Lanes>(bits: V::Bits) -> V {
    // The exponent moves from bias 15 to 127 by a product, which also makes normal numbers of subnormal ones.
    let magnitude = V::from_bits(V::shl::<13>(V::and(bits, V::splat_bits(0x7fff))));
    let magnitude = magnitude.mul(V::splat(f32::from_bits((127 + 112) << 23))).up_to(65536.0);
    let sign = V::shl::<16>(V::and(bits, V::splat_bits(0x8000)));
    V::from_bits(V::or(magnitude.bits(), sign))
}

/// # Safety
/// As [`Kernels::halves`] demands; `lanes` is inside the row.
#[inline(always)]
unsafe fn halves<V: Lanes>(row: &[u8], decoder: &Decoder, to: &mut Planes, lanes: Range<usize>) {
    for i in lanes.step_by(V::COUNT) {
        let [low, high] = V::two(row.as_ptr().add(8 * i));
        finish([half::<V>(low), half(V::shr::<16>(low)), half(high)], decoder, to, i);
    }
}

/// # Safety
/// That of [`Lanes`]; `i` and what follows are inside a tile.
#[inline(always)]
unsafe fn load<V: Lanes>(planes: &Planes, i: usize) -> [V; 3] {
    let [r, g, b] = planes;
    [V::load(r.as_ptr().add(i)), V::load(g.as_ptr().add(i)), V::load(b.as_ptr().add(i))]
}

/// # Safety
/// As [`Kernels::signals`] demands; `lanes` is inside a tile.
#[inline(always)]
unsafe fn signals<V: Lanes>(decoder: &Decoder, planes: &mut Planes, lanes: Range<usize>) {
    let linear = decoder.is_linear();
    for i in lanes.step_by(V::COUNT) {
        let [mut r, mut g, mut b] = load::<V>(planes, i);
        if !linear {
            (r, g, b) = (light_of(r, decoder), light_of(g, decoder), light_of(b, decoder));
        }
        finish([r, g, b], decoder, planes, i);
    }
}

/// The code of light.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn code_of<V: Lanes>(light: V, developer: &Developer) -> V::Bits {
    let light = light.max(V::splat(DARK)).min(V::splat(1.0));
    let place = V::sub(light.bits(), V::splat_bits(DARK.to_bits()));
    V::look_up_bytes(developer.oetf.as_ptr(), V::shr::<BELOW>(place))
}

/// # Safety
/// As [`Kernels::develop`] demands; `lanes` is inside a tile and the slices.
#[inline(always)]
unsafe fn develop<V: Lanes>(
    light: &Planes,
    developer: &Developer,
    codes: &mut [u8],
    gains: &mut [u32],
    lanes: Range<usize>,
) {
    for i in lanes.step_by(V::COUNT) {
        let [r, g, b] = load::<V>(light, i);
        let both = entry(&developer.tone, r.max(g).max(b));
        let factor = V::from_bits(V::and(both, V::splat_bits(!GAIN_MASK)));
        let r = code_of(r.mul(factor), developer);
        let g = code_of(g.mul(factor), developer);
        let b = code_of(b.mul(factor), developer);
        let opaque = V::or(r, V::splat_bits(0xff00_0000));
        let code = V::or(V::or(opaque, V::shl::<8>(g)), V::shl::<16>(b));
        V::store_words(code, codes.as_mut_ptr().add(4 * i));
        V::store_words(V::and(both, V::splat_bits(GAIN_MASK)), gains.as_mut_ptr().add(i).cast());
    }
}

/// The logarithm to base 2 of normal numbers above 0, within 2e-5.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn log2<V: Lanes>(value: V) -> V {
    // Fitted to log2(1 + t), t from 0 to 1, least greatest error; exact at both ends.
    const FACTORS: [f32; 5] = [1.441_917, -0.709_096_23, 0.415_605_45, -0.193_575, 0.045_148_77];
    let bits = value.bits();
    let exponent = V::number(V::sub(V::shr::<23>(bits), V::splat_bits(127)));
    let mantissa = V::or(V::and(bits, V::splat_bits(0x7f_ffff)), V::splat_bits(0x3f80_0000));
    let t = V::from_bits(mantissa).add(V::splat(-1.0));
    let [a, b, c, d, e] = FACTORS;
    let sum = t.mul(V::splat(e)).add(V::splat(d));
    let sum = t.mul(sum).add(V::splat(c));
    let sum = t.mul(sum).add(V::splat(b));
    exponent.add(t.mul(t.mul(sum).add(V::splat(a))))
}

/// # Safety
/// As [`Kernels::gains`] demands; `lanes` is inside the slices.
#[inline(always)]
unsafe fn gains<V: Lanes>(over: &[f32], under: &[f32], ruler: &Ruler, to: &mut [u32], lanes: Range<usize>) {
    let (offset, steps, top) = (V::splat(ruler.offset), V::splat(ruler.steps), V::splat(ruler.top));
    for i in lanes.step_by(V::COUNT) {
        let over = log2(V::load(over.as_ptr().add(i)).add(offset));
        let under = log2(V::load(under.as_ptr().add(i)).add(offset));
        let ratio = over.add(under.mul(V::splat(-1.0))).add(V::splat(-ruler.min));
        let step = ratio.mul(steps).max(V::splat(0.0)).min(top);
        V::store_words(step.round(), to.as_mut_ptr().add(i).cast());
    }
}

/// # Safety
/// As [`Kernels::boost`] demands; `lanes` is inside the slices.
#[inline(always)]
unsafe fn boost<V: Lanes>(light: &mut [f32], samples: &[f32], boost: &Boost, lanes: Range<usize>) {
    for i in lanes.step_by(V::COUNT) {
        let sample = V::load(samples.as_ptr().add(i)).max(V::splat(0.0)).min(V::splat(1.0));
        let place = sample.mul(V::splat((SIGNAL_STEPS - 1) as f32)).round();
        let factor = V::from_bits(V::look_up(boost.factors.as_ptr(), place));
        let to = light.as_mut_ptr().add(i);
        let base = V::load(to).add(V::splat(boost.base_offset));
        base.mul(factor).add(V::splat(-boost.alternate_offset)).store(to);
    }
}

/// # Safety
/// As [`Kernels::curve`] demands; `lanes` is inside the slice.
#[inline(always)]
unsafe fn curve<V: Lanes>(values: &mut [f32], table: &LogTable, lanes: Range<usize>) {
    const PART: f32 = 1.0 / (1 << BELOW) as f32;
    for i in lanes.step_by(V::COUNT) {
        let to = values.as_mut_ptr().add(i);
        let value = V::load(to).max(V::splat(table.first)).min(V::splat(table.last));
        let place = V::sub(value.bits(), V::splat_bits(table.first.to_bits()));
        let part = V::number(V::and(place, V::splat_bits((1 << BELOW) - 1))).mul(V::splat(PART));
        let index = V::shr::<BELOW>(place);
        let low = V::from_bits(V::look_up(table.entries.as_ptr(), index));
        let high = V::from_bits(V::look_up(table.entries.as_ptr().add(1), index));
        low.add(high.add(low.mul(V::splat(-1.0))).mul(part)).store(to);
    }
}
