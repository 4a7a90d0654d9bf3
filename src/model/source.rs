//! Image sources: encoded images to be decoded.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::Path,
    sync::Arc,
};

use super::foreign::Foreign;
use crate::{
    bail,
    codec::decode::{self, Info},
    err,
    error::{Result, try_resize, try_vec},
    host,
};

/// Reads up to `buffer.len()` bytes at an offset; 0 is the end.
pub trait ReadAt: Send + Sync {
    /// Fills the front of `buffer`, answers how many bytes it filled.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
}

enum Storage {
    Owned(Vec<u8>),
    Foreign(Arc<Foreign>),
    File(File),
    Reader(Box<dyn ReadAt>),
}

/// An encoded image. Only its header is read when it is made.
pub struct ImageSource {
    storage: Storage,
    info: Info,
}

impl std::fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSource").field("info", &self.info).finish_non_exhaustive()
    }
}

/// The encoded bytes, lent or read for one decode.
pub enum Bytes<'a> {
    /// They were in memory.
    Lent(&'a [u8]),
    /// They were read.
    Read(Vec<u8>),
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// Encoded images larger than this are refused: 4 GiB.
const MAX_BYTES: u64 = 1 << 32;

impl ImageSource {
    /// A copy of encoded bytes.
    pub fn from_copy(bytes: &[u8]) -> Result<Self> {
        let mut copy = try_vec(bytes.len(), "an image source")?;
        copy.copy_from_slice(bytes);
        Self::new(Storage::Owned(copy))
    }

    /// Encoded bytes in lent memory, piece 0.
    pub fn from_foreign(foreign: Arc<Foreign>) -> Result<Self> {
        Self::new(Storage::Foreign(foreign))
    }

    /// A regular file by descriptor, which is duplicated: read by offset, position untouched.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        Self::from_file(File::from(fd))
    }

    /// A file by path.
    pub fn from_path(path: &Path) -> Result<Self> {
        let mut options = File::options();
        options.read(true);
        #[cfg(unix)] // a pipe must not be waited for, a terminal not become the host's
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
        Self::from_file(options.open(path).map_err(|e| err!(Read, "cannot open {}: {e}", path.display()))?)
    }

    fn from_file(file: File) -> Result<Self> {
        let meta = file.metadata().map_err(|e| err!(Read, "cannot examine the descriptor: {e}"))?;
        if !meta.is_file() {
            bail!(Read, "an image source reads regular files by offset; this is a {:?}", meta.file_type());
        }
        Self::new(Storage::File(file))
    }

    /// Bytes that a callback reads.
    pub fn from_reader(reader: Box<dyn ReadAt>) -> Result<Self> {
        Self::new(Storage::Reader(reader))
    }

    fn new(storage: Storage) -> Result<Self> {
        let info = host::shield(|| decode::probe(&storage))?;
        Ok(Self { storage, info })
    }

    /// Format, size and frame count, as found in the header.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// For reading headers.
    pub(crate) fn probe(&self) -> &dyn Probe {
        &self.storage
    }

    /// All encoded bytes.
    pub fn bytes(&self) -> Result<Bytes<'_>> {
        self.storage.bytes()
    }
}

impl ReadAt for Storage {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Owned(bytes) => (&bytes[..]).read_at(offset, buffer),
            Self::Foreign(foreign) => foreign.piece(0).read_at(offset, buffer),
            Self::File(file) => loop {
                match file.read_at(buffer, offset) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    result => {
                        return result.map_err(|e| err!(Read, "reading at offset {offset} failed: {e}"));
                    }
                }
            },
            Self::Reader(reader) => reader.read_at(offset, buffer),
        }
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = buffer.len().min(self.len() - start);
        buffer[..count].copy_from_slice(&self[start..start + count]);
        Ok(count)
    }
}

impl Probe for &[u8] {
    #[cfg(feature = "heif")]
    fn all(&self) -> Result<Bytes<'_>> {
        Ok(Bytes::Lent(self))
    }
}

impl Storage {
    fn bytes(&self) -> Result<Bytes<'_>> {
        match self {
            Self::Owned(bytes) => Ok(Bytes::Lent(bytes)),
            Self::Foreign(foreign) => Ok(Bytes::Lent(foreign.piece(0))),
            Self::File(file) => {
                let size = file.metadata().map_err(|e| err!(Read, "cannot examine the file: {e}"))?.len();
                // A byte more shows the end.
                read_all(self, size.saturating_add(1))
            }
            Self::Reader(_) => read_all(self, 64 << 10),
        }
    }
}

fn read_all<'a>(from: &dyn ReadAt, expected: u64) -> Result<Bytes<'a>> {
    let mut bytes = Vec::new();
    let mut room = expected;
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            if filled as u64 > MAX_BYTES || expected > MAX_BYTES + 1 {
                bail!(TooLarge, "the encoded image is larger than {MAX_BYTES} bytes");
            }
            let len = usize::try_from(room.min(MAX_BYTES + 1)).unwrap_or(usize::MAX);
            try_resize(&mut bytes, len, "the encoded image")?;
            room = room.saturating_mul(2);
        }
        let count = from.read_at(filled as u64, &mut bytes[filled..])?;
        if count == 0 {
            bytes.truncate(filled);
            return Ok(Bytes::Read(bytes));
        }
        filled += count;
    }
}

/// What [`decode::probe`] reads headers from.
pub(crate) trait Probe: ReadAt {
    /// All bytes, for formats whose header is spread over the file.
    #[cfg(feature = "heif")]
    fn all(&self) -> Result<Bytes<'_>>;
}

impl Probe for Storage {
    #[cfg(feature = "heif")]
    fn all(&self) -> Result<Bytes<'_>> {
        self.bytes()
    }
}
