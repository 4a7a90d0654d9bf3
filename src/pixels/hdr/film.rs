//! HDR pixels that have been measured, and become rows of an SDR image when these are asked for. The gain map grows
//! with them.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    BAND, LEAST_PEAK, Recipe, Rendition, add, average,
    kernels::Kernels,
    lean, measure, raise,
    reader::{Reader, Work},
    sharpen::Sharpener,
    tables::{Decoder, Developer},
};
use crate::{
    bail,
    error::{Result, try_vec},
    model::{
        color::{Cicp, Color},
        gain_map::GainMap,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pack::{control::Control, pool::Pool},
    pixels::{
        Layout,
        color::{self, Curve, Primaries},
        convert::TILE,
        sample::unit,
        simd::pack_3,
        space::linear_to_d50,
    },
};

/// Pixels that are made again together: few, because most images have highlights in few places.
const RUN: usize = TILE / 8;

/// An HDR image before its development. Any thread may make any rows.
#[derive(Debug)]
pub struct Film {
    reader: Reader,
    developer: Developer,
    keeps_alpha: bool,
    color: Color,
    map: Option<Map>,
    /// For a map of fewer samples than pixels.
    sharpener: Option<Sharpener>,
}

/// The gain map that is made along with the rows.
#[derive(Debug)]
struct Map {
    /// Pixels of the image for one sample, across and down.
    scale: usize,
    width: usize,
    height: usize,
    /// Rows are written as they are made, each by the thread that has all pixels of it.
    samples: Mutex<Vec<u8>>,
}

impl Film {
    /// Measures the light of HDR pixels of these code points, which are shared.
    pub fn new(pixels: &Pixels, cicp: Cicp, recipe: &Recipe, pool: &Pool, control: &Control) -> Result<Self> {
        Self::with(Kernels::best(), pixels, cicp, recipe, pool, control)
    }

    pub(super) fn with(
        kernels: Kernels,
        pixels: &Pixels,
        cicp: Cicp,
        recipe: &Recipe,
        pool: &Pool,
        control: &Control,
    ) -> Result<Self> {
        let background = match recipe.background {
            Some(rgb) => {
                let matrix = color::between(&Primaries::new(1)?, &Primaries::new(recipe.primaries)?);
                let light = color::multiply(&matrix, rgb.map(|c| Curve::SRGB.decode(f64::from(c) / 255.0)));
                Some(light.map(|c| c.clamp(0.0, 1.0) as f32))
            }
            None => None,
        };
        let decoder = Decoder {
            keeps_hue: true,
            ..Decoder::new(cicp, &linear_to_d50(recipe.primaries)?, recipe.linear_white)?
        };
        let reader = Reader::new(pixels, cicp, decoder, kernels, background)?;
        let peak = measure(&reader, pixels, pool, control)?;
        let developer = Developer::new(recipe.mapper, peak)?;
        let map = match recipe.scale.filter(|_| peak >= LEAST_PEAK) {
            Some(scale) => Some(Map::new(scale as usize, pixels)?),
            None => None,
        };
        let sharpener = match map.as_ref().filter(|map| recipe.sharp && map.scale > 1) {
            Some(map) => {
                let size = (pixels.width() as usize, pixels.height() as usize);
                Some(Sharpener::new(size, (map.width, map.height), &developer)?)
            }
            None => None,
        };
        let (keeps_alpha, color) = (recipe.keeps_alpha(pixels), recipe.color());
        Ok(Self { reader, developer, keeps_alpha, color, map, sharpener })
    }

    /// The HDR pixels.
    pub fn pixels(&self) -> &Pixels {
        self.reader.pixels()
    }

    /// The colour of the SDR image.
    pub fn color(&self) -> &Color {
        &self.color
    }

    /// Whether there is a gain map: it was asked for, and something is brighter than diffuse white.
    pub fn has_gain_map(&self) -> bool {
        self.map.is_some()
    }

    /// Makes rows of the SDR image in [`Layout::Rgb8`], [`Layout::Rgbx8`] or [`Layout::Rgba8`], tight; and those of the
    /// gain map all of whose pixels are among them.
    pub fn develop(
        &self,
        rows: Range<u32>,
        layout: Layout,
        to: &mut [u8],
        work: &mut Option<Box<Work>>,
    ) -> Result<()> {
        if !matches!(layout, Layout::Rgb8 | Layout::Rgbx8 | Layout::Rgba8) {
            bail!(Bug, "HDR pixels were to be developed to {layout:?}");
        }
        let work = match work {
            Some(work) => work,
            None => work.insert(Work::new()?),
        };
        let (width, height) = (self.pixels().width() as usize, self.pixels().height() as usize);
        let row_bytes = width * layout.pixel_bytes();
        let own = rows.start as usize..rows.end as usize;
        // With a sharpener also the rows around these that its samples are made of.
        let seen = match (&self.map, &self.sharpener) {
            (Some(map), Some(sharpener)) => {
                let last = (sharpener.row(own.end - 1).0 as usize + 2).min(map.height);
                sharpener.row(own.start).0 as usize * map.scale..(last * map.scale).min(height)
            }
            _ => own.clone(),
        };
        let columns = self.map.as_ref().map_or(0, |map| map.width);
        let mut sums: Vec<u32> = try_vec(columns, "a row of gains")?;
        let mut near = match (&self.map, &self.sharpener) {
            (Some(map), Some(_)) => Some(Near::new(map, seen.clone())?),
            _ => None,
        };
        // For rows that nobody asked for.
        let mut spare: Vec<u8> =
            try_vec(if near.is_some() { row_bytes } else { 0 }, "a row of the SDR image")?;
        let mut gains = [0; TILE];
        // Rows of the current block that have been added up.
        let mut below = 0;
        for y in seen {
            let scale = match &self.map {
                Some(map) if below > 0 || y.is_multiple_of(map.scale) => map.scale,
                _ => 0,
            };
            let row = match own.contains(&y) {
                true => &mut to[(y - own.start) * row_bytes..][..row_bytes],
                false => &mut spare[..],
            };
            for x in (0..width).step_by(TILE) {
                let n = TILE.min(width - x);
                self.reader.read(y as u32, x, n, work);
                let out = &mut row[x * layout.pixel_bytes()..][..n * layout.pixel_bytes()];
                write(layout, n, &work.alpha, out, |codes| {
                    self.reader.kernels().develop(&work.light, &self.developer, codes, &mut gains, n);
                });
                if scale != 0 {
                    add(&gains[..n], scale, &mut sums[x / scale..]);
                    if let Some(near) = &mut near {
                        raise(&gains[..n], scale, &mut near.most[x / scale..]);
                    }
                }
            }
            let Some(map) = self.map.as_ref().filter(|_| scale != 0) else { continue };
            below += 1;
            if below == scale || y + 1 == height {
                match &mut near {
                    Some(near) => {
                        let samples = near.put(y / scale, &sums, scale, below, width);
                        if own.contains(&y) && own.contains(&(y + 1 - below)) {
                            map.put(y / scale, |to| to.copy_from_slice(samples))?;
                        }
                    }
                    None => map.put(y / scale, |to| average(&sums, scale, below, width, to))?,
                }
                sums.fill(0);
                below = 0;
            }
        }
        match (&self.sharpener, &near) {
            (Some(sharpener), Some(near)) => self.sharpen(sharpener, near, own, layout, to, work),
            _ => Ok(()),
        }
    }

    /// Makes those pixels again whose gain is not the one that decoders find in the map.
    fn sharpen(
        &self,
        sharpener: &Sharpener,
        near: &Near,
        rows: Range<usize>,
        layout: Layout,
        to: &mut [u8],
        work: &mut Work,
    ) -> Result<()> {
        let width = self.pixels().width() as usize;
        let kernels = self.reader.kernels();
        let mut between: Vec<u32> = try_vec(near.columns, "a row of gains")?;
        let (mut gains, mut factors, mut codes) = ([0; TILE], [0.0; TILE], [0; 4 * TILE]);
        let pixel_bytes = layout.pixel_bytes();
        for (y, row) in rows.zip(to.chunks_exact_mut(width * pixel_bytes)) {
            let place = sharpener.row(y);
            Sharpener::between(near.rows(place.0 as usize), place, &mut between);
            for x in (0..width).step_by(RUN) {
                let n = RUN.min(width - x);
                if sharpener.is_dark(&between, x, n) {
                    continue;
                }
                self.reader.read(y as u32, x, n, work);
                kernels.develop(&work.light, &self.developer, &mut codes, &mut gains, n);
                if sharpener.factors(&between, &gains, x, n, &mut factors) {
                    let out = &mut row[x * pixel_bytes..][..n * pixel_bytes];
                    write(layout, n, &work.alpha, out, |codes| {
                        kernels.expose(&work.light, &self.developer, &factors, codes, n);
                    });
                }
            }
        }
        Ok(())
    }

    /// The gain map, once, when all rows have been made.
    pub fn take_gain_map(&self) -> Result<Option<GainMap>> {
        let Some(map) = &self.map else { return Ok(None) };
        let samples = std::mem::take(&mut *map.samples.lock().unwrap_or_else(PoisonError::into_inner));
        let mut pixels = Pixels::from_vec(map.width as u32, map.height as u32, PixelFormat::Gray8, samples)?;
        // It is what the light of the HDR image is known from now.
        pixels.light = self.pixels().light;
        Ok(Some(GainMap { pixels: Arc::new(pixels), params: self.developer.params }))
    }

    /// The whole SDR image, and its gain map.
    pub fn print(&self, pool: &Pool, control: &Control) -> Result<Rendition> {
        let (width, height) = (self.pixels().width(), self.pixels().height());
        let (format, layout) = match self.keeps_alpha {
            true => (PixelFormat::Rgba8888, Layout::Rgba8),
            false => (PixelFormat::Rgb888, Layout::Rgb8),
        };
        let row = width as usize * layout.pixel_bytes();
        // The product of the input's sides and at least as many bytes a pixel exists.
        let mut base = try_vec(height as usize * row, "the SDR image")?;
        let bands: Vec<_> = base.chunks_mut(row * BAND).map(Mutex::new).collect();
        pool.for_each(bands.len(), &|index| {
            let first = (index * BAND) as u32;
            let rows = first..(first + BAND as u32).min(height);
            let mut band = bands[index].lock().unwrap_or_else(PoisonError::into_inner);
            self.develop(rows, layout, &mut band, &mut None)?;
            // The encoder does the other three quarters, more or less.
            control.checkpoint(index as u64, 4 * bands.len() as u64)
        })?;
        drop(bands);
        let mut base = Pixels::from_vec(width, height, format, base)?;
        base.color = self.color.clone();
        if self.keeps_alpha {
            base.alpha = AlphaType::Unpremultiplied;
        }
        Ok(Rendition { base, gain_map: self.take_gain_map()? })
    }
}

impl Map {
    fn new(scale: usize, pixels: &Pixels) -> Result<Self> {
        let [width, height] = [pixels.width(), pixels.height()].map(|side| (side as usize).div_ceil(scale));
        let samples = Mutex::new(try_vec(width * height, "the gain map")?);
        Ok(Self { scale, width, height, samples })
    }

    /// Has row `y` written.
    fn put(&self, y: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(to) = samples.get_mut(y * self.width..(y + 1) * self.width) else {
            bail!(Bug, "row {y} of a gain map was made after the map had been taken");
        };
        write(to);
        Ok(())
    }
}

/// Rows of the gain map around the rows of the image that are made.
struct Near {
    columns: usize,
    /// The first row.
    first: usize,
    samples: Vec<u8>,
    /// The largest gains of the current row of blocks.
    most: Vec<u32>,
}

impl Near {
    /// For these rows of the image, from the first of a block on.
    fn new(map: &Map, rows: Range<usize>) -> Result<Self> {
        let count = rows.len().div_ceil(map.scale);
        Ok(Self {
            columns: map.width,
            first: rows.start / map.scale,
            samples: try_vec(count * map.width, "rows of a gain map")?,
            most: try_vec(map.width, "a row of gains")?,
        })
    }

    /// Where row `y` goes; the largest gains go back to nothing.
    fn put(&mut self, y: usize, sums: &[u32], scale: usize, rows: usize, width: usize) -> &[u8] {
        let row = &mut self.samples[(y - self.first) * self.columns..][..self.columns];
        average(sums, scale, rows, width, row);
        lean(row, &self.most);
        self.most.fill(0);
        row
    }

    /// Row `y` and the next.
    fn rows(&self, y: usize) -> [&[u8]; 2] {
        let row = |y: usize| &self.samples[y * self.columns..][..self.columns];
        let last = self.samples.len() / self.columns - 1;
        [row(y - self.first), row((y + 1 - self.first).min(last))]
    }
}

/// Writes `n` pixels whose codes, four bytes each, `make` makes.
fn write(layout: Layout, n: usize, alpha: &[f32; TILE], out: &mut [u8], make: impl FnOnce(&mut [u8])) {
    if layout == Layout::Rgb8 {
        let mut codes = [0; 4 * TILE];
        make(&mut codes);
        pack_3(&codes.as_chunks().0[..n], out.as_chunks_mut().0, false);
    } else {
        make(out);
    }
    if layout == Layout::Rgba8 {
        for (pixel, alpha) in out.as_chunks_mut::<4>().0.iter_mut().zip(alpha) {
            pixel[3] = (unit(*alpha) * 255.0 + 0.5) as u8;
        }
    }
}
