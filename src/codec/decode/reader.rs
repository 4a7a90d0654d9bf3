//! Reads what a header needs and no more, wherever the encoded image is.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::{
    error::{Error, Result, try_vec},
    model::source::Probe,
};

/// Bytes fetched at a time.
const PIECE: usize = 16 << 10;

/// A position in a source, with a small buffer.
pub struct Reader<'a> {
    source: &'a dyn Probe,
    buffer: Vec<u8>,
    /// Where the buffer's bytes are in the source, and how many are valid.
    start: u64,
    len: usize,
    position: u64,
    /// Why reading failed: decoders only pass on an `io::Error`.
    failure: Option<Error>,
}

impl<'a> Reader<'a> {
    /// A reader at the start of a source.
    pub fn new(source: &'a dyn Probe) -> Result<Self> {
        let buffer = try_vec(PIECE, "a header")?;
        Ok(Self { source, buffer, start: 0, len: 0, position: 0, failure: None })
    }

    /// The first bytes, for magic numbers; fewer than asked for at the end of a short source.
    pub fn head(&mut self, wanted: usize) -> Result<&[u8]> {
        self.position = 0;
        let mut filled = 0;
        while filled < wanted.min(PIECE) {
            match self.source.read_at(filled as u64, &mut self.buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        (self.start, self.len) = (0, filled);
        Ok(&self.buffer[..filled.min(wanted)])
    }

    /// The failure of the source itself, if any: it explains a decoder's error.
    pub fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let inside = self.position.checked_sub(self.start).filter(|&at| at < self.len as u64);
        let at = match inside {
            Some(at) => at as usize,
            None => {
                self.len = 0;
                match self.source.read_at(self.position, &mut self.buffer) {
                    Ok(count) => (self.start, self.len) = (self.position, count),
                    Err(error) => {
                        self.failure.get_or_insert(error);
                        return Err(io::Error::other("the source failed"));
                    }
                }
                0
            }
        };
        Ok(&self.buffer[at..self.len])
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(_) => None,
        };
        // A callback does not say where its data ends, and no header needs to know.
        self.position = position.ok_or(io::ErrorKind::Unsupported)?;
        Ok(self.position)
    }
}
