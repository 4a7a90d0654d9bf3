//! EXIF as it is (EXIF 2.32, TIFF 6.0): looked at here, changed in `edit.rs`.

mod edit;

use super::numbers::Order;
use crate::{
    bail,
    error::{Result, try_vec},
    model::metadata::Density,
};

/// A directory of EXIF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// The first: about the image.
    Main,
    /// About the photograph.
    Exif,
    /// The place.
    Gps,
    /// Interoperability.
    Interop,
    /// About the thumbnail.
    Thumbnail,
}

/// Tags that are looked for; numbers of the standard.
pub mod tag {
    /// Width of the image.
    pub const WIDTH: u16 = 0x0100;
    /// Height of the image.
    pub const HEIGHT: u16 = 0x0101;
    /// Compression; 6 is JPEG.
    pub const COMPRESSION: u16 = 0x0103;
    /// Maker of the camera.
    pub const MAKE: u16 = 0x010f;
    /// The camera.
    pub const MODEL: u16 = 0x0110;
    /// Which way is up.
    pub const ORIENTATION: u16 = 0x0112;
    /// Density.
    pub const X_RESOLUTION: u16 = 0x011a;
    /// Density.
    pub const Y_RESOLUTION: u16 = 0x011b;
    /// Unit of the density: 2 inch, 3 centimetre.
    pub const RESOLUTION_UNIT: u16 = 0x0128;
    /// Software.
    pub const SOFTWARE: u16 = 0x0131;
    /// When the file was changed.
    pub const DATE_TIME: u16 = 0x0132;
    /// Where the thumbnail is.
    pub const THUMBNAIL: u16 = 0x0201;
    /// Its bytes.
    pub const THUMBNAIL_SIZE: u16 = 0x0202;
    /// Rights.
    pub const COPYRIGHT: u16 = 0x8298;
    /// Points to the directory about the photograph.
    pub const EXIF: u16 = 0x8769;
    /// Points to the directory of the place.
    pub const GPS: u16 = 0x8825;
    /// When the photograph was taken.
    pub const DATE_TIME_ORIGINAL: u16 = 0x9003;
    /// The maker's own data.
    pub const MAKER_NOTE: u16 = 0x927c;
    /// 1 sRGB, 65535 anything else.
    pub const COLOR_SPACE: u16 = 0xa001;
    /// Width of the image.
    pub const PIXEL_X: u16 = 0xa002;
    /// Height of the image.
    pub const PIXEL_Y: u16 = 0xa003;
    /// Points to the directory of interoperability.
    pub const INTEROP: u16 = 0xa005;
}

/// Types of values.
pub mod kind {
    /// Bytes.
    pub const BYTE: u16 = 1;
    /// Text with its NUL.
    pub const ASCII: u16 = 2;
    /// 16 bits.
    pub const SHORT: u16 = 3;
    /// 32 bits.
    pub const LONG: u16 = 4;
    /// Two of 32 bits: numerator, denominator.
    pub const RATIONAL: u16 = 5;
}

/// Bytes of a value's type; 0 for unknown ones.
pub(super) fn unit(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 => 8,
        _ => 0,
    }
}

/// A line of a directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its 12 bytes are.
    at: usize,
    tag: u16,
    kind: u16,
    count: u32,
}

/// A checked block of EXIF.
#[derive(Clone, Debug)]
pub struct Exif {
    bytes: Vec<u8>,
    order: Order,
}

/// A block with no entry.
const EMPTY: &[u8] = b"II*\0\x08\0\0\0\0\0\0\0\0\0";

impl Exif {
    /// A block with no entry.
    pub fn empty() -> Result<Self> {
        Self::new(EMPTY)
    }

    /// A copy of a block; refuses one whose directories are outside, overlap, or go round in circles.
    pub fn new(block: &[u8]) -> Result<Self> {
        let Some(order) = Order::of(block) else {
            bail!(BadData, "EXIF of {} bytes has no TIFF header", block.len())
        };
        if u32::try_from(block.len()).is_err() {
            bail!(BadData, "EXIF of {} bytes", block.len());
        }
        let mut bytes = try_vec(block.len(), "EXIF")?;
        bytes.copy_from_slice(block);
        let exif = Self { bytes, order };
        exif.check()?;
        Ok(exif)
    }

    /// The block.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn check(&self) -> Result<()> {
        if self.place(Dir::Main).is_none() {
            bail!(BadData, "EXIF of {} bytes has no directory", self.bytes.len());
        }
        let mut tables: Vec<(usize, usize)> = Vec::new();
        for dir in [Dir::Main, Dir::Exif, Dir::Gps, Dir::Interop, Dir::Thumbnail] {
            let Some(at) = self.place(dir) else { continue };
            let Some(size) = self.table(at) else {
                // A lost thumbnail is no loss.
                if dir == Dir::Thumbnail {
                    continue;
                }
                bail!(
                    BadData,
                    "the {dir:?} directory at {at} of EXIF's {} bytes is outside",
                    self.bytes.len()
                );
            };
            if at < 8 || tables.iter().any(|&(other, len)| at < other + len && other < at + size) {
                bail!(BadData, "the {dir:?} directory at {at} of EXIF overlaps another");
            }
            tables.push((at, size));
        }
        Ok(())
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.order.u16_at(&self.bytes, at)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.order.u32_at(&self.bytes, at)
    }

    /// Where the number stands that says where a directory is.
    fn pointer(&self, dir: Dir) -> Option<usize> {
        let below =
            |parent, tag| self.find(parent, tag).filter(|entry| entry.count > 0).map(|entry| entry.at + 8);
        match dir {
            Dir::Main => Some(4),
            Dir::Exif => below(Dir::Main, tag::EXIF),
            // Some writers put it with the photograph.
            Dir::Gps => below(Dir::Main, tag::GPS).or_else(|| below(Dir::Exif, tag::GPS)),
            Dir::Interop => below(Dir::Exif, tag::INTEROP),
            Dir::Thumbnail => {
                let at = self.place(Dir::Main)?;
                Some(at + self.table(at)? - 4)
            }
        }
    }

    /// Where a directory is said to be.
    fn place(&self, dir: Dir) -> Option<usize> {
        let at = self.u32(self.pointer(dir)?)? as usize;
        (at != 0).then_some(at)
    }

    /// The bytes of a directory's table, with the number of the next one; none if it is not inside.
    fn table(&self, at: usize) -> Option<usize> {
        let size = 2 + usize::from(self.u16(at)?) * 12 + 4;
        (at.checked_add(size)? <= self.bytes.len()).then_some(size)
    }

    fn entries(&self, dir: Dir) -> impl Iterator<Item = Entry> {
        let at = self.place(dir).filter(|&at| self.table(at).is_some());
        let count = at.and_then(|at| self.u16(at)).unwrap_or(0);
        let first = at.unwrap_or(0) + 2;
        (0..usize::from(count)).filter_map(move |index| {
            let at = first + index * 12;
            Some(Entry { at, tag: self.u16(at)?, kind: self.u16(at + 2)?, count: self.u32(at + 4)? })
        })
    }

    fn find(&self, dir: Dir, tag: u16) -> Option<Entry> {
        self.entries(dir).find(|entry| entry.tag == tag)
    }

    /// Where a value is: in the entry if it has up to 4 bytes. None if it is not inside the block.
    fn range(&self, entry: Entry) -> Option<(usize, usize)> {
        let size = usize::try_from(unit(entry.kind).checked_mul(entry.count.into())?).ok()?;
        let at = if size <= 4 { entry.at + 8 } else { self.u32(entry.at + 8)? as usize };
        (at.checked_add(size)? <= self.bytes.len()).then_some((at, size))
    }

    /// The bytes of a value, in the block's byte order.
    pub fn value(&self, dir: Dir, tag: u16) -> Option<(u16, &[u8])> {
        let entry = self.find(dir, tag)?;
        let (at, size) = self.range(entry)?;
        Some((entry.kind, &self.bytes[at..at + size]))
    }

    /// A value that is a whole number.
    pub fn number(&self, dir: Dir, tag: u16) -> Option<u32> {
        let entry = self.find(dir, tag)?;
        match (entry.kind, entry.count) {
            (kind::SHORT, 1) => self.u16(entry.at + 8).map(u32::from),
            (kind::LONG, 1) => self.u32(entry.at + 8),
            _ => None,
        }
    }

    /// A value that is text, without what follows its NUL.
    pub fn text(&self, dir: Dir, tag: u16) -> Option<String> {
        let (kind::ASCII, bytes) = self.value(dir, tag)? else { return None };
        let text = bytes.split(|&b| b == 0).next()?;
        Some(String::from_utf8_lossy(text).trim_end().to_owned())
    }

    /// Fractions.
    pub fn rationals<const N: usize>(&self, dir: Dir, tag: u16) -> Option<[f64; N]> {
        let entry = self.find(dir, tag)?;
        let (at, size) = self.range(entry)?;
        if entry.kind != kind::RATIONAL || size != 8 * N {
            return None;
        }
        let mut values = [0.0; N];
        for (index, value) in values.iter_mut().enumerate() {
            let (n, d) = (self.u32(at + 8 * index)?, self.u32(at + 8 * index + 4)?);
            if d == 0 {
                return None;
            }
            *value = f64::from(n) / f64::from(d);
        }
        Some(values)
    }

    /// Pixels per inch.
    pub fn density(&self) -> Option<Density> {
        let [x] = self.rationals(Dir::Main, tag::X_RESOLUTION)?;
        let [y] = self.rationals(Dir::Main, tag::Y_RESOLUTION)?;
        match self.number(Dir::Main, tag::RESOLUTION_UNIT).unwrap_or(2) {
            2 => Density::per_inch(x, y),
            3 => Density::per_centimetre(x, y),
            _ => None,
        }
    }

    /// Whether the block says nothing.
    pub fn is_empty(&self) -> bool {
        self.entries(Dir::Main).next().is_none() && !self.has_thumbnail()
    }

    /// Whether there is a thumbnail.
    pub fn has_thumbnail(&self) -> bool {
        self.place(Dir::Thumbnail).is_some()
    }

    /// Whether there is a place.
    pub fn has_gps(&self) -> bool {
        self.pointer(Dir::Gps).is_some()
    }
}
