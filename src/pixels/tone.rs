//! High dynamic range to standard: linear light, gamut, tone curve, and back.
//!
//! Light is counted in units of diffuse white, 203 nits (ITU-R BT.2408). The curve is the EETF of ITU-R BT.2390 on
//! the largest of red, green, blue, from the measured peak to white; all three are scaled alike, so hue stays.

use super::{color, sample::unit, simd::update};
use crate::{
    error::{Result, try_vec},
    model::{
        color::{Cicp, Color},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
};

/// Diffuse white in nits.
const WHITE: f64 = 203.0;

/// A tone mapper of one image.
#[derive(Debug)]
pub struct Tone {
    /// Signal to light, for equal steps of the signal; none for linear input.
    eotf: Option<Table>,
    /// HLG: weights of luminance, and the system gamma's factor by luminance.
    ootf: Option<([f32; 3], LogTable)>,
    gamut: [[f32; 3]; 3],
    /// Factor by the largest component; none while the peak is being measured.
    curve: Option<LogTable>,
    /// Signal by the square root of light, which makes the steps fine where it is dark.
    oetf: Table,
}

impl Tone {
    /// A tone mapper for pixels of high dynamic range, without its curve yet, and the colour of what it makes.
    pub fn new(pixels: &Pixels) -> Result<Option<(Self, Color)>> {
        let Some(cicp) = color::code_points(&pixels.color) else { return Ok(None) };
        let float = matches!(pixels.info().format, PixelFormat::RgbaF16 | PixelFormat::RgbaF32);
        if !(cicp.is_hdr() || float && cicp.transfer == 8) {
            return Ok(None);
        }
        let source = color::Primaries::new(cicp.primaries)?;
        // Sources of sRGB's gamut stay in it, wider ones get Display P3.
        let primaries = if matches!(cicp.primaries, 1 | 2) { 1 } else { 12 };
        let target = color::Primaries::new(primaries)?;
        let gamut = color::single(color::between(&source, &target));
        let eotf = match cicp.transfer {
            16 => Some(Table::new(|signal| pq_to_nits(signal) / WHITE)?),
            18 => Some(Table::new(hlg_to_scene)?),
            _ => None,
        };
        let ootf = if cicp.transfer == 18 {
            let weights = color::single(source.to_xyz())[1];
            Some((weights, LogTable::new(-24, 1, |luminance| luminance.powf(0.2) * 1000.0 / WHITE)?))
        } else {
            None
        };
        let oetf = Table::new(|root| color::Curve::SRGB.encode(root * root))?;
        let color = Color { cicp: Cicp { primaries, ..Cicp::SRGB }, icc: None };
        Ok(Some((Self { eotf, ootf, gamut, curve: None, oetf }, color)))
    }

    /// Sets the curve for a peak in units of diffuse white.
    pub fn set_peak(&mut self, peak: f32) -> Result<()> {
        let peak = nits_to_pq(f64::from(peak).max(1.0) * WHITE);
        self.curve =
            Some(LogTable::new(-4, 17, |light| nits_to_pq_mapped(light * WHITE, peak) / (light * WHITE))?);
        Ok(())
    }

    /// Signal to signal.
    pub fn apply(&self, pixels: &mut [[f32; 4]]) {
        let Some(curve) = &self.curve else { return };
        update(pixels, |pixel| {
            let light = self.light(pixel);
            let factor = curve.at(light[0].max(light[1]).max(light[2]));
            let [r, g, b] = light.map(|c| self.oetf.at((c * factor).min(1.0).sqrt()));
            [r, g, b, pixel[3]]
        });
    }

    /// Linear light in the target's gamut, nothing negative.
    #[inline(always)]
    pub fn light(&self, signal: [f32; 4]) -> [f32; 3] {
        let signal = [signal[0], signal[1], signal[2]];
        let mut light = match &self.eotf {
            Some(table) => signal.map(|c| table.at(unit(c))),
            None => signal,
        };
        if let Some((weights, gamma)) = &self.ootf {
            let factor = gamma.at(dot(*weights, light));
            light = light.map(|c| c * factor);
        }
        self.gamut.map(|row| dot(row, light).max(0.0))
    }
}

#[inline(always)]
fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// A value and how much the next one is larger.
type Step = [f32; 2];

/// The points of `f` at `index`, `index + 1` ... as steps.
fn steps(count: usize, f: impl Fn(usize) -> f64) -> Result<Vec<Step>> {
    let mut steps = try_vec(count, "a curve")?;
    for (index, step) in steps.iter_mut().enumerate() {
        *step = [f(index) as f32, (f(index + 1) - f(index)) as f32];
    }
    Ok(steps)
}

/// A function of 0 to 1, straight lines between equal steps.
#[derive(Debug)]
struct Table(Vec<Step>);

impl Table {
    /// Steps from 0 to 1.
    const STEPS: usize = 1024;

    fn new(f: impl Fn(f64) -> f64) -> Result<Self> {
        Ok(Self(steps(Self::STEPS + 1, |index| f(index as f64 / Self::STEPS as f64))?))
    }

    /// The value at `x`, which is from 0 to 1.
    #[inline(always)]
    fn at(&self, x: f32) -> f32 {
        let place = x * Self::STEPS as f32;
        let index = place as i32;
        let [value, step] = self.0[index as usize];
        value + step * (place - index as f32)
    }
}

/// A function of values from 2^low to 2^high, 128 steps an octave, straight lines between.
#[derive(Debug)]
struct LogTable {
    first: f32,
    last: f32,
    steps: Vec<Step>,
}

/// Bits of a float's mantissa below those that select the step.
const BELOW: u32 = 16;

impl LogTable {
    fn new(low: i32, high: i32, f: impl Fn(f64) -> f64) -> Result<Self> {
        let (first, last) = (2f32.powi(low), 2f32.powi(high));
        let count = ((last.to_bits() - first.to_bits()) >> BELOW) as usize + 1;
        let at = |index: usize| f64::from(f32::from_bits(first.to_bits() + ((index as u32) << BELOW)));
        Ok(Self { first, last, steps: steps(count, |index| f(at(index)))? })
    }

    /// The value at `x`, which is moved into the range.
    #[inline(always)]
    fn at(&self, x: f32) -> f32 {
        let place = x.max(self.first).min(self.last).to_bits() - self.first.to_bits();
        let [value, step] = self.steps[(place >> BELOW) as usize];
        value + step * ((place & ((1 << BELOW) - 1)) as f32 * (1.0 / (1u32 << BELOW) as f32))
    }
}

/// Brightest light that all but 1 of 10 000 values stay below: a histogram of quarter-percent steps.
#[derive(Debug)]
pub struct Histogram {
    bins: Vec<u32>,
    count: u32,
}

impl Histogram {
    /// Bits of a float that make no difference.
    const BELOW: u32 = 15;

    /// Nothing counted yet.
    pub fn new() -> Result<Self> {
        Ok(Self { bins: try_vec((i32::MAX as usize >> Self::BELOW) + 1, "a histogram")?, count: 0 })
    }

    /// Counts the largest component.
    pub fn count(&mut self, [r, g, b]: [f32; 3]) {
        let largest = r.max(g).max(b).max(0.0);
        self.bins[(largest.to_bits() >> Self::BELOW) as usize] += 1;
        self.count += 1;
    }

    /// The peak.
    pub fn peak(&self) -> f32 {
        let mut left = self.count / 10_000;
        for (bin, &count) in self.bins.iter().enumerate().rev() {
            if count > left {
                return f32::from_bits(((bin as u32) << Self::BELOW) + (1 << (Self::BELOW - 1)));
            }
            left -= count;
        }
        0.0
    }
}

// SMPTE ST 2084.
const M1: f64 = 2610.0 / 16384.0;
const M2: f64 = 2523.0 / 4096.0 * 128.0;
const C1: f64 = 3424.0 / 4096.0;
const C2: f64 = 2413.0 / 4096.0 * 32.0;
const C3: f64 = 2392.0 / 4096.0 * 32.0;

fn pq_to_nits(signal: f64) -> f64 {
    let root = signal.powf(1.0 / M2);
    10_000.0 * ((root - C1).max(0.0) / (C2 - C3 * root)).powf(1.0 / M1)
}

fn nits_to_pq(nits: f64) -> f64 {
    let power = (nits / 10_000.0).powf(M1);
    ((C1 + C2 * power) / (1.0 + C3 * power)).powf(M2)
}

/// The inverse OETF of ITU-R BT.2100, HLG.
fn hlg_to_scene(signal: f64) -> f64 {
    const A: f64 = 0.178_832_77;
    const B: f64 = 0.284_668_92;
    const C: f64 = 0.559_910_73;
    if signal <= 0.5 { signal * signal / 3.0 } else { (((signal - C) / A).exp() + B) / 12.0 }
}

/// The EETF of ITU-R BT.2390-8, 5.4.1, for black at 0, from a peak (as a signal) to diffuse white; in nits.
fn nits_to_pq_mapped(nits: f64, peak: f64) -> f64 {
    let e1 = (nits_to_pq(nits) / peak).min(1.0);
    let white = nits_to_pq(WHITE) / peak;
    let knee = 1.5 * white - 0.5;
    let e2 = if e1 < knee {
        return nits;
    } else if knee >= 1.0 {
        white
    } else {
        let t = (e1 - knee) / (1.0 - knee);
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * knee
            + (t3 - 2.0 * t2 + t) * (1.0 - knee)
            + (-2.0 * t3 + 3.0 * t2) * white
    };
    pq_to_nits(e2 * peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_that_of_bt_2390() {
        // Neutral patches of an image whose peak is 1000 nits, 8-bit sRGB codes.
        let peak = nits_to_pq(1000.0);
        for (nits, code) in [(20.0, 88.0), (50.0, 136.0), (100.0, 186.0), (203.0, 229.0), (400.0, 250.0)] {
            let mapped = nits_to_pq_mapped(nits, peak) / WHITE;
            let out = color::Curve::SRGB.encode(mapped) * 255.0;
            assert!((out - code).abs() <= 2.0, "{nits} nits: {out}, expected {code}");
        }
        assert!((nits_to_pq_mapped(1000.0, peak) - WHITE).abs() < 0.01);
        assert!((nits_to_pq_mapped(5000.0, peak) - WHITE).abs() < 0.01);
    }

    #[test]
    fn the_peak_leaves_out_one_value_in_ten_thousand() {
        let mut histogram = Histogram::new().unwrap();
        for index in 0..20_000 {
            let light = if index < 2 { 40.0 } else { 5.0 };
            histogram.count([light, 0.1, 0.0]);
        }
        assert!((histogram.peak() / 5.0 - 1.0).abs() < 0.005);
        histogram.count([40.0; 3]);
        assert!((histogram.peak() / 40.0 - 1.0).abs() < 0.005);
    }

    #[test]
    fn signals_go_there_and_back() {
        for nits in [0.01, 1.0, 100.0, 203.0, 10_000.0] {
            assert!((pq_to_nits(nits_to_pq(nits)) / nits - 1.0).abs() < 1e-9);
        }
        // BT.2408: HLG's 75 % is diffuse white.
        let white = hlg_to_scene(0.75).powf(1.2) * 1000.0;
        assert!((white - WHITE).abs() < 0.5, "{white}");
    }
}
