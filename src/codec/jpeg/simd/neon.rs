//! Kernels for NEON, which every 64-bit ARM CPU has.
#![allow(unsafe_code)] // Vector loads and stores.

use core::arch::aarch64::*;

use super::super::bits::BitWriter;
use super::super::dct;
use super::super::entropy::{self, Order, zigzag_mask};
use super::super::front::{PixelOrder, Place, Row, TILE};
use super::super::tables::{Block, Quantizer};

/// Red, green and blue of 16 pixels.
#[target_feature(enable = "neon")]
#[inline]
fn load(row: &[u8], x: usize, order: &PixelOrder) -> [uint8x16_t; 3] {
    if order.bytes == 3 {
        let from: &[u8; 48] = row[3 * x..].first_chunk().expect("16 pixels");
        // SAFETY: 48 bytes are read.
        let v = unsafe { vld3q_u8(from.as_ptr()) };
        let v = [v.0, v.1, v.2];
        [v[order.red], v[order.green], v[order.blue]]
    } else {
        let from: &[u8; 64] = row[4 * x..].first_chunk().expect("16 pixels");
        // SAFETY: 64 bytes are read.
        let v = unsafe { vld4q_u8(from.as_ptr()) };
        let v = [v.0, v.1, v.2, v.3];
        [v[order.red], v[order.green], v[order.blue]]
    }
}

/// `(bias + red * r + green * g + blue * b) >> 16 - 128` for eight pixels; factors beyond 15 bits and negative ones
/// work modulo 2^32.
#[target_feature(enable = "neon")]
#[inline]
fn channel([r, g, b]: [uint16x8_t; 3], bias: u32, plus: [u16; 3], minus: [u16; 3]) -> int16x8_t {
    let half = |r: uint16x4_t, g: uint16x4_t, b: uint16x4_t| {
        let mut sum = vdupq_n_u32(bias);
        for (v, (plus, minus)) in [r, g, b].into_iter().zip(plus.into_iter().zip(minus)) {
            if plus > 0 {
                sum = vmlal_n_u16(sum, v, plus);
            }
            if minus > 0 {
                sum = vmlsl_n_u16(sum, v, minus);
            }
        }
        vshrn_n_u32::<16>(sum)
    };
    let low = half(vget_low_u16(r), vget_low_u16(g), vget_low_u16(b));
    let high = half(vget_high_u16(r), vget_high_u16(g), vget_high_u16(b));
    vsubq_s16(vreinterpretq_s16_u16(vcombine_u16(low, high)), vdupq_n_s16(128))
}

/// Y, Cb and Cr of 16 pixels, eight in each vector.
#[target_feature(enable = "neon")]
#[inline]
fn convert(row: &[u8], x: usize, order: &PixelOrder) -> [[int16x8_t; 2]; 3] {
    let rgb = load(row, x, order);
    let halves = [rgb.map(|v| vmovl_u8(vget_low_u8(v))), rgb.map(|v| vmovl_u8(vget_high_u8(v)))];
    let chroma = (128 << 16) + 32767;
    [
        halves.map(|v| channel(v, 32768, [19595, 38470, 7471], [0; 3])),
        halves.map(|v| channel(v, chroma, [0, 0, 32768], [11059, 21709, 0])),
        halves.map(|v| channel(v, chroma, [32768, 0, 0], [0, 27439, 5329])),
    ]
}

#[target_feature(enable = "neon")]
#[inline]
fn store(to: &mut Row, x: usize, v: int16x8_t) {
    let to: &mut [i16; 8] = to[x..].first_chunk_mut().expect("eight samples");
    // SAFETY: eight samples are written.
    unsafe { vst1q_s16(to.as_mut_ptr(), v) }
}

/// Two values in turn.
#[target_feature(enable = "neon")]
#[inline]
fn alternate(even: i16, odd: i16) -> int16x8_t {
    vreinterpretq_s16_s32(vdupq_n_s32(i32::from(odd) << 16 | i32::from(even)))
}

#[target_feature(enable = "neon")]
pub fn rgb_row(row: &[u8], order: &PixelOrder, y: &mut Row, cb: &mut Row, cr: &mut Row) {
    for x in (0..TILE).step_by(16) {
        for (to, v) in [&mut *y, cb, cr].into_iter().zip(convert(row, x, order)) {
            store(to, x, v[0]);
            store(to, x + 8, v[1]);
        }
    }
}

#[target_feature(enable = "neon")]
pub fn rgb_row_folded(row: &[u8], order: &PixelOrder, y: &mut Row, cb: &mut Row, cr: &mut Row) {
    let bias = alternate(0, 1);
    for x in (0..TILE).step_by(16) {
        let [luma, blue, red] = convert(row, x, order);
        store(y, x, luma[0]);
        store(y, x + 8, luma[1]);
        let fold = |v: [int16x8_t; 2]| vshrq_n_s16::<1>(vaddq_s16(vpaddq_s16(v[0], v[1]), bias));
        store(cb, x / 2, fold(blue));
        store(cr, x / 2, fold(red));
    }
}

#[target_feature(enable = "neon")]
pub fn rgb_pair(rows: [&[u8]; 2], order: &PixelOrder, y: [&mut Row; 2], cb: &mut Row, cr: &mut Row) {
    let bias = alternate(1, 2);
    let [y0, y1] = y;
    for x in (0..TILE).step_by(16) {
        let [luma, blue0, red0] = convert(rows[0], x, order);
        store(y0, x, luma[0]);
        store(y0, x + 8, luma[1]);
        let [luma, blue1, red1] = convert(rows[1], x, order);
        store(y1, x, luma[0]);
        store(y1, x + 8, luma[1]);
        let fold = |a: [int16x8_t; 2], b: [int16x8_t; 2]| {
            let sums = vpaddq_s16(vaddq_s16(a[0], b[0]), vaddq_s16(a[1], b[1]));
            vshrq_n_s16::<2>(vaddq_s16(sums, bias))
        };
        store(cb, x / 2, fold(blue0, blue1));
        store(cr, x / 2, fold(red0, red1));
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn transpose(r: [int16x8_t; 8]) -> [int16x8_t; 8] {
    let pairs = |a: int16x8_t, b: int16x8_t| {
        [vreinterpretq_s32_s16(vtrn1q_s16(a, b)), vreinterpretq_s32_s16(vtrn2q_s16(a, b))]
    };
    let [a, b, c, d] = [pairs(r[0], r[1]), pairs(r[2], r[3]), pairs(r[4], r[5]), pairs(r[6], r[7])];
    let quads = |a: int32x4_t, b: int32x4_t| {
        [vreinterpretq_s64_s32(vtrn1q_s32(a, b)), vreinterpretq_s64_s32(vtrn2q_s32(a, b))]
    };
    // Columns 0 and 4, 2 and 6 come from the even members, 1 and 5, 3 and 7 from the odd ones.
    let [top0, top2] = quads(a[0], b[0]);
    let [top1, top3] = quads(a[1], b[1]);
    let [low0, low2] = quads(c[0], d[0]);
    let [low1, low3] = quads(c[1], d[1]);
    [
        vtrn1q_s64(top0, low0),
        vtrn1q_s64(top1, low1),
        vtrn1q_s64(top2, low2),
        vtrn1q_s64(top3, low3),
        vtrn2q_s64(top0, low0),
        vtrn2q_s64(top1, low1),
        vtrn2q_s64(top2, low2),
        vtrn2q_s64(top3, low3),
    ]
    .map(|v| vreinterpretq_s16_s64(v))
}

/// One dimension of the transform ([`dct`] says which); the second pass takes the scale back.
#[target_feature(enable = "neon")]
#[inline]
fn pass<const SECOND: bool>(d: [int16x8_t; 8]) -> [int16x8_t; 8] {
    let sum = |i: usize| vaddq_s16(d[i], d[7 - i]);
    let difference = |i: usize| vsubq_s16(d[i], d[7 - i]);
    let (even0, even3) = (vaddq_s16(sum(0), sum(3)), vsubq_s16(sum(0), sum(3)));
    let (even1, even2) = (vaddq_s16(sum(1), sum(2)), vsubq_s16(sum(1), sum(2)));
    let odd = [difference(3), difference(2), difference(1), difference(0)];

    let whole = |v: int16x8_t| if SECOND { vrshrq_n_s16::<2>(v) } else { vshlq_n_s16::<2>(v) };
    let narrow = |v: int32x4_t| if SECOND { vrshrn_n_s32::<15>(v) } else { vrshrn_n_s32::<11>(v) };
    let rotate = |(a, b): (i16, i16)| {
        let low = vmlal_n_s16(vmull_n_s16(vget_low_s16(even2), a), vget_low_s16(even3), b);
        let high = vmlal_n_s16(vmull_n_s16(vget_high_s16(even2), a), vget_high_s16(even3), b);
        vcombine_s16(narrow(low), narrow(high))
    };
    let mix = |f: [i16; 4]| {
        let half = |v: [int16x4_t; 4]| {
            let sum = vmlal_n_s16(vmull_n_s16(v[0], f[0]), v[1], f[1]);
            narrow(vmlal_n_s16(vmlal_n_s16(sum, v[2], f[2]), v[3], f[3]))
        };
        vcombine_s16(half(odd.map(|v| vget_low_s16(v))), half(odd.map(|v| vget_high_s16(v))))
    };
    [
        whole(vaddq_s16(even0, even1)),
        mix(dct::ODD[0]),
        rotate(dct::EVEN[0]),
        mix(dct::ODD[1]),
        whole(vsubq_s16(even0, even1)),
        mix(dct::ODD[2]),
        rotate(dct::EVEN[1]),
        mix(dct::ODD[3]),
    ]
}

/// Quantises one row of a block: the products' high halves, with the sign put back.
#[target_feature(enable = "neon")]
#[inline]
fn quantize(value: int16x8_t, q: &Quantizer, row: usize) -> int16x8_t {
    let entries = |table: &[u16; 64]| {
        let from: &[u16; 8] = table[8 * row..].first_chunk().expect("a row of the table");
        // SAFETY: eight entries are read.
        unsafe { vld1q_u16(from.as_ptr()) }
    };
    let high = |a: uint16x8_t, b: uint16x8_t| {
        let low = vmull_u16(vget_low_u16(a), vget_low_u16(b));
        let high = vmull_high_u16(a, b);
        vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high))
    };
    let magnitude = vaddq_u16(vreinterpretq_u16_s16(vabsq_s16(value)), entries(&q.corr));
    let quotient = vreinterpretq_s16_u16(high(high(magnitude, entries(&q.recip)), entries(&q.scale)));
    let sign = vshrq_n_s16::<15>(value);
    vsubq_s16(veorq_s16(quotient, sign), sign)
}

#[target_feature(enable = "neon")]
pub fn forward(samples: &[i16], blocks: usize, q: Option<&Quantizer>, out: &mut [Block], place: Place) {
    for block in 0..blocks {
        let mut rows = [vdupq_n_s16(0); 8];
        for (r, row) in rows.iter_mut().enumerate() {
            let from: &[i16; 8] = samples[r * TILE + 8 * block..].first_chunk().expect("a row of the block");
            // SAFETY: eight samples are read.
            *row = unsafe { vld1q_s16(from.as_ptr()) };
        }
        let coefficients = pass::<true>(transpose(pass::<false>(transpose(rows))));
        let to = out[place.of(block)].0.as_chunks_mut::<8>().0;
        for (row, (to, value)) in to.iter_mut().zip(coefficients).enumerate() {
            let value = q.map_or(value, |q| quantize(value, q, row));
            // SAFETY: eight coefficients are written.
            unsafe { vst1q_s16(to.as_mut_ptr(), value) };
        }
    }
}

#[target_feature(enable = "neon")]
pub fn encode(writer: &mut BitWriter, blocks: &[Block], order: &Order, dc: &mut [i16; 3]) {
    entropy::encode_with(writer, blocks, order, dc, |block| nonzero(block));
}

#[target_feature(enable = "neon")]
pub fn masks(blocks: &[Block], masks: &mut [u64]) {
    for (block, mask) in blocks.iter().zip(masks) {
        *mask = nonzero(block);
    }
}

/// Mask of the nonzero coefficients in zigzag order.
#[target_feature(enable = "neon")]
#[inline]
fn nonzero(block: &Block) -> u64 {
    const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: 16 bytes are read.
    let bits = unsafe { vld1q_u8(BITS.as_ptr()) };
    let rows = block.0.as_chunks::<8>().0;
    let two = |i: usize| {
        // SAFETY: both rows have eight coefficients.
        let (a, b) = unsafe { (vld1q_s16(rows[i].as_ptr()), vld1q_s16(rows[i + 1].as_ptr())) };
        let bytes = vcombine_s8(vqmovn_s16(a), vqmovn_s16(b));
        vandq_u8(vtstq_s8(bytes, bytes), bits)
    };
    let sums = vpaddq_u8(vpaddq_u8(two(0), two(2)), vpaddq_u8(two(4), two(6)));
    zigzag_mask(vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums))))
}
