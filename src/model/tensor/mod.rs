//! Tensors: images side by side in one array, as frameworks for learning and for video hold them.

mod gather;
mod geometry;

use std::{ops::Range, sync::Arc};

use super::{foreign::Foreign, pixel_format::PixelFormat, pixelmap::AlphaType, pixelmap::Pixels};
use crate::{
    bail,
    device::{Image, Memory, Stream},
    error::Result,
    handle::{Kind, Object},
};
pub use geometry::{Array, Axes, Element, Geometry};

/// Images in lent memory, and what their numbers mean. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tensor {
    geometry: Geometry,
    place: Place,
    /// Blue, green, red instead of red, green, blue.
    pub bgr: bool,
    /// What the fourth component means.
    pub alpha: AlphaType,
    /// A floating-point number `v` stands for `v * scale + bias`, where 0 is black and 1 is white.
    pub scale: f32,
    /// See `scale`.
    pub bias: f32,
    /// Whether floating-point numbers become 16 bits instead of 8.
    pub deep: bool,
    /// On which of its device's streams the numbers are made.
    pub stream: Stream,
}

/// Where the numbers are: `before + after` bytes of the geometry.
#[derive(Clone, Debug)]
pub enum Place {
    /// Piece 0 of lent memory.
    Host(Arc<Foreign>),
    /// Memory that only a device reads.
    Device(Arc<Memory>),
}

impl Object for Tensor {
    const KIND: Kind = Kind::Snapshot;
}

impl Tensor {
    /// A tensor of this geometry.
    pub fn new(geometry: Geometry, place: Place) -> Self {
        let (alpha, stream) = (AlphaType::Unpremultiplied, Stream::default());
        Self { geometry, place, bgr: false, alpha, scale: 1.0, bias: 0.0, deep: false, stream }
    }

    /// The device's memory that the numbers are in, if it is one's.
    pub fn device(&self) -> Option<&Memory> {
        match &self.place {
            Place::Host(_) => None,
            Place::Device(memory) => Some(memory),
        }
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.geometry.images.size
    }

    /// Width of each image.
    pub fn width(&self) -> u32 {
        self.geometry.columns.size as u32 // at most i32::MAX
    }

    /// Height of each image.
    pub fn height(&self) -> u32 {
        self.geometry.rows.size as u32 // at most i32::MAX
    }

    /// The number of components, 1, 3 or 4.
    pub fn components(&self) -> usize {
        self.geometry.components.size
    }

    /// Bytes that [`image`](Self::image) allocates, or [`fetched`](Self::fetched) and what it is given.
    pub fn copy_bytes(&self) -> u64 {
        let gathered = if self.direct().is_some() { 0 } else { self.gathered_bytes() };
        match self.place {
            Place::Host(_) => gathered,
            Place::Device(_) if self.is_tight() => self.reach(0).len() as u64,
            Place::Device(_) => self.reach(0).len() as u64 + self.gathered_bytes(),
        }
    }

    /// Bytes of an image of interleaved pixels.
    fn gathered_bytes(&self) -> u64 {
        let wide = if self.is_wide() { 2 } else { 1 };
        u64::from(self.width()) * u64::from(self.height()) * self.components() as u64 * wide
    }

    /// Whether pixels have 16 bits.
    fn is_wide(&self) -> bool {
        match self.geometry.element {
            Element::U8 => false,
            Element::U16 => true,
            Element::F16 | Element::Bf16 | Element::F32 => self.deep,
        }
    }

    fn format(&self, bgr: bool) -> PixelFormat {
        match (self.components(), self.is_wide(), bgr) {
            (1, false, _) => PixelFormat::Gray8,
            (1, true, _) => PixelFormat::Gray16,
            (3, false, false) => PixelFormat::Rgb888,
            (3, false, true) => PixelFormat::Bgr888,
            (3, true, _) => PixelFormat::Rgb161616,
            (_, false, false) => PixelFormat::Rgba8888,
            (_, false, true) => PixelFormat::Bgra8888,
            (_, true, _) => PixelFormat::Rgba16161616,
        }
    }

    /// The format in which an image can be read where it is, and its stride.
    fn direct(&self) -> Option<(PixelFormat, usize)> {
        let Geometry { element, rows, columns, components, .. } = self.geometry;
        let pixel = element.bytes() * components.size;
        let close = (components.size == 1 || components.stride == element.bytes() as i64)
            && (columns.size == 1 || columns.stride == pixel as i64)
            && (rows.size == 1 || rows.stride >= (pixel * columns.size) as i64);
        let readable = match element {
            Element::U8 => true,
            Element::U16 => !self.bgr || components.size == 1,
            _ => false,
        };
        let stride = if rows.size == 1 { pixel * columns.size } else { rows.stride as usize };
        (close && readable).then(|| (self.format(self.bgr), stride))
    }

    /// Where image `index` begins in the memory.
    fn start(&self, index: usize) -> usize {
        // The geometry was checked: all that is reached lies within `before` and `after`.
        (self.geometry.before as i64 + self.geometry.images.stride * index as i64) as usize
    }

    /// The bytes of the memory that image `index` reaches.
    pub fn reach(&self, index: usize) -> Range<usize> {
        let Geometry { element, rows, columns, components, .. } = self.geometry;
        let reaches = [rows, columns, components].map(|axis| axis.stride * (axis.size as i64 - 1));
        let side = |sign: i64| reaches.iter().map(|reach| (reach * sign).max(0)).sum::<i64>() as usize;
        let start = self.start(index);
        start - side(-1)..start + side(1) + element.bytes()
    }

    /// Whether what an image reaches is its pixels and nothing else, in their order.
    fn is_tight(&self) -> bool {
        let row = self.geometry.element.bytes() * self.components() * self.geometry.columns.size;
        self.direct().is_some_and(|(_, stride)| stride == row)
    }

    /// Image number `index`: in place if an encoder can read it there, else a copy.
    pub fn image(&self, index: usize) -> Result<Pixels> {
        let Place::Host(memory) = &self.place else {
            bail!(Bug, "an image in the memory of a device was to be read on the host")
        };
        self.check(index)?;
        let start = self.start(index);
        match self.direct() {
            Some((format, stride)) => {
                let memory = memory.clone();
                let (width, height) = (self.width(), self.height());
                Ok(self.with_alpha(Pixels::inside_foreign(width, height, format, memory, start, stride)))
            }
            None => self.gathered(memory.piece(0), start),
        }
    }

    /// Image number `index`, from a copy of the bytes that it reaches.
    pub fn fetched(&self, index: usize, bytes: Vec<u8>) -> Result<Pixels> {
        self.check(index)?;
        match self.direct() {
            Some((format, _)) if self.is_tight() => {
                Ok(self.with_alpha(Pixels::from_vec(self.width(), self.height(), format, bytes)?))
            }
            _ => self.gathered(&bytes, self.start(index) - self.reach(index).start),
        }
    }

    /// Image number `index` as something a device's encoder can read in its memory: 8 bits, three components.
    pub fn on_device(&self, index: usize) -> Option<Image> {
        let Geometry { element, rows, columns, components, .. } = self.geometry;
        let interleaved = components.stride == 1 && columns.stride == 3;
        let row = if interleaved { 3 * columns.size } else { columns.size };
        let readable = element == Element::U8
            && components.size == 3
            && (interleaved || columns.stride == 1)
            && rows.stride >= row as i64;
        let memory = self.device().filter(|_| readable)?;
        let plane = |c: i64| {
            // Within what the geometry reaches; addresses have been checked when the memory was lent.
            memory.address.wrapping_add_signed(self.start(index) as i64 + components.stride * c)
        };
        let order = if self.bgr && !interleaved { [2, 1, 0] } else { [0, 1, 2] };
        Some(Image {
            planes: order.map(plane),
            interleaved,
            bgr: self.bgr && interleaved,
            stride: rows.stride as usize,
            width: self.width(),
            height: self.height(),
        })
    }

    fn check(&self, index: usize) -> Result<()> {
        if index >= self.images() {
            bail!(OutOfRange, "image {index} of a tensor of {}", self.images());
        }
        Ok(())
    }

    fn gathered(&self, from: &[u8], start: usize) -> Result<Pixels> {
        let bytes = if self.is_wide() { self.gather_wide(from, start)? } else { self.gather(from, start)? };
        Ok(self.with_alpha(Pixels::from_vec(self.width(), self.height(), self.format(false), bytes)?))
    }

    fn with_alpha(&self, mut pixels: Pixels) -> Pixels {
        if self.components() == 4 {
            pixels.alpha = self.alpha;
        }
        pixels
    }
}
