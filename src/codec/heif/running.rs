//! Calls into libheif that `exit` waits for.
//!
//! The destructors of libheif's codecs run when the process exits, on the thread that exits: a codec at work on another
//! thread would lose what it works with. What is registered with `atexit` after libheif has been loaded runs before them.

#![allow(unsafe_code, reason = "island: registers a function with the C library")]

use std::{
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{bail, error::Result};

/// The longest that `exit` waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// The process in the upper half, so that what its parent was doing does not count in a child; calls in the lower.
static CALLS: AtomicU64 = AtomicU64::new(0);
static ENDING: AtomicBool = AtomicBool::new(false);
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// A call that is running.
#[derive(Debug)]
pub(super) struct Running(());

impl Running {
    /// Begins a call, unless the process is ending. Nothing in it may call the host, who might exit and wait for itself.
    pub fn begin() -> Result<Self> {
        let here = here();
        let more = |calls: u64| Some(if calls >> 32 == here >> 32 { calls + 1 } else { here + 1 });
        let _ = CALLS.fetch_update(SeqCst, SeqCst, more); // never refuses
        let running = Self(());
        // After it has been counted: `end` does it the other way round.
        if ENDING.load(SeqCst) {
            bail!(Cancelled, "the process is ending");
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = CALLS.fetch_update(SeqCst, SeqCst, |calls| (calls as u32 > 0).then(|| calls - 1));
    }
}

fn here() -> u64 {
    u64::from(std::process::id()) << 32
}

/// Makes `exit` wait from now on.
pub(super) fn wait_at_exit() {
    #[cfg(unix)]
    if !REGISTERED.swap(true, Relaxed) {
        // SAFETY: the function lives as long as this library: when that is unloaded it is called and forgotten.
        unsafe { libc::atexit(end) };
    }
}

extern "C" fn end() {
    ENDING.store(true, SeqCst);
    let (here, begin) = (here(), Instant::now());
    let at_work = || matches!(CALLS.load(SeqCst).checked_sub(here), Some(1..=0xffff_ffff));
    while at_work() && begin.elapsed() < PATIENCE {
        sleep(Duration::from_millis(1));
    }
}
