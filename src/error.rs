//! What can go wrong, with a sentence that carries the numbers.

use std::{borrow::Cow, fmt};

/// The cause of a failure. The door maps it to a status code and to the public `IMAGE_CAUSE_` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A required pointer was NULL.
    NullPointer,
    /// A value that never was a handle.
    NotAHandle,
    /// A live handle of another type.
    WrongHandle,
    /// A handle that has been released.
    ReleasedHandle,
    /// An argument out of its range, or arguments that contradict each other.
    OutOfRange,
    /// The caller's buffer is smaller than what it has to hold.
    BufferTooSmall,
    /// A descriptor that cannot be used: closed, read-only, a directory.
    BadDescriptor,
    /// A valid request that this build or this format cannot serve.
    Unsupported,
    /// Reading the input failed.
    Read,
    /// Writing the output failed.
    Write,
    /// An allocation failed.
    OutOfMemory,
    /// The packer's memory limit would be passed.
    MemoryLimit,
    /// The packer's memory limit would be passed, and would not be if other packs were not using some of it.
    MemoryBusy,
    /// Stopped by a callback or a cancel.
    Cancelled,
    /// Stopped because its time was over.
    TimedOut,
    /// What was asked for has not ended yet.
    NotReady,
    /// A fault of this library.
    Bug,
    /// The encoded input is damaged.
    BadData,
    /// The format is unknown or not available here.
    UnknownFormat,
    /// More pixels than the format or the packer allows.
    TooLarge,
    /// The encoder refused the image.
    Encode,
    /// The ICC profile cannot be embedded.
    Icc,
    /// A sequence with more or fewer frames than announced.
    FrameCount,
    /// A working surface could not be made.
    Surface,
}

/// A failure: its cause and one English sentence with the numbers in it.
#[derive(Clone, Debug)]
pub struct Error {
    /// The cause.
    pub kind: ErrorKind,
    /// The sentence.
    pub message: Cow<'static, str>,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure with a sentence.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// An allocation of `bytes` bytes for `what` failed.
    pub fn out_of_memory(bytes: usize, what: &str) -> Self {
        Self::new(ErrorKind::OutOfMemory, format!("could not allocate {bytes} bytes for {what}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// `err!(OutOfRange, "quality {} is not in 0..=100", q)` makes an [`Error`].
#[macro_export]
macro_rules! err {
    ($kind:ident, $($arg:tt)+) => {
        $crate::error::Error::new($crate::error::ErrorKind::$kind, format!($($arg)+))
    };
}

/// Returns early with [`err!`].
#[macro_export]
macro_rules! bail {
    ($kind:ident, $($arg:tt)+) => { return Err($crate::err!($kind, $($arg)+)) };
}

/// A vector of `len` default values, or an error with the number of bytes that could not be had.
pub fn try_vec<T: Clone + Default>(len: usize, what: &str) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    try_resize(&mut vec, len, what)?;
    Ok(vec)
}

/// `vec.resize(len, default)` that answers instead of aborting when memory runs out.
pub fn try_resize<T: Clone + Default>(vec: &mut Vec<T>, len: usize, what: &str) -> Result<()> {
    if let Some(more) = len.checked_sub(vec.len()) {
        vec.try_reserve_exact(more)
            .map_err(|_| Error::out_of_memory(len.saturating_mul(size_of::<T>()), what))?;
    }
    vec.resize(len, T::default());
    Ok(())
}

/// `vec.extend_from_slice(bytes)` that answers instead of aborting when memory runs out.
pub fn try_extend<T: Copy>(vec: &mut Vec<T>, items: &[T], what: &str) -> Result<()> {
    vec.try_reserve(items.len()).map_err(|_| {
        Error::out_of_memory(vec.len().saturating_add(items.len()).saturating_mul(size_of::<T>()), what)
    })?;
    vec.extend_from_slice(items);
    Ok(())
}

/// What an iterator yields, in a vector that answers instead of aborting when memory runs out; its first error, if it
/// yields one.
pub fn try_collect<T>(items: impl Iterator<Item = Result<T>>, what: &str) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    for item in items {
        vec.try_reserve(1)
            .map_err(|_| Error::out_of_memory((vec.len() + 1).saturating_mul(size_of::<T>()), what))?;
        vec.push(item?);
    }
    Ok(vec)
}
