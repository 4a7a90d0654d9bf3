//! Metadata in JPEG: APP segments before the first scan (T.81, JFIF 1.02, EXIF 2.32, XMP part 3).

use super::{Found, numbers::Order, text, xmp};
use crate::{
    bail,
    codec::gain_map::xmp as directory,
    err,
    error::{Result, try_collect, try_extend},
    model::metadata::{Density, Metadata, block},
    sink::Sink,
};

const EXIF: &[u8] = b"Exif\0\0";
/// What an APP1 segment with an XMP packet starts with (XMP, part 3, 1.1.3).
pub const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const MORE_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
/// Names of APP2 segments that other parts of the decoder read.
const ELSEWHERE: [&[u8]; 3] = [b"ICC_PROFILE\0", b"MPF\0", b"urn:iso:std:iso:ts:21496"];
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// Most bytes of a segment beside its marker and length.
const ROOM: usize = 65535 - 2;

/// A segment before the first scan.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The second byte of the marker.
    pub marker: u8,
    /// What follows the length.
    pub body: &'a [u8],
    /// Where its marker starts, and its end.
    pub range: (usize, usize),
}

/// The segments up to the first start of scan, and where that starts.
pub fn segments(file: &[u8]) -> Result<(Vec<Segment<'_>>, usize)> {
    let damaged = |at: usize| err!(BadData, "the JPEG data is damaged: no segment at byte {at}");
    let (mut found, mut at) = (Vec::new(), 2);
    loop {
        let start = at;
        // Stray bytes and fill bytes belong to the segment behind them.
        while file.get(at).is_some_and(|&b| b != 0xff) {
            at += 1;
        }
        while file.get(at) == Some(&0xff) {
            at += 1;
        }
        let marker = *file.get(at).ok_or_else(|| damaged(at))?;
        at += 1;
        match marker {
            0xda => return Ok((found, start)),
            0x00 | 0x01 | 0xd0..=0xd8 => continue,
            0xd9 => return Err(damaged(at)),
            _ => {}
        }
        let length = file.get(at..at + 2).ok_or_else(|| damaged(at))?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let body = file.get(at + 2..at + length.max(2)).filter(|_| length >= 2).ok_or_else(|| damaged(at))?;
        at += length;
        try_extend(&mut found, &[Segment { marker, body, range: (start, at) }], "the segments of a JPEG")?;
        if found.len() > 100_000 {
            return Err(damaged(at));
        }
    }
}

/// What the segments hold.
pub fn find(file: &[u8]) -> Result<Found> {
    let mut found = Found::default();
    let (segments, scan) = segments(file)?;
    found.behind = behind(file, scan);
    let (mut iptc, mut more) = (Vec::new(), Vec::new());
    for Segment { marker, body, .. } in segments {
        match marker {
            0xe0 if body.starts_with(b"JFIF\0") => found.metadata.density = jfif_density(body),
            0xe0 => found.vendor = true,
            0xe1 if body.starts_with(EXIF) => found.exif(body)?,
            0xe1 => {
                if let Some(packet) = body.strip_prefix(XMP) {
                    found.xmp(packet)?;
                } else if let Some(part) = body.strip_prefix(MORE_XMP) {
                    try_extend(&mut more, &[part], "the segments of a JPEG")?;
                } else {
                    found.vendor = true;
                }
            }
            0xed => {
                if let Some(blocks) = body.strip_prefix(PHOTOSHOP) {
                    try_extend(&mut iptc, blocks, "IPTC")?;
                }
            }
            0xeb if is_provenance(body) => found.metadata.provenance = true,
            0xeb if body.starts_with(b"JP") => {}
            // Profiles, gain maps and indexes of images are looked at elsewhere; Adobe's segment is about the coding.
            0xe2 if ELSEWHERE.iter().any(|name| body.starts_with(name)) => {}
            0xee if body.starts_with(b"Adobe") => {}
            0xe2..=0xef => found.vendor = true,
            0xfe => found.keep(|| text::of_comment(body))?,
            _ => {}
        }
    }
    if !iptc.is_empty() {
        found.metadata.iptc = Some(block(&iptc)?);
    }
    if let Some(first) = &found.metadata.xmp
        && let Some(whole) = joined(first, &more)
    {
        found.metadata.xmp = Some(block(&whole)?);
    }
    Ok(found)
}

/// The bytes behind the last image: 0 if there is nothing but padding, or if the images' own ends are not found.
fn behind(file: &[u8], scan: usize) -> usize {
    let (mut start, mut at) = (0, scan);
    loop {
        let Some(end) = end_of_scans(file, at) else { return 0 };
        at = end;
        // OpenHarmony's cameras write an image's size and a name behind it.
        let size = ((at - start) as u32).to_le_bytes();
        if file.get(at..).is_some_and(|rest| rest.len() >= 12 && rest.starts_with(&size)) {
            at += 12;
        }
        let rest = file.get(at..).unwrap_or_default();
        let Some(padding) = rest.iter().position(|&byte| byte != 0) else { return 0 };
        // The next image: gain maps and their like.
        let next = &rest[padding..];
        let Some((_, scan)) = segments(next).ok().filter(|_| next.starts_with(&[0xff, 0xd8, 0xff])) else {
            return rest.len();
        };
        (start, at) = (at + padding, at + padding + scan);
    }
}

/// The end of the image whose first scan starts at `at`; none if it has none.
fn end_of_scans(file: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += file.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match *file.get(at + 1)? {
            // What is no marker, and those without contents.
            0x00 | 0x01 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            0xd9 => return Some(at + 2),
            _ => at += 2 + usize::from(u16::from_be_bytes(*file.get(at + 2..)?.first_chunk()?)).max(2),
        }
    }
}

/// Whether a segment starts JUMBF boxes of C2PA, whose label is among the first of them (C2PA 2.1, A.3.1).
fn is_provenance(body: &[u8]) -> bool {
    body.starts_with(b"JP") && body[..body.len().min(200)].windows(5).any(|label| label == b"c2pa\0")
}

fn jfif_density(body: &[u8]) -> Option<Density> {
    let &[unit, x1, x0, y1, y0, ..] = body.get(7..)? else { return None };
    let [x, y] = [[x1, x0], [y1, y0]].map(|v| f64::from(u16::from_be_bytes(v)));
    match unit {
        1 => Density::per_inch(x, y),
        2 => Density::per_centimetre(x, y),
        _ => None,
    }
}

/// The first packet with the descriptions of the second, whose parts name themselves, their sum and their place.
fn joined(first: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    let guid = xmp::extended_guid(first)?.as_bytes();
    let mine = parts.iter().filter_map(|part| {
        let (head, bytes) = part.split_at_checked(40)?;
        let offset = u32::from_be_bytes(head[36..40].try_into().ok()?);
        head[..32].eq_ignore_ascii_case(guid).then_some((offset as usize, bytes))
    });
    let mut mine = try_collect(mine.map(Ok), "the parts of an XMP packet").ok()?;
    mine.sort_unstable_by_key(|part| part.0);
    let mut second = Vec::new();
    for (offset, bytes) in mine {
        if offset != second.len() {
            return None;
        }
        try_extend(&mut second, bytes, "XMP").ok()?;
    }
    let rules = xmp::Rules { keep_gps: true, keep_density: true, keep_stale: false };
    // Its name does not belong in the whole.
    let (first, _) = xmp::clean(first, rules).ok()?;
    xmp::merge(Some(&first), xmp::descriptions(&second)?).ok()
}

/// Appends a segment.
fn segment(out: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) -> Result<()> {
    let length: usize = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    let Ok(length) = u16::try_from(length) else { bail!(Bug, "a JPEG segment of {length} bytes") };
    try_extend(out, &[0xff, marker], "a JPEG segment")?;
    try_extend(out, &length.to_be_bytes(), "a JPEG segment")?;
    parts.iter().try_for_each(|part| try_extend(out, part, "a JPEG segment"))
}

/// Most bytes of EXIF that a segment carries.
pub const MOST_EXIF: usize = ROOM - EXIF.len();

/// Appends the APP1 segments of EXIF and XMP: right behind JFIF's.
pub fn write_first(metadata: &Metadata, out: &mut Vec<u8>) -> Result<()> {
    write_exif(metadata, out)?;
    metadata.xmp.as_ref().map_or(Ok(()), |packet| write_xmp(packet, "", out))
}

fn write_exif(metadata: &Metadata, out: &mut Vec<u8>) -> Result<()> {
    if let Some(exif) = &metadata.exif {
        if exif.len() > MOST_EXIF {
            bail!(Encode, "EXIF of {} bytes: JPEG carries at most {MOST_EXIF}", exif.len());
        }
        segment(out, 0xe1, &[EXIF, exif])?;
    }
    Ok(())
}

/// One segment, or, where that is too small, one with the name of a second packet and `descriptions`, and the segments of
/// that.
fn write_xmp(packet: &[u8], descriptions: &str, out: &mut Vec<u8>) -> Result<()> {
    if packet.len() <= ROOM - XMP.len() {
        return segment(out, 0xe1, &[XMP, packet]);
    }
    let Ok(total) = u32::try_from(packet.len()) else { bail!(TooLarge, "XMP of {} bytes", packet.len()) };
    let guid: String = xmp::md5(packet).iter().map(|byte| format!("{byte:02X}")).collect();
    let first = xmp::wrap(&format!(
        "<rdf:Description rdf:about=\"\" xmlns:xmpNote=\"http://ns.adobe.com/xmp/note/\" \
         xmpNote:HasExtendedXMP=\"{guid}\"/>{descriptions}"
    ));
    segment(out, 0xe1, &[XMP, first.as_bytes()])?;
    let room = ROOM - MORE_XMP.len() - 40;
    for (index, part) in packet.chunks(room).enumerate() {
        let offset = (index * room) as u32;
        let numbers = [total.to_be_bytes(), offset.to_be_bytes()];
        segment(out, 0xe1, &[MORE_XMP, guid.as_bytes(), numbers.as_flattened(), part])?;
    }
    Ok(())
}

/// XMP for a file whose own first packet is `old`: what that says of the images behind the main one stays, whatever else is
/// said, for they do.
fn exchange_xmp(old: &[u8], new: Option<&[u8]>, out: &mut Vec<u8>) -> Result<()> {
    let mut items = directory::directory(old);
    let plain = |(name, _): &(String, usize)| {
        name != "MotionPhoto" && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    items.truncate(items.iter().take_while(|item| plain(item)).count());
    let description = if items.is_empty() {
        String::new()
    } else {
        let is_map = items.iter().any(|(name, _)| name == "GainMap");
        directory::primary(is_map, items.iter().map(|(name, length)| (name.as_str(), *length)))
    };
    let Some(new) = new else {
        let packet = xmp::wrap(&description);
        return if items.is_empty() { Ok(()) } else { segment(out, 0xe1, &[XMP, packet.as_bytes()]) };
    };
    let fits = new.len() <= ROOM - XMP.len();
    if directory::directory(new) == directory::directory(old) && (fits || items.is_empty()) {
        return write_xmp(new, "", out);
    }
    // A directory of other images goes; what is said of the picture stays.
    let keep_stale = directory::directory(new).is_empty();
    let rules = xmp::Rules { keep_gps: true, keep_density: true, keep_stale };
    // What is not well-formed is the caller's, and stays as it is.
    let Ok((cleaned, _)) = xmp::clean(new, rules) else { return write_xmp(new, &description, out) };
    match xmp::merge(Some(&cleaned), &description) {
        Ok(whole) if whole.len() <= ROOM - XMP.len() => segment(out, 0xe1, &[XMP, &whole]),
        _ => write_xmp(&cleaned, &description, out),
    }
}

/// Appends the APP13 segments of IPTC.
pub fn write_iptc(metadata: &Metadata, out: &mut Vec<u8>) -> Result<()> {
    let parts = metadata.iptc.iter().flat_map(|iptc| iptc.chunks(ROOM - PHOTOSHOP.len()));
    for part in parts {
        segment(out, 0xed, &[PHOTOSHOP, part])?;
    }
    Ok(())
}

/// Appends comments.
pub fn write_comments(metadata: &Metadata, out: &mut Vec<u8>) -> Result<()> {
    for text in &metadata.texts {
        let Some(comment) = text::comment(text)? else { continue };
        comment.chunks(ROOM).try_for_each(|part| segment(out, 0xfe, &[part]))?;
    }
    Ok(())
}

/// A file with other blocks; the rest stays.
pub fn exchange(file: &[u8], metadata: &Metadata, sink: &mut dyn Sink) -> Result<()> {
    let (segments, scan) = segments(file)?;
    let is_mpf = |s: &Segment<'_>| s.marker == 0xe2 && s.body.starts_with(b"MPF\0");
    let mut head = Vec::new();
    try_extend(&mut head, &file[..2], "a JPEG head")?;
    // JFIF comes first, then ours.
    let mut rest = segments.as_slice();
    if let Some((first, others)) = rest.split_first()
        && first.marker == 0xe0
        && first.body.starts_with(b"JFIF\0")
        && first.body.len() >= 12
    {
        let mut body = Vec::new();
        try_extend(&mut body, first.body, "a JPEG head")?;
        if let Some([x, y]) = metadata.density.map(Density::to_inch) {
            body[7] = 1;
            body[8..10].copy_from_slice(&x.to_be_bytes());
            body[10..12].copy_from_slice(&y.to_be_bytes());
        }
        segment(&mut head, 0xe0, &[&body])?;
        rest = others;
    }
    write_exif(metadata, &mut head)?;
    let old = rest.iter().filter(|segment| segment.marker == 0xe1);
    let old = old.filter_map(|segment| segment.body.strip_prefix(XMP)).next().unwrap_or_default();
    exchange_xmp(old, metadata.xmp.as_deref(), &mut head)?;
    write_iptc(metadata, &mut head)?;
    let mut mpf = None;
    // Further segments have the number of the one that starts the boxes.
    let number = |segment: &Segment<'_>| segment.body.get(2..4).map(<[u8]>::to_vec);
    let signed: Vec<_> =
        rest.iter().filter(|s| s.marker == 0xeb && is_provenance(s.body)).map(number).collect();
    for segment in rest {
        let ours = match segment.marker {
            0xeb => segment.body.starts_with(b"JP") && signed.contains(&number(segment)),
            0xe1 => [EXIF, XMP, MORE_XMP].iter().any(|name| segment.body.starts_with(name)),
            0xed => segment.body.starts_with(PHOTOSHOP),
            _ => false,
        };
        if ours {
            continue;
        }
        if is_mpf(segment) {
            mpf = Some((head.len(), *segment));
        }
        try_extend(&mut head, &file[segment.range.0..segment.range.1], "a JPEG head")?;
    }
    if let Some((at, segment)) = mpf {
        moved_images(&mut head, at, segment, scan)?;
    }
    sink.reserve(head.len() + file.len() - scan);
    sink.write(&head)?;
    sink.write(&file[scan..])
}

/// Puts the index of further images right (CIPA DC-007): offsets count from behind the segment's name, and the first
/// image has as many bytes more as its head.
fn moved_images(head: &mut [u8], at: usize, segment: Segment<'_>, scan: usize) -> Result<()> {
    let broken = || err!(BadData, "the index of images in this JPEG is damaged");
    // Marker and length before the body, fill bytes before them.
    let lead = segment.range.1 - segment.range.0 - segment.body.len();
    let (old, new) = (segment.range.0 + lead + 4, at + lead + 4);
    let tiff = segment.body.get(4..).ok_or_else(broken)?;
    let order = Order::of(tiff).ok_or_else(broken)?;
    let number = |at: usize| order.u32_at(tiff, at);
    let short = |at: usize| order.u16_at(tiff, at).map(usize::from);
    let grown = head.len() as i64 - scan as i64;
    let ifd = number(4).ok_or_else(broken)? as usize;
    let count = short(ifd).ok_or_else(broken)?;
    let entry = (0..count).map(|i| ifd + 2 + 12 * i).find(|&at| short(at) == Some(0xb002));
    let Some(entry) = entry else { return Ok(()) };
    let (size, list) =
        (number(entry + 4).ok_or_else(broken)?, number(entry + 8).ok_or_else(broken)? as usize);
    for (index, image) in (0..size as usize / 16).map(|index| (index, list + 16 * index)) {
        let change = |value: u32, by: i64| u32::try_from(i64::from(value) + by).map_err(|_| broken());
        let (field, value) = if index == 0 {
            (image + 4, change(number(image + 4).ok_or_else(broken)?, grown)?)
        } else {
            let offset = number(image + 8).ok_or_else(broken)?;
            // 0 is no image.
            if offset == 0 {
                continue;
            }
            (image + 8, change(offset, grown - (new as i64 - old as i64))?)
        };
        let place = head.get_mut(new + field..new + field + 4).ok_or_else(broken)?;
        place.copy_from_slice(&order.u32_bytes(value));
    }
    Ok(())
}
