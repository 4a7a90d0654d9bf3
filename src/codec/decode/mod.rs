//! Decoders for image sources.

use image::ImageDecoder as _;

use crate::{
    bail, err,
    error::{Result, try_vec},
    limits::Limits,
    model::{
        pixel_format::PixelFormat,
        pixelmap::Pixels,
        source::{ImageSource, Probe},
    },
};

/// What the header of an encoded image says.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// MIME type; NUL-terminated, as the host sees it.
    pub mime: &'static std::ffi::CStr,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of frames; 1 for a still image.
    pub frames: usize,
}

/// Reads the header.
pub(crate) fn probe(source: &dyn Probe) -> Result<Info> {
    let bytes = source.all()?;
    #[cfg(feature = "heif")]
    if let Some(info) = super::heif::probe(&bytes)? {
        return Ok(info);
    }
    let decoder = decoder(&bytes)?;
    let (width, height) = decoder.dimensions();
    Ok(Info { mime: c"image/jpeg", width, height, frames: 1 })
}

fn decoder(bytes: &[u8]) -> Result<image::codecs::jpeg::JpegDecoder<std::io::Cursor<&[u8]>>> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        bail!(UnknownFormat, "{} bytes are of no known image format", bytes.len());
    }
    image::codecs::jpeg::JpegDecoder::new(std::io::Cursor::new(bytes))
        .map_err(|e| err!(BadData, "the JPEG data is damaged: {e}"))
}

/// Decodes a frame.
pub fn decode(source: &ImageSource, frame: usize, limits: &Limits) -> Result<Pixels> {
    let info = source.info();
    if frame >= info.frames {
        bail!(OutOfRange, "frame {frame} of an image with {} frames", info.frames);
    }
    limits.check_pixels(info.width, info.height)?;
    let bytes = source.bytes()?;
    #[cfg(feature = "heif")]
    if super::heif::sniff(&bytes).is_some() {
        return super::heif::decode(&bytes, frame, limits);
    }
    let decoder = decoder(&bytes)?;
    let format = match decoder.color_type() {
        image::ColorType::L8 => PixelFormat::Gray8,
        _ => PixelFormat::Rgb888,
    };
    let mut pixels = try_vec(decoder.total_bytes() as usize, "decoded pixels")?;
    decoder.read_image(&mut pixels).map_err(|e| err!(BadData, "the JPEG data is damaged: {e}"))?;
    Pixels::from_vec(info.width, info.height, format, pixels)
}
