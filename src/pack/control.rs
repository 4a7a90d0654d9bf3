//! Progress and cancel of one pack.

use std::{
    ffi::c_void,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Instant,
};

use crate::{bail, error::Result, limits::Share, model::options::Options};

/// Tells the host how far a pack is; answers whether to go on.
pub type Progress = dyn Fn(u32) -> bool + Send + Sync;

/// Passed wherever work happens: how to stop it, and whom to tell how far it is.
#[derive(Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    /// Per mille that the host has been told.
    reported: AtomicU32,
    /// Held by the thread that is calling the host.
    reporting: AtomicBool,
    progress: Option<Arc<Progress>>,
    deadline: Option<Instant>,
    /// Which attempt at the image this is, from 1; 0 if there is only one.
    attempt: AtomicU32,
    held: Mutex<Option<Arc<Share>>>,
}

/// While it lives, [`Control::held`] answers the pack's share of the memory.
pub struct Held<'a>(&'a Control);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("cancelled", &self.cancelled).finish_non_exhaustive()
    }
}

impl Control {
    /// Control as these options want it: the time begins now.
    pub fn new(options: &Options) -> Self {
        let progress = options.progress.as_ref().map(|reporter| reporter.0.clone());
        let deadline = options.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { deadline, ..Self::with_progress(progress) }
    }

    /// Control that reports to the host and knows no time.
    pub fn with_progress(progress: Option<Arc<Progress>>) -> Self {
        Self { progress, ..Self::default() }
    }

    /// Control of a part of something larger, which `cancelled` stops as a whole. Progress is told of the whole.
    pub fn part_of(cancelled: Arc<AtomicBool>, options: &Options) -> Self {
        Self { cancelled, progress: None, ..Self::new(options) }
    }

    /// Keeps a pack's share of the memory.
    pub fn hold(&self, share: Share) -> Held<'_> {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(share));
        Held(self)
    }

    /// The pack's share of the memory, for work that may go on when the pack has been stopped.
    pub fn held(&self) -> Option<Arc<Share>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Per mille that are done.
    pub fn progress(&self) -> u32 {
        self.reported.load(Relaxed)
    }

    /// Asks the work to stop soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Called by encoders once per band: an error means stop. `done` of `total` parts are complete.
    /// Reports progress below 1000; the last step is the packer's, when all has succeeded.
    pub fn checkpoint(&self, done: u64, total: u64) -> Result<()> {
        let permille = (done.saturating_mul(1000) / total.max(1)).min(999) as u32;
        // Nobody knows how many attempts will come: each has half of what is left.
        let left = match self.attempt.load(Relaxed) {
            0 => 2000,
            attempt => 2000 >> attempt.min(11),
        };
        self.report((1000_u32.saturating_sub(left) + permille * left / 2000).min(999));
        self.check()
    }

    /// The image is encoded for the `count`th time, from 1, and may be once more.
    pub fn attempt(&self, count: u32) {
        self.attempt.store(count, Relaxed);
    }

    /// The end of a pack that succeeded, when no other thread works on it any more. Whoever has been told of the end has
    /// an image: a cancel comes too late from then on, unless it is the host's answer.
    pub fn finish(&self) -> Result<()> {
        self.check()?;
        if self.tell(1000) { Ok(()) } else { self.check() }
    }

    fn report(&self, permille: u32) {
        if permille > self.reported.load(Relaxed) && !self.reporting.swap(true, Acquire) {
            // Another thread may have reported more meanwhile, or been asked to stop.
            if permille > self.reported.load(Relaxed) && !self.cancelled.load(Relaxed) {
                self.tell(permille);
            }
            // After the cancel: who has stopped is not called again.
            self.reporting.store(false, Release);
        }
    }

    /// Answers whether to go on.
    fn tell(&self, permille: u32) -> bool {
        self.reported.store(permille, Relaxed);
        let go_on = self.progress.as_ref().is_none_or(|progress| progress(permille));
        if !go_on {
            self.cancel();
        }
        go_on
    }

    /// Whether to go on, without progress: an error means stop.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            bail!(Cancelled, "stopped by the caller at {} of 1000", self.progress());
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            bail!(TimedOut, "stopped at {} of 1000: the time was over", self.progress());
        }
        Ok(())
    }
}

/// A pointer of the host's that is only ever handed back to it.
#[derive(Clone, Copy, Debug)]
pub struct User(pub *mut c_void);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_told_of_the_end_has_an_image() {
        let cancelled = Arc::new(AtomicBool::new(false));
        let far = cancelled.clone();
        // Another thread cancels while the host hears of the end.
        let progress: Arc<Progress> = Arc::new(move |_| {
            far.store(true, Relaxed);
            true
        });
        let control = Control { cancelled, progress: Some(progress), ..Control::default() };
        assert!(control.finish().is_ok());
        assert_eq!(control.progress(), 1000);
        assert!(control.finish().is_err(), "cancelled before");
    }

    #[test]
    fn who_has_stopped_is_not_called_again() {
        for _ in 0..2000 {
            let calls = Arc::new(AtomicU32::new(0));
            let counted = calls.clone();
            let control = Control::with_progress(Some(Arc::new(move |_| {
                counted.fetch_add(1, Relaxed);
                false
            })));
            // Each tells of more than the others have, again and again, until it is stopped.
            std::thread::scope(|scope| {
                for thread in 1..4 {
                    let control = &control;
                    scope.spawn(move || while control.checkpoint(thread * 300, 1000).is_ok() {});
                }
            });
            assert_eq!(calls.load(Relaxed), 1);
        }
    }
}
