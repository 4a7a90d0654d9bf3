//! Threads of ours: enough stack, none of the host's signals, joined before the call returns.
//!
//! Made by the C library directly: a thread of the standard library registers a destructor, and the C library ends the
//! process when it has no memory to note it.
#![allow(unsafe_code, reason = "island: starts and joins POSIX threads on borrowed closures")]

use std::{panic::resume_unwind, thread};

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
