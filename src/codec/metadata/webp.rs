//! Metadata in WebP: chunks of RIFF (RFC 9649).

use super::Found;
use crate::{
    bail, err,
    error::{Result, try_collect},
    model::metadata::Metadata,
    sink::Sink,
};

struct Chunk<'a> {
    name: [u8; 4],
    body: &'a [u8],
    /// With head and padding.
    whole: &'a [u8],
}

fn chunks(file: &[u8]) -> impl Iterator<Item = Result<Chunk<'_>>> {
    let stated = file.get(4..8).and_then(|size| Some(u32::from_le_bytes(size.try_into().ok()?) as usize));
    let end = stated.map_or(0, |size| size.saturating_add(8)).min(file.len());
    let mut rest = file.get(12..end).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let chunk = (|| {
            let name = rest.get(..4)?.try_into().ok()?;
            let size = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
            let body = rest.get(8..size.checked_add(8)?)?;
            let whole = &rest[..(8 + size.next_multiple_of(2)).min(rest.len())];
            Some(Chunk { name, body, whole })
        })();
        rest = chunk.as_ref().map_or(&[][..], |chunk| &rest[chunk.whole.len()..]);
        Some(chunk.ok_or_else(|| err!(BadData, "the WebP data is damaged: a chunk is cut off")))
    })
}

pub(super) fn find(file: &[u8]) -> Result<Found> {
    let mut found = Found::default();
    for chunk in chunks(file) {
        let Chunk { name, body, .. } = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                found.damage = Some(error);
                break;
            }
        };
        match &name {
            b"EXIF" => found.exif(body)?,
            b"XMP " => found.xmp(body)?,
            b"C2PA" => found.metadata.provenance = true,
            _ => {}
        }
    }
    Ok(found)
}

pub(super) fn exchange(
    file: &[u8],
    metadata: &Metadata,
    (width, height): (u32, u32),
    sink: &mut dyn Sink,
) -> Result<()> {
    // Bits of the VP8X chunk.
    const ALPHA: u8 = 0x10;
    const EXIF: u8 = 0x08;
    const XMP: u8 = 0x04;
    let chunks = try_collect(chunks(file), "the chunks of a WebP")?;
    let blocks = [(b"EXIF", &metadata.exif, EXIF), (b"XMP ", &metadata.xmp, XMP)];
    let mut vp8x = [0; 10];
    match chunks.iter().find(|chunk| &chunk.name == b"VP8X") {
        Some(old) if old.body.len() == 10 => vp8x.copy_from_slice(old.body),
        Some(old) => bail!(BadData, "the WebP data is damaged: VP8X has {} bytes", old.body.len()),
        None => {
            // The bit `alpha_is_used` of the lossless header.
            let alpha =
                chunks.iter().any(|c| &c.name == b"VP8L" && c.body.get(4).is_some_and(|b| b & 0x10 != 0));
            vp8x[0] = if alpha { ALPHA } else { 0 };
            vp8x[4..7].copy_from_slice(&(width - 1).to_le_bytes()[..3]);
            vp8x[7..10].copy_from_slice(&(height - 1).to_le_bytes()[..3]);
        }
    }
    vp8x[0] &= !(EXIF | XMP);
    let mut total = 4 + 18u64;
    for (_, bytes, bit) in &blocks {
        if let Some(bytes) = bytes {
            vp8x[0] |= bit;
            total += 8 + bytes.len().next_multiple_of(2) as u64;
        }
    }
    let stays = |chunk: &&Chunk<'_>| !matches!(&chunk.name, b"VP8X" | b"EXIF" | b"XMP " | b"C2PA");
    total += chunks.iter().filter(stays).map(|c| c.whole.len().next_multiple_of(2) as u64).sum::<u64>();
    let Some(total) = u32::try_from(total).ok().filter(|&total| total < u32::MAX - 10) else {
        bail!(TooLarge, "a WebP file of {total} bytes");
    };
    sink.write(b"RIFF")?;
    sink.write(&total.to_le_bytes())?;
    sink.write(b"WEBPVP8X\x0a\0\0\0")?;
    sink.write(&vp8x)?;
    for chunk in chunks.iter().filter(stays) {
        sink.write(chunk.whole)?;
        if chunk.whole.len() % 2 == 1 {
            sink.write(&[0])?;
        }
    }
    for (name, bytes, _) in blocks {
        let Some(bytes) = bytes else { continue };
        sink.write(name)?;
        sink.write(&(bytes.len() as u32).to_le_bytes())?;
        sink.write(bytes)?;
        if bytes.len() % 2 == 1 {
            sink.write(&[0])?;
        }
    }
    Ok(())
}
