//! Memory of the caller's that we may read until we say we are done.
#![allow(unsafe_code, reason = "island: reads memory that the caller lent by pointer and length")]

use std::{ffi::c_void, fmt, slice, sync::OnceLock};

/// Called once, when the memory is no longer needed.
pub type ReleaseFn = unsafe extern "C" fn(user: *mut c_void);

/// Up to three pieces of lent memory with one release callback.
pub struct Foreign {
    pieces: [(*const u8, usize); 3],
    release: OnceLock<(ReleaseFn, *mut c_void)>,
}

// SAFETY: the lender promises that the memory is readable and unchanged until `release` is called, and that
// `release` may be called from any thread (the header's contract of the `borrowed` functions).
unsafe impl Send for Foreign {}
// SAFETY: as above; all access is reading.
unsafe impl Sync for Foreign {}

impl Foreign {
    /// Borrows memory. Nothing is called back until the value is dropped.
    ///
    /// # Safety
    /// Every piece must be readable and unchanged until the value is dropped; `release(user)` must be callable
    /// from any thread. No piece may be NULL unless its length is 0.
    pub unsafe fn new(pieces: [(*const u8, usize); 3]) -> Self {
        Self { pieces, release: OnceLock::new() }
    }

    /// From now on the end of this value is told to the lender. Set last, when nothing can fail any more:
    /// a creating call that fails must not call back.
    pub fn on_release(&self, release: Option<ReleaseFn>, user: *mut c_void) {
        if let Some(release) = release {
            let _ = self.release.set((release, user));
        }
    }

    /// Piece `index`.
    pub fn piece(&self, index: usize) -> &[u8] {
        let (pointer, len) = self.pieces[index];
        if len == 0 {
            return &[];
        }
        // SAFETY: `new` demands readable, unchanging memory for our whole life; len was checked to fit isize.
        unsafe { slice::from_raw_parts(pointer, len) }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some((release, user)) = self.release.get() {
            // SAFETY: the lender gave this pair to be called once, from any thread.
            unsafe { release(*user) }
        }
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}
