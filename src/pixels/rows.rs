//! Bands of rows in the layout that an encoder asked for.

use std::{ops::Range, sync::Arc};

use super::{
    color,
    convert::Recipe,
    hdr::{self, Film},
    layout::Layout,
};
use crate::{
    bail,
    error::{Result, try_resize},
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
    /// What development needs.
    pub tiles: Option<Box<hdr::Work>>,
}

/// The rows of an image in the layout that an encoder asked for. Any thread may pull any band.
#[derive(Debug)]
pub struct Rows {
    origin: Origin,
    layout: Layout,
    color: Color,
    icc: Option<Arc<[u8]>>,
}

/// What rows are made of.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image")]
enum Origin {
    /// Pixels, as they are or converted.
    Pixels { pixels: Arc<Pixels>, recipe: Recipe, direct: bool },
    /// HDR pixels, developed whenever rows are pulled.
    Film(Arc<Film>),
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
        Ok(Self { origin: Origin::Pixels { pixels, recipe, direct }, layout, color, icc })
    }

    /// Rows of the SDR image that HDR pixels become, in [`Layout::Rgb8`], [`Layout::Rgbx8`] or [`Layout::Rgba8`]. Each is
    /// made again whenever it is pulled.
    pub fn developed(film: Arc<Film>, layout: Layout) -> Result<Self> {
        let color = film.color().clone();
        let icc = color::icc_to_write(&color, false)?;
        Ok(Self { origin: Origin::Film(film), layout, color, icc })
    }

    /// The same rows in another layout.
    pub fn in_layout(&self, layout: Layout, options: &Options) -> Result<Self> {
        match &self.origin {
            Origin::Pixels { pixels, .. } => Self::new(pixels.clone(), layout, options),
            Origin::Film(film) => Self::developed(film.clone(), layout),
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.pixels().width()
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.pixels().height()
    }

    /// The layout of every band.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The pixels behind the rows: those that they are lent from, converted from or developed from.
    pub fn pixels(&self) -> &Pixels {
        match &self.origin {
            Origin::Pixels { pixels, .. } => pixels,
            Origin::Film(film) => film.pixels(),
        }
    }

    /// What makes the rows and a gain map with them, where they are developed as they are pulled.
    pub fn film(&self) -> Option<&Film> {
        match &self.origin {
            Origin::Pixels { .. } => None,
            Origin::Film(film) => Some(film),
        }
    }

    /// Whether a pixel that has been pulled was not opaque and was blended on the background.
    pub fn has_blended(&self) -> bool {
        match &self.origin {
            Origin::Pixels { recipe, .. } => recipe.has_blended(),
            Origin::Film(film) => film.has_blended(),
        }
    }

    /// Whether bands are lent from the pixels as they are, at no cost.
    pub fn is_direct(&self) -> bool {
        matches!(self.origin, Origin::Pixels { direct: true, .. })
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
        let (pixels, recipe, direct) = match &self.origin {
            Origin::Pixels { pixels, recipe, direct } => (pixels, recipe, *direct),
            Origin::Film(film) => return self.develop(film, rows, scratch),
        };
        let lent = |index: usize| {
            let (bytes, stride) = pixels.plane(index);
            let first = if index == 0 { rows.start } else { rows.start >> shift };
            Plane { bytes: &bytes[first as usize * stride..], stride }
        };
        if direct {
            let planes = match self.layout {
                Layout::Yuv(_) => pixels.info().planes.len(),
                _ => 1,
            };
            return Ok(Band {
                planes: [0, 1, 2].map(|i| if i < planes { lent(i) } else { Plane::default() }),
            });
        }
        let strides = recipe.run(pixels, rows.clone(), scratch)?;
        let [a, b, c] = scratch.planes.each_ref().map(Vec::as_slice);
        let [mut first, second, third] = [(a, strides[0]), (b, strides[1]), (c, strides[2])]
            .map(|(bytes, stride)| Plane { bytes, stride });
        if recipe.is_luma_direct() {
            first = lent(0);
        }
        Ok(Band { planes: [first, second, third] })
    }

    fn develop<'a>(&self, film: &Film, rows: Range<u32>, scratch: &'a mut Scratch) -> Result<Band<'a>> {
        let stride = self.width() as usize * self.layout.pixel_bytes();
        let plane = &mut scratch.planes[0];
        let bytes = stride.saturating_mul(rows.len());
        if plane.len() < bytes {
            try_resize(plane, bytes, "developed rows")?;
        }
        film.develop(rows, self.layout, &mut plane[..bytes], &mut scratch.tiles)?;
        Ok(Band { planes: [Plane { bytes: plane, stride }, Plane::default(), Plane::default()] })
    }
}
