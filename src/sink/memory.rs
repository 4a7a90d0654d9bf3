//! Into memory that plain `free` can free.
#![allow(unsafe_code, reason = "island: owns memory of the C allocator")]

use std::{
    fmt,
    mem::ManuallyDrop,
    ptr, slice,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::Sink;
use crate::error::{Error, Result};

/// Estimates above this are not believed: the buffer grows to such sizes when the bytes are really there.
const MOST_RESERVED: usize = 64 << 20;

/// A growing array of bytes from the C allocator: it may be handed to a host that frees with `free`, and it
/// answers instead of aborting when memory runs out.
#[derive(Default)]
pub struct Buffer {
    /// NULL until the first byte.
    bytes: *mut u8,
    len: usize,
    capacity: usize,
}

// SAFETY: the buffer owns its memory alone; malloc and free may be called from any thread.
unsafe impl Send for Buffer {}
// SAFETY: shared access only reads.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// An empty buffer that expects about `size` bytes. Any `size` will do.
    pub fn with_hint(size: usize) -> Self {
        let mut buffer = Self::default();
        // A hint that cannot be met is no failure.
        let _ = buffer.grow_to(size.min(MOST_RESERVED));
        buffer
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `bytes` holds `capacity >= len > 0` bytes, of which `len` have been written.
        unsafe { slice::from_raw_parts(self.bytes, self.len) }
    }

    /// Appends `bytes`.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let len = self.len.saturating_add(bytes.len());
        if len > self.capacity {
            // Half as much again, so that appending stays cheap; exactly enough where that cannot be had.
            let roomy = len.saturating_add(len / 2).max(4096);
            if !self.grow_to(roomy) && !self.grow_to(len) {
                return Err(Error::out_of_memory(len, "the encoded image"));
            }
        }
        // SAFETY: the buffer has room for `len` bytes, and nobody else can hold a reference into it.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.bytes.add(self.len), bytes.len()) }
        self.len = len;
        Ok(())
    }

    /// Gives memory that was reserved and not used back to the allocator.
    pub fn shrink(&mut self) {
        if self.len > 0 && self.len < self.capacity {
            // SAFETY: `bytes` came from realloc. A NULL answer leaves the old block as it was.
            let bytes = unsafe { libc::realloc(self.bytes.cast(), self.len) }.cast::<u8>();
            if !bytes.is_null() {
                (self.bytes, self.capacity) = (bytes, self.len);
            }
        }
    }

    fn grow_to(&mut self, capacity: usize) -> bool {
        if capacity <= self.capacity {
            return true;
        }
        // Rust's references reach isize::MAX bytes at most.
        if isize::try_from(capacity).is_err() {
            return false;
        }
        // SAFETY: `bytes` is NULL or came from realloc. A NULL answer leaves the old block as it was.
        let bytes = unsafe { libc::realloc(self.bytes.cast(), capacity) }.cast::<u8>();
        if bytes.is_null() {
            return false;
        }
        (self.bytes, self.capacity) = (bytes, capacity);
        true
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: NULL, or from realloc and ours alone.
        unsafe { libc::free(self.bytes.cast()) }
    }
}

impl Sink for Buffer {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend(bytes)
    }

    fn reserve(&mut self, size: usize) {
        self.grow_to(self.len.saturating_add(size).min(MOST_RESERVED));
    }
}

/// A finished image. Its memory may be given away while others still look at it.
#[derive(Debug)]
pub struct Image {
    buffer: ManuallyDrop<Buffer>,
    given: AtomicBool,
}

impl Image {
    /// An image of these bytes.
    pub fn new(mut buffer: Buffer) -> Self {
        buffer.shrink();
        Self { buffer: ManuallyDrop::new(buffer), given: AtomicBool::new(false) }
    }

    /// The bytes. After [`give`](Self::give) they live as long as the new owner wants.
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Gives the memory to the caller, who frees it with `free`; `None` if somebody had it before.
    pub fn give(&self) -> Option<(*mut u8, usize)> {
        (!self.given.swap(true, Relaxed)).then_some((self.buffer.bytes, self.buffer.len))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if !*self.given.get_mut() {
            // SAFETY: the buffer is dropped here alone, and its memory is still ours.
            unsafe { ManuallyDrop::drop(&mut self.buffer) }
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len).field("capacity", &self.capacity).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_hint_will_do() {
        for hint in [0, 1, 10, 4096, 1 << 30, usize::MAX] {
            let mut buffer = Buffer::with_hint(hint);
            assert!(buffer.capacity <= MOST_RESERVED);
            for piece in 0..100u8 {
                buffer.write(&[piece; 999]).unwrap();
            }
            buffer.shrink();
            assert_eq!(buffer.capacity, 99_900);
            assert!(buffer.as_slice().chunks(999).enumerate().all(|(i, c)| c == [i as u8; 999]));
        }
    }

    #[test]
    fn an_impossible_size_is_an_answer() {
        let mut buffer = Buffer::default();
        assert!(!buffer.grow_to(usize::MAX));
        buffer.write(b"still usable").unwrap();
        buffer.reserve(usize::MAX);
        assert_eq!(buffer.as_slice(), b"still usable");
    }

    #[test]
    fn taken_bytes_belong_to_free() {
        let mut buffer = Buffer::default();
        assert!(buffer.as_slice().is_empty());
        buffer.write(b"taken").unwrap();
        let image = Image::new(buffer);
        let (bytes, len) = image.give().unwrap();
        assert!(image.give().is_none());
        drop(image);
        // SAFETY: `give` hands over `len` written bytes that are ours to free.
        unsafe {
            assert_eq!(slice::from_raw_parts(bytes, len), b"taken");
            libc::free(bytes.cast());
        }
    }
}
