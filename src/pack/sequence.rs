//! Sequences: frames of any layout, size and place become canvases, which the format's encoder compresses one by one.

use std::sync::Arc;

use super::{
    carry,
    colors::fit_frame,
    control::Control,
    develop::standard,
    packer::{check, tell_found},
    pool::Pool,
};
use crate::{
    bail,
    codec::{
        animation::{Animation, Animator, Delay, Disposal, Frame, Rect, Work},
        decode,
    },
    error::Result,
    limits::{Limits, Share},
    model::{
        color::{Cicp, Color},
        metadata::Metadata,
        pixelmap::Pixels,
        report::{Code, Notes},
        sequence::{DEFAULT_LOOPS, MOST_REPEATED, SequenceOptions},
        source::ImageSource,
    },
    pixels::{Canvas, Layout, Orientation, Rows, Scratch},
    sink::Sink,
};

/// Rows that are converted at a time.
const BAND: u32 = 64;

/// An animated image on its way out. It takes frames one at a time and holds a few canvases, however many come.
///
/// After an error it takes no more frames.
pub struct Stream {
    options: Arc<SequenceOptions>,
    /// Frames of the whole animation, if known.
    total: Option<u32>,
    /// Frames so far.
    count: u32,
    /// Whether nobody holds all frames, so that memory counts.
    frugal: bool,
    /// Whether a host adds the frames, when it likes.
    open: bool,
    /// What the source holds beside its frames.
    metadata: Option<Metadata>,
    state: State,
}

/// What all frames share.
struct Look {
    size: (u32, u32),
    loops: u16,
    icc: Option<Arc<[u8]>>,
    metadata: Option<Metadata>,
}

enum State {
    /// No frame has come yet.
    New,
    Running(Box<Running>),
    /// An error has ended it, or it is finished.
    Over,
}

struct Running {
    encoder: Box<dyn Animator>,
    width: u32,
    height: u32,
    /// Where frames are put together; none where they come as whole canvases.
    canvas: Option<Canvas>,
    scratch: Scratch,
    icc: Option<Arc<[u8]>>,
    _share: Share,
}

/// Where a call of a stream works: limits, threads, and whom to ask whether to go on.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Site<'a> {
    pub limits: &'a Limits,
    pub pool: &'a Pool,
    pub control: &'a Control,
    pub notes: &'a Notes,
}

/// One frame to put on the canvas.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its pixels.
    pub pixels: Arc<Pixels>,
    /// Its left and top edge.
    pub offset: (u32, u32),
    /// Time on screen.
    pub delay: Delay,
    /// What becomes of it.
    pub disposal: Disposal,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream of as many frames as the options say, or of any number.
    pub fn new(options: Arc<SequenceOptions>) -> Self {
        let total = (options.frame_count != 0).then_some(options.frame_count);
        Self { options, total, count: 0, frugal: true, open: false, metadata: None, state: State::New }
    }

    /// As [`new`](Self::new) for a host that adds the frames when it likes.
    pub fn open(options: Arc<SequenceOptions>) -> Self {
        Self { open: true, ..Self::new(options) }
    }

    /// Frames that have been added.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether an error has ended it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Draws a frame and hands the canvas on. A frame that is refused changes nothing.
    pub fn add(&mut self, site: Site<'_>, step: &Step, sink: &mut dyn Sink) -> Result<()> {
        let area = self.place(site.limits, step)?;
        self.step(|stream| {
            stream.check_depth(&step.pixels, site.notes)?;
            let pixels = standard(&step.pixels, site.pool, &stream.options.pack, site.control, site.notes)?;
            let pixels = fit_frame(pixels, &stream.options.pack, site.notes)?;
            let rows = Rows::new(pixels, Layout::Rgba8, &stream.options.pack)?;
            if matches!(stream.state, State::New) {
                let look = Look {
                    size: stream.options.canvas.unwrap_or((area.x + area.width, area.y + area.height)),
                    loops: stream.options.loops.unwrap_or(DEFAULT_LOOPS),
                    icc: rows.icc().map(Arc::from),
                    metadata: stream.metadata.take(),
                };
                let (width, height) = look.size;
                stream.start(site, look, &step.pixels)?;
                stream.running()?.canvas = Some(Canvas::new(width, height)?);
            }
            let running = stream.running()?;
            if rows.icc() != running.icc.as_deref() {
                let text = "a frame has another colour profile than the first, whose is kept";
                site.notes.add(Code::ProfileDropped, text);
            }
            running.draw(&rows, area, step.disposal)?;
            let Step { delay, disposal, .. } = *step;
            stream.hand_on(site, None, decode::Frame { area, delay, disposal }, sink)
        })
    }

    /// Canvases have 8 bits per component: deeper frames lose some, or are refused where nothing may be lost.
    fn check_depth(&self, pixels: &Pixels, notes: &Notes) -> Result<()> {
        let (info, index, name) = (pixels.info(), self.count, self.options.pack.format.name());
        if info.bits <= 8 {
            return Ok(());
        }
        if self.options.pack.lossless {
            bail!(
                Unsupported,
                "frame {index}: animations of {name} have 8 bits per component; the {} bits of {} would not be lossless",
                info.bits,
                info.name
            );
        }
        notes.add(Code::DepthReduced, format!("{name}: frames of animations have 8 bits per component"));
        Ok(())
    }

    /// The part of the canvas that a frame covers, if it may be added.
    fn place(&self, limits: &Limits, step: &Step) -> Result<Rect> {
        if let Some(total) = self.total
            && self.count == total
        {
            bail!(FrameCount, "more frames were added than the {total} that were announced");
        }
        let (width, height) = (step.pixels.width(), step.pixels.height());
        limits.check_pixels(width, height)?;
        let ((x, y), index) = (step.offset, self.count);
        let (right, bottom) = (x.checked_add(width), y.checked_add(height));
        let canvas = match &self.state {
            State::Running(running) => Some((running.width, running.height)),
            _ => self.options.canvas,
        };
        let passes = |end: Option<u32>, side| end.is_none_or(|end| end > side);
        if let Some(canvas) = canvas
            && (passes(right, canvas.0) || passes(bottom, canvas.1))
        {
            bail!(
                OutOfRange,
                "frame {index} of {width} x {height} pixels at {x}, {y} passes the canvas of {} x {}",
                canvas.0,
                canvas.1
            );
        }
        if right.is_none() || bottom.is_none() {
            bail!(TooLarge, "frame {index} of {width} x {height} pixels at {x}, {y}");
        }
        Ok(Rect { x, y, width, height })
    }

    /// Hands on a canvas that is put together already.
    fn show(
        &mut self,
        site: Site<'_>,
        canvas: &[[u8; 4]],
        frame: decode::Frame,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        self.step(|stream| stream.hand_on(site, Some(canvas), frame, sink))
    }

    /// Writes what is left. Answers the size of the canvas.
    pub fn finish(&mut self, site: Site<'_>, sink: &mut dyn Sink) -> Result<(u32, u32)> {
        if let Some(total) = self.total
            && total != self.count
        {
            bail!(FrameCount, "{} frames were added where {total} were announced", self.count);
        }
        if matches!(self.state, State::New) {
            bail!(FrameCount, "a sequence of 0 frames");
        }
        let size = self.step(|stream| {
            let Site { pool, control, .. } = site;
            let running = stream.running()?;
            running.encoder.finish(Work { pool, control }, sink)?;
            control.finish()?;
            Ok((running.width, running.height))
        })?;
        self.state = State::Over;
        Ok(size)
    }

    /// An error in `work` ends the stream.
    fn step<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.is_over() {
            bail!(OutOfRange, "the sequence has ended, by its end or by an error");
        }
        let result = work(self);
        if result.is_err() {
            self.state = State::Over;
        }
        result
    }

    fn running(&mut self) -> Result<&mut Running> {
        match &mut self.state {
            State::Running(running) => Ok(running),
            _ => bail!(Bug, "a sequence that has not begun"),
        }
    }

    fn start(&mut self, site: Site<'_>, look: Look, sample: &Pixels) -> Result<()> {
        let Look { size: (width, height), loops, icc, metadata } = look;
        let (limits, mut pack) = (site.limits, self.options.pack.clone());
        // What was set is asked for.
        pack.needs_pack_properties |= self.options.metadata.is_some();
        let pack = Arc::new(pack);
        check(limits, width, height, &pack)?;
        let Some(animate) = (pack.format.animate)() else {
            bail!(Unsupported, "{} has no animations", pack.format.name());
        };
        let pixels = u64::from(width) * u64::from(height);
        // Our canvas and its copy, the encoder's canvases, and what the frames in work take, each as large as the canvas.
        let (frame, own) =
            ((pack.format.memory)(sample, &pack), sample.width() as u64 * sample.height() as u64);
        let frame =
            frame.saturating_mul(pixels.div_ceil(own.max(1))).saturating_mul(if self.frugal { 1 } else { 2 });
        let mut share =
            limits.memory().take(pixels.saturating_mul(6 * 4).saturating_add(frame), "this sequence")?;
        if self.open {
            share.last();
        }
        let color = Color { cicp: Cicp::SRGB, icc: icc.clone() };
        let output = carry::Output {
            options: &pack,
            size: (width, height),
            color: &color,
            shown: None,
            orientation: Orientation::Upright,
            pool: site.pool,
            notes: site.notes,
        };
        let metadata = self.options.metadata.clone().or(metadata).unwrap_or_default();
        let metadata = carry::prepare(&metadata, &output)?;
        let (frames, streamed) = (self.total, self.frugal);
        let animation =
            Animation { width, height, loops, frames, streamed, options: pack, icc: icc.clone(), metadata };
        let encoder = animate(animation)?;
        self.state = State::Running(Box::new(Running {
            encoder,
            width,
            height,
            canvas: None,
            scratch: Scratch::default(),
            icc,
            _share: share,
        }));
        Ok(())
    }

    fn hand_on(
        &mut self,
        Site { pool, control, .. }: Site<'_>,
        canvas: Option<&[[u8; 4]]>,
        decode::Frame { area, delay, disposal }: decode::Frame,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        // Without a known end there is no progress to tell.
        control.checkpoint(self.total.map_or(0, |_| self.count.into()), self.total.unwrap_or(1).into())?;
        let running = self.running()?;
        let Running { encoder, canvas: own, width, height, .. } = running;
        let canvas = match (canvas, own) {
            (Some(canvas), _) => canvas,
            (None, Some(own)) => own.pixels(),
            (None, None) => bail!(Bug, "a frame without a canvas"),
        };
        if canvas.len() as u64 != u64::from(*width) * u64::from(*height) {
            bail!(Bug, "a canvas of {} pixels where {width} x {height} were announced", canvas.len());
        }
        encoder.frame(&Frame { canvas, area, delay, disposal }, Work { pool, control }, sink)?;
        self.count += 1;
        Ok(())
    }
}

impl Running {
    fn draw(&mut self, rows: &Rows, area: Rect, disposal: Disposal) -> Result<()> {
        let Some(canvas) = &mut self.canvas else { bail!(Bug, "frames and canvases in one sequence") };
        canvas.begin(area, disposal)?;
        let over = rows.pixels().has_alpha();
        for first in (0..area.height).step_by(BAND as usize) {
            let last = (first + BAND).min(area.height);
            let plane = rows.band(first..last, &mut self.scratch)?.planes[0];
            let band = Rect { y: area.y + first, height: last - first, ..area };
            let row = area.width as usize * 4;
            let used = plane.stride * (last - first - 1) as usize + row;
            canvas.draw(band, &plane.bytes[..used], plane.stride, over);
        }
        Ok(())
    }
}

/// A whole sequence to encode.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Where the frames come from.
    pub frames: FramesOf,
    /// What to make of them.
    pub options: Arc<SequenceOptions>,
}

/// Where the frames of a sequence come from.
#[derive(Clone, Debug)]
pub enum FramesOf {
    /// Pixels, in order.
    Pixels(Arc<[Arc<Pixels>]>),
    /// An encoded animation, or anything else with frames.
    Source(Arc<ImageSource>),
}

impl Sequence {
    /// Encodes the sequence into `sink`. Answers the size of the canvas. On failure the sink may have
    /// taken some bytes.
    pub fn pack(&self, site: Site<'_>, sink: &mut dyn Sink) -> Result<(u32, u32)> {
        match &self.frames {
            FramesOf::Pixels(frames) => pack_pixels(site, frames, &self.options, Own::default(), sink),
            FramesOf::Source(source) => pack_source(site, source, &self.options, sink),
        }
    }
}

/// The number of frames in the file for so many at hand: fewer than the options say are filled up with the last one.
fn wanted(there: usize, options: &SequenceOptions) -> Result<u32> {
    let there = u32::try_from(there).unwrap_or(u32::MAX);
    match options.frame_count {
        0 => Ok(there),
        count if count <= there.max(MOST_REPEATED) => Ok(count),
        count => bail!(
            FrameCount,
            "{count} frames from {there}: the last one is repeated up to {MOST_REPEATED} frames in all"
        ),
    }
}

/// What a source whose frames are images of their own says beside them.
#[derive(Default)]
struct Own {
    metadata: Option<Metadata>,
    /// Time on screen of each frame.
    delay: Option<Delay>,
    loops: Option<u16>,
}

fn pack_pixels(
    site: Site<'_>,
    frames: &[Arc<Pixels>],
    options: &Arc<SequenceOptions>,
    own: Own,
    sink: &mut dyn Sink,
) -> Result<(u32, u32)> {
    let total = wanted(frames.len(), options)?;
    let mut options = SequenceOptions::clone(options);
    options.frame_count = total;
    options.loops = options.loops.or(own.loops);
    if options.canvas.is_none() {
        let used = frames.iter().take(total as usize).enumerate();
        options.canvas = used
            .map(|(index, pixels)| {
                let (x, y) = options.offset(index);
                (x.saturating_add(pixels.width()), y.saturating_add(pixels.height()))
            })
            .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
    }
    let options = Arc::new(options);
    let mut stream = Stream::new(options.clone());
    stream.metadata = own.metadata;
    stream.frugal = false;
    for index in 0..total as usize {
        let Some(pixels) = frames.get(index).or(frames.last()) else { break };
        let step = Step {
            pixels: pixels.clone(),
            offset: options.offset(index),
            delay: options.explicit_delay(index).or(own.delay).unwrap_or_else(|| options.delay(index)),
            disposal: options.disposal(index),
        };
        stream.add(site, &step, sink)?;
    }
    stream.finish(site, sink)
}

fn pack_source(
    site: Site<'_>,
    source: &Arc<ImageSource>,
    options: &Arc<SequenceOptions>,
    sink: &mut dyn Sink,
) -> Result<(u32, u32)> {
    let limits = site.limits;
    let bytes = source.bytes()?;
    let found = decode::found(source, &bytes)?;
    tell_found(&found, &options.pack, site.notes);
    let metadata = found.metadata;
    let Some(mut frames) = decode::open(source, &bytes, limits, site.control)? else {
        // Frames that are images of their own: a still image has one.
        let mut pixels = Vec::new();
        for index in 0..wanted(source.info().frames, options)?.min(source.info().frames as u32) {
            pixels.push(Arc::new(decode::decode_under(source, index as usize, limits, site.control)?));
        }
        let mut own = Own { metadata: Some(metadata), ..Own::default() };
        // A still image says nothing of time; an animation of one frame may.
        if let decode::Timing { loops, frame: Some(frame) } = decode::timing(source, 0)?
            && source.info().frames == 1
            && frame.delay.num > 0
        {
            (own.delay, own.loops) = (Some(frame.delay), Some(loops));
        }
        return pack_pixels(site, &pixels, options, own, sink);
    };
    let total = wanted(source.info().frames, options)?;
    let (width, height) = (source.info().width, source.info().height);
    if let Some(canvas) = options.canvas
        && canvas != (width, height)
    {
        bail!(
            Unsupported,
            "a canvas of {} x {} for the {width} x {height} pixels of the source",
            canvas.0,
            canvas.1
        );
    }
    let loops = options.loops.map_or_else(|| decode::timing(source, 0).map(|timing| timing.loops), Ok)?;
    let mut options = SequenceOptions::clone(options);
    options.frame_count = total;
    let options = Arc::new(options);
    let mut stream = Stream::new(options.clone());
    let first = Arc::new(decode::decode_under(source, 0, limits, site.control)?);
    stream.check_depth(&first, site.notes)?;
    let colors = first.color.clone();
    // Canvases have colour; gray keeps its numbers.
    let shown = match first.info().is_gray() {
        true => first.clone(),
        false => fit_frame(first.clone(), &options.pack, site.notes)?,
    };
    let converts = !Arc::ptr_eq(&shown, &first);
    let icc = Rows::new(shown, Layout::Rgba8, &options.pack)?.icc().map(Arc::from);
    let size = (width, height);
    stream.start(site, Look { size, loops, icc, metadata: Some(metadata) }, &first)?;
    drop(first);
    let mut last = None;
    for index in 0..total as usize {
        let found = match frames.advance()? {
            Some(frame) => frame,
            // The last frame again.
            None => match last {
                Some(frame) if index >= source.info().frames => frame,
                _ => bail!(BadData, "the animation ends before frame {index}"),
            },
        };
        last = Some(found);
        let delay = options.explicit_delay(index).unwrap_or(found.delay);
        let area = cut(found.area, width, height);
        // The canvases are as the source shows them, whatever number the file has for the way from one to the next.
        let disposal = options.explicit_disposal(index).unwrap_or(found.disposal);
        let frame = decode::Frame { area, delay, disposal };
        if converts {
            let mut pixels = Pixels::from_canvas(width, height, frames.canvas())?;
            pixels.color = colors.clone();
            let pixels = fit_frame(Arc::new(pixels), &options.pack, site.notes)?;
            stream.show(site, pixels.plane(0).0.as_chunks().0, frame, sink)?;
        } else {
            stream.show(site, frames.canvas(), frame, sink)?;
        }
    }
    stream.finish(site, sink)
}

/// The part of a rectangle on the canvas; one pixel if there is none.
fn cut(area: Rect, width: u32, height: u32) -> Rect {
    let (x, y) = (area.x.min(width - 1), area.y.min(height - 1));
    let right = area.x.saturating_add(area.width).min(width).max(x + 1);
    let bottom = area.y.saturating_add(area.height).min(height).max(y + 1);
    Rect { x, y, width: right - x, height: bottom - y }
}
