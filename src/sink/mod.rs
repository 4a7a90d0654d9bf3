//! Room 6, the mail: where bytes go.

pub mod fd;
mod file;
pub mod memory;
pub mod path;
pub mod writer;

use crate::error::Result;

/// Takes encoded bytes, in order.
pub trait Sink {
    /// Takes all of `bytes` or fails.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// A hint that about this many more bytes will come.
    fn reserve(&mut self, bytes: usize) {
        let _ = bytes;
    }
}
