//! C functions with their `user` pointers as Rust closures.
#![allow(unsafe_code, reason = "island: calls functions that the caller passes by pointer")]

use std::{
    cell::Cell,
    ffi::{CString, c_char, c_void},
    sync::{
        Arc,
        atomic::{
            AtomicU32, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use super::{batch::ImageItemFn, data::ImageData, job::ImageDoneFn, status::ImageStatus};
use crate::{
    bail,
    error::Result,
    host::thread::Awaited,
    model::source::ReadAt,
    pack::control::{Progress, User},
};

/// The library is done with `user` and with the memory passed along with it.
/// Called exactly once, on any thread, if the creating call returned IMAGE_OK; never if it failed.
pub type ImageReleaseFn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Takes `size` encoded bytes. Called in order, never at the same time. 0 goes on, anything else stops.
pub type ImageWriteFn = Option<unsafe extern "C" fn(user: *mut c_void, bytes: *const u8, size: usize) -> i32>;

/// Fills `buffer` with up to `capacity` bytes from `offset`; stores the count in `*size`, 0 at the end.
/// Answers 0, or anything else for a failure. One call at a time; within it, whatever has to read the same source fails.
pub type ImageReadFn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        offset: u64,
        buffer: *mut u8,
        capacity: usize,
        size: *mut usize,
    ) -> i32,
>;

/// `done` of 1000 parts. Never decreases; 1000 is reported once, on success. 0 goes on, anything else stops.
pub type ImageProgressFn = Option<unsafe extern "C" fn(user: *mut c_void, done: u32) -> i32>;

/// A line for the log. `level`: 1 error, 2 warning, 3 info, 4 debug.
pub type ImageLogFn = Option<unsafe extern "C" fn(user: *mut c_void, level: i32, line: *const c_char)>;

/// `user` as it travels between threads.
#[derive(Clone)]
struct Sent<F> {
    call: F,
    user: User,
}
// SAFETY: the header says of every callback on which threads it may be called; `user` is only handed back.
unsafe impl<F> Send for Sent<F> {}
// SAFETY: as above.
unsafe impl<F> Sync for Sent<F> {}

/// A write callback as a function over slices.
pub fn writer(
    write: ImageWriteFn,
    user: *mut c_void,
) -> Result<impl Fn(&[u8]) -> bool + Clone + Send + Sync> {
    let Some(write) = write else { bail!(NullPointer, "the write callback is NULL") };
    let sent = Sent { call: write, user: User(user) };
    Ok(move |bytes: &[u8]| {
        let sent = &sent;
        // SAFETY: the caller's function with the caller's pointer and a slice that is readable during the call.
        unsafe { (sent.call)(sent.user.0, bytes.as_ptr(), bytes.len()) == 0 }
    })
}

/// The end of a job as a function.
pub fn done(done: ImageDoneFn, user: *mut c_void) -> Option<impl FnOnce(ImageStatus, *mut ImageData) + Send> {
    let sent = Sent { call: done?, user: User(user) };
    Some(move |status, data| {
        let sent = &sent;
        // SAFETY: the caller's function with the caller's pointer and a handle that is the caller's from now on.
        unsafe { (sent.call)(sent.user.0, status, data) }
    })
}

/// The end of an image of a batch as a function.
pub fn item(
    item: ImageItemFn,
    user: *mut c_void,
) -> Option<impl Fn(usize, ImageStatus, *mut ImageData) + Send + Sync> {
    let sent = Sent { call: item?, user: User(user) };
    Some(move |index, status, data| {
        let sent = &sent;
        // SAFETY: the caller's function with the caller's pointer and a handle that is the caller's from now on.
        unsafe { (sent.call)(sent.user.0, index, status, data) }
    })
}

/// A progress callback as a shared function.
pub fn progress(progress: ImageProgressFn, user: User) -> Option<Arc<Progress>> {
    let sent = Sent { call: progress?, user };
    Some(Arc::new(move |done| {
        let sent = &sent;
        // SAFETY: the caller's function with the caller's pointer.
        unsafe { (sent.call)(sent.user.0, done) == 0 }
    }))
}

/// A log callback as a boxed function.
pub fn log(
    log: unsafe extern "C" fn(*mut c_void, i32, *const c_char),
    user: *mut c_void,
) -> Box<crate::log::Line> {
    let sent = Sent { call: log, user: User(user) };
    Box::new(move |level, line| {
        let sent = &sent;
        if let Ok(line) = CString::new(line) {
            // SAFETY: the caller's function with the caller's pointer and text that lives during the call.
            unsafe { (sent.call)(sent.user.0, level, line.as_ptr()) }
        }
    })
}

/// A read callback, with the release of its user.
pub struct Reader {
    read: unsafe extern "C" fn(*mut c_void, u64, *mut u8, usize, *mut usize) -> i32,
    user: *mut c_void,
    /// Set when the source exists: a creating call that fails calls nothing back.
    pub release: Arc<ReleaseLater>,
    turn: OneAtATime,
}

/// Lets one thread at a time through. No lock: a child that was forked while a thread of its parent was inside would wait
/// for it for ever.
#[derive(Default)]
struct OneAtATime {
    /// The thread inside, by [`this_thread`]; 0 for none.
    inside: AtomicUsize,
    /// The process that it is of.
    process: AtomicU32,
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    thread_local! {
        static PLACE: Cell<u8> = const { Cell::new(0) };
    }
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}

/// How long a thread sleeps that waits for another one's callback.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

impl OneAtATime {
    /// Waits until nobody is inside; `None` if that is the calling thread.
    fn enter(&self) -> Option<Inside<'_>> {
        let (here, process) = (this_thread(), std::process::id());
        let inside = self.inside.load(Acquire);
        if self.process.load(Acquire) != process && self.process.swap(process, AcqRel) != process {
            // Whoever it was is in the process that forked this one. Nobody of this one came in before the swap.
            let _ = self.inside.compare_exchange(inside, 0, AcqRel, Relaxed);
        }
        loop {
            match self.inside.compare_exchange(0, here, Acquire, Relaxed) {
                Ok(_) => return Some(Inside { turn: self, _awaited: Awaited::new() }),
                Err(thread) if thread == here => return None,
                Err(_) => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }
}

/// The one that is inside.
struct Inside<'a> {
    turn: &'a OneAtATime,
    _awaited: Awaited,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.turn.inside.store(0, Release);
    }
}

/// A release that happens with the drop, once it has been armed.
#[derive(Default)]
pub struct ReleaseLater(std::sync::OnceLock<(unsafe extern "C" fn(*mut c_void), User)>);

// SAFETY: the pair is only handed back to the caller, on any thread as the header says.
unsafe impl Send for ReleaseLater {}
// SAFETY: as above.
unsafe impl Sync for ReleaseLater {}

impl ReleaseLater {
    /// From now on the drop calls `release(user)`.
    pub fn arm(&self, release: ImageReleaseFn, user: *mut c_void) {
        if let Some(release) = release {
            let _ = self.0.set((release, User(user)));
        }
    }
}

impl Drop for ReleaseLater {
    fn drop(&mut self) {
        if let Some((release, user)) = self.0.get() {
            // SAFETY: the caller gave this pair to be called once, from any thread.
            unsafe { release(user.0) }
        }
    }
}

// SAFETY: the header says that the callback may be called from any thread, one call at a time (the lock).
unsafe impl Send for Reader {}
// SAFETY: as above.
unsafe impl Sync for Reader {}

impl Reader {
    /// A reader over the caller's function.
    pub fn new(read: ImageReadFn, user: *mut c_void) -> Result<Self> {
        let Some(read) = read else { bail!(NullPointer, "the read callback is NULL") };
        Ok(Self { read, user, release: Default::default(), turn: Default::default() })
    }
}

impl ReadAt for Reader {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let Some(inside) = self.turn.enter() else {
            bail!(Read, "the read callback uses the source that it reads for");
        };
        let mut size = 0;
        // SAFETY: the caller's function with the caller's pointer; the buffer is writable for its length.
        let answer = unsafe { (self.read)(self.user, offset, buffer.as_mut_ptr(), buffer.len(), &mut size) };
        drop(inside);
        if answer != 0 {
            bail!(Read, "the read callback answered {answer} at offset {offset}");
        }
        if size > buffer.len() {
            bail!(Read, "the read callback stored {size} bytes where {} fit", buffer.len());
        }
        Ok(size)
    }
}
