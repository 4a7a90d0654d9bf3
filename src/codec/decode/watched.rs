//! Encoded bytes for decoders that cannot be told to stop: reading fails when the pack is to stop. The decoder's error for that
//! is replaced by the true one where decoding ends.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};

use crate::pack::control::Control;

/// Most bytes handed out at a time: what a decoder makes of them is done before it reads again.
const PIECE: usize = 8 << 10;

/// Bytes in memory, and whether to go on.
pub struct Watched<'a> {
    bytes: Cursor<&'a [u8]>,
    control: &'a Control,
}

impl<'a> Watched<'a> {
    /// At the start of `bytes`.
    pub fn new(bytes: &'a [u8], control: &'a Control) -> Self {
        Self { bytes: Cursor::new(bytes), control }
    }
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.control.check().map_err(io::Error::other)?;
        let rest = self.bytes.fill_buf()?;
        Ok(&rest[..rest.len().min(PIECE)])
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.fill_buf()?;
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_that_of_the_bytes_until_it_is_to_stop() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 7) as u8).collect();
        let control = Control::default();
        let mut watched = Watched::new(&bytes, &control);
        let mut back = Vec::new();
        watched.read_to_end(&mut back).unwrap();
        assert_eq!(back, bytes);
        watched.seek(SeekFrom::Start(99_990)).unwrap();
        let mut end = [0; 10];
        watched.read_exact(&mut end).unwrap();
        assert_eq!(end, bytes[99_990..]);
        watched.seek(SeekFrom::Start(5)).unwrap();
        control.cancel();
        assert!(watched.read_exact(&mut end).is_err());
    }
}
