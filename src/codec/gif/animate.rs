//! Animated GIFs: what changes from frame to frame, and how the decoder's canvas gets there.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{
    container,
    frame::{self, Exact, KEPT, OPAQUE, Picture, Style},
    lab,
};
use crate::{
    codec::animation::{Animation, Animator, Clock, Delay, Disposal, Frame, Work},
    error::{Error, Result, try_vec},
    pack::pool::Pool,
    sink::Sink,
};

/// Frames that are compressed together.
const BATCH: usize = 4;
/// Bands of a frame in which changes are looked for together.
const BANDS: usize = 8;
/// Bytes that a frame of more than 256 colours takes while it is compressed: its tables, and so many pixels' bins. Noise has
/// more of them.
const TABLES: usize = 2 << 20;
const BINS: usize = 20_000;
const BIN: usize = 48;
/// Bytes that a stream may take in any case: 8 frames' worth of 640 x 480.
const SMALL: usize = 8 * 4 * 640 * 480;

type Pixel = [u8; 4];

/// An animated GIF on its way out.
pub struct Gif {
    animation: Animation,
    style: Style,
    /// How far a pixel's colour may change before it is drawn again: a squared distance in Oklab.
    still: f32,
    /// What a decoder has on its canvas before `held` is drawn, in the colours that were asked for.
    canvas: Vec<Pixel>,
    /// The latest frame. It waits for the next, which says what has to be cleared.
    held: Option<Held>,
    /// Frames to compress.
    pending: Vec<Part>,
    /// The colours of the frames before the first are written; none if they are too many.
    colors: Option<Exact>,
    /// The colours that all frames may use; known once the first frames have been written.
    global: Option<Arc<Exact>>,
    clock: Clock,
}

struct Held {
    canvas: Vec<Pixel>,
    delay: Delay,
    disposal: Disposal,
    /// What it covers.
    area: Place,
}

/// What is drawn of a frame: pixels that stay as they are have alpha 0.
struct Part {
    pixels: Vec<Pixel>,
    place: Place,
    delay: u16,
    disposal: Disposal,
    /// Bytes that it takes, and takes while it is compressed; counted for streams alone.
    need: usize,
}

impl Part {
    /// Whether the frame says that there is transparency, even if all of it is drawn. Where one that is cleared does not,
    /// Pillow and ffmpeg show the background's colour in its place; some look at the `first` for what the canvas was, and
    /// whether there is anything to clear it to later: `together` are the frames after it.
    fn clears(&self, first: bool, together: &[Self]) -> bool {
        let bares = |part: &Self| part.disposal == Disposal::Clear;
        bares(self) || first && (self.disposal == Disposal::Restore || together.iter().any(bares))
    }
}

/// A part of the canvas: first and last but one column and row.
#[derive(Clone, Copy)]
struct Place {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Place {
    fn single((x, y): (usize, usize)) -> Self {
        Self { left: x, top: y, right: x + 1, bottom: y + 1 }
    }

    fn include(found: Option<Self>, at: (usize, usize)) -> Self {
        let one = Self::single(at);
        found.map_or(one, |all| all.union(one))
    }

    fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn contains(&self, (x, y): (usize, usize)) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }

    fn width(&self) -> usize {
        self.right - self.left
    }

    fn height(&self) -> usize {
        self.bottom - self.top
    }
}

fn opaque(pixel: Pixel) -> bool {
    pixel[3] >= OPAQUE
}

impl Gif {
    /// An animation with this style. `still`: how far a pixel's colour may change unseen, a distance in Oklab.
    pub fn new(animation: Animation, style: Style, still: f32) -> Result<Self> {
        let canvas = try_vec(animation.pixels(), "the canvas of an animation")?;
        Ok(Self {
            animation,
            style,
            still: still * still,
            canvas,
            held: None,
            pending: Vec::new(),
            colors: Some(Exact::new()),
            global: None,
            clock: Clock::new(100),
        })
    }

    fn width(&self) -> usize {
        self.animation.width as usize
    }

    /// Whether a pixel has to be drawn so that `wanted` is seen where `shown` is.
    fn changes(&self, shown: Pixel, wanted: Pixel) -> bool {
        if shown == wanted || !opaque(wanted) {
            return false;
        }
        let rgb = |[r, g, b, _]: Pixel| [r, g, b];
        !opaque(shown)
            || rgb(shown) != rgb(wanted)
                && (self.still == 0.0
                    || lab::distance(lab::from_rgb(rgb(shown)), lab::from_rgb(rgb(wanted))) > self.still)
    }

    /// Which pixels have to be drawn so that this is seen, and where they are.
    fn mark(&self, wanted: &[Pixel], pool: &Pool) -> Result<(Vec<bool>, Option<Place>)> {
        let (width, count) = (self.width(), wanted.len());
        let mut marks: Vec<bool> = try_vec(count, "what changes in a frame")?;
        let band = (count / width).div_ceil(BANDS).max(1) * width;
        let bands: Vec<_> = marks.chunks_mut(band).map(|marks| Mutex::new((marks, None::<Place>))).collect();
        pool.for_each(bands.len(), &|number| {
            let (marks, place) = &mut *bands[number].lock().unwrap_or_else(PoisonError::into_inner);
            for (index, mark) in (number * band..).zip(marks.iter_mut()) {
                if self.changes(self.canvas[index], wanted[index]) {
                    *mark = true;
                    *place = Some(Place::include(*place, (index % width, index / width)));
                }
            }
            Ok(())
        })?;
        let places =
            bands.into_iter().map(|band| band.into_inner().unwrap_or_else(PoisonError::into_inner).1);
        let place = places.flatten().reduce(Place::union);
        Ok((marks, place))
    }

    /// Finds the part of the held frame that has to be drawn, and what a decoder has when the next one comes.
    fn settle(
        &mut self,
        held: &Held,
        next: Option<(&[Pixel], Disposal)>,
        first: bool,
        pool: &Pool,
    ) -> Result<()> {
        let width = self.width();
        let at = |index: usize| (index % width, index / width);
        let (marks, place) = self.mark(&held.canvas, pool)?;
        let mut place = place.unwrap_or(Place::single((held.area.left, held.area.top)));
        if first {
            place = Place { left: 0, top: 0, right: width, bottom: self.canvas.len() / width };
        }
        let mut disposal = held.disposal;
        if let Some((next, coming)) = next {
            // What the next frame covers may be there until then, but not come back after it.
            if (disposal, coming) == (Disposal::Clear, Disposal::Restore) {
                place = place.union(held.area);
            }
            // GIF draws over what is there: a pixel that is to be transparent again has to be disposed of.
            let after = |index: usize| match disposal {
                Disposal::Clear if place.contains(at(index)) => [0; 4],
                Disposal::Restore => self.canvas[index],
                _ => held.canvas[index],
            };
            let stuck = |&index: &usize| !opaque(next[index]) && opaque(after(index));
            if (0..next.len()).any(|index| stuck(&index)) {
                let cleared =
                    (0..next.len()).filter(|&index| !opaque(next[index]) && opaque(held.canvas[index]));
                place = cleared.fold(place, |place, index| Place::include(Some(place), at(index)));
                disposal = Disposal::Clear;
            }
        }

        let mut pixels: Vec<Pixel> = Vec::new();
        let count = place.width() * place.height();
        pixels.try_reserve_exact(count).map_err(|_| Error::out_of_memory(4 * count, "a frame"))?;
        for y in place.top..place.bottom {
            for index in y * width + place.left..y * width + place.right {
                let (shown, wanted) = (self.canvas[index], held.canvas[index]);
                let drawn = marks[index];
                pixels.push(match (drawn, shown) {
                    (true, _) => wanted,
                    (false, [r, g, b, OPAQUE..=255]) => [r, g, b, KEPT],
                    (false, _) => [0; 4],
                });
                match disposal {
                    Disposal::Clear => self.canvas[index] = [0; 4],
                    Disposal::Restore => {}
                    Disposal::Keep | Disposal::Unspecified if drawn => self.canvas[index] = wanted,
                    Disposal::Keep | Disposal::Unspecified => {}
                }
            }
        }
        let delay = self.clock.ticks(held.delay, u16::MAX.into()) as u16;
        let drawn = || pixels.iter().filter(|pixel| opaque(**pixel)).map(|&[r, g, b, _]| [r, g, b]);
        // One is left for transparency.
        let most = self.style.colors - 1;
        if let Some(exact) = &mut self.colors
            && !drawn().all(|color| exact.add(color, most).is_some())
        {
            self.colors = None;
        }
        let mut need = 4 * count;
        if self.animation.streamed {
            let mut exact = Exact::new();
            if !drawn().all(|color| exact.add(color, most).is_some()) {
                need += TABLES + count.min(BINS) * BIN;
            }
        }
        self.pending.push(Part { pixels, place, delay, disposal, need });
        Ok(())
    }

    /// Bytes for what is pending: a stream holds three canvases beside it, and 8 shall not be passed.
    fn room(&self) -> usize {
        let canvas = 4 * self.animation.pixels();
        match self.animation.streamed {
            true => (5 * canvas).max(SMALL.saturating_sub(3 * canvas)),
            false => usize::MAX,
        }
    }

    fn need(&self) -> usize {
        self.pending.iter().map(|part| part.need).sum()
    }

    /// Whether what is pending has to be written: there is no room for another such frame.
    fn is_full(&self) -> bool {
        // Whether the file has a palette is said before the first image.
        let known = self.global.is_some() || self.colors.is_none();
        let need = self.need();
        let crowded = known && need + need / self.pending.len().max(1) > self.room();
        crowded || self.pending.len() == BATCH
    }

    /// Compresses and writes what is pending.
    fn write(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        let first = self.global.is_none();
        if first {
            self.start(sink)?;
        }
        let (style, global) = (&self.style, self.global.as_deref());
        let (pending, images) = (&self.pending, [const { OnceLock::new() }; BATCH]);
        // Without a palette of the file's, a stream may have written the first frame by itself.
        let together =
            if global.is_some_and(|global| global.global().is_empty()) { &[] } else { &pending[..] };
        let compress = |index: usize| {
            let part @ Part { pixels, place, .. } = &pending[index];
            let picture = Picture {
                bytes: pixels.as_flattened(),
                stride: 4 * place.width(),
                width: place.width(),
                height: place.height(),
                opaque: false,
                animated: true,
                clears: part.clears(first && index == 0, together),
            };
            let image = frame::compress(&picture, style, global, &|_| work.control.check())?;
            let _ = images[index].set(image);
            Ok(())
        };
        match self.need() <= self.room() {
            true => work.pool.for_each(pending.len(), &compress)?,
            false => (0..pending.len()).try_for_each(compress)?,
        }
        for (part, image) in pending.iter().zip(&images) {
            let Some(image) = image.get() else { continue };
            let Place { left, top, .. } = part.place;
            container::control(sink, part.disposal as u8, part.delay, image.transparent)?;
            container::image(sink, image, [left, top, part.place.width(), part.place.height()])?;
        }
        self.pending.clear();
        Ok(())
    }

    /// Writes the header. If the first frames have few colours between them, the later ones will hardly have others.
    fn start(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let global = self.colors.take().unwrap_or_else(Exact::new);
        let Animation { width, height, loops, .. } = self.animation;
        container::header(sink, width, height, &global.global())?;
        container::loops(sink, loops)?;
        if let Some(icc) = &self.animation.icc {
            container::profile(sink, icc)?;
        }
        if let Some(packet) = &self.animation.metadata.xmp {
            container::xmp(sink, packet)?;
        }
        container::comments(sink, &self.animation.metadata)?;
        self.global = Some(Arc::new(global));
        Ok(())
    }
}

impl Animator for Gif {
    fn frame(&mut self, frame: &Frame<'_>, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        if self.style.lossless {
            frame::whole_alpha(frame.canvas)?;
        }
        let mut canvas = Vec::new();
        if let Some(held) = self.held.take() {
            let first = self.global.is_none() && self.pending.is_empty();
            self.settle(&held, Some((frame.canvas, frame.disposal)), first, work.pool)?;
            canvas = held.canvas;
        }
        if self.is_full() {
            self.write(work, sink)?;
        }
        canvas.clear();
        canvas
            .try_reserve_exact(frame.canvas.len())
            .map_err(|_| Error::out_of_memory(4 * frame.canvas.len(), "a frame"))?;
        canvas.extend_from_slice(frame.canvas);
        let [left, top, width, height] =
            [frame.area.x, frame.area.y, frame.area.width, frame.area.height].map(|side| side as usize);
        let area = Place { left, top, right: left + width, bottom: top + height };
        self.held = Some(Held { canvas, delay: frame.delay, disposal: frame.disposal, area });
        Ok(())
    }

    fn finish(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        if let Some(held) = self.held.take() {
            let first = self.global.is_none() && self.pending.is_empty();
            self.settle(&held, None, first, work.pool)?;
        }
        self.write(work, sink)?;
        container::trailer(sink)
    }
}
