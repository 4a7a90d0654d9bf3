//! High dynamic range: signals become linear light, and light becomes an SDR image with the gain map that undoes its
//! tone mapping.
//!
//! Red, green and blue are scaled alike, by what the largest of them needs, so that hue stays and one channel of
//! gains is exact. The peak is measured, once over a sixteenth of the pixels; everything else goes band by
//! band, when an encoder asks for the rows ([`Film`]).

mod apply;
mod compare;
mod film;
mod histogram;
mod kernels;
mod lanes;
mod level;
mod loops;
mod reader;
mod sharpen;
mod tables;
#[cfg(test)]
mod tests;
pub mod transfer;

use std::sync::{Mutex, PoisonError};

pub use self::{
    apply::apply,
    compare::{Bright, compare},
    film::Film,
    level::level,
    reader::{Work, is_opaque},
    transfer::ToneMapper,
};
use self::{histogram::Histogram, reader::Reader, tables::GAIN_STEPS};
use super::{color, convert::TILE};
use crate::{
    error::Result,
    model::{
        color::{Cicp, Color},
        gain_map::GainMap,
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pack::{control::Control, pool::Pool},
};

/// How to develop an HDR image.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The tone curve.
    pub mapper: ToneMapper,
    /// Colour primaries of the SDR image: 1 for sRGB, 12 for Display P3.
    pub primaries: u8,
    /// Nits of 1.0 in linear input.
    pub linear_white: f64,
    /// Pixels of the image for one sample of the gain map, across and down: 1, 2 or 4. None for no map.
    pub scale: Option<u32>,
    /// Whether the SDR image makes up for what a map of fewer samples cannot tell.
    pub sharp: bool,
    /// Whether the gain map makes up for what 8 bits cannot tell of dark light. For maps as large as the image, whose
    /// quality keeps it.
    pub exact: bool,
    /// What shows through transparent pixels, in sRGB; none to keep alpha.
    pub background: Option<[u8; 3]>,
}

impl Recipe {
    /// Whether alpha of these pixels is in the SDR image too.
    pub fn keeps_alpha(&self, pixels: &Pixels) -> bool {
        pixels.has_alpha() && self.background.is_none()
    }

    /// The colour of the SDR image.
    pub fn color(&self) -> Color {
        Color { cicp: Cicp { primaries: self.primaries, ..Cicp::SRGB }, icc: None }
    }

    /// What the gain map of these pixels takes.
    pub fn map_bytes(&self, pixels: &Pixels) -> u64 {
        let side = |side: u32, scale: u32| u64::from(side.div_ceil(scale));
        self.scale.map_or(0, |scale| side(pixels.width(), scale) * side(pixels.height(), scale))
    }
}

/// An SDR image, and how it becomes the HDR image that it was made from.
#[derive(Debug)]
pub struct Rendition {
    /// RGB_888, or RGBA_8888 where alpha is kept.
    pub base: Pixels,
    /// None if it was not asked for, or if nothing is brighter than diffuse white.
    pub gain_map: Option<GainMap>,
}

/// The code points of HDR pixels: PQ, HLG, or linear floats. None for SDR.
pub fn code_points(pixels: &Pixels) -> Option<Cicp> {
    let cicp = color::code_points(&pixels.color)?;
    let float = matches!(pixels.info().format, PixelFormat::RgbaF16 | PixelFormat::RgbaF32);
    (cicp.is_hdr() || float && cicp.transfer == 8).then_some(cicp)
}

/// From this ratio of the peak to diffuse white on an image has something to gain.
const LEAST_PEAK: f32 = 1.02;
/// Rows of a band; a multiple of every scale.
const BAND: usize = 32;

/// The light that all but one of ten thousand pixels stay below.
fn measure(reader: &Reader, pixels: &Pixels, pool: &Pool, control: &Control) -> Result<f32> {
    let small = u64::from(pixels.width()) * u64::from(pixels.height()) < 1 << 16;
    let parts = if small { 1 } else { pool.threads().min(16) };
    let whole = Mutex::new(Histogram::new()?);
    pool.for_each(parts, &|part| {
        let mut histogram = Histogram::new()?;
        let mut work = Work::new()?;
        for y in (0..pixels.height()).step_by(if small { 1 } else { 4 }).skip(part).step_by(parts) {
            if small {
                for x in (0..pixels.width() as usize).step_by(TILE) {
                    let n = TILE.min(pixels.width() as usize - x);
                    reader.read(y, x, n, &mut work);
                    count(&work.light, n, &mut histogram);
                }
            } else {
                reader.sample(y, &mut work, |light, n| count(light, n, &mut histogram))?;
            }
            if y % 64 == 0 {
                control.checkpoint(0, 1)?;
            }
        }
        whole.lock().unwrap_or_else(PoisonError::into_inner).add(&histogram);
        Ok(())
    })?;
    let whole = whole.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(whole.peak())
}

fn count([r, g, b]: &kernels::Planes, n: usize, histogram: &mut Histogram) {
    for i in 0..n {
        histogram.count([r[i], g[i], b[i]]);
    }
}

/// Adds the gains of a row to those of their blocks.
fn add(gains: &[u32], scale: usize, sums: &mut [u32]) {
    fn whole<const N: usize>(gains: &[u32], sums: &mut [u32]) {
        let (blocks, rest) = gains.as_chunks::<N>();
        for (sum, block) in sums.iter_mut().zip(blocks) {
            *sum += block.iter().sum::<u32>();
        }
        if !rest.is_empty() {
            sums[blocks.len()] += rest.iter().sum::<u32>();
        }
    }
    match scale {
        1 => whole::<1>(gains, sums),
        2 => whole::<2>(gains, sums),
        _ => whole::<4>(gains, sums),
    }
}

/// The largest gains of blocks, as [`add`] has their sums.
fn raise(gains: &[u32], scale: usize, most: &mut [u32]) {
    for (most, block) in most.iter_mut().zip(gains.chunks(scale)) {
        *most = block.iter().fold(*most, |most, gain| most.max(*gain));
    }
}

/// Moves samples halfway to the largest gain of their block. Darkening a pixel beside a highlight is possible, brightening
/// one that is nearly white is not.
fn lean(samples: &mut [u8], most: &[u32]) {
    for (sample, most) in samples.iter_mut().zip(most) {
        *sample = ((u32::from(*sample) + (most + GAIN_STEPS / 2) / GAIN_STEPS).div_ceil(2)) as u8;
    }
}

/// The samples of a row of blocks with `rows` rows each.
fn average(sums: &[u32], scale: usize, rows: usize, width: usize, to: &mut [u8]) {
    let whole = (GAIN_STEPS as usize * scale * rows) as u32;
    let shift = whole.trailing_zeros();
    for (to, sum) in to.iter_mut().zip(sums) {
        *to = if whole.is_power_of_two() {
            ((sum + whole / 2) >> shift) as u8
        } else {
            ((sum + whole / 2) / whole) as u8
        };
    }
    let rest = width % scale;
    if rest != 0 {
        let part = (GAIN_STEPS as usize * rest * rows) as u32;
        let last = to.len() - 1;
        to[last] = ((sums[last] + part / 2) / part) as u8;
    }
}
