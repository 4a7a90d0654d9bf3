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
    samples: Mutex<Samples>,
}

#[derive(Debug)]
struct Samples {
    bytes: Vec<u8>,
    /// Which rows have been written.
    made: Vec<bool>,
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
        let developer = Developer::new(recipe.mapper, peak, recipe.exact)?;
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

    /// Whether a pixel so far was not opaque and was blended on the background.
    pub fn has_blended(&self) -> bool {
        self.reader.has_blended()
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
        let rows = rows.start as usize..rows.end as usize;
        match (&self.map, &self.sharpener) {
            (Some(map), Some(sharpener)) => self.sharp(map, sharpener, rows, layout, to, work),
            _ => self.plain(rows, layout, to, work),
        }
    }

    /// As the tone curve has them.
    fn plain(&self, rows: Range<usize>, layout: Layout, to: &mut [u8], work: &mut Work) -> Result<()> {
        let (width, height) = (self.pixels().width() as usize, self.pixels().height() as usize);
        let columns = self.map.as_ref().map_or(0, |map| map.width);
        let mut sums: Vec<u32> = try_vec(columns, "a row of gains")?;
        let mut gains = [0; TILE];
        // Rows of the current block that have been added up.
        let mut below = 0;
        for (y, row) in rows.zip(to.chunks_exact_mut(width * layout.pixel_bytes())) {
            let scale = match &self.map {
                Some(map) if below > 0 || y.is_multiple_of(map.scale) => map.scale,
                _ => 0,
            };
            for x in (0..width).step_by(TILE) {
                let n = TILE.min(width - x);
                self.reader.read(y as u32, x, n, work);
                write(layout, x..x + n, &work.alpha, row, |codes| {
                    self.reader.kernels().develop(&work.light, &self.developer, codes, &mut gains, n);
                });
                if scale != 0 {
                    add(&gains[..n], scale, &mut sums[x / scale..]);
                }
            }
            let Some(map) = self.map.as_ref().filter(|_| scale != 0) else { continue };
            below += 1;
            if below == scale || y + 1 == height {
                map.put(y / scale, |to| average(&sums, scale, below, width, to))?;
                sums.fill(0);
                below = 0;
            }
        }
        Ok(())
    }

    /// With what the map cannot tell: first the rows of the map around these, as far as nobody has made them yet, then the
    /// pixels.
    fn sharp(
        &self,
        map: &Map,
        sharpener: &Sharpener,
        rows: Range<usize>,
        layout: Layout,
        to: &mut [u8],
        work: &mut Work,
    ) -> Result<()> {
        let (width, height) = (self.pixels().width() as usize, self.pixels().height() as usize);
        let (kernels, row_bytes) = (self.reader.kernels(), width * layout.pixel_bytes());
        let last = (sharpener.row(rows.end - 1).0 as usize + 2).min(map.height);
        let mut near = Near::new(map, sharpener.row(rows.start).0 as usize..last)?;
        let tiles = width.div_ceil(TILE);
        // Tiles whose pixels are made along with the map: they have no gain.
        let mut ready: Vec<bool> = try_vec(tiles * rows.len(), "tiles of the SDR image")?;
        let (mut gains, mut found) = ([0; TILE], [0.0; TILE]);
        while let Some(index) = near.missing() {
            let block = index * map.scale..((index + 1) * map.scale).min(height);
            for y in block.clone() {
                for x in (0..width).step_by(TILE) {
                    let n = TILE.min(width - x);
                    self.reader.read(y as u32, x, n, work);
                    kernels.tones(&work.light, &self.developer, &mut gains, n);
                    if gains[..n].iter().fold(0, |all, gain| all | gain) != 0 {
                        near.add(&gains[..n], x / map.scale);
                    } else if rows.contains(&y) {
                        let row = &mut to[(y - rows.start) * row_bytes..][..row_bytes];
                        write(layout, x..x + n, &work.alpha, row, |codes| {
                            kernels.develop(&work.light, &self.developer, codes, &mut gains, n);
                        });
                        ready[(y - rows.start) * tiles + x / TILE] = true;
                    }
                }
            }
            let samples = near.finish(block.len(), width);
            map.put(index, |to| to.copy_from_slice(samples))?;
        }
        let mut between: Vec<f32> = try_vec(map.width + 1, "a row of gains")?;
        for ((y, row), ready) in rows.zip(to.chunks_exact_mut(row_bytes)).zip(ready.chunks_exact(tiles)) {
            let place = sharpener.row(y);
            Sharpener::between(near.rows(place.0 as usize), place, &mut between);
            for x in (0..width).step_by(TILE) {
                let n = TILE.min(width - x);
                let dark = sharpener.is_dark(&between, x, n);
                if dark && ready[x / TILE] {
                    continue;
                }
                self.reader.read(y as u32, x, n, work);
                kernels.enlarge(&between, &sharpener.columns, x, &mut found, n);
                write(layout, x..x + n, &work.alpha, row, |codes| match dark {
                    true => kernels.develop(&work.light, &self.developer, codes, &mut gains, n),
                    false => {
                        kernels.expose(&work.light, &self.developer, &sharpener.factors, &found, codes, n)
                    }
                });
            }
        }
        Ok(())
    }

    /// The gain map, once, when all rows have been made.
    pub fn take_gain_map(&self) -> Result<Option<GainMap>> {
        let Some(map) = &self.map else { return Ok(None) };
        let samples = std::mem::take(&mut map.samples.lock().unwrap_or_else(PoisonError::into_inner).bytes);
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
        let samples = Samples {
            bytes: try_vec(width * height, "the gain map")?,
            made: try_vec(height, "rows of the gain map")?,
        };
        Ok(Self { scale, width, height, samples: Mutex::new(samples) })
    }

    /// Has row `y` written.
    fn put(&self, y: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let Samples { bytes, made } = &mut *samples;
        let Some(to) = bytes.get_mut(y * self.width..(y + 1) * self.width) else {
            bail!(Bug, "row {y} of a gain map was made after the map had been taken");
        };
        write(to);
        made[y] = true;
        Ok(())
    }
}

/// Rows of the gain map around the rows of the image that are made.
struct Near {
    scale: usize,
    columns: usize,
    /// The first row.
    first: usize,
    samples: Vec<u8>,
    /// Which of them there are.
    made: Vec<bool>,
    /// Of the row of blocks that is being made, sums and the largest gains.
    sums: Vec<u32>,
    most: Vec<u32>,
}

impl Near {
    /// These rows of the map, as far as they have been made.
    fn new(map: &Map, rows: Range<usize>) -> Result<Self> {
        let mut near = Self {
            scale: map.scale,
            columns: map.width,
            first: rows.start,
            samples: try_vec(rows.len() * map.width, "rows of a gain map")?,
            made: try_vec(rows.len(), "rows of a gain map")?,
            sums: try_vec(map.width, "a row of gains")?,
            most: try_vec(map.width, "a row of gains")?,
        };
        let samples = map.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = samples.bytes.get(rows.start * map.width..rows.end * map.width) else {
            bail!(Bug, "rows {rows:?} of a gain map were wanted after the map had been taken");
        };
        near.samples.copy_from_slice(bytes);
        near.made.copy_from_slice(&samples.made[rows]);
        drop(samples);
        Ok(near)
    }

    /// The next row to make.
    fn missing(&self) -> Option<usize> {
        self.made.iter().position(|made| !made).map(|row| self.first + row)
    }

    /// Counts gains of the row that is missing, from this column on.
    fn add(&mut self, gains: &[u32], column: usize) {
        add(gains, self.scale, &mut self.sums[column..]);
        raise(gains, self.scale, &mut self.most[column..]);
    }

    /// The row that was missing, of so many rows of pixels.
    fn finish(&mut self, rows: usize, width: usize) -> &[u8] {
        let index = self.made.iter().position(|made| !made).unwrap_or_default();
        let row = &mut self.samples[index * self.columns..][..self.columns];
        average(&self.sums, self.scale, rows, width, row);
        lean(row, &self.most);
        self.sums.fill(0);
        self.most.fill(0);
        self.made[index] = true;
        row
    }

    /// Row `y` and the next.
    fn rows(&self, y: usize) -> [&[u8]; 2] {
        let row = |y: usize| &self.samples[y * self.columns..][..self.columns];
        let last = self.made.len() - 1;
        [row(y - self.first), row((y + 1 - self.first).min(last))]
    }
}

/// Writes pixels of a row whose codes, four bytes each, `make` makes.
fn write(
    layout: Layout,
    columns: Range<usize>,
    alpha: &[f32; TILE],
    row: &mut [u8],
    make: impl FnOnce(&mut [u8]),
) {
    let (n, size) = (columns.len(), layout.pixel_bytes());
    let out = &mut row[columns.start * size..columns.end * size];
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
