//! The packer: input and options in, an encoded image out.

use std::sync::Arc;

use super::{control::Control, crew::Crew, plan::Plan, pool::Pool};
use crate::{
    bail,
    codec::decode,
    error::Result,
    host,
    limits::{Limits, Share},
    model::{options::Options, pixelmap::Pixels, source::ImageSource},
    pixels::Rows,
    shared::Shared,
    sink::Sink,
};

/// What to encode.
#[derive(Clone, Debug)]
pub enum Input {
    /// Pixels.
    Pixels(Arc<Pixels>),
    /// An encoded image.
    Source(Arc<ImageSource>),
}

/// Packs images. Holds limits; one serves many threads.
#[derive(Debug)]
pub struct Packer {
    /// Threads, pixels, memory.
    pub limits: Limits,
    crew: Shared<Crew>,
}

impl Default for Packer {
    fn default() -> Self {
        Self { limits: Limits::default(), crew: Shared::empty() }
    }
}

impl Packer {
    /// The workers of this packer's jobs.
    pub fn crew(&self) -> Result<Arc<Crew>> {
        self.crew.get_or(Crew::is_here, || Ok(Crew::new()))
    }

    /// Encodes `input` into `sink`, on this thread and others of its own. On failure the sink may have taken some bytes.
    pub fn pack(
        &self,
        input: Input,
        options: &Options,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Result<()> {
        self.pack_with(&Pool::new(self.limits.threads()), input, options, sink, control)
    }

    /// As [`pack`](Self::pack) with the threads of `pool`.
    pub fn pack_with(
        &self,
        pool: &Pool,
        input: Input,
        options: &Options,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Result<()> {
        host::shield_with(sink, |sink| self.encode(pool, input, options, sink, control))
    }

    fn encode(
        &self,
        pool: &Pool,
        input: Input,
        options: &Options,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Result<()> {
        control.check()?;
        let (pixels, decoded) = match input {
            Input::Pixels(pixels) => {
                self.check(pixels.width(), pixels.height(), options)?;
                (pixels, None)
            }
            Input::Source(source) => {
                self.check(source.info().width, source.info().height, options)?;
                let pixels = decode::decode(&source, 0, &self.limits)?;
                let share = self.limits.memory().take(pixels.tight_bytes(), "the decoded image")?;
                (Arc::new(pixels), Some(share))
            }
        };
        let held = decoded.as_ref().map_or(0, Share::bytes);
        let need = (options.format.memory)(&pixels, options);
        let _share = self.limits.memory().take_beside(held, need, "this pack")?;
        let layout = (options.format.layout)(&pixels, options)?;
        let rows = Rows::new(pixels, layout, options)?;
        (options.format.encode)(&Plan { rows: &rows, options, pool, control }, sink)?;
        control.finish()
    }

    fn check(&self, width: u32, height: u32, options: &Options) -> Result<()> {
        let format = options.format;
        self.limits.check_pixels(width, height)?;
        if width.max(height) > format.max_side {
            bail!(
                TooLarge,
                "{width} x {height} pixels: {} has at most {} pixels a side",
                format.name(),
                format.max_side
            );
        }
        if options.lossless && format.features & crate::codec::features::LOSSLESS == 0 {
            bail!(Unsupported, "{} cannot be lossless", format.name());
        }
        Ok(())
    }
}
