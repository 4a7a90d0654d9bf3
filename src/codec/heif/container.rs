//! The boxes of an image file (ISO/IEC 14496-12, 23008-12), taken apart and put together again: items with their
//! properties and coded bytes, and what they are to each other.
//!
//! libheif codes and decodes single images; files of several that belong together are made here of its files, and
//! single images are cut out of files for it to decode. Whatever the bytes are, the answer is an error at worst.

use std::borrow::Cow;

use super::{movie::Track, parsing::Reader};
use crate::{
    bail, err,
    error::{Error, Result},
    model::color::{Cicp, Light, MasteringDisplay},
    pixels::Orientation,
};

/// A box's type.
pub(super) type Kind = [u8; 4];

/// Items, references and properties that a file may have: more than a grid of 256 x 256 tiles needs.
pub(super) const MOST: usize = 1 << 18;
/// Bytes that an image may have beyond those of its file, because parts of it share some.
const MOST_REPEATED: usize = 16 << 20;
/// Grids and the like that an image may be made of; each has a look at all references.
const MOST_DERIVED: usize = 64;

/// An image, a part of one, or metadata.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    /// Its number in the file.
    pub id: u32,
    /// Its type: "hvc1", "av01", "grid", "tmap", "Exif", "mime".
    pub kind: Kind,
    /// Whether it is not to be shown on its own.
    pub hidden: bool,
    /// What its entry says behind the type: name, content type.
    pub names: Cow<'a, [u8]>,
    /// What is said about it, in order.
    pub properties: Vec<Property<'a>>,
    /// Its bytes, in pieces; none where the file has none of them.
    pub data: Option<Vec<Cow<'a, [u8]>>>,
}

/// A property of an item: a box of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Property<'a> {
    /// Whether readers that do not know it must leave the item alone.
    pub essential: bool,
    /// The box's type.
    pub kind: Kind,
    /// What is in the box.
    pub body: Cow<'a, [u8]>,
}

/// From one item to others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    /// What they are to each other: "dimg", "auxl", "cdsc", "thmb".
    pub kind: Kind,
    pub from: u32,
    pub to: Vec<u32>,
}

/// Items that belong together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// In which way: "altr" is the one or the other, the first that a reader knows.
    pub kind: Kind,
    pub items: Vec<u32>,
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct Container<'a> {
    /// Bytes of the file that was read.
    pub size: usize,
    /// The major brand and the compatible ones.
    pub brands: Vec<Kind>,
    /// The main image.
    pub primary: u32,
    /// In the order of their numbers.
    pub items: Vec<Item<'a>>,
    pub references: Vec<Reference>,
    pub groups: Vec<Group>,
    /// Tracks, each with the item whose bytes are those of its first sample. They are written, not read.
    pub tracks: Vec<(u32, Track<'a>)>,
}

impl Item<'_> {
    /// What is in the first property of a type.
    pub fn property(&self, kind: &Kind) -> Option<&[u8]> {
        self.properties.iter().find(|property| property.kind == *kind).map(|property| &*property.body)
    }

    /// What an auxiliary image is for.
    pub fn auxiliary_type(&self) -> Option<&[u8]> {
        self.property(b"auxC")?.get(4..)?.split(|byte| *byte == 0).next()
    }

    /// Its code points.
    pub fn nclx(&self) -> Option<Cicp> {
        let found =
            |property: &&Property<'_>| property.kind == *b"colr" && property.body.starts_with(b"nclx");
        code_points(&self.properties.iter().find(found)?.body)
    }

    /// Its content light level and mastering display.
    pub fn light(&self) -> Light {
        let level = |at| self.property(b"clli").and_then(|clli| u16_at(clli, at)).unwrap_or(0);
        let display = |mdcv: &[u8]| {
            let mut words = Reader(mdcv);
            let mut point = || -> Result<[u16; 2]> { Ok([words.u16()?, words.u16()?]) };
            let [green, blue, red, white] = [point()?, point()?, point()?, point()?];
            let luminance = [words.u32()?, words.u32()?];
            let display = MasteringDisplay { chromaticities: [red, green, blue, white], luminance };
            display.check().map(|()| display)
        };
        let mastering = self.property(b"mdcv").and_then(|mdcv| display(mdcv).ok());
        Light { max_cll: level(0), max_fall: level(2), mastering }
    }

    /// Says so of it. The display's primaries stand as in video: green, blue, red (ISO/IEC 14496-12, 12.1.7; ISO/IEC
    /// 23008-2, D.3.28).
    pub fn describe_light(&mut self, light: &Light) {
        if light.has_level() {
            let body = [light.max_cll.to_be_bytes(), light.max_fall.to_be_bytes()].concat();
            self.add(b"clli", false, body);
        }
        if let Some(MasteringDisplay { chromaticities: [red, green, blue, white], luminance }) =
            light.mastering
        {
            let points = [green, blue, red, white];
            let mut body: Vec<u8> =
                points.as_flattened().iter().flat_map(|value| value.to_be_bytes()).collect();
            body.extend(luminance.iter().flat_map(|value| value.to_be_bytes()));
            self.add(b"mdcv", false, body);
        }
    }

    /// Its bytes in one piece.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let pieces = self.data.as_deref().ok_or_else(|| self.without_data())?;
        let mut all = Vec::new();
        let size = pieces.iter().map(|piece| piece.len()).sum();
        all.try_reserve_exact(size).map_err(|_| Error::out_of_memory(size, "an item"))?;
        pieces.iter().for_each(|piece| all.extend_from_slice(piece));
        Ok(all)
    }

    fn without_data(&self) -> Error {
        damaged(format_args!("no bytes of item {} ({})", self.id, self.kind.escape_ascii()))
    }

    /// Says how to turn the stored pixels: a number of quarter turns counterclockwise, then a flip, of top and bottom (0) or
    /// of left and right (1) (ISO/IEC 23008-12, 6.5.10 and 6.5.12).
    pub fn turn(&mut self, stored: Orientation) {
        use Orientation::*;
        let (turns, flip) = match stored {
            Upright => (0, None),
            MirrorX => (0, Some(1)),
            Half => (2, None),
            MirrorY => (0, Some(0)),
            Transpose => (1, Some(0)),
            Right => (3, None),
            Transverse => (3, Some(0)),
            Left => (1, None),
        };
        let property =
            |kind: &Kind, code: u8| Property { essential: true, kind: *kind, body: vec![code].into() };
        self.properties.extend((turns > 0).then(|| property(b"irot", turns)));
        self.properties.extend(flip.map(|axis| property(b"imir", axis)));
    }

    /// Puts a property where it belongs: before those that change the image's shape.
    pub fn add(&mut self, kind: &Kind, essential: bool, body: Vec<u8>) {
        let shaping = |property: &Property<'_>| matches!(&property.kind, b"clap" | b"irot" | b"imir");
        let at = self.properties.iter().position(shaping).unwrap_or(self.properties.len());
        self.properties.insert(at, Property { essential, kind: *kind, body: body.into() });
    }
}

pub(super) fn damaged(what: impl std::fmt::Display) -> Error {
    err!(BadData, "the HEIF data is damaged: {what}")
}

/// What a box of code points says (ISO/IEC 14496-12, 12.1.5).
pub(super) fn code_points(nclx: &[u8]) -> Option<Cicp> {
    let code = |at| u8::try_from(u16_at(nclx, at)?).ok();
    let full_range = nclx.get(10)? & 0x80 != 0;
    Some(Cicp { primaries: code(4)?, transfer: code(6)?, matrix: code(8)?, full_range })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Adds to a list that may be as long as a file says.
pub(super) fn push<T>(list: &mut Vec<T>, value: T) -> Result<()> {
    if list.len() >= MOST {
        bail!(BadData, "the HEIF data is damaged: more than {MOST} entries of a list");
    }
    list.try_reserve(1)
        .map_err(|_| Error::out_of_memory(list.len() * size_of::<T>(), "the boxes of a file"))?;
    list.push(value);
    Ok(())
}

impl<'a> Container<'a> {
    fn index(&self, id: u32) -> Option<usize> {
        self.items.binary_search_by_key(&id, |item| item.id).ok()
    }

    /// The item of a number.
    pub fn item(&self, id: u32) -> Option<&Item<'a>> {
        self.index(id).map(|index| &self.items[index])
    }

    /// The same, to be changed.
    pub fn item_mut(&mut self, id: u32) -> Option<&mut Item<'a>> {
        self.index(id).map(|index| &mut self.items[index])
    }

    /// Whether the file says that it is of a brand.
    pub fn has_brand(&self, brand: &Kind) -> bool {
        self.brands.contains(brand)
    }

    /// The items that `from` refers to in one way.
    pub fn referred(&self, kind: &Kind, from: u32) -> impl Iterator<Item = u32> {
        let found = move |reference: &&Reference| reference.kind == *kind && reference.from == from;
        self.references.iter().filter(found).flat_map(|reference| reference.to.iter().copied())
    }

    /// The items that refer to `to` in one way.
    pub fn referring(&self, kind: &Kind, to: u32) -> impl Iterator<Item = u32> {
        let found = move |reference: &&Reference| reference.kind == *kind && reference.to.contains(&to);
        self.references.iter().filter(found).map(|reference| reference.from)
    }

    /// Adds an item under a new number.
    pub fn add(&mut self, item: Item<'a>) -> Result<u32> {
        let id = self.items.last().map_or(Some(1), |last| last.id.checked_add(1));
        let id = id.ok_or_else(|| damaged("an item of the highest number"))?;
        push(&mut self.items, Item { id, ..item })?;
        Ok(id)
    }

    /// Takes all items of another file in, under new numbers; answers that of its main image.
    pub fn take(&mut self, other: Container<'a>) -> Result<u32> {
        let mut numbers = Vec::new();
        for item in other.items {
            let old = item.id;
            push(&mut numbers, (old, self.add(item)?))?;
        }
        let new = |old: u32| {
            let index = numbers.binary_search_by_key(&old, |pair| pair.0).ok();
            index.map(|index| numbers[index].1).ok_or_else(|| damaged(format_args!("no item {old}")))
        };
        for Reference { kind, from, to } in other.references {
            let to = to.into_iter().map(new).collect::<Result<_>>()?;
            push(&mut self.references, Reference { kind, from: new(from)?, to })?;
        }
        new(other.primary)
    }

    /// A file of one image of this one, and of what it is made of.
    pub fn alone(&self, id: u32) -> Result<Self> {
        let mut wanted = Vec::new();
        push(&mut wanted, id)?;
        // Alpha goes with the image as a whole.
        for aux in self.referring(b"auxl", id) {
            if self.item(aux).and_then(Item::auxiliary_type).is_some_and(|kind| ALPHA.contains(&kind)) {
                push(&mut wanted, aux)?;
            }
        }
        let (mut looked_at, mut derived) = (0, 0);
        while let Some(&from) = wanted.get(looked_at) {
            looked_at += 1;
            if !self.item(from).is_some_and(|item| matches!(&item.kind, b"grid" | b"iovl" | b"iden")) {
                continue;
            }
            derived += 1;
            if derived > MOST_DERIVED {
                bail!(
                    BadData,
                    "the HEIF data is damaged: an image derived from more than {MOST_DERIVED} others"
                );
            }
            for part in self.referred(b"dimg", from) {
                push(&mut wanted, part)?;
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        let mut alone = Self { brands: self.brands.clone(), primary: id, ..Self::default() };
        for &id in &wanted {
            let item = self.item(id).ok_or_else(|| damaged(format_args!("no item {id}")))?;
            push(&mut alone.items, item.clone())?;
        }
        if let Some(item) = alone.item_mut(id) {
            item.hidden = false;
        }
        // Items may share their bytes, but not so that a small file becomes a large one.
        let pieces = alone.items.iter().flat_map(|item| item.data.iter().flatten());
        let size = pieces.fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
        if size > self.size.saturating_add(MOST_REPEATED) {
            bail!(BadData, "the HEIF data is damaged: an image of {size} bytes in a file of {}", self.size);
        }
        let inside = |id: &u32| wanted.binary_search(id).is_ok();
        for reference in &self.references {
            if inside(&reference.from) && reference.to.iter().all(inside) {
                push(&mut alone.references, reference.clone())?;
            }
        }
        Ok(alone)
    }
}

/// What auxiliary images are called that are alpha, in HEVC's and in all other files.
pub(super) const ALPHA: [&[u8]; 2] =
    [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];
