//! Comments: text beside the image that is neither EXIF, XMP nor IPTC. PNG gives it keywords (PNG, third edition, 11.3.3),
//! JPEG (COM segments) and GIF (comment extensions) do not: theirs is PNG's `Comment`.

use super::unpacked;
use crate::{
    error::{Result, try_extend},
    model::metadata::{Text, block},
};

const COMMENT: &[u8] = b"Comment\0";
/// Most bytes of a compressed text, unpacked.
const MOST: usize = 1 << 20;

/// A comment of JPEG or GIF, which do not say in which alphabet it is.
pub fn of_comment(comment: &[u8]) -> Result<Text> {
    let comment = comment.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut body = Vec::new();
    try_extend(&mut body, COMMENT, "a comment")?;
    let latin = comment.is_ascii() || std::str::from_utf8(comment).is_err();
    if !latin {
        // Not packed, no language, no translated keyword.
        try_extend(&mut body, &[0; 4], "a comment")?;
    }
    try_extend(&mut body, comment, "a comment")?;
    Ok(Text { name: if latin { *b"tEXt" } else { *b"iTXt" }, body: block(&body)? })
}

/// The text for a format without keywords, in UTF-8 where it is not ASCII; none if it has another keyword, or is damaged.
pub fn comment(text: &Text) -> Result<Option<Vec<u8>>> {
    let Some(rest) = text.body.strip_prefix(COMMENT) else { return Ok(None) };
    match (&text.name, rest) {
        (b"tEXt", bytes) => utf8(bytes).map(Some),
        (b"zTXt", [0, bytes @ ..]) => unpacked(bytes, MOST)?.map(|bytes| utf8(&bytes)).transpose(),
        (b"iTXt", [packed, 0, fields @ ..]) => match fields.splitn(3, |&byte| byte == 0).nth(2) {
            Some(bytes) if *packed == 1 => unpacked(bytes, MOST),
            Some(bytes) => {
                let mut copy = Vec::new();
                try_extend(&mut copy, bytes, "a comment")?;
                Ok(Some(copy))
            }
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Latin-1, which `tEXt` and `zTXt` are in, as UTF-8.
fn utf8(latin: &[u8]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for &byte in latin {
        try_extend(&mut text, char::from(byte).encode_utf8(&mut [0; 2]).as_bytes(), "a comment")?;
    }
    Ok(text)
}

/// The keyword, for people.
pub fn keyword(text: &Text) -> String {
    text.body.iter().take_while(|&&byte| byte != 0).take(79).map(|&byte| char::from(byte)).collect()
}

/// Whether the keyword names a place.
pub fn is_place(text: &Text) -> bool {
    let keyword = keyword(text).to_ascii_lowercase();
    ["gps", "latitude", "longitude", "location"].iter().any(|word| keyword.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &Text) -> Option<Vec<u8>> {
        comment(text).unwrap()
    }

    #[test]
    fn comments_come_back_from_every_kind_of_chunk() {
        for said in ["plain", "größer", ""] {
            let text = of_comment(said.as_bytes()).unwrap();
            assert_eq!(told(&text).unwrap(), said.as_bytes(), "{text:?}");
            assert_eq!(keyword(&text), "Comment");
        }
        assert_eq!(told(&of_comment(b"gr\xf6n\0rest").unwrap()).unwrap(), "grön".as_bytes());
        let zlib = |bytes: &[u8]| fdeflate::compress_to_vec(bytes);
        let chunk = |name: &[u8; 4], parts: &[&[u8]]| Text { name: *name, body: parts.concat().into() };
        assert_eq!(told(&chunk(b"zTXt", &[COMMENT, &[0], &zlib(b"gr\xf6n")])).unwrap(), "grön".as_bytes());
        let packed = chunk(b"iTXt", &[COMMENT, &[1, 0], b"de\0Kommentar\0", &zlib("grün".as_bytes())]);
        assert_eq!(told(&packed).unwrap(), "grün".as_bytes());
        assert_eq!(told(&chunk(b"tEXt", &[b"Author\0me"])), None);
        for broken in [&b"Comment"[..], b"Comment\0\0", b"Comment\0\x01\0x", b"Comment\0\x01\0a\0b\0c"] {
            assert_eq!(told(&chunk(b"iTXt", &[broken])), None, "{broken:?}");
        }
    }
}
