//! Animated WebP: what changes from frame to frame is drawn over what is there. Every frame is an image that libwebp
//! compresses by itself, so several of them are compressed at a time.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use libwebp_sys::WebPConfig;

use super::{
    EXACT, KEY_FRAMES, METHOD, MINIMIZE, MIXED, Mode,
    encode::{config, part},
    riff::{self, Container, Extras},
};
use crate::{
    bail,
    codec::animation::{Animation, Animator, Clock, Frame, Rect, Work},
    err,
    error::{Error, Result, try_vec},
    model::options::Subsampling,
    pack::control::Control,
    sink::{Sink, memory::Buffer},
};

/// Longest time on screen of one frame in milliseconds, by the width of its field.
const MOST_MILLIS: u32 = (1 << 24) - 1;
/// From this effort on, every way to code a frame is tried.
const THOROUGH: u8 = 7;
/// Lossless frames that are compressed together. Lossy ones are fast, and alone take less memory.
const BATCH: usize = 2;
/// A side of the blocks that a lossy frame leaves out as a whole.
const BLOCK: usize = 8;

type Pixel = [u8; 4];

/// Starts an animated WebP.
pub fn animate(animation: Animation) -> Result<Box<dyn Animator>> {
    let options = &*animation.options;
    let mode = Mode::of(options);
    if options.lossless
        && let Mode::Lossless { near: near @ 0..100 } = mode
    {
        bail!(OutOfRange, "webp.near_lossless {near} contradicts lossless");
    }
    if !matches!(mode, Mode::Lossless { .. })
        && matches!(options.subsampling, Subsampling::Yuv422 | Subsampling::Yuv444)
    {
        bail!(Unsupported, "lossy WebP has 4:2:0 chroma only; choose 4:2:0, auto, or lossless");
    }
    let mut config = config(options, mode)?;
    // What is transparent on a canvas has no colour that anybody could have meant, unless it was asked for.
    config.exact = options.explicit(&EXACT).unwrap_or(0) as _;
    // Whoever names libwebp's method gets what its own encoder of animations does by default.
    let thorough = options.effort >= THOROUGH && options.explicit(&METHOD).is_none();
    let lossless = matches!(mode, Mode::Lossless { .. });
    let ways = Ways {
        config,
        mixed: !lossless && options.explicit(&MIXED).unwrap_or(thorough.into()) != 0,
        minimize: options.explicit(&MINIMIZE).unwrap_or(thorough.into()) != 0,
    };
    let shown = try_vec(animation.pixels(), "the canvas of an animation")?;
    Ok(Box::new(Frames {
        key_frames: options.get(&KEY_FRAMES) as u32,
        since_key: 0,
        still: if lossless { 0 } else { still(config.quality) },
        batch: if lossless { BATCH } else { 1 },
        animation,
        ways,
        shown,
        pending: Vec::new(),
        first: None,
        chunks: Vec::new(),
        last: 0,
        alpha: false,
        clock: Clock::new(1000),
    }))
}

/// How far a colour may change unseen: 1 at the best quality, 37 at the worst. That is a fifth more than libwebp's encoder of
/// animations allows from one frame to the next, because changes are counted from when a pixel was last drawn.
fn still(quality: f32) -> u8 {
    let root = (quality / 100.0).sqrt();
    ((31.0 * (1.0 - root) + root) * 1.2 + 0.5) as u8
}

struct Frames {
    animation: Animation,
    ways: Ways,
    /// Frames from a key frame to the next; 0: the first is the only one.
    key_frames: u32,
    since_key: u32,
    /// How far a colour may change unseen.
    still: u8,
    batch: usize,
    /// What a decoder has on its canvas, in the colours that were asked for.
    shown: Vec<Pixel>,
    /// Frames to compress.
    pending: Vec<Part>,
    /// The first frame, while it is the only one: then the file is that of a still image.
    first: Option<(Buffer, u32)>,
    /// Compressed frames.
    chunks: Vec<u8>,
    /// Where the last frame's duration is in them.
    last: usize,
    alpha: bool,
    clock: Clock,
}

/// What is drawn of a frame.
struct Part {
    place: Rect,
    pixels: Vec<Pixel>,
    /// Which of them are there already.
    kept: Vec<bool>,
    /// Whether what is new can be drawn over what is there.
    over: bool,
    millis: u32,
}

/// How a part may be coded.
struct Ways {
    config: WebPConfig,
    /// Lossy or lossless, whichever is smaller.
    mixed: bool,
    /// Drawn over what is there or in its place, whichever is smaller.
    minimize: bool,
}

impl Animator for Frames {
    fn frame(&mut self, frame: &Frame<'_>, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        let millis = self.clock.ticks(frame.delay, MOST_MILLIS);
        let first = self.first.is_none() && self.chunks.is_empty() && self.pending.is_empty();
        let key = first || (self.key_frames > 0 && self.since_key >= self.key_frames);
        let place = match self.changed(frame.canvas) {
            None if !first && self.prolong(millis) => return Ok(()),
            // A frame that is there already but for its time.
            None if !key => Rect { x: 0, y: 0, width: 1, height: 1 },
            Some(place) if !key => place,
            _ => Rect { x: 0, y: 0, width: self.animation.width, height: self.animation.height },
        };
        self.since_key = if key { 1 } else { self.since_key.saturating_add(1) };
        let part = self.part(frame.canvas, place, millis, key)?;
        self.pending.push(part);
        if self.pending.len() >= self.batch { self.compress(work, sink) } else { Ok(()) }
    }

    fn finish(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        self.compress(work, sink)?;
        let Animation { icc, metadata, .. } = &self.animation;
        let (icc, exif, xmp) = (icc.as_deref(), metadata.exif.as_deref(), metadata.xmp.as_deref());
        let (size, extras) = ((self.animation.width, self.animation.height), Extras { icc, exif, xmp });
        if let Some((file, _)) = &self.first {
            let mut container = Container::new(sink, size, extras);
            container.write(file.as_slice())?;
            return container.finish();
        }
        riff::animation(sink, size, &extras, self.animation.loops, self.alpha, &self.chunks)
    }
}

impl Frames {
    fn width(&self) -> usize {
        self.animation.width as usize
    }

    /// Whether a pixel need not be drawn.
    fn stays(&self, shown: Pixel, wanted: Pixel) -> bool {
        if shown == wanted || (shown[3], wanted[3]) == (0, 0) && self.ways.config.exact == 0 {
            return true;
        }
        // Differences weigh as much as the pixel is opaque.
        let most = u32::from(self.still) * 255;
        let near = |a: u8, b: u8| u32::from(a.abs_diff(b)) * u32::from(wanted[3]) <= most;
        self.still > 0 && shown[3] == wanted[3] && (0..3).all(|c| near(shown[c], wanted[c]))
    }

    /// The part of the canvas that has to be drawn; it starts at even numbers.
    fn changed(&self, canvas: &[Pixel]) -> Option<Rect> {
        let width = self.width();
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, None, 0);
        for (y, (shown, wanted)) in self.shown.chunks_exact(width).zip(canvas.chunks_exact(width)).enumerate()
        {
            if shown == wanted {
                continue;
            }
            let differs = |&x: &usize| !self.stays(shown[x], wanted[x]);
            let Some(start) = (0..width).find(differs) else { continue };
            let end = (0..width).rfind(differs).unwrap_or(start);
            (left, right, bottom) = (left.min(start), right.max(end), y);
            top.get_or_insert(y);
        }
        let top = top? & !1;
        left &= !1;
        let (width, height) = ((right + 1 - left) as u32, (bottom + 1 - top) as u32);
        Some(Rect { x: left as u32, y: top as u32, width, height })
    }

    /// Cuts out what is to be drawn, and draws it on our canvas.
    fn part(&mut self, canvas: &[Pixel], place: Rect, millis: u32, key: bool) -> Result<Part> {
        let (columns, rows) = (place.width as usize, place.height as usize);
        let mut pixels = try_vec(columns * rows, "a frame")?;
        let mut kept = try_vec(columns * rows, "a frame")?;
        let start = place.y as usize * self.width() + place.x as usize;
        let mut over = !key;
        for y in 0..rows {
            let at = start + y * self.width();
            for (x, &wanted) in canvas[at..at + columns].iter().enumerate() {
                let stays = self.stays(self.shown[at + x], wanted);
                pixels[y * columns + x] = wanted;
                kept[y * columns + x] = stays;
                // What is lossy and stays may be drawn, too.
                over &= wanted[3] == 255 || stays && (self.still == 0 || wanted[3] == 0);
            }
        }
        if over && self.still > 0 {
            keep_blocks(&mut kept, columns, rows);
        }
        for y in 0..rows {
            let at = start + y * self.width();
            for x in 0..columns {
                if !over || !kept[y * columns + x] {
                    self.shown[at + x] = pixels[y * columns + x];
                }
            }
        }
        Ok(Part { place, pixels, kept, over, millis })
    }

    /// Shows the last frame for longer. Not if that were too long.
    fn prolong(&mut self, more: u32) -> bool {
        let sum = |millis: u32| millis.checked_add(more).filter(|&sum| sum <= MOST_MILLIS);
        let place = self.pending.last_mut().map(|part| &mut part.millis);
        if let Some(millis) = place.or(self.first.as_mut().map(|(_, millis)| millis)) {
            let sum = sum(*millis);
            *millis = sum.unwrap_or(*millis);
            return sum.is_some();
        }
        let Some([a, b, c]) = self.chunks.get(self.last..self.last + 3) else { return false };
        let Some(sum) = sum(u32::from_le_bytes([*a, *b, *c, 0])) else { return false };
        self.chunks[self.last..self.last + 3].copy_from_slice(&sum.to_le_bytes()[..3]);
        true
    }

    /// Compresses what is pending.
    fn compress(&mut self, work: Work<'_>, _sink: &mut dyn Sink) -> Result<()> {
        let (pending, ways) = (std::mem::take(&mut self.pending), &self.ways);
        let files = [const { Mutex::new(None) }; BATCH];
        work.pool.for_each(pending.len(), &|index| {
            let found = ways.smallest(&pending[index], work.control)?;
            *files[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            Ok(())
        })?;
        for (part, file) in pending.iter().zip(files) {
            let Some((file, over)) = file.into_inner().unwrap_or_else(PoisonError::into_inner) else {
                bail!(Bug, "a frame was not compressed");
            };
            if self.chunks.is_empty() && self.first.is_none() {
                self.first = Some((file, part.millis));
                continue;
            }
            if let Some((first, millis)) = self.first.take() {
                let all = Rect { x: 0, y: 0, width: self.animation.width, height: self.animation.height };
                self.add(all, millis, false, first.as_slice())?;
            }
            self.add(part.place, part.millis, over, file.as_slice())?;
        }
        Ok(())
    }

    fn add(&mut self, place: Rect, millis: u32, over: bool, file: &[u8]) -> Result<()> {
        self.last = self.chunks.len() + riff::DURATION;
        self.alpha |= riff::frame(&mut self.chunks, place, millis, over, file)?;
        Ok(())
    }
}

/// Hands on every block as the ranges of its lines.
fn blocks(
    columns: usize,
    rows: usize,
    mut each: impl FnMut(std::iter::Map<Range<usize>, &dyn Fn(usize) -> Range<usize>>),
) {
    for top in (0..rows).step_by(BLOCK) {
        for left in (0..columns).step_by(BLOCK) {
            let line = |y: usize| y * columns + left..y * columns + (left + BLOCK).min(columns);
            each((top..(top + BLOCK).min(rows)).map(&line));
        }
    }
}

/// Blocks that stay as a whole are left out; what stays elsewhere is drawn, because an edge to nothing costs more.
fn keep_blocks(kept: &mut [bool], columns: usize, rows: usize) {
    blocks(columns, rows, |lines| {
        if !lines.clone().all(|line| kept[line].iter().all(|&kept| kept)) {
            lines.for_each(|line| kept[line].fill(false));
        }
    });
}

/// The mean colour, with nothing of it to be seen: what compresses best where nothing is drawn.
fn mean<'a>(pixels: impl Iterator<Item = &'a Pixel>) -> u32 {
    let (mut sum, mut count) = ([0u32; 3], 0);
    for pixel in pixels {
        (0..3).for_each(|c| sum[c] += u32::from(pixel[c]));
        count += 1;
    }
    let [r, g, b] = sum.map(|sum| (sum / count.max(1)) as u8);
    u32::from_be_bytes([0, r, g, b])
}

impl Ways {
    /// The smallest file of a part, and whether it is drawn over what is there.
    fn smallest(&self, part: &Part, control: &Control) -> Result<(Buffer, bool)> {
        let mut best: Option<(Buffer, bool)> = None;
        for other in [false, true] {
            if other && !self.mixed {
                continue;
            }
            let mut config = self.config;
            if other {
                config.lossless = 1 - config.lossless;
            }
            for over in [true, false] {
                if over && !part.over || !over && part.over && !self.minimize {
                    continue;
                }
                let file = part.encode(over, &config, control)?;
                if best.as_ref().is_none_or(|(best, _)| file.as_slice().len() < best.as_slice().len()) {
                    best = Some((file, over));
                }
            }
        }
        best.ok_or_else(|| err!(Bug, "a frame without a way to code it"))
    }
}

impl Part {
    fn encode(&self, over: bool, config: &WebPConfig, control: &Control) -> Result<Buffer> {
        let count = self.pixels.len();
        let mut samples = Vec::new();
        samples.try_reserve_exact(count).map_err(|_| Error::out_of_memory(4 * count, "WebP pixels"))?;
        let left_out = |kept: bool| over && kept;
        samples.extend(self.pixels.iter().zip(&self.kept).map(|(&[r, g, b, a], &kept)| {
            match left_out(kept) {
                true if config.lossless != 0 => 0,
                true => u32::from_be_bytes([0, r, g, b]),
                false => u32::from_be_bytes([a, r, g, b]),
            }
        }));
        if config.lossless == 0 {
            let columns = self.place.width as usize;
            blocks(columns, self.place.height as usize, |lines| {
                if lines.clone().next().is_some_and(|line| left_out(self.kept[line.start])) {
                    let mean = mean(lines.clone().flat_map(|line| &self.pixels[line]));
                    lines.for_each(|line| samples[line].fill(mean));
                }
            });
        }
        part(samples, (self.place.width, self.place.height), config, control)
    }
}
