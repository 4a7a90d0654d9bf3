//! XMP packets as text: properties that describe the old file are taken out, others are put in; the rest stays as it
//! was written (ISO 16684-1).

use std::sync::Arc;

use crate::{
    bail,
    error::{Result, try_extend},
    model::metadata::block,
};

/// What of a packet stays.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Properties of the place.
    pub keep_gps: bool,
    /// Properties of the density.
    pub keep_density: bool,
    /// Properties that describe the old file.
    pub keep_stale: bool,
}

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Properties of the old file's layout.
    pub stale: u32,
    /// Properties of the place.
    pub gps: u32,
    /// A link to provenance data.
    pub provenance: u32,
}

enum Verdict {
    Keep,
    Stale,
    Gps,
    Provenance,
}

/// Whether a property describes the old file and not the picture.
fn judge(namespace: &str, name: &str, rules: Rules) -> Verdict {
    let stale = match namespace {
        // Gain maps and directories of the images in the old file: Adobe's, Google's, Apple's.
        "http://ns.adobe.com/hdr-gain-map/1.0/"
        | "http://ns.google.com/photos/1.0/container/"
        | "http://ns.google.com/photos/1.0/container/item/"
        | "http://ns.apple.com/HDRGainMap/1.0/" => true,
        "http://ns.google.com/photos/1.0/camera/" => {
            name.starts_with("MicroVideo") || name.starts_with("MotionPhoto")
        }
        "http://ns.adobe.com/xmp/note/" => name == "HasExtendedXMP",
        "http://ns.adobe.com/xap/1.0/" => name == "Thumbnails",
        "http://ns.adobe.com/tiff/1.0/" => match name {
            "XResolution" | "YResolution" | "ResolutionUnit" => !rules.keep_density,
            _ => matches!(name, "Orientation" | "ImageWidth" | "ImageLength"),
        },
        "http://ns.adobe.com/exif/1.0/" => {
            matches!(name, "PixelXDimension" | "PixelYDimension" | "ColorSpace")
        }
        _ => false,
    };
    if stale && !rules.keep_stale {
        Verdict::Stale
    } else if !rules.keep_stale && namespace == "http://purl.org/dc/terms/" && name == "provenance" {
        Verdict::Provenance
    } else if !rules.keep_gps && name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("gps")) {
        Verdict::Gps
    } else {
        Verdict::Keep
    }
}

/// A packet without what [`Rules`] take out. Refuses text that is not well-formed.
pub fn clean(packet: &[u8], rules: Rules) -> Result<(Vec<u8>, Removed)> {
    let text = text(packet)?;
    let spaces = namespaces(text)?;
    let mut kept = Kept { from: text, out: Vec::new(), upto: 0 };
    let (mut removed, mut depth) = (Removed::default(), 0usize);
    // The depth of the element that is being left out.
    let mut skipping: Option<usize> = None;
    let mut out_of = |qualified: &str| {
        let Some((prefix, name)) = qualified.split_once(':') else { return false };
        let space = spaces.iter().find(|(known, _)| *known == prefix).map_or("", |(_, uri)| *uri);
        let count = match judge(space, name, rules) {
            Verdict::Keep => return false,
            Verdict::Stale => &mut removed.stale,
            Verdict::Gps => &mut removed.gps,
            Verdict::Provenance => &mut removed.provenance,
        };
        *count += 1;
        true
    };
    let (mut scanner, mut elements) = (Scanner { text, at: 0 }, 0u64);
    while let Some(token) = scanner.next()? {
        match token {
            Token::Start { name, attributes, empty, start, end } => {
                elements += 1;
                depth += 1;
                if skipping.is_none() {
                    if out_of(name) {
                        kept.keep(start)?;
                        skipping = Some(depth);
                    } else {
                        for (name, from, to) in attributes {
                            if out_of(name) {
                                kept.keep(from)?;
                                kept.upto = to;
                            }
                        }
                    }
                }
                if empty {
                    if skipping == Some(depth) {
                        skipping = None;
                        kept.upto = end;
                    }
                    depth -= 1;
                }
            }
            Token::End { end } => {
                if depth == 0 {
                    bail!(BadData, "XMP ends an element that it did not start, at byte {end}");
                }
                if skipping == Some(depth) {
                    skipping = None;
                    kept.upto = end;
                }
                depth -= 1;
            }
        }
    }
    if elements == 0 {
        bail!(BadData, "{} bytes of XMP without an element", text.len());
    }
    if depth != 0 {
        bail!(BadData, "XMP leaves {depth} elements open");
    }
    kept.keep(text.len())?;
    Ok((kept.out, removed))
}

/// A packet without the place, otherwise as it is; and how many properties that were.
pub fn strip_gps(packet: &[u8]) -> Result<(Vec<u8>, u32)> {
    let rules = Rules { keep_gps: false, keep_density: true, keep_stale: true };
    clean(packet, rules).map(|(packet, removed)| (packet, removed.gps))
}

/// The text that stays.
struct Kept<'a> {
    from: &'a str,
    out: Vec<u8>,
    upto: usize,
}

impl Kept<'_> {
    fn keep(&mut self, to: usize) -> Result<()> {
        let piece = self.from.get(self.upto..to).unwrap_or_default();
        self.upto = to;
        try_extend(&mut self.out, piece.as_bytes(), "XMP")
    }
}

/// A packet with further `rdf:Description` elements; a new one if there is none.
pub fn merge(packet: Option<&[u8]>, descriptions: &str) -> Result<Vec<u8>> {
    let Some(packet) = packet else {
        let mut out = Vec::new();
        try_extend(&mut out, wrap(descriptions).as_bytes(), "XMP")?;
        return Ok(out);
    };
    let text = text(packet)?;
    let mut out = Vec::new();
    if let Some(at) = text.rfind("</rdf:RDF") {
        for piece in [&text[..at], descriptions, &text[at..]] {
            try_extend(&mut out, piece.as_bytes(), "XMP")?;
        }
        return Ok(out);
    }
    if let Some(end) = empty_rdf(text) {
        // `<rdf:RDF .../>`
        for piece in [&text[..end], ">", descriptions, "</rdf:RDF>", &text[end + 2..]] {
            try_extend(&mut out, piece.as_bytes(), "XMP")?;
        }
        return Ok(out);
    }
    bail!(BadData, "XMP without an rdf:RDF element")
}

fn empty_rdf(text: &str) -> Option<usize> {
    let start = text.find("<rdf:RDF")?;
    let end = start + text[start..].find('>')?;
    text[..end].ends_with('/').then(|| end - 1)
}

/// A whole packet around descriptions.
pub fn wrap(descriptions: &str) -> String {
    crate::codec::gain_map::xmp::packet(descriptions)
}

/// A shared copy of a packet, with its wrapper, which some readers miss.
pub fn with_wrapper(packet: &[u8]) -> Result<Arc<[u8]>> {
    if packet.windows(9).take(64).any(|bytes| bytes == b"<?xpacket") {
        return block(packet);
    }
    let mut wrapped = Vec::new();
    let start = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n".as_bytes();
    for piece in [start, packet, b"\n<?xpacket end=\"w\"?>"] {
        try_extend(&mut wrapped, piece, "XMP")?;
    }
    block(&wrapped)
}

/// The descriptions of a packet: what stands inside of `rdf:RDF`.
pub fn descriptions(packet: &[u8]) -> Option<&str> {
    let text = text(packet).ok()?;
    let start = text.find("<rdf:RDF")?;
    let inside = start + text[start..].find('>')? + 1;
    let end = text.rfind("</rdf:RDF")?;
    text.get(inside..end)
}

/// The value of the attribute or element that names the second packet of a JPEG.
pub fn extended_guid(packet: &[u8]) -> Option<&str> {
    let text = text(packet).ok()?;
    let at = text.find("HasExtendedXMP")? + "HasExtendedXMP".len();
    let rest = text[at..].trim_start_matches(['=', '"', '\'', '>', ' ']);
    rest.get(..32).filter(|guid| guid.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn text(packet: &[u8]) -> Result<&str> {
    // Some writers put a NUL at the end.
    let packet = packet.strip_suffix(&[0]).unwrap_or(packet);
    // XML has none, and readers of GIF take one for the end.
    if let Some(at) = packet.iter().position(|&b| b == 0) {
        bail!(BadData, "XMP has a NUL at byte {at} of {}", packet.len());
    }
    match std::str::from_utf8(packet) {
        Ok(text) => Ok(text),
        Err(error) => bail!(BadData, "XMP is not UTF-8 at byte {}", error.valid_up_to()),
    }
}

/// The prefixes of the packet. They are nearly always the customary ones, and never two for one name.
fn namespaces(text: &str) -> Result<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let mut scanner = Scanner { text, at: 0 };
    while let Some(token) = scanner.next()? {
        let Token::Start { attributes, .. } = token else { continue };
        for (name, from, to) in attributes {
            let Some(prefix) = name.strip_prefix("xmlns:") else { continue };
            let value = text[from..to].split_once('=').map_or("", |(_, value)| value.trim());
            let uri = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
            if found.len() < 1000 && !found.contains(&(prefix, uri)) {
                found.push((prefix, uri));
            }
        }
    }
    Ok(found)
}

enum Token<'a> {
    Start {
        name: &'a str,
        /// Name, start with the space before it, end.
        attributes: Vec<(&'a str, usize, usize)>,
        empty: bool,
        start: usize,
        end: usize,
    },
    End {
        end: usize,
    },
}

/// Steps from tag to tag.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>> {
        loop {
            let Some(found) = self.text[self.at..].find('<') else { return Ok(None) };
            let start = self.at + found;
            let rest = &self.text[start..];
            let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">")]
                .into_iter()
                .find(|(open, _)| rest.starts_with(open));
            if let Some((open, close)) = skipped {
                let Some(end) = rest[open.len()..].find(close) else {
                    bail!(BadData, "XMP ends inside of {open} at byte {start}");
                };
                self.at = start + open.len() + end + close.len();
                continue;
            }
            if let Some(name) = rest.strip_prefix("</") {
                let Some(end) = name.find('>') else {
                    bail!(BadData, "XMP ends inside of a tag at byte {start}")
                };
                self.at = start + 2 + end + 1;
                return Ok(Some(Token::End { end: self.at }));
            }
            return self.start(start).map(Some);
        }
    }

    fn start(&mut self, start: usize) -> Result<Token<'a>> {
        let bytes = self.text.as_bytes();
        let broken = || crate::err!(BadData, "XMP has a broken tag at byte {start}");
        let is_end = |b: u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'/' | b'=' | b'<' | b'"' | b'\'');
        let word =
            |from: usize| from + bytes[from..].iter().position(|&b| is_end(b)).unwrap_or(bytes.len() - from);
        let spaces = |from: usize| {
            from + bytes[from..].iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(bytes.len() - from)
        };
        let end = word(start + 1);
        let name = self.text.get(start + 1..end).filter(|name| !name.is_empty()).ok_or_else(broken)?;
        let (mut at, mut attributes) = (end, Vec::new());
        loop {
            let before = at;
            at = spaces(at);
            match bytes.get(at) {
                Some(b'>') => {
                    self.at = at + 1;
                    return Ok(Token::Start { name, attributes, empty: false, start, end: self.at });
                }
                Some(b'/') if bytes.get(at + 1) == Some(&b'>') => {
                    self.at = at + 2;
                    return Ok(Token::Start { name, attributes, empty: true, start, end: self.at });
                }
                Some(_) => {
                    let end = word(at);
                    let name = self.text.get(at..end).filter(|name| !name.is_empty()).ok_or_else(broken)?;
                    let equals = spaces(end);
                    if bytes.get(equals) != Some(&b'=') || before == at {
                        return Err(broken());
                    }
                    let quote = spaces(equals + 1);
                    let Some(&mark @ (b'"' | b'\'')) = bytes.get(quote) else { return Err(broken()) };
                    let close = bytes[quote + 1..].iter().position(|&b| b == mark).ok_or_else(broken)?;
                    at = quote + 1 + close + 1;
                    try_extend(&mut attributes, &[(name, before, at)], "the attributes of XMP")?;
                }
                None => return Err(broken()),
            }
        }
    }
}

/// The number of RFC 1321, by which a JPEG's second packet is named.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let mut last = [0; 128];
    let (whole, rest) = bytes.as_chunks::<64>();
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let tail = if rest.len() < 56 { 64 } else { 128 };
    last[tail - 8..tail].copy_from_slice(&(bytes.len() as u64 * 8).to_le_bytes());
    for block in whole.iter().chain(last[..tail].as_chunks::<64>().0) {
        let word = |i: usize| {
            u32::from_le_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64 {
            let (mix, at) = match i / 16 {
                0 => (b & c | !b & d, i),
                1 => (d & b | !d & c, 5 * i + 1),
                2 => (b ^ c ^ d, 3 * i + 5),
                _ => (c ^ (b | !d), 7 * i),
            };
            let constant = (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(mix).wrapping_add(constant).wrapping_add(word(at % 16));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(TURNS[i / 16][i % 4]));
        }
        for (state, value) in state.iter_mut().zip([a, b, c, d]) {
            *state = state.wrapping_add(value);
        }
    }
    let mut digest = [0; 16];
    digest.as_chunks_mut::<4>().0.iter_mut().zip(state).for_each(|(to, value)| *to = value.to_le_bytes());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Rules = Rules { keep_gps: true, keep_density: true, keep_stale: false };
    const PACKET: &str = "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
        <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
        <rdf:Description rdf:about='' xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientation='6' t:Make=\"A > B\"\n  \
        xmlns:exif='http://ns.adobe.com/exif/1.0/' exif:GPSLatitude='48,8.2N' exif:ISO='100'\
        xmlns:C='http://ns.google.com/photos/1.0/container/'><!-- <not:a tag> -->\
        <C:Directory><rdf:Seq><rdf:li><C:Item/></rdf:li></rdf:Seq></C:Directory>\
        <exif:GPSLongitude>11,34E</exif:GPSLongitude><t:Artist>me</t:Artist></rdf:Description></rdf:RDF></x:xmpmeta>\
        <?xpacket end='w'?>";

    #[test]
    fn what_describes_the_old_file_goes_and_the_rest_stays() {
        let packet = PACKET.replace("'100'xmlns", "'100' xmlns");
        let (out, removed) = clean(packet.as_bytes(), ALL).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(removed, Removed { stale: 2, gps: 0, provenance: 0 });
        assert!(!out.contains("Orientation") && !out.contains("Item"));
        let expected = packet
            .replace(" t:Orientation='6'", "")
            .replace("<C:Directory><rdf:Seq><rdf:li><C:Item/></rdf:li></rdf:Seq></C:Directory>", "");
        assert_eq!(out, expected);
        let (out, removed) = clean(packet.as_bytes(), Rules { keep_gps: false, ..ALL }).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(removed.gps, 2);
        assert!(!out.contains("GPS") && !out.contains("48,8.2N") && out.contains("exif:ISO='100'"), "{out}");
        let merged = String::from_utf8(merge(Some(out.as_bytes()), "<rdf:Description/>").unwrap()).unwrap();
        assert!(merged.contains("<rdf:Description/></rdf:RDF>"));
        assert!(descriptions(merged.as_bytes()).unwrap().ends_with("<rdf:Description/>"));
    }

    #[test]
    fn any_damage_is_an_error_or_harmless() {
        let packet = PACKET.replace("'100'xmlns", "'100' xmlns");
        for cut in 0..packet.len() {
            let _ = clean(&packet.as_bytes()[..cut], ALL);
            let _ = merge(Some(&packet.as_bytes()[..cut]), "<a/>");
        }
        let mut seed = 1u32;
        for _ in 0..3000 {
            let mut bytes = packet.clone().into_bytes();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (seed >> 8) as usize % bytes.len();
                bytes[at] = b"<>/='\"!?-x: \xff"[(seed >> 4) as usize % 13];
            }
            let _ = clean(&bytes, Rules { keep_gps: false, keep_density: false, keep_stale: false });
            let _ = (extended_guid(&bytes), descriptions(&bytes));
        }
    }

    #[test]
    fn text_that_is_no_xml_is_refused() {
        for bad in [&b""[..], b"8BIM", b"<?xpacket?>", b"<a>\0</a>", b"<a>\0</a>\0"] {
            assert!(clean(bad, ALL).is_err(), "{bad:?}");
        }
        assert!(clean(b"<a/>\0", ALL).is_ok(), "a NUL at the end is some writers' habit");
    }

    #[test]
    fn md5_of_the_standard() {
        let hex = |text: &str| md5(text.as_bytes()).map(|b| format!("{b:02x}")).concat();
        assert_eq!(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(hex(&"1234567890".repeat(8)), "57edf4a22be3c955ac49da2e2107b67a");
    }
}
