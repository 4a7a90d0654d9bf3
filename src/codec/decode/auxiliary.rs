//! Auxiliary images other than gain maps. Those of a JPEG are JPEGs behind the main one, listed by the index of the
//! Multi-Picture Format (CIPA DC-007), and named by Google's directory of items.

use std::sync::Arc;

#[cfg(feature = "heif")]
use super::super::heif;
use super::{
    gain_map::{Listed, decode_behind, index, segments},
    jpeg, known,
};
use crate::{
    codec::{gain_map::xmp, metadata::jpeg::XMP},
    error::Result,
    limits::Limits,
    model::{
        metadata::block,
        picture::{Auxiliary, AuxiliaryKind},
        source::ImageSource,
    },
    pack::control::Control,
    pixels::{Orientation, upright},
};

/// Type of the index' entries for disparity (CIPA DC-007, table 4); flags stand above it.
const DISPARITY: u32 = 0x02_0002;

/// The kinds of auxiliary images of a source, gain maps apart.
pub fn auxiliary_kinds(source: &ImageSource) -> Result<Vec<AuxiliaryKind>> {
    let bytes = source.bytes()?;
    #[cfg(feature = "heif")]
    if heif::sniff(&bytes).is_some() {
        return Ok(heif::auxiliary_kinds(&bytes));
    }
    Ok(find(&bytes).into_iter().map(|(kind, _)| kind).collect())
}

/// The auxiliary images of a source, upright as its main image is decoded, gain maps apart. Those that need no turning
/// keep their JPEG.
pub fn auxiliaries(source: &ImageSource, limits: &Limits, control: &Control) -> Result<Vec<Auxiliary>> {
    let bytes = source.bytes()?;
    #[cfg(feature = "heif")]
    if heif::sniff(&bytes).is_some() {
        return heif::auxiliaries(&bytes, limits);
    }
    let mut images = Vec::new();
    for (kind, image) in find(&bytes) {
        let orientation = known(source.info(), &bytes, 0)?.1.orientation;
        let mut pixels = decode_behind(image, limits, control)?;
        if orientation == Orientation::Upright {
            pixels.coded = Some(block(image)?);
        }
        images.push(Auxiliary { kind, pixels: Arc::new(upright(pixels, orientation)?) });
    }
    Ok(images)
}

/// The images behind the main one whose meaning is known, at most one of a kind.
fn find(file: &[u8]) -> Vec<(AuxiliaryKind, &[u8])> {
    let mut found: Vec<(AuxiliaryKind, &[u8])> = Vec::new();
    if !(jpeg::DECODER.sniff)(file) {
        return found;
    }
    let (mut listed, mut items) = (Vec::new(), Vec::new());
    for (marker, at, body) in segments(file) {
        match marker {
            0xe2 if body.starts_with(b"MPF\0") => listed = index(&body[4..], at + 8),
            0xe1 if body.starts_with(XMP) => items = xmp::directory(&body[XMP.len()..]),
            _ => {}
        }
    }
    if listed.is_empty() {
        // Each item is behind the one before; the last one ends the file.
        let mut end = file.len();
        for (_, length) in items.iter().rev() {
            let Some(start) = end.checked_sub(*length) else { break };
            listed.insert(0, Listed { attribute: 0, place: start..end });
            end = start;
        }
    }
    for (number, Listed { attribute, place }) in listed.into_iter().enumerate() {
        let named = items.get(number).filter(|(_, length)| *length == place.len());
        let kind = match named.and_then(|(semantic, _)| AuxiliaryKind::from_semantic(semantic)) {
            Some(kind) => kind,
            None if attribute & 0xff_ffff == DISPARITY => AuxiliaryKind::Depth,
            None => continue,
        };
        let image = file.get(place).filter(|image| image.starts_with(&[0xff, 0xd8, 0xff]));
        if let Some(image) = image
            && kind != AuxiliaryKind::GainMap
            && !found.iter().any(|(known, _)| *known == kind)
        {
            found.push((kind, image));
        }
    }
    for (kind, image) in trailers(file) {
        if !found.iter().any(|(known, _)| *known == kind) {
            found.push((kind, image));
        }
    }
    found
}

/// The JPEGs that OpenHarmony's cameras append without an index: data, its size (little-endian), and a name of 8 bytes,
/// filled up with zeros; the last one ends the file. Others of its appendices have no size in pixels or are private.
fn trailers(file: &[u8]) -> Vec<(AuxiliaryKind, &[u8])> {
    const FOOT: usize = 12;
    let mut found = Vec::new();
    let mut end = file.len();
    while found.len() < 16
        && let Some(foot) = end.checked_sub(FOOT).and_then(|at| file.get(at..end))
    {
        let (size, name) = foot.split_at(4);
        let text = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let (name, fill) = name.split_at(text);
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        let plausible =
            !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric) && fill.iter().all(|b| *b == 0);
        let Some(start) = (end - FOOT).checked_sub(size).filter(|_| plausible && size > 0) else { break };
        let kind = match name {
            b"DepthP" | b"VShapEn" => Some(AuxiliaryKind::Depth),
            b"edof" => Some(AuxiliaryKind::Unrefocus),
            b"HighBit" => Some(AuxiliaryKind::Linear),
            b"Fragmnt" => Some(AuxiliaryKind::Fragment),
            _ => None,
        };
        let image = &file[start..end - FOOT];
        if let Some(kind) = kind.filter(|_| image.starts_with(&[0xff, 0xd8, 0xff])) {
            found.push((kind, image));
        }
        end = start;
    }
    found
}
