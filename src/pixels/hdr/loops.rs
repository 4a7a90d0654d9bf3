//! The loops of the way from HDR signals to an SDR image and its gain map, and of the way back, for any number of lanes;
//! `kernels.rs` has them compiled.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn, reason = "island: loops over raw lanes, for the kernels alone")]

use std::ops::Range;

use super::{
    kernels::{Pack, Planes, YuvFactors},
    lanes::Lanes,
    tables::{
        BELOW, Boost, Columns, DARK, Decoder, Developer, Factors, GAIN_MASK, LogTable, Ruler, SIGNAL_STEPS,
    },
};
use crate::pixels::convert::TILE;

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
    let [row_r, row_g, row_b] = &decoder.gamut;
    let mut rgb = [dot(row_r, [r, g, b]), dot(row_g, [r, g, b]), dot(row_b, [r, g, b])];
    if decoder.keeps_hue {
        rgb = inwards(rgb);
    }
    let ([r, g, b], [to_r, to_g, to_b]) = (rgb, to);
    r.max(V::splat(0.0)).store(to_r.as_mut_ptr().add(i));
    g.max(V::splat(0.0)).store(to_g.as_mut_ptr().add(i));
    b.max(V::splat(0.0)).store(to_b.as_mut_ptr().add(i));
}

/// Colours outside the gamut, part of the way to where the straight line to the neutral of their largest component enters
/// it. They are clipped thereafter; clipping alone turns BT.2020's red and green by 4 and 6 of CIEDE2000, the line alone, in
/// whose direction saturated reds and blues are of another hue, by 10 and 3. A third of the way turns neither by 3, and
/// keeps most of what clipping keeps of saturation.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn inwards<V: Lanes>([r, g, b]: [V; 3]) -> [V; 3] {
    const PART: f32 = 1.0 / 3.0;
    let below = r.min(g).min(b).min(V::splat(0.0)).mul(V::splat(PART));
    if !below.any_negative() {
        return [r, g, b];
    }
    let largest = r.max(g).max(b).max(V::splat(f32::MIN_POSITIVE));
    let below = below.mul(V::splat(-1.0));
    let way = below.div(largest.add(below));
    [toward(r, largest, way), toward(g, largest, way), toward(b, largest, way)]
}

/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn toward<V: Lanes>(from: V, to: V, way: V) -> V {
    from.add(to.add(from.mul(V::splat(-1.0))).mul(way))
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
/// As [`super::kernels::Kernels::ten`] demands; `lanes` is inside the row.
#[inline(always)]
pub unsafe fn ten<V: Lanes>(row: &[u8], decoder: &Decoder, to: &mut Planes, lanes: Range<usize>) {
    for i in lanes.step_by(V::COUNT) {
        let pixels = V::words(row.as_ptr().add(4 * i));
        let r = light_of_code::<V>(pixels, decoder);
        let g = light_of_code::<V>(V::shr::<10>(pixels), decoder);
        let b = light_of_code::<V>(V::shr::<20>(pixels), decoder);
        finish([r, g, b], decoder, to, i);
    }
}

/// # Safety
/// As [`super::kernels::Kernels::eight`] demands; `lanes` is inside the row.
#[inline(always)]
pub unsafe fn eight<V: Lanes>(row: &[u8], decoder: &Decoder, to: &mut Planes, lanes: Range<usize>) {
    let light = |bits| V::from_bits(V::look_up(decoder.bytes.as_ptr(), V::and(bits, V::splat_bits(255))));
    for i in lanes.step_by(V::COUNT) {
        let pixels = V::words(row.as_ptr().add(4 * i));
        let (g, b) = (V::shr::<8>(pixels), V::shr::<16>(pixels));
        finish([light(pixels), light(g), light(b)], decoder, to, i);
    }
}

/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn light_of_yuv<V: Lanes>(&[y, a, b, c]: &[f32; 4], yuv: [V; 3], decoder: &Decoder) -> V {
    light_of(dot(&[y, a, b], yuv).add(V::splat(c)), decoder)
}

/// # Safety
/// As [`super::kernels::Kernels::p010`] demands; `lanes` is inside the rows.
#[inline(always)]
pub unsafe fn p010<V: Lanes>(
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
/// As [`super::kernels::Kernels::halves`] demands; `lanes` is inside the row.
#[inline(always)]
pub unsafe fn halves<V: Lanes>(row: &[u8], decoder: &Decoder, to: &mut Planes, lanes: Range<usize>) {
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
/// As [`super::kernels::Kernels::signals`] demands; `lanes` is inside a tile.
#[inline(always)]
pub unsafe fn signals<V: Lanes>(decoder: &Decoder, planes: &mut Planes, lanes: Range<usize>) {
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
/// As [`super::kernels::Kernels::develop`] demands; `lanes` is inside a tile and the slices.
#[inline(always)]
pub unsafe fn develop<V: Lanes>(
    light: &Planes,
    developer: &Developer,
    codes: &mut [u8],
    gains: &mut [u32],
    lanes: Range<usize>,
) {
    for i in lanes.step_by(V::COUNT) {
        let rgb @ [r, g, b] = load::<V>(light, i);
        let both = entry(&developer.tone, r.max(g).max(b));
        let factor = V::from_bits(V::and(both, V::splat_bits(!GAIN_MASK)));
        put_codes(rgb, factor, developer, codes, i);
        V::store_words(V::and(both, V::splat_bits(GAIN_MASK)), gains.as_mut_ptr().add(i).cast());
    }
}

/// # Safety
/// As [`super::kernels::Kernels::tones`] demands; `lanes` is inside a tile and the slice.
#[inline(always)]
pub unsafe fn tones<V: Lanes>(light: &Planes, developer: &Developer, gains: &mut [u32], lanes: Range<usize>) {
    for i in lanes.step_by(V::COUNT) {
        let [r, g, b] = load::<V>(light, i);
        let both = entry(&developer.tone, r.max(g).max(b));
        V::store_words(V::and(both, V::splat_bits(GAIN_MASK)), gains.as_mut_ptr().add(i).cast());
    }
}

/// # Safety
/// As [`super::kernels::Kernels::expose`] demands; `lanes` is inside a tile and the slice.
#[inline(always)]
pub unsafe fn expose<V: Lanes>(
    light: &Planes,
    developer: &Developer,
    factors: &Factors,
    found: &[f32; TILE],
    codes: &mut [u8],
    lanes: Range<usize>,
) {
    let (limit, top) = (V::splat(factors.limit), V::splat(2.0 * factors.limit));
    for i in lanes.step_by(V::COUNT) {
        let rgb @ [r, g, b] = load::<V>(light, i);
        let both = entry(&developer.tone, r.max(g).max(b));
        let gain = V::and(both, V::splat_bits(GAIN_MASK));
        // Sixteenths; halves are rounded up.
        let found = V::number(V::load(found.as_ptr().add(i)).add(V::splat(1.0 / 32.0)).round());
        let most = V::from_bits(V::look_up(factors.room.as_ptr(), gain));
        let difference = V::number(gain).add(found.mul(V::splat(-1.0))).min(most);
        let place = difference.add(limit).max(V::splat(0.0)).min(top).round();
        let more = V::from_bits(V::look_up(factors.factors.as_ptr(), place));
        let factor = V::from_bits(V::and(both, V::splat_bits(!GAIN_MASK)));
        put_codes(rgb, factor.mul(more), developer, codes, i);
    }
}

/// Stores the codes of light that is multiplied with a factor.
///
/// # Safety
/// That of [`Lanes`]; `i` and what follows are inside the slice.
#[inline(always)]
unsafe fn put_codes<V: Lanes>(
    [r, g, b]: [V; 3],
    factor: V,
    developer: &Developer,
    codes: &mut [u8],
    i: usize,
) {
    let r = code_of(r.mul(factor), developer);
    let g = code_of(g.mul(factor), developer);
    let b = code_of(b.mul(factor), developer);
    let opaque = V::or(r, V::splat_bits(0xff00_0000));
    let code = V::or(V::or(opaque, V::shl::<8>(g)), V::shl::<16>(b));
    V::store_words(code, codes.as_mut_ptr().add(4 * i));
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
/// As [`super::kernels::Kernels::gains`] demands; `lanes` is inside the slices.
#[inline(always)]
pub unsafe fn gains<V: Lanes>(
    over: &[f32],
    under: &[f32],
    ruler: &Ruler,
    to: &mut [u32],
    lanes: Range<usize>,
) {
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
/// That of [`Lanes`]; there is a factor for every step.
#[inline(always)]
unsafe fn factor<V: Lanes>(samples: &[f32], boost: &Boost, i: usize) -> V {
    let sample = V::load(samples.as_ptr().add(i)).max(V::splat(0.0)).min(V::splat(1.0));
    let place = sample.mul(V::splat((SIGNAL_STEPS - 1) as f32)).round();
    V::from_bits(V::look_up(boost.factors.as_ptr(), place))
}

/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn brighten<V: Lanes>(light: *mut f32, factor: V, boost: &Boost) {
    let base = V::load(light).add(V::splat(boost.base_offset));
    base.mul(factor).add(V::splat(-boost.alternate_offset)).store(light);
}

/// # Safety
/// As [`super::kernels::Kernels::boost`] demands; `lanes` is inside the slices.
#[inline(always)]
pub unsafe fn boost<V: Lanes>(light: &mut [f32], samples: &[f32], boost: &Boost, lanes: Range<usize>) {
    for i in lanes.step_by(V::COUNT) {
        brighten::<V>(light.as_mut_ptr().add(i), factor(samples, boost, i), boost);
    }
}

/// # Safety
/// As [`super::kernels::Kernels::boost_all`] demands; `lanes` is inside a tile and the samples.
#[inline(always)]
pub unsafe fn boost_all<V: Lanes>(
    [r, g, b]: &mut Planes,
    samples: &[f32],
    boost: &Boost,
    lanes: Range<usize>,
) {
    for i in lanes.step_by(V::COUNT) {
        let factor = factor::<V>(samples, boost, i);
        brighten(r.as_mut_ptr().add(i), factor, boost);
        brighten(g.as_mut_ptr().add(i), factor, boost);
        brighten(b.as_mut_ptr().add(i), factor, boost);
    }
}

/// # Safety
/// As [`super::kernels::Kernels::enlarge`] demands; `lanes` and as many more as `first` are inside the columns.
#[inline(always)]
pub unsafe fn enlarge<V: Lanes>(
    row: &[f32],
    columns: &Columns,
    first: usize,
    to: &mut [f32],
    lanes: Range<usize>,
) {
    for i in lanes.step_by(V::COUNT) {
        let at = V::words(columns.places().as_ptr().add(first + i).cast());
        let part = V::load(columns.parts().as_ptr().add(first + i));
        let a = V::from_bits(V::look_up(row.as_ptr().cast(), at));
        let b = V::from_bits(V::look_up(row.as_ptr().add(1).cast(), at));
        a.add(b.add(a.mul(V::splat(-1.0))).mul(part)).store(to.as_mut_ptr().add(i));
    }
}

/// Whole numbers of 0 to `top` for values of 0 to 1.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn code<V: Lanes>(value: V, top: f32) -> V::Bits {
    value.max(V::splat(0.0)).min(V::splat(1.0)).mul(V::splat(top)).round()
}

/// A half float of a number from 0 on, rounded to the nearest; at most 65504.
///
/// # Safety
/// That of [`Lanes`].
#[inline(always)]
unsafe fn half_of<V: Lanes>(value: V) -> V::Bits {
    // The exponent moves from bias 127 to 15 by a product, which also makes subnormal numbers.
    let value = value.max(V::splat(0.0)).min(V::splat(65504.0));
    let bits = value.mul(V::splat(f32::from_bits((127 - 112) << 23))).bits();
    // Plus 0xfff, and one more where the last bit that stays is set.
    let last = V::and(V::shr::<13>(bits), V::splat_bits(1));
    V::shr::<13>(V::sub(bits, V::sub(V::splat_bits(0xfff_u32.wrapping_neg()), last)))
}

/// # Safety
/// As [`super::kernels::Kernels::pack`] demands; `lanes` is inside a tile and the row.
#[inline(always)]
pub unsafe fn pack<V: Lanes>(kind: Pack, planes: &Planes, alpha: &[f32], to: &mut [u8], lanes: Range<usize>) {
    for i in lanes.step_by(V::COUNT) {
        let [r, g, b] = load::<V>(planes, i);
        let a = V::load(alpha.as_ptr().add(i));
        let [r, g, b, a] = match kind {
            Pack::Ten => [code(r, 1023.0), code(g, 1023.0), code(b, 1023.0), code(a, 3.0)],
            Pack::Sixteen => [code(r, 65535.0), code(g, 65535.0), code(b, 65535.0), code(a, 65535.0)],
            Pack::Half => [half_of(r), half_of(g), half_of(b), half_of(a)],
        };
        if kind == Pack::Ten {
            let word = V::or(V::or(r, V::shl::<10>(g)), V::or(V::shl::<20>(b), V::shl::<30>(a)));
            V::store_words(word, to.as_mut_ptr().add(4 * i));
        } else {
            let pairs = [V::or(r, V::shl::<16>(g)), V::or(b, V::shl::<16>(a))];
            V::store_two(pairs, to.as_mut_ptr().add(8 * i));
        }
    }
}

/// # Safety
/// As [`super::kernels::Kernels::curve`] demands; `lanes` is inside the slice.
#[inline(always)]
pub unsafe fn curve<V: Lanes>(values: &mut [f32], table: &LogTable, lanes: Range<usize>) {
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
