//! A whole image into a file descriptor.

use std::os::fd::RawFd;

use crate::{bail, error::Result, model::options::Tail};

/// Refuses a descriptor that cannot be written to, before anything is encoded.
pub fn check(fd: RawFd) -> Result<()> {
    if fd < 0 {
        bail!(BadDescriptor, "{fd} is not a file descriptor");
    }
    Ok(())
}

/// Writes `image` at the descriptor's offset.
pub fn commit(fd: RawFd, image: &[u8], _tail: Tail) -> Result<()> {
    use std::{io::Write, os::fd::FromRawFd};
    check(fd)?;
    #[allow(unsafe_code, reason = "borrows the caller's descriptor for one write")]
    // SAFETY: ManuallyDrop keeps the descriptor open; the caller owns it during the call.
    let mut file = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });
    file.write_all(image).map_err(|e| crate::err!(Write, "writing {} bytes failed: {e}", image.len()))
}
