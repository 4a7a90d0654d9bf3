//! The layouts that encoders read, and bands of rows in them.

use std::{ops::Range, sync::Arc};

use crate::{
    bail,
    error::Result,
    model::{color::Color, options::Options, pixel_format::PixelFormat, pixelmap::Pixels},
};

/// How an encoder wants its rows. Alpha is always straight. 16-bit components are in the machine's byte order,
/// at any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Layout {
    Gray8,
    GrayA8,
    Rgb8,
    Bgr8,
    /// Four bytes, the fourth without meaning.
    Rgbx8,
    Bgrx8,
    /// Four bytes, the first without meaning.
    Xrgb8,
    Rgba8,
    Bgra8,
    Gray16,
    GrayA16,
    Rgb16,
    Rgba16,
    Yuv(YuvLayout),
}

/// Luma and chroma planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YuvLayout {
    /// Chroma subsampling.
    pub sampling: Sampling,
    /// Where the chroma samples are.
    pub packing: YuvPacking,
    /// 8: bytes. 10: `u16` with the value in the low bits.
    pub bits: u8,
    /// Matrix coefficients of H.273.
    pub matrix: u8,
    /// Range of codes.
    pub full_range: bool,
}

/// Chroma subsampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Half the columns and rows.
    Yuv420,
    /// Half the columns.
    Yuv422,
    /// Full resolution.
    Yuv444,
}

impl Sampling {
    /// log2 of horizontal and vertical subsampling.
    pub fn shifts(self) -> (u32, u32) {
        match self {
            Self::Yuv420 => (1, 1),
            Self::Yuv422 => (1, 0),
            Self::Yuv444 => (0, 0),
        }
    }
}

/// Where chroma samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YuvPacking {
    /// Y, Cb, Cr in three planes.
    Planar,
    /// Y, and CbCr interleaved.
    CbCr,
    /// Y, and CrCb interleaved.
    CrCb,
}

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
}

impl Rows {
    /// Rows of these pixels in a layout. Blends on the background where the layout has no alpha.
    pub fn new(pixels: Arc<Pixels>, layout: Layout, _options: &Options) -> Result<Self> {
        let direct = match (pixels.info().format, layout) {
            (PixelFormat::Rgba8888, Layout::Rgba8) => true,
            (PixelFormat::Rgba8888 | PixelFormat::Rgbx8888, Layout::Rgbx8) => true,
            (PixelFormat::Rgb888, Layout::Rgb8) => true,
            (PixelFormat::Gray8, Layout::Gray8) => true,
            _ => false,
        };
        if !direct {
            bail!(Unsupported, "no conversion from {} to {layout:?}", pixels.info().name);
        }
        let color = pixels.color.clone();
        Ok(Self { pixels, layout, color })
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

    /// The colour space of the rows, to be written into the file.
    pub fn color(&self) -> &Color {
        &self.color
    }

    /// Rows `rows` of the image; for vertically subsampled layouts `rows.start` is even. Points into the
    /// caller's pixels when nothing has to be converted, else into `scratch`.
    pub fn band<'a>(&'a self, rows: Range<u32>, scratch: &'a mut Scratch) -> Result<Band<'a>> {
        let _ = scratch;
        let (bytes, stride) = self.pixels.plane(0);
        let plane = Plane { bytes: &bytes[rows.start as usize * stride..], stride };
        Ok(Band { planes: [plane, Plane::default(), Plane::default()] })
    }
}
