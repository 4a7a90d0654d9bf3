//! EXIF as it is (EXIF 2.32, TIFF 6.0): looked at and changed in place, so that what points into it, as maker notes
//! do, still finds what it points at. What is new goes to the end.

use crate::{
    bail,
    error::{Result, try_extend, try_vec},
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

fn unit(kind: u16) -> u64 {
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
    big: bool,
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
        let big = match block.get(..4) {
            Some(b"MM\0*") => true,
            Some(b"II*\0") => false,
            _ => bail!(BadData, "EXIF of {} bytes has no TIFF header", block.len()),
        };
        if u32::try_from(block.len()).is_err() {
            bail!(BadData, "EXIF of {} bytes", block.len());
        }
        let mut bytes = try_vec(block.len(), "EXIF")?;
        bytes.copy_from_slice(block);
        let exif = Self { bytes, big };
        exif.check()?;
        Ok(exif)
    }

    /// The block.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The block.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn check(&self) -> Result<()> {
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
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn put_u16(&mut self, at: usize, value: u16) {
        let bytes = self.pair(value);
        if let Some(place) = self.bytes.get_mut(at..at + 2) {
            place.copy_from_slice(&bytes);
        }
    }

    fn put_u32(&mut self, at: usize, value: u32) {
        let bytes = self.four(value);
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&bytes);
        }
    }

    fn pair(&self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn four(&self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// Where the number stands that says where a directory is.
    fn pointer(&self, dir: Dir) -> Option<usize> {
        let below = |parent, tag| self.find(parent, tag).map(|entry| entry.at + 8);
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

    /// Changes a whole number that is there; its type stays.
    pub fn replace_number(&mut self, dir: Dir, tag: u16, value: u32) {
        let Some(entry) = self.find(dir, tag) else { return };
        match (entry.kind, entry.count) {
            (kind::SHORT, 1) if value <= 0xffff => self.put_u16(entry.at + 8, value as u16),
            (kind::LONG, 1) => self.put_u32(entry.at + 8, value),
            // Too large for its type: the same room holds 32 bits.
            (kind::SHORT, 1) => {
                self.put_u16(entry.at + 2, kind::LONG);
                self.put_u32(entry.at + 8, value);
            }
            _ => {}
        }
    }

    /// Sets a whole number.
    pub fn set_short(&mut self, dir: Dir, tag: u16, value: u16) -> Result<()> {
        let bytes = self.pair(value);
        self.set(dir, tag, kind::SHORT, &bytes)
    }

    /// Sets a whole number.
    pub fn set_long(&mut self, dir: Dir, tag: u16, value: u32) -> Result<()> {
        let bytes = self.four(value);
        self.set(dir, tag, kind::LONG, &bytes)
    }

    /// Sets text; its NUL is added.
    pub fn set_text(&mut self, dir: Dir, tag: u16, text: &str) -> Result<()> {
        let mut bytes = Vec::new();
        try_extend(&mut bytes, text.as_bytes(), "EXIF")?;
        try_extend(&mut bytes, &[0], "EXIF")?;
        self.set(dir, tag, kind::ASCII, &bytes)
    }

    /// Sets fractions over a common denominator that keeps what fits.
    pub fn set_rationals(&mut self, dir: Dir, tag: u16, values: &[f64]) -> Result<()> {
        let mut bytes = Vec::new();
        for &value in values {
            let mut denominator = 1_000_000f64;
            while denominator > 1.0 && value * denominator > f64::from(u32::MAX) {
                denominator /= 10.0;
            }
            // Whole numbers are told as such.
            if value.fract() == 0.0 {
                denominator = 1.0;
            }
            for number in [(value * denominator).round() as u32, denominator as u32] {
                let four = self.four(number);
                try_extend(&mut bytes, &four, "EXIF")?;
            }
        }
        self.set(dir, tag, kind::RATIONAL, &bytes)
    }

    /// Sets the density in pixels per inch.
    pub fn set_density(&mut self, density: Density) -> Result<()> {
        self.set_rationals(Dir::Main, tag::X_RESOLUTION, &[density.x])?;
        self.set_rationals(Dir::Main, tag::Y_RESOLUTION, &[density.y])?;
        self.set_short(Dir::Main, tag::RESOLUTION_UNIT, 2)
    }

    /// Sets a value, in the block's byte order. It takes the old one's place if it fits; else it goes to the end, and
    /// a directory that has to grow goes there, too.
    pub fn set(&mut self, dir: Dir, tag: u16, kind: u16, value: &[u8]) -> Result<()> {
        let size = unit(kind).max(1) as usize;
        let count = (value.len() / size) as u32;
        if self.find(dir, tag).is_none() {
            self.insert(dir, tag)?;
        }
        let Some(entry) = self.find(dir, tag) else { bail!(Bug, "an entry of EXIF was lost") };
        let old = self.range(entry).filter(|&(at, _)| at != entry.at + 8);
        if let Some((at, size)) = old {
            // Nothing of the old value stays behind.
            self.bytes[at..at + size].fill(0);
        }
        let at = match (value.len(), old) {
            (0..=4, _) => {
                self.bytes[entry.at + 8..entry.at + 12].fill(0);
                entry.at + 8
            }
            (len, Some((at, size))) if len <= size => at,
            _ => {
                let at = self.end()?;
                self.put_u32(entry.at + 8, at as u32);
                try_extend(&mut self.bytes, value, "EXIF")?;
                at
            }
        };
        self.bytes[at..at + value.len()].copy_from_slice(value);
        self.put_u16(entry.at + 2, kind);
        self.put_u32(entry.at + 4, count);
        Ok(())
    }

    /// An even place at the end.
    fn end(&mut self) -> Result<usize> {
        if self.bytes.len() % 2 == 1 {
            try_extend(&mut self.bytes, &[0], "EXIF")?;
        }
        if self.bytes.len() > i32::MAX as usize {
            bail!(TooLarge, "EXIF of {} bytes", self.bytes.len());
        }
        Ok(self.bytes.len())
    }

    /// Adds an empty entry: the directory's table goes to the end with it, in the order of tags.
    fn insert(&mut self, dir: Dir, tag: u16) -> Result<()> {
        if self.place(dir).is_none() {
            self.found(dir)?;
        }
        let (Some(pointer), Some(old)) = (self.pointer(dir), self.place(dir)) else {
            bail!(Bug, "a directory of EXIF was lost");
        };
        let Some(size) = self.table(old) else { bail!(BadData, "a directory of EXIF is outside") };
        let count = (size - 6) / 12;
        let before = self.entries(dir).take_while(|entry| entry.tag < tag).count();
        if count >= usize::from(u16::MAX) {
            bail!(BadData, "a directory of EXIF with {count} entries");
        }
        let new = self.end()?;
        let mut table = try_vec(size + 12, "EXIF")?;
        let cut = 2 + before * 12;
        table[..cut].copy_from_slice(&self.bytes[old..old + cut]);
        table[cut + 12..].copy_from_slice(&self.bytes[old + cut..old + size]);
        try_extend(&mut self.bytes, &table, "EXIF")?;
        self.bytes[old..old + size].fill(0);
        self.put_u16(new, count as u16 + 1);
        self.put_u16(new + cut, tag);
        self.put_u16(new + cut + 2, kind::SHORT);
        self.put_u32(pointer, new as u32);
        Ok(())
    }

    /// Makes a directory that is not there.
    fn found(&mut self, dir: Dir) -> Result<()> {
        let (parent, tag) = match dir {
            Dir::Exif => (Dir::Main, tag::EXIF),
            Dir::Gps => (Dir::Main, tag::GPS),
            Dir::Interop => (Dir::Exif, tag::INTEROP),
            Dir::Thumbnail => {
                let (at, pointer) = (self.end()?, self.pointer(dir));
                try_extend(&mut self.bytes, &[0; 6], "EXIF")?;
                if let Some(pointer) = pointer {
                    self.put_u32(pointer, at as u32);
                }
                return Ok(());
            }
            Dir::Main => bail!(Bug, "EXIF without its first directory"),
        };
        let at = self.end()?;
        try_extend(&mut self.bytes, &[0; 6], "EXIF")?;
        let four = self.four(at as u32);
        self.set(parent, tag, kind::LONG, &four)
    }

    /// Takes an entry out of its table; the table keeps its place. Its value's bytes are zeroed.
    pub fn remove(&mut self, dir: Dir, tag: u16) {
        let (Some(entry), Some(at)) = (self.find(dir, tag), self.place(dir)) else { return };
        let Some(size) = self.table(at) else { return };
        if let Some((value, len)) = self.range(entry) {
            self.bytes[value..value + len].fill(0);
        }
        // The entries behind it and the number of the next directory move up.
        self.bytes.copy_within(entry.at + 12..at + size, entry.at);
        self.bytes[at + size - 12..at + size].fill(0);
        self.put_u16(at, ((size - 6) / 12 - 1) as u16);
    }

    /// Removes the place: entry, directory and values. Refuses when other parts share their bytes.
    pub fn remove_gps(&mut self) -> Result<()> {
        // Again while a second directory is there.
        for _ in 0..4 {
            if self.pointer(Dir::Gps).is_none() {
                return Ok(());
            }
            self.check()?;
            let mut inside = Vec::new();
            if let Some(at) = self.place(Dir::Gps)
                && let Some(size) = self.table(at)
            {
                inside.push((at, size));
                inside
                    .extend(self.entries(Dir::Gps).filter_map(|entry| self.range(entry)).filter(|r| r.1 > 4));
            }
            let others = [Dir::Main, Dir::Exif, Dir::Interop, Dir::Thumbnail];
            let tables = others.iter().filter_map(|&dir| {
                let at = self.place(dir)?;
                Some((at, self.table(at)?))
            });
            let values = others.iter().flat_map(|&dir| self.entries(dir));
            let values = values.filter(|entry| entry.tag != tag::GPS);
            let values = values.filter_map(|entry| self.range(entry));
            let mut outside = tables.chain(values).chain([(0, 8)]);
            let shared =
                outside.find(|&(at, size)| inside.iter().any(|&(i, len)| i < at + size && at < i + len));
            drop(outside);
            if let Some((at, _)) = shared {
                bail!(BadData, "the place in EXIF shares bytes with what is at {at}");
            }
            for (at, size) in inside {
                self.bytes[at..at + size].fill(0);
            }
            let parent = if self.find(Dir::Main, tag::GPS).is_some() { Dir::Main } else { Dir::Exif };
            self.remove(parent, tag::GPS);
        }
        bail!(BadData, "EXIF names the place more than 4 times")
    }

    /// Removes the thumbnail with its directory. Its bytes are cut off at the end of the block and zeroed elsewhere.
    pub fn remove_thumbnail(&mut self) {
        let Some(pointer) = self.pointer(Dir::Thumbnail) else { return };
        let data = self
            .number(Dir::Thumbnail, tag::THUMBNAIL)
            .zip(self.number(Dir::Thumbnail, tag::THUMBNAIL_SIZE))
            .map(|(at, size)| (at as usize, size as usize));
        let table = self.place(Dir::Thumbnail).and_then(|at| Some((at, self.table(at)?)));
        let values: Vec<_> = self.entries(Dir::Thumbnail).filter_map(|entry| self.range(entry)).collect();
        self.put_u32(pointer, 0);
        // What another part has a claim on stays; the last first, so that the block is cut as far as possible.
        let mut ranges: Vec<_> = data.into_iter().chain(table).chain(values).collect();
        ranges.sort_unstable_by(|a, b| b.cmp(a));
        for (at, size) in ranges {
            let Some(end) = at.checked_add(size).filter(|&end| end <= self.bytes.len()) else { continue };
            if size == 0 || self.is_claimed(at, end) {
                continue;
            }
            // A byte of padding may stand behind.
            if end + 1 >= self.bytes.len() {
                self.bytes.truncate(at);
            } else {
                self.bytes[at..end].fill(0);
            }
        }
    }

    /// Whether a part other than the thumbnail uses bytes of a range.
    fn is_claimed(&self, start: usize, end: usize) -> bool {
        let dirs = [Dir::Main, Dir::Exif, Dir::Gps, Dir::Interop];
        let tables = dirs.iter().filter_map(|&dir| {
            let at = self.place(dir)?;
            Some((at, self.table(at)?))
        });
        let values = dirs.iter().flat_map(|&dir| self.entries(dir)).filter_map(|entry| self.range(entry));
        tables.chain(values).chain([(0, 8)]).any(|(at, size)| at < end && start < at + size)
    }

    /// Adds a JPEG thumbnail; there must be none.
    pub fn add_thumbnail(&mut self, jpeg: &[u8]) -> Result<()> {
        self.set_short(Dir::Thumbnail, tag::COMPRESSION, 6)?;
        self.set_long(Dir::Thumbnail, tag::THUMBNAIL, 0)?;
        self.set_long(Dir::Thumbnail, tag::THUMBNAIL_SIZE, jpeg.len() as u32)?;
        let at = self.end()?;
        try_extend(&mut self.bytes, jpeg, "a thumbnail")?;
        self.set_long(Dir::Thumbnail, tag::THUMBNAIL, at as u32)
    }

    /// Removes the maker's own data; cut off at the end of the block.
    pub fn remove_maker_note(&mut self) {
        let Some(range) = self.find(Dir::Exif, tag::MAKER_NOTE).and_then(|entry| self.range(entry)) else {
            return;
        };
        self.remove(Dir::Exif, tag::MAKER_NOTE);
        if range.0 + range.1 == self.bytes.len() && !self.is_claimed(range.0, range.0 + range.1) {
            self.bytes.truncate(range.0);
        }
    }
}
