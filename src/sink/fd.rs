//! Into a descriptor of the caller's: all or nothing for files, everything in order for pipes and sockets.
#![allow(unsafe_code, reason = "island: borrows a descriptor by its number; poll, fcntl")]

use std::{
    ffi::c_int,
    fs::File,
    io::{self, ErrorKind as Io, Write},
    mem::ManuallyDrop,
    os::{
        fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
        unix::fs::FileTypeExt,
    },
};

use super::file;
use crate::{
    bail, err,
    error::{Error, Result},
    host::signals,
    model::options::Tail,
    pack::control::Control,
};

/// Linux moves at most 2 GiB less a page in one call and other systems less; this much all of them accept.
pub(super) const MOST_AT_ONCE: usize = 1 << 30;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct FileOptions {
    /// Old bytes behind the image. A descriptor that appends keeps everything.
    pub tail: Tail,
    /// Return only when the storage says that it has the bytes.
    pub sync: bool,
}

/// A descriptor that can take an image. It is touched by [`commit`](Self::commit), when the image is whole.
pub struct Destination {
    file: ManuallyDrop<File>,
    regular: bool,
    access: Access,
    options: FileOptions,
}

/// What the descriptor was opened for, beside writing.
#[derive(Clone, Copy)]
pub(super) struct Access {
    pub reads: bool,
    pub appends: bool,
}

impl Destination {
    /// Checks that `fd` can take an image. Touches nothing.
    pub fn check(fd: RawFd, options: FileOptions) -> Result<Self> {
        // SAFETY: F_GETFL takes no third argument and answers -1 for a number that is no descriptor.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        if flags < 0 {
            bail!(BadDescriptor, "descriptor {fd} is not open: {}", io::Error::last_os_error());
        }
        // SAFETY: `fd` is open (asked above), and ManuallyDrop never closes it: it stays the caller's.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        let kind = file
            .metadata()
            .map_err(|e| err!(BadDescriptor, "descriptor {fd} cannot be examined: {e}"))?
            .file_type();
        if kind.is_dir() {
            bail!(BadDescriptor, "descriptor {fd} is a directory");
        }
        #[cfg(target_os = "linux")]
        if flags & libc::O_PATH != 0 {
            bail!(BadDescriptor, "descriptor {fd} was opened with O_PATH, not for writing");
        }
        let mode = flags & libc::O_ACCMODE;
        if mode != libc::O_WRONLY && mode != libc::O_RDWR {
            bail!(BadDescriptor, "descriptor {fd} is not open for writing");
        }
        #[cfg(target_os = "linux")]
        if flags & libc::O_DIRECT != 0 && !kind.is_fifo() {
            // On a pipe the same bit means packets, which is fine.
            bail!(
                Unsupported,
                "descriptor {fd} was opened with O_DIRECT, which an image's size does not suit"
            );
        }
        let access = Access { reads: mode == libc::O_RDWR, appends: flags & libc::O_APPEND != 0 };
        Ok(Self { file, regular: kind.is_file(), access, options })
    }

    /// As [`check`](Self::check) on a duplicate, which is closed with the answer: `fd` may be closed meanwhile. The
    /// position in the file is shared, as duplicates have it.
    pub fn check_duplicate(fd: RawFd, options: FileOptions) -> Result<(OwnedFd, Self)> {
        Self::check(fd, options)?;
        let duplicate = duplicate(fd)?;
        let checked = Self::check(duplicate.as_raw_fd(), options)?;
        Ok((duplicate, checked))
    }

    /// Writes `image`. On failure a regular file has its old bytes, length and offset again; where
    /// that could not be done, and for streams, the message says what was written. Waiting for whoever reads a
    /// stream ends when `control` says so, even on a descriptor whose writes block.
    pub fn commit(self, image: &[u8], control: &Control) -> Result<()> {
        // A closed pipe or a file past its limit is an error here, never a signal in the host.
        let _quiet = signals::Quiet::new();
        if self.regular {
            file::replace(&self.file, image, self.access, self.options)
        } else {
            stream(&self.file, image, control)
        }
    }
}

/// A duplicate of a descriptor of the caller's.
pub fn duplicate(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes the lowest number that is wanted, and answers -1 for a number that is no descriptor.
    let duplicate = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    if duplicate < 0 {
        bail!(BadDescriptor, "descriptor {fd} cannot be duplicated: {}", io::Error::last_os_error());
    }
    // SAFETY: new, open, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}

/// What a pipe or socket that is ready takes without making the writer wait (POSIX, `poll` and `PIPE_BUF`).
const READY_FOR: usize = if libc::PIPE_BUF < 4096 { libc::PIPE_BUF } else { 4096 };

/// How often a wait for a reader looks whether it should go on, in milliseconds.
const PATIENCE: c_int = 20;

fn stream(mut file: &File, bytes: &[u8], control: &Control) -> Result<()> {
    // SAFETY: F_GETFL takes no third argument, and the descriptor is open.
    let waits = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) } & libc::O_NONBLOCK == 0;
    let most = if waits { READY_FOR } else { MOST_AT_ONCE };
    let (mut sent, mut ask) = (0, waits);
    while sent < bytes.len() {
        let failed = |why: &dyn std::fmt::Display| {
            err!(Write, "could not send {} bytes: {why}; {sent} bytes were sent", bytes.len())
        };
        control.check().map_err(|stop| Error { kind: stop.kind, ..failed(&stop) })?;
        if ask && !ready(file).map_err(|e| failed(&e))? {
            continue;
        }
        match file.write(&bytes[sent..bytes.len().min(sent.saturating_add(most))]) {
            Ok(0) => return Err(failed(&"the descriptor takes no more")),
            Ok(count) => (sent, ask) = (sent + count, waits),
            Err(e) if e.kind() == Io::Interrupted => {}
            Err(e) if e.kind() == Io::WouldBlock => ask = true,
            Err(e) => return Err(failed(&e)),
        }
    }
    Ok(())
}

/// Closes, and says what a network file system or a quota says only then.
pub(super) fn close(file: File) -> io::Result<()> {
    // SAFETY: `into_raw_fd` gives up the only owner of an open descriptor.
    if unsafe { libc::close(file.into_raw_fd()) } < 0 {
        let error = io::Error::last_os_error();
        // The descriptor is gone even so, and must not be closed again.
        return if error.kind() == Io::Interrupted { Ok(()) } else { Err(error) };
    }
    Ok(())
}

/// Waits a while for a write to be possible; whether it is.
fn ready(file: &File) -> io::Result<bool> {
    let mut ask = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: `ask` is one valid pollfd for the length of the call.
    let count = unsafe { libc::poll(&mut ask, 1, PATIENCE) };
    if count < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == Io::Interrupted { Ok(false) } else { Err(error) };
    }
    if ask.revents & libc::POLLNVAL != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(count > 0)
}
