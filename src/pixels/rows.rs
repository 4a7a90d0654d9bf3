//! Bands of rows in the layout that an encoder asked for.

use std::{ops::Range, sync::Arc};

use super::{color, convert::Recipe, layout::Layout};
use crate::{
    bail,
    error::Result,
    log,
    model::{color::Color, options::Options, pixelmap::Pixels},
};

/// Rows of one plane: `stride` bytes apart, starting with the band's first row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane<'a> {
    /// Bytes from the band's first row on. The last row may end without its padding.
    pub bytes: &'a [u8],
    /// Bytes from a row to the next.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// The first `bytes` bytes of the band's row `y` of this plane.
    pub fn row(&self, y: usize, bytes: usize) -> &'a [u8] {
        &self.bytes[y * self.stride..][..bytes]
    }
}

/// Consecutive rows of the image in one layout.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// One to three planes.
    pub planes: [Plane<'a>; 3],
}

/// Memory that a thread reuses from band to band.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Converted rows, one buffer per plane.
    pub planes: [Vec<u8>; 3],
    /// Whatever a conversion needs in between.
    pub work: Vec<u8>,
}

/// The rows of an image in the layout that an encoder asked for. Any thread may pull any band.
#[derive(Debug)]
pub struct Rows {
    pixels: Arc<Pixels>,
    layout: Layout,
    color: Color,
    icc: Option<Arc<[u8]>>,
    recipe: Recipe,
    direct: bool,
}

impl Rows {
    /// Rows of these pixels in a layout.
    ///
    /// Where the layout has no alpha, pixels are blended on the background, in the encoded values as browsers do;
    /// where it has, premultiplied colour is undone. All colour keeps its numbers and its name.
    pub fn new(pixels: Arc<Pixels>, layout: Layout, options: &Options) -> Result<Self> {
        let mut color = pixels.color.clone();
        let background = if pixels.has_alpha() && !layout.has_alpha() {
            color::background(options.background, &color)?
        } else {
            [0.0; 3]
        };
        let recipe = Recipe::new(&pixels, layout, background)?;
        if pixels.info().is_gray() && !layout.is_gray() && color::is_other_kind(&color, false) {
            // What has to keep its numbers cannot keep them and their tones both.
            log::write(log::WARNING, || format!("dropped a profile that does not go with {layout:?}"));
            color.icc = None;
        }
        let icc = color::icc_to_write(&color, layout.is_gray())?;
        (color.cicp.matrix, color.cicp.full_range) = match layout {
            Layout::Yuv(yuv) => (yuv.matrix, yuv.full_range),
            _ => (0, true),
        };
        let direct = recipe.is_direct(&pixels);
        Ok(Self { pixels, layout, color, icc, recipe, direct })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.pixels.width()
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.pixels.height()
    }

    /// The layout of every band.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The pixels behind the rows.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Whether bands are lent from the pixels as they are, at no cost.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// The colour space of the rows, for formats that carry code points: matrix and range are the layout's. The
    /// profile is the pixels' own, if they have one.
    pub fn color(&self) -> &Color {
        &self.color
    }

    /// The profile to write, for formats that carry profiles alone: the pixels' own, or one made from their code
    /// points; none for sRGB, which readers assume.
    pub fn icc(&self) -> Option<&[u8]> {
        self.icc.as_deref()
    }

    /// Rows `rows` of the image; for vertically subsampled layouts `rows.start` is even. Points into the
    /// caller's pixels when nothing has to be converted, else into `scratch`.
    pub fn band<'a>(&'a self, rows: Range<u32>, scratch: &'a mut Scratch) -> Result<Band<'a>> {
        let shift = match self.layout {
            Layout::Yuv(yuv) => yuv.sampling.shifts().1,
            _ => 0,
        };
        if rows.start >= rows.end || rows.end > self.height() || rows.start % (1 << shift) != 0 {
            bail!(Bug, "rows {rows:?} of {} in {:?} were asked for", self.height(), self.layout);
        }
        let lent = |index: usize| {
            let (bytes, stride) = self.pixels.plane(index);
            let first = if index == 0 { rows.start } else { rows.start >> shift };
            Plane { bytes: &bytes[first as usize * stride..], stride }
        };
        if self.direct {
            let planes = match self.layout {
                Layout::Yuv(_) => self.pixels.info().planes.len(),
                _ => 1,
            };
            return Ok(Band {
                planes: [0, 1, 2].map(|i| if i < planes { lent(i) } else { Plane::default() }),
            });
        }
        let strides = self.recipe.run(&self.pixels, rows.clone(), scratch)?;
        let [a, b, c] = scratch.planes.each_ref().map(Vec::as_slice);
        let [mut first, second, third] = [(a, strides[0]), (b, strides[1]), (c, strides[2])]
            .map(|(bytes, stride)| Plane { bytes, stride });
        if self.recipe.is_luma_direct() {
            first = lent(0);
        }
        Ok(Band { planes: [first, second, third] })
    }
}
