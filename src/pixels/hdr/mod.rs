//! High dynamic range: signals become linear light, and light becomes an SDR image with the gain map that undoes its
//! tone mapping.
//!
//! Red, green and blue are scaled alike, by what the largest of them needs, so that hue stays and one channel of
//! gains is exact. The peak is measured, once over a sixteenth of the pixels; everything else goes band by band.

mod apply;
mod compare;
mod histogram;
mod kernels;
mod lanes;
mod level;
mod reader;
mod tables;
#[cfg(test)]
mod tests;
pub mod transfer;

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

pub use self::{
    apply::apply,
    compare::{Bright, compare},
    level::level,
    transfer::ToneMapper,
};
use self::{
    histogram::Histogram,
    kernels::Kernels,
    reader::{Reader, Work},
    tables::{Decoder, Developer, GAIN_STEPS},
};
use super::{
    color::{self, Curve, Primaries},
    convert::TILE,
    simd::pack_3,
    space::linear_to_d50,
};
use crate::{
    error::{Result, try_vec},
    model::{
        color::{Cicp, Color},
        gain_map::GainMap,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
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
    /// What shows through transparent pixels, in sRGB; none to keep alpha.
    pub background: Option<[u8; 3]>,
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

/// Develops HDR pixels of these code points.
pub fn develop(
    pixels: &Pixels,
    cicp: Cicp,
    recipe: &Recipe,
    pool: &Pool,
    control: &Control,
) -> Result<Rendition> {
    develop_with(Kernels::best(), pixels, cicp, recipe, pool, control)
}

fn develop_with(
    kernels: Kernels,
    pixels: &Pixels,
    cicp: Cicp,
    recipe: &Recipe,
    pool: &Pool,
    control: &Control,
) -> Result<Rendition> {
    let keeps_alpha = pixels.has_alpha() && recipe.background.is_none();
    let background = match recipe.background {
        Some(rgb) => {
            let matrix = color::between(&Primaries::new(1)?, &Primaries::new(recipe.primaries)?);
            let light = color::multiply(&matrix, rgb.map(|c| Curve::SRGB.decode(f64::from(c) / 255.0)));
            Some(light.map(|c| c.clamp(0.0, 1.0) as f32))
        }
        None => None,
    };
    let decoder = Decoder::new(cicp, &linear_to_d50(recipe.primaries)?, recipe.linear_white)?;
    let reader = Reader::new(pixels, cicp, decoder, kernels, background)?;
    let peak = measure(&reader, pixels, pool, control)?;
    let developer = Developer::new(recipe.mapper, peak)?;

    let scale = recipe.scale.filter(|_| peak >= LEAST_PEAK).map(|scale| scale as usize);
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let pixel_bytes = if keeps_alpha { 4 } else { 3 };
    let map_size = scale.map_or((0, 0), |scale| (width.div_ceil(scale), height.div_ceil(scale)));
    // The product of the input's sides and at least as many bytes a pixel exists.
    let mut base = try_vec(width * height * pixel_bytes, "the SDR image")?;
    let mut map = try_vec(map_size.0 * map_size.1, "the gain map")?;
    {
        let map_rows = BAND / scale.unwrap_or(BAND);
        let mut maps = map.chunks_mut((map_size.0 * map_rows).max(1));
        let bands: Vec<_> = base
            .chunks_mut(width * pixel_bytes * BAND)
            .map(|base| Mutex::new((base, maps.next().unwrap_or_default())))
            .collect();
        pool.for_each(bands.len(), &|index| {
            let first = index * BAND;
            let rows = first..(first + BAND).min(height);
            let mut band = bands[index].lock().unwrap_or_else(PoisonError::into_inner);
            let (base, map) = &mut *band;
            let map = scale.map(|scale| (scale, &mut **map));
            develop_band(&reader, &developer, width, rows, keeps_alpha, base, map)?;
            // The encoder does the other three quarters, more or less.
            control.checkpoint(index as u64, 4 * bands.len() as u64)
        })?;
    }
    let format = if keeps_alpha { PixelFormat::Rgba8888 } else { PixelFormat::Rgb888 };
    let mut base = Pixels::from_vec(pixels.width(), pixels.height(), format, base)?;
    let primaries = recipe.primaries;
    base.color = Color { cicp: Cicp { primaries, ..Cicp::SRGB }, icc: None };
    if keeps_alpha {
        base.alpha = AlphaType::Unpremultiplied;
    }
    let gain_map = match scale {
        Some(_) => {
            let map = Pixels::from_vec(map_size.0 as u32, map_size.1 as u32, PixelFormat::Gray8, map)?;
            Some(GainMap { pixels: Arc::new(map), params: developer.params })
        }
        None => None,
    };
    Ok(Rendition { base, gain_map })
}

/// The light that all but one of ten thousand pixels stay below.
fn measure(reader: &Reader<'_>, pixels: &Pixels, pool: &Pool, control: &Control) -> Result<f32> {
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

/// Makes rows of the SDR image, and those of the gain map.
fn develop_band(
    reader: &Reader<'_>,
    developer: &Developer,
    width: usize,
    rows: Range<usize>,
    keeps_alpha: bool,
    base: &mut [u8],
    mut map: Option<(usize, &mut [u8])>,
) -> Result<()> {
    let mut work = Work::new()?;
    let (mut codes, mut gains) = ([0; TILE], [0; TILE]);
    let mut sums: Vec<u32> =
        try_vec(map.as_ref().map_or(0, |(scale, _)| width.div_ceil(*scale)), "a row of gains")?;
    let pixel_bytes = if keeps_alpha { 4 } else { 3 };
    for (y, row) in rows.clone().zip(base.chunks_exact_mut(width * pixel_bytes)) {
        for x in (0..width).step_by(TILE) {
            let n = TILE.min(width - x);
            reader.read(y as u32, x, n, &mut work);
            reader.kernels().develop(&work.light, developer, &mut codes, &mut gains, n);
            let out = &mut row[x * pixel_bytes..][..n * pixel_bytes];
            let bytes = codes.map(u32::to_le_bytes);
            if keeps_alpha {
                for ((to, from), alpha) in out.as_chunks_mut().0.iter_mut().zip(bytes).zip(work.alpha) {
                    *to = [from[0], from[1], from[2], (super::sample::unit(alpha) * 255.0 + 0.5) as u8];
                }
            } else {
                pack_3(&bytes[..n], out.as_chunks_mut().0, false);
            }
            if let Some((scale, _)) = map {
                add(&gains[..n], scale, &mut sums[x / scale..]);
            }
        }
        let Some((scale, map)) = &mut map else { continue };
        let below = (y - rows.start) % *scale + 1;
        if below == *scale || y + 1 == rows.end {
            let out = (y - rows.start) / *scale * sums.len();
            average(&sums, *scale, below, width, &mut map[out..][..sums.len()]);
            sums.fill(0);
        }
    }
    Ok(())
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
