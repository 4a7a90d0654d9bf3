//! The functions of the way from signals to the SDR image, as tables.

use super::transfer::{self, ToneCurve, ToneMapper, WHITE};
use crate::{
    error::{Result, try_vec},
    model::{color::Cicp, gain_map::GainMapParams},
    pixels::{
        color::{self, Curve, Matrix, Primaries, product},
        space::{self, Space},
    },
};

/// Bits of a float below those that select an entry of a [`LogTable`]: 512 entries an octave, so that the nearest
/// is within a thousandth.
pub const BELOW: u32 = 14;

/// A function of floats from `first` to `last`, both powers of two: the values in the middle of equal parts of each
/// octave.
#[derive(Debug)]
pub struct LogTable {
    pub first: f32,
    pub last: f32,
    pub entries: Vec<u32>,
}

impl LogTable {
    fn new(low: i32, high: i32, f: impl Fn(f64) -> u32) -> Result<Self> {
        let (first, last) = (2f32.powi(low), 2f32.powi(high));
        let count = ((last.to_bits() - first.to_bits()) >> BELOW) as usize + 1;
        let mut entries = try_vec(count, "a curve")?;
        for (index, entry) in (0u32..).zip(&mut entries) {
            *entry = f(f64::from(f32::from_bits(first.to_bits() + (index << BELOW) + (1 << (BELOW - 1)))));
        }
        Ok(Self { first, last, entries })
    }

    /// A function whose values, floats, are taken between two entries each: those where equal parts of each octave
    /// start, and one behind the last.
    pub fn edges(low: i32, high: i32, f: impl Fn(f64) -> f32) -> Result<Self> {
        let (first, last) = (2f32.powi(low), 2f32.powi(high));
        let count = ((last.to_bits() - first.to_bits()) >> BELOW) as usize + 2;
        let mut entries = try_vec(count, "a curve")?;
        for (index, entry) in (0u32..).zip(&mut entries) {
            *entry = f(f64::from(f32::from_bits(first.to_bits() + (index << BELOW)))).to_bits();
        }
        Ok(Self { first, last, entries })
    }
}

/// Equal steps of signals that are no codes.
pub const SIGNAL_STEPS: usize = 4096;

/// Signals to linear light in the primaries of the SDR image, where 1.0 is diffuse white.
#[derive(Debug)]
pub struct Decoder {
    /// Light of each 10-bit code; the bits of floats. None for linear signals.
    pub codes: Vec<u32>,
    /// Light of [`SIGNAL_STEPS`] signals from 0 to 1. None for linear signals.
    pub signals: Vec<u32>,
    /// Light of each byte, for signals of standard range.
    pub bytes: Vec<u32>,
    /// HLG's system gamma: the weights of luminance, and factors (bits of floats) by luminance.
    pub ootf: Option<([f32; 3], LogTable)>,
    /// From the source's primaries to those wanted.
    pub gamut: [[f32; 3]; 3],
    /// Whether colours outside the gamut are moved into it so that their hue stays; else they are clipped.
    pub keeps_hue: bool,
}

impl Decoder {
    /// For PQ, HLG or linear signals, where linear 1.0 is so many nits; `to_d50` is that of the light wanted.
    pub fn new(cicp: Cicp, to_d50: &Matrix, linear_white: f64) -> Result<Self> {
        let source = Primaries::new(cicp.primaries)?;
        let mut gamut = product(&color::inverse(to_d50), &space::linear_to_d50(cicp.primaries)?);
        let light = |signal: f64| match cicp.transfer {
            16 => transfer::pq_to_nits(signal) / WHITE,
            _ => transfer::hlg_to_scene(signal),
        };
        let (mut codes, mut signals, mut ootf) = (Vec::new(), Vec::new(), None);
        if cicp.is_hdr() {
            (codes, signals) = (steps(1024, light)?, steps(SIGNAL_STEPS, light)?);
        } else {
            gamut = gamut.map(|row| row.map(|v| v * linear_white / WHITE));
        }
        if cicp.transfer == 18 {
            let weights = color::single(source.to_xyz())[1];
            let factor = |luminance: f64| (transfer::hlg_ootf(luminance) as f32).to_bits();
            ootf = Some((weights, LogTable::new(-24, 1, factor)?));
        }
        Ok(Self { codes, signals, bytes: Vec::new(), ootf, gamut: color::single(gamut), keeps_hue: false })
    }

    /// For signals of standard range.
    pub fn standard(space: &Space, to_d50: &Matrix) -> Result<Self> {
        let (codes, signals) = (steps(1024, &space.light)?, steps(SIGNAL_STEPS, &space.light)?);
        let bytes = steps(256, &space.light)?;
        Ok(Self {
            codes,
            signals,
            bytes,
            ootf: None,
            gamut: color::single(space.to(to_d50)),
            keeps_hue: false,
        })
    }

    /// For light that becomes that of other primaries.
    pub fn light(from_d50: &Matrix, to_d50: &Matrix) -> Self {
        let gamut = color::single(product(&color::inverse(to_d50), from_d50));
        Self { gamut, ..Self::identity() }
    }

    /// For numbers that are none of a colour: they stay as they are.
    pub fn identity() -> Self {
        let gamut = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Self {
            codes: Vec::new(),
            signals: Vec::new(),
            bytes: Vec::new(),
            ootf: None,
            gamut,
            keeps_hue: false,
        }
    }

    /// Whether signals are light.
    pub fn is_linear(&self) -> bool {
        self.codes.is_empty()
    }
}

/// A function of equal steps from 0 to 1; the bits of floats.
fn steps(count: usize, f: impl Fn(f64) -> f64) -> Result<Vec<u32>> {
    let mut entries = try_vec(count, "a curve")?;
    for (index, entry) in entries.iter_mut().enumerate() {
        *entry = (f(index as f64 / (count - 1) as f64) as f32).to_bits();
    }
    Ok(entries)
}

/// Bits of an entry of [`Developer::tone`] that are not the factor's.
pub const GAIN_MASK: u32 = 0xfff;
/// Steps of those bits for one step of an 8-bit sample.
pub const GAIN_STEPS: u32 = 16;

/// The darkest light that has an entry in [`Developer::oetf`]; it is code 0.
pub const DARK: f32 = 1.0 / 8192.0;

/// Light up to which a map can make up for the 8 bits of the SDR image: 10 nits, where half a code is 1.5 %.
const COARSE: f64 = 10.0 / transfer::WHITE;
/// By how many stops at most: half a code of 0.5 nits.
const MOST: f64 = 0.1;

/// Linear light to codes of sRGB's transfer, and to the gain that undoes the tone mapping.
#[derive(Debug)]
pub struct Developer {
    /// By the largest component: the factor of all three, a float without its last bits, where the gain map's sample
    /// is instead.
    pub tone: LogTable,
    /// 8-bit codes of light from [`DARK`] to 1, 512 an octave; three bytes more.
    pub oetf: Vec<u8>,
    /// What the samples of the gain map mean.
    pub params: GainMapParams,
}

impl Developer {
    /// For an image whose brightest light is `peak`; where `exact`, gains of dark light are those of the codes that it
    /// becomes.
    pub fn new(mapper: ToneMapper, peak: f32, exact: bool) -> Result<Self> {
        let peak = f64::from(peak).max(1.0);
        let curve = ToneCurve::new(mapper, peak);
        // What is brighter than the peak cannot be brought back.
        let gain_to = |light: f64, mapped: f64| (light.min(peak) / mapped).log2();
        let (mut min, mut max) = (f64::MAX, f64::MIN);
        for step in 0..=1000 {
            // From a thousandth of white to the peak.
            let light = 1e-3 * (peak * 1e3).powf(f64::from(step) / 1000.0);
            let gain = gain_to(light, curve.map(light));
            (min, max) = (gain.min(min), gain.max(max));
        }
        // Curves that change nothing below white give exactly 0 there.
        let min = if min.abs() < 1e-6 { 0.0 } else { min as f32 };
        let max = max as f32;
        let exact = exact && min == 0.0 && max > 0.0;
        // No gain stays a sample of its own.
        let below = if exact { (255.0 * MOST / (f64::from(max) + MOST)).ceil() } else { 0.0 };
        let min = if exact { (-f64::from(max) * below / (255.0 - below)) as f32 } else { min };
        let span = f64::from((max - min).max(1e-6));
        let top = f64::from(255 * GAIN_STEPS);
        let tone = LogTable::new(-14, 17, |light| {
            let mapped = curve.map(light);
            let mut gain = gain_to(light, mapped);
            let code = (Curve::SRGB.encode(light) * 255.0).round();
            if exact && light < COARSE && mapped == light && code > 0.0 {
                gain = (light / Curve::SRGB.decode(code / 255.0)).log2().clamp(-MOST, MOST);
            }
            let sample = ((gain - f64::from(min)) / span).clamp(0.0, 1.0);
            let factor = (mapped / light).min(4.0) as f32;
            (factor.to_bits() & !GAIN_MASK) | (sample * top).round() as u32
        })?;
        let count = ((1f32.to_bits() - DARK.to_bits()) >> BELOW) as usize + 1;
        let mut oetf = try_vec(count + 3, "a curve")?;
        for (index, code) in (0u32..).zip(&mut oetf) {
            let light = f32::from_bits(DARK.to_bits() + (index << BELOW) + (1 << (BELOW - 1)));
            *code = (Curve::SRGB.encode(f64::from(light)) * 255.0).round().min(255.0) as u8;
        }
        oetf[0] = 0;
        let params = GainMapParams {
            base_headroom: 0.0,
            alternate_headroom: peak.log2().max(f64::from(max)).max(1e-3) as f32,
            min: [min; 3],
            max: [max.max(min); 3],
            gamma: [1.0; 3],
            base_offset: [0.0; 3],
            alternate_offset: [0.0; 3],
            base_color: true,
        };
        Ok(Self { tone, oetf, params })
    }

    /// Steps of gains for a stop.
    pub fn steps_of_a_stop(&self) -> f64 {
        f64::from(255 * GAIN_STEPS) / f64::from(self.params.max[0] - self.params.min[0]).max(1e-6)
    }

    /// Factors for differences of at most so many steps.
    pub fn factors(&self, limit: u32) -> Result<Factors> {
        let steps = self.steps_of_a_stop();
        let mut factors = try_vec(2 * limit as usize + 1, "factors")?;
        for (index, factor) in factors.iter_mut().enumerate() {
            *factor = (((index as f64 - f64::from(limit)) / steps).exp2() as f32).to_bits();
        }
        let limit = limit as f32;
        let mut room = try_vec(GAIN_MASK as usize + 1, "room above the SDR image")?;
        room.fill(limit.to_bits());
        for (index, entry) in (0u32..).zip(&self.tone.entries) {
            // The brightest light that finds this entry.
            let light = f32::from_bits(self.tone.first.to_bits() + ((index + 1) << BELOW));
            let white = f64::from(light) * f64::from(f32::from_bits(entry & !GAIN_MASK));
            let above = (-white.log2() * steps).max(0.0).floor() as f32;
            let place = &mut room[(entry & GAIN_MASK) as usize];
            *place = above.min(f32::from_bits(*place)).to_bits();
        }
        Ok(Factors { factors, limit, room })
    }
}

/// What light is multiplied with where the gain that decoders find is not its own.
#[derive(Debug)]
pub struct Factors {
    /// For every difference of gains, from the lowest that is made up for; the bits of floats.
    pub factors: Vec<u32>,
    /// The largest difference, in steps of the developer's gains.
    pub limit: f32,
    /// By gain: the largest difference before the SDR image is clipped; the bits of floats.
    pub room: Vec<u32>,
}

/// How gains, log2 of one light over another, become whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct Ruler {
    /// Added to both.
    pub offset: f32,
    /// The gain that is 0.
    pub min: f32,
    /// Steps of a stop.
    pub steps: f32,
    /// The largest number.
    pub top: f32,
}

/// What the samples of one channel of a gain map do to light.
#[derive(Debug)]
pub struct Boost {
    /// Factors, the bits of floats, of [`SIGNAL_STEPS`] samples from 0 to 1.
    pub factors: Vec<u32>,
    pub base_offset: f32,
    pub alternate_offset: f32,
}

impl Boost {
    /// That of channel `c`, with the weight that a display's headroom gives it.
    pub fn new(params: &GainMapParams, c: usize, weight: f32) -> Result<Self> {
        let [min, max, gamma] = [params.min[c], params.max[c], params.gamma[c]].map(f64::from);
        let factor =
            |sample: f64| (f64::from(weight) * (min + (max - min) * sample.powf(1.0 / gamma))).exp2();
        Ok(Self {
            factors: steps(SIGNAL_STEPS, factor)?,
            base_offset: params.base_offset[c],
            alternate_offset: params.alternate_offset[c],
        })
    }
}

/// Where the columns of an image are in a smaller one of the same extent.
#[derive(Debug)]
pub struct Columns {
    places: Vec<u32>,
    parts: Vec<f32>,
    of: u32,
}

impl Columns {
    /// For `size` columns over `of`.
    pub fn new(size: u32, of: u32) -> Result<Self> {
        Self::with(size, of, |at| place(at, size, of))
    }

    /// Where `place` has them: after which, and how far.
    pub fn with(size: u32, of: u32, place: impl Fn(u32) -> (u32, f32)) -> Result<Self> {
        let mut places = try_vec(size as usize, "the gain map's columns")?;
        let mut parts = try_vec(size as usize, "the gain map's columns")?;
        for (at, (to, part)) in (0..size).zip(places.iter_mut().zip(&mut parts)) {
            (*to, *part) = place(at);
        }
        Ok(Self { places, parts, of })
    }

    /// The column before each, below [`of`](Self::of).
    pub fn places(&self) -> &[u32] {
        &self.places
    }

    /// How far each is from that to the next: 0 to 1.
    pub fn parts(&self) -> &[f32] {
        &self.parts
    }

    /// Columns of the smaller image.
    pub fn of(&self) -> usize {
        self.of as usize
    }
}

/// After which of `of` columns or rows one of `size` is, and how far: both images have their centres in the same place.
pub fn place(at: u32, size: u32, of: u32) -> (u32, f32) {
    let at = (f64::from(at) + 0.5) * f64::from(of) / f64::from(size) - 0.5;
    let at = at.clamp(0.0, f64::from(of - 1));
    (at as u32, at.fract() as f32)
}
