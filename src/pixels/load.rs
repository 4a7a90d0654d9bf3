//! From the bytes of a packed pixel format to pixels.

use super::{
    sample::{Rgba, Sample},
    simd::map,
};
use crate::model::pixel_format::PixelFormat;

/// Pixels from the bytes of a row. `opaque` says that alpha has no meaning.
pub fn load<S: Sample>(format: PixelFormat, opaque: bool, row: &[u8], to: &mut [Rgba<S>]) {
    let alpha = move |alpha: S| if opaque { S::MAX } else { alpha };
    let gray = |v: S, alpha: S| [v, v, v, alpha];
    match format {
        PixelFormat::Rgba8888 => each::<4, S>(row, to, |[r, g, b, a]| {
            [S::from_8(r), S::from_8(g), S::from_8(b), alpha(S::from_8(a))]
        }),
        PixelFormat::Bgra8888 => each::<4, S>(row, to, |[b, g, r, a]| {
            [S::from_8(r), S::from_8(g), S::from_8(b), alpha(S::from_8(a))]
        }),
        PixelFormat::Argb8888 => each::<4, S>(row, to, |[a, r, g, b]| {
            [S::from_8(r), S::from_8(g), S::from_8(b), alpha(S::from_8(a))]
        }),
        PixelFormat::Rgbx8888 => {
            each::<4, S>(row, to, |[r, g, b, _]| [S::from_8(r), S::from_8(g), S::from_8(b), S::MAX]);
        }
        PixelFormat::Bgrx8888 => {
            each::<4, S>(row, to, |[b, g, r, _]| [S::from_8(r), S::from_8(g), S::from_8(b), S::MAX]);
        }
        PixelFormat::Rgb888 => {
            each::<3, S>(row, to, |[r, g, b]| [S::from_8(r), S::from_8(g), S::from_8(b), S::MAX]);
        }
        PixelFormat::Bgr888 => {
            each::<3, S>(row, to, |[b, g, r]| [S::from_8(r), S::from_8(g), S::from_8(b), S::MAX]);
        }
        PixelFormat::Rgb565 => each::<2, S>(row, to, |bytes| {
            // Rounded to 8 bits: v * 255 / 31 and v * 255 / 63.
            let v = u32::from(u16::from_ne_bytes(bytes));
            let (r, g, b) = (v >> 11, (v >> 5) & 63, v & 31);
            let five = |v: u32| S::from_8(((v * 527 + 23) >> 6) as u8);
            [five(r), S::from_8(((g * 259 + 33) >> 6) as u8), five(b), S::MAX]
        }),
        PixelFormat::Rgba1010102 => each::<4, S>(row, to, |bytes| {
            let v = u32::from_ne_bytes(bytes);
            let ten = |shift: u32| S::from_10(((v >> shift) & 1023) as u16);
            [ten(0), ten(10), ten(20), alpha(S::from_8((v >> 30) as u8 * 85))]
        }),
        PixelFormat::Gray8 => each::<1, S>(row, to, |[v]| gray(S::from_8(v), S::MAX)),
        PixelFormat::GrayAlpha88 => {
            each::<2, S>(row, to, |[v, a]| gray(S::from_8(v), alpha(S::from_8(a))));
        }
        PixelFormat::Alpha8 => each::<1, S>(row, to, |[a]| gray(S::default(), alpha(S::from_8(a)))),
        PixelFormat::Gray16 => {
            each::<2, S>(row, to, |v| gray(S::from_16(u16::from_ne_bytes(v)), S::MAX));
        }
        PixelFormat::Rgb161616 => each::<6, S>(row, to, |p| {
            let [r, g, b] = [0, 2, 4].map(|i| S::from_16(u16::from_ne_bytes([p[i], p[i + 1]])));
            [r, g, b, S::MAX]
        }),
        PixelFormat::Rgba16161616 => each::<8, S>(row, to, |p| {
            let [r, g, b, a] = [0, 2, 4, 6].map(|i| S::from_16(u16::from_ne_bytes([p[i], p[i + 1]])));
            [r, g, b, alpha(a)]
        }),
        PixelFormat::RgbaF16 => each::<8, S>(row, to, |p| {
            let [r, g, b, a] =
                [0, 2, 4, 6].map(|i| S::from_float(half(u16::from_ne_bytes([p[i], p[i + 1]]))));
            [r, g, b, alpha(a)]
        }),
        PixelFormat::RgbaF32 => each::<16, S>(row, to, |p| {
            let [r, g, b, a] = [0, 4, 8, 12]
                .map(|i| S::from_float(f32::from_ne_bytes([p[i], p[i + 1], p[i + 2], p[i + 3]])));
            [r, g, b, alpha(a)]
        }),
        // Luma and chroma are not packed: see `planes`.
        PixelFormat::Nv21
        | PixelFormat::Nv12
        | PixelFormat::YcbcrP010
        | PixelFormat::YcrcbP010
        | PixelFormat::I420
        | PixelFormat::I422
        | PixelFormat::I444 => {}
    }
}

fn each<const N: usize, S: Sample>(row: &[u8], to: &mut [Rgba<S>], f: impl Fn([u8; N]) -> Rgba<S>) {
    map(row.as_chunks::<N>().0, to, f);
}

/// A half float. Infinities become 65536, not a number 0.
#[inline(always)]
fn half(bits: u16) -> f32 {
    // The exponent moves from bias 15 to 127 by a multiplication, which also makes subnormals right.
    let magnitude = u32::from(bits & 0x7fff);
    let value = f32::from_bits(magnitude << 13) * f32::from_bits((254 - 15) << 23);
    let sign = u32::from(bits & 0x8000) << 16;
    if magnitude > 0x7c00 { 0.0 } else { f32::from_bits(value.to_bits() | sign) }
}
