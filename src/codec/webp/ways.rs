//! How the frames of an animation are compressed: lossy or lossless, over what is there or in its place.

use std::ops::Range;

use libwebp_sys::WebPConfig;

use super::{EXACT, METHOD, MINIMIZE, MIXED, Mode, encode::config, samples::Samples, screen, tiles};
use crate::{
    codec::animation::Rect,
    err,
    error::{Result, try_vec},
    model::options::Options,
    pack::control::Control,
    sink::memory::Buffer,
};

/// From this effort on, every way to code a frame is tried.
const THOROUGH: u8 = 7;
/// From this effort on, pictures of screens are tried lossless, too.
const CURIOUS: u8 = 3;
/// Frames of screens that are coded like one before them for which both ways were tried.
const HABIT: u32 = 15;
/// A side of the blocks that a frame leaves out as a whole.
const BLOCK: usize = 8;
/// The same where pixels seldom repeat: libwebp's tiles with method 2 and whole numbers of them with any higher one, so that no
/// tile has codes for both what is left out and what is drawn. In film, where blocks of 8 are equal by chance, these cost 2 %.
const TILE: usize = 32;
/// Lossless compression takes so many bytes a pixel (24, measured with film and screens, samples and flags of ours), so many
/// for a tile, and so many at least.
const PIXEL: u64 = 24 + 4 + 1;
const LEAST: u64 = 1 << 20;
/// Bytes that tiles may take, in frames' worth of 4 bytes a pixel. With method 2, those of a whole frame take 2.1.
const TILES: u64 = 5 * 4 / 2;

/// What is drawn of a frame.
pub struct Part {
    pub place: Rect,
    /// What is wanted there; empty if that is on the canvas already and nothing is left out.
    pub argb: Vec<u32>,
    /// Which pixels are there already, and need not be drawn; empty if all are drawn.
    pub kept: Vec<bool>,
    /// Whether what is new can be drawn over what is there.
    pub over: bool,
    pub millis: u32,
}

/// A compressed part.
pub struct Found {
    pub file: Buffer,
    pub over: bool,
    lossless: bool,
    /// Bytes of the smallest one of the other kind; the most there are if none was tried.
    other: usize,
    by_habit: bool,
}

/// How pictures of screens are coded without a trial.
#[derive(Clone, Copy)]
struct Habit {
    lossless: bool,
    /// For how many frames more.
    left: u32,
}

/// Whether lossy animations may have lossless frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mixed {
    Never,
    /// Pictures of screens; both ways are tried now and then.
    Mostly,
    /// Pictures of screens; both ways are tried for each.
    Screens,
    Always,
}

/// How a part may be coded.
pub struct Ways {
    lossy: WebPConfig,
    lossless: WebPConfig,
    /// Whether the animation is lossless.
    pub exactly: bool,
    mixed: Mixed,
    /// Drawn over what is there or in its place, whichever is smaller.
    minimize: bool,
    /// Whether libwebp's method was named: then it gets what its own encoder of animations does by default.
    named: bool,
    /// Pixels of the canvas.
    pixels: u64,
    habit: Option<Habit>,
}

impl Ways {
    pub fn new(options: &Options, pixels: usize) -> Result<Self> {
        let mode = Mode::of(options);
        let (exactly, named) = (matches!(mode, Mode::Lossless { .. }), options.explicit(&METHOD).is_some());
        let thorough = options.effort >= THOROUGH && !named;
        let mut lossy = config(options, if exactly { Mode::Lossy } else { mode })?;
        let mut lossless = config(options, if exactly { mode } else { Mode::Lossless { near: 100 } })?;
        // What is transparent on a canvas has no colour that anybody could have meant, unless it was asked for.
        lossy.exact = options.explicit(&EXACT).unwrap_or(0) as _;
        lossless.exact = lossy.exact;
        let mixed = match options.explicit(&MIXED) {
            Some(0) => Mixed::Never,
            Some(_) => Mixed::Always,
            None if thorough => Mixed::Screens,
            None if options.effort >= CURIOUS && !named => Mixed::Mostly,
            None => Mixed::Never,
        };
        Ok(Self {
            lossy,
            lossless,
            exactly,
            mixed,
            minimize: options.explicit(&MINIMIZE).unwrap_or(thorough.into()) != 0,
            named,
            pixels: pixels as u64,
            habit: None,
        })
    }

    /// Whether transparent pixels have colours.
    pub fn exact(&self) -> bool {
        self.lossy.exact != 0
    }

    /// The quality of lossy frames, 0 to 100.
    pub fn quality(&self) -> f32 {
        self.lossy.quality
    }

    /// Most bytes that a lossless part takes while it is compressed, noise aside.
    pub fn need(&self, place: Rect) -> u64 {
        let pixels = u64::from(place.width) * u64::from(place.height);
        pixels * PIXEL + tiles(pixels, self.method(pixels)) + LEAST
    }

    /// libwebp's method for a lossless part of so many pixels: a lower one where its tiles would take much memory. They gain
    /// 3 % of film.
    fn method(&self, pixels: u64) -> i32 {
        let most = self.pixels.saturating_mul(TILES);
        let fits = |method: &i32| self.named || *method <= 2 || tiles(pixels, *method) <= most;
        (0..=self.lossless.method).rev().find(fits).unwrap_or(0)
    }

    /// A side of the blocks that a part of this kind leaves out as a whole.
    pub fn block(&self, is_screen: bool) -> usize {
        if self.exactly && !is_screen { TILE } else { BLOCK }
    }

    fn config(&self, lossless: bool, pixels: u64, is_screen: bool) -> WebPConfig {
        if !lossless {
            return self.lossy;
        }
        let mut config = self.lossless;
        config.method = self.method(pixels);
        if is_screen && !self.named {
            screen::look_far(&mut config);
        }
        config
    }

    /// The smallest file of a part, whose pixels may be on the canvas `shown`.
    pub fn smallest(
        &self,
        mut part: Part,
        shown: &mut [u32],
        stride: usize,
        control: &Control,
    ) -> Result<Found> {
        let Rect { x, y, width, height } = part.place;
        let (pixels, start) = (u64::from(width) * u64::from(height), y as usize * stride + x as usize);
        let on_canvas = part.argb.is_empty();
        let is_screen = match on_canvas {
            true => screen::is_screen(&shown[start..], stride, (width, height)),
            false => screen::is_screen(&part.argb, width as usize, (width, height)),
        };
        let habit = self.habit.filter(|_| is_screen && !self.exactly);
        let kinds: &[bool] = match (self.mixed, habit) {
            _ if self.exactly => &[true],
            (_, Some(Habit { lossless: true, .. })) => &[true],
            (Mixed::Always, _) => &[false, true],
            (Mixed::Mostly | Mixed::Screens, None) if is_screen => &[true, false],
            _ => &[false],
        };
        let overs: &[bool] = match (part.over, self.minimize && !part.kept.is_empty()) {
            (true, true) => &[true, false],
            (over, _) => {
                if over {
                    &[true]
                } else {
                    &[false]
                }
            }
        };
        let ways = kinds.iter().flat_map(|&lossless| overs.iter().map(move |&over| (lossless, over)));
        let mut ways = ways.peekable();
        let (mut best, mut sizes) = (None::<(Buffer, bool, bool)>, [usize::MAX; 2]);
        while let Some((lossless, over)) = ways.next() {
            let samples = match on_canvas {
                true => Samples::Within(&mut shown[start..], stride),
                false => Samples::Argb(part.samples(over, lossless, ways.peek().is_none())?),
            };
            let config = self.config(lossless, pixels, is_screen);
            let file = super::encode::part(samples, (width, height), &config, control)?;
            let size = file.as_slice().len();
            if size < sizes[0].min(sizes[1]) {
                best = Some((file, over, lossless));
            }
            let kind = &mut sizes[usize::from(lossless)];
            *kind = size.min(*kind);
        }
        let (file, over, lossless) = best.ok_or_else(|| err!(Bug, "a frame without a way to code it"))?;
        Ok(Found { file, over, lossless, other: sizes[usize::from(!lossless)], by_habit: habit.is_some() })
    }

    /// What the next pictures of screens can be coded like: lossless, if that is clearly smaller, for it takes longer.
    pub fn learn(&mut self, found: &Found) {
        if self.mixed != Mixed::Mostly {
            return;
        }
        let (size, other) = (found.file.as_slice().len(), found.other);
        self.habit = match self.habit {
            Some(Habit { left: 1, .. }) if found.by_habit => None,
            Some(habit) if found.by_habit => Some(Habit { left: habit.left - 1, ..habit }),
            None if other != usize::MAX => {
                Some(Habit { lossless: found.lossless && other / 5 > size / 4, left: HABIT })
            }
            habit => habit,
        };
    }
}

impl Part {
    /// What libwebp is to draw. `last`: nobody needs the part's pixels any more.
    fn samples(&mut self, over: bool, lossless: bool, last: bool) -> Result<Vec<u32>> {
        let mut argb = match last {
            true => std::mem::take(&mut self.argb),
            false => copy(&self.argb)?,
        };
        if over && lossless {
            argb.iter_mut().zip(&self.kept).filter(|(_, kept)| **kept).for_each(|(pixel, _)| *pixel = 0);
        } else if over && !self.kept.is_empty() {
            blocks(self.place.width as usize, self.place.height as usize, BLOCK, |lines| {
                if lines.clone().next().is_some_and(|line| self.kept[line.start]) {
                    let mean = mean(lines.clone().flat_map(|line| &argb[line]));
                    lines.for_each(|line| argb[line].fill(mean));
                }
            });
        }
        if last {
            self.kept = Vec::new();
        }
        Ok(argb)
    }
}

fn copy(argb: &[u32]) -> Result<Vec<u32>> {
    let mut copy = try_vec(argb.len(), "WebP pixels")?;
    copy.copy_from_slice(argb);
    Ok(copy)
}

/// Hands on every block as the ranges of its lines.
fn blocks(
    columns: usize,
    rows: usize,
    side: usize,
    mut each: impl FnMut(std::iter::Map<Range<usize>, &dyn Fn(usize) -> Range<usize>>),
) {
    for top in (0..rows).step_by(side) {
        for left in (0..columns).step_by(side) {
            let line = |y: usize| y * columns + left..y * columns + (left + side).min(columns);
            each((top..(top + side).min(rows)).map(&line));
        }
    }
}

/// Blocks that stay as a whole are left out; what stays elsewhere is drawn, because an edge to nothing costs more: a third of a
/// screen whose text scrolls. What `cannot` be drawn twice stays left out.
pub fn keep_blocks(
    kept: &mut [bool],
    columns: usize,
    rows: usize,
    side: usize,
    cannot: impl Fn(usize) -> bool,
) {
    blocks(columns, rows, side, |lines| {
        if !lines.clone().all(|line| kept[line].iter().all(|&kept| kept)) {
            lines.flatten().for_each(|i| kept[i] = kept[i] && cannot(i));
        }
    });
}

/// The mean colour, with nothing of it to be seen: what compresses best where nothing is drawn.
fn mean<'a>(pixels: impl Iterator<Item = &'a u32>) -> u32 {
    let (mut sum, mut count) = ([0u32; 3], 0);
    for pixel in pixels {
        let [_, rgb @ ..] = pixel.to_be_bytes();
        (0..3).for_each(|c| sum[c] += u32::from(rgb[c]));
        count += 1;
    }
    let [r, g, b] = sum.map(|sum| (sum / count.max(1)) as u8);
    u32::from_be_bytes([0, r, g, b])
}
