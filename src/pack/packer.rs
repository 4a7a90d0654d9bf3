//! The packer: input and options in, an encoded image out.

use std::sync::Arc;

use super::{control::Control, plan::Plan, pool::Pool};
use crate::{
    bail,
    codec::decode,
    error::Result,
    host,
    limits::Limits,
    model::{options::Options, pixelmap::Pixels, source::ImageSource},
    pixels::Rows,
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
#[derive(Debug, Default)]
pub struct Packer {
    /// Threads, pixels, memory.
    pub limits: Limits,
}

impl Packer {
    /// Encodes `input` into `sink`. On failure the sink may have taken some bytes.
    pub fn pack(
        &self,
        input: Input,
        options: &Options,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Result<()> {
        host::shield_with(sink, |sink| self.encode(input, options, sink, control))
    }

    fn encode(&self, input: Input, options: &Options, sink: &mut dyn Sink, control: &Control) -> Result<()> {
        let (pixels, _decoded) = match input {
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
        let _share = self.limits.memory().take((options.format.memory)(&pixels, options), "this pack")?;
        let layout = (options.format.layout)(&pixels, options)?;
        let rows = Rows::new(pixels, layout, options)?;
        let pool = Pool::new(self.limits.threads());
        (options.format.encode)(&Plan { rows: &rows, options, pool: &pool, control }, sink)?;
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
