//! Signals that the host must not see.
#![allow(unsafe_code, reason = "island: signal masks of the calling thread")]

use std::mem::MaybeUninit;

use libc::{SIGPIPE, SIGXFSZ, sigset_t};

/// While it lives, writes of this thread raise neither SIGPIPE nor SIGXFSZ in the host.
pub struct Quiet {
    old: sigset_t,
    /// Signals that were waiting before us and are not ours to take.
    waiting: sigset_t,
}

const OURS: [i32; 2] = [SIGPIPE, SIGXFSZ];

impl Quiet {
    /// Holds the signals back from this thread.
    pub fn new() -> Self {
        Self { old: change(libc::SIG_BLOCK, &set_of(&OURS)), waiting: pending() }
    }
}

impl Default for Quiet {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        for signal in OURS {
            if !contains(&self.waiting, signal) && contains(&pending(), signal) {
                consume(signal);
            }
        }
        change(libc::SIG_SETMASK, &self.old);
    }
}

/// While it lives, a thread started from this one takes no signals: they are the host's threads' to handle.
pub struct Blocked(sigset_t);

impl Blocked {
    /// Blocks every signal in this thread.
    pub fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set it is given.
        let all = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            all.assume_init()
        };
        Self(change(libc::SIG_BLOCK, &all))
    }
}

impl Default for Blocked {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        change(libc::SIG_SETMASK, &self.0);
    }
}

fn set_of(signals: &[i32]) -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set it is given; sigaddset adds valid signal numbers to it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn change(how: i32, set: &sigset_t) -> sigset_t {
    let mut old = set_of(&[]);
    // SAFETY: both sets are initialised and valid for the length of the call; `how` is one of its constants.
    unsafe { libc::pthread_sigmask(how, set, &mut old) };
    old
}

fn pending() -> sigset_t {
    let mut set = set_of(&[]);
    // SAFETY: `set` is valid for the length of the call.
    unsafe { libc::sigpending(&mut set) };
    set
}

fn contains(set: &sigset_t, signal: i32) -> bool {
    // SAFETY: `set` is initialised.
    unsafe { libc::sigismember(set, signal) == 1 }
}

/// Takes a blocked, waiting signal.
fn consume(signal: i32) {
    let set = set_of(&[signal]);
    #[cfg(not(target_vendor = "apple"))]
    // SAFETY: `set` and the time of zero are valid for the length of the call, which does not wait.
    unsafe {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        while libc::sigtimedwait(&set, std::ptr::null_mut(), &now) < 0
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
        {}
    }
    #[cfg(target_vendor = "apple")]
    // SAFETY: the signal is waiting (the caller looked), so that sigwait returns at once.
    unsafe {
        let mut taken = 0;
        libc::sigwait(&set, &mut taken);
    }
}
