//! Files taken apart into items.

use super::container::{Container, Group, Item, Kind, MOST, Property, Reference, damaged, push};
use crate::error::Result;

/// Reads numbers from the front of a box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (first, rest) =
            self.0.split_at_checked(count).ok_or_else(|| damaged("a box that ends too early"))?;
        self.0 = rest;
        Ok(first)
    }

    /// A number of 0 to 8 bytes.
    pub fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.number(1)? as u8)
    }

    pub fn u16(&mut self) -> Result<u16> {
        Ok(self.number(2)? as u16)
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.number(4)? as u32)
    }

    /// 16 or 32 bits.
    pub fn id(&mut self, wide: bool) -> Result<u32> {
        Ok(self.number(if wide { 4 } else { 2 })? as u32)
    }

    pub fn kind(&mut self) -> Result<Kind> {
        Ok(self.u32()?.to_be_bytes())
    }

    /// Version and flags of a box that has them.
    pub fn full(&mut self) -> Result<(u8, u32)> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0xff_ffff))
    }

    /// The next box; none at the end.
    pub fn next(&mut self) -> Result<Option<(Kind, Reader<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut head = *self;
        let (size, kind) = (head.u32()?, head.kind()?);
        let size = match size {
            0 => self.0.len() as u64,
            1 => head.number(8)?,
            size => size.into(),
        };
        let head = self.0.len() - head.0.len();
        let body = usize::try_from(size).ok().and_then(|size| size.checked_sub(head));
        let Some(body) = body.filter(|body| *body <= self.0.len() - head) else {
            return Err(damaged(format_args!(
                "a box {:?} of {size} bytes where {} are left",
                kind.escape_ascii().to_string(),
                self.0.len()
            )));
        };
        self.take(head)?;
        Ok(Some((kind, Reader(self.take(body)?))))
    }

    /// The first box of a type.
    pub fn find(mut self, wanted: &Kind) -> Result<Option<Reader<'a>>> {
        while let Some((kind, body)) = self.next()? {
            if kind == *wanted {
                return Ok(Some(body));
            }
        }
        Ok(None)
    }
}

impl<'a> Container<'a> {
    /// Takes a file apart.
    pub fn read(file: &'a [u8]) -> Result<Self> {
        let mut boxes = Reader(file);
        let (mut container, mut meta) = (Self { size: file.len(), ..Self::default() }, None);
        loop {
            let (kind, mut body) = match boxes.next() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                // What is behind may be cut short; whoever wants it will see.
                Err(_) if meta.is_some() => break,
                Err(error) => return Err(error),
            };
            match &kind {
                b"ftyp" => {
                    push(&mut container.brands, body.kind()?)?;
                    body.u32()?;
                    while !body.0.is_empty() {
                        push(&mut container.brands, body.kind()?)?;
                    }
                }
                b"meta" if meta.is_none() => {
                    body.full()?;
                    meta = Some(body);
                }
                _ => {}
            }
        }
        let meta = meta.ok_or_else(|| damaged("no meta box"))?;
        let part = |kind: &Kind| meta.find(kind);
        let needed =
            |kind: &Kind| part(kind)?.ok_or_else(|| damaged(format_args!("no {} box", kind.escape_ascii())));

        let mut pitm = needed(b"pitm")?;
        let (version, _) = pitm.full()?;
        container.primary = pitm.id(version > 0)?;
        container.read_items(needed(b"iinf")?)?;
        let idat = part(b"idat")?.map_or(&[][..], |idat| idat.0);
        container.read_places(needed(b"iloc")?, file, idat)?;
        if let Some(iref) = part(b"iref")? {
            container.read_references(iref)?;
        }
        if let Some(iprp) = part(b"iprp")? {
            container.read_properties(iprp)?;
        }
        if let Some(grpl) = part(b"grpl")? {
            container.read_groups(grpl)?;
        }
        if container.item(container.primary).is_none() {
            return Err(damaged(format_args!("no item {}, the main image", container.primary)));
        }
        Ok(container)
    }

    fn read_items(&mut self, mut iinf: Reader<'a>) -> Result<()> {
        let (version, _) = iinf.full()?;
        iinf.id(version > 0)?;
        while let Some((kind, mut entry)) = iinf.next()? {
            if kind != *b"infe" {
                continue;
            }
            let (version, flags) = entry.full()?;
            // Before version 2 entries have no type, and are no images.
            if !matches!(version, 2 | 3) {
                continue;
            }
            let id = entry.id(version == 3)?;
            entry.u16()?;
            let kind = entry.kind()?;
            let item = Item {
                id,
                kind,
                hidden: flags & 1 != 0,
                names: entry.0.into(),
                properties: Vec::new(),
                data: None,
            };
            push(&mut self.items, item)?;
        }
        self.items.sort_unstable_by_key(|item| item.id);
        if let Some(pair) = self.items.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(damaged(format_args!("two items of number {}", pair[0].id)));
        }
        Ok(())
    }

    fn read_places(&mut self, mut iloc: Reader<'a>, file: &'a [u8], idat: &'a [u8]) -> Result<()> {
        let (version, _) = iloc.full()?;
        let sizes = iloc.u16()?;
        let [offset, length, base, index] = [12, 8, 4, 0].map(|shift| usize::from(sizes >> shift & 15));
        let index = if version == 0 { 0 } else { index };
        if version > 2 || [offset, length, base, index].iter().any(|size| !matches!(size, 0 | 4 | 8)) {
            return Err(damaged(format_args!("an iloc box of version {version} with sizes {sizes:#x}")));
        }
        for _ in 0..iloc.id(version == 2)? {
            let id = iloc.id(version == 2)?;
            let method = if version == 0 { 0 } else { iloc.u16()? & 15 };
            let file_index = iloc.u16()?;
            let start = iloc.number(base)?;
            let whole = match (method, file_index) {
                (0, 0) => Some(file),
                (1, 0) => Some(idat),
                // In other items, or other files.
                _ => None,
            };
            let mut pieces = Some(Vec::new());
            for _ in 0..iloc.u16()? {
                iloc.number(index)?;
                let (at, len) = (iloc.number(offset)?, iloc.number(length)?);
                let piece = whole.and_then(|whole| piece(whole, start.checked_add(at)?, len));
                match (&mut pieces, piece) {
                    (Some(pieces), Some(piece)) => push(pieces, piece.into())?,
                    _ => pieces = None,
                }
            }
            if let Some(item) = self.item_mut(id) {
                item.data = pieces;
            }
        }
        Ok(())
    }

    fn read_references(&mut self, mut iref: Reader<'a>) -> Result<()> {
        let (version, _) = iref.full()?;
        while let Some((kind, mut body)) = iref.next()? {
            let from = body.id(version > 0)?;
            let mut to = Vec::new();
            for _ in 0..body.u16()? {
                push(&mut to, body.id(version > 0)?)?;
            }
            push(&mut self.references, Reference { kind, from, to })?;
        }
        Ok(())
    }

    fn read_properties(&mut self, mut iprp: Reader<'a>) -> Result<()> {
        let mut all: Vec<(Kind, &[u8])> = Vec::new();
        if let Some(mut ipco) = iprp.find(b"ipco")? {
            while let Some((kind, body)) = ipco.next()? {
                push(&mut all, (kind, body.0))?;
            }
        }
        let mut count = 0;
        while let Some((kind, mut ipma)) = iprp.next()? {
            if kind != *b"ipma" {
                continue;
            }
            let (version, flags) = ipma.full()?;
            for _ in 0..ipma.u32()? {
                let id = ipma.id(version > 0)?;
                for _ in 0..ipma.u8()? {
                    let wide = flags & 1 != 0;
                    let (entry, top) = match wide {
                        true => (ipma.u16()?, 0x8000),
                        false => (ipma.u8()?.into(), 0x80),
                    };
                    count += 1;
                    if count > MOST {
                        return Err(damaged(format_args!("more than {MOST} properties")));
                    }
                    let (essential, index) = (entry & top != 0, usize::from(entry & !top));
                    // 0 is no property.
                    let property = index.checked_sub(1).and_then(|index| all.get(index));
                    if let (Some((kind, body)), Some(item)) = (property, self.item_mut(id)) {
                        push(
                            &mut item.properties,
                            Property { essential, kind: *kind, body: (*body).into() },
                        )?;
                    }
                }
            }
        }
        Ok(())
    }

    fn read_groups(&mut self, mut grpl: Reader<'a>) -> Result<()> {
        while let Some((kind, mut body)) = grpl.next()? {
            body.full()?;
            body.u32()?;
            let mut items = Vec::new();
            for _ in 0..body.u32()? {
                push(&mut items, body.u32()?)?;
            }
            push(&mut self.groups, Group { kind, items })?;
        }
        Ok(())
    }
}

/// `len` bytes from `at` on; 0 stands for all that follow.
fn piece(whole: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    let rest = whole.get(at..)?;
    if len == 0 { Some(rest) } else { rest.get(..usize::try_from(len).ok()?) }
}
