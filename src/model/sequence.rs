//! What to make of a sequence of frames.

use super::{
    frame::{Delay, Disposal},
    metadata::Metadata,
    options::Options,
};
use crate::{bail, codec, error::Result};

/// The default time on screen, in hundredths of a second.
const DEFAULT_DELAY: u16 = 10;
/// How often an animation is shown of which nobody has said it.
pub const DEFAULT_LOOPS: u16 = 1;
/// The default quality.
const DEFAULT_QUALITY: i32 = 80;
/// Most frames that repeating the last one makes.
pub const MOST_REPEATED: u32 = 10_000;

/// A snapshot of the options of one sequence.
#[derive(Clone, Debug)]
pub struct SequenceOptions {
    /// Format, quality, effort and all that a single image has too.
    pub pack: Options,
    /// Frames of the animation; 0 is as many as there are.
    pub frame_count: u32,
    /// How often it is shown, 0 for ever; if nothing was set, as the source says, and else once.
    pub loops: Option<u16>,
    /// Width and height of the canvas; as large as the frames need if nothing was set.
    pub canvas: Option<(u32, u32)>,
    /// What goes into the file beside the frames, in the place of a source's own.
    pub metadata: Option<Metadata>,
    /// Hundredths of a second.
    delays: Vec<u16>,
    disposals: Vec<Disposal>,
    offsets: Vec<(u32, u32)>,
}

impl SequenceOptions {
    /// Options for a MIME type, everything else at its default.
    pub fn new(mime: &str, frame_count: u32) -> Result<Self> {
        let pack = Options::new(mime, DEFAULT_QUALITY)?;
        if (pack.format.animate)().is_none() {
            let animated = codec::supported().filter(|format| (format.animate)().is_some());
            let names: Vec<_> = animated.map(codec::Format::name).collect();
            let (name, names) = (pack.format.name(), names.join(", "));
            if matches!(name, "image/avif" | "image/heic") {
                bail!(
                    Unsupported,
                    "sequences of {name} are not written here: libheif has an interface for them from 1.21 on (here: {}); \
                     these have animations: {names}",
                    (pack.format.codec)()
                );
            }
            bail!(Unsupported, "{name} has no animations; these have: {names}");
        }
        Ok(Self {
            pack,
            frame_count,
            loops: None,
            canvas: None,
            metadata: None,
            delays: Vec::new(),
            disposals: Vec::new(),
            offsets: Vec::new(),
        })
    }

    /// Hundredths of a second per frame, 1 to 65535; the last value is for all further frames.
    pub fn set_delays(&mut self, delays: &[i32]) -> Result<()> {
        if delays.is_empty() {
            bail!(OutOfRange, "a list of 0 delay times");
        }
        let delays: Result<Vec<_>> =
            delays.iter().enumerate().map(|(index, &delay)| centis(index, delay)).collect();
        self.delays = delays?;
        Ok(())
    }

    /// GIF's numbers, 0 to 3; the last value is for all further frames. An empty list is the default.
    pub fn set_disposals(&mut self, types: &[u32]) -> Result<()> {
        let disposals: Result<Vec<_>> =
            types.iter().enumerate().map(|(i, &kind)| disposal(i, kind)).collect();
        self.disposals = disposals?;
        Ok(())
    }

    /// Left and top edge of every frame in pixels; the last pair is for all further frames. An empty list is the
    /// default.
    pub fn set_offsets(&mut self, pairs: &[u32]) {
        self.offsets = pairs.as_chunks::<2>().0.iter().map(|&[x, y]| (x, y)).collect();
    }

    /// How often the animation is shown, up to 65535; 0 is for ever.
    pub fn set_loops(&mut self, loops: u32) -> Result<()> {
        match u16::try_from(loops) {
            Ok(loops) => self.loops = Some(loops),
            Err(_) => bail!(OutOfRange, "loop count {loops} is more than 65535"),
        }
        Ok(())
    }

    /// Time on screen of a frame, if it was set.
    pub fn explicit_delay(&self, index: usize) -> Option<Delay> {
        nth(&self.delays, index).map(|delay| Delay::centis(delay.into()))
    }

    /// Time on screen of a frame.
    pub fn delay(&self, index: usize) -> Delay {
        self.explicit_delay(index).unwrap_or(Delay::centis(DEFAULT_DELAY.into()))
    }

    /// What becomes of a frame, if it was set.
    pub fn explicit_disposal(&self, index: usize) -> Option<Disposal> {
        nth(&self.disposals, index)
    }

    /// What becomes of a frame.
    pub fn disposal(&self, index: usize) -> Disposal {
        self.explicit_disposal(index).unwrap_or(Disposal::Keep)
    }

    /// Left and top edge of a frame.
    pub fn offset(&self, index: usize) -> (u32, u32) {
        nth(&self.offsets, index).unwrap_or((0, 0))
    }
}

/// The value for a frame: the last one is for all further frames.
fn nth<T: Copy>(list: &[T], index: usize) -> Option<T> {
    list.get(index).or(list.last()).copied()
}

/// A delay of the caller's, in hundredths of a second.
pub fn centis(index: usize, delay: i32) -> Result<u16> {
    match u16::try_from(delay) {
        Ok(delay @ 1..) => Ok(delay),
        _ => bail!(OutOfRange, "delay time {delay} of frame {index} is not in 1..=65535"),
    }
}

/// A disposal type of the caller's.
pub fn disposal(index: usize, number: u32) -> Result<Disposal> {
    match Disposal::from_number(number) {
        Some(disposal) => Ok(disposal),
        None => bail!(OutOfRange, "disposal type {number} of frame {index} is not in 0..=3"),
    }
}
