//! Metadata in containers: found, written, exchanged; and the two kinds that have an inside, EXIF and XMP.

pub mod exif;
mod gif;
pub mod iptc;
pub mod jpeg;
pub mod numbers;
mod png;
pub mod properties;
pub mod text;
pub mod tiff;
mod webp;
pub mod xmp;

use std::ffi::CStr;

use crate::{
    bail,
    error::{Error, Result, try_extend, try_resize},
    model::{
        metadata::{Metadata, Text, block},
        source::ImageSource,
    },
    sink::Sink,
};

/// What a file holds beside its pixels.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The blocks.
    pub metadata: Metadata,
    /// Segments of a vendor's own.
    pub vendor: bool,
    /// So many bytes behind the last image: a video, or a vendor's own.
    pub behind: usize,
    /// So many texts beyond those that are kept.
    pub more_texts: usize,
    /// Why there may have been more.
    pub damage: Option<Error>,
}

/// Texts of a file that are kept. Each takes more memory than bytes in the file.
pub const MOST_TEXTS: usize = 256;

impl Found {
    fn exif(&mut self, bytes: &[u8]) -> Result<()> {
        let tiff = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
        if self.metadata.exif.is_none() && !tiff.is_empty() {
            self.metadata.exif = Some(block(tiff)?);
        }
        Ok(())
    }

    /// Photoshop's resources, or IPTC alone, which becomes one.
    fn iptc(&mut self, bytes: &[u8]) -> Result<()> {
        if self.metadata.iptc.is_some() {
            return Ok(());
        }
        if bytes.starts_with(b"8BIM") {
            self.metadata.iptc = Some(block(bytes)?);
        } else if bytes.first() == Some(&0x1c) {
            // Number 0x0404, no name; sizes are even.
            let mut resource = Vec::new();
            let length = (bytes.len() as u32).to_be_bytes();
            for piece in [b"8BIM\x04\x04\0\0", &length[..], bytes, &[0][..bytes.len() % 2]] {
                try_extend(&mut resource, piece, "IPTC")?;
            }
            self.metadata.iptc = Some(block(&resource)?);
        }
        Ok(())
    }

    /// A text of PNG that is not one of the blocks in disguise.
    fn text(&mut self, name: [u8; 4], body: &[u8]) -> Result<()> {
        if ![&b"XML:com.adobe.xmp"[..], b"Raw profile type"].iter().any(|block| body.starts_with(block)) {
            self.keep(|| Ok(Text { name, body: block(body)? }))?;
        }
        Ok(())
    }

    fn keep(&mut self, text: impl FnOnce() -> Result<Text>) -> Result<()> {
        if self.metadata.texts.len() == MOST_TEXTS {
            self.more_texts += 1;
        } else {
            self.metadata.texts.push(text()?);
        }
        Ok(())
    }

    fn xmp(&mut self, bytes: &[u8]) -> Result<()> {
        if self.metadata.xmp.is_none() && !bytes.is_empty() {
            self.metadata.xmp = Some(block(bytes)?);
        }
        Ok(())
    }
}

/// What zlib data unpacks to; none for damage, and for more than `most` bytes.
fn unpacked(packed: &[u8], most: usize) -> Result<Option<Vec<u8>>> {
    // Not `fdeflate::decompress_to_vec_bounded`: it ends the process where there is no memory.
    let (mut decoder, mut bytes) = (fdeflate::Decompressor::new(), Vec::new());
    let (mut read, mut written) = (0, 0);
    while !decoder.is_done() {
        if written == bytes.len() {
            if written == most {
                return Ok(None);
            }
            let room = (2 * written).clamp(1 << 10, most);
            try_resize(&mut bytes, room, "compressed metadata")?;
        }
        let Ok((taken, made)) = decoder.read(&packed[read..], &mut bytes, written, true) else {
            return Ok(None);
        };
        (read, written) = (read + taken, written + made);
    }
    bytes.truncate(written);
    Ok(Some(bytes))
}

/// Looks through an encoded image.
pub fn find(mime: &CStr, bytes: &[u8]) -> Result<Found> {
    let mut found = match mime.to_bytes() {
        b"image/jpeg" => jpeg::find(bytes)?,
        b"image/png" => png::find(bytes)?,
        b"image/webp" => webp::find(bytes)?,
        b"image/gif" => gif::find(bytes)?,
        b"image/tiff" => tiff::find(bytes)?,
        #[cfg(feature = "heif")]
        b"image/heic" | b"image/avif" | b"image/heif" => super::heif::metadata(bytes)?,
        _ => Found::default(),
    };
    // EXIF goes before what the container says.
    if let Some(exif) = &found.metadata.exif
        && let Ok(exif) = exif::Exif::new(exif)
        && let Some(density) = exif.density()
    {
        found.metadata.density = Some(density);
    }
    Ok(found)
}

/// Writes a file with these blocks in the place of its own; the image's data and all else stay byte for byte, but for
/// provenance data (C2PA), whose signatures are of the old file.
pub fn exchange(source: &ImageSource, metadata: &Metadata, sink: &mut dyn Sink) -> Result<()> {
    let bytes = source.bytes()?;
    match source.info().mime.to_bytes() {
        b"image/jpeg" => jpeg::exchange(&bytes, metadata, sink),
        b"image/png" => png::exchange(&bytes, metadata, sink),
        b"image/webp" => webp::exchange(&bytes, metadata, (source.info().width, source.info().height), sink),
        _ => bail!(
            Unsupported,
            "metadata of {} cannot be changed without encoding anew; it can of JPEG, PNG and WebP",
            source.info().mime.to_string_lossy()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_data_is_unpacked_up_to_a_limit() {
        const MOST: usize = 5000;
        for size in [0, 1, 1023, 1024, 1025, 2048, MOST - 1, MOST, MOST + 1, 3 * MOST] {
            let text: Vec<u8> = (0..size).map(|i| (i * i / 7) as u8).collect();
            let packed = fdeflate::compress_to_vec(&text);
            let expected = if size <= MOST { Some(text) } else { None };
            assert_eq!(unpacked(&packed, MOST).unwrap(), expected, "{size} bytes");
            for cut in [0, 1, packed.len() / 2, packed.len() - 1] {
                assert_eq!(unpacked(&packed[..cut], MOST).unwrap(), None, "{cut} of {}", packed.len());
            }
        }
    }
}
