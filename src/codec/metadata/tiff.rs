//! Metadata in TIFF files (TIFF 6.0; XMP, part 3; EXIF 2.32): directories that EXIF took over, among those that say how
//! pixels are stored. What is about the photograph is put together as EXIF of its own.

use super::{
    Found,
    exif::{Exif, tag},
    numbers::Order,
};
use crate::error::{Result, try_collect, try_extend};

/// XMP.
const XMP: u16 = 700;
/// IPTC without image resources around it.
const IPTC: u16 = 33723;
/// Photoshop's image resources.
const PHOTOSHOP: u16 = 34377;
/// An ICC profile.
const ICC: u16 = 34675;
/// Tags of the first directory that are about the picture: description, maker, camera, orientation, density, software,
/// date, artist, host computer, ratings, copyright, and Windows' own texts. All others are about the file.
const MAIN: [u16; 20] = [
    0x010e,
    tag::MAKE,
    tag::MODEL,
    tag::ORIENTATION,
    tag::X_RESOLUTION,
    tag::Y_RESOLUTION,
    tag::RESOLUTION_UNIT,
    tag::SOFTWARE,
    tag::DATE_TIME,
    0x013b,
    0x013c,
    0x4746,
    0x4749,
    tag::COPYRIGHT,
    0x9c9b,
    0x9c9c,
    0x9c9d,
    0x9c9e,
    0x9c9f,
    0xc614,
];

/// Bytes that EXIF may have beyond those of the file it is taken from, because values share some.
const MOST_REPEATED: usize = 1 << 16;

/// A TIFF file that is looked at.
#[derive(Clone, Copy)]
struct Tiff<'a> {
    bytes: &'a [u8],
    order: Order,
}

/// A line of a directory with its value's bytes, in the file's order.
#[derive(Clone, Copy)]
struct Entry<'a> {
    tag: u16,
    kind: u16,
    count: u32,
    value: &'a [u8],
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        Order::of(bytes).map(|order| Self { bytes, order })
    }

    fn u16(self, at: usize) -> Option<u16> {
        self.order.u16_at(self.bytes, at)
    }

    fn u32(self, at: usize) -> Option<u32> {
        self.order.u32_at(self.bytes, at)
    }

    fn first(self) -> Option<usize> {
        self.u32(4).map(|at| at as usize)
    }

    /// The lines of a directory whose values are inside of the file.
    fn entries(self, directory: Option<usize>) -> impl Iterator<Item = Entry<'a>> {
        let at = directory.unwrap_or(usize::MAX - 0x10_0000);
        (0..usize::from(self.u16(at).unwrap_or(0))).filter_map(move |index| {
            let at = at + 2 + 12 * index;
            let (tag, kind, count) = (self.u16(at)?, self.u16(at + 2)?, self.u32(at + 4)?);
            let size = usize::try_from(u64::from(count).checked_mul(super::exif::unit(kind))?).ok()?;
            let place = if size <= 4 { at + 8 } else { self.u32(at + 8)? as usize };
            Some(Entry { tag, kind, count, value: self.bytes.get(place..place.checked_add(size)?)? })
        })
    }

    fn find(self, tag: u16) -> Option<Entry<'a>> {
        self.entries(self.first()).find(|entry| entry.tag == tag)
    }

    /// The directory that an entry points to.
    fn below(self, entry: Option<Entry<'a>>) -> Option<usize> {
        self.order.u32_at(entry?.value, 0).map(|at| at as usize)
    }

    /// EXIF of what is about the photograph; the flag says whether there are maker's notes, whose offsets count from
    /// places that are no more.
    fn exif(self) -> Result<(Option<Vec<u8>>, bool)> {
        let photo_at = self.below(self.find(tag::EXIF));
        let interop_at = self
            .below(self.entries(photo_at).find(|entry| entry.tag == tag::INTEROP))
            .filter(|_| photo_at.is_some());
        let notes = self.entries(photo_at).any(|entry| entry.tag == tag::MAKER_NOTE);
        let not = |tags: [u16; 2]| move |entry: &Entry<'a>| !tags.contains(&entry.tag);
        let main = listed(self.entries(self.first()).filter(|entry| MAIN.contains(&entry.tag)))?;
        let photo = listed(self.entries(photo_at).filter(not([tag::MAKER_NOTE, tag::INTEROP])))?;
        let gps = listed(self.entries(self.below(self.find(tag::GPS))))?;
        let interop = listed(self.entries(interop_at))?;
        // Where each directory will be: its pointer is an entry of the one before.
        let size = |entries: &[Entry<'_>], pointers: usize| {
            let values = entries.iter().filter(|entry| entry.value.len() > 4);
            let values: usize = values.map(|entry| entry.value.len().next_multiple_of(2)).sum();
            2 + 12 * (entries.len() + pointers) + 4 + values
        };
        let has = |entries: &[Entry<'_>]| usize::from(!entries.is_empty());
        let photo_has = has(&photo).max(has(&interop));
        if main.is_empty() && photo_has == 0 && gps.is_empty() {
            return Ok((None, notes));
        }
        let photo_to = 8 + size(&main, photo_has + has(&gps));
        let interop_to = photo_to + photo_has * size(&photo, has(&interop));
        let gps_to = interop_to + has(&interop) * size(&interop, 0);
        // Values that many entries share would be there as often.
        let whole = gps_to + has(&gps) * size(&gps, 0);
        if whole > self.bytes.len().saturating_add(MOST_REPEATED) {
            return Ok((None, notes));
        }
        let mut out = Vec::new();
        try_extend(&mut out, &self.bytes[..4], "EXIF")?;
        try_extend(&mut out, &self.order.u32_bytes(8), "EXIF")?;
        let mut below = Vec::new();
        below.extend((photo_has == 1).then_some((tag::EXIF, photo_to)));
        below.extend((!gps.is_empty()).then_some((tag::GPS, gps_to)));
        self.write(&mut out, &main, &below)?;
        if photo_has == 1 {
            let below: Vec<_> =
                (!interop.is_empty()).then_some((tag::INTEROP, interop_to)).into_iter().collect();
            self.write(&mut out, &photo, &below)?;
        }
        for directory in [interop, gps].iter().filter(|directory| !directory.is_empty()) {
            self.write(&mut out, directory, &[])?;
        }
        Ok((Some(out), notes))
    }

    /// Appends a directory with the values that do not fit behind it; `below` are directories of its own.
    fn write(self, out: &mut Vec<u8>, entries: &[Entry<'_>], below: &[(u16, usize)]) -> Result<()> {
        let pointers: Vec<_> =
            below.iter().map(|&(tag, at)| (tag, self.order.u32_bytes(at as u32))).collect();
        let pointers = pointers.iter().map(|(tag, value)| Entry { tag: *tag, kind: 4, count: 1, value });
        let mut all = listed(entries.iter().copied().chain(pointers))?;
        all.sort_by_key(|entry| entry.tag);
        let mut behind = out.len() + 2 + 12 * all.len() + 4;
        let mut table = Vec::new();
        try_extend(&mut table, &self.order.u16_bytes(all.len() as u16), "EXIF")?;
        let mut values = Vec::new();
        for Entry { tag, kind, count, value } in all {
            let mut place = [0; 4];
            if value.len() <= 4 {
                place[..value.len()].copy_from_slice(value);
            } else {
                place = self.order.u32_bytes(behind as u32);
                behind += value.len().next_multiple_of(2);
                try_extend(&mut values, value, "EXIF")?;
                try_extend(&mut values, &[0][..value.len() % 2], "EXIF")?;
            }
            for piece in [
                &self.order.u16_bytes(tag)[..],
                &self.order.u16_bytes(kind),
                &self.order.u32_bytes(count),
                &place,
            ] {
                try_extend(&mut table, piece, "EXIF")?;
            }
        }
        try_extend(&mut table, &[0; 4], "EXIF")?;
        try_extend(out, &table, "EXIF")?;
        try_extend(out, &values, "EXIF")
    }
}

/// The lines of a directory, of which there may be 65535.
fn listed<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Result<Vec<Entry<'a>>> {
    try_collect(entries.map(Ok), "the directories of a TIFF file")
}

/// The ICC profile of the first image.
pub fn icc(file: &[u8]) -> Option<&[u8]> {
    Tiff::new(file)?.find(ICC).map(|entry| entry.value)
}

pub(super) fn find(file: &[u8]) -> Result<Found> {
    let mut found = Found::default();
    let Some(tiff) = Tiff::new(file) else { return Ok(found) };
    let (exif, notes) = tiff.exif()?;
    found.vendor = notes;
    if let Some(exif) = exif {
        // What does not hold is not carried.
        if let Ok(checked) = Exif::new(&exif) {
            found.metadata.density = checked.density();
            found.exif(&exif)?;
        }
    }
    if let Some(entry) = tiff.find(XMP) {
        found.xmp(entry.value)?;
    }
    for tag in [PHOTOSHOP, IPTC] {
        if let Some(entry) = tiff.find(tag) {
            found.iptc(entry.value)?;
        }
    }
    Ok(found)
}
