//! Luma and chroma: matrices, ranges, and the step to and from red, green, blue.
//!
//! Formulas are those of ITU-T H.273, 8.3. Chroma is repeated where there is less of it than of luma and averaged
//! over the box where there is more: the one undoes the other exactly. The box puts a chroma sample in the middle
//! of its pixels, as JPEG does; video often means the left edge, a quarter of a pixel away, which is not corrected.

use super::sample::ONE;
use crate::{bail, error::Result};

/// Weights of red and blue in luma, by the matrix coefficients of H.273.
///
/// "Unspecified" and "identity", which says nothing of luma and chroma, are taken as BT.601, JPEG's.
pub fn weights(matrix: u8) -> Result<[f64; 2]> {
    Ok(match matrix {
        1 => [0.2126, 0.0722],
        0 | 2 | 5 | 6 => [0.299, 0.114],
        4 => [0.30, 0.11],
        7 => [0.212, 0.087],
        9 => [0.2627, 0.0593],
        _ => bail!(
            Unsupported,
            "matrix coefficients {matrix} of H.273 are not supported; these are: 1 (BT.709), 4, 5 and 6 (BT.601), \
             7, 9 (BT.2020)"
        ),
    })
}

/// The weights of red, green and blue in gray for [`super::sample::Sample::gray`].
pub fn gray_weights(matrix: u8) -> Result<[u32; 3]> {
    let [red, blue] = weights(matrix)?.map(|weight| (weight * f64::from(ONE)).round() as u32);
    Ok([red, ONE - red - blue, blue])
}

/// What codes mean: offset and extent of luma, and of chroma.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codes {
    /// Weights of red and blue.
    pub weights: [f64; 2],
    /// Code of black.
    pub black: f64,
    /// Codes from black to white.
    pub luma: f64,
    /// Code of gray.
    pub neutral: f64,
    /// Codes from the lowest to the highest chroma.
    pub chroma: f64,
    /// Highest code.
    pub max: u16,
}

impl Codes {
    /// Codes of `bits` bits.
    pub fn new(matrix: u8, full_range: bool, bits: u8) -> Result<Self> {
        let weights = weights(matrix)?;
        let (max, step) = (((1u32 << bits) - 1) as u16, f64::from(1u32 << (bits - 8)));
        let top = f64::from(max);
        Ok(if full_range {
            Self { weights, black: 0.0, luma: top, neutral: 128.0 * step, chroma: top, max }
        } else {
            let (black, luma, chroma) = (16.0 * step, 219.0 * step, 224.0 * step);
            Self { weights, black, luma, neutral: 128.0 * step, chroma, max }
        })
    }
}

/// Fixed-point places of [`ToRgb`].
const TO_BITS: u32 = 13;
/// Fixed-point places of [`FromRgb`] and [`super::planes`].
pub const FROM_BITS: u32 = 20;

/// Codes to red, green, blue: for each the factors of Y, Cb and Cr and a constant.
#[derive(Clone, Copy, Debug)]
pub struct ToRgb {
    whole: [[i32; 4]; 3],
    float: [[f32; 4]; 3],
}

impl ToRgb {
    /// From codes to components from 0 to `scale`.
    pub fn new(codes: &Codes, scale: f32) -> Self {
        let [red, blue] = codes.weights;
        let green = 1.0 - red - blue;
        let (y, c) = (f64::from(scale) / codes.luma, f64::from(scale) / codes.chroma);
        let rows = [
            [y, 0.0, 2.0 * (1.0 - red) * c],
            [y, -2.0 * blue * (1.0 - blue) / green * c, -2.0 * red * (1.0 - red) / green * c],
            [y, 2.0 * (1.0 - blue) * c, 0.0],
        ];
        let one = f64::from(1u32 << TO_BITS);
        let whole = rows.map(|row| {
            let [y, cb, cr] = row.map(|factor| (factor * one).round());
            let offset = y * codes.black + (cb + cr) * codes.neutral;
            [y as i32, cb as i32, cr as i32, (one / 2.0 - offset) as i32]
        });
        let float = rows.map(|[y, cb, cr]| {
            let offset = y * codes.black + (cb + cr) * codes.neutral;
            [y as f32, cb as f32, cr as f32, -offset as f32]
        });
        Self { whole, float }
    }

    /// Rounded, not clipped. The sums may wrap on the way, the result is in range.
    #[inline(always)]
    pub fn whole(&self, y: u16, cb: u16, cr: u16) -> [i32; 3] {
        let (y, cb, cr) = (i32::from(y), i32::from(cb), i32::from(cr));
        let [r, g, b] = &self.whole;
        let luma = y.wrapping_mul(r[0]);
        [
            luma.wrapping_add(cr.wrapping_mul(r[2])).wrapping_add(r[3]) >> TO_BITS,
            luma.wrapping_add(cb.wrapping_mul(g[1])).wrapping_add(cr.wrapping_mul(g[2])).wrapping_add(g[3])
                >> TO_BITS,
            luma.wrapping_add(cb.wrapping_mul(b[1])).wrapping_add(b[3]) >> TO_BITS,
        ]
    }

    /// The factors of Y, Cb and Cr and the constant, for red, green and blue.
    pub fn factors(&self) -> [[f32; 4]; 3] {
        self.float
    }

    /// Not clipped.
    #[inline(always)]
    pub fn float(&self, y: u16, cb: u16, cr: u16) -> [f32; 3] {
        let (y, cb, cr) = (f32::from(y), f32::from(cb), f32::from(cr));
        self.float.map(|row| y * row[0] + cb * row[1] + cr * row[2] + row[3])
    }
}

/// Red, green, blue to codes.
#[derive(Clone, Copy, Debug)]
pub struct FromRgb {
    luma: [i32; 4],
    cb: [i32; 4],
    cr: [i32; 4],
    max: i32,
}

impl FromRgb {
    /// From components of 0 to `scale`, and from sums for chroma of 0 to `sum`.
    pub fn new(codes: &Codes, scale: f32, sum: f32) -> Self {
        let [red, blue] = codes.weights;
        let one = f64::from(1u32 << FROM_BITS);
        let (y, c) = (codes.luma / f64::from(scale) * one, codes.chroma / f64::from(sum) * one);
        let whole = |factor: f64| factor.round() as i32;
        let half = 1 << (FROM_BITS - 1);
        let offset = |code: f64| (code * one) as i32 + half;
        // The factor of green makes the sum exact: white is white and gray is neutral.
        let [yr, yb] = [whole(red * y), whole(blue * y)];
        let luma = [yr, whole(y) - yr - yb, yb, offset(codes.black)];
        let half_c = whole(c / 2.0);
        let cb_red = whole(-red / (2.0 * (1.0 - blue)) * c);
        let cr_blue = whole(-blue / (2.0 * (1.0 - red)) * c);
        let cb = [cb_red, -half_c - cb_red, half_c, offset(codes.neutral)];
        let cr = [half_c, -half_c - cr_blue, cr_blue, offset(codes.neutral)];
        Self { luma, cb, cr, max: i32::from(codes.max) }
    }

    #[inline(always)]
    fn code(&self, factors: &[i32; 4], rgb: [i32; 3]) -> u16 {
        let sum = rgb[0] * factors[0] + rgb[1] * factors[1] + rgb[2] * factors[2] + factors[3];
        (sum >> FROM_BITS).clamp(0, self.max) as u16
    }

    /// Luma's code.
    #[inline(always)]
    pub fn luma(&self, rgb: [i32; 3]) -> u16 {
        self.code(&self.luma, rgb)
    }

    /// The codes of Cb and Cr.
    #[inline(always)]
    pub fn chroma(&self, sums: [i32; 3]) -> (u16, u16) {
        (self.code(&self.cb, sums), self.code(&self.cr, sums))
    }
}
