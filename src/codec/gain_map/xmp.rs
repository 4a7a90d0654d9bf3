//! Adobe's XMP form of gain map metadata, `http://ns.adobe.com/hdr-gain-map/1.0/`, and the directory of the image
//! and its map, Google's container format.

use crate::model::gain_map::GainMapParams;

/// Namespace of the map's properties.
pub const NAMESPACE: &str = "http://ns.adobe.com/hdr-gain-map/1.0/";

/// The `rdf:Description` of a main image that is followed by others, of these meanings and bytes: a gain map is
/// "GainMap" and comes with the version.
///
/// The version is an attribute with a space before it: some readers look for just that.
pub fn primary<'a>(gain_map: bool, items: impl Iterator<Item = (&'a str, usize)>) -> String {
    let item = |semantic: &str, length: &str| {
        format!(
            "<rdf:li rdf:parseType=\"Resource\"><Container:Item Item:Semantic=\"{semantic}\" \
             Item:Mime=\"image/jpeg\"{length}/></rdf:li>"
        )
    };
    let mut list = item("Primary", "");
    for (semantic, length) in items {
        list += &item(semantic, &format!(" Item:Length=\"{length}\""));
    }
    let version =
        if gain_map { format!(" xmlns:hdrgm=\"{NAMESPACE}\" hdrgm:Version=\"1.0\"") } else { String::new() };
    format!(
        "<rdf:Description rdf:about=\"\" xmlns:Container=\"http://ns.google.com/photos/1.0/container/\" \
         xmlns:Item=\"http://ns.google.com/photos/1.0/container/item/\"{version}>\
         <Container:Directory><rdf:Seq>{list}</rdf:Seq></Container:Directory></rdf:Description>"
    )
}

/// The `rdf:Description` of the map's own image.
///
/// Values that are alike in all channels are attributes, which every reader takes; others are lists.
pub fn secondary(params: &GainMapParams) -> String {
    let (mut attributes, mut elements) = (String::new(), String::new());
    let named = [
        ("GainMapMin", params.min),
        ("GainMapMax", params.max),
        ("Gamma", params.gamma),
        ("OffsetSDR", params.base_offset),
        ("OffsetHDR", params.alternate_offset),
    ];
    // The form knows SDR and HDR, not base and alternate.
    let reversed = params.base_headroom > params.alternate_headroom;
    for (name, [r, g, b]) in named {
        if r == g && g == b {
            attributes += &format!(" hdrgm:{name}=\"{r}\"");
        } else {
            elements += &format!(
                "<hdrgm:{name}><rdf:Seq><rdf:li>{r}</rdf:li><rdf:li>{g}</rdf:li><rdf:li>{b}</rdf:li></rdf:Seq>\
                 </hdrgm:{name}>"
            );
        }
    }
    let (low, high) = if reversed {
        (params.alternate_headroom, params.base_headroom)
    } else {
        (params.base_headroom, params.alternate_headroom)
    };
    format!(
        "<rdf:Description rdf:about=\"\" xmlns:hdrgm=\"{NAMESPACE}\" hdrgm:Version=\"1.0\"{attributes} \
         hdrgm:HDRCapacityMin=\"{low}\" hdrgm:HDRCapacityMax=\"{high}\" \
         hdrgm:BaseRenditionIsHDR=\"{}\">{elements}</rdf:Description>",
        if reversed { "True" } else { "False" }
    )
}

/// A whole packet around descriptions.
pub fn packet(descriptions: &str) -> String {
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         {descriptions}</rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
    )
}

/// Meaning and bytes of the items behind the main image, as the directory of its packet names them.
pub fn directory(packet: &[u8]) -> Vec<(String, usize)> {
    let text = String::from_utf8_lossy(packet);
    let value = |item: &str, name: &str| {
        let (_, rest) = item.split_once(name)?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next().map(str::to_owned)
    };
    // Behind the first, the main image, which has no length.
    let items = text.split("<Container:Item").skip(2).take(16).map(|item| {
        let item = &item[..item.find('>').unwrap_or(item.len())];
        let length = value(item, "Item:Length=").and_then(|length| length.parse().ok());
        (value(item, "Item:Semantic=").unwrap_or_default(), length.unwrap_or(0))
    });
    items.collect()
}

/// Bytes of the gain map that the directory of a main image's packet names.
pub fn gain_map_length(packet: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(packet);
    let item =
        text.split("Semantic=").find(|item| item.get(1..).is_some_and(|item| item.starts_with("GainMap")))?;
    let length = item.split_once("Length=")?.1.get(1..)?;
    length[..length.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

/// Reads the properties of a map's own packet, written as attributes, elements or lists; none if there are none or
/// they cannot be applied.
pub fn read(packet: &[u8]) -> Option<GainMapParams> {
    let text = String::from_utf8_lossy(packet);
    let prefix = prefix(&text, NAMESPACE)?;
    let find = |name: &str| property(&text, &format!("{prefix}:{name}"));
    find("Version")?;
    let numbers = |name: &str, default: f32| -> Option<[f32; 3]> {
        let Some(values) = find(name) else { return Some([default; 3]) };
        let mut parsed = [0.0; 3];
        for (to, value) in parsed.iter_mut().zip(&values) {
            *to = value.trim().parse().ok()?;
        }
        match values.len() {
            1 => Some([parsed[0]; 3]),
            3 => Some(parsed),
            _ => None,
        }
    };
    let reversed = find("BaseRenditionIsHDR").is_some_and(|v| v[0].trim().eq_ignore_ascii_case("true"));
    let [low, high] = [numbers("HDRCapacityMin", 0.0)?[0], numbers("HDRCapacityMax", 1.0)?[0]];
    find("GainMapMax")?;
    let params = GainMapParams {
        base_headroom: if reversed { high } else { low },
        alternate_headroom: if reversed { low } else { high },
        min: numbers("GainMapMin", 0.0)?,
        max: numbers("GainMapMax", 1.0)?,
        gamma: numbers("Gamma", 1.0)?,
        base_offset: numbers("OffsetSDR", 1.0 / 64.0)?,
        alternate_offset: numbers("OffsetHDR", 1.0 / 64.0)?,
        base_color: true,
    };
    params.check().is_ok().then_some(params)
}

/// The prefix that the packet gives a namespace.
fn prefix<'a>(text: &'a str, namespace: &str) -> Option<&'a str> {
    let end = text.find(namespace)?;
    let before = text[..end].trim_end_matches(['"', '\'']).trim_end().strip_suffix('=')?.trim_end();
    let start = before.rfind("xmlns:")? + 6;
    let prefix = &before[start..];
    (!prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).then_some(prefix)
}

/// The value or values of a property by its full name.
fn property<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    for (at, _) in text.match_indices(name) {
        let (before, after) = (text[..at].chars().next_back()?, text[at + name.len()..].trim_start());
        if before.is_whitespace() {
            let Some(value) = after.strip_prefix('=') else { continue };
            let value = value.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            return Some(vec![value[1..].split(quote).next()?]);
        }
        if before == '<' {
            let open = after.find('>')?;
            let inner = &after[open + 1..];
            let inner = &inner[..inner.find(&format!("</{name}"))?];
            let items: Vec<_> = inner
                .split("<rdf:li")
                .skip(1)
                .filter_map(|item| item.split_once('>')?.1.split("</").next())
                .take(4)
                .collect();
            return Some(if items.is_empty() { vec![inner] } else { items });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut params =
            GainMapParams { alternate_headroom: 2.690_31, max: [2.5; 3], ..GainMapParams::default() };
        assert_eq!(read(packet(&secondary(&params)).as_bytes()), Some(params));
        params.min = [-0.1, 0.0, 0.25];
        params.gamma = [1.0, 0.5, 2.2];
        assert_eq!(read(packet(&secondary(&params)).as_bytes()), Some(params));
        (params.base_headroom, params.alternate_headroom) = (3.0, 0.0);
        assert_eq!(read(packet(&secondary(&params)).as_bytes()), Some(params));
    }

    #[test]
    fn other_writers_forms_are_read() {
        let text = format!(
            "<rdf:Description xmlns:gm='{NAMESPACE}' gm:Version='1.0' gm:HDRCapacityMax = '3.5'>\n\
             <gm:GainMapMin>-0.5</gm:GainMapMin>\
             <gm:GainMapMax>\n<rdf:Seq> <rdf:li>1</rdf:li>\n<rdf:li>2</rdf:li><rdf:li> 3 </rdf:li></rdf:Seq></gm:GainMapMax>"
        );
        let params = read(text.as_bytes()).unwrap();
        assert_eq!((params.min, params.max), ([-0.5; 3], [1.0, 2.0, 3.0]));
        assert_eq!((params.base_headroom, params.alternate_headroom), (0.0, 3.5));
        assert_eq!(params.base_offset, [1.0 / 64.0; 3]);
    }

    #[test]
    fn the_directory_tells_where_the_map_is() {
        let items = [("Depth", 7), ("GainMap", 4321)].into_iter();
        assert_eq!(gain_map_length(primary(true, items).as_bytes()), Some(4321));
        assert_eq!(gain_map_length(b"Semantic=\"GainMap\" Length=\""), None);
        assert_eq!(gain_map_length(b"Semantic="), None);
    }

    #[test]
    fn the_directory_lists_what_is_behind_the_main_image() {
        let items = [("GainMap", 4321), ("Depth", 7), ("Original", 99)];
        let packet = packet(&primary(true, items.into_iter()));
        let read = directory(packet.as_bytes());
        assert_eq!(read, items.map(|(semantic, length)| (semantic.to_owned(), length)));
        for length in 0..packet.len() {
            let _ = directory(&packet.as_bytes()[..length]);
        }
    }

    #[test]
    fn damage_is_no_gain_map() {
        let whole = packet(&secondary(&GainMapParams::default()));
        for length in 0..whole.len() {
            let _ = read(&whole.as_bytes()[..length]);
        }
        assert_eq!(read(whole.replace("GainMapMax=\"1\"", "GainMapMax=\"x\"").as_bytes()), None);
        assert_eq!(read(whole.replace("Gamma=\"1\"", "Gamma=\"0\"").as_bytes()), None);
        assert_eq!(read(whole.replace("GainMapMax=", "Other=").as_bytes()), None);
        assert_eq!(
            read(primary(true, [("GainMap", 5)].into_iter()).as_bytes()),
            None,
            "the main image's packet"
        );
        assert_eq!(read(b""), None);
    }
}
