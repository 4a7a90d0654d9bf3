//! HEIC, AVIF and the rest of the HEIF family into pixels.

use std::ffi::CStr;

use super::{
    companions::light,
    library,
    objects::{Channel, OwnedImage},
    playing,
    reading::{Interleaved, Reading, Still},
};
use crate::{
    bail,
    codec::{decode::Info, metadata::Found},
    err,
    error::{Result, try_vec},
    host::{leave::or_leave, stack::apart},
    limits::Limits,
    model::{
        color::Cicp,
        metadata::block,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pack::control::Control,
};

/// The MIME type of a file that starts like one of the HEIF family: by its major brand, or where that says only
/// "an image" by the compatible ones (ISO 23008-12, annex B; AV1 Image File Format, 6).
pub(in crate::codec) fn sniff(bytes: &[u8]) -> Option<&'static CStr> {
    let size = u32::from_be_bytes(bytes.first_chunk().copied()?) as usize;
    if bytes.get(4..8)? != b"ftyp" || size < 16 {
        return None;
    }
    let known = |brand: &[u8]| match brand {
        b"avif" | b"avis" => Some(c"image/avif"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some(c"image/heic"),
        _ => None,
    };
    let brands = &bytes[8..size.min(bytes.len())];
    let major = brands.get(..4)?;
    if !matches!(major, b"mif1" | b"mif2" | b"msf1" | b"miaf") {
        return known(major);
    }
    let compatible = brands.get(8..)?.chunks_exact(4);
    Some(compatible.into_iter().find_map(known).unwrap_or(c"image/heif"))
}

/// Reads what the file's boxes say; `None` if it is none of this family.
pub(in crate::codec) fn probe(bytes: &[u8]) -> Result<Option<Info>> {
    let Some(mime) = sniff(bytes) else { return Ok(None) };
    if let Some(track) = playing::main_track(bytes) {
        let (width, height) = track.size;
        return Ok(Some(Info { mime, width, height, frames: track.samples.len() }));
    }
    let reading = Reading::new(api(mime)?, bytes, 1)?;
    let images = reading.images()?;
    let (width, height) = size(&reading.open(images[0])?)?;
    Ok(Some(Info { mime, width, height, frames: images.len() }))
}

/// Bytes of a file from which libheif is left alone when decoding is to stop: it cannot be told.
const LARGE: usize = 64 << 10;

/// Decodes image `frame`: 0 is the primary one, the others follow in the order of the file.
pub(in crate::codec) fn decode(
    bytes: &[u8],
    frame: usize,
    limits: &Limits,
    control: &Control,
) -> Result<Pixels> {
    if let Some(track) = playing::main_track(bytes) {
        return playing::frame(bytes, &track, frame, limits, control);
    }
    if bytes.len() < LARGE {
        return apart(|| frame_of(bytes, frame, limits))?;
    }
    // What it reads has to stay as long as it does.
    let (mut copy, limits) = (try_vec(bytes.len(), "a copy of the encoded image")?, limits.shared());
    copy.copy_from_slice(bytes);
    or_leave(move || frame_of(&copy, frame, &limits), || control.check())?
}

fn frame_of(bytes: &[u8], frame: usize, limits: &Limits) -> Result<Pixels> {
    let mime = sniff(bytes).unwrap_or(c"image/heif");
    let reading = Reading::new(api(mime)?, bytes, limits.threads())?;
    let images = reading.images()?;
    let Some(id) = images.get(frame) else {
        bail!(OutOfRange, "frame {frame} of an image with {} frames", images.len());
    };
    let mut pixels = within(&reading.open(*id)?, limits)?;
    if pixels.color.cicp.is_hdr() {
        pixels.light = light(bytes, *id);
    }
    Ok(pixels)
}

/// Decodes the only image of a file.
pub(super) fn only(bytes: &[u8], limits: &Limits) -> Result<Pixels> {
    apart(|| {
        let mime = sniff(bytes).unwrap_or(c"image/heif");
        let reading = Reading::new(api(mime)?, bytes, limits.threads())?;
        within(&reading.open(reading.images()?[0])?, limits)
    })?
}

/// Decodes an image if the limits allow it.
fn within(still: &Still<'_>, limits: &Limits) -> Result<Pixels> {
    let (width, height) = size(still)?;
    limits.check_pixels(width, height)?;
    let bytes = u64::from(width) * u64::from(height) * if still.depth() > 8 { 24 } else { 12 };
    let _share = limits.memory().take((16 << 20) + bytes, "decoding with libheif")?;
    pixels(still)
}

/// EXIF and XMP of the primary image.
pub(in crate::codec) fn metadata(bytes: &[u8]) -> Result<Found> {
    apart(|| {
        let reading = Reading::new(api(sniff(bytes).unwrap_or(c"image/heif"))?, bytes, 1)?;
        let still = reading.open(reading.images()?[0])?;
        let mut found = Found::default();
        for (kind, content, bytes) in still.metadata()? {
            match (kind.as_str(), content.as_str()) {
                // The offset of the TIFF header from behind the offset itself.
                ("Exif", _) => {
                    let at = bytes.first_chunk().map_or(0, |at| u32::from_be_bytes(*at) as usize);
                    if let Some(tiff) = at.checked_add(4).and_then(|at| bytes.get(at..)) {
                        found.metadata.exif = Some(block(tiff)?);
                    }
                }
                ("mime", "application/rdf+xml") => found.metadata.xmp = Some(block(&bytes)?),
                _ => {}
            }
        }
        // C2PA's box, with its type of box (C2PA 2.1, A.4).
        found.metadata.provenance = bytes.windows(16).any(|b| {
            b == [
                0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4,
                0x81,
            ]
        });
        Ok(found)
    })?
}

fn api(mime: &CStr) -> Result<&'static library::Api> {
    match library::library() {
        Ok(library) => Ok(&library.api),
        Err(reason) => bail!(UnknownFormat, "{mime:?} cannot be read here: {reason}"),
    }
}

fn size(still: &Still<'_>) -> Result<(u32, u32)> {
    match still.size() {
        (0, _) | (_, 0) => Err(err!(BadData, "the HEIF data is damaged: an image without a size")),
        size => Ok(size),
    }
}

fn pixels(still: &Still<'_>) -> Result<Pixels> {
    let alpha = still.alpha();
    let (format, layout) = match (alpha.is_some(), still.depth() > 8) {
        (false, false) => (PixelFormat::Rgb888, Interleaved::Rgb8),
        (true, false) => (PixelFormat::Rgba8888, Interleaved::Rgba8),
        (false, true) => (PixelFormat::Rgb161616, Interleaved::Rgb16),
        (true, true) => (PixelFormat::Rgba16161616, Interleaved::Rgba16),
    };
    let image = still.decode(layout)?;
    let mut pixels = samples(&image, format, layout, None)?;
    if alpha == Some(true) {
        pixels.alpha = AlphaType::Premultiplied;
    }
    if let Some(cicp) = still.cicp().or_else(|| image.cicp()) {
        pixels.color.cicp = of_rgb(cicp);
    }
    if let Some(icc) = still.icc()? {
        pixels.set_embedded_profile(&icc)?;
    }
    Ok(pixels)
}

/// The code points of RGB that was made of samples with these.
pub(super) fn of_rgb(cicp: Cicp) -> Cicp {
    let known = |code, default| if code == 2 { default } else { code };
    let (primaries, transfer) = (known(cicp.primaries, 1), known(cicp.transfer, 13));
    Cicp { primaries, transfer, ..Cicp::SRGB }
}

/// Copies the pixels of a decoded image, of one that is larger than `most` its upper left part.
pub(super) fn samples(
    image: &OwnedImage,
    format: PixelFormat,
    layout: Interleaved,
    most: Option<(u32, u32)>,
) -> Result<Pixels> {
    let (plane, size, depth) = (
        image.plane(Channel::Interleaved),
        image.size(Channel::Interleaved),
        image.depth(Channel::Interleaved),
    );
    let (Some((plane, stride)), Some((width, height))) = (plane, size) else {
        bail!(BadData, "libheif decoded no pixels");
    };
    let (width, height) = most.map_or((width, height), |most| (width.min(most.0), height.min(most.1)));
    let samples = match layout {
        Interleaved::Rgb8 => 3,
        Interleaved::Rgba8 => 4,
        Interleaved::Rgb16 => 6,
        Interleaved::Rgba16 => 8,
    };
    let row_bytes = width as usize * samples;
    if width == 0 || height == 0 || stride < row_bytes {
        bail!(BadData, "libheif decoded {width} x {height} pixels with a row stride of {stride} bytes");
    }
    let mut bytes = try_vec(row_bytes.saturating_mul(height as usize), "decoded pixels")?;
    for (to, from) in bytes.chunks_exact_mut(row_bytes).zip(plane.chunks(stride)) {
        match layout {
            Interleaved::Rgb8 | Interleaved::Rgba8 => to.copy_from_slice(&from[..row_bytes]),
            Interleaved::Rgb16 | Interleaved::Rgba16 => widen(to, &from[..row_bytes], depth),
        }
    }
    Pixels::from_vec(width, height, format, bytes)
}

/// Spreads samples of `depth` bits, little end first, over 16 bits of the machine's order.
fn widen(to: &mut [u8], from: &[u8], depth: u8) {
    let depth = u32::from(depth.clamp(9, 16));
    let (left, right) = (16 - depth, 2 * depth - 16);
    for (to, from) in to.chunks_exact_mut(2).zip(from.chunks_exact(2)) {
        let value = u16::from_le_bytes([from[0], from[1]]);
        to.copy_from_slice(&(value << left | value >> right).to_ne_bytes());
    }
}
