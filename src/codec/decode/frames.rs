//! The frames of an animation one after the other, and what their headers say of them.

use super::{Decoder, Header, Job, Reader, find, guard, known, stopped};
use crate::{
    error::{Error, Result, try_extend},
    limits::Limits,
    model::{
        frame::{Delay, Disposal, Rect},
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
        source::ImageSource,
    },
    pack::control::Control,
    pixels::{Canvas, Orientation, upright},
};

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its part of the canvas; may pass it.
    pub area: Rect,
    /// Time on screen.
    pub delay: Delay,
    /// What becomes of its part.
    pub disposal: Disposal,
}

/// What an animation says of itself without being decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often it is to be shown; 0 is for ever.
    pub loops: u16,
    /// The frame that was asked for.
    pub frame: Option<Frame>,
}

/// Draws the frames of an animation in turn.
pub trait Frames {
    /// Draws the next frame; `None` when all have been drawn.
    fn advance(&mut self) -> Result<Option<Frame>>;
    /// What is seen now: straight RGBA.
    fn canvas(&self) -> &[[u8; 4]];
}

/// A format's way with animations.
#[derive(Clone, Copy)]
pub(super) struct Animation {
    /// Reads headers: tells every frame, answers how often the animation is shown.
    pub scan: fn(&mut Reader<'_>, &mut dyn FnMut(Frame)) -> Result<u16>,
    /// Starts to decode.
    pub frames: for<'a> fn(&Job<'a>) -> Result<Box<dyn Frames + 'a>>,
}

/// Loops and the header of frame `index`; a still image is shown once, and its frame has no header.
pub fn timing(source: &ImageSource, index: usize) -> Result<Timing> {
    let still = Timing { loops: 1, frame: None };
    if source.info().frames < 2 {
        // An animation of one frame may say something all the same.
        return Ok(scan(source, index).unwrap_or(still));
    }
    scan(source, index)
}

fn scan(source: &ImageSource, index: usize) -> Result<Timing> {
    let mut reader = Reader::new(source.probe())?;
    #[cfg(feature = "heif")]
    if crate::codec::heif::sniff(reader.head(super::MAGIC)?).is_some() {
        return crate::codec::heif::scan(&source.bytes()?, index);
    }
    let Ok(decoder) = find(reader.head(super::MAGIC)?) else { return Ok(Timing { loops: 1, frame: None }) };
    let Some(animation) = decoder.animation else { return Ok(Timing { loops: 1, frame: None }) };
    let (mut frame, mut count) = (None, 0);
    let loops = guard(decoder, || {
        (animation.scan)(&mut reader, &mut |found| {
            if count == index {
                frame = Some(found);
            }
            count += 1;
        })
    });
    let loops = loops.map_err(|error| reader.failure().unwrap_or(error))?;
    Ok(Timing { loops, frame })
}

/// Opens an animation whose bytes are read, upright; `None` if the format has none.
pub fn open<'a>(
    source: &ImageSource,
    bytes: &'a [u8],
    limits: &'a Limits,
    control: &'a Control,
) -> Result<Option<Box<dyn Frames + 'a>>> {
    let info = source.info();
    limits.check_pixels(info.width, info.height)?;
    #[cfg(feature = "heif")]
    if crate::codec::heif::sniff(bytes).is_some() {
        return crate::codec::heif::frames(bytes, limits, control);
    }
    let (decoder, header) = known(info, bytes, 0)?;
    match decoder.animation {
        Some(animation) if header.frames > 1 => {
            let job = Job { bytes, frame: 0, header, limits, control };
            let frames = guard(decoder, || (animation.frames)(&job))?;
            let frames = Guarded { decoder, frames, control };
            let Header { size, orientation, .. } = header;
            Ok(Some(match orientation {
                Orientation::Upright => Box::new(frames),
                _ => Box::new(Turned { frames, size, orientation, canvas: Vec::new() }),
            }))
        }
        _ => Ok(None),
    }
}

struct Guarded<'a> {
    decoder: &'static Decoder,
    frames: Box<dyn Frames + 'a>,
    control: &'a Control,
}

impl Frames for Guarded<'_> {
    fn advance(&mut self) -> Result<Option<Frame>> {
        let Self { decoder, frames, control } = self;
        control.check()?;
        guard(decoder, || frames.advance()).map_err(|error| stopped(control, error))
    }

    fn canvas(&self) -> &[[u8; 4]] {
        self.frames.canvas()
    }
}

/// An animation whose pixels are stored otherwise than upright.
struct Turned<'a> {
    frames: Guarded<'a>,
    /// As stored.
    size: (u32, u32),
    orientation: Orientation,
    canvas: Vec<u8>,
}

impl Frames for Turned<'_> {
    fn advance(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.frames.advance()? else { return Ok(None) };
        let stored = self.frames.canvas().as_flattened();
        let stored = Pixels::copy_from(self.size.0, self.size.1, PixelFormat::Rgba8888, stored, 0)?;
        let turned = upright(stored, self.orientation)?;
        self.canvas.clear();
        try_extend(&mut self.canvas, turned.plane(0).0, "the canvas of an animation")?;
        Ok(Some(Frame { area: self.orientation.area(frame.area, self.size), ..frame }))
    }

    fn canvas(&self) -> &[[u8; 4]] {
        self.canvas.as_chunks().0
    }
}

impl Orientation {
    /// Where a part of an image of this stored size is seen; what passes the image is cut off.
    fn area(self, area: Rect, (width, height): (u32, u32)) -> Rect {
        let (x, y) = (area.x.min(width), area.y.min(height));
        let (w, h) = (area.width.min(width - x), area.height.min(height - y));
        let (right, below) = (width - x - w, height - y - h);
        let (x, y) = match self {
            Self::Upright => (x, y),
            Self::MirrorX => (right, y),
            Self::Half => (right, below),
            Self::MirrorY => (x, below),
            Self::Transpose => (y, x),
            Self::Right => (below, x),
            Self::Transverse => (below, right),
            Self::Left => (y, right),
        };
        let (width, height) = self.size(w, h);
        Rect { x, y, width, height }
    }
}

/// Draws up to frame `job.frame`, for formats that can only start at the first.
pub(super) fn up_to(
    job: &Job<'_>,
    frames: &mut dyn Frames,
    early_end: impl Fn(usize) -> Error,
) -> Result<()> {
    for index in 0..=job.frame {
        job.control.check()?;
        if frames.advance()?.is_none() {
            return Err(early_end(index));
        }
    }
    Ok(())
}

/// A canvas as pixels.
pub(super) fn into_pixels(canvas: Canvas, job: &Job<'_>) -> Result<Pixels> {
    let alpha = if canvas.is_opaque() { AlphaType::Opaque } else { AlphaType::Unpremultiplied };
    let (width, height) = job.header.size;
    let mut pixels = Pixels::from_vec(width, height, PixelFormat::Rgba8888, canvas.into_bytes())?;
    pixels.alpha = alpha;
    Ok(pixels)
}
