//! Metadata in GIF: comments, and XMP in an application extension, whose text runs on through what would be sizes of
//! sub-blocks (GIF89a, 24; XMP, part 3, 1.1.2).

use super::{Found, text};
use crate::error::{Result, try_extend};

const NAME: &[u8] = b"\x21\xff\x0bXMP DataXMP";

pub(super) fn find(file: &[u8]) -> Result<Found> {
    let mut found = Found::default();
    let start = file.windows(NAME.len()).position(|bytes| bytes == NAME);
    // The trailer counts down from ff, so that a reader that knows nothing of it lands on its end.
    let rest = start.and_then(|at| file.get(at + NAME.len()..)).unwrap_or_default();
    if let Some(end) = rest.windows(4).position(|bytes| bytes == [0x01, 0xff, 0xfe, 0xfd]) {
        found.xmp(&rest[..end])?;
    }
    comments(file, &mut found)?;
    Ok(found)
}

/// Bytes of a colour table, by the flags of what stands before it.
fn table(flags: u8) -> usize {
    if flags & 0x80 != 0 { 6 << (flags & 7) } else { 0 }
}

/// Walks from block to block; damage ends it, of which the pixels' decoder tells.
fn comments(file: &[u8], found: &mut Found) -> Result<()> {
    let Some(flags) = file.get(10) else { return Ok(()) };
    let mut at = 13 + table(*flags);
    loop {
        let comment = match file.get(at..).unwrap_or_default() {
            [0x2c, _, _, _, _, _, _, _, _, flags, ..] => {
                // The descriptor, its colours, and the size of the codes.
                at += 10 + table(*flags) + 1;
                false
            }
            [0x21, label, ..] => {
                at += 2;
                *label == 0xfe
            }
            _ => return Ok(()),
        };
        let mut text = Vec::new();
        while let Some((&size, rest)) = file.get(at..).unwrap_or_default().split_first()
            && size > 0
        {
            let part = rest.get(..usize::from(size)).unwrap_or(rest);
            if comment {
                try_extend(&mut text, part, "a comment")?;
            }
            at += 1 + part.len();
        }
        at += 1;
        if !text.is_empty() {
            found.keep(|| text::of_comment(&text))?;
        }
    }
}
