//! Into a function of the caller's, as the bytes are made.

use super::Sink;
use crate::{bail, error::Result};

/// Passes bytes on until the function says stop. After that it is not called again.
pub struct Writer<F> {
    write: F,
    sent: u64,
    stopped: bool,
}

impl<F: FnMut(&[u8]) -> bool> Writer<F> {
    /// `write` takes the next bytes and answers whether to go on.
    pub fn new(write: F) -> Self {
        Self { write, sent: 0, stopped: false }
    }
}

impl<F: FnMut(&[u8]) -> bool> Sink for Writer<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stopped = self.stopped || !(bytes.is_empty() || (self.write)(bytes));
        if self.stopped {
            bail!(Write, "the write callback stopped after {} bytes", self.sent);
        }
        self.sent += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_stop_is_final() {
        let mut calls = 0;
        let mut writer = Writer::new(|bytes: &[u8]| {
            calls += 1;
            bytes != b"no"
        });
        writer.write(b"yes").unwrap();
        writer.write(b"").unwrap();
        for bytes in [b"no".as_slice(), b"yes", b""] {
            let error = writer.write(bytes).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Write);
            assert_eq!(error.message, "the write callback stopped after 3 bytes");
        }
        assert_eq!(calls, 2);
    }
}
