//! Enough stack for the work, whatever the caller has.
//!
//! Codecs need up to a few hundred KiB. Threads of some hosts have 64, and coroutines run on stacks that the thread
//! knows nothing about; work that comes from there moves to a thread of our own while the caller waits.

use std::{
    mem,
    panic::resume_unwind,
    sync::{Condvar, Mutex, PoisonError},
};

use super::{panics, thread};
use crate::{
    err,
    error::{Error, Result, try_extend},
    sink::Sink,
};

/// Stack that the work may need, with room to spare: 128 KiB were measured to be enough for PNG, the hungriest.
const NEEDED: usize = 384 << 10;

/// Runs `work` on a stack that is large enough: the caller's, or another thread's.
pub fn with_room<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R> {
    if has_room() { Ok(work()) } else { elsewhere(work, || ()) }
}

/// Runs `work` on a thread of ours: the threads that it starts, which are not ours to make, take none of the host's
/// signals either.
pub fn apart<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R> {
    if thread::is_ours() { Ok(work()) } else { elsewhere(work, || ()) }
}

/// Runs `work` on a thread of ours and `meanwhile` here.
fn elsewhere<R: Send>(work: impl FnOnce() -> R + Send, meanwhile: impl FnOnce()) -> Result<R> {
    let work = Mutex::new(Some(work));
    let take = || work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let help = || take().map(|work| work());
    let ((), mut results) = thread::beside(1, &help, |started| {
        if started == 1 {
            meanwhile();
        }
    });
    results.pop().flatten().ok_or_else(|| {
        err!(
            OutOfMemory,
            "a thread with {} bytes of stack, which this work needs, could not start",
            thread::STACK
        )
    })
}

/// As [`with_room`] for work that writes. The sink is used on the calling thread alone: it may be a function of the
/// host's.
pub fn with_sink<R: Send>(
    sink: &mut dyn Sink,
    work: impl FnOnce(&mut dyn Sink) -> Result<R> + Send,
) -> Result<R> {
    if has_room() {
        return work(sink);
    }
    let desk = Desk { turn: Mutex::new(Turn::Working), changed: Condvar::new() };
    let mut panic = None;
    let far = || {
        let _end = End(&desk);
        work(&mut Far(&desk))
    };
    let result = elsewhere(far, || {
        loop {
            match desk.wait(|turn| !matches!(turn, Turn::Working | Turn::Answer(_))) {
                Turn::Bytes(bytes) => {
                    desk.pass(Turn::Answer(panics::catch(|| sink.write(&bytes)).unwrap_or_else(|p| {
                        panic = Some(p);
                        Err(stopped())
                    })))
                }
                Turn::Reserve(size) => {
                    sink.reserve(size);
                    desk.pass(Turn::Answer(Ok(())));
                }
                _ => break,
            }
        }
    });
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
    result?
}

fn stopped() -> Error {
    err!(Bug, "the sink of a pack panicked")
}

/// Where a caller and its working thread pass things to each other.
struct Desk {
    turn: Mutex<Turn>,
    changed: Condvar,
}

/// Who has to do what.
enum Turn {
    Working,
    Bytes(Vec<u8>),
    Reserve(usize),
    Answer(Result<()>),
    Ended,
}

impl Desk {
    fn pass(&self, turn: Turn) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
        self.changed.notify_all();
    }

    fn wait(&self, is_mine: impl Fn(&Turn) -> bool) -> Turn {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_mine(&turn) {
            turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        mem::replace(&mut turn, Turn::Working)
    }
}

/// Says that the work has ended, however it did.
struct End<'a>(&'a Desk);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.pass(Turn::Ended);
    }
}

/// A sink that is on another thread.
struct Far<'a>(&'a Desk);

impl Far<'_> {
    fn ask(&self, turn: Turn) -> Result<()> {
        self.0.pass(turn);
        match self.0.wait(|turn| matches!(turn, Turn::Answer(_))) {
            Turn::Answer(answer) => answer,
            _ => Ok(()),
        }
    }
}

impl Sink for Far<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut piece = Vec::new();
        try_extend(&mut piece, bytes, "a piece of the encoded image")?;
        self.ask(Turn::Bytes(piece))
    }

    fn reserve(&mut self, size: usize) {
        let _ = self.ask(Turn::Reserve(size));
    }
}

/// Whether this thread has the stack we need. Unknown counts as yes.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_room() -> bool {
    use std::cell::Cell;

    thread_local! {
        /// Lowest and highest address of this thread's stack; asked once, because the answer costs a file for the
        /// main thread.
        static BOUNDS: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    }
    let here = std::ptr::from_ref(&0u8.clone()).addr();
    let (low, high) = BOUNDS.get().unwrap_or_else(|| {
        let bounds = bounds::ask().unwrap_or((0, usize::MAX));
        BOUNDS.set(Some(bounds));
        bounds
    });
    (low.saturating_add(NEEDED)..high).contains(&here)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_room() -> bool {
    true
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod bounds {
    #![allow(unsafe_code, reason = "island: asks the thread library for the stack's bounds")]

    use std::{mem::MaybeUninit, ptr};

    /// The bounds of the calling thread's stack.
    pub fn ask() -> Option<(usize, usize)> {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        let (mut low, mut size) = (ptr::null_mut(), 0);
        // SAFETY: pthread_getattr_np initialises the attributes if it answers 0; only then are they used, and destroyed.
        let known = unsafe {
            libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) == 0 && {
                let known = libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut size) == 0;
                libc::pthread_attr_destroy(attributes.as_mut_ptr());
                known
            }
        };
        known.then(|| (low.addr(), low.addr().saturating_add(size)))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn run_on(stack: usize) -> (thread::ThreadId, thread::ThreadId) {
        let thread = thread::Builder::new().stack_size(stack);
        let ids = || (thread::current().id(), with_room(|| thread::current().id()).unwrap());
        thread.spawn(ids).unwrap().join().unwrap()
    }

    #[test]
    fn small_stacks_get_a_thread_and_large_ones_do_not() {
        let (caller, worker) = run_on(4 << 20);
        assert_eq!(caller, worker);
        #[cfg(target_os = "linux")]
        for small in [64 << 10, 128 << 10, 256 << 10] {
            let (caller, worker) = run_on(small);
            assert_ne!(caller, worker, "{small}");
        }
    }

    #[test]
    fn a_sink_stays_with_its_caller() {
        struct Here(thread::ThreadId, Vec<u8>);
        impl Sink for Here {
            fn write(&mut self, bytes: &[u8]) -> Result<()> {
                assert_eq!(thread::current().id(), self.0);
                if bytes == [9] {
                    return Err(err!(Write, "no nines"));
                }
                self.1.extend_from_slice(bytes);
                Ok(())
            }
        }
        for stack in [64 << 10, 4 << 20] {
            let caller = thread::Builder::new().stack_size(stack).spawn(|| {
                let mut here = Here(thread::current().id(), Vec::new());
                let result = with_sink(&mut here, |sink| {
                    sink.reserve(100);
                    sink.write(b"one")?;
                    sink.write(b"two")?;
                    sink.write(&[9])?;
                    sink.write(b"never")
                });
                assert_eq!(result.unwrap_err().message, "no nines");
                assert_eq!(here.1, b"onetwo");
            });
            caller.unwrap().join().unwrap();
        }
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let thread = thread::Builder::new().stack_size(64 << 10);
        let caught = thread.spawn(|| {
            let unwind = || with_room(|| std::panic::resume_unwind(Box::new(7u8)));
            let result: std::result::Result<Result<()>, _> = std::panic::catch_unwind(unwind);
            *result.unwrap_err().downcast::<u8>().unwrap()
        });
        assert_eq!(caught.unwrap().join().unwrap(), 7);
    }
}
