//! The HDR rendition of an image with a gain map, as a display of some headroom shows it.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use super::{
    BAND, code_points,
    kernels::Kernels,
    reader::{Reader, Work},
    tables::{Boost, Decoder, LogTable},
    transfer::{WHITE, nits_to_pq},
};
use crate::{
    bail,
    error::{Result, try_vec},
    model::{
        color::{Cicp, Color},
        gain_map::{GainMap, GainMapParams},
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pack::{control::Control, pool::Pool},
    pixels::{
        color::{self, Matrix},
        convert::TILE,
        sample::unit,
        space::{Space, linear_to_d50},
    },
};

/// Colour primaries of every rendition: no display that is sold shows more.
const PRIMARIES: u8 = 9;

impl GainMapParams {
    /// How much of the map a display uses that shows `headroom` stops above diffuse white: 0 to 1, or 0 to -1 where the
    /// main image is the brighter one, since gains are those from the darker to the brighter one (ISO 21496-1, 6.3).
    pub fn weight(&self, headroom: f32) -> f32 {
        let (from, to) = (self.base_headroom, self.alternate_headroom);
        let part = ((headroom - from) / (to - from)).clamp(0.0, 1.0);
        if to < from { -part } else { part }
    }
}

/// Applies the map with the weight that `headroom` gives it. Floats hold linear light, integers the PQ signal, both in
/// BT.2020's primaries.
pub fn apply(
    base: &Pixels,
    map: &GainMap,
    headroom: f32,
    format: PixelFormat,
    pool: &Pool,
    control: &Control,
) -> Result<Pixels> {
    apply_with(Kernels::best(), base, map, headroom, format, pool, control)
}

pub(super) fn apply_with(
    kernels: Kernels,
    base: &Pixels,
    map: &GainMap,
    headroom: f32,
    format: PixelFormat,
    pool: &Pool,
    control: &Control,
) -> Result<Pixels> {
    use PixelFormat::{Rgb161616, Rgba1010102, Rgba16161616, RgbaF16, RgbaF32};
    if !matches!(format, Rgba1010102 | Rgb161616 | Rgba16161616 | RgbaF16 | RgbaF32) {
        bail!(
            OutOfRange,
            "{} does not hold HDR pixels here: RGBA_F16, RGBA_F32, RGBA_1010102, RGB_161616 and RGBA_16161616 do",
            format.info().name
        );
    }
    let linear = matches!(format, RgbaF16 | RgbaF32);
    let target = linear_to_d50(PRIMARIES)?;
    let other = if map.params.base_color { None } else { primaries_of_other(&map.pixels.color)? };
    let (gained, decoder) = match code_points(base) {
        Some(cicp) => {
            let gained = other.map_or_else(|| linear_to_d50(cicp.primaries), Ok)?;
            (gained, Decoder::new(cicp, &gained, WHITE)?)
        }
        None => {
            let space = Space::of(&base.color)?;
            let gained = other.unwrap_or(space.to_d50);
            (gained, Decoder::standard(&space, &gained)?)
        }
    };
    let weight = map.params.weight(headroom);
    let boost = |c| Boost::new(&map.params, c, weight);
    let stage = Stage {
        base: Reader::new(base, base.color.cicp, decoder, kernels, None)?,
        map: Reader::new(&map.pixels, map.pixels.color.cicp, Decoder::identity(), kernels, None)?,
        map_size: (map.pixels.width() as usize, map.pixels.height() as usize),
        size: (base.width() as usize, base.height() as usize),
        places: places(base.width(), map.pixels.width())?,
        gray: map.pixels.info().is_gray(),
        boost: [boost(0)?, boost(1)?, boost(2)?],
        off: weight == 0.0,
        finish: Decoder::light(&gained, &target),
        curve: match linear {
            true => None,
            false => Some(pq_signal()?),
        },
        format,
        alpha: base.has_alpha() && format != Rgb161616,
    };
    let (width, height) = stage.size;
    let row_bytes = width * usize::from(format.info().planes[0].bytes);
    let mut bytes = match row_bytes.checked_mul(height) {
        Some(bytes) => try_vec(bytes, "the HDR image")?,
        None => bail!(TooLarge, "{width} x {height} pixels of {} are too many", format.info().name),
    };
    let bands: Vec<_> = bytes.chunks_mut(row_bytes * BAND).map(Mutex::new).collect();
    pool.for_each(bands.len(), &|index| {
        let mut band = bands[index].lock().unwrap_or_else(PoisonError::into_inner);
        stage.rows(index * BAND, row_bytes, &mut band)?;
        control.checkpoint(index as u64, 4 * bands.len() as u64)
    })?;
    drop(bands);
    let mut pixels = Pixels::from_vec(base.width(), base.height(), format, bytes)?;
    let transfer = if linear { 8 } else { 16 };
    let cicp = Cicp { primaries: PRIMARIES, transfer, matrix: 0, full_range: true };
    pixels.color = Color { cicp, icc: None };
    pixels.alpha = if stage.alpha { AlphaType::Unpremultiplied } else { AlphaType::Opaque };
    Ok(pixels)
}

/// The primaries in which a map is applied that brings them along, as the colour of its own; none if it does not say.
fn primaries_of_other(color: &Color) -> Result<Option<Matrix>> {
    match color::code_points(color) {
        Some(cicp) if cicp.is_srgb() => Ok(None),
        Some(cicp) => linear_to_d50(cicp.primaries).map(Some),
        None => Space::of(color).map(|space| Some(space.to_d50)),
    }
}

/// Light of 1.0 for diffuse white to the signal of 0 to 1.
fn pq_signal() -> Result<LogTable> {
    let mut table = LogTable::edges(-24, 6, |light| nits_to_pq((light * WHITE).min(10_000.0)) as f32)?;
    table.entries[0] = 0;
    Ok(table)
}

/// Between which columns of the map each column is, and how far from the first: both have their centres in the same
/// place.
fn places(size: u32, of: u32) -> Result<Vec<(u32, f32)>> {
    let mut places = try_vec(size as usize, "the gain map's columns")?;
    for (at, to) in (0..size).zip(&mut places) {
        *to = place(at, size, of);
    }
    Ok(places)
}

fn place(at: u32, size: u32, of: u32) -> (u32, f32) {
    let at = (f64::from(at) + 0.5) * f64::from(of) / f64::from(size) - 0.5;
    let at = at.clamp(0.0, f64::from(of - 1));
    (at as u32, at.fract() as f32)
}

/// All that rows are made with.
struct Stage {
    base: Reader,
    map: Reader,
    map_size: (usize, usize),
    size: (usize, usize),
    places: Vec<(u32, f32)>,
    /// The map has one channel.
    gray: bool,
    boost: [Boost; 3],
    /// The map changes nothing.
    off: bool,
    /// From the primaries of the gains to those of the rendition.
    finish: Decoder,
    curve: Option<LogTable>,
    format: PixelFormat,
    alpha: bool,
}

/// Rows of the map, plane by plane.
type Rows = [Vec<f32>; 3];

impl Stage {
    fn rows(&self, first: usize, row_bytes: usize, band: &mut [u8]) -> Result<()> {
        let mut work = Work::new()?;
        let kernels = self.base.kernels();
        let mut samples = [[0.0; TILE]; 3];
        let channels = if self.gray { 0..1 } else { 0..3 };
        // Two rows of the map by their numbers, and the row between them.
        let rows = || -> Result<Rows> {
            let row = || try_vec(self.map_size.0, "a row of the gain map");
            Ok([row()?, row()?, row()?])
        };
        let (mut near, mut between) = ([(usize::MAX, rows()?), (usize::MAX, rows()?)], rows()?);
        for (y, row) in (first..).zip(band.chunks_exact_mut(row_bytes)) {
            if !self.off {
                self.between(y, &mut near, &mut between, channels.clone(), &mut work);
            }
            for x in (0..self.size.0).step_by(TILE) {
                let n = TILE.min(self.size.0 - x);
                self.base.read(y as u32, x, n, &mut work);
                if !self.off {
                    for c in channels.clone() {
                        enlarge(&between[c], &self.places[x..x + n], &mut samples[c]);
                    }
                    for (c, plane) in work.light.iter_mut().enumerate() {
                        let samples = &samples[if self.gray { 0 } else { c }];
                        kernels.boost(plane, samples, &self.boost[c], n);
                    }
                }
                kernels.signals(&self.finish, &mut work.light, n);
                if let Some(curve) = &self.curve {
                    work.light.iter_mut().for_each(|plane| kernels.curve(plane, curve, n));
                }
                let group = row_bytes / self.size.0;
                store(self.format, self.alpha, &work, &mut row[x * group..][..n * group]);
            }
        }
        Ok(())
    }

    /// The row of the map at row `y` of the image.
    fn between(
        &self,
        y: usize,
        near: &mut [(usize, Rows); 2],
        to: &mut Rows,
        channels: Range<usize>,
        work: &mut Work,
    ) {
        let (above, part) = place(y as u32, self.size.1 as u32, self.map_size.1 as u32);
        let above = above as usize;
        let below = (above + 1).min(self.map_size.1 - 1);
        if near[0].0 != above && near[1].0 == above {
            near.swap(0, 1);
        }
        for (wanted, (number, rows)) in [above, below].into_iter().zip(near.iter_mut()) {
            if *number == wanted {
                continue;
            }
            *number = wanted;
            for x in (0..self.map_size.0).step_by(TILE) {
                let n = TILE.min(self.map_size.0 - x);
                self.map.read(wanted as u32, x, n, work);
                for c in channels.clone() {
                    rows[c][x..x + n].copy_from_slice(&work.light[c][..n]);
                }
            }
        }
        for c in channels {
            for ((to, a), b) in to[c].iter_mut().zip(&near[0].1[c]).zip(&near[1].1[c]) {
                *to = a + (b - a) * part;
            }
        }
    }
}

fn enlarge(row: &[f32], places: &[(u32, f32)], to: &mut [f32; TILE]) {
    let last = row.len() - 1;
    for (to, &(at, part)) in to.iter_mut().zip(places) {
        let at = (at as usize).min(last);
        let (a, b) = (row[at], row[(at + 1).min(last)]);
        *to = a + (b - a) * part;
    }
}

/// Bytes of a tile.
fn store(format: PixelFormat, alpha: bool, work: &Work, row: &mut [u8]) {
    let [r, g, b] = &work.light;
    let alpha = |i: usize| if alpha { unit(work.alpha[i]) } else { 1.0 };
    let code = |value: f32, top: f32| (unit(value) * top + 0.5) as u32;
    match format {
        PixelFormat::Rgba1010102 => {
            for (i, to) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let [r, g, b] = [r[i], g[i], b[i]].map(|v| code(v, 1023.0));
                *to = (r | g << 10 | b << 20 | code(alpha(i), 3.0) << 30).to_ne_bytes();
            }
        }
        PixelFormat::Rgb161616 => {
            for (i, to) in row.as_chunks_mut::<6>().0.iter_mut().enumerate() {
                let [r, g, b] = [r[i], g[i], b[i]].map(|v| (code(v, 65535.0) as u16).to_ne_bytes());
                *to = [r[0], r[1], g[0], g[1], b[0], b[1]];
            }
        }
        PixelFormat::Rgba16161616 => {
            for (i, to) in row.as_chunks_mut::<2>().0.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *to = [r[i], g[i], b[i], alpha(i)].map(|v| (code(v, 65535.0) as u16).to_ne_bytes());
            }
        }
        PixelFormat::RgbaF16 => {
            for (i, to) in row.as_chunks_mut::<2>().0.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *to = [r[i], g[i], b[i], alpha(i)].map(|v| half_of(v).to_ne_bytes());
            }
        }
        _ => {
            for (i, to) in row.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *to = [r[i], g[i], b[i], alpha(i)].map(f32::to_ne_bytes);
            }
        }
    }
}

/// A half float of a number from 0 on, rounded to the nearest; at most 65504.
fn half_of(value: f32) -> u16 {
    let value = value.clamp(0.0, 65504.0);
    if value < 1.0 / 16384.0 {
        // Without an exponent a half counts steps of 2^-24.
        return (value * 16_777_216.0 + 0.5) as u16;
    }
    let bits = value.to_bits() - (112 << 23);
    ((bits + 0xfff + (bits >> 13 & 1)) >> 13) as u16
}
