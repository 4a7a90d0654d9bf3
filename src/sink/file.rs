//! An image into a regular file: whole, or the file is as it was.
#![allow(unsafe_code, reason = "island: fallocate, getrlimit")]

use std::{
    fmt::Display,
    fs::File,
    io::{self, ErrorKind as Io, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
};

use super::fd::{Access, FileOptions, MOST_AT_ONCE};
use crate::{
    bail, err,
    error::{Error, Result, try_vec},
    model::options::Tail,
};

/// Most old bytes that are kept aside while they are overwritten.
const MOST_KEPT: u64 = 64 << 20;

/// Writes `image` from the current offset, or at the end of a file that appends, and leaves the offset behind it.
pub(super) fn replace(file: &File, image: &[u8], access: Access, options: FileOptions) -> Result<()> {
    let mut change = Change::prepare(file, image.len(), access)?;
    change.make(image, options).map_err(|why| change.undo(&why))?;
    if options.sync && change.cut {
        // The cut came last, because it alone cannot be taken back; it too has to reach the storage.
        file.sync_data().map_err(|e| {
            err!(
                Write,
                "all {} bytes were written and the old tail was cut, but not synced: {e}",
                image.len()
            )
        })?;
    }
    Ok(())
}

/// A file in the course of being changed, and what it takes to change it back.
struct Change<'a> {
    file: &'a File,
    appends: bool,
    old_size: u64,
    old_offset: u64,
    start: u64,
    end: u64,
    old_bytes: Old,
    /// Space behind the old end was reserved.
    reserved: bool,
    /// A write was tried, successfully or not.
    tried: bool,
    written: u64,
    cut: bool,
}

/// The bytes that the image overwrites.
enum Old {
    Kept(Vec<u8>),
    Lost(&'static str),
}

impl<'a> Change<'a> {
    /// Everything that can fail before a byte changes.
    fn prepare(file: &'a File, len: usize, access: Access) -> Result<Self> {
        let unseen = |e: io::Error| err!(Write, "the file cannot be examined: {e}; it was not touched");
        let old_size = file.metadata().map_err(unseen)?.len();
        let mut handle = file;
        let old_offset = handle.stream_position().map_err(unseen)?;
        let start = if access.appends { old_size } else { old_offset };
        let end =
            start.checked_add(len as u64).filter(|end| i64::try_from(*end).is_ok()).ok_or_else(|| {
                err!(Write, "{len} bytes at offset {start} end past 2^63 - 1; the file was not touched")
            })?;
        if let Some(limit) = size_limit().filter(|limit| end > *limit) {
            bail!(
                Write,
                "the image would end at byte {end} of the file, past the process's limit of {limit} bytes \
                 (RLIMIT_FSIZE); the file was not touched"
            );
        }
        let old_bytes = match old_size.min(end).saturating_sub(start) {
            0 => Old::Kept(Vec::new()),
            _ if !access.reads => Old::Lost("the descriptor is not open for reading"),
            overlap if overlap > MOST_KEPT => Old::Lost("the image overwrites more than 64 MiB"),
            overlap => Old::Kept(read(file, start, overlap as usize)?),
        };
        let mut change = Self {
            file,
            appends: access.appends,
            old_size,
            old_offset,
            start,
            end,
            old_bytes,
            reserved: false,
            tried: false,
            written: 0,
            cut: false,
        };
        change.reserve()?;
        Ok(change)
    }

    /// Takes the space behind the old end now, so that a full disk shows before a byte changes.
    fn reserve(&mut self) -> Result<()> {
        let from = self.start.max(self.old_size);
        if from >= self.end {
            return Ok(());
        }
        match allocate(self.file, from, self.end - from) {
            Ok(()) => self.reserved = true,
            // Only these speak of space; of anything else the write itself is the judge.
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG | libc::EIO)
                ) =>
            {
                self.reserved = true;
                return Err(self.undo(&e));
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn make(&mut self, image: &[u8], options: FileOptions) -> io::Result<()> {
        self.write(image)?;
        if options.sync {
            self.file.sync_data()?;
        }
        if self.appends {
            return Ok(());
        }
        self.seek(self.end)?;
        let cut = match options.tail {
            Tail::Auto => self.start == 0,
            Tail::Cut => true,
            Tail::Keep => false,
        };
        if cut && self.end < self.old_size {
            self.file.set_len(self.end)?;
            self.cut = true;
        }
        Ok(())
    }

    fn write(&mut self, image: &[u8]) -> io::Result<()> {
        let mut file = self.file;
        self.tried = true;
        while (self.written as usize) < image.len() {
            let rest = &image[self.written as usize..];
            let piece = &rest[..rest.len().min(MOST_AT_ONCE)];
            let result = if self.appends {
                file.write(piece)
            } else {
                file.write_at(piece, self.start + self.written)
            };
            match result {
                Ok(0) => return Err(Io::WriteZero.into()),
                Ok(count) => self.written += count as u64,
                Err(e) if e.kind() == Io::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Puts old bytes, length and offset back and makes the error that says whether that worked.
    fn undo(&self, why: &dyn Display) -> Error {
        let verdict = match self.restore() {
            Ok(()) => "the file is as it was".into(),
            Err(e) => format!("the file could not be restored: {e}"),
        };
        err!(
            Write,
            "could not write {} bytes at offset {}: {why}; {} bytes were written, {verdict}",
            self.end - self.start,
            self.start,
            self.written
        )
    }

    fn restore(&self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let ours = self.old_size.max(self.start + self.written);
        if self.tried {
            match &self.old_bytes {
                Old::Kept(bytes) => self.put_back(bytes)?,
                Old::Lost(reason) => return Err(io::Error::other(*reason)),
            }
        }
        if size > ours {
            return Err(io::Error::other(format!(
                "it has {size} bytes, {} more than this call made: somebody else is writing",
                size - ours
            )));
        }
        // Also frees space that was reserved and not used.
        if size != self.old_size || self.reserved {
            self.file.set_len(self.old_size)?;
        }
        self.seek(self.old_offset)
    }

    /// Writes old bytes back where they differ. A failed write may have changed bytes (O_SYNC reports an error
    /// after the change), and one that changed nothing must not cost space (copy-on-write file systems).
    fn put_back(&self, old: &[u8]) -> io::Result<()> {
        const PIECE: usize = 4096;
        let mut now = [0; PIECE];
        for (index, old) in old.chunks(PIECE).enumerate() {
            let at = self.start + (index * PIECE) as u64;
            let now = &mut now[..old.len()];
            if self.file.read_exact_at(now, at).is_err() || now != old {
                self.file.write_all_at(old, at)?;
            }
        }
        Ok(())
    }

    fn seek(&self, offset: u64) -> io::Result<()> {
        let mut file = self.file;
        file.seek(SeekFrom::Start(offset)).map(drop)
    }
}

/// Reads the `len` bytes that are about to be overwritten.
fn read(file: &File, start: u64, len: usize) -> Result<Vec<u8>> {
    let mut old = try_vec(len, "the old bytes of the file")?;
    let mut done = 0;
    while done < len {
        match file.read_at(&mut old[done..], start + done as u64) {
            Ok(0) => break, // somebody else cut the file
            Ok(count) => done += count,
            Err(e) if e.kind() == Io::Interrupted => {}
            Err(e) => bail!(
                Write,
                "could not read the {len} bytes at offset {start} that the image overwrites: {e}; \
                 the file was not touched"
            ),
        }
    }
    old.truncate(done);
    Ok(old)
}

/// The size that the process's files may reach.
#[allow(clippy::unnecessary_cast, reason = "rlim_t differs between systems")]
fn size_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the length of the call.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as u64)
}

/// Reserves space without changing size or bytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File, from: u64, len: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (from, len) = (from as libc::off64_t, len as libc::off64_t); // the end fits, so both do
    loop {
        // SAFETY: a call on integers alone. Not posix_fallocate, which may write where the file system cannot.
        if unsafe { libc::fallocate64(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, from, len) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != Io::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_file: &File, _from: u64, _len: u64) -> io::Result<()> {
    Err(Io::Unsupported.into())
}
