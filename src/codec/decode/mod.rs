//! Decoders for image sources: one file and one line of [`DECODERS`] per format. HEIC and AVIF are libheif's.

mod auxiliary;
mod cmyk;
mod common;
mod exif;
mod frames;
mod gain_map;
mod gif;
mod jpeg;
mod picture;
mod png;
mod reader;
mod tiff;
mod watched;
mod webp;

use std::ffi::CStr;

use super::metadata::{self, Found};
use crate::{
    bail, err,
    error::{Error, ErrorKind, Result},
    host::panics,
    limits::Limits,
    log,
    model::{
        pixelmap::Pixels,
        source::{ImageSource, Probe},
    },
    pack::control::Control,
    pixels::{Orientation, upright},
};
pub use auxiliary::{auxiliaries, auxiliary_kinds};
pub use frames::{Frame, Frames, Timing, open, timing};
pub use gain_map::{gain_map, has_gain_map};
pub use picture::{picture, properties};
use reader::Reader;
use watched::Watched;

/// What the header of an encoded image says.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// MIME type; NUL-terminated, as the host sees it.
    pub mime: &'static CStr,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// Number of frames; 1 for a still image.
    pub frames: usize,
}

/// A format this library can read.
struct Decoder {
    mime: &'static CStr,
    /// Whether these first bytes are of this format.
    sniff: fn(&[u8]) -> bool,
    /// Reads the header and no more than it has to.
    probe: fn(&mut Reader<'_>) -> Result<Header>,
    /// Decodes a frame of complete bytes, whose header is known.
    decode: fn(&Job<'_>) -> Result<Pixels>,
    /// For formats with animations.
    animation: Option<frames::Animation>,
}

/// What a decoder finds in a header.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// Stored width and height.
    size: (u32, u32),
    frames: usize,
    orientation: Orientation,
}

/// One frame to decode.
#[derive(Clone, Copy)]
struct Job<'a> {
    bytes: &'a [u8],
    frame: usize,
    header: Header,
    limits: &'a Limits,
    /// Asked now and then whether to go on.
    control: &'a Control,
}

static DECODERS: &[&Decoder] = &[
    &jpeg::DECODER,
    &png::DECODER,
    &webp::DECODER,
    &gif::DECODER,
    &common::BMP,
    &tiff::DECODER,
    &common::ICO,
];

/// Bytes that tell every format from the others.
const MAGIC: usize = 64;

/// An error for data that a decoder does not take.
fn damaged(name: &str, why: impl std::fmt::Display) -> Error {
    err!(BadData, "the {name} data is damaged: {why}")
}

/// Reads the header.
pub(crate) fn probe(source: &dyn Probe) -> Result<Info> {
    let mut reader = Reader::new(source)?;
    let head = reader.head(MAGIC)?;
    #[cfg(feature = "heif")]
    if super::heif::sniff(head).is_some() {
        let bytes = source.all()?;
        if let Some(info) = super::heif::probe(&bytes)? {
            return Ok(info);
        }
    }
    let decoder = find(head)?;
    let header = header(decoder, &mut reader)?;
    let (width, height) = header.orientation.size(header.size.0, header.size.1);
    Ok(Info { mime: decoder.mime, width, height, frames: header.frames })
}

fn find(head: &[u8]) -> Result<&'static Decoder> {
    match DECODERS.iter().find(|decoder| (decoder.sniff)(head)) {
        Some(decoder) => Ok(decoder),
        None if head.is_empty() => bail!(UnknownFormat, "an image source of 0 bytes"),
        None => bail!(
            UnknownFormat,
            "data that starts with {:02x?} is of no known image format",
            &head[..head.len().min(8)]
        ),
    }
}

fn header(decoder: &Decoder, reader: &mut Reader<'_>) -> Result<Header> {
    let result = guard(decoder, || (decoder.probe)(reader));
    let header = result.map_err(|error| reader.failure().unwrap_or(error))?;
    if header.size.0 == 0 || header.size.1 == 0 || header.frames == 0 {
        let (width, height) = header.size;
        return Err(damaged(name(decoder), format!("{width} x {height} pixels, {} frames", header.frames)));
    }
    Ok(header)
}

fn name(decoder: &Decoder) -> &'static str {
    decoder.mime.to_str().unwrap_or_default()
}

/// Damaged data may find a fault in a decoder; it is still the data that is to blame.
fn guard<T>(decoder: &Decoder, work: impl FnOnce() -> Result<T>) -> Result<T> {
    panics::catch(work).unwrap_or_else(|payload| Err(damaged(name(decoder), panics::text(payload.as_ref()))))
}

/// Decodes a frame, upright.
pub fn decode(source: &ImageSource, frame: usize, limits: &Limits) -> Result<Pixels> {
    decode_under(source, frame, limits, &Control::default())
}

/// As [`decode`], until `control` says that it is to stop.
pub fn decode_under(
    source: &ImageSource,
    frame: usize,
    limits: &Limits,
    control: &Control,
) -> Result<Pixels> {
    check(source, frame, limits)?;
    frame_of(source, &source.bytes()?, frame, limits, control)
}

/// Decodes the first frame, upright, and finds what the file holds beside it.
pub fn decode_all(source: &ImageSource, limits: &Limits, control: &Control) -> Result<(Pixels, Found)> {
    check(source, 0, limits)?;
    let bytes = source.bytes()?;
    let pixels = frame_of(source, &bytes, 0, limits, control)?;
    Ok((pixels, found(source, &bytes)?))
}

/// What a source's bytes hold beside the pixels. Damage there is no reason to lose the image.
pub fn found(source: &ImageSource, bytes: &[u8]) -> Result<Found> {
    match metadata::find(source.info().mime, bytes) {
        Err(error) if error.kind != ErrorKind::OutOfMemory => {
            log::write(log::WARNING, || format!("no metadata: {error}"));
            Ok(Found { damage: Some(error), ..Found::default() })
        }
        found => found,
    }
}

fn check(source: &ImageSource, frame: usize, limits: &Limits) -> Result<()> {
    let info = source.info();
    if frame >= info.frames {
        bail!(OutOfRange, "frame {frame} of an image with {} frames", info.frames);
    }
    limits.check_pixels(info.width, info.height)
}

fn frame_of(
    source: &ImageSource,
    bytes: &[u8],
    frame: usize,
    limits: &Limits,
    control: &Control,
) -> Result<Pixels> {
    let info = source.info();
    #[cfg(feature = "heif")]
    if super::heif::sniff(bytes).is_some() {
        return super::heif::decode(bytes, frame, limits, control);
    }
    let (decoder, header) = known(info, bytes, frame)?;
    let job = Job { bytes, frame, header, limits, control };
    let pixels = guard(decoder, || (decoder.decode)(&job)).map_err(|error| stopped(control, error))?;
    control.check()?;
    upright(pixels, header.orientation)
}

/// What a decoder's error is when it was made to stop.
fn stopped(control: &Control, error: Error) -> Error {
    control.check().err().unwrap_or(error)
}

/// The decoder and the header of a source's bytes: a file or a callback may answer otherwise than at creation.
fn known(info: &Info, bytes: &[u8], frame: usize) -> Result<(&'static Decoder, Header)> {
    let decoder = find(&bytes[..bytes.len().min(MAGIC)])?;
    let header = header(decoder, &mut Reader::new(&bytes)?)?;
    if header.orientation.size(header.size.0, header.size.1) != (info.width, info.height)
        || frame >= header.frames
    {
        bail!(Read, "the image source has changed since it was created");
    }
    Ok((decoder, header))
}

impl<'a> Job<'a> {
    /// The bytes, for a decoder that reads.
    fn reader(&self) -> Watched<'a> {
        Watched::new(self.bytes, self.control)
    }

    /// Takes memory for decoding `bytes_per_pixel`, with as much again where the image has to be turned.
    fn take(&self, bytes_per_pixel: u64) -> Result<crate::limits::Share> {
        let pixels = u64::from(self.header.size.0) * u64::from(self.header.size.1);
        let turned = if self.header.orientation == Orientation::Upright { 1 } else { 2 };
        let bytes = pixels.saturating_mul(bytes_per_pixel).saturating_mul(turned);
        self.limits.memory().take(bytes.saturating_add(1 << 20), "decoding this image")
    }
}
