//! BMP and ICO through the `image` crate, and what TIFF has in common with them.

use std::io::{BufRead, Seek, SeekFrom};

use image::{
    ExtendedColorType, ImageDecoder,
    codecs::{bmp::BmpDecoder, ico::IcoDecoder},
    error::ImageError,
};

use super::{Decoder, Header, Job, damaged};
use crate::{
    bail, err,
    error::{Error, Result, try_vec},
    model::{pixel_format::PixelFormat, pixelmap::Pixels},
    pixels::Orientation,
};

pub static BMP: Decoder = Decoder {
    mime: c"image/bmp",
    // The size of the header that follows says more than two letters.
    sniff: |head| {
        head.starts_with(b"BM") && matches!(head.get(14), Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
    },
    probe: |reader| header(BmpDecoder::new(start(reader)?), "BMP"),
    decode: |job| pixels(job, BmpDecoder::new(job.reader()), "BMP"),
    animation: None,
};

pub static ICO: Decoder = Decoder {
    mime: c"image/x-icon",
    // Reserved, kind, and a number of images whose first has 0 in its reserved byte.
    sniff: |head| head.starts_with(&[0, 0, 1, 0]) && head.get(4..10).is_some_and(|d| d[0] != 0 && d[5] == 0),
    probe: |reader| header(IcoDecoder::new(start(reader)?), "ICO"),
    decode: |job| pixels(job, IcoDecoder::new(job.reader()), "ICO"),
    animation: None,
};

pub(super) fn start<R: BufRead + Seek>(reader: &mut R) -> Result<&mut R> {
    reader.seek(SeekFrom::Start(0)).map_err(|e| err!(Read, "{e}"))?;
    Ok(reader)
}

pub(super) fn explain(name: &str, error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(why) => err!(BadData, "this kind of {name} cannot be read: {why}"),
        other => damaged(name, other),
    }
}

fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    let found = decoder.orientation().ok();
    found.and_then(|found| Orientation::from_exif(found.to_exif().into())).unwrap_or_default()
}

pub(super) fn header<D: ImageDecoder>(decoder: image::ImageResult<D>, name: &str) -> Result<Header> {
    let mut decoder = decoder.map_err(|e| explain(name, e))?;
    Ok(Header { size: decoder.dimensions(), frames: 1, orientation: orientation(&mut decoder) })
}

pub(super) fn pixels<D: ImageDecoder>(
    job: &Job<'_>,
    decoder: image::ImageResult<D>,
    name: &str,
) -> Result<Pixels> {
    use image::ColorType::*;
    let mut decoder = decoder.map_err(|e| explain(name, e))?;
    let (width, height) = job.header.size;
    let kind = decoder.color_type();
    // What it becomes, and the bytes a pixel takes of samples that have to be widened first.
    let (format, narrow) = match kind {
        L8 => (PixelFormat::Gray8, 0),
        La8 => (PixelFormat::GrayAlpha88, 0),
        Rgb8 => (PixelFormat::Rgb888, 0),
        Rgba8 => (PixelFormat::Rgba8888, 0),
        L16 => (PixelFormat::Gray16, 0),
        La16 => (PixelFormat::Rgba16161616, 4),
        Rgb16 => (PixelFormat::Rgb161616, 0),
        Rgba16 => (PixelFormat::Rgba16161616, 0),
        Rgb32F => (PixelFormat::RgbaF32, 12),
        Rgba32F => (PixelFormat::RgbaF32, 0),
        other => bail!(Bug, "the image crate answers {other:?}"),
    };
    let group = u64::from(format.info().planes[0].bytes);
    // The crate holds strips beside our buffer, and for CMYK the whole image.
    let inside = if decoder.original_color_type() == ExtendedColorType::Cmyk8 { 8 } else { 4 };
    let share = job.take(group + narrow + inside)?;
    let stated = u64::from(width) * u64::from(height) * u64::from(kind.bytes_per_pixel());
    if decoder.dimensions() != (width, height) || decoder.total_bytes() != stated {
        bail!(Bug, "{name} of {} bytes where {stated} were announced", decoder.total_bytes());
    }
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(stated.saturating_mul(4).saturating_add(64 << 20));
    decoder.set_limits(limits).map_err(|e| explain(name, e))?;
    let icc = decoder.icc_profile().ok().flatten();
    let mut bytes = try_vec(stated as usize, "decoded pixels")?;
    decoder.read_image(&mut bytes).map_err(|e| explain(name, e))?;
    job.control.check()?;
    if narrow != 0 {
        bytes = widen(&bytes, kind, (width as usize) * (height as usize))?;
    }
    drop(share);
    let mut pixels = Pixels::from_vec(width, height, format, bytes)?;
    // CMYK with alpha has become RGB without its profile.
    match icc {
        _ if inside == 8 => pixels.note_conversion("inks (CMYK) were converted to sRGB as ideal inks"),
        Some(icc) => pixels.set_embedded_profile(&icc)?,
        None => {}
    }
    Ok(pixels)
}

/// Gray and alpha as RGBA, or RGB as opaque RGBA, for depths that have no format of their own.
fn widen(bytes: &[u8], kind: image::ColorType, count: usize) -> Result<Vec<u8>> {
    if kind == image::ColorType::La16 {
        let mut wide = try_vec(count * 8, "decoded pixels")?;
        for (&[g, y, a, b], wide) in bytes.as_chunks::<4>().0.iter().zip(wide.as_chunks_mut::<8>().0) {
            *wide = [g, y, g, y, g, y, a, b];
        }
        return Ok(wide);
    }
    let mut wide = try_vec(count * 16, "decoded pixels")?;
    for (rgb, wide) in bytes.as_chunks::<12>().0.iter().zip(wide.as_chunks_mut::<16>().0) {
        wide[..12].copy_from_slice(rgb);
        wide[12..].copy_from_slice(&1f32.to_ne_bytes());
    }
    Ok(wide)
}
