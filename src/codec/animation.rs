//! What every encoder of animations is given and what it promises: the meeting point of `pack/sequence.rs`, which
//! composes frames, and of the formats, which write them.
//!
//! A format that can be animated has `Format::animate`. The caller of the encoder does all that is the same for every
//! format: it takes frames of any layout, size and offset, draws them on the canvas as GIF describes it, and hands over
//! **the canvas as it is to be seen** after each frame. An encoder therefore never has to know what a frame was: it
//! finds the part that differs from what a decoder has on its canvas at that time, and writes that part.

use std::sync::Arc;

pub use crate::model::frame::{Delay, Disposal, Rect};
use crate::{
    error::Result,
    model::{metadata::Metadata, options::Options},
    pack::{control::Control, pool::Pool},
    sink::Sink,
};

/// What is the same for all frames. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Animation {
    /// Width of the canvas in pixels, within the format's `max_side`.
    pub width: u32,
    /// Height of the canvas in pixels.
    pub height: u32,
    /// How often the animation is shown; 0 is for ever.
    pub loops: u16,
    /// How many frames will come, if that is known; the caller of the encoder sees to it that so many come. APNG
    /// merges equal frames and holds its bytes back in any case.
    pub frames: Option<u32>,
    /// Frames come one by one from somebody who does not hold them all: memory counts more than time. The bytes are the same.
    pub streamed: bool,
    /// Quality, effort, exactness, background, the codec's settings.
    pub options: Arc<Options>,
    /// The profile to embed; none for sRGB.
    pub icc: Option<Arc<[u8]>>,
    /// What else goes into the file.
    pub metadata: Metadata,
}

impl Animation {
    /// Pixels of the canvas.
    pub fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }
}

/// One frame, as it is to be seen.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The whole canvas while this frame is shown: straight RGBA in reading order, `Animation::pixels` of them. What
    /// differs from the frame before is for the encoder to find.
    pub canvas: &'a [[u8; 4]],
    /// The part of the canvas that the caller's frame covers; `canvas` differs from what the frame before left behind
    /// at most here. Never empty, within the canvas.
    pub area: Rect,
    /// Time on screen.
    pub delay: Delay,
    /// What is to happen to `area` before the next frame. The next `canvas` already shows it: a format that cannot say
    /// it may write anything that looks the same; one that can (GIF) writes this number.
    pub disposal: Disposal,
}

/// Whole ticks for delays of any fraction; what rounding leaves is carried on, so that a long animation keeps its
/// length.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    per_second: u32,
    /// Time owed, in units of 2^-32 ticks; within half a tick of 0.
    owed: i64,
}

impl Clock {
    /// Counts `per_second` ticks a second.
    pub fn new(per_second: u32) -> Self {
        Self { per_second, owed: 0 }
    }

    /// Ticks for this delay: at least 0, at most `most`, and exact where the delay is a whole number of ticks.
    pub fn ticks(&mut self, delay: Delay, most: u32) -> u32 {
        let (num, den) = (u128::from(delay.num), u128::from(delay.den.max(1)));
        let exact = (num * u128::from(self.per_second)) << 32;
        let due = ((exact + den / 2) / den).min(1 << 70) as i128 + i128::from(self.owed);
        let ticks = ((due + (1 << 31)) >> 32).clamp(0, most.into());
        // What passes the format's range is lost, not owed.
        self.owed = (due - (ticks << 32)).clamp(-(1 << 31), 1 << 31) as i64;
        ticks as u32
    }
}

/// What an encoder may use while it works on a call; anew for every call, because calls of a stream may come from
/// different threads at different times.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// Threads. They live as long as the call.
    pub pool: &'a Pool,
    /// Whom to ask whether to go on. Progress is counted in frames by the caller of the encoder: use
    /// [`Control::check`] between pieces of work, not `checkpoint`.
    pub control: &'a Control,
}

/// An animated image on its way out. Made by `Format::animate`.
///
/// Frames come in order; the first call may write the file's header. An encoder may keep a few frames to itself, to
/// look ahead or to work on several at once, but **never more than 4 canvases and no number that grows with the
/// length**; bytes that cannot leave yet (WebP's length comes first) are kept compressed. Which frames are worked on
/// together must not depend on the number of threads, so that the bytes do not either.
///
/// Any two canvases may follow each other. In a sequence of pixel maps with disposals 0 and 1 a pixel never becomes
/// more transparent; re-encoding an APNG or a WebP it may. A format that can only draw over what is there (GIF) has to
/// clear that part with the disposal of the frame before, and hence to look ahead by one frame.
///
/// After an error the encoder is dropped, and nothing else is called. Panics are caught by the caller.
pub trait Animator: Send {
    /// Takes the next frame. Bytes may be written now or later.
    fn frame(&mut self, frame: &Frame<'_>, work: Work<'_>, sink: &mut dyn Sink) -> Result<()>;

    /// Writes what is left. At least one frame has come. Called once, last.
    fn finish(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()>;
}

/// Starts an animated image. Refuses what the format cannot do (`OutOfRange`, `Unsupported`).
pub type Animate = fn(Animation) -> Result<Box<dyn Animator>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_exact_on_whole_ticks_and_keeps_the_length() {
        let mut clock = Clock::new(100);
        for cs in [1, 10, 0, 65535] {
            assert_eq!(clock.ticks(Delay::centis(cs), 65535), cs);
        }
        // 24 frames a second are 1 s, whatever a single frame is rounded to.
        for per_second in [100, 1000] {
            let mut clock = Clock::new(per_second);
            let frames: Vec<u32> = (0..240).map(|_| clock.ticks(Delay { num: 1, den: 24 }, 65535)).collect();
            assert_eq!(frames.iter().sum::<u32>(), 10 * per_second);
            assert!(frames.iter().max().unwrap() - frames.iter().min().unwrap() <= 1);
        }
        assert_eq!(Clock::new(1000).ticks(Delay { num: u32::MAX, den: 1 }, (1 << 24) - 1), (1 << 24) - 1);
    }
}
