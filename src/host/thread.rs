//! Threads of ours: enough stack, none of the host's signals. Those of [`beside`] are joined before the call returns,
//! those of [`spawn`] by whoever started them.
//!
//! Made by the C library directly: a thread of the standard library registers a destructor, and the C library ends the
//! process when it has no memory to note it.
#![allow(unsafe_code, reason = "island: starts and joins POSIX threads on borrowed closures")]

use std::{cell::Cell, panic::resume_unwind, thread};

use super::panics;

/// Stack of a thread of ours, in bytes.
pub(crate) const STACK: usize = 2 << 20;

/// Runs `help` on up to `count` threads and `here` on this one, which is told how many threads could be had. Answers
/// when all have ended; a panic goes on here, in silence, until the door stops it.
pub fn beside<A: Send, B>(
    count: usize,
    help: &(dyn Fn() -> A + Sync),
    here: impl FnOnce(usize) -> B,
) -> (B, Vec<A>) {
    let (here, help) = run(count, help, here);
    let here = here.unwrap_or_else(|panic| resume_unwind(panic));
    (here, help.map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect())
}

thread_local! {
    /// Whether this thread was made by [`spawn`].
    static OURS: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    /// Whether this thread is in a function of the host's that others may be waiting for.
    static AWAITED: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread does something that a job may be waiting for.
pub struct Awaited(bool);

impl Awaited {
    /// From now on.
    pub fn new() -> Self {
        Self(AWAITED.replace(true))
    }
}

impl Default for Awaited {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        AWAITED.set(self.0);
    }
}

/// While it lives, pthread_cancel() on this thread is only noted: the C library's way to end a thread passes no Rust function
/// without ending the process. The thread ends at its next cancellation point after our call.
#[cfg(all(unix, not(target_os = "android")))]
pub struct Uncancelled(std::ffi::c_int);

/// Android cancels no threads.
#[cfg(not(all(unix, not(target_os = "android"))))]
#[derive(Default)]
pub struct Uncancelled;

#[cfg(all(unix, not(target_os = "android")))]
mod cancellation {
    use std::ffi::c_int;

    use super::Uncancelled;

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
    }

    /// PTHREAD_CANCEL_DISABLE.
    const DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

    impl Default for Uncancelled {
        fn default() -> Self {
            let mut old = 0;
            // SAFETY: POSIX's function with one of its constants and a place for the old one.
            unsafe { pthread_setcancelstate(DISABLE, &mut old) };
            Self(old)
        }
    }

    impl Drop for Uncancelled {
        fn drop(&mut self) {
            let mut ours = 0;
            // SAFETY: as above; the value is what the function answered.
            unsafe { pthread_setcancelstate(self.0, &mut ours) };
        }
    }
}

/// Whether the calling thread may wait for a job: not if it is in a callback that the job may need to end.
pub fn may_wait() -> bool {
    !is_ours() && !AWAITED.get()
}

/// Whether the calling thread was made by [`spawn`]: its stack and its signals are as ours have to be.
pub fn is_ours() -> bool {
    OURS.get()
}

/// A thread made by [`spawn`]. One that is dropped without a join goes on by itself.
#[derive(Debug)]
pub struct Thread(#[cfg(unix)] libc::pthread_t, #[cfg(not(unix))] thread::JoinHandle<()>);

// SAFETY: any thread may join or detach any other (POSIX, pthread_join); some C libraries write the id as a pointer.
#[cfg(unix)]
unsafe impl Send for Thread {}
// SAFETY: a shared reference gives no access to the id.
#[cfg(unix)]
unsafe impl Sync for Thread {}

/// Runs `work` on a thread of its own; `None` if the system has no thread left. A panic ends in silence.
pub fn spawn(work: Box<dyn FnOnce() + Send>) -> Option<Thread> {
    let work = move || {
        OURS.set(true);
        let _ = panics::catch(work); // nobody is left to tell
    };
    #[cfg(unix)]
    return detached::start(Box::new(work)).map(Thread);
    #[cfg(not(unix))]
    thread::Builder::new().stack_size(STACK).spawn(work).ok().map(Thread)
}

#[cfg(unix)]
impl Thread {
    /// Waits for the end of the thread. Must not be called on itself.
    pub fn join(self) {
        let id = std::mem::ManuallyDrop::new(self).0;
        // SAFETY: started by `spawn`, and neither joined nor detached before: `self` is used up.
        unsafe { libc::pthread_join(id, std::ptr::null_mut()) };
    }
}

#[cfg(unix)]
impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: started by `spawn` and not joined.
        unsafe { libc::pthread_detach(self.0) };
    }
}

#[cfg(not(unix))]
impl Thread {
    /// Waits for the end of the thread. Must not be called on itself.
    pub fn join(self) {
        let _ = self.0.join(); // `work` does not panic
    }
}

#[cfg(unix)]
mod detached {
    use std::{mem::MaybeUninit, ptr};

    use super::STACK;

    type Work = Box<dyn FnOnce() + Send>;

    /// Starts a thread that takes none of the host's signals.
    pub fn start(work: Work) -> Option<libc::pthread_t> {
        extern "C" fn run(work: *mut libc::c_void) -> *mut libc::c_void {
            // SAFETY: the box made below, handed to this thread alone.
            let work = unsafe { Box::from_raw(work.cast::<Work>()) };
            work();
            ptr::null_mut()
        }
        let _blocked = crate::host::signals::Blocked::new();
        let work = Box::into_raw(Box::new(work));
        let (mut attributes, mut id) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: pthread_attr_init initialises the attributes, which are destroyed after their use. A thread that
        // started owns the box; the id is read only then.
        unsafe {
            let mut started = false;
            if libc::pthread_attr_init(attributes.as_mut_ptr()) == 0 {
                libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
                started = libc::pthread_create(id.as_mut_ptr(), attributes.as_ptr(), run, work.cast()) == 0;
                libc::pthread_attr_destroy(attributes.as_mut_ptr());
            }
            if !started {
                drop(Box::from_raw(work));
                return None;
            }
            Some(id.assume_init())
        }
    }
}

#[cfg(unix)]
fn run<A: Send, B>(
    count: usize,
    help: &(dyn Fn() -> A + Sync),
    here: impl FnOnce(usize) -> B,
) -> (thread::Result<B>, impl Iterator<Item = thread::Result<A>>) {
    use std::{mem::MaybeUninit, ptr};

    let (mut jobs, mut started) = (Vec::new(), Vec::new());
    if jobs.try_reserve_exact(count).is_ok() && started.try_reserve_exact(count).is_ok() {
        jobs.resize_with(count, || Job { help, result: None });
        let _blocked = super::signals::Blocked::new();
        let first: *mut Job<'_, A> = jobs.as_mut_ptr();
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: pthread_attr_init initialises the attributes, which are destroyed after the last use. Each thread
        // gets one job; the jobs stay where they are and nobody else touches them until all threads are joined below,
        // which nothing can skip: neither loop nor `catch` unwinds.
        unsafe {
            if libc::pthread_attr_init(attributes.as_mut_ptr()) == 0 {
                libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
                for index in 0..count {
                    let mut id = MaybeUninit::uninit();
                    let job = first.add(index).cast();
                    if libc::pthread_create(id.as_mut_ptr(), attributes.as_ptr(), start::<A>(), job) != 0 {
                        break;
                    }
                    started.push(id.assume_init());
                }
                libc::pthread_attr_destroy(attributes.as_mut_ptr());
            }
        }
    }
    let result = panics::catch(|| here(started.len()));
    for id in started {
        // SAFETY: started above and joined once.
        unsafe { libc::pthread_join(id, ptr::null_mut()) };
    }
    (result, jobs.into_iter().filter_map(|job| job.result))
}

#[cfg(unix)]
struct Job<'a, A> {
    help: &'a (dyn Fn() -> A + Sync),
    result: Option<thread::Result<A>>,
}

#[cfg(unix)]
fn start<A: Send>() -> extern "C" fn(*mut libc::c_void) -> *mut libc::c_void {
    extern "C" fn start<A: Send>(job: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: `run` passes a job of this type that is this thread's alone until it ends.
        let job = unsafe { &mut *job.cast::<Job<'_, A>>() };
        job.result = Some(panics::catch(job.help));
        std::ptr::null_mut()
    }
    start::<A>
}

#[cfg(not(unix))]
fn run<A: Send, B>(
    count: usize,
    help: &(dyn Fn() -> A + Sync),
    here: impl FnOnce(usize) -> B,
) -> (thread::Result<B>, impl Iterator<Item = thread::Result<A>>) {
    thread::scope(|scope| {
        let start = |_| {
            let builder = thread::Builder::new().stack_size(STACK);
            builder.spawn_scoped(scope, || panics::catch(help)).ok()
        };
        let started: Vec<_> = (0..count).map_while(start).collect();
        let result = panics::catch(|| here(started.len()));
        let results: Vec<_> =
            started.into_iter().map(|thread| thread.join().and_then(|result| result)).collect();
        (result, results.into_iter())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[test]
    fn everybody_works_and_is_waited_for() {
        let count = AtomicUsize::new(0);
        for threads in [0, 1, 7] {
            count.store(0, SeqCst);
            let (here, there) = beside(threads, &|| count.fetch_add(1, SeqCst), |started| {
                count.fetch_add(1, SeqCst);
                started
            });
            assert_eq!((here, there.len(), count.load(SeqCst)), (threads, threads, threads + 1));
        }
    }

    #[test]
    fn a_thread_of_its_own_is_joined_or_goes_on() {
        let ended = std::sync::Arc::new(AtomicUsize::new(0));
        for panics in [false, true] {
            let here = ended.clone();
            let thread = spawn(Box::new(move || {
                assert!(is_ours());
                here.fetch_add(1, SeqCst);
                if panics {
                    resume_unwind(Box::new(()));
                }
            }));
            thread.unwrap().join();
        }
        assert_eq!(ended.load(SeqCst), 2);
        assert!(!is_ours());
        let here = ended.clone();
        drop(spawn(Box::new(move || {
            here.fetch_add(1, SeqCst);
        })));
        while ended.load(SeqCst) < 3 {
            thread::yield_now();
        }
    }

    #[test]
    fn panics_wait_for_the_others_and_go_on() {
        let ended = AtomicUsize::new(0);
        for from_here in [true, false] {
            ended.store(0, SeqCst);
            let help = || {
                thread::sleep(std::time::Duration::from_millis(20));
                ended.fetch_add(1, SeqCst);
                assert!(from_here);
            };
            let caught = panics::catch(|| beside(3, &help, |_| assert!(!from_here)));
            assert!(caught.is_err());
            assert_eq!(ended.load(SeqCst), 3);
        }
    }
}
