//! One image of a GIF: its colours, and its pixels compressed.
//!
//! Choosing colours and compressing are one step. A pixel's aim is its colour and what its neighbours were off (error
//! diffusion); among the colours that are near enough to the aim, one that makes the string of the LZW dictionary
//! longer is taken, and what it is off goes on to the neighbours.

use super::{
    lab::{self, Lab},
    lzw::Lzw,
    palette::Palette,
    parse::{self, Choice, Choices, Way},
    quantize::Histogram,
    screen,
};
use crate::{
    bail,
    error::{Result, try_vec},
};

/// Rows of four bytes: red, green, blue, alpha. Alpha below [`OPAQUE`] is not drawn, but [`KEPT`] may be.
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    pub bytes: &'a [u8],
    /// Bytes from a row to the next.
    pub stride: usize,
    pub width: usize,
    pub height: usize,
    /// Whether the fourth byte means nothing.
    pub opaque: bool,
    /// Whether pixels may be [`KEPT`].
    pub animated: bool,
    /// Whether the palette has transparency even if every pixel is drawn.
    pub clears: bool,
}

/// Alpha from which on a pixel is drawn.
pub const OPAQUE: u8 = 128;
/// Alpha of a pixel of an animation whose colour is there already: it may be drawn or not.
pub const KEPT: u8 = 1;

/// What is asked for at a pixel.
#[derive(Clone, Copy, PartialEq)]
pub enum Dot {
    /// Nothing is drawn.
    Hole,
    /// This colour is there already.
    Kept([u8; 3]),
    Drawn([u8; 3]),
}

impl<'a> Picture<'a> {
    fn raw(&self, y: usize) -> &'a [[u8; 4]] {
        self.bytes[y * self.stride..][..4 * self.width].as_chunks().0
    }

    pub fn row(&self, y: usize) -> impl Iterator<Item = Dot> + use<'a> {
        let (opaque, animated) = (self.opaque, self.animated);
        self.raw(y).iter().map(move |&[r, g, b, a]| match a {
            _ if opaque => Dot::Drawn([r, g, b]),
            OPAQUE.. => Dot::Drawn([r, g, b]),
            KEPT if animated => Dot::Kept([r, g, b]),
            _ => Dot::Hole,
        })
    }

    pub fn dots(&self) -> impl Iterator<Item = Dot> {
        (0..self.height).flat_map(|y| self.row(y))
    }
}

/// How pixels become colours of a palette.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Most colours, transparency included: 2 to 256.
    pub colors: usize,
    /// Rounds of k-means.
    pub rounds: u32,
    pub dither: Dither,
    /// Exact pixels or an error.
    pub lossless: bool,
    /// How far from its aim a pixel's colour may be for the sake of a longer string: a distance in Oklab.
    pub reach: f32,
    /// Ways to find strings where nothing is diffused; none: the longest, pixel by pixel.
    pub ways: &'static [Way],
}

/// What makes up for colours that the palette lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dither {
    /// Nothing.
    None,
    /// This part of the error goes on to the neighbours.
    Diffusion(f32),
    /// A fixed pattern.
    Ordered,
}

/// An image as it is written.
pub struct Image {
    /// None: the file's.
    pub palette: Vec<[u8; 3]>,
    pub transparent: Option<u8>,
    /// Least code size, blocks, end.
    pub data: Vec<u8>,
}

/// The colours of an image that has few.
pub struct Exact {
    /// Colour, 1 + index; index 0 is a free slot.
    slots: [(u32, u16); 1024],
    colors: Vec<[u8; 3]>,
}

impl Exact {
    pub fn new() -> Self {
        Self { slots: [(0, 0); 1024], colors: Vec::new() }
    }

    /// The index of a colour, or the slot where it belongs.
    fn slot(&self, [r, g, b]: [u8; 3]) -> (usize, Option<u8>) {
        let key = u32::from_le_bytes([r, g, b, 0]);
        let mut slot = (key.wrapping_mul(0x9e37_79b1) >> 22) as usize;
        loop {
            match self.slots[slot] {
                (_, 0) => return (slot, None),
                (known, index) if known == key => return (slot, Some((index - 1) as u8)),
                _ => slot = (slot + 1) & 1023,
            }
        }
    }

    /// The index of a colour.
    pub fn find(&self, color: [u8; 3]) -> Option<u8> {
        self.slot(color).1
    }

    /// The index of a colour, new or known. `None` if there are `most` others.
    pub fn add(&mut self, color: [u8; 3], most: usize) -> Option<u8> {
        let (slot, found) = self.slot(color);
        if found.is_none() && self.colors.len() < most {
            self.colors.push(color);
            let [r, g, b] = color;
            self.slots[slot] = (u32::from_le_bytes([r, g, b, 0]), self.colors.len() as u16);
            return Some((self.colors.len() - 1) as u8);
        }
        found
    }

    /// The colours, with one more for transparency if there are `holes`.
    fn table(&self, holes: bool) -> Vec<[u8; 3]> {
        let mut table = self.colors.clone();
        table.resize(table.len() + usize::from(holes), [0; 3]);
        table
    }

    /// The colours as the file's: none, or with one more for transparency.
    pub fn global(&self) -> Vec<[u8; 3]> {
        self.table(!self.colors.is_empty())
    }

    /// Compresses a picture that has no other colours.
    fn compress(&self, picture: &Picture<'_>, holes: bool, ways: &[Way], check: Check<'_>) -> Result<Image> {
        let palette = self.table(holes);
        let transparent = holes.then_some(self.colors.len() as u8);
        if !ways.is_empty() {
            let data = self.search(picture, holes, ways, check)?;
            return Ok(Image { palette, transparent, data });
        }
        let mut data = self.compress_with(picture, holes, true, check)?;
        if holes && picture.animated {
            let either = self.compress_with(picture, holes, false, check)?;
            if either.len() < data.len() {
                data = either;
            }
        }
        Ok(Image { palette, transparent, data })
    }

    /// Like `compress_with`, both ways, but looks ahead.
    fn search(&self, picture: &Picture<'_>, holes: bool, ways: &[Way], check: Check<'_>) -> Result<Vec<u8>> {
        let count = self.colors.len() as u16;
        let hole = Choice { index: if holes { count as u8 } else { 0 }, off: 0 };
        let mut choices = Choices::new(picture.width * picture.height)?;
        let number = |color| u16::from(self.find(color).unwrap_or(0));
        for dot in picture.dots() {
            choices.push(match dot {
                Dot::Drawn(color) => number(color),
                Dot::Kept(color) if self.find(color).is_some() => count + number(color),
                Dot::Kept(_) | Dot::Hole => 2 * count,
            });
        }
        let classes = |choices: &mut Choices, redraw: bool| {
            for kept in [false, true] {
                for index in 0..count {
                    let color = Choice { index: index as u8, off: 0 };
                    choices.class(&[hole, color][usize::from(redraw || !kept)..])?;
                }
            }
            choices.class(&[hole])
        };
        let depth = depth(usize::from(count) + usize::from(holes));
        let two = holes && picture.animated;
        parse::smallest(&mut choices, depth, ways, two, &classes, &|| check(0))
    }

    /// `redraw`: what is there already is drawn again; otherwise it is where that makes a longer string.
    fn compress_with(
        &self,
        picture: &Picture<'_>,
        holes: bool,
        redraw: bool,
        check: Check<'_>,
    ) -> Result<Vec<u8>> {
        let hole = if holes { self.colors.len() as u8 } else { 0 };
        let mut lzw = Lzw::new(depth(self.colors.len() + usize::from(holes)))?;
        for y in 0..picture.height {
            for dot in picture.row(y) {
                match dot {
                    // Memory that others may write to could show a new colour now: then any will do.
                    Dot::Drawn(color) => lzw.push(self.find(color).unwrap_or(0))?,
                    Dot::Hole => lzw.push(hole)?,
                    Dot::Kept(color) if redraw => lzw.push(self.find(color).unwrap_or(hole))?,
                    Dot::Kept(color) => lzw.push_one_of(hole, self.find(color))?,
                }
            }
            check(y)?;
        }
        lzw.finish()
    }

    /// The colours of a picture, if they are `most` at most, and whether anything is not drawn.
    fn of(picture: &Picture<'_>, most: usize) -> (Option<Self>, bool) {
        let (mut exact, mut holes) = (Self::new(), picture.clears);
        let mut last = Dot::Hole;
        for dot in picture.dots() {
            match dot {
                Dot::Drawn(_) if dot == last => {}
                Dot::Drawn(color) => {
                    if exact.add(color, most).is_none() {
                        let holes = holes || picture.dots().any(|dot| !matches!(dot, Dot::Drawn(_)));
                        return (None, holes);
                    }
                    last = dot;
                }
                Dot::Hole | Dot::Kept(_) => holes = true,
            }
        }
        let fits = exact.colors.len() + usize::from(holes) <= most;
        (fits.then_some(exact), holes)
    }
}

/// Bits of an index among `count` colours, as LZW has it: 2 at least.
pub fn depth(count: usize) -> u32 {
    count.next_power_of_two().trailing_zeros().clamp(2, 8)
}

/// Called after each row with its number: whether to go on.
pub type Check<'a> = &'a dyn Fn(usize) -> Result<()>;

/// Refuses what is neither drawn nor left out, when nothing may be lost.
pub fn whole_alpha(pixels: &[[u8; 4]]) -> Result<()> {
    match pixels.iter().find(|pixel| !matches!(pixel[3], 0 | 255)) {
        None => Ok(()),
        Some([_, _, _, alpha]) => {
            bail!(Unsupported, "GIF knows no alpha between 0 and 255: {alpha} would not be lossless")
        }
    }
}

/// Compresses a picture with a palette of its own, or with the file's where it has all colours and that is smaller.
pub fn compress(
    picture: &Picture<'_>,
    style: &Style,
    global: Option<&Exact>,
    check: Check<'_>,
) -> Result<Image> {
    // The frames of an animation were looked at when they came: here alpha says what is drawn.
    if style.lossless && !picture.opaque && !picture.animated {
        (0..picture.height).try_for_each(|y| whole_alpha(picture.raw(y)))?;
    }
    let (exact, holes) = Exact::of(picture, style.colors);
    if let Some(exact) = exact {
        let shared = global.filter(|global| {
            !global.colors.is_empty() && exact.colors.iter().all(|&color| global.find(color).is_some())
        });
        let bits = |exact: &Exact| depth(exact.colors.len() + usize::from(holes));
        let Some(shared) = shared else { return exact.compress(picture, holes, style.ways, check) };
        let mut image = shared.compress(picture, holes, style.ways, check)?;
        image.palette.clear();
        if bits(&exact) < bits(shared) {
            let local = exact.compress(picture, holes, style.ways, check)?;
            if local.data.len() + (3 << bits(&exact)) < image.data.len() {
                return Ok(local);
            }
        }
        return Ok(image);
    }
    if style.lossless {
        bail!(Unsupported, "more than {} colours in a frame would not be lossless in a GIF", style.colors);
    }
    if !style.ways.is_empty()
        && style.dither != Dither::Ordered
        && let Some(image) = screen::compress(picture, holes, style, check)?
    {
        return Ok(image);
    }
    let mut histogram = Histogram::new()?;
    for y in 0..picture.height {
        for dot in picture.row(y) {
            if let Dot::Drawn(color) = dot {
                histogram.add(color, 1.0)?;
            }
        }
        check(0)?;
    }
    let palette = histogram.palette(style.colors - usize::from(holes), style.rounds, &|| check(0))?;
    let transparent = holes.then_some(palette.rgb.len() as u8);
    let mut data = draw(picture, &palette, &histogram, transparent, false, style, check)?;
    let (mut kept, mut known) = (0, 0);
    for dot in picture.dots() {
        if let Dot::Kept(rgb) = dot {
            kept += 1;
            known += usize::from(palette.rgb[usize::from(histogram.guess(rgb))] == rgb);
        }
    }
    // Flat areas, as on screens.
    if known * 2 > kept {
        let drawn = draw(picture, &palette, &histogram, transparent, true, style, check)?;
        if drawn.len() < data.len() {
            data = drawn;
        }
    }
    let mut palette = palette.rgb;
    palette.resize(palette.len() + usize::from(holes), [0; 3]);
    Ok(Image { palette, transparent, data })
}

/// What a row owes the next, with a pixel more at both ends.
type Debts = Vec<Lab>;

fn draw(
    picture: &Picture<'_>,
    palette: &Palette,
    histogram: &Histogram,
    transparent: Option<u8>,
    redraw: bool,
    style: &Style,
    check: Check<'_>,
) -> Result<Vec<u8>> {
    let colors = palette.rgb.len() + usize::from(transparent.is_some());
    let hole = transparent.unwrap_or(0);
    let mut lzw = Lzw::new(depth(colors))?;
    let mut debts: Debts = try_vec(picture.width + 2, "the errors of a row")?;
    let mut next: Debts = try_vec(picture.width + 2, "the errors of a row")?;
    let strength = match style.dither {
        Dither::Diffusion(strength) => strength,
        _ => 0.0,
    };
    let reach = style.reach * style.reach;
    for y in 0..picture.height {
        let mut ahead: Lab = [0.0; 3];
        for (x, dot) in picture.row(y).enumerate() {
            let exact =
                |rgb| Some(histogram.guess(rgb)).filter(|&index| palette.rgb[usize::from(index)] == rgb);
            let rgb = match dot {
                Dot::Drawn(rgb) => rgb,
                Dot::Hole => {
                    ahead = [0.0; 3];
                    lzw.push(hole)?;
                    continue;
                }
                Dot::Kept(rgb) => {
                    ahead = [0.0; 3];
                    match exact(rgb) {
                        Some(index) if redraw => lzw.push(index)?,
                        index => lzw.push_one_of(hole, index)?,
                    }
                    continue;
                }
            };
            if let Some(index) = exact(rgb) {
                // A flat area takes no part in the diffusion: it has its colour.
                ahead = [0.0; 3];
                lzw.push(index)?;
                continue;
            }
            let mut aim = lab::from_rgb(rgb);
            match style.dither {
                Dither::Diffusion(_) => {
                    let debt = debts[x + 1];
                    aim = std::array::from_fn(|i| aim[i] + (debt[i] + ahead[i]).clamp(-MOST, MOST));
                }
                Dither::Ordered => aim[0] += threshold(x, y) * PATTERN,
                Dither::None => {}
            }
            let (near, distance) = palette.nearest(aim, histogram.guess(rgb));
            let index =
                if reach > 0.0 { longer(&lzw, palette, aim, near, reach.max(distance)) } else { near };
            lzw.push(index)?;
            if strength > 0.0 {
                // Floyd and Steinberg's weights.
                let chosen = palette.lab[usize::from(index)];
                let error: Lab = std::array::from_fn(|i| (aim[i] - chosen[i]) * strength / 16.0);
                ahead = error.map(|e| e * 7.0);
                for (offset, weight) in [(0, 3.0), (1, 5.0), (2, 1.0)] {
                    let debt = &mut next[x + offset];
                    *debt = std::array::from_fn(|i| debt[i] + error[i] * weight);
                }
            }
        }
        std::mem::swap(&mut debts, &mut next);
        next.fill([0.0; 3]);
        check(y)?;
    }
    lzw.finish()
}

/// The most that a pixel takes over from its neighbours, per component.
const MOST: f32 = 0.1;
/// Height of the ordered pattern.
const PATTERN: f32 = 0.03;

/// The nearest colour that makes a longer string and is near enough, else the nearest.
fn longer(lzw: &Lzw, palette: &Palette, aim: Lab, near: u8, reach: f32) -> u8 {
    let mut best = (near, f32::MAX);
    for (_, index) in palette.neighbours(near).take(16) {
        let distance = lab::distance(aim, palette.lab[usize::from(index)]);
        if distance <= reach && distance < best.1 && lzw.longer(index).is_some() {
            best = (index, distance);
        }
    }
    best.0
}

/// Bayer's 8 x 8 matrix, -0.5 to 0.5.
fn threshold(x: usize, y: usize) -> f32 {
    let (x, y) = (x & 7, y & 7);
    let bit = |value: usize, index: usize| value >> index & 1;
    let rank = (0..3).fold(0, |rank, i| rank | (bit(x ^ y, i) << 1 | bit(y, i)) << (2 * (2 - i)));
    (rank as f32 + 0.5) / 64.0 - 0.5
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::ErrorKind;

    /// Counting colours takes as long as drawing, and a round of k-means as long as many rows.
    #[test]
    fn every_row_and_round_asks_whether_to_go_on() {
        let (width, height, rounds) = (64, 96, 9);
        let bytes: Vec<u8> = (0..4 * width * height).map(|i| (i * i / 7 + i / 3) as u8).collect();
        let picture = Picture {
            bytes: &bytes,
            stride: 4 * width,
            width,
            height,
            opaque: true,
            animated: false,
            clears: false,
        };
        let style = Style {
            colors: 32,
            rounds,
            dither: Dither::Diffusion(0.75),
            lossless: false,
            reach: 0.0,
            ways: &[],
        };
        let asked = Cell::new(0);
        let run = |refuse: usize| {
            asked.set(0);
            let check = |_| {
                asked.set(asked.get() + 1);
                if asked.get() == refuse { bail!(Cancelled, "stopped") } else { Ok(()) }
            };
            compress(&picture, &style, None, &check).map_err(|error| error.kind).map(|_| ())
        };
        assert_eq!(run(0), Ok(()));
        assert!(asked.get() >= 2 * height + rounds as usize, "asked {} times", asked.get());
        for refuse in [1, height, height + 5, 2 * height] {
            assert_eq!((run(refuse), asked.get()), (Err(ErrorKind::Cancelled), refuse));
        }
    }
}
