//! What belongs to a file's main image: its gain map, depth and other auxiliary images.
//!
//! Our own parser finds them, whatever libheif is loaded; libheif decodes each from a file that is cut out for it.

use super::{
    assembly::{auxiliary_kind, tone_mapped_of},
    container::{Container, Item, Kind},
    decode,
};
use crate::{
    codec::{
        gain_map::{apple, iso},
        metadata::exif::{Dir, Exif, tag},
    },
    err,
    error::{Result, try_vec},
    limits::Limits,
    model::{
        color::{Cicp, Color, Light},
        gain_map::{GainMap, GainMapParams},
        picture::{Auxiliary, AuxiliaryKind},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    sink::memory::Buffer,
};

/// A gain map that is not decoded yet.
struct Found {
    /// The item with its samples.
    map: u32,
    params: GainMapParams,
    /// The colour space of the image with the map applied.
    color: Option<Cicp>,
    light: Light,
}

/// Whether the main image has a gain map that can be read.
pub(in crate::codec) fn has_gain_map(bytes: &[u8]) -> bool {
    let Ok(file) = Container::read(bytes) else { return false };
    find(&file).is_ok_and(|found| found.is_some()) || find_apples(&file).is_some()
}

/// The gain map of the main image, upright.
pub(in crate::codec) fn gain_map(bytes: &[u8], limits: &Limits) -> Result<Option<GainMap>> {
    let file = match Container::read(bytes) {
        Ok(file) => file,
        // libheif has read it: what we cannot is no loss unless there should be a map.
        Err(error) => return if announces_gain_map(bytes) { Err(error) } else { Ok(None) },
    };
    let Some(found) = find(&file)? else { return apples(&file, limits) };
    let mut pixels = decode_item(&file, found.map, limits)?;
    if let Some(color) = found.color.filter(|_| !found.params.base_color) {
        pixels.color = Color { cicp: Cicp { matrix: 0, full_range: true, ..color }, icc: None };
    }
    pixels.light = found.light;
    Ok(Some(GainMap { pixels: pixels.into(), params: found.params }))
}

/// Further auxiliary images of the main image, and what they are for; one of a kind.
fn find_auxiliaries(file: &Container<'_>) -> Vec<(AuxiliaryKind, u32)> {
    let mut found: Vec<(AuxiliaryKind, u32)> = Vec::new();
    for id in file.referring(b"auxl", file.primary) {
        let kind = file.item(id).and_then(Item::auxiliary_type).and_then(auxiliary_kind);
        if let Some(kind) = kind.filter(|kind| found.iter().all(|(known, _)| known != kind)) {
            found.push((kind, id));
        }
    }
    found
}

/// The kinds of [`auxiliaries`].
pub(in crate::codec) fn auxiliary_kinds(bytes: &[u8]) -> Vec<AuxiliaryKind> {
    // libheif has read it: what our parser cannot has nothing to tell.
    let Ok(file) = Container::read(bytes) else { return Vec::new() };
    find_auxiliaries(&file).into_iter().map(|(kind, _)| kind).collect()
}

/// Further auxiliary images of the main image, upright.
pub(in crate::codec) fn auxiliaries(bytes: &[u8], limits: &Limits) -> Result<Vec<Auxiliary>> {
    let Ok(file) = Container::read(bytes) else { return Ok(Vec::new()) };
    let mut images = Vec::new();
    for (kind, id) in find_auxiliaries(&file) {
        images.push(Auxiliary { kind, pixels: decode_item(&file, id, limits)?.into() });
    }
    Ok(images)
}

/// What the file says of the light of image `id`.
pub(super) fn light(bytes: &[u8], id: u32) -> Light {
    Container::read(bytes).ok().and_then(|file| Some(file.item(id)?.light())).unwrap_or_default()
}

/// Whether the brands at the start of the file promise a derived image with a gain map.
fn announces_gain_map(bytes: &[u8]) -> bool {
    let size = bytes.first_chunk().map_or(0, |size| u32::from_be_bytes(*size) as usize);
    bytes[..size.min(bytes.len())].as_chunks::<4>().0.contains(b"tmap")
}

fn find(file: &Container<'_>) -> Result<Option<Found>> {
    let Some((derived, map)) = tone_mapped_of(file, file.primary) else { return Ok(None) };
    let Some(item) = file.item(derived) else { return Ok(None) };
    let payload = item.bytes()?;
    // The first byte is the version of this form of the metadata: readers leave others alone.
    let Some((0, metadata)) = payload.split_first().map(|(version, rest)| (*version, rest)) else {
        return Ok(None);
    };
    let params = iso::read(metadata)
        .ok_or_else(|| err!(BadData, "{} bytes of gain map metadata cannot be read", payload.len()))?;
    Ok(Some(Found { map, params, color: item.nclx(), light: item.light() }))
}

/// Apple's gain map, from before the standard.
fn apples(file: &Container<'_>, limits: &Limits) -> Result<Option<GainMap>> {
    let Some((id, stops)) = find_apples(file) else { return Ok(None) };
    apple::gain_map(&decode_item(file, id, limits)?, stops).map(Some)
}

/// The auxiliary image, and its headroom: from XMP, else from the maker's notes.
fn find_apples(file: &Container<'_>) -> Option<(u32, f32)> {
    let is_map = |id: &u32| file.item(*id).and_then(Item::auxiliary_type) == Some(apple::NAME);
    let id = file.referring(b"auxl", file.primary).find(is_map)?;
    let describing = |of: u32, kind: Kind| {
        let items = file.referring(b"cdsc", of).filter_map(|id| file.item(id));
        items.filter(move |item| item.kind == kind).filter_map(|item| item.bytes().ok())
    };
    let mut packets = describing(id, *b"mime").chain(describing(file.primary, *b"mime"));
    let by_notes = || {
        let exif = describing(file.primary, *b"Exif").next()?;
        // The offset of the TIFF header from behind the offset itself.
        let at = u32::from_be_bytes(*exif.first_chunk()?) as usize;
        let exif = Exif::new(exif.get(at.checked_add(4)?..)?).ok()?;
        apple::stops_of_notes(exif.value(Dir::Exif, tag::MAKER_NOTE)?.1)
    };
    Some((id, packets.find_map(|packet| apple::stops_of_xmp(&packet)).or_else(by_notes)?))
}

/// Decodes an item that has no colour: gray where it is coded so, else RGB.
fn decode_item(file: &Container<'_>, id: u32, limits: &Limits) -> Result<Pixels> {
    let mut bytes = Buffer::default();
    file.alone(id)?.write(&mut bytes)?;
    let mut pixels = decode::only(bytes.as_slice(), limits)?;
    drop(bytes);
    if is_gray(file, id) {
        pixels = first_channel(&pixels)?;
    }
    pixels.color = Color { cicp: Cicp::SRGB, icc: None };
    Ok(pixels)
}

/// Gray of RGB that was gray. libheif does not decode every gray image as such.
fn first_channel(pixels: &Pixels) -> Result<Pixels> {
    let (width, height) = (pixels.width() as usize, pixels.height());
    let deep = pixels.info().bits > 8;
    let (format, sample) = if deep { (PixelFormat::Gray16, 2) } else { (PixelFormat::Gray8, 1) };
    let group = usize::from(pixels.info().planes[0].bytes);
    let mut bytes = try_vec(width * height as usize * sample, "gray samples")?;
    for (y, row) in (0..height).zip(bytes.chunks_exact_mut(width * sample)) {
        let colors = pixels.row(0, y).chunks_exact(group);
        row.chunks_exact_mut(sample).zip(colors).for_each(|(to, from)| to.copy_from_slice(&from[..sample]));
    }
    Pixels::from_vec(pixels.width(), height, format, bytes)
}

/// Whether an image has one channel: as it says itself, or its first tile or its decoder's configuration.
fn is_gray(file: &Container<'_>, id: u32) -> bool {
    let coded = file.referred(b"dimg", id).next().unwrap_or(id);
    let gray =
        |item: &Item<'_>| match (item.property(b"pixi"), item.property(b"hvcC"), item.property(b"av1C")) {
            // ISO/IEC 14496-15, 8.3.3: chroma_format_idc. AV1 Codec ISO Media File Format, 2.3: monochrome.
            (_, Some(hvcc), _) => hvcc.get(16).is_some_and(|byte| byte & 3 == 0),
            (_, _, Some(av1c)) => av1c.get(2).is_some_and(|byte| byte & 0x10 != 0),
            (Some(pixi), ..) => pixi.get(4) == Some(&1),
            _ => false,
        };
    file.item(coded).is_some_and(gray)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        codec::gain_map::apple::tests::notes,
        model::{options::Options, picture::Picture},
        pack::{
            control::Control,
            packer::{Input, Packer},
        },
    };

    /// EXIF with nothing but these notes.
    fn exif(notes: &[u8]) -> Vec<u8> {
        let mut exif = b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0".to_vec();
        exif.extend_from_slice(b"\0\x01\x92\x7c\0\x07");
        exif.extend_from_slice(&(notes.len() as u32).to_be_bytes());
        exif.extend_from_slice(b"\0\0\0\x2c\0\0\0\0");
        exif.extend_from_slice(notes);
        exif
    }

    #[test]
    fn an_iphones_gain_map_becomes_one_of_the_standard() {
        let Ok(mut options) = Options::new("image/heic", 95) else { return };
        options.needs_pack_properties = true;
        let gray = |value: u8| Pixels::from_vec(128, 96, PixelFormat::Gray8, vec![value; 128 * 96]).unwrap();
        let mut picture = Picture::new(Arc::new(gray(100)));
        picture.metadata.exif = Some(exif(&notes((1, 1), (1, 1))).into());
        picture.auxiliaries.push(Auxiliary { kind: AuxiliaryKind::Depth, pixels: Arc::new(gray(128)) });
        let mut bytes = Buffer::default();
        let input = Input::Picture(Arc::new(picture));
        Packer::default().pack(input, &options, &mut bytes, &Control::default()).unwrap();
        let limits = Limits::default();
        assert!(gain_map(bytes.as_slice(), &limits).unwrap().is_none());

        // Under Apple's name.
        let mut file = Container::read(bytes.as_slice()).unwrap();
        let id = find_auxiliaries(&file)[0].1;
        let name = [&[0; 4], apple::NAME, &[0]].concat();
        let item = file.item_mut(id).unwrap();
        item.properties.iter_mut().find(|p| p.kind == *b"auxC").unwrap().body = name.into();
        let mut renamed = Buffer::default();
        file.write(&mut renamed).unwrap();
        assert!(has_gain_map(renamed.as_slice()));
        let map = gain_map(renamed.as_slice(), &limits).unwrap().unwrap();
        assert_eq!((map.params.max, map.params.alternate_headroom), ([2.0; 3], 2.0));
        // BT.709 of 128 is light of 0.26: 1.78 times as bright, 0.83 of 2 stops.
        let sample = map.pixels.row(0, 50)[60];
        assert!(sample.abs_diff(106) <= 2, "{sample}");
        // Without notes nobody knows how bright.
        let exif = file.items.iter().find(|item| item.kind == *b"Exif").unwrap().id;
        file.references.retain(|reference| reference.from != exif);
        let mut silent = Buffer::default();
        file.write(&mut silent).unwrap();
        assert!(!has_gain_map(silent.as_slice()) && gain_map(silent.as_slice(), &limits).unwrap().is_none());
    }
}
