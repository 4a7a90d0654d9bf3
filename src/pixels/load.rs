//! From the bytes of a packed pixel format to pixels.

use super::{
    sample::{Rgba, Sample},
    simd::{map, unpack_3, update},
};
use crate::model::pixel_format::PixelFormat;

/// Pixels from the bytes of a row. `opaque` says that alpha has no meaning.
pub fn load<S: Sample>(format: PixelFormat, opaque: bool, row: &[u8], to: &mut [Rgba<S>]) {
    // Alpha of four bytes in the order red, green, blue, alpha.
    let alpha = if opaque { 0xff00_0000 } else { 0 };
    let bytes = move |pixel: u32| S::from_bytes((pixel | alpha).to_le_bytes());
    let gray = |v: S, alpha: S| [v, v, v, alpha];
    match format {
        PixelFormat::Rgba8888 | PixelFormat::Rgbx8888 => {
            each::<4, S>(row, to, |p| bytes(u32::from_le_bytes(p)))
        }
        PixelFormat::Bgra8888 | PixelFormat::Bgrx8888 => {
            each::<4, S>(row, to, |p| bytes(u32::from_le_bytes(swapped(p))));
        }
        PixelFormat::Argb8888 => each::<4, S>(row, to, |p| bytes(u32::from_le_bytes(p).rotate_right(8))),
        PixelFormat::Rgb888 | PixelFormat::Bgr888 => {
            let reverse = format == PixelFormat::Bgr888;
            let from = row.as_chunks::<3>().0;
            match S::as_bytes_mut(to) {
                Some(to) => unpack_3(from, to, reverse),
                None if reverse => map(from, to, |[b, g, r]| S::from_bytes([r, g, b, 255])),
                None => map(from, to, |[r, g, b]| S::from_bytes([r, g, b, 255])),
            }
        }
        PixelFormat::Rgb565 => each::<2, S>(row, to, |p| {
            // Rounded to 8 bits: v * 255 / 31 and v * 255 / 63.
            let v = u32::from(u16::from_ne_bytes(p));
            let (r, g, b) = (v >> 11, (v >> 5) & 63, v & 31);
            let five = |v: u32| (v * 527 + 23) >> 6;
            bytes(five(r) | ((g * 259 + 33) >> 6) << 8 | five(b) << 16)
        }),
        PixelFormat::Rgba1010102 => each::<4, S>(row, to, |p| {
            let v = u32::from_ne_bytes(p);
            let ten = |shift: u32| S::from_10(((v >> shift) & 1023) as u16);
            let alpha = if opaque { 255 } else { (v >> 30) as u8 * 85 };
            [ten(0), ten(10), ten(20), S::from_8(alpha)]
        }),
        PixelFormat::Gray8 => {
            each::<1, S>(row, to, |[v]| {
                S::from_bytes((u32::from(v) * 0x01_0101 | 0xff00_0000).to_le_bytes())
            });
        }
        PixelFormat::GrayAlpha88 => {
            each::<2, S>(row, to, |[v, a]| bytes(u32::from(v) * 0x01_0101 | u32::from(a) << 24));
        }
        PixelFormat::Alpha8 => each::<1, S>(row, to, |[a]| bytes(u32::from(a) << 24)),
        PixelFormat::Gray16 => {
            each::<2, S>(row, to, |v| gray(S::from_16(u16::from_ne_bytes(v)), S::MAX));
        }
        PixelFormat::Rgb161616 => each::<6, S>(row, to, |p| {
            let [r, g, b] =
                [[p[0], p[1]], [p[2], p[3]], [p[4], p[5]]].map(|v| S::from_16(u16::from_ne_bytes(v)));
            [r, g, b, S::MAX]
        }),
        PixelFormat::Rgba16161616 => {
            components::<2, S>(row, opaque, to, |v| S::from_16(u16::from_ne_bytes(v)));
        }
        PixelFormat::RgbaF16 => {
            components::<2, S>(row, opaque, to, |v| S::from_float(half(u16::from_ne_bytes(v))));
        }
        PixelFormat::RgbaF32 => {
            components::<4, S>(row, opaque, to, |v| S::from_float(f32::from_ne_bytes(v)));
        }
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

/// Red and blue exchanged.
#[inline(always)]
pub fn swapped(pixel: [u8; 4]) -> [u8; 4] {
    let v = u32::from_le_bytes(pixel);
    ((v & 0xff00_ff00) | ((v >> 16) & 0xff) | (v & 0xff) << 16).to_le_bytes()
}

fn each<const N: usize, S: Sample>(row: &[u8], to: &mut [Rgba<S>], f: impl Fn([u8; N]) -> Rgba<S>) {
    map(row.as_chunks::<N>().0, to, f);
}

/// All four components alike.
fn components<const N: usize, S: Sample>(
    row: &[u8],
    opaque: bool,
    to: &mut [Rgba<S>],
    f: impl Fn([u8; N]) -> S,
) {
    map(row.as_chunks::<N>().0, to.as_flattened_mut(), f);
    if opaque {
        update(to, |[r, g, b, _]| [r, g, b, S::MAX]);
    }
}

/// A half float. Infinities become 65536, not a number 0.
#[inline(always)]
pub fn half(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff);
    let sign = u32::from(bits & 0x8000) << 16;
    // The exponent moves from bias 15 to 127; without one, the number counts steps of 2^-24.
    let value = if magnitude >= 0x400 {
        (magnitude << 13) + ((127 - 15) << 23)
    } else {
        (magnitude as f32 * (1.0 / (1 << 24) as f32)).to_bits()
    };
    if magnitude > 0x7c00 { 0.0 } else { f32::from_bits(value | sign) }
}
