//! Metadata in PNG: eXIf, iTXt and pHYs (PNG, third edition).

use std::borrow::Cow;

use super::{Found, jpeg, unpacked};
use crate::{
    codec::png::chunk::{Ancillary, Chunks},
    err,
    error::{Result, try_collect, try_vec},
    model::metadata::{Density, Metadata},
    sink::Sink,
};

const XMP: &[u8] = b"XML:com.adobe.xmp\0";
/// Most bytes of a compressed packet, unpacked.
const MOST_XMP: usize = 16 << 20;

struct Chunk<'a> {
    name: [u8; 4],
    body: &'a [u8],
    range: (usize, usize),
}

fn chunks(file: &[u8]) -> impl Iterator<Item = Result<Chunk<'_>>> {
    let mut at = 8;
    std::iter::from_fn(move || {
        let rest = file.get(at..).filter(|rest| !rest.is_empty())?;
        let chunk = (|| {
            let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
            let name = rest.get(4..8)?.try_into().ok()?;
            let end = length.checked_add(12)?;
            let body = rest.get(8..end - 4)?;
            rest.get(..end)?;
            Some(Chunk { name, body, range: (at, at + end) })
        })();
        Some(match chunk {
            Some(chunk) => {
                // What stands behind the end is none of PNG's.
                at = if &chunk.name == b"IEND" { file.len() } else { chunk.range.1 };
                Ok(chunk)
            }
            None => {
                let error = err!(BadData, "the PNG data is damaged: no chunk at byte {at}");
                at = file.len();
                Err(error)
            }
        })
    })
}

/// The text of an XMP chunk.
fn packet(body: &[u8]) -> Option<(bool, &[u8])> {
    let rest = body.strip_prefix(XMP)?;
    let (&[packed, 0], rest) = rest.split_first_chunk::<2>()? else { return None };
    // Language and translated keyword.
    let mut fields = rest.splitn(3, |&b| b == 0);
    let text = fields.nth(2)?;
    Some((packed == 1, text))
}

pub(super) fn find(file: &[u8]) -> Result<Found> {
    let (mut found, mut raw) = (Found::default(), Vec::new());
    for chunk in chunks(file) {
        // The pixels' decoder tells of damage.
        let Ok(Chunk { name, body, .. }) = chunk else { break };
        match &name {
            b"eXIf" => found.exif(body)?,
            b"iTXt" => match packet(body) {
                Some((false, text)) => found.xmp(text)?,
                Some((true, text)) => {
                    if let Some(text) = unpacked(text, MOST_XMP)? {
                        found.xmp(&text)?;
                    }
                }
                None => found.text(name, body)?,
            },
            b"tEXt" | b"zTXt" if raw_kind(body).is_some() => raw.push((name == *b"zTXt", body)),
            b"tEXt" | b"zTXt" => found.text(name, body)?,
            b"pHYs" => {
                if let &[a, b, c, d, e, f, g, h, 1] = body {
                    let [x, y] =
                        [[a, b, c, d], [e, f, g, h]].map(|v| f64::from(u32::from_be_bytes(v)) / 100.0);
                    found.metadata.density = Density::per_centimetre(x, y);
                }
            }
            // C2PA.
            b"caBX" => found.metadata.provenance = true,
            // The second letter says whether a chunk is a program's own.
            [_, b'a'..=b'z', ..] => found.vendor = true,
            _ => {}
        }
    }
    // What has a chunk of its own goes before it.
    for (packed, body) in raw {
        let Some((kind, bytes)) = raw_profile(packed, body)? else { continue };
        match kind {
            b"exif" => found.exif(&bytes)?,
            b"APP1" if bytes.starts_with(b"Exif\0\0") => found.exif(&bytes)?,
            b"APP1" => {
                if let Some(packet) = bytes.strip_prefix(jpeg::XMP) {
                    found.xmp(packet)?;
                }
            }
            b"xmp" => found.xmp(&bytes)?,
            _ => found.iptc(&bytes)?,
        }
    }
    Ok(found)
}

/// What a text chunk holds that ImageMagick and those that followed it write as hexadecimal digits; none for other text.
fn raw_kind(body: &[u8]) -> Option<&[u8]> {
    let rest = body.strip_prefix(b"Raw profile type ")?;
    let kind = rest.split(|&b| b == 0).next()?;
    matches!(kind, b"exif" | b"APP1" | b"xmp" | b"iptc" | b"8bim").then_some(kind)
}

/// Kind and bytes of such a chunk: a line with the kind, one with the number of bytes, and lines of digits. None for
/// damage.
fn raw_profile(packed: bool, body: &[u8]) -> Result<Option<(&[u8], Vec<u8>)>> {
    let Some((kind, text)) = raw_kind(body).zip(body.splitn(2, |&b| b == 0).nth(1)) else { return Ok(None) };
    let text = match text.split_first() {
        Some((0, text)) if packed => match unpacked(text, MOST_XMP)? {
            Some(text) => Cow::Owned(text),
            None => return Ok(None),
        },
        _ if packed => return Ok(None),
        _ => Cow::Borrowed(text),
    };
    Ok(digits(&text)?.map(|bytes| (kind, bytes)))
}

fn digits(text: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut lines = text.trim_ascii_start().splitn(3, |&b| b == b'\n');
    let length = lines.nth(1).and_then(|line| std::str::from_utf8(line).ok()?.trim().parse().ok());
    let Some((length, digits)) = length.zip(lines.next()) else { return Ok(None) };
    if length > text.len() {
        return Ok(None);
    }
    let mut digits = digits.iter().filter(|b| !b.is_ascii_whitespace()).map(|&b| char::from(b).to_digit(16));
    let mut bytes = try_vec(length, "a raw profile")?;
    for byte in &mut bytes {
        let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else { return Ok(None) };
        *byte = (high << 4 | low) as u8;
    }
    Ok(Some(bytes))
}

pub(super) fn exchange(file: &[u8], metadata: &Metadata, sink: &mut dyn Sink) -> Result<()> {
    // Damage is found before anything is written.
    let chunks = try_collect(chunks(file), "the chunks of a PNG")?;
    let mut out = Chunks::new(sink)?;
    for (index, Chunk { name, body, range }) in chunks.iter().enumerate() {
        let ours = match name {
            b"eXIf" => true,
            b"pHYs" => metadata.density.is_some(),
            b"iTXt" => body.starts_with(XMP),
            b"tEXt" | b"zTXt" => match raw_kind(body) {
                Some(b"iptc" | b"8bim") => metadata.iptc.is_none(),
                kind => kind.is_some(),
            },
            b"caBX" => true,
            _ => false,
        };
        if ours {
            continue;
        }
        out.copy(&file[range.0..range.1])?;
        if index == 0 {
            if let Some(density) = metadata.density.map(Density::to_metre) {
                out.ancillary(&Ancillary::Density(density))?;
            }
            if let Some(exif) = &metadata.exif {
                out.ancillary(&Ancillary::Exif(exif))?;
            }
            if let Some(packet) = &metadata.xmp {
                out.ancillary(&Ancillary::Xmp(packet))?;
            }
        }
    }
    let end = chunks.last().map_or(8, |chunk| chunk.range.1);
    out.copy(&file[end..])
}
