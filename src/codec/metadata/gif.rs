//! Metadata in GIF: XMP in an application extension, whose text runs on through what would be sizes of sub-blocks
//! (XMP, part 3, 1.1.2).

use super::Found;
use crate::error::Result;

const NAME: &[u8] = b"\x21\xff\x0bXMP DataXMP";

pub(super) fn find(file: &[u8]) -> Result<Found> {
    let mut found = Found::default();
    let start = file.windows(NAME.len()).position(|bytes| bytes == NAME);
    // The trailer counts down from ff, so that a reader that knows nothing of it lands on its end.
    let rest = start.and_then(|at| file.get(at + NAME.len()..)).unwrap_or_default();
    if let Some(end) = rest.windows(4).position(|bytes| bytes == [0x01, 0xff, 0xfe, 0xfd]) {
        found.xmp(&rest[..end])?;
    }
    Ok(found)
}
