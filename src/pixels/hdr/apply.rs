//! The HDR rendition of an image with a gain map, as a display of some headroom shows it.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use super::{
    BAND, code_points,
    kernels::{Kernels, Pack, Planes},
    reader::{Reader, Work},
    tables::{Boost, Columns, Decoder, LogTable, place},
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
        columns: Columns::new(base.width(), map.pixels.width())?,
        gray: map.pixels.info().is_gray(),
        alike: map.params.is_uniform(),
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

/// All that rows are made with.
struct Stage {
    base: Reader,
    map: Reader,
    map_size: (usize, usize),
    size: (usize, usize),
    columns: Columns,
    /// The map has one channel.
    gray: bool,
    /// And what it does is the same for all three.
    alike: bool,
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
            // The last sample is there twice.
            let row = || try_vec(self.map_size.0 + 1, "a row of the gain map");
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
                        kernels.enlarge(&between[c], &self.columns, x, &mut samples[c], n);
                    }
                    if self.gray && self.alike {
                        kernels.boost_all(&mut work.light, &samples[0], &self.boost[0], n);
                    } else {
                        for (c, plane) in work.light.iter_mut().enumerate() {
                            let samples = &samples[if self.gray { 0 } else { c }];
                            kernels.boost(plane, samples, &self.boost[c], n);
                        }
                    }
                }
                kernels.signals(&self.finish, &mut work.light, n);
                if let Some(curve) = &self.curve {
                    work.light.iter_mut().for_each(|plane| kernels.curve(plane, curve, n));
                }
                let group = row_bytes / self.size.0;
                let alpha = if self.alpha { &work.alpha } else { &OPAQUE };
                store(kernels, self.format, &work.light, alpha, &mut row[x * group..][..n * group]);
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
            let last = self.map_size.0;
            if self.map.pixels().info().format == PixelFormat::Gray8 {
                let row = self.map.pixels().row(0, wanted as u32);
                rows[0].iter_mut().zip(row).for_each(|(to, &from)| *to = f32::from(from) / 255.0);
            } else {
                for x in (0..last).step_by(TILE) {
                    let n = TILE.min(last - x);
                    self.map.read(wanted as u32, x, n, work);
                    for c in channels.clone() {
                        rows[c][x..x + n].copy_from_slice(&work.light[c][..n]);
                    }
                }
            }
            for c in channels.clone() {
                rows[c][last] = rows[c][last - 1];
            }
        }
        for c in channels {
            for ((to, a), b) in to[c].iter_mut().zip(&near[0].1[c]).zip(&near[1].1[c]) {
                *to = a + (b - a) * part;
            }
        }
    }
}

const OPAQUE: [f32; TILE] = [1.0; TILE];

/// Bytes of a tile.
fn store(kernels: &Kernels, format: PixelFormat, planes: &Planes, alpha: &[f32; TILE], row: &mut [u8]) {
    let [r, g, b] = planes;
    let pixels = row.len() / usize::from(format.info().planes[0].bytes);
    match format {
        PixelFormat::Rgba1010102 => kernels.pack(Pack::Ten, planes, alpha, row, pixels),
        PixelFormat::Rgba16161616 => kernels.pack(Pack::Sixteen, planes, alpha, row, pixels),
        PixelFormat::RgbaF16 => kernels.pack(Pack::Half, planes, alpha, row, pixels),
        PixelFormat::Rgb161616 => {
            let mut four = [0; 8 * TILE];
            kernels.pack(Pack::Sixteen, planes, alpha, &mut four, pixels);
            for (to, from) in row.as_chunks_mut::<6>().0.iter_mut().zip(four.as_chunks::<8>().0) {
                to.copy_from_slice(&from[..6]);
            }
        }
        _ => {
            for (i, to) in row.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *to = [r[i], g[i], b[i], unit(alpha[i])].map(f32::to_ne_bytes);
            }
        }
    }
}
