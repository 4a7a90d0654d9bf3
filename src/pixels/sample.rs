//! The three kinds of component that pixels are converted in: 8 bits, 16 bits and floats from 0 to 1.
//!
//! Everything here is arithmetic of one pixel, in order red, green, blue, alpha.

use super::yuv::{FromRgb, ToRgb};

/// A pixel on its way through a conversion.
pub type Rgba<S> = [S; 4];

/// A component.
pub trait Sample: Copy + Default + PartialEq + Send + Sync + std::fmt::Debug + 'static {
    /// Full scale.
    const MAX: Self;
    /// Full scale as a number.
    const SCALE: f32;

    /// From 8 bits.
    fn from_8(code: u8) -> Self;
    /// From 10 bits.
    fn from_10(code: u16) -> Self;
    /// From 16 bits.
    fn from_16(code: u16) -> Self;
    /// From a float, clipped to 0..=1 unless this is a float too. Not a number is 0.
    fn from_float(value: f32) -> Self;
    /// To 8 bits.
    fn to_8(self) -> u8;
    /// To 16 bits.
    fn to_16(self) -> u16;

    /// Straight colour from colour multiplied by alpha, rounded to the nearest: multiplying again answers the
    /// same numbers. Colour that exceeds its alpha is cut to full scale; nothing is left where alpha is 0.
    fn unpremultiply(pixel: Rgba<Self>) -> Rgba<Self>;
    /// Opaque colour over a background.
    fn blend(pixel: Rgba<Self>, background: Rgba<Self>) -> Rgba<Self>;
    /// The same for colour already multiplied by alpha.
    fn blend_premultiplied(pixel: Rgba<Self>, background: Rgba<Self>) -> Rgba<Self>;
    /// Weighted sum of red, green and blue; the weights add up to [`ONE`].
    fn gray(pixel: Rgba<Self>, weights: [u32; 3]) -> Self;
    /// Opaque colour of luma and chroma codes.
    fn from_yuv(y: u16, cb: u16, cr: u16, to: &ToRgb) -> Rgba<Self>;

    /// From 8 bits a component.
    fn from_bytes(pixel: Rgba<u8>) -> Rgba<Self>;
    /// To 8 bits a component.
    fn to_bytes(pixel: Rgba<Self>) -> Rgba<u8>;

    /// The same pixels if components are bytes.
    fn as_bytes(_pixels: &[Rgba<Self>]) -> Option<&[Rgba<u8>]> {
        None
    }
    /// The same pixels if components are bytes.
    fn as_bytes_mut(_pixels: &mut [Rgba<Self>]) -> Option<&mut [Rgba<u8>]> {
        None
    }
}

/// 1.0 of the weights of [`Sample::gray`].
pub const ONE: u32 = 1 << 16;

/// Adding this to a float below 2^22 leaves it, rounded to the nearest whole number, in the low bits.
const MAGIC: f32 = 8_388_608.0;
/// The same for a double below 2^31.
const MAGIC_64: f64 = 4_503_599_627_370_496.0;

/// Rounds a float from 0 to 65535.
#[inline(always)]
fn round(value: f32) -> u32 {
    (value + MAGIC).to_bits() & 0xffff
}

/// Clipped to 0..=1; 0 if it is not a number.
#[allow(clippy::manual_clamp, reason = "clamp leaves what is not a number")]
#[inline(always)]
pub fn unit(value: f32) -> f32 {
    value.max(0.0).min(1.0)
}

/// `value / 257`, rounded.
#[inline(always)]
fn narrow(value: u16) -> u8 {
    ((u32::from(value) * 255 + 32895) >> 16) as u8
}

/// Four 8-bit products of two fields of 16 bits each, divided by 255 and rounded.
#[inline(always)]
fn div_255(fields: u32) -> u32 {
    ((fields + ((fields >> 8) & 0x00ff_00ff)) >> 8) & 0x00ff_00ff
}

impl Sample for u8 {
    const MAX: Self = 255;
    const SCALE: f32 = 255.0;

    #[inline(always)]
    fn from_8(code: u8) -> Self {
        code
    }
    #[inline(always)]
    fn from_10(code: u16) -> Self {
        ((u32::from(code) * 16336 + 32768) >> 16) as u8
    }
    #[inline(always)]
    fn from_16(code: u16) -> Self {
        narrow(code)
    }
    #[inline(always)]
    fn from_float(value: f32) -> Self {
        round(unit(value) * 255.0) as u8
    }
    #[inline(always)]
    fn to_8(self) -> u8 {
        self
    }
    #[inline(always)]
    fn to_16(self) -> u16 {
        u16::from(self) * 257
    }

    #[inline(always)]
    fn unpremultiply(pixel: Rgba<u8>) -> Rgba<u8> {
        // In 32-bit lanes. A float quotient is nearer than half a step of 255/a to the true one, and every tie
        // rounds to a value that premultiplies back to the same number.
        let p = u32::from_le_bytes(pixel);
        let a = p >> 24;
        let inverse = if a == 0 { 0.0 } else { 255.0 / a as f32 };
        let one = |c: u32| round(((c & 255) as f32 * inverse).min(255.0));
        (one(p) | one(p >> 8) << 8 | one(p >> 16) << 16 | a << 24).to_le_bytes()
    }
    #[inline(always)]
    fn blend(pixel: Rgba<u8>, background: Rgba<u8>) -> Rgba<u8> {
        // Two components in one multiplication: 255 * 255 + 128 fits 16 bits.
        let (p, b) = (u32::from_le_bytes(pixel), u32::from_le_bytes(background));
        let a = p >> 24;
        let (even, odd) = (0x00ff_00ff, 0x0000_00ff);
        let red_blue = div_255((p & even) * a + (b & even) * (255 - a) + 0x0080_0080);
        let green = div_255(((p >> 8) & odd) * a + ((b >> 8) & odd) * (255 - a) + 0x80);
        (red_blue | green << 8 | 0xff00_0000).to_le_bytes()
    }
    #[inline(always)]
    fn blend_premultiplied(pixel: Rgba<u8>, background: Rgba<u8>) -> Rgba<u8> {
        let (p, b) = (u32::from_le_bytes(pixel), u32::from_le_bytes(background));
        let a = p >> 24;
        let (even, odd) = (0x00ff_00ff, 0x0000_00ff);
        let red_blue = div_255((b & even) * (255 - a) + 0x0080_0080);
        let green = div_255(((b >> 8) & odd) * (255 - a) + 0x80);
        let sum = |shift: u32, under: u32| (((p >> shift) & 255) + (under & 255)).min(255) << shift;
        (sum(0, red_blue) | sum(8, green) | sum(16, red_blue >> 16) | 0xff00_0000).to_le_bytes()
    }
    #[inline(always)]
    fn gray(pixel: Rgba<u8>, weights: [u32; 3]) -> u8 {
        let [r, g, b, _] = pixel.map(u32::from);
        ((r * weights[0] + g * weights[1] + b * weights[2] + ONE / 2) / ONE) as u8
    }
    #[inline(always)]
    fn from_yuv(y: u16, cb: u16, cr: u16, to: &ToRgb) -> Rgba<u8> {
        let [r, g, b] = to.whole(y, cb, cr).map(|c| c.clamp(0, 255) as u32);
        (r | g << 8 | b << 16 | 0xff00_0000).to_le_bytes()
    }

    #[inline(always)]
    fn from_bytes(pixel: Rgba<u8>) -> Rgba<u8> {
        pixel
    }
    #[inline(always)]
    fn to_bytes(pixel: Rgba<u8>) -> Rgba<u8> {
        pixel
    }
    fn as_bytes(pixels: &[Rgba<u8>]) -> Option<&[Rgba<u8>]> {
        Some(pixels)
    }
    fn as_bytes_mut(pixels: &mut [Rgba<u8>]) -> Option<&mut [Rgba<u8>]> {
        Some(pixels)
    }
}

impl Sample for u16 {
    const MAX: Self = 65535;
    const SCALE: f32 = 65535.0;

    #[inline(always)]
    fn from_8(code: u8) -> Self {
        u16::from(code) * 257
    }
    #[inline(always)]
    fn from_10(code: u16) -> Self {
        ((u32::from(code) * 4_198_340 + 32768) >> 16) as u16
    }
    #[inline(always)]
    fn from_16(code: u16) -> Self {
        code
    }
    #[inline(always)]
    fn from_float(value: f32) -> Self {
        round(unit(value) * 65535.0) as u16
    }
    #[inline(always)]
    fn to_8(self) -> u8 {
        narrow(self)
    }
    #[inline(always)]
    fn to_16(self) -> u16 {
        self
    }

    #[inline(always)]
    fn unpremultiply(pixel: Rgba<u16>) -> Rgba<u16> {
        // As for 8 bits; 32 bits of quotient take a double.
        let [r, g, b, a] = pixel;
        let inverse = if a == 0 { 0.0 } else { 65535.0 / f64::from(a) };
        let one = |c: u16| ((f64::from(c) * inverse).min(65535.0) + MAGIC_64).to_bits() as u16;
        [one(r), one(g), one(b), a]
    }
    #[inline(always)]
    fn blend(pixel: Rgba<u16>, background: Rgba<u16>) -> Rgba<u16> {
        let [r, g, b, a] = pixel.map(u32::from);
        let one = |c: u32, under: u16| {
            let x = c * a + u32::from(under) * (65535 - a) + 32768;
            ((u64::from(x) + u64::from(x >> 16)) >> 16) as u16
        };
        [one(r, background[0]), one(g, background[1]), one(b, background[2]), 65535]
    }
    #[inline(always)]
    fn blend_premultiplied(pixel: Rgba<u16>, background: Rgba<u16>) -> Rgba<u16> {
        let [r, g, b, a] = pixel;
        let one = |c: u16, under: u16| {
            let x = u32::from(under) * (65535 - u32::from(a)) + 32768;
            c.saturating_add(((u64::from(x) + u64::from(x >> 16)) >> 16) as u16)
        };
        [one(r, background[0]), one(g, background[1]), one(b, background[2]), 65535]
    }
    #[inline(always)]
    fn gray(pixel: Rgba<u16>, weights: [u32; 3]) -> u16 {
        let [r, g, b, _] = pixel.map(u32::from);
        ((r * weights[0] + g * weights[1] + b * weights[2] + ONE / 2) / ONE) as u16
    }
    #[inline(always)]
    fn from_yuv(y: u16, cb: u16, cr: u16, to: &ToRgb) -> Rgba<u16> {
        let [r, g, b] = to.whole(y, cb, cr).map(|c| c.clamp(0, 65535) as u16);
        [r, g, b, 65535]
    }

    #[inline(always)]
    fn from_bytes(pixel: Rgba<u8>) -> Rgba<Self> {
        pixel.map(Self::from_8)
    }
    #[inline(always)]
    fn to_bytes(pixel: Rgba<Self>) -> Rgba<u8> {
        pixel.map(Self::to_8)
    }
}

impl Sample for f32 {
    const MAX: Self = 1.0;
    const SCALE: f32 = 1.0;

    #[inline(always)]
    fn from_8(code: u8) -> Self {
        f32::from(code) / 255.0
    }
    #[inline(always)]
    fn from_10(code: u16) -> Self {
        f32::from(code) / 1023.0
    }
    #[inline(always)]
    fn from_16(code: u16) -> Self {
        f32::from(code) / 65535.0
    }
    #[inline(always)]
    fn from_float(value: f32) -> Self {
        if value.is_nan() { 0.0 } else { value }
    }
    #[inline(always)]
    fn to_8(self) -> u8 {
        u8::from_float(self)
    }
    #[inline(always)]
    fn to_16(self) -> u16 {
        u16::from_float(self)
    }

    #[inline(always)]
    fn unpremultiply(pixel: Rgba<f32>) -> Rgba<f32> {
        let [r, g, b, a] = pixel;
        let inverse = if a > 0.0 { 1.0 / a } else { 0.0 };
        [r * inverse, g * inverse, b * inverse, a]
    }
    #[inline(always)]
    fn blend(pixel: Rgba<f32>, background: Rgba<f32>) -> Rgba<f32> {
        let a = unit(pixel[3]);
        let one = |c: f32, under: f32| unit(c) * a + under * (1.0 - a);
        [one(pixel[0], background[0]), one(pixel[1], background[1]), one(pixel[2], background[2]), 1.0]
    }
    #[inline(always)]
    fn blend_premultiplied(pixel: Rgba<f32>, background: Rgba<f32>) -> Rgba<f32> {
        let rest = 1.0 - unit(pixel[3]);
        let one = |c: f32, under: f32| c.max(0.0) + under * rest;
        [one(pixel[0], background[0]), one(pixel[1], background[1]), one(pixel[2], background[2]), 1.0]
    }
    #[inline(always)]
    fn gray(pixel: Rgba<f32>, weights: [u32; 3]) -> f32 {
        let [r, g, b] = [0, 1, 2].map(|i| unit(pixel[i]) * weights[i] as f32);
        (r + g + b) / ONE as f32
    }
    #[inline(always)]
    fn from_yuv(y: u16, cb: u16, cr: u16, to: &ToRgb) -> Rgba<f32> {
        let [r, g, b] = to.float(y, cb, cr);
        [r, g, b, 1.0]
    }

    #[inline(always)]
    fn from_bytes(pixel: Rgba<u8>) -> Rgba<Self> {
        pixel.map(Self::from_8)
    }
    #[inline(always)]
    fn to_bytes(pixel: Rgba<Self>) -> Rgba<u8> {
        pixel.map(Self::to_8)
    }
}

/// Components that luma and chroma are made of.
pub trait Integer: Sample {
    /// Full scale of [`Integer::sum`].
    const SUM: f32;
    /// Luma's code.
    fn luma(pixel: Rgba<Self>, from: &FromRgb) -> u16;
    /// The average of four pixels, scaled to [`Integer::SUM`].
    fn sum(pixels: [Rgba<Self>; 4]) -> [i32; 3];
}

impl Integer for u8 {
    const SUM: f32 = 1020.0;
    #[inline(always)]
    fn luma(pixel: Rgba<u8>, from: &FromRgb) -> u16 {
        from.luma([i32::from(pixel[0]), i32::from(pixel[1]), i32::from(pixel[2])])
    }
    #[inline(always)]
    fn sum(p: [Rgba<u8>; 4]) -> [i32; 3] {
        [0, 1, 2].map(|c| i32::from(p[0][c]) + i32::from(p[1][c]) + i32::from(p[2][c]) + i32::from(p[3][c]))
    }
}

impl Integer for u16 {
    const SUM: f32 = 65535.0;
    #[inline(always)]
    fn luma(pixel: Rgba<u16>, from: &FromRgb) -> u16 {
        from.luma([i32::from(pixel[0]), i32::from(pixel[1]), i32::from(pixel[2])])
    }
    #[inline(always)]
    fn sum(p: [Rgba<u16>; 4]) -> [i32; 3] {
        [0, 1, 2].map(|c| {
            (i32::from(p[0][c]) + i32::from(p[1][c]) + i32::from(p[2][c]) + i32::from(p[3][c]) + 2) >> 2
        })
    }
}
