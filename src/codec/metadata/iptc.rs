//! IPTC as Photoshop's image resources hold it (Adobe Photoshop File Formats, "Image Resource Blocks").

use crate::{
    bail,
    error::{Result, try_extend},
};

/// Resources about the old file: thumbnails, copies of EXIF and XMP.
const STALE: [u16; 5] = [0x0409, 0x040c, 0x0422, 0x0423, 0x0424];

/// The resources without those that describe the old file.
pub fn clean(blocks: &[u8]) -> Result<Vec<u8>> {
    let (mut kept, mut rest) = (Vec::new(), blocks);
    while !rest.is_empty() {
        let at = blocks.len() - rest.len();
        let Some((id, size)) = resource(rest) else { bail!(BadData, "no image resource at byte {at}") };
        let (block, more) = rest.split_at(size.min(rest.len()));
        if !STALE.contains(&id) {
            try_extend(&mut kept, block, "IPTC")?;
        }
        rest = more;
    }
    Ok(kept)
}

/// Number and size of the first resource.
fn resource(bytes: &[u8]) -> Option<(u16, usize)> {
    let body = bytes.strip_prefix(b"8BIM")?;
    let id = u16::from_be_bytes(*body.first_chunk()?);
    // A name with its length before it; both name and data are padded to even sizes.
    let name = (1 + usize::from(*body.get(2)?)).next_multiple_of(2);
    let size = u32::from_be_bytes(*body.get(2 + name..)?.first_chunk()?) as usize;
    let end = (4 + 2 + name + 4).checked_add(size)?;
    (end <= bytes.len()).then_some((id, end.next_multiple_of(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_go_and_captions_stay() {
        let caption = b"8BIM\x04\x04\0\0\0\0\0\x05hello\0";
        let thumbnail = b"8BIM\x04\x0c\x03abc\0\0\0\x02xy";
        let all = [&thumbnail[..], caption, thumbnail].concat();
        assert_eq!(clean(&all).unwrap(), caption);
        assert_eq!(clean(caption).unwrap(), caption);
        for cut in 1..all.len() {
            let _ = clean(&all[..cut]);
        }
        assert!(clean(b"8BIM\x04\x04\0\0\xff\xff\xff\xff").is_err());
    }
}
