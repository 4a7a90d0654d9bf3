//! Threads for one pack. They are made when a large image needs them and are gone when it is done, so an idle
//! library has no thread, a fork finds nothing half done, and unloading finds nothing running.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::{
    error::{Error, Result},
    host::thread,
};

/// How many threads a pack may use.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    threads: usize,
}

impl Pool {
    /// At most `threads` threads, the caller's own included.
    pub fn new(threads: usize) -> Self {
        Self { threads: threads.max(1) }
    }

    /// The number of threads, at least 1.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work(i)` for every `i` below `count`, in order of `i` as threads become free. The first error by
    /// index is answered; no new item starts after an error.
    pub fn for_each(&self, count: usize, work: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()> {
        let threads = self.threads.min(count);
        if threads <= 1 {
            return (0..count).try_for_each(work);
        }
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let run = || -> std::result::Result<(), (usize, Error)> {
            while !failed.load(Relaxed) {
                let index = next.fetch_add(1, Relaxed);
                if index >= count {
                    break;
                }
                work(index).map_err(|error| {
                    failed.store(true, Relaxed);
                    (index, error)
                })?;
            }
            Ok(())
        };
        // A thread that cannot be had is not missed: the others take its share.
        let (here, there) = thread::beside(threads - 1, &run, |_| run());
        let errors = there.into_iter().chain([here]).filter_map(std::result::Result::err);
        errors.min_by_key(|(index, _)| *index).map_or(Ok(()), |(_, error)| Err(error))
    }
}
