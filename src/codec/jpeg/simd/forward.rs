//! Colour conversion and forward transform over any vector width.
#![allow(unsafe_code)] // Vector intrinsics and raw loads.

use super::super::dct;
use super::super::front::{Part, PixelOrder, Place, Plain, Row, TILE, matrix};
use super::super::tables::{Block, Quantizer};
use super::lanes::Lanes;

/// Shuffles that spread the pixels of a lane into pairs of 16-bit samples.
struct Spread<V> {
    rg: [V; 2],
    bg: [V; 2],
}

impl<V: Lanes> Spread<V> {
    #[inline(always)]
    unsafe fn new(order: &PixelOrder) -> Spread<V> {
        let [[rg0, rg1], [bg0, bg1]] = &order.shuffles;
        // SAFETY: the caller vouches for the CPU features; each table has the 16 bytes that are loaded.
        unsafe {
            Spread {
                rg: [V::load_shuffle(rg0.as_ptr()), V::load_shuffle(rg1.as_ptr())],
                bg: [V::load_shuffle(bg0.as_ptr()), V::load_shuffle(bg1.as_ptr())],
            }
        }
    }
}

#[inline(always)]
unsafe fn pair<V: Lanes>((low, high): (i16, i16)) -> V {
    // SAFETY: the caller vouches for the CPU features.
    unsafe { V::splat32(i32::from(high) << 16 | i32::from(low as u16)) }
}

/// One channel of eight pixels a lane from their red-green and blue-green pairs.
#[inline(always)]
unsafe fn channel<V: Lanes>(rg: [V; 2], bg: [V; 2], bias: i32, by_rg: (i16, i16), by_bg: (i16, i16)) -> V {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        let (bias, by_rg, by_bg) = (V::splat32(bias), pair::<V>(by_rg), pair::<V>(by_bg));
        let first = V::dot(V::dot(bias, rg[0], by_rg), bg[0], by_bg).sra32::<16, 16>();
        let last = V::dot(V::dot(bias, rg[1], by_rg), bg[1], by_bg).sra32::<16, 16>();
        first.pack32(last)
    }
}

/// Y and the complements of Cb and Cr for `8 * V::BLOCKS` pixels.
#[inline(always)]
unsafe fn convert<V: Lanes, const BYTES: usize>(from: *const u8, spread: &Spread<V>) -> (V, V, V) {
    // SAFETY: the caller vouches for the CPU features and for the pixels.
    unsafe {
        let (first, last) = V::pixels::<BYTES>(from);
        let rg = [first.shuffle8(spread.rg[0]), last.shuffle8(spread.rg[1])];
        let bg = [first.shuffle8(spread.bg[0]), last.shuffle8(spread.bg[1])];
        (
            channel(rg, bg, matrix::Y_BIAS, matrix::Y_RG, matrix::Y_BG),
            channel(rg, bg, matrix::C_BIAS, matrix::CB_RG, matrix::CB_BG),
            channel(rg, bg, matrix::C_BIAS, matrix::CR_RG, matrix::CR_BG),
        )
    }
}

/// Averages the chroma of two vectors (complements, or sums of two) over pixel pairs: `(bias - a - b) >> N`.
#[inline(always)]
unsafe fn fold<V: Lanes, const N: i32, const M: u32>(a: V, b: V, bias: V) -> V {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        let minus = V::splat16(-1);
        V::dot(bias, a, minus).sra32::<N, M>().pack_in_order(V::dot(bias, b, minus).sra32::<N, M>())
    }
}

/// Converts one tile row; with `FOLD` chroma is averaged over pixel pairs.
///
/// # Safety
/// The CPU has the features of `V`.
#[inline(always)]
pub unsafe fn rgb_row<V: Lanes, const BYTES: usize, const FOLD: bool>(
    row: &[u8],
    order: &PixelOrder,
    y: &mut Row,
    cb: &mut Row,
    cr: &mut Row,
) {
    assert!(row.len() >= TILE * BYTES);
    // SAFETY: pixels `x..x + step` lie below TILE, which `row` and the outputs hold.
    unsafe {
        let spread = Spread::<V>::new(order);
        // Rounds 0 and 1 in turn, as libjpeg does; minus 2 for the two complements.
        let bias = V::splat_pair(-2, -1);
        let step = 8 * V::BLOCKS;
        for x in (0..TILE).step_by(2 * step) {
            let (luma0, blue0, red0) = convert::<V, BYTES>(row.as_ptr().add(x * BYTES), &spread);
            let (luma1, blue1, red1) = convert::<V, BYTES>(row.as_ptr().add((x + step) * BYTES), &spread);
            luma0.store(y.as_mut_ptr().add(x));
            luma1.store(y.as_mut_ptr().add(x + step));
            if FOLD {
                fold::<V, 1, 1>(blue0, blue1, bias).store(cb.as_mut_ptr().add(x / 2));
                fold::<V, 1, 1>(red0, red1, bias).store(cr.as_mut_ptr().add(x / 2));
            } else {
                blue0.not().store(cb.as_mut_ptr().add(x));
                blue1.not().store(cb.as_mut_ptr().add(x + step));
                red0.not().store(cr.as_mut_ptr().add(x));
                red1.not().store(cr.as_mut_ptr().add(x + step));
            }
        }
    }
}

/// Converts two tile rows and averages chroma over 2 x 2 pixels.
///
/// # Safety
/// The CPU has the features of `V`.
#[inline(always)]
pub unsafe fn rgb_pair<V: Lanes, const BYTES: usize>(
    rows: [&[u8]; 2],
    order: &PixelOrder,
    y: [&mut Row; 2],
    cb: &mut Row,
    cr: &mut Row,
) {
    assert!(rows.iter().all(|row| row.len() >= TILE * BYTES));
    // SAFETY: pixels `x..x + step` lie below TILE, which the rows and the outputs hold.
    unsafe {
        let spread = Spread::<V>::new(order);
        // Rounds 1 and 2 in turn, as libjpeg does; minus 4 for the four complements.
        let bias = V::splat_pair(-3, -2);
        let step = 8 * V::BLOCKS;
        let [y0, y1] = y;
        for x in (0..TILE).step_by(2 * step) {
            let mut sums = [(V::splat16(0), V::splat16(0)); 2];
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = x + i * step;
                let (luma, blue0, red0) = convert::<V, BYTES>(rows[0].as_ptr().add(x * BYTES), &spread);
                luma.store(y0.as_mut_ptr().add(x));
                let (luma, blue1, red1) = convert::<V, BYTES>(rows[1].as_ptr().add(x * BYTES), &spread);
                luma.store(y1.as_mut_ptr().add(x));
                *sum = (blue0.add16(blue1), red0.add16(red1));
            }
            fold::<V, 2, 2>(sums[0].0, sums[1].0, bias).store(cb.as_mut_ptr().add(x / 2));
            fold::<V, 2, 2>(sums[0].1, sums[1].1, bias).store(cr.as_mut_ptr().add(x / 2));
        }
    }
}

/// Transposes the 8 x 8 matrix of each lane column.
#[inline(always)]
unsafe fn transpose<V: Lanes>(r: [V; 8]) -> [V; 8] {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        let a = [
            r[0].low16(r[1]),
            r[0].high16(r[1]),
            r[2].low16(r[3]),
            r[2].high16(r[3]),
            r[4].low16(r[5]),
            r[4].high16(r[5]),
            r[6].low16(r[7]),
            r[6].high16(r[7]),
        ];
        let b = [
            a[0].low32(a[2]),
            a[0].high32(a[2]),
            a[1].low32(a[3]),
            a[1].high32(a[3]),
            a[4].low32(a[6]),
            a[4].high32(a[6]),
            a[5].low32(a[7]),
            a[5].high32(a[7]),
        ];
        [
            b[0].low64(b[4]),
            b[0].high64(b[4]),
            b[1].low64(b[5]),
            b[1].high64(b[5]),
            b[2].low64(b[6]),
            b[2].high64(b[6]),
            b[3].low64(b[7]),
            b[3].high64(b[7]),
        ]
    }
}

/// Shifts 32-bit sums back to 16 bits; their rounding is in already.
#[inline(always)]
unsafe fn narrow<V: Lanes, const SECOND: bool>(low: V, high: V) -> V {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        if SECOND {
            low.sra32::<15, 15>().pack32(high.sra32::<15, 15>())
        } else {
            low.sra32::<11, 11>().pack32(high.sra32::<11, 11>())
        }
    }
}

/// An even output: a rotation of `d[0]` and `d[1]`, whose pairs are in the low and the high vector.
#[inline(always)]
unsafe fn rotate<V: Lanes, const SECOND: bool>(d: [V; 2], round: V, factors: (i16, i16)) -> V {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        let factors = pair(factors);
        narrow::<V, SECOND>(V::dot(round, d[0], factors), V::dot(round, d[1], factors))
    }
}

/// An odd output: a sum over two pairs of differences.
#[inline(always)]
unsafe fn mix<V: Lanes, const SECOND: bool>(a: [V; 2], b: [V; 2], round: V, f: [i16; 4]) -> V {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        let (by_a, by_b) = (pair((f[0], f[1])), pair((f[2], f[3])));
        let low = V::dot(V::dot(round, a[0], by_a), b[0], by_b);
        let high = V::dot(V::dot(round, a[1], by_a), b[1], by_b);
        narrow::<V, SECOND>(low, high)
    }
}

/// An output without multiplications.
#[inline(always)]
unsafe fn whole<V: Lanes, const SECOND: bool>(v: V) -> V {
    // SAFETY: the caller vouches for the CPU features.
    unsafe { if SECOND { v.add16(V::splat16(2)).sra16::<2, 2>() } else { v.shl16::<2, 2>() } }
}

/// One dimension of the transform ([`dct`](super::super::dct) says which); the second pass takes the scale back.
#[inline(always)]
unsafe fn pass<V: Lanes, const SECOND: bool>(d: [V; 8]) -> [V; 8] {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        let round = V::splat32(if SECOND { 1 << 14 } else { 1 << 10 });
        let (sum0, odd7) = (d[0].add16(d[7]), d[0].sub16(d[7]));
        let (sum1, odd6) = (d[1].add16(d[6]), d[1].sub16(d[6]));
        let (sum2, odd5) = (d[2].add16(d[5]), d[2].sub16(d[5]));
        let (sum3, odd4) = (d[3].add16(d[4]), d[3].sub16(d[4]));
        let (even0, even3) = (sum0.add16(sum3), sum0.sub16(sum3));
        let (even1, even2) = (sum1.add16(sum2), sum1.sub16(sum2));

        let even = [even2.low16(even3), even2.high16(even3)];
        let odd45 = [odd4.low16(odd5), odd4.high16(odd5)];
        let odd67 = [odd6.low16(odd7), odd6.high16(odd7)];
        [
            whole::<V, SECOND>(even0.add16(even1)),
            mix::<V, SECOND>(odd45, odd67, round, dct::ODD[0]),
            rotate::<V, SECOND>(even, round, dct::EVEN[0]),
            mix::<V, SECOND>(odd45, odd67, round, dct::ODD[1]),
            whole::<V, SECOND>(even0.sub16(even1)),
            mix::<V, SECOND>(odd45, odd67, round, dct::ODD[2]),
            rotate::<V, SECOND>(even, round, dct::EVEN[1]),
            mix::<V, SECOND>(odd45, odd67, round, dct::ODD[3]),
        ]
    }
}

/// Transforms `blocks` blocks side by side in a tile (rounded up to whole vectors) and quantises them when told to.
///
/// # Safety
/// The CPU has the features of `V`.
#[inline(always)]
pub unsafe fn forward<V: Lanes, const QUANTIZE: bool>(
    samples: &[i16],
    blocks: usize,
    quantizer: Option<&Quantizer>,
    out: &mut [Block],
    place: Place,
) {
    let rounded = blocks.next_multiple_of(V::BLOCKS);
    assert!(samples.len() >= 7 * TILE + 8 * rounded && rounded * 8 <= TILE);
    // SAFETY: the assertion covers 8 rows of `8 * rounded` samples.
    let load = |x: usize, y: usize| unsafe { V::load(samples.as_ptr().add(y * TILE + x)) };
    // SAFETY: the caller vouches for the CPU features.
    unsafe { transform::<V, QUANTIZE>(load, rounded, quantizer, out, place) }
}

/// The same for samples in the input.
///
/// # Safety
/// The CPU has the features of `V`.
#[inline(always)]
pub unsafe fn forward_plain<V: Lanes>(
    Plain { data, stride, part }: Plain,
    blocks: usize,
    quantizer: &Quantizer,
    out: &mut [Block],
    place: Place,
) {
    let rounded = blocks.next_multiple_of(V::BLOCKS);
    let bytes = if part == Part::All { 1 } else { 2 };
    assert!(data.len() >= 7 * stride + 8 * rounded * bytes);
    let from = |x: usize, y: usize| data.as_ptr().wrapping_add(y * stride + x * bytes);
    let quantizer = Some(quantizer);
    // SAFETY: the caller vouches for the CPU features; the assertion covers 8 rows of `8 * rounded` samples.
    unsafe {
        match part {
            Part::All => {
                transform::<V, true>(|x, y| V::load_bytes(from(x, y)), rounded, quantizer, out, place)
            }
            Part::First => transform::<V, true>(
                |x, y| V::load_pairs::<false>(from(x, y)),
                rounded,
                quantizer,
                out,
                place,
            ),
            Part::Second => {
                transform::<V, true>(|x, y| V::load_pairs::<true>(from(x, y)), rounded, quantizer, out, place)
            }
        }
    }
}

/// Transforms blocks (a multiple of `V::BLOCKS`) whose samples `load` has, by column and row.
#[inline(always)]
unsafe fn transform<V: Lanes, const QUANTIZE: bool>(
    load: impl Fn(usize, usize) -> V,
    blocks: usize,
    quantizer: Option<&Quantizer>,
    out: &mut [Block],
    place: Place,
) {
    assert!(place.last(blocks) < out.len());
    // SAFETY: the caller vouches for the CPU features, and the assertion covers the places of the blocks.
    unsafe {
        for first in (0..blocks).step_by(V::BLOCKS) {
            let mut rows = [V::splat16(0); 8];
            for (y, row) in rows.iter_mut().enumerate() {
                *row = load(8 * first, y);
            }
            let columns = pass::<V, false>(transpose(rows));
            let coefficients = pass::<V, true>(transpose(columns));

            let mut to = [core::ptr::null_mut(); 4];
            for (i, to) in to.iter_mut().take(V::BLOCKS).enumerate() {
                *to = out.as_mut_ptr().add(place.of(first + i)).cast::<i16>();
            }
            for (row, &value) in coefficients.iter().enumerate() {
                let value = match quantizer {
                    Some(q) if QUANTIZE => value.quantize(
                        V::load_entries(q.corr.as_ptr().add(8 * row)),
                        V::load_entries(q.recip.as_ptr().add(8 * row)),
                        V::load_entries(q.scale.as_ptr().add(8 * row)),
                    ),
                    _ => value,
                };
                value.scatter(&to, 8 * row);
            }
        }
    }
}
