//! Bytes into memory.

use super::Sink;
use crate::error::{Result, try_extend};

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        try_extend(self, bytes, "the encoded image")
    }

    fn reserve(&mut self, bytes: usize) {
        // A hint: when it cannot be had, writing will say so or will do with less.
        let _ = self.try_reserve(bytes);
    }
}
