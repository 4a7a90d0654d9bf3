//! HDR pixels that have been measured, and become rows of an SDR image when these are asked for. The gain map grows
//! with them.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    BAND, LEAST_PEAK, Recipe, Rendition, add, average,
    kernels::Kernels,
    measure,
    reader::{Reader, Work},
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
        let decoder = Decoder::new(cicp, &linear_to_d50(recipe.primaries)?, recipe.linear_white)?;
        let reader = Reader::new(pixels, cicp, decoder, kernels, background)?;
        let peak = measure(&reader, pixels, pool, control)?;
        let developer = Developer::new(recipe.mapper, peak)?;
        let map = match recipe.scale.filter(|_| peak >= LEAST_PEAK) {
            Some(scale) => Some(Map::new(scale as usize, pixels)?),
            None => None,
        };
        let (keeps_alpha, color) = (recipe.keeps_alpha(pixels), recipe.color());
        Ok(Self { reader, developer, keeps_alpha, color, map })
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
        let (pixel_bytes, kernels) = (layout.pixel_bytes(), self.reader.kernels());
        let columns = self.map.as_ref().map_or(0, |map| map.width);
        let mut sums: Vec<u32> = try_vec(columns, "a row of gains")?;
        let (mut codes, mut gains) = ([0; 4 * TILE], [0; TILE]);
        // Rows of the current block that have been added up.
        let mut below = 0;
        for (y, row) in (rows.start as usize..rows.end as usize).zip(to.chunks_exact_mut(width * pixel_bytes))
        {
            let scale = match &self.map {
                Some(map) if below > 0 || y.is_multiple_of(map.scale) => map.scale,
                _ => 0,
            };
            for x in (0..width).step_by(TILE) {
                let n = TILE.min(width - x);
                self.reader.read(y as u32, x, n, work);
                let out = &mut row[x * pixel_bytes..][..n * pixel_bytes];
                if layout == Layout::Rgb8 {
                    kernels.develop(&work.light, &self.developer, &mut codes, &mut gains, n);
                    pack_3(&codes.as_chunks().0[..n], out.as_chunks_mut().0, false);
                } else {
                    kernels.develop(&work.light, &self.developer, out, &mut gains, n);
                }
                if layout == Layout::Rgba8 {
                    for (pixel, alpha) in out.as_chunks_mut::<4>().0.iter_mut().zip(work.alpha) {
                        pixel[3] = (unit(alpha) * 255.0 + 0.5) as u8;
                    }
                }
                if scale != 0 {
                    add(&gains[..n], scale, &mut sums[x / scale..]);
                }
            }
            let Some(map) = self.map.as_ref().filter(|_| scale != 0) else { continue };
            below += 1;
            if below == scale || y + 1 == height {
                map.put(y / scale, &sums, below, width)?;
                sums.fill(0);
                below = 0;
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

    /// Row `y`, of the sums of so many rows of `width` pixels.
    fn put(&self, y: usize, sums: &[u32], rows: usize, width: usize) -> Result<()> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(to) = samples.get_mut(y * self.width..(y + 1) * self.width) else {
            bail!(Bug, "row {y} of a gain map was made after the map had been taken");
        };
        average(sums, self.scale, rows, width, to);
        Ok(())
    }
}
