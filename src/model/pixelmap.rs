//! Pixel maps: a rectangle of pixels and what they mean.

use std::{borrow::Cow, sync::Arc};

use super::{
    color::{Cicp, Color, Light, embedded_icc},
    foreign::Foreign,
    pixel_format::{FormatInfo, PixelFormat},
    report::{Code, Warning},
};
use crate::{
    bail, err,
    error::{ErrorKind, Result, try_vec},
    handle::{Kind, Object},
    log,
    shared::Shared,
};

/// What the alpha component means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlphaType {
    /// Nothing was said: as [`AlphaType::Unpremultiplied`] where the format has alpha.
    Unknown,
    /// Every pixel is opaque whatever its alpha says.
    Opaque,
    /// Colour is already multiplied by alpha.
    Premultiplied,
    /// Colour is independent of alpha ("straight").
    Unpremultiplied,
}

/// Where the bytes of a plane are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneLayout {
    /// First byte, counted from the start of the storage's piece.
    pub offset: usize,
    /// Bytes from a row to the next.
    pub stride: usize,
}

#[derive(Clone, Debug)]
enum Storage {
    /// One allocation with all planes.
    Owned(Arc<Vec<u8>>),
    /// The caller's, one piece per plane.
    Foreign(Arc<Foreign>),
}

/// An immutable picture in memory. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug)]
pub struct Pixels {
    width: u32,
    height: u32,
    info: &'static FormatInfo,
    storage: Storage,
    planes: [PlaneLayout; 3],
    /// What alpha means.
    pub alpha: AlphaType,
    /// What the components mean.
    pub color: Color,
    /// What is known of the light, for HDR.
    pub light: Light,
    /// What decoding changed of them, for a report.
    pub note: Option<Warning>,
    /// The JPEG that these pixels were decoded from, where it is to be moved as it is.
    pub coded: Option<Arc<[u8]>>,
}

/// A checked description of planes: strides and the bytes each plane needs.
struct Geometry {
    strides: [usize; 3],
    bytes: [usize; 3],
}

/// Checks sides and stride, and computes what every plane needs.
///
/// `row_stride` is of the first plane, in bytes; 0 means tight. The other planes have the same number of pixels
/// from row to row, as cameras and video decoders lay them out.
fn geometry(width: u32, height: u32, info: &FormatInfo, row_stride: usize) -> Result<Geometry> {
    check_sides(width, height)?;
    let first = info.planes[0];
    let (tight, group) = (first.row_bytes(width), u64::from(first.bytes));
    let row_stride = row_stride as u64;
    if row_stride != 0 && row_stride < tight {
        bail!(
            OutOfRange,
            "row stride {row_stride} is less than {width} pixels x {group} bytes = {tight} ({})",
            info.name
        );
    }
    let mut geometry = Geometry { strides: [0; 3], bytes: [0; 3] };
    for (index, plane) in info.planes.iter().enumerate() {
        let stride = match (index, row_stride) {
            (_, 0) => plane.row_bytes(width),
            (0, stride) => stride,
            // `row_stride / group` pixels a row, subsampled as the width is.
            (_, stride) => (stride / group)
                .div_ceil(1 << plane.shift_x)
                .saturating_mul(u64::from(plane.bytes))
                .max(plane.row_bytes(width)),
        };
        (geometry.strides[index], geometry.bytes[index]) =
            plane_bytes(stride, plane.rows(height), plane.row_bytes(width), info, width, height)?;
    }
    Ok(geometry)
}

fn check_sides(width: u32, height: u32) -> Result<()> {
    if width == 0 || height == 0 {
        bail!(OutOfRange, "an image of {width} x {height} pixels has no pixels");
    }
    if width > i32::MAX as u32 || height > i32::MAX as u32 {
        bail!(TooLarge, "{width} x {height} pixels: a side is more than {}", i32::MAX);
    }
    Ok(())
}

/// Stride and needed bytes of a plane as `usize`, or "too large" when they do not fit the address space.
fn plane_bytes(
    stride: u64,
    rows: u64,
    row: u64,
    info: &FormatInfo,
    width: u32,
    height: u32,
) -> Result<(usize, usize)> {
    let bytes = stride.checked_mul(rows - 1).and_then(|bytes| bytes.checked_add(row));
    match bytes {
        Some(bytes) if bytes <= isize::MAX as u64 => Ok((stride as usize, bytes as usize)),
        _ => bail!(
            TooLarge,
            "{width} x {height} pixels of {} with a row stride of {stride} bytes pass the address space",
            info.name
        ),
    }
}

impl Pixels {
    /// Zeroed pixels, rows tight.
    pub fn zeroed(width: u32, height: u32, format: PixelFormat) -> Result<Self> {
        let info = format.info();
        let geometry = geometry(width, height, info, 0)?;
        let total = sum(&geometry.bytes, info, width, height)?;
        Ok(Self::from_tight(width, height, info, try_vec(total, "pixels")?, &geometry))
    }

    /// Takes a vector that holds all planes, tight, one behind the other.
    pub fn from_vec(width: u32, height: u32, format: PixelFormat, bytes: Vec<u8>) -> Result<Self> {
        let info = format.info();
        let geometry = geometry(width, height, info, 0)?;
        let total = sum(&geometry.bytes, info, width, height)?;
        if bytes.len() < total {
            bail!(
                BufferTooSmall,
                "{} bytes are too few for {width} x {height} pixels of {}, which take {total}",
                bytes.len(),
                info.name
            );
        }
        Ok(Self::from_tight(width, height, info, bytes, &geometry))
    }

    fn from_tight(
        width: u32,
        height: u32,
        info: &'static FormatInfo,
        bytes: Vec<u8>,
        geometry: &Geometry,
    ) -> Self {
        let mut planes = [PlaneLayout::default(); 3];
        let mut offset = 0;
        for (index, plane) in planes.iter_mut().enumerate() {
            *plane = PlaneLayout { offset, stride: geometry.strides[index] };
            offset += geometry.bytes[index];
        }
        Self::new(width, height, info, Storage::Owned(Arc::new(bytes)), planes)
    }

    /// A copy of straight RGBA.
    pub fn from_canvas(width: u32, height: u32, canvas: &[[u8; 4]]) -> Result<Self> {
        let mut bytes = try_vec(canvas.len() * 4, "pixels")?;
        bytes.copy_from_slice(canvas.as_flattened());
        Self::from_vec(width, height, PixelFormat::Rgba8888, bytes)
    }

    /// Copies pixels out of a caller's slice. See [`geometry`] for the stride of further planes.
    pub fn copy_from(
        width: u32,
        height: u32,
        format: PixelFormat,
        bytes: &[u8],
        row_stride: usize,
    ) -> Result<Self> {
        let info = format.info();
        let source = geometry(width, height, info, row_stride)?;
        check_size(bytes.len(), &source, info, width, height)?;
        let target = geometry(width, height, info, 0)?;
        let mut copy = try_vec(sum(&target.bytes, info, width, height)?, "pixels")?;
        let (from, mut to) = (starts(&source, info, height), 0);
        for (index, plane) in info.planes.iter().enumerate() {
            let row = plane.row_bytes(width) as usize;
            for y in 0..plane.rows(height) as usize {
                let (a, b) = (from[index] + y * source.strides[index], to + y * target.strides[index]);
                copy[b..b + row].copy_from_slice(&bytes[a..a + row]);
            }
            to += target.bytes[index];
        }
        Ok(Self::from_tight(width, height, info, copy, &target))
    }

    /// Copies the pixels into a caller's slice; nothing is written on failure.
    pub fn copy_to(&self, bytes: &mut [u8], row_stride: usize) -> Result<()> {
        let target = geometry(self.width, self.height, self.info, row_stride)?;
        check_size(bytes.len(), &target, self.info, self.width, self.height)?;
        let to = starts(&target, self.info, self.height);
        for (index, plane) in self.info.planes.iter().enumerate() {
            let row = plane.row_bytes(self.width) as usize;
            for y in 0..plane.rows(self.height) as usize {
                let b = to[index] + y * target.strides[index];
                bytes[b..b + row].copy_from_slice(self.row(index, y as u32));
            }
        }
        Ok(())
    }

    /// Borrowed memory of `size` bytes with the planes one behind the other. Checks everything but the pointer;
    /// answers where each plane starts and how long it is, for [`Pixels::from_foreign`].
    pub fn borrowed_layout(
        width: u32,
        height: u32,
        format: PixelFormat,
        size: usize,
        row_stride: usize,
    ) -> Result<[(usize, usize, usize); 3]> {
        let info = format.info();
        let geometry = geometry(width, height, info, row_stride)?;
        check_size(size, &geometry, info, width, height)?;
        let starts = starts(&geometry, info, height);
        Ok([0, 1, 2].map(|index| (starts[index], geometry.bytes[index], geometry.strides[index])))
    }

    /// Checks separately placed planes: answers the bytes of each that will be read.
    pub fn planes_layout(
        width: u32,
        height: u32,
        format: PixelFormat,
        sizes: &[usize],
        row_strides: &[usize],
    ) -> Result<[(usize, usize); 3]> {
        check_sides(width, height)?;
        let info = format.info();
        if sizes.len() != info.planes.len() {
            bail!(OutOfRange, "{} has {} planes, {} were given", info.name, info.planes.len(), sizes.len());
        }
        let mut pieces = [(0, 0); 3];
        for (index, plane) in info.planes.iter().enumerate() {
            let row = plane.row_bytes(width);
            let stride = if row_strides[index] == 0 { row } else { row_strides[index] as u64 };
            if stride < row {
                bail!(
                    OutOfRange,
                    "row stride {stride} of plane {index} is less than its {row} bytes a row ({} {width} pixels wide)",
                    info.name
                );
            }
            let (stride, bytes) = plane_bytes(stride, plane.rows(height), row, info, width, height)?;
            if sizes[index] < bytes {
                bail!(
                    BufferTooSmall,
                    "plane {index} has {} bytes, {width} x {height} pixels of {} with row stride {stride} need {bytes}",
                    sizes[index],
                    info.name
                );
            }
            pieces[index] = (bytes, stride);
        }
        Ok(pieces)
    }

    /// Pixels over lent memory, one piece per plane, each `strides[i]` bytes from row to row.
    /// The pieces must have been checked by [`Pixels::borrowed_layout`] or [`Pixels::planes_layout`].
    pub fn from_foreign(
        width: u32,
        height: u32,
        format: PixelFormat,
        foreign: Arc<Foreign>,
        strides: [usize; 3],
    ) -> Self {
        let planes = strides.map(|stride| PlaneLayout { offset: 0, stride });
        Self::new(width, height, format.info(), Storage::Foreign(foreign), planes)
    }

    /// Pixels of one plane that begin `offset` bytes into piece 0 of lent memory. The piece must reach to the end of the
    /// last row.
    pub fn inside_foreign(
        width: u32,
        height: u32,
        format: PixelFormat,
        foreign: Arc<Foreign>,
        offset: usize,
        stride: usize,
    ) -> Self {
        let planes = [PlaneLayout { offset, stride }, PlaneLayout::default(), PlaneLayout::default()];
        Self::new(width, height, format.info(), Storage::Foreign(foreign), planes)
    }

    fn new(
        width: u32,
        height: u32,
        info: &'static FormatInfo,
        storage: Storage,
        planes: [PlaneLayout; 3],
    ) -> Self {
        let cicp = if info.yuv { Cicp::SRGB_YCC } else { Cicp::SRGB };
        let alpha = if info.alpha { AlphaType::Unpremultiplied } else { AlphaType::Opaque };
        let color = Color { cicp, icc: None };
        Self {
            width,
            height,
            info,
            storage,
            planes,
            alpha,
            color,
            light: Light::default(),
            note: None,
            coded: None,
        }
    }

    /// Takes over what another's components mean.
    pub fn describe_as(&mut self, other: &Self) {
        (self.alpha, self.color, self.light) = (other.alpha, other.color.clone(), other.light);
        self.note = other.note.clone();
    }

    /// Takes the profile of a file. One that is of no use is left out and noted.
    pub fn set_embedded_profile(&mut self, icc: &[u8]) -> Result<()> {
        let gray = self.info.is_gray();
        // Gray with a profile for RGB is found in the wild; what can be done with it depends on the format to write.
        let checked = embedded_icc(icc).and_then(|icc| match (gray, &icc[16..20]) {
            (true, b"GRAY" | b"RGB ") | (false, b"RGB ") => Ok(icc),
            (_, kind) => {
                let (kind, is) = (String::from_utf8_lossy(kind), if gray { "gray" } else { "RGB" });
                Err(err!(Icc, "it is for {} pixels, the image has {is} pixels", kind.trim_end()))
            }
        });
        match checked {
            Ok(icc) => self.color.icc = Some(icc),
            Err(error) if error.kind == ErrorKind::Icc => {
                let text = format!("dropped the ICC profile of the source: {error}");
                log::write(log::WARNING, || text.clone());
                self.note = Some(Warning { code: Code::ProfileDropped, text: text.into() });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes that decoding changed the colours.
    pub fn note_conversion(&mut self, text: impl Into<Cow<'static, str>>) {
        self.note = Some(Warning { code: Code::ColorConverted, text: text.into() });
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The format's row in the table.
    pub fn info(&self) -> &'static FormatInfo {
        self.info
    }

    /// Whether the memory is the caller's.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.storage, Storage::Foreign(_))
    }

    /// Whether alpha can differ from opaque.
    pub fn has_alpha(&self) -> bool {
        self.info.alpha && self.alpha != AlphaType::Opaque
    }

    /// All bytes of a plane from its first row on, and its stride.
    pub fn plane(&self, index: usize) -> (&[u8], usize) {
        let layout = self.planes[index];
        let bytes = match &self.storage {
            Storage::Owned(bytes) => &bytes[layout.offset..],
            Storage::Foreign(foreign) => &foreign.piece(index)[layout.offset..],
        };
        (bytes, layout.stride)
    }

    /// One row of a plane, without padding.
    pub fn row(&self, plane: usize, y: u32) -> &[u8] {
        let (bytes, stride) = self.plane(plane);
        let start = y as usize * stride;
        &bytes[start..start + self.info.planes[plane].row_bytes(self.width) as usize]
    }

    /// Bytes of all planes without padding.
    pub fn tight_bytes(&self) -> u64 {
        let planes = self.info.planes.iter();
        planes.map(|plane| plane.row_bytes(self.width) * plane.rows(self.height)).sum()
    }
}

/// Where the planes start in memory that holds them one behind the other: behind whole rows, the last one's padding
/// included. [`check_size`] has seen that this memory is there; of the last plane's rows it knows only what is needed.
fn starts(geometry: &Geometry, info: &FormatInfo, height: u32) -> [usize; 3] {
    let mut starts = [0; 3];
    for next in 1..info.planes.len() {
        let rows = info.planes[next - 1].rows(height) as usize;
        starts[next] = starts[next - 1] + geometry.strides[next - 1] * rows;
    }
    starts
}

fn sum(bytes: &[usize; 3], info: &FormatInfo, width: u32, height: u32) -> Result<usize> {
    match bytes.iter().try_fold(0usize, |sum, &bytes| sum.checked_add(bytes)) {
        Some(sum) if sum <= isize::MAX as usize => Ok(sum),
        _ => bail!(TooLarge, "{width} x {height} pixels of {} pass the address space", info.name),
    }
}

/// Whether `size` bytes hold all planes one behind the other; the last row needs no padding.
fn check_size(size: usize, geometry: &Geometry, info: &FormatInfo, width: u32, height: u32) -> Result<()> {
    let last = info.planes.len() - 1;
    let mut needed = geometry.bytes[last] as u64;
    for (index, plane) in info.planes.iter().enumerate().take(last) {
        needed = needed.saturating_add((geometry.strides[index] as u64).saturating_mul(plane.rows(height)));
    }
    if needed > isize::MAX as u64 {
        bail!(TooLarge, "{width} x {height} pixels of {} pass the address space", info.name);
    }
    if (size as u64) < needed {
        bail!(
            BufferTooSmall,
            "{size} bytes are too few: {width} x {height} pixels of {} with row stride {} take {needed}",
            info.name,
            geometry.strides[0]
        );
    }
    Ok(())
}

/// A pixel map as the caller holds it: settable, and safe to read at any time. A write replaces the pixels as
/// a whole, so a pack in progress goes on with the pixels it started with and nobody waits.
#[derive(Debug)]
pub struct PixelMap(Shared<Pixels>);

impl Object for Pixels {
    const KIND: Kind = Kind::Snapshot;
}

impl PixelMap {
    /// A map of these pixels.
    pub fn new(pixels: Pixels) -> Result<Self> {
        Ok(Self(Shared::new(pixels)?))
    }

    /// The pixels as they are now.
    pub fn snapshot(&self) -> Result<Arc<Pixels>> {
        self.0.get()
    }

    /// Changes what the pixels mean; the bytes stay shared.
    pub fn update(&self, change: impl Fn(&mut Pixels)) -> Result<()> {
        self.0.update(|pixels| {
            let mut pixels = Pixels { coded: None, ..pixels.clone() };
            change(&mut pixels);
            Ok(pixels)
        })
    }

    /// Replaces all pixels by a copy of the caller's.
    pub fn write(&self, bytes: &[u8], row_stride: usize) -> Result<()> {
        let now = self.snapshot()?;
        if now.is_borrowed() {
            bail!(OutOfRange, "the pixels of a borrowed map belong to the caller and are not written here");
        }
        let new = Pixels::copy_from(now.width, now.height, now.info.format, bytes, row_stride)?;
        self.update(|pixels| {
            pixels.storage = new.storage.clone();
            pixels.planes = new.planes;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_planes_follow_the_pixel_stride_of_the_first() {
        // 6 x 4 NV12 with 16 bytes a row: chroma starts at 64 and has 16 bytes a row too.
        let layout = Pixels::borrowed_layout(6, 4, PixelFormat::Nv12, 1000, 16).unwrap();
        assert_eq!(layout[0], (0, 3 * 16 + 6, 16));
        assert_eq!(layout[1], (64, 16 + 6, 16));
        // I420 with an odd width: 7 -> 4 chroma samples.
        let layout = Pixels::borrowed_layout(7, 3, PixelFormat::I420, 1000, 0).unwrap();
        assert_eq!(layout, [(0, 21, 7), (21, 8, 4), (29, 8, 4)]);
    }

    #[test]
    fn copies_round_trip_through_any_stride() {
        for info in super::super::pixel_format::FORMATS {
            let (width, height) = (5, 3);
            let stride = info.planes[0].row_bytes(width) as usize + 8;
            let bytes: Vec<u8> = (0..=255).cycle().take(4096).collect();
            let pixels = Pixels::copy_from(width, height, info.format, &bytes, stride).unwrap();
            let mut out = vec![0; 4096];
            pixels.copy_to(&mut out, stride).unwrap();
            let again = Pixels::copy_from(width, height, info.format, &out, stride).unwrap();
            for (plane, shape) in info.planes.iter().enumerate() {
                for y in 0..shape.rows(height) as u32 {
                    assert_eq!(pixels.row(plane, y), again.row(plane, y), "{}", info.name);
                }
            }
        }
    }

    #[test]
    fn sizes_that_overflow_are_errors_with_numbers() {
        let error = Pixels::copy_from(5, 2, PixelFormat::Rgba8888, &[0; 39], 0).unwrap_err();
        assert_eq!(
            error.message,
            "39 bytes are too few: 5 x 2 pixels of RGBA_8888 with row stride 20 take 40"
        );
        let error = Pixels::copy_from(6, 2, PixelFormat::Rgba8888, &[0; 39], 20).unwrap_err();
        assert_eq!(error.message, "row stride 20 is less than 6 pixels x 4 bytes = 24 (RGBA_8888)");
        assert!(Pixels::borrowed_layout(u32::MAX, 1, PixelFormat::Gray8, usize::MAX, 0).is_err());
        let max = i32::MAX as u32;
        assert!(Pixels::borrowed_layout(max, max, PixelFormat::RgbaF32, usize::MAX, usize::MAX).is_err());
    }
}
