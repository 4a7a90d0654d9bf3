//! Files written of items: `ftyp`, `meta`, `mdat`.

use super::{
    container::{Container, Kind, Property, Reference},
    movie_writing::Places,
};
use crate::{
    bail, err,
    error::{Error, Result},
    sink::Sink,
};

/// Bytes that answer when memory runs out.
#[derive(Default)]
pub(super) struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        crate::error::try_extend(&mut self.0, bytes, "the boxes of a file")
    }

    pub fn u16(&mut self, number: u16) -> Result<()> {
        self.put(&number.to_be_bytes())
    }

    pub fn u32(&mut self, number: u32) -> Result<()> {
        self.put(&number.to_be_bytes())
    }

    /// A number of an item, or of a count of them.
    fn short(&mut self, number: usize) -> Result<()> {
        let short = u16::try_from(number);
        self.u16(short.map_err(|_| err!(TooLarge, "{number} items: a file has at most {}", u16::MAX))?)
    }

    /// A box around what `fill` writes.
    pub fn nest(&mut self, kind: &Kind, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let start = self.0.len();
        self.u32(0)?;
        self.put(kind)?;
        fill(self)?;
        let size = long(self.0.len() - start)?;
        self.0[start..start + 4].copy_from_slice(&size.to_be_bytes());
        Ok(())
    }

    /// A box with version and flags.
    pub fn nest_full(
        &mut self,
        kind: &Kind,
        (version, flags): (u8, u32),
        fill: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.nest(kind, |out| {
            out.u32(u32::from(version) << 24 | flags)?;
            fill(out)
        })
    }
}

pub(super) fn long(number: usize) -> Result<u32> {
    u32::try_from(number)
        .map_err(|_| err!(TooLarge, "a file of more than {number} bytes; HEIF has at most 4 GiB"))
}

/// The properties of all items, each once, and which an item has.
struct Properties<'a> {
    distinct: Vec<(&'a Kind, &'a [u8])>,
    /// Essential, and the place in the list, from 1 on.
    of_items: Vec<Vec<(bool, usize)>>,
}

impl<'a> Properties<'a> {
    fn of(container: &'a Container<'_>) -> Result<Self> {
        let mut all = Self { distinct: Vec::new(), of_items: Vec::new() };
        for item in &container.items {
            let places = item.properties.iter().map(|Property { essential, kind, body }| {
                let known = all.distinct.iter().position(|(k, b)| *k == kind && **b == **body);
                let place = known.unwrap_or_else(|| {
                    all.distinct.push((kind, body));
                    all.distinct.len() - 1
                });
                (*essential, place + 1)
            });
            let places = places.collect();
            all.of_items.push(places);
            if all.distinct.len() > MOST_PROPERTIES {
                bail!(BadData, "the HEIF data is damaged: more than {MOST_PROPERTIES} different properties");
            }
        }
        Ok(all)
    }
}

/// Different properties that are worth writing: each is compared with those before it.
const MOST_PROPERTIES: usize = 1024;

impl Container<'_> {
    /// Writes the file. Its numbers are those of the items, counted from 1.
    pub fn write(&self, sink: &mut dyn Sink) -> Result<()> {
        let number = |id: u32| {
            let index = self.items.binary_search_by_key(&id, |item| item.id);
            index.map(|index| index + 1).map_err(|_| err!(BadData, "the HEIF data is damaged: no item {id}"))
        };
        let mut head = Bytes::default();
        head.nest(b"ftyp", |out| {
            out.put(self.brands.first().unwrap_or(b"mif1"))?;
            out.u32(0)?;
            self.brands.iter().skip(1).try_for_each(|brand| out.put(brand))
        })?;
        let properties = Properties::of(self)?;
        let mut places = Places::new();
        head.nest_full(b"meta", (0, 0), |out| {
            out.nest_full(b"hdlr", (0, 0), |out| {
                // Nothing predefined; pictures; three reserved words; no name.
                out.put(b"\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0")
            })?;
            out.nest_full(b"pitm", (0, 0), |out| out.short(number(self.primary)?))?;
            self.write_places(out, &mut places)?;
            out.nest_full(b"iinf", (0, 0), |out| {
                out.short(self.items.len())?;
                for (index, item) in self.items.iter().enumerate() {
                    out.nest_full(b"infe", (2, item.hidden.into()), |out| {
                        out.short(index + 1)?;
                        out.u16(0)?;
                        out.put(&item.kind)?;
                        out.put(if item.names.is_empty() { b"\0" } else { &item.names })
                    })?;
                }
                Ok(())
            })?;
            if !self.references.is_empty() {
                out.nest_full(b"iref", (0, 0), |out| {
                    self.references.iter().try_for_each(|Reference { kind, from, to }| {
                        out.nest(kind, |out| {
                            out.short(number(*from)?)?;
                            out.short(to.len())?;
                            to.iter().try_for_each(|to| out.short(number(*to)?))
                        })
                    })
                })?;
            }
            out.nest(b"iprp", |out| {
                out.nest(b"ipco", |out| {
                    properties
                        .distinct
                        .iter()
                        .try_for_each(|(kind, body)| out.nest(kind, |out| out.put(body)))
                })?;
                let wide = properties.distinct.len() > 127;
                out.nest_full(b"ipma", (0, wide.into()), |out| {
                    out.u32(long(self.items.len())?)?;
                    for (index, places) in properties.of_items.iter().enumerate() {
                        out.short(index + 1)?;
                        out.put(&[u8::try_from(places.len()).map_err(|_| {
                            err!(BadData, "the HEIF data is damaged: {} properties", places.len())
                        })?])?;
                        for (essential, place) in places {
                            match wide {
                                true => out.u16(*place as u16 | u16::from(*essential) << 15)?,
                                false => out.put(&[*place as u8 | u8::from(*essential) << 7])?,
                            }
                        }
                    }
                    Ok(())
                })
            })?;
            if !self.groups.is_empty() {
                out.nest(b"grpl", |out| {
                    for (index, group) in self.groups.iter().enumerate() {
                        out.nest_full(&group.kind, (0, 0), |out| {
                            // Numbers of groups and of items differ.
                            out.u32(long(self.items.len() + 1 + index)?)?;
                            out.u32(long(group.items.len())?)?;
                            group.items.iter().try_for_each(|item| out.u32(long(number(*item)?)?))
                        })?;
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })?;

        let mut chunks = Places::new();
        let items = || self.items.iter().flat_map(|item| item.data.iter().flatten());
        if !self.tracks.is_empty() {
            self.write_movie(&mut head, &mut chunks)?;
        }
        // Samples that are no items follow them.
        let pieces = || {
            let samples = self.tracks.iter().flat_map(|(_, track)| track.samples.iter().skip(1));
            items().map(|piece| &**piece).chain(samples.map(|sample| sample.bytes))
        };
        let size = pieces().try_fold(8usize, |sum, piece| sum.checked_add(piece.len()));
        let size = size.ok_or_else(|| Error::out_of_memory(usize::MAX, "a file"))?;
        let start = head.0.len() + 8;
        long(start.saturating_add(size))?;
        // Now it is known where the bytes will be.
        for (place, offset) in places.into_iter().chain(chunks) {
            let offset = (start + offset) as u32;
            head.0[place..place + 4].copy_from_slice(&offset.to_be_bytes());
        }
        head.u32(long(size)?)?;
        head.put(b"mdat")?;
        sink.reserve(head.0.len() + size);
        sink.write(&head.0)?;
        pieces().try_for_each(|piece| sink.write(piece))
    }

    /// Where the items' bytes are. Offsets are filled in later: `places` has where they are written, and the
    /// distance from the first byte of all.
    fn write_places(&self, out: &mut Bytes, places: &mut Places) -> Result<()> {
        out.nest_full(b"iloc", (0, 0), |out| {
            // Offsets and lengths of four bytes each, no base.
            out.put(&[0x44, 0])?;
            let with_data = || self.items.iter().enumerate().filter(|(_, item)| item.data.is_some());
            out.short(with_data().count())?;
            let mut at = 0usize;
            for (index, item) in with_data() {
                let size: usize = item.data.iter().flatten().map(|piece| piece.len()).sum();
                out.short(index + 1)?;
                out.u16(0)?;
                // The pieces are put together.
                out.u16(1)?;
                places.push((out.0.len(), at));
                out.u32(0)?;
                out.u32(long(size)?)?;
                at = at.saturating_add(size);
            }
            Ok(())
        })
    }
}
