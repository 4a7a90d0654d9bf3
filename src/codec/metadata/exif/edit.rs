//! EXIF is changed in place, so that what points into it, as maker notes do, still finds what it points at. What is new
//! goes to the end.

use super::{Dir, Exif, kind, tag, unit};
use crate::{
    bail,
    error::{Result, try_extend, try_vec},
    model::metadata::Density,
};

impl Exif {
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
        let bytes = self.order.u16_bytes(value);
        self.set(dir, tag, kind::SHORT, &bytes)
    }

    /// Sets a whole number.
    pub fn set_long(&mut self, dir: Dir, tag: u16, value: u32) -> Result<()> {
        let bytes = self.order.u32_bytes(value);
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
                let four = self.order.u32_bytes(number);
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
        let four = self.order.u32_bytes(at as u32);
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

    fn put_u16(&mut self, at: usize, value: u16) {
        let bytes = self.order.u16_bytes(value);
        if let Some(place) = self.bytes.get_mut(at..at + 2) {
            place.copy_from_slice(&bytes);
        }
    }

    fn put_u32(&mut self, at: usize, value: u32) {
        let bytes = self.order.u32_bytes(value);
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&bytes);
        }
    }
}
