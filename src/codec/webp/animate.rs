//! Animated WebP: what changes from frame to frame is drawn over what is there. Every frame is an image that libwebp
//! compresses by itself, so several of them are compressed at a time.

use std::sync::{Mutex, PoisonError};

use super::{
    KEY_FRAMES, Mode,
    riff::{self, Container, Extras},
    screen,
    ways::{Part, Ways, keep_blocks},
};
use crate::{
    bail,
    codec::animation::{Animation, Animator, Clock, Frame, Rect, Work},
    error::{Error, Result, try_vec},
    model::options::Subsampling,
    sink::{Sink, memory::Buffer},
};

/// Longest time on screen of one frame in milliseconds, by the width of its field.
const MOST_MILLIS: u32 = (1 << 24) - 1;
/// Lossless frames that are compressed together. Lossy ones are fast, and alone take less memory.
const BATCH: usize = 2;
/// Frames' worth (4 bytes a pixel) in which frames of a stream are compressed together. Beside them there are two canvases, and
/// 8 shall not be passed.
const ROOM: u64 = 5;

/// Alpha, red, green, blue, as libwebp has them.
type Pixel = u32;

fn pixel([r, g, b, a]: [u8; 4]) -> Pixel {
    u32::from_be_bytes([a, r, g, b])
}

fn alpha(pixel: Pixel) -> u32 {
    pixel >> 24
}

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
    let ways = Ways::new(options, animation.pixels())?;
    let shown = try_vec(animation.pixels(), "the canvas of an animation")?;
    Ok(Box::new(Frames {
        key_frames: options.get(&KEY_FRAMES) as u32,
        since_key: 0,
        still: if ways.exactly { 0 } else { still(ways.quality()) },
        room: if animation.streamed { ROOM * 4 * animation.pixels() as u64 } else { u64::MAX },
        animation,
        ways,
        shown,
        pending: Vec::new(),
        first: None,
        frames: Vec::new(),
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
    /// Bytes that frames may take which are compressed together.
    room: u64,
    /// What a decoder has on its canvas, in the colours that were asked for.
    shown: Vec<Pixel>,
    /// Frames to compress.
    pending: Vec<Part>,
    /// The first frame, while it is the only one: then the file is that of a still image.
    first: Option<(Buffer, u32)>,
    /// Compressed frames, each as long as it is: one buffer that grows would be there twice when it does.
    frames: Vec<Vec<u8>>,
    alpha: bool,
    clock: Clock,
}

impl Animator for Frames {
    fn frame(&mut self, frame: &Frame<'_>, work: Work<'_>, _sink: &mut dyn Sink) -> Result<()> {
        let millis = self.clock.ticks(frame.delay, MOST_MILLIS);
        let first = self.first.is_none() && self.frames.is_empty() && self.pending.is_empty();
        let key = first || (self.key_frames > 0 && self.since_key >= self.key_frames);
        let place = match self.changed(frame.canvas) {
            None if !first && self.prolong(millis) => return Ok(()),
            // A frame that is there already but for its time.
            None if !key => Rect { x: 0, y: 0, width: 1, height: 1 },
            Some(place) if !key => place,
            _ => Rect { x: 0, y: 0, width: self.animation.width, height: self.animation.height },
        };
        self.since_key = if key { 1 } else { self.since_key.saturating_add(1) };
        let need = |place: Rect| self.ways.need(place);
        let alone = !self.ways.exactly || need(place) > self.room / 2;
        if alone || self.pending.iter().map(|part| need(part.place)).sum::<u64>() + need(place) > self.room {
            self.compress(work)?;
        }
        let part = self.part(frame.canvas, place, millis, key, alone)?;
        self.pending.push(part);
        if alone || self.pending.len() == BATCH { self.compress(work) } else { Ok(()) }
    }

    fn finish(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        self.compress(work)?;
        let Animation { icc, metadata, .. } = &self.animation;
        let (icc, exif, xmp) = (icc.as_deref(), metadata.exif.as_deref(), metadata.xmp.as_deref());
        let (size, extras) = ((self.animation.width, self.animation.height), Extras { icc, exif, xmp });
        if let Some((file, _)) = &self.first {
            let mut container = Container::new(sink, size, extras);
            container.write(file.as_slice())?;
            return container.finish();
        }
        riff::animation(sink, size, &extras, self.animation.loops, self.alpha, &self.frames)
    }
}

impl Frames {
    fn width(&self) -> usize {
        self.animation.width as usize
    }

    /// Whether a pixel need not be drawn.
    fn stays(&self, shown: Pixel, wanted: Pixel) -> bool {
        if shown == wanted || (alpha(shown), alpha(wanted)) == (0, 0) && !self.ways.exact() {
            return true;
        }
        if self.still == 0 || alpha(shown) != alpha(wanted) {
            return false;
        }
        // Differences weigh as much as the pixel is opaque.
        let ([_, a @ ..], [_, b @ ..]) = (shown.to_be_bytes(), wanted.to_be_bytes());
        let most = u32::from(self.still) * 255;
        (0..3).all(|c| u32::from(a[c].abs_diff(b[c])) * alpha(wanted) <= most)
    }

    /// The part of the canvas that has to be drawn; it starts at even numbers.
    fn changed(&self, canvas: &[[u8; 4]]) -> Option<Rect> {
        let width = self.width();
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, None, 0);
        for (y, (shown, wanted)) in self.shown.chunks_exact(width).zip(canvas.chunks_exact(width)).enumerate()
        {
            // Most of a row is equal to the bit, or none of it.
            let differs =
                |&x: &usize| shown[x] != pixel(wanted[x]) && !self.stays(shown[x], pixel(wanted[x]));
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

    /// Draws a frame on our canvas, and cuts out what is to be drawn. `alone`: it will be compressed before the canvas changes.
    fn part(&mut self, canvas: &[[u8; 4]], place: Rect, millis: u32, key: bool, alone: bool) -> Result<Part> {
        let (columns, rows) = (place.width as usize, place.height as usize);
        let start = place.y as usize * self.width() + place.x as usize;
        let mut part = Part { place, argb: Vec::new(), kept: Vec::new(), over: !key, millis };
        if !key {
            part.kept = try_vec(columns * rows, "a frame")?;
            for y in 0..rows {
                let at = start + y * self.width();
                for (x, &wanted) in canvas[at..at + columns].iter().enumerate() {
                    let wanted = pixel(wanted);
                    let stays = self.stays(self.shown[at + x], wanted);
                    part.kept[y * columns + x] = stays;
                    // What is lossy and stays may be drawn, too.
                    part.over &= alpha(wanted) == 255 || stays && (self.still == 0 || alpha(wanted) == 0);
                }
            }
            if part.over {
                let width = self.width();
                let alpha = |i: usize| canvas[start + i / columns * width + i % columns][3];
                let is_screen = screen::is_screen(&canvas[start..], width, (place.width, place.height));
                let side = self.ways.block(is_screen);
                keep_blocks(&mut part.kept, columns, rows, side, |i| !matches!(alpha(i), 0 | 255));
            }
            if !part.over || !part.kept.contains(&true) {
                part.kept = Vec::new();
            }
        }
        let whole = part.kept.is_empty();
        if !alone || !whole {
            part.argb = try_vec(columns * rows, "a frame")?;
        }
        for y in 0..rows {
            let at = start + y * self.width();
            for (x, &wanted) in canvas[at..at + columns].iter().enumerate() {
                let (wanted, i) = (pixel(wanted), y * columns + x);
                if whole || !part.kept[i] {
                    self.shown[at + x] = wanted;
                }
                if let Some(argb) = part.argb.get_mut(i) {
                    *argb = wanted;
                }
            }
        }
        Ok(part)
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
        let place =
            self.frames.last_mut().and_then(|frame| frame.get_mut(riff::DURATION..riff::DURATION + 3));
        let Some([a, b, c]) = place else { return false };
        let Some(sum) = sum(u32::from_le_bytes([*a, *b, *c, 0])) else { return false };
        [*a, *b, *c, _] = sum.to_le_bytes();
        true
    }

    /// Compresses what is pending.
    fn compress(&mut self, work: Work<'_>) -> Result<()> {
        let width = self.width();
        let mut pending = std::mem::take(&mut self.pending);
        if pending.len() == 1
            && let Some(part) = pending.pop()
        {
            let (place, millis) = (part.place, part.millis);
            let found = self.ways.smallest(part, &mut self.shown, width, work.control)?;
            self.ways.learn(&found);
            return self.append(place, millis, found.over, found.file);
        }
        let ways = &self.ways;
        let places: Vec<_> = pending.iter().map(|part| (part.place, part.millis)).collect();
        let parts: Vec<_> = pending.into_iter().map(|part| Mutex::new(Some(part))).collect();
        let files = [const { Mutex::new(None) }; BATCH];
        work.pool.for_each(parts.len(), &|index| {
            let Some(part) = parts[index].lock().unwrap_or_else(PoisonError::into_inner).take() else {
                return Ok(());
            };
            let found = ways.smallest(part, &mut [], width, work.control)?;
            *files[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            Ok(())
        })?;
        for ((place, millis), file) in places.into_iter().zip(files) {
            let Some(found) = file.into_inner().unwrap_or_else(PoisonError::into_inner) else {
                bail!(Bug, "a frame was not compressed");
            };
            self.append(place, millis, found.over, found.file)?;
        }
        Ok(())
    }

    fn append(&mut self, place: Rect, millis: u32, over: bool, file: Buffer) -> Result<()> {
        if self.frames.is_empty() && self.first.is_none() {
            self.first = Some((file, millis));
            return Ok(());
        }
        if let Some((first, millis)) = self.first.take() {
            let all = Rect { x: 0, y: 0, width: self.animation.width, height: self.animation.height };
            self.add(all, millis, false, first.as_slice())?;
        }
        self.add(place, millis, over, file.as_slice())
    }

    fn add(&mut self, place: Rect, millis: u32, over: bool, file: &[u8]) -> Result<()> {
        let (frame, alpha) = riff::frame(place, millis, over, file)?;
        self.alpha |= alpha;
        self.frames.try_reserve(1).map_err(|_| Error::out_of_memory(frame.len(), "the frames of a WebP"))?;
        self.frames.push(frame);
        Ok(())
    }
}
