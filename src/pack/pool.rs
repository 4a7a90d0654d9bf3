//! Threads for one pack.
//!
//! A pack on a thread of the host's makes them when a large image needs them, and they are gone when it is done. A job
//! asks the workers of its packer instead, so that all jobs together never have more threads than the packer may.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use super::crew::{self, Reserved};
use crate::{
    error::{Error, Result},
    host::{lent, thread},
};

/// How many threads a pack may use, and where they come from.
pub struct Pool {
    threads: usize,
    crew: Option<Arc<crew::Inner>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Pool {
    /// At most `threads` threads, the caller's own included.
    pub fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), crew: None }
    }

    /// The worker that calls, and workers of its crew that are free.
    pub(super) fn of(crew: Arc<crew::Inner>, threads: usize) -> Self {
        Self { threads: threads.max(1), crew: Some(crew) }
    }

    /// The number of threads, at least 1.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Threads for a codec that makes its own, in the place of this pool's while the answer lives.
    pub fn reserve(&self) -> Reserved {
        match &self.crew {
            Some(crew) => crew.reserve(self.threads),
            None => Reserved::alone(self.threads),
        }
    }

    /// Calls `work(i)` for every `i` below `count`, in order of `i` as threads become free. The first error by
    /// index is answered; no new item starts after an error.
    pub fn for_each(&self, count: usize, work: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()> {
        let threads = self.threads.min(count);
        if threads <= 1 {
            return (0..count).try_for_each(work);
        }
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let first_error: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        let run = || {
            while !failed.load(Relaxed) {
                let index = next.fetch_add(1, Relaxed);
                if index >= count {
                    break;
                }
                if let Err(error) = work(index) {
                    failed.store(true, Relaxed);
                    let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                    if first.as_ref().is_none_or(|(before, _)| index < *before) {
                        *first = Some((index, error));
                    }
                }
            }
        };
        // A thread that cannot be had is not missed: the others take its share.
        match &self.crew {
            Some(crew) => lent::lend(&run, |lent| crew.help(lent, threads - 1, run)),
            None => {
                thread::beside(threads - 1, &run, |_| run());
            }
        }
        let first = first_error.into_inner().unwrap_or_else(PoisonError::into_inner);
        first.map_or(Ok(()), |(_, error)| Err(error))
    }
}
