//! Light as the tests count it, by formulas of the standards, and an HDR scene.

use image_packer::model::{
    color::Cicp,
    pixel_format::PixelFormat,
    pixelmap::{AlphaType, Pixels},
};

/// An HDR scene of this size. Its light is in units of diffuse white, in Display P3: a sky with a sun of 1300 nits over
/// dark ground.
#[derive(Clone, Copy)]
pub struct Sky {
    pub width: u32,
    pub height: u32,
}

impl Sky {
    pub fn at(self, x: u32, y: u32) -> [f64; 3] {
        let (u, v) = (f64::from(x) / f64::from(self.width), f64::from(y) / f64::from(self.height));
        let sun = (-((u - 0.7).powi(2) + (v - 0.25).powi(2)) * 60.0).exp() * 6.0;
        let wave = 0.5 + 0.5 * (u * 37.0).sin() * (v * 29.0).cos();
        let sky = 0.4 + 0.5 * (1.0 - v);
        let ground = if v > 0.6 { 0.05 + 0.2 * wave } else { 1.0 };
        [(sky * 0.7 + sun) * ground, (sky * 0.8 + sun * 0.9) * ground, (sky + sun * 0.7) * ground]
    }

    /// The scene as RGBA_1010102, PQ, with P3's primaries.
    pub fn pixels(self) -> Pixels {
        let mut bytes = Vec::new();
        for y in 0..self.height {
            for x in 0..self.width {
                let [r, g, b] = self.at(x, y).map(|c| (nits_to_pq(c * 203.0) * 1023.0).round() as u32);
                bytes.extend_from_slice(&(r | g << 10 | b << 20 | 3 << 30).to_ne_bytes());
            }
        }
        let mut pixels = Pixels::from_vec(self.width, self.height, PixelFormat::Rgba1010102, bytes).unwrap();
        pixels.color.cicp = Cicp { primaries: 12, transfer: 16, matrix: 0, full_range: true };
        pixels.alpha = AlphaType::Opaque;
        pixels
    }

    /// PSNR of PQ signals.
    pub fn decibels(self, light: &[[f64; 3]]) -> f64 {
        let mut sum = 0.0;
        for (i, pixel) in light.iter().enumerate() {
            let truth = self.at(i as u32 % self.width, i as u32 / self.width);
            for (a, b) in pixel.iter().zip(truth) {
                sum += (nits_to_pq(a.max(0.0) * 203.0) - nits_to_pq(b * 203.0)).powi(2);
            }
        }
        -10.0 * (sum / (3 * light.len()) as f64).log10()
    }
}

/// PQ's curve (SMPTE ST 2084).
pub fn nits_to_pq(nits: f64) -> f64 {
    let power = (nits / 10_000.0).powf(0.159_301_757_812_5);
    ((0.835_937_5 + 18.851_562_5 * power) / (1.0 + 18.687_5 * power)).powf(78.843_75)
}

pub fn pq_to_nits(signal: f64) -> f64 {
    let root = signal.powf(1.0 / 78.843_75);
    10_000.0
        * ((root - 0.835_937_5).max(0.0) / (18.851_562_5 - 18.687_5 * root)).powf(1.0 / 0.159_301_757_812_5)
}

/// The inverse of BT.709's OETF, which Apple's samples have.
pub fn bt709_to_light(signal: f64) -> f64 {
    if signal < 0.081 { signal / 4.5 } else { ((signal + 0.099) / 1.099).powf(1.0 / 0.45) }
}

/// sRGB's curve (IEC 61966-2-1).
pub fn srgb_to_light(code: f64) -> f64 {
    if code <= 0.04045 { code / 12.92 } else { ((code + 0.055) / 1.055).powf(2.4) }
}

pub fn light_to_srgb(v: f64) -> f64 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}
