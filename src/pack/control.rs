//! Progress and cancel of one pack.

use std::{
    ffi::c_void,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use crate::{bail, error::Result};

/// Tells the host how far a pack is; answers whether to go on.
pub type Progress = dyn Fn(u32) -> bool + Send + Sync;

/// Passed wherever work happens: how to stop it, and whom to tell how far it is.
#[derive(Default)]
pub struct Control {
    cancelled: AtomicBool,
    /// Per mille that the host has been told.
    reported: AtomicU32,
    /// Held by the thread that is calling the host.
    reporting: AtomicBool,
    progress: Option<Arc<Progress>>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("cancelled", &self.cancelled).finish_non_exhaustive()
    }
}

impl Control {
    /// Control that reports to the host.
    pub fn with_progress(progress: Option<Arc<Progress>>) -> Self {
        Self { progress, ..Self::default() }
    }

    /// Asks the work to stop soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Called by encoders once per band: an error means stop. `done` of `total` parts are complete.
    /// Reports progress below 1000; the last step is the packer's, when all has succeeded.
    pub fn checkpoint(&self, done: u64, total: u64) -> Result<()> {
        let permille = (done.saturating_mul(1000) / total.max(1)).min(999) as u32;
        self.report(permille)
    }

    /// Whether to go on, without progress: an error means stop.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            let permille = self.reported.load(Relaxed);
            bail!(Cancelled, "stopped by the caller at {permille} of 1000");
        }
        Ok(())
    }

    /// The end of a pack that succeeded.
    pub fn finish(&self) -> Result<()> {
        self.report(1000)
    }

    fn report(&self, permille: u32) -> Result<()> {
        if let Some(progress) = &self.progress
            && permille > self.reported.load(Relaxed)
            && !self.reporting.swap(true, Acquire)
        {
            // Another thread may have reported more meanwhile.
            let go_on = permille <= self.reported.load(Relaxed) || {
                self.reported.store(permille, Relaxed);
                progress(permille)
            };
            self.reporting.store(false, Release);
            if !go_on {
                self.cancel();
            }
        }
        if self.cancelled.load(Relaxed) {
            bail!(Cancelled, "stopped by the caller at {permille} of 1000");
        }
        Ok(())
    }
}

/// A pointer of the host's that is only ever handed back to it.
#[derive(Clone, Copy, Debug)]
pub struct User(pub *mut c_void);
