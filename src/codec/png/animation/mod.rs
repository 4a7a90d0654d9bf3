//! APNG: frames that draw only what changes, in the narrowest kind of pixel that holds all of them.
//!
//! A frame is compared with what a decoder can have on its canvas then: the frame before, the frame before with its
//! rectangle cleared, or the canvas before that frame. The rectangle that differs is written, as it is or with the
//! unchanged pixels transparent, whichever is smaller. A frame that shows nothing new lengthens the one before.
//!
//! Number of frames, palette and kind of pixel stand at the start of the file and are known at its end, so frames
//! wait compressed. Should one come that the kind of pixel cannot show, those that wait are written anew.

mod difference;
mod effort;
mod kind;
mod time;

use std::io::Cursor;

use super::{
    Settings,
    chunk::{Ancillary, Chunks},
    is_rgb,
    shape::Shape,
    simd::Simd,
    stream::{Effort, Job, Source},
};
use crate::{
    bail,
    codec::animation::{Animation, Animator, Frame, Rect, Work},
    err,
    error::{Error, Result, try_resize, try_vec},
    sink::{Sink, memory::Buffer},
};
use difference::{Bases, Change, Dispose};
use effort::{ALL_DISPOSALS, BOTH_BLENDS};
use kind::Kind;

/// About what a chunk in flight takes with its thread's tables.
const CHUNK_MEMORY: usize = 3 << 19;

/// What is drawn, and whether its unchanged pixels are transparent.
type Form = (Change, bool);

/// A frame that waits for the end.
struct Held {
    rect: Rect,
    /// Seconds: numerator and denominator.
    delay: [u16; 2],
    dispose: Dispose,
    /// Whether transparent pixels show what is below them.
    over: bool,
    /// The zlib stream.
    data: Vec<u8>,
}

impl Held {
    /// Data of the fcTL chunk (PNG specification, third edition, 11.3.6.2).
    fn control(&self, sequence: u32) -> [u8; 26] {
        let mut out = [0; 26];
        let Rect { x, y, width, height } = self.rect;
        for (at, value) in [sequence, width, height, x, y].into_iter().enumerate() {
            out[4 * at..][..4].copy_from_slice(&value.to_be_bytes());
        }
        for (at, value) in self.delay.into_iter().enumerate() {
            out[20 + 2 * at..][..2].copy_from_slice(&value.to_be_bytes());
        }
        out[24] = self.dispose as u8;
        out[25] = u8::from(self.over);
        out
    }
}

/// An APNG on its way out.
struct Apng {
    animation: Animation,
    settings: Settings,
    kind: Kind,
    frames: Vec<Held>,
    /// What the last frame shows.
    current: Vec<[u8; 4]>,
    /// What a decoder had before it drew the last frame.
    before: Vec<[u8; 4]>,
    scratch: Vec<[u8; 4]>,
}

/// Starts an APNG.
pub fn animate(animation: Animation) -> Result<Box<dyn Animator>> {
    if animation.icc.as_deref().is_some_and(|profile| !is_rgb(profile)) {
        bail!(Icc, "the animation's profile is not for RGB");
    }
    let pixels = animation.pixels();
    let settings = Settings::of(&animation.options);
    let kind = Kind::first(settings.palette);
    let (current, before) = (canvas(pixels)?, canvas(pixels)?);
    let scratch = try_vec(animation.width as usize, "a row of an animation")?;
    Ok(Box::new(Apng { animation, settings, kind, frames: Vec::new(), current, before, scratch }))
}

fn canvas(pixels: usize) -> Result<Vec<[u8; 4]>> {
    try_vec(pixels, "the canvas of an animation")
}

impl Animator for Apng {
    fn frame(&mut self, frame: &Frame<'_>, work: Work<'_>, _sink: &mut dyn Sink) -> Result<()> {
        work.control.check()?;
        let delay = time::fraction(frame.delay);
        self.frames.try_reserve(1).map_err(|_| Error::out_of_memory(size_of::<Held>(), "a frame"))?;
        let changes = match self.changes(frame.canvas) {
            Some(changes) => changes,
            None => {
                if let Some(last) = self.frames.last_mut()
                    && let Some(sum) = time::sum(last.delay, delay)
                {
                    last.delay = sum;
                    return Ok(());
                }
                vec![Change::nothing()]
            }
        };
        self.admit(frame.canvas, work)?;
        let mut forms = self.candidates(&changes);
        if let Some(effort) = effort::quick(&self.settings)
            && forms.len() > 1
        {
            forms = vec![self.smallest(frame.canvas, &forms, effort, work)?.0];
        }
        let effort = effort::of(&self.settings);
        let ((change, over), data) = self.smallest(frame.canvas, &forms, effort, work)?;
        self.advance(change.dispose, frame.canvas);
        self.frames.push(Held { rect: change.rect, delay, dispose: Dispose::Keep, over, data });
        Ok(())
    }

    fn finish(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        let Animation { width, height, .. } = self.animation;
        let mut chunks = Chunks::new(sink)?;
        let mut header = [0; 13];
        header[..4].copy_from_slice(&width.to_be_bytes());
        header[4..8].copy_from_slice(&height.to_be_bytes());
        header[8..10].copy_from_slice(&[8, self.kind.color() as u8]);
        chunks.write(b"IHDR", &[&header])?;
        chunks.ancillary(&self.animation.icc.as_deref().map_or(Ancillary::Srgb, Ancillary::Icc))?;
        for piece in super::described(&self.animation.metadata) {
            chunks.ancillary(&piece)?;
        }
        let count = u32::try_from(self.frames.len())
            .map_err(|_| err!(TooLarge, "{} frames; APNG has at most 2^32", self.frames.len()))?;
        chunks.write(b"acTL", &[&count.to_be_bytes(), &u32::from(self.animation.loops).to_be_bytes()])?;
        let [plte, trns] = self.kind.tables();
        for (name, table) in [(b"PLTE", plte), (b"tRNS", trns)] {
            if !table.is_empty() {
                chunks.write(name, &[&table])?;
            }
        }
        let mut sequence = 0u32;
        for frame in std::mem::take(&mut self.frames) {
            work.control.check()?;
            chunks.write(b"fcTL", &[&frame.control(sequence)])?;
            if sequence == 0 {
                chunks.write(b"IDAT", &[&frame.data])?;
                sequence = 1;
            } else {
                let number = sequence.wrapping_add(1).to_be_bytes();
                chunks.write(b"fdAT", &[&number, &frame.data])?;
                sequence = sequence.wrapping_add(2);
            }
        }
        chunks.finish()
    }
}

impl Apng {
    fn bases(&self) -> Option<Bases<'_>> {
        Some(Bases {
            current: &self.current,
            before: &self.before,
            last: self.frames.last()?.rect,
            width: self.animation.width as usize,
        })
    }

    /// What differs after each way of disposal that may be worth it; none if nothing has to be drawn.
    fn changes(&mut self, canvas: &[[u8; 4]]) -> Option<Vec<Change>> {
        let mut row = std::mem::take(&mut self.scratch);
        let changes = self.changes_in(canvas, &mut row);
        self.scratch = row;
        changes
    }

    fn changes_in(&self, canvas: &[[u8; 4]], row: &mut [[u8; 4]]) -> Option<Vec<Change>> {
        let Some(bases) = self.bases() else {
            return Some(vec![Change::everything(self.animation.width, self.animation.height)]);
        };
        let keep = bases.change(Dispose::Keep, canvas, row)?;
        let mut changes = vec![keep];
        // What was drawn over the canvas is cleared by ffmpeg before it is shown, and not restored by Pillow.
        let ways: &[_] = match self.frames.last() {
            Some(Held { over: false, .. }) => &[Dispose::Clear, Dispose::Restore],
            _ => &[],
        };
        for &dispose in ways {
            // The canvas before the first frame is clear.
            if dispose == Dispose::Restore && self.frames.len() == 1 {
                continue;
            }
            let change =
                bases.change(dispose, canvas, row).unwrap_or(Change { dispose, ..Change::nothing() });
            // Hardly fewer pixels are no gain.
            if change.pixels < keep.pixels / 8 * 7 || (keep.pixels < 8 && change.pixels < keep.pixels) {
                changes.push(change);
            }
        }
        if self.settings.number < ALL_DISPOSALS
            && let Some(fewest) = changes.iter().min_by_key(|change| change.pixels)
        {
            changes = vec![*fewest];
        }
        Some(changes)
    }

    /// The forms that a frame may have.
    fn candidates(&self, changes: &[Change]) -> Vec<Form> {
        let mut all = Vec::new();
        for &change in changes {
            let area = u64::from(change.rect.width) * u64::from(change.rect.height);
            let may_be_over = change.over && change.pixels < area;
            let both = self.settings.number >= BOTH_BLENDS;
            let mostly_same = change.pixels < area / 2;
            if !may_be_over || both || !mostly_same {
                all.push((change, false));
            }
            if may_be_over && (both || mostly_same) {
                all.push((change, true));
            }
        }
        all
    }

    /// Sees to it that the kind of pixel can show this canvas.
    fn admit(&mut self, canvas: &[[u8; 4]], work: Work<'_>) -> Result<()> {
        if self.kind.admit(canvas) {
            return Ok(());
        }
        let wider = self.kind.wider(canvas);
        for at in 0..self.frames.len() {
            work.control.check()?;
            let rect = self.frames[at].rect;
            let samples = self.decompress(&self.frames[at])?;
            let mut out = try_vec(
                rect.width as usize * rect.height as usize * wider.channels(),
                "a frame of an animation",
            )?;
            let colors = samples.chunks_exact(self.kind.channels()).map(|sample| self.kind.color_of(sample));
            wider.put(colors, &mut out);
            self.frames[at].data = self.pack(effort::of(&self.settings), &wider, rect, &out, work)?;
        }
        self.kind = wider;
        Ok(())
    }

    /// The samples of a frame that waits.
    fn decompress(&self, frame: &Held) -> Result<Vec<u8>> {
        let Rect { width, height, .. } = frame.rect;
        let mut file = Buffer::default();
        let mut chunks = Chunks::new(&mut file)?;
        chunks.write(b"IHDR", &[&shape(&self.kind, frame.rect)?.header()])?;
        chunks.write(b"IDAT", &[&frame.data])?;
        chunks.finish()?;
        let broken = |error| err!(Bug, "a frame of an APNG cannot be read again: {error}");
        let mut reader = ::png::Decoder::new(Cursor::new(file.as_slice())).read_info().map_err(broken)?;
        let bytes = width as usize * height as usize * self.kind.channels();
        let mut samples = try_vec(bytes, "a frame of an animation")?;
        reader.next_frame(&mut samples).map_err(broken)?;
        Ok(samples)
    }

    /// The form that takes the fewest bytes, and these.
    fn smallest(
        &self,
        canvas: &[[u8; 4]],
        forms: &[Form],
        effort: Effort,
        work: Work<'_>,
    ) -> Result<(Form, Vec<u8>)> {
        let mut best: Option<(Form, Vec<u8>)> = None;
        for &form in forms {
            let data = self.compress(canvas, form, effort, work)?;
            if best.as_ref().is_none_or(|(_, smallest)| data.len() < smallest.len()) {
                best = Some((form, data));
            }
        }
        best.ok_or_else(|| err!(Bug, "a frame of an animation has no form"))
    }

    fn compress(
        &self,
        canvas: &[[u8; 4]],
        (change, over): Form,
        effort: Effort,
        work: Work<'_>,
    ) -> Result<Vec<u8>> {
        let (rect, width) = (change.rect, self.animation.width as usize);
        let wide = rect.width as usize;
        let mut samples =
            try_vec(wide * rect.height as usize * self.kind.channels(), "a frame of an animation")?;
        let mut base = try_vec(width, "a row of an animation")?;
        let rows = samples.chunks_exact_mut(wide * self.kind.channels());
        for (y, out) in (rect.y as usize..).zip(rows) {
            let row = &canvas[y * width..][rect.x as usize..][..wide];
            if let (true, Some(bases)) = (over, self.bases()) {
                bases.row(change.dispose, y, &mut base);
                let base = &base[rect.x as usize..][..wide];
                let colors = row.iter().zip(base).map(|(new, old)| if new == old { [0; 4] } else { *new });
                self.kind.put(colors.map(u32::from_be_bytes), out);
            } else {
                self.kind.put(row.iter().map(|&pixel| u32::from_be_bytes(pixel)), out);
            }
        }
        self.pack(effort, &self.kind, rect, &samples, work)
    }

    fn pack(
        &self,
        effort: Effort,
        kind: &Kind,
        rect: Rect,
        samples: &[u8],
        work: Work<'_>,
    ) -> Result<Vec<u8>> {
        let shape = shape(kind, rect)?;
        let mut job = Job::new(Source::Samples(samples), &shape, effort, Simd::detect(), work.control);
        if self.animation.streamed {
            // What they hold stays within two frames' worth.
            job.in_flight = (8 * self.animation.pixels() / CHUNK_MEMORY).clamp(2, job.in_flight);
        }
        let mut out = Vec::new();
        job.run(work.pool, &mut |parts| {
            for part in parts {
                let at = out.len();
                try_resize(&mut out, at + part.len(), "a compressed frame")?;
                out[at..].copy_from_slice(part);
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// The last frame is disposed of, and a new one is shown.
    fn advance(&mut self, dispose: Dispose, canvas: &[[u8; 4]]) {
        let width = self.animation.width as usize;
        if let Some(last) = self.frames.last_mut() {
            last.dispose = dispose;
            match dispose {
                Dispose::Keep => std::mem::swap(&mut self.before, &mut self.current),
                Dispose::Clear => {
                    std::mem::swap(&mut self.before, &mut self.current);
                    let Rect { x, y, width: wide, height } = last.rect;
                    for row in self.before.chunks_exact_mut(width).skip(y as usize).take(height as usize) {
                        row[x as usize..][..wide as usize].fill([0; 4]);
                    }
                }
                // It is before that frame again.
                Dispose::Restore => {}
            }
        }
        self.current.copy_from_slice(canvas);
    }
}

/// Samples as a PNG of their own would hold them.
fn shape(kind: &Kind, rect: Rect) -> Result<Shape> {
    match kind.source() {
        Some((color, source)) => Ok(Shape::new(rect.width, rect.height, color, 8, None, source)),
        None => bail!(Bug, "samples of an APNG have no layout"),
    }
}

#[cfg(test)]
mod tests;
