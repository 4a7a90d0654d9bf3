//! Enough stack for the work, whatever the caller has.
//!
//! Codecs need up to a few hundred KiB. Threads of some hosts have 64, and coroutines run on stacks that the thread
//! knows nothing about; work that comes from there moves to a thread of our own while the caller waits.

use std::{
    panic::resume_unwind,
    sync::mpsc::{self, Receiver, SyncSender},
    thread::{self, Scope, ScopedJoinHandle},
};

use super::panics;
use crate::{
    err,
    error::{Result, try_extend},
    sink::Sink,
};

/// Stack that the work may need, with room to spare: 128 KiB were measured to be enough for PNG, the hungriest.
const NEEDED: usize = 384 << 10;

/// Stack of a thread of our own.
pub(crate) const OURS: usize = 2 << 20;

/// Runs `work` on a stack that is large enough: the caller's, or another thread's.
pub fn with_room<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R> {
    if has_room() { Ok(work()) } else { thread::scope(|scope| join(spawn(scope, work)?)) }
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
    let (pieces, arriving) = mpsc::sync_channel(0);
    let (answers, answered) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        // When the work ends, however it ends, its end of the channels is dropped and so does the loop.
        let worker = spawn(scope, move || work(&mut Far { pieces, answered }))?;
        for piece in arriving {
            let answer = match piece {
                Piece::Bytes(bytes) => sink.write(&bytes),
                Piece::Reserve(size) => {
                    sink.reserve(size);
                    Ok(())
                }
            };
            if answers.send(answer).is_err() {
                break;
            }
        }
        join(worker)?
    })
}

enum Piece {
    Bytes(Vec<u8>),
    Reserve(usize),
}

/// A sink that is somewhere else.
struct Far {
    pieces: SyncSender<Piece>,
    answered: Receiver<Result<()>>,
}

impl Far {
    fn ask(&self, piece: Piece) -> Result<()> {
        let gone = || err!(Bug, "the caller of a pack did not wait for its end");
        self.pieces.send(piece).map_err(|_| gone())?;
        self.answered.recv().map_err(|_| gone())?
    }
}

impl Sink for Far {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut piece = Vec::new();
        try_extend(&mut piece, bytes, "a piece of the encoded image")?;
        self.ask(Piece::Bytes(piece))
    }

    fn reserve(&mut self, size: usize) {
        let _ = self.ask(Piece::Reserve(size));
    }
}

/// Starts a thread of ours: enough stack, and none of the host's signals.
pub fn spawn<'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> R + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, thread::Result<R>>> {
    #[cfg(unix)]
    let _blocked = super::signals::Blocked::new();
    thread::Builder::new()
        .stack_size(OURS)
        .spawn_scoped(scope, || panics::catch(work))
        .map_err(|e| err!(OutOfMemory, "a thread with {OURS} bytes of stack could not start: {e}"))
}

/// Waits for a thread. Its panic goes on here, in silence, until the door stops it.
pub fn join<R>(thread: ScopedJoinHandle<'_, thread::Result<R>>) -> Result<R> {
    Ok(thread.join().and_then(|result| result).unwrap_or_else(|panic| resume_unwind(panic)))
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
