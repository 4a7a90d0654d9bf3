//! Finding the smallest kind of PNG that still holds every pixel exactly.

use super::shape::{Channels, ColorType, Shape};
use crate::{
    bail,
    error::Result,
    pack::control::Control,
    pixels::{Rows, Scratch},
};

/// Rows pulled at a time.
const BAND: u32 = 16;
/// Slots of the colour table: four for each colour that a palette can hold.
const SLOTS: usize = 1024;

/// Up to 256 colours. A table of slots, so that looking up is one multiplication and a compare or two.
#[derive(Clone, Debug)]
pub struct Palette {
    /// R, G, B, A.
    pub colors: Vec<u32>,
    keys: Box<[u32; SLOTS]>,
    /// Index + 1; 0 is a free slot.
    indices: Box<[u16; SLOTS]>,
}

impl Palette {
    pub fn new() -> Self {
        Self { colors: Vec::with_capacity(256), keys: Box::new([0; SLOTS]), indices: Box::new([0; SLOTS]) }
    }

    #[inline(always)]
    fn slot(&self, color: u32) -> usize {
        let mut slot = (color.wrapping_mul(0x9e37_79b1) >> 22) as usize;
        while self.indices[slot] != 0 && self.keys[slot] != color {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }

    /// Adds a colour; false when it does not fit any more.
    #[inline]
    pub fn insert(&mut self, color: u32) -> bool {
        let slot = self.slot(color);
        if self.indices[slot] == 0 {
            if self.colors.len() == 256 {
                return false;
            }
            self.colors.push(color);
            self.keys[slot] = color;
            self.indices[slot] = self.colors.len() as u16;
        }
        true
    }

    /// Sorts the colours: translucent ones first, so that tRNS is short, then by value, so that the order does
    /// not depend on where they were seen.
    pub fn sort(&mut self) {
        self.colors.sort_unstable_by_key(|&c| (c & 0xff == 255, c));
        self.indices.fill(0);
        for index in 0..self.colors.len() {
            let slot = self.slot(self.colors[index]);
            self.keys[slot] = self.colors[index];
            self.indices[slot] = index as u16 + 1;
        }
    }

    /// Bits per index.
    fn depth(&self) -> u8 {
        match self.colors.len() {
            0..=2 => 1,
            3..=4 => 2,
            5..=16 => 4,
            _ => 8,
        }
    }

    /// Data of the PLTE chunk.
    pub fn plte(&self) -> Vec<u8> {
        self.colors.iter().flat_map(|c| c.to_be_bytes()[..3].to_vec()).collect()
    }

    /// Data of the tRNS chunk: the alpha of all colours up to the last translucent one.
    pub fn trns(&self) -> Vec<u8> {
        let used = self.colors.iter().rposition(|&c| c & 0xff < 255).map_or(0, |last| last + 1);
        self.colors[..used].iter().map(|&c| c as u8).collect()
    }

    /// Looks colours up, one after the other.
    pub fn indexer(&self) -> Indexer<'_> {
        let first = self.colors.first().copied().unwrap_or(0);
        Indexer { palette: self, last: first, index: 0 }
    }
}

/// Remembers the last colour: neighbours are often equal.
pub struct Indexer<'a> {
    palette: &'a Palette,
    last: u32,
    index: u8,
}

impl Indexer<'_> {
    #[inline(always)]
    pub fn of(&mut self, color: u32) -> u8 {
        if color != self.last {
            self.last = color;
            let slot = self.palette.slot(color);
            // A colour that was not there when the palette was made (the caller's pixels changed meanwhile)
            // becomes some other colour.
            self.index = self.palette.indices[slot].saturating_sub(1) as u8;
        }
        self.index
    }
}

/// What the whole image has in common, as far as it is known.
struct Facts {
    opaque: bool,
    gray: bool,
    /// Present while there are few enough colours.
    palette: Option<Palette>,
}

/// Looks at all pixels until nothing can be saved any more, and decides.
/// `gray` says whether colour may become gray.
pub fn shape(rows: &Rows, palette: bool, gray: bool, control: &Control) -> Result<Shape> {
    let layout = rows.layout();
    let Some(source) = Channels::of(layout) else {
        bail!(Bug, "the PNG encoder was given rows of {layout:?}");
    };
    let (width, height) = (rows.width(), rows.height());
    let mut facts = Facts {
        opaque: source.alpha.is_some(),
        gray: gray && !source.gray(),
        palette: (palette && !source.deep).then(Palette::new),
    };
    let mut scratch = Scratch::default();
    let row_bytes = width as usize * source.bytes();
    let mut y = 0;
    while y < height && facts.hope() {
        control.checkpoint(0, 1)?;
        let end = height.min(y + BAND);
        let band = rows.band(y..end, &mut scratch)?;
        for k in 0..(end - y) as usize {
            facts.see(&source, band.planes[0].row(k, row_bytes));
        }
        y = end;
    }
    Ok(facts.decide(width, height, source))
}

impl Facts {
    fn hope(&self) -> bool {
        self.opaque || self.gray || self.palette.is_some()
    }

    fn see(&mut self, source: &Channels, row: &[u8]) {
        if self.opaque {
            self.opaque = source.opaque(row);
        }
        if self.gray {
            self.gray = source.is_gray(row);
        }
        if let Some(palette) = &mut self.palette {
            let mut last = None;
            for pixel in row.chunks_exact(source.count) {
                let color = source.color_of(pixel);
                if last != Some(color) {
                    last = Some(color);
                    if !palette.insert(color) {
                        self.palette = None;
                        return;
                    }
                }
            }
        }
    }

    fn decide(self, width: u32, height: u32, source: Channels) -> Shape {
        let gray = self.gray || source.gray();
        let alpha = source.alpha.is_some() && !self.opaque;
        let color = match (gray, alpha) {
            (true, false) => ColorType::Gray,
            (true, true) => ColorType::GrayAlpha,
            (false, false) => ColorType::Rgb,
            (false, true) => ColorType::Rgba,
        };
        let depth = if source.deep { 16 } else { 8 };
        let Some(mut palette) = self.palette else {
            return Shape::new(width, height, color, depth, None, source);
        };
        // Gray of few, evenly spaced levels needs no table.
        if color == ColorType::Gray {
            let step = |step: u8| palette.colors.iter().all(|&c| (c >> 24) as u8 % step == 0);
            let depth = if step(255) {
                1
            } else if step(85) {
                2
            } else if step(17) {
                4
            } else {
                8
            };
            if depth <= palette.depth() {
                return Shape::new(width, height, color, depth, None, source);
            }
        }
        palette.sort();
        let bits = palette.depth();
        let saved =
            (color.channels() * 8 - usize::from(bits)) as u64 * u64::from(width) * u64::from(height) / 8;
        // Compression takes most of what a narrower pixel saves, so the table has to be small beside it.
        let table =
            12 + 3 * palette.colors.len() as u64 + if alpha { 12 + palette.trns().len() as u64 } else { 0 };
        if saved / 4 <= table {
            return Shape::new(width, height, color, depth, None, source);
        }
        Shape::new(width, height, ColorType::Indexed, bits, Some(palette), source)
    }
}

impl Channels {
    /// Whether a row's alpha, which is always the last sample, is all ones.
    fn opaque(&self, row: &[u8]) -> bool {
        match (self.count, self.deep) {
            _ if self.alpha.is_none() => true,
            (2, false) => every::<2>(row, |p| p[1] == 255),
            (2, true) => every::<4>(row, |p| p[2] & p[3] == 255),
            (_, false) => every::<4>(row, |p| p[3] == 255),
            (_, true) => every::<8>(row, |p| p[6] & p[7] == 255),
        }
    }

    /// Whether a row's red, green and blue are equal.
    fn is_gray(&self, row: &[u8]) -> bool {
        let [r, g, b] = self.color;
        match (self.count, self.deep) {
            (3, false) => every::<3>(row, |p| (p[0] ^ p[1]) | (p[1] ^ p[2]) == 0),
            (4, false) => every::<4>(row, |p| (p[r] ^ p[g]) | (p[g] ^ p[b]) == 0),
            (3, true) => every::<6>(row, |p| p[..2] == p[2..4] && p[2..4] == p[4..]),
            (4, true) => every::<8>(row, |p| p[..2] == p[2..4] && p[2..4] == p[4..6]),
            _ => true,
        }
    }
}

/// Whether all pixels pass: no branch within a group, so that it vectorises, and an early end between groups.
#[inline(always)]
fn every<const N: usize>(row: &[u8], test: impl Fn(&[u8; N]) -> bool) -> bool {
    row.as_chunks::<N>().0.chunks(64).all(|group| group.iter().fold(true, |all, p| all & test(p)))
}
