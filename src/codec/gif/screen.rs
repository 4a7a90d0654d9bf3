//! Pictures of screens: more than 256 colours, but few more, and most pixels have one of the flat ones. Nothing is
//! diffused; among the colours that are near enough, those are taken that make long strings.

use super::{
    frame::{self, Check, Dot, Image, Picture, Style},
    lab,
    palette::Palette,
    parse::{self, Choice, Choices},
    quantize::Histogram,
};
use crate::error::{Result, try_vec};

/// Most colours of such a picture.
const COLORS: usize = 4096;
const SLOTS: usize = 2 * COLORS;
/// Colours that more than this part of the pixels have are flat areas, and stay what they are.
const FLAT: f64 = 0.002;
/// The root of the mean squared distance in Oklab up to which colours need no diffusion.
const PLAIN: f64 = 0.004;
/// Colours that may do for a pixel, at most.
const NEAR: usize = 8;
/// Parts of `Style::reach` that a pixel may be off, and that pixels may be off on average for the sake of a smaller
/// palette.
const OFF: (f32, f64) = (0.6, 0.35);

/// The colours of a picture, with the number of their pixels.
struct Census {
    /// 1 + the number of a colour; 0 is free.
    slots: Vec<u16>,
    colors: Vec<([u8; 3], u32)>,
}

impl Census {
    /// None if there are too many.
    fn of(picture: &Picture<'_>) -> Result<Option<Self>> {
        let mut census = Self { slots: try_vec(SLOTS, "the colours of a picture")?, colors: Vec::new() };
        let mut last = ([0; 3], 0);
        for dot in picture.dots() {
            let (Dot::Drawn(color) | Dot::Kept(color)) = dot else { continue };
            if census.colors.is_empty() || last.0 != color {
                let slot = census.slot(color);
                if census.slots[slot] == 0 {
                    if census.colors.len() == COLORS {
                        return Ok(None);
                    }
                    census.colors.push((color, 0));
                    census.slots[slot] = census.colors.len() as u16;
                }
                last = (color, usize::from(census.slots[slot]) - 1);
            }
            census.colors[last.1].1 += 1;
        }
        Ok(Some(census))
    }

    /// Where a colour is, or belongs.
    fn slot(&self, [r, g, b]: [u8; 3]) -> usize {
        let key = u32::from_le_bytes([r, g, b, 0]);
        let mut slot = (key.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS.ilog2())) as usize;
        loop {
            match self.slots[slot] {
                number if number == 0 || self.colors[usize::from(number) - 1].0 == [r, g, b] => return slot,
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }

    /// The number of a colour; 0 for one that came later, in memory that others write to.
    fn find(&self, color: [u8; 3]) -> u16 {
        self.slots[self.slot(color)].saturating_sub(1)
    }

    /// Pixels from which on a colour is flat.
    fn flat(&self) -> f64 {
        self.colors.iter().map(|color| f64::from(color.1)).sum::<f64>() * FLAT
    }

    /// The means of squared distances from the palette: of all pixels, and of those that are not flat.
    fn error(&self, palette: &Palette, histogram: &Histogram) -> (f64, f64) {
        let (flat, mut all, mut rest) = (self.flat(), (0.0, 0.0), (0.0, 0.0));
        for &(color, count) in &self.colors {
            let (_, distance) = palette.nearest(lab::from_rgb(color), histogram.guess(color));
            let (count, error) = (f64::from(count), f64::from(distance) * f64::from(count));
            all = (all.0 + error, all.1 + count);
            if count <= flat {
                rest = (rest.0 + error, rest.1 + count);
            }
        }
        (all.0 / f64::max(all.1, 1.0), rest.0 / f64::max(rest.1, 1.0))
    }
}

/// Compresses the picture of a screen; none if it is not one.
pub fn compress(
    picture: &Picture<'_>,
    holes: bool,
    style: &Style,
    check: Check<'_>,
) -> Result<Option<Image>> {
    let Some(census) = Census::of(picture)? else { return Ok(None) };
    let mut histogram = Histogram::new()?;
    for &(color, count) in &census.colors {
        histogram.add(color, count as f32)?;
    }
    let most = style.colors - usize::from(holes);
    let reach = f64::from(style.reach) * OFF.1;
    let mut found = None;
    for count in [64, 128, most] {
        if count == most || (reach > 0.0 && count < most) {
            let palette = histogram.palette(count, style.rounds, &|| check(0))?;
            let (all, rest) = census.error(&palette, &histogram);
            if all > PLAIN * PLAIN && count == most {
                return Ok(None);
            }
            found = Some(palette);
            if rest <= reach * reach {
                break;
            }
        }
    }
    let Some(palette) = found else { return Ok(None) };
    let transparent = holes.then_some(palette.rgb.len() as u8);
    let mut choices = Choices::new(picture.width * picture.height)?;
    let kept = census.colors.len() as u16;
    for dot in picture.dots() {
        choices.push(match dot {
            Dot::Drawn(color) => census.find(color),
            Dot::Kept(color) => kept + census.find(color),
            Dot::Hole => 2 * kept,
        });
    }
    let depth = frame::depth(palette.rgb.len() + usize::from(holes));
    let found = (&census, &histogram, &palette);
    let classes = |choices: &mut Choices, redraw: bool| classes(choices, found, style, transparent, redraw);
    let data = parse::smallest(&mut choices, depth, style.ways, holes, &classes, &|| check(0))?;
    let mut palette = palette.rgb;
    palette.resize(palette.len() + usize::from(holes), [0; 3]);
    Ok(Some(Image { palette, transparent, data }))
}

/// Classes of pixels: every colour drawn, every colour that is there already, and what is not drawn.
fn classes(
    choices: &mut Choices,
    (census, histogram, palette): (&Census, &Histogram, &Palette),
    style: &Style,
    transparent: Option<u8>,
    redraw: bool,
) -> Result<()> {
    let (flat, reach) = (census.flat(), style.reach * OFF.0);
    let hole = transparent.map(|index| Choice { index, off: 0 });
    for kept in [false, true] {
        for &(color, count) in &census.colors {
            let aim = lab::from_rgb(color);
            let (near, distance) = palette.nearest(aim, histogram.guess(color));
            let most = if f64::from(count) > flat { distance } else { distance.max(reach * reach) };
            let mut all = [Choice { index: near, off: scaled(distance) }; NEAR + 1];
            let mut some = 1;
            for (_, index) in palette.neighbours(near).skip(1) {
                let distance = lab::distance(aim, palette.lab[usize::from(index)]);
                if some < NEAR && distance <= most {
                    all[some] = Choice { index, off: scaled(distance) };
                    some += 1;
                }
            }
            match hole.filter(|_| kept) {
                // What is there already was drawn from colours that were near enough.
                Some(hole) if redraw => {
                    all[some] = hole;
                    some += 1;
                }
                Some(hole) => {
                    all[1] = all[0];
                    all[0] = hole;
                    some = 2;
                }
                None => {}
            }
            choices.class(&all[..some])?;
        }
    }
    choices.class(&[hole.unwrap_or(Choice { index: 0, off: 0 })])
}

/// A squared distance as a weight.
fn scaled(distance: f32) -> u16 {
    (distance * 1e6).min(65535.0) as u16
}
