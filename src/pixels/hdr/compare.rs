//! The gain map between two renditions of an image that the caller made both of: SDR, which stays as it is, and HDR.
//!
//! Where the SDR image is the HDR one with red, green and blue scaled alike, one channel of gains is exact; any other
//! needs a channel each.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    BAND, LEAST_PEAK, add, average,
    histogram::Histogram,
    kernels::{Kernels, Planes},
    reader::{Reader, Work},
    tables::{Decoder, GAIN_STEPS, Ruler},
};
use crate::{
    bail,
    error::{Result, try_vec},
    model::{
        color::Cicp,
        gain_map::{GainMap, GainMapParams},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pack::{control::Control, pool::Pool},
    pixels::{convert::TILE, simd::map3, space::Space},
};

/// The HDR rendition of an image.
#[derive(Clone, Copy, Debug)]
pub struct Bright<'a> {
    /// Its pixels, of the size of the SDR image.
    pub pixels: &'a Pixels,
    /// Their code points.
    pub cicp: Cicp,
    /// Nits of 1.0 in linear input.
    pub linear_white: f64,
}

/// What is added to both lights before their ratio is taken: gains stay small where the SDR image is black and the HDR
/// one is not. One channel serves colours whose other channels are 0 and have to stay so.
const OFFSET: f32 = 1.0 / 64.0;
const OFFSET_OF_ONE: f32 = 1.0 / 16384.0;

/// The gains that make the HDR rendition of the SDR image, in its primaries, for blocks of `scale` pixels a side; none
/// if nothing is brighter than diffuse white.
pub fn compare(
    sdr: &Pixels,
    hdr: Bright<'_>,
    scale: u32,
    pool: &Pool,
    control: &Control,
) -> Result<Option<GainMap>> {
    compare_with(Kernels::best(), sdr, hdr, scale, pool, control)
}

pub(super) fn compare_with(
    kernels: Kernels,
    sdr: &Pixels,
    hdr: Bright<'_>,
    scale: u32,
    pool: &Pool,
    control: &Control,
) -> Result<Option<GainMap>> {
    let size = |pixels: &Pixels| (pixels.width(), pixels.height());
    let ((width, height), (other_width, other_height)) = (size(sdr), size(hdr.pixels));
    if size(sdr) != size(hdr.pixels) {
        bail!(
            OutOfRange,
            "the HDR rendition has {other_width} x {other_height} pixels, the main image {width} x {height}"
        );
    }
    let space = Space::of(&sdr.color)?;
    let decoder = Decoder::new(hdr.cicp, &space.to_d50, hdr.linear_white)?;
    let pair = Pair {
        sdr: Reader::new(sdr, sdr.color.cicp, Decoder::standard(&space, &space.to_d50)?, kernels, None)?,
        hdr: Reader::new(hdr.pixels, hdr.cicp, decoder, kernels, None)?,
        kernels,
        width: width as usize,
        height,
    };
    let measured = pair.measure(control)?;
    if measured.peak < LEAST_PEAK {
        return Ok(None);
    }
    let channels = if measured.one { 1 } else { 3 };
    let offset = if measured.one { OFFSET_OF_ONE } else { OFFSET };
    let spreads = if measured.one { [3; 3] } else { [0, 1, 2] }.map(|i| measured.spreads[i].range());
    let params = GainMapParams {
        base_headroom: 0.0,
        alternate_headroom: measured.peak.log2(),
        min: spreads.map(|(min, _)| min),
        max: spreads.map(|(_, max)| max),
        gamma: [1.0; 3],
        base_offset: [offset; 3],
        alternate_offset: [offset; 3],
        base_color: true,
    };
    let map_size = (width.div_ceil(scale), height.div_ceil(scale));
    let bytes = map_size.0 as usize * map_size.1 as usize * channels;
    let mut map = try_vec(bytes, "the gain map")?;
    let rows = BAND / scale as usize;
    let bands: Vec<_> = map.chunks_mut(map_size.0 as usize * channels * rows).map(Mutex::new).collect();
    pool.for_each(bands.len(), &|index| {
        let mut band = bands[index].lock().unwrap_or_else(PoisonError::into_inner);
        pair.gains(index * BAND, scale as usize, &params, channels, &mut band)?;
        control.checkpoint(index as u64, 4 * bands.len() as u64)
    })?;
    drop(bands);
    let format = if measured.one { PixelFormat::Gray8 } else { PixelFormat::Rgb888 };
    let pixels = Arc::new(Pixels::from_vec(map_size.0, map_size.1, format, map)?);
    Ok(Some(GainMap { pixels, params }))
}

/// Both renditions, in the primaries of the SDR one.
struct Pair {
    sdr: Reader,
    hdr: Reader,
    kernels: Kernels,
    width: usize,
    height: u32,
}

/// What is known before the map is made.
struct Measured {
    /// The HDR rendition's.
    peak: f32,
    /// Gains of red, green, blue, and of the largest of them.
    spreads: [Spread; 4],
    /// Whether the last are enough.
    one: bool,
}

impl Pair {
    /// Looks at a sixteenth of a large image.
    fn measure(&self, control: &Control) -> Result<Measured> {
        let every = if self.width as u64 * u64::from(self.height) < 1 << 16 { 1 } else { 4 };
        let mut peak = Histogram::new()?;
        let mut spreads = [Spread::new()?, Spread::new()?, Spread::new()?, Spread::new()?];
        let (mut dark, mut light) = (Work::new()?, Work::new()?);
        let (mut bins, mut largest) = ([0; TILE], [[0.0; TILE]; 2]);
        let (mut unlike, mut count) = (0u64, 0u64);
        for y in (0..self.height).step_by(every) {
            // Another tile of each row.
            let first = y as usize / every % every * TILE;
            for x in (first..self.width).step_by(TILE * every) {
                let n = TILE.min(self.width - x);
                self.read(y, x, n, &mut dark, &mut light);
                for c in 0..3 {
                    self.kernels.gains(&light.light[c], &dark.light[c], &Spread::ruler(OFFSET), &mut bins, n);
                    spreads[c].count(&bins[..n]);
                }
                for (work, to) in [(&dark, 0), (&light, 1)] {
                    max_of(&work.light, &mut largest[to]);
                }
                self.kernels.gains(&largest[1], &largest[0], &Spread::ruler(OFFSET_OF_ONE), &mut bins, n);
                spreads[3].count(&bins[..n]);
                for i in 0..n {
                    let [dark, light] = [&dark, &light].map(|work| [0, 1, 2].map(|c| work.light[c][i]));
                    peak.count(light);
                    unlike += u64::from(!is_scaled(dark, light));
                }
                count += n as u64;
            }
            if y % 64 == 0 {
                control.checkpoint(0, 1)?;
            }
        }
        Ok(Measured { peak: peak.peak(), spreads, one: unlike <= count / 1000 })
    }

    fn read(&self, y: u32, x: usize, n: usize, dark: &mut Work, light: &mut Work) {
        self.sdr.read(y, x, n, dark);
        self.hdr.read(y, x, n, light);
    }

    /// Makes the rows of the map for rows of the image from `first` on.
    fn gains(
        &self,
        first: usize,
        scale: usize,
        params: &GainMapParams,
        channels: usize,
        map: &mut [u8],
    ) -> Result<()> {
        let ruler = |c: usize| Ruler {
            offset: params.base_offset[c],
            min: params.min[c],
            steps: (255 * GAIN_STEPS) as f32 / (params.max[c] - params.min[c]),
            top: (255 * GAIN_STEPS) as f32,
        };
        let (mut dark, mut light) = (Work::new()?, Work::new()?);
        let (mut gains, mut largest) = ([0; TILE], [[0.0; TILE]; 2]);
        let columns = self.width.div_ceil(scale);
        let mut sums: Vec<u32> = try_vec(columns * channels, "a row of gains")?;
        let mut row: Vec<u8> = try_vec(columns, "a row of gains")?;
        let end = (first + BAND).min(self.height as usize);
        let mut out = map.chunks_exact_mut(columns * channels);
        for y in first..end {
            for x in (0..self.width).step_by(TILE) {
                let n = TILE.min(self.width - x);
                self.read(y as u32, x, n, &mut dark, &mut light);
                if channels == 1 {
                    max_of(&dark.light, &mut largest[0]);
                    max_of(&light.light, &mut largest[1]);
                    self.kernels.gains(&largest[1], &largest[0], &ruler(0), &mut gains, n);
                    add(&gains[..n], scale, &mut sums[x / scale..]);
                } else {
                    for (c, sums) in sums.chunks_exact_mut(columns).enumerate() {
                        self.kernels.gains(&light.light[c], &dark.light[c], &ruler(c), &mut gains, n);
                        add(&gains[..n], scale, &mut sums[x / scale..]);
                    }
                }
            }
            let below = (y - first) % scale + 1;
            if below < scale && y + 1 < end {
                continue;
            }
            let Some(out) = out.next() else { break };
            for (c, sums) in sums.chunks_exact(columns).enumerate() {
                average(sums, scale, below, self.width, &mut row);
                out[c..].iter_mut().step_by(channels).zip(&row).for_each(|(to, from)| *to = *from);
            }
            sums.fill(0);
        }
        Ok(())
    }
}

fn max_of([r, g, b]: &Planes, to: &mut [f32; TILE]) {
    map3(r, g, b, to, |r, g, b| r.max(g).max(b));
}

/// Whether light is that of an SDR pixel with its channels scaled alike, as far as its 8 bits and the 10 of the HDR one
/// can tell.
fn is_scaled(dark: [f32; 3], light: [f32; 3]) -> bool {
    let largest = |[r, g, b]: [f32; 3]| r.max(g).max(b) + OFFSET_OF_ONE;
    let factor = largest(light) / largest(dark);
    dark.iter().zip(light).all(|(&dark, light)| {
        // One code of sRGB's transfer: its slope is 2.275 x light^(1.4 / 2.4), and 1 / 12.92 near black.
        let code = (2.275 * dark.sqrt()).max(1.0 / 12.92) / 255.0;
        (dark * factor - light).abs() <= factor * code + 0.01 * light
    })
}

/// How often each gain occurs.
struct Spread {
    bins: Vec<u32>,
    count: u32,
}

impl Spread {
    /// Gains of -8 to 16 stops, in steps of a 256th.
    const LEAST: f32 = -8.0;
    const STEPS: usize = 256;
    const BINS: usize = 24 * Self::STEPS;

    fn new() -> Result<Self> {
        Ok(Self { bins: try_vec(Self::BINS, "a histogram")?, count: 0 })
    }

    fn ruler(offset: f32) -> Ruler {
        Ruler { offset, min: Self::LEAST, steps: Self::STEPS as f32, top: (Self::BINS - 1) as f32 }
    }

    fn count(&mut self, bins: &[u32]) {
        bins.iter().for_each(|&bin| self.bins[bin as usize] += 1);
        self.count += bins.len() as u32;
    }

    /// Least and greatest gain but for one in ten thousand at either end.
    fn range(&self) -> (f32, f32) {
        let end = |bins: &mut dyn Iterator<Item = (usize, &u32)>| {
            let mut left = self.count / 10_000;
            for (bin, &count) in bins {
                if count > left {
                    return bin as f32;
                }
                left -= count;
            }
            0.0
        };
        let gain = |bin: f32| Self::LEAST + bin / Self::STEPS as f32;
        let (low, high) =
            (end(&mut self.bins.iter().enumerate()), end(&mut self.bins.iter().enumerate().rev()));
        (gain(low - 0.5), gain(high + 0.5))
    }
}
