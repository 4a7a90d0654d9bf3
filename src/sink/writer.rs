//! Bytes to a callback, as they are made.

use super::Sink;
use crate::{bail, error::Result};

/// Passes bytes on to a function that answers whether to go on.
pub struct Writer<F> {
    write: F,
    stopped: bool,
}

impl<F: FnMut(&[u8]) -> bool> Writer<F> {
    /// A sink over a function.
    pub fn new(write: F) -> Self {
        Self { write, stopped: false }
    }
}

impl<F: FnMut(&[u8]) -> bool> Sink for Writer<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.stopped || !(bytes.is_empty() || (self.write)(bytes)) {
            self.stopped = true;
            bail!(Write, "the write callback stopped at {} bytes", bytes.len());
        }
        Ok(())
    }
}
