//! The gain map of a JPEG: a second JPEG behind it, found by the index of the Multi-Picture Format (CIPA DC-007) or
//! by Google's directory of items, and told from other images by its own metadata.

use std::{ops::Range, sync::Arc};

#[cfg(feature = "heif")]
use super::super::heif;
use super::{Job, Reader, guard, header, jpeg, known, stopped};
use crate::{
    codec::{
        gain_map::{apple, iso, xmp},
        metadata::{
            exif::{Dir, Exif, tag},
            jpeg::XMP,
            numbers::Order,
        },
    },
    error::Result,
    limits::Limits,
    model::{
        gain_map::{GainMap, GainMapParams},
        pixelmap::Pixels,
        source::ImageSource,
    },
    pack::control::Control,
    pixels::upright,
};

/// Whether a source has a gain map that [`gain_map`] reads.
pub fn has_gain_map(source: &ImageSource) -> Result<bool> {
    let bytes = source.bytes()?;
    #[cfg(feature = "heif")]
    if heif::sniff(&bytes).is_some() {
        return Ok(heif::has_gain_map(&bytes));
    }
    Ok((jpeg::DECODER.sniff)(&bytes) && find(&bytes).is_some())
}

/// The gain map of a source, upright as its main image is decoded; none if there is none.
pub fn gain_map(source: &ImageSource, limits: &Limits, control: &Control) -> Result<Option<GainMap>> {
    let bytes = source.bytes()?;
    #[cfg(feature = "heif")]
    if heif::sniff(&bytes).is_some() {
        return heif::gain_map(&bytes, limits);
    }
    if !(jpeg::DECODER.sniff)(&bytes) {
        return Ok(None);
    }
    let Some((image, meaning)) = find(&bytes) else { return Ok(None) };
    let orientation = known(source.info(), &bytes, 0)?.1.orientation;
    let mut pixels = decode_behind(image, limits, control)?;
    let params = match meaning {
        Meaning::Iso(params) => params,
        Meaning::Apple(stops) => {
            let GainMap { pixels, params } = apple::gain_map(&pixels, stops)?;
            let pixels = upright(Arc::unwrap_or_clone(pixels), orientation)?.into();
            return Ok(Some(GainMap { pixels, params }));
        }
    };
    // Samples of a map have no colour; its profile is that of the image with the map applied.
    if params.base_color || pixels.info().is_gray() {
        pixels.color.icc = None;
    }
    let pixels = upright(pixels, orientation)?.into();
    Ok(Some(GainMap { pixels, params }))
}

/// Decodes a JPEG that stands behind the main one of its file, as it is stored.
pub(super) fn decode_behind(image: &[u8], limits: &Limits, control: &Control) -> Result<Pixels> {
    let header = header(&jpeg::DECODER, &mut Reader::new(&image)?)?;
    limits.check_pixels(header.size.0, header.size.1)?;
    let job = Job { bytes: image, frame: 0, header, limits, control };
    guard(&jpeg::DECODER, || (jpeg::DECODER.decode)(&job)).map_err(|error| stopped(control, error))
}

/// What the samples of a map are.
enum Meaning {
    Iso(GainMapParams),
    /// With the headroom in stops.
    Apple(f32),
}

/// The first image behind the main one that says how it brightens it.
fn find(file: &[u8]) -> Option<(&[u8], Meaning)> {
    let mut places = Vec::new();
    for (marker, at, body) in segments(file) {
        match marker {
            0xe2 if body.starts_with(b"MPF\0") => {
                places.extend(index(&body[4..], at + 8).into_iter().map(|image| image.place));
            }
            0xe1 if body.starts_with(XMP) => {
                let length = xmp::gain_map_length(&body[XMP.len()..]);
                places.extend(length.and_then(|length| Some(file.len().checked_sub(length)?..file.len())));
            }
            _ => {}
        }
    }
    places.into_iter().find_map(|place| {
        let image = file.get(place).filter(|image| image.starts_with(&[0xff, 0xd8, 0xff]))?;
        let segments = || segments(image);
        let by_iso = segments()
            .find_map(|(m, _, body)| iso::read(body.strip_prefix(iso::NAME)?).filter(|_| m == 0xe2));
        let by_xmp =
            || segments().find_map(|(m, _, body)| xmp::read(body.strip_prefix(XMP)?).filter(|_| m == 0xe1));
        let by_apple = || {
            let packet = segments().find_map(|(m, _, body)| body.strip_prefix(XMP).filter(|_| m == 0xe1))?;
            let is_map = packet.windows(apple::PROPERTY.len()).any(|bytes| bytes == apple::PROPERTY);
            let by_notes = || apple::stops_of_notes(&maker_note(file)?);
            apple::stops_of_xmp(packet).or_else(by_notes).filter(|_| is_map)
        };
        let meaning = by_iso.or_else(by_xmp).map(Meaning::Iso).or_else(|| by_apple().map(Meaning::Apple))?;
        Some((image, meaning))
    })
}

/// The camera's own part of EXIF.
fn maker_note(file: &[u8]) -> Option<Vec<u8>> {
    let block =
        segments(file).find_map(|(m, _, body)| body.strip_prefix(b"Exif\0\0").filter(|_| m == 0xe1))?;
    let exif = Exif::new(block).ok()?;
    exif.value(Dir::Exif, tag::MAKER_NOTE).map(|(_, note)| note.to_vec())
}

/// Marker, place and contents of the segments before the first scan.
pub(super) fn segments(jpeg: &[u8]) -> impl Iterator<Item = (u8, usize, &[u8])> {
    let mut at = 2;
    std::iter::from_fn(move || {
        while jpeg.get(at..at + 2)? == [0xff, 0xff] {
            at += 1;
        }
        let &[0xff, marker, high, low] = jpeg.get(at..at + 4)? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xda || length < 2 {
            return None;
        }
        let start = at;
        at += 2 + length;
        Some((marker, start, jpeg.get(start + 4..at)?))
    })
}

/// What the index says of an image behind the main one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its type, with flags.
    pub attribute: u32,
    /// Where it is in the file.
    pub place: Range<usize>,
}

/// The images behind the main one; `origin` is the index' own place.
pub(super) fn index(tiff: &[u8], origin: usize) -> Vec<Listed> {
    let Some(order) = Order::of(tiff) else { return Vec::new() };
    let u16_at = |at: usize| order.u16_at(tiff, at);
    let u32_at = |at: usize| order.u32_at(tiff, at).map(|number| number as usize);
    let entries = || {
        let first = u32_at(4)?;
        let tags = (0..usize::from(u16_at(first)?)).map(|i| first + 2 + 12 * i);
        let tag = tags.into_iter().find(|&tag| u16_at(tag) == Some(0xb002))?;
        Some((u32_at(tag + 8)?, u32_at(tag + 4)? / 16))
    };
    let Some((start, count)) = entries() else { return Vec::new() };
    // Some cameras list many previews; a gain map is among the first.
    let places = (1..count.min(16)).filter_map(|i| {
        let entry = start.checked_add(16 * i)?;
        let (size, offset) = (u32_at(entry + 4)?, u32_at(entry + 8)?);
        let start = origin.checked_add(offset)?;
        Some(Listed { attribute: u32_at(entry)? as u32, place: start..start.checked_add(size)? })
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_indexes_are_no_gain_map() {
        let mut index_bytes = b"MM\0\x2a\0\0\0\x08\0\x01\xb0\x02\0\x07\0\0\0\x20\0\0\0\x1a\0\0\0\0".to_vec();
        index_bytes.extend_from_slice(&[0; 16]);
        index_bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0]);
        assert_eq!(index(&index_bytes, 100), vec![Listed { attribute: 0, place: 612..868 }]);
        for length in 0..index_bytes.len() {
            index(&index_bytes[..length], 100);
        }
        for at in 0..index_bytes.len() {
            let mut damaged = index_bytes.clone();
            damaged[at] = 0xff;
            index(&damaged, 100);
            let mut file = vec![0xff, 0xd8, 0xff, 0xe2, 0, (index_bytes.len() + 6) as u8];
            file.extend_from_slice(b"MPF\0");
            file.extend_from_slice(&damaged);
            file.extend_from_slice(&[0xff; 2000]);
            assert!(find(&file).is_none());
        }
    }
}
