//! JPEG files of several images: the main image first, then its gain map and what else belongs to it, each a JPEG of
//! its own behind the one before.
//!
//! Readers find them three ways, and all three are written: the Multi-Picture Format (CIPA DC-007), ISO 21496-1's
//! segments, and XMP with Google's directory of items. The order of the segments is that which readers were tested
//! with: JFIF, EXIF, XMP, ICC, ISO 21496-1, MPF.

use std::ops::Range;

use crate::{
    bail,
    codec::{
        gain_map::{iso, xmp},
        hdr::map_quality,
        metadata::jpeg,
    },
    err,
    error::{Error, Result, try_extend},
    model::{
        gain_map::GainMapParams, metadata::Metadata, options::Subsampling, picture::AuxiliaryKind,
        pixelmap::Pixels, report::Code,
    },
    pack::plan::Plan,
    pixels::{Rows, hdr::Film},
    sink::{Sink, memory::Buffer},
};
use std::sync::Arc;

const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const EXIF: &[u8] = b"Exif\0\0";
/// Most bytes behind a marker's length.
const SEGMENT: usize = 65533;

/// An image behind the main one.
struct Item {
    /// Its name in the directory of items.
    semantic: &'static str,
    /// Its type in the index of the Multi-Picture Format.
    attribute: u32,
    bytes: Vec<u8>,
}

/// Encodes the plan's image, its gain map and its auxiliary images into one file.
pub fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let mut main = Buffer::default();
    super::encode_alone(plan, &mut main)?;
    // It may have been made together with the rows.
    let made = plan.rows.film().map(Film::take_gain_map).transpose()?.flatten();
    let gain_map = plan.gain_map.or(made.as_ref());
    let mut items = Vec::new();
    if let Some(map) = gain_map {
        let coded = encode_one(plan, &map.pixels, map_quality(plan.options))?;
        let mut packet = segment(0xe1, &[XMP, xmp::packet(&xmp::secondary(&map.params)).as_bytes()])?;
        packet.extend_from_slice(&segment(0xe2, &[iso::NAME, &iso::write(&map.params)])?);
        let bytes = spliced(coded.as_slice(), &packet)?;
        items.push(Item { semantic: AuxiliaryKind::GainMap.semantic(), attribute: 0, bytes });
    }
    for auxiliary in plan.auxiliaries {
        // Multi-frame image, disparity; the others have no type of their own.
        let attribute = if auxiliary.kind == AuxiliaryKind::Depth { 0x02_0002 } else { 0 };
        let bytes = match &auxiliary.pixels.coded {
            Some(coded) if !plan.options.keep_gps => spliced(without_place(coded)?.as_slice(), &[])?,
            Some(coded) => spliced(coded, &[])?,
            None => spliced(encode_one(plan, &auxiliary.pixels, plan.options.quality)?.as_slice(), &[])?,
        };
        items.push(Item { semantic: auxiliary.kind.semantic(), attribute, bytes });
    }
    write(main.as_slice(), gain_map.map(|map| &map.params), &items, plan, sink)
}

/// The same JPEG without the place in EXIF and XMP of its own, which goes as a whole where it is damaged.
fn without_place(coded: &[u8]) -> Result<Buffer> {
    let mut metadata = jpeg::find(coded)?.metadata;
    if metadata.remove_place().is_err() {
        (metadata.exif, metadata.xmp) = (None, None);
    }
    let mut bytes = Buffer::default();
    jpeg::exchange(coded, &metadata, &mut bytes)?;
    Ok(bytes)
}

/// A JPEG of nothing but these pixels. Colour is at full size: a map's channels are independent of each other.
fn encode_one(plan: &Plan<'_>, pixels: &Arc<Pixels>, quality: u8) -> Result<Buffer> {
    let mut options = plan.options.clone();
    options.quality = quality;
    options.subsampling = Subsampling::Yuv444;
    let rows = Rows::new(pixels.clone(), super::layout(pixels, &options)?, &options)?;
    let mut bytes = Buffer::default();
    let plan = Plan {
        rows: &rows,
        options: &options,
        metadata: &Metadata::default(),
        gain_map: None,
        auxiliaries: &[],
        ..*plan
    };
    super::encode_alone(&plan, &mut bytes)?;
    Ok(bytes)
}

fn segment(marker: u8, parts: &[&[u8]]) -> Result<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > SEGMENT {
        bail!(Encode, "{length} bytes do not fit a JPEG segment of {SEGMENT}");
    }
    let mut bytes = vec![0xff, marker];
    bytes.extend_from_slice(&(length as u16 + 2).to_be_bytes());
    parts.iter().try_for_each(|part| try_extend(&mut bytes, part, "a JPEG segment"))?;
    Ok(bytes)
}

/// The application segments at the start of a JPEG of our own: marker, and where the whole segment is.
fn segments(jpeg: &[u8]) -> Vec<(u8, Range<usize>)> {
    let (mut found, mut at) = (Vec::new(), 2);
    while let Some(&[0xff, marker @ 0xe0..=0xef, high, low]) = jpeg.get(at..at + 4) {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        found.push((marker, at..end));
        at = end;
    }
    found
}

/// A JPEG with segments behind its JFIF header.
fn spliced(jpeg: &[u8], segments: &[u8]) -> Result<Vec<u8>> {
    let at = self::segments(jpeg).first().map_or(2, |(_, range)| range.end);
    let mut bytes = Vec::new();
    let size = jpeg.len() + segments.len();
    bytes.try_reserve_exact(size).map_err(|_| Error::out_of_memory(size, "a gain map"))?;
    bytes.extend_from_slice(&jpeg[..at]);
    bytes.extend_from_slice(segments);
    bytes.extend_from_slice(&jpeg[at..]);
    Ok(bytes)
}

/// Writes the main image with what refers to the others, and the others.
fn write(
    main: &[u8],
    params: Option<&GainMapParams>,
    items: &[Item],
    plan: &Plan<'_>,
    sink: &mut dyn Sink,
) -> Result<()> {
    let segments = segments(main);
    let starts = |range: &Range<usize>, name: &[u8]| main[range.start + 4..range.end].starts_with(name);
    let end = segments.last().map_or(2, |(_, range)| range.end);
    // XMP comes behind JFIF and EXIF; a packet that is there already takes our properties in.
    let head = segments
        .iter()
        .take_while(|(marker, range)| *marker == 0xe0 || *marker == 0xe1 && starts(range, EXIF))
        .last()
        .map_or(2, |(_, range)| range.end);
    let own = segments.iter().find(|(marker, range)| *marker == 0xe1 && starts(range, XMP));
    let directory = items.iter().map(|item| (item.semantic, item.bytes.len()));
    let description = xmp::primary(params.is_some(), directory);
    let packet = match own {
        Some((_, range)) => merged(&main[range.start + 4 + XMP.len()..range.end], &description)
            .unwrap_or_else(|| {
                plan.notes.add(Code::XmpDropped, "dropped XMP that left no room for that of the gain map");
                xmp::packet(&description)
            }),
        None => xmp::packet(&description),
    };
    let mut front = segment(0xe1, &[XMP, packet.as_bytes()])?;
    let rest = own.map_or(head, |(_, range)| range.end);
    // What is between the head and an XMP packet of the main image's stays before it.
    front.splice(0..0, main[head..own.map_or(head, |(_, range)| range.start)].iter().copied());

    let mut back = Vec::new();
    if params.is_some() {
        back = segment(0xe2, &[iso::NAME, &iso::VERSION])?;
    }
    // Offsets in the index count from behind its marker, length and name.
    let origin = head + front.len() + (end - rest) + back.len() + 8;
    let index_length = 4 + 4 + 8 + 2 + 3 * 12 + 4 + 16 * (items.len() + 1);
    let size = origin - 8 + index_length + (main.len() - end);
    back.extend_from_slice(&segment(0xe2, &[b"MPF\0", &index(size, origin, items)?])?);

    for piece in [&main[..head], &front, &main[rest..end], &back, &main[end..]] {
        sink.write(piece)?;
    }
    items.iter().try_for_each(|item| sink.write(&item.bytes))
}

/// A packet with one more description in it, if that is possible.
fn merged(packet: &[u8], description: &str) -> Option<String> {
    let packet = std::str::from_utf8(packet).ok()?;
    let at = packet.rfind("</rdf:RDF>")?;
    let whole = format!("{}{description}{}", &packet[..at], &packet[at..]);
    (whole.len() + XMP.len() <= SEGMENT).then_some(whole)
}

/// The index of the Multi-Picture Format, big-endian; offsets are from its first byte, `origin` in the file.
fn index(size: usize, origin: usize, items: &[Item]) -> Result<Vec<u8>> {
    let count = items.len() as u32 + 1;
    let mut out = b"MM\0\x2a\0\0\0\x08\0\x03".to_vec();
    // Version, number of images, and where the entries are: 10 + 3 * 12 + 4 bytes from the start.
    for (tag, kind, length, value) in [
        (0xb000u16, 7u16, 4u32, u32::from_be_bytes(*b"0100")),
        (0xb001, 4, 1, count),
        (0xb002, 7, 16 * count, 50),
    ] {
        out.extend_from_slice(&tag.to_be_bytes());
        out.extend_from_slice(&kind.to_be_bytes());
        [length, value].iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
    }
    out.extend_from_slice(&[0; 4]);
    let mut at = 0;
    // The main image is the representative one: "baseline MP primary image".
    let main = (0x03_0000, size);
    for (attribute, size) in
        [main].into_iter().chain(items.iter().map(|item| (item.attribute, item.bytes.len())))
    {
        let offset = if at == 0 { 0 } else { at - origin };
        for number in [size, offset] {
            u32::try_from(number).map_err(|_| err!(TooLarge, "the images are larger than 4 GiB together"))?;
        }
        for value in [attribute, size as u32, offset as u32, 0] {
            out.extend_from_slice(&value.to_be_bytes());
        }
        at += size;
    }
    Ok(out)
}
