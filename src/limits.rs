//! The packer's limits: threads, pixels, memory.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use crate::{
    bail,
    error::{Error, ErrorKind, Result},
};

/// Most pixels of one image unless the packer is told otherwise: 2^28, a 16384 x 16384 square.
pub const DEFAULT_MAX_PIXELS: u64 = 1 << 28;

/// The limits of one packer. All are read at the start of a pack.
#[derive(Debug)]
pub struct Limits {
    threads: AtomicU32,
    max_pixels: AtomicU64,
    memory: Arc<Budget>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: AtomicU32::new(0),
            max_pixels: AtomicU64::new(DEFAULT_MAX_PIXELS),
            memory: Arc::new(Budget::default()),
        }
    }
}

impl Limits {
    /// The limits as they are now, with the same memory: for work that may outlive the packer.
    pub fn shared(&self) -> Self {
        Self {
            threads: AtomicU32::new(self.threads.load(Relaxed)),
            max_pixels: AtomicU64::new(self.max_pixels.load(Relaxed)),
            memory: self.memory.clone(),
        }
    }

    /// Sets the number of threads; 0 is one per core.
    pub fn set_threads(&self, threads: u32) {
        self.threads.store(threads, Relaxed);
    }

    /// The number of threads a pack may use, at least 1.
    pub fn threads(&self) -> usize {
        match self.threads.load(Relaxed) {
            0 => cores(),
            n => n as usize,
        }
    }

    /// Sets the most pixels of one image; 0 is the default.
    pub fn set_max_pixels(&self, pixels: u64) {
        self.max_pixels.store(if pixels == 0 { DEFAULT_MAX_PIXELS } else { pixels }, Relaxed);
    }

    /// Refuses an image with more pixels than allowed.
    pub fn check_pixels(&self, width: u32, height: u32) -> Result<()> {
        let (pixels, limit) = (u64::from(width) * u64::from(height), self.max_pixels.load(Relaxed));
        if pixels > limit {
            bail!(TooLarge, "{width} x {height} = {pixels} pixels is more than the limit of {limit}");
        }
        Ok(())
    }

    /// Sets the most working memory of all packs together, in bytes; 0 is no limit.
    pub fn set_memory(&self, bytes: u64) {
        self.memory.limit.store(bytes, Relaxed);
    }

    /// The memory all packs share.
    pub fn memory(&self) -> &Arc<Budget> {
        &self.memory
    }
}

/// The cores this process may use. Asked once: the answer costs system calls and files.
fn cores() -> usize {
    static CORES: AtomicUsize = AtomicUsize::new(0);
    match CORES.load(Relaxed) {
        0 => {
            let cores = std::thread::available_parallelism().map_or(1, Into::into);
            CORES.store(cores, Relaxed);
            cores
        }
        cores => cores,
    }
}

/// A number of bytes that packs share.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
    /// The part of `used` that hosts hold for as long as they like: nobody can wait for it.
    lasting: AtomicU64,
    /// The process that counts in `used`: what another one was using when it forked this one is not in use here.
    process: AtomicU32,
}

impl Default for Budget {
    fn default() -> Self {
        let process = std::process::id().into();
        Self { limit: 0.into(), used: 0.into(), lasting: 0.into(), process }
    }
}

/// A part of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: u64,
    lasting: bool,
    process: u32,
}

impl Share {
    /// How much it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Says that the host holds it for as long as it likes.
    pub fn last(&mut self) {
        if !self.lasting && self.is_here() {
            self.lasting = true;
            self.budget.lasting.fetch_add(self.bytes, Relaxed);
        }
    }

    fn is_here(&self) -> bool {
        self.process == self.budget.process.load(Relaxed)
    }
}

impl Budget {
    /// Takes `bytes` for `what`, or says how many are left.
    pub fn take(self: &Arc<Self>, bytes: u64, what: &str) -> Result<Share> {
        self.take_beside(0, bytes, what)
    }

    /// As [`take`](Self::take) for a pack that has `held` bytes already. The error is "busy" if the limit has room for
    /// both, once others have given back theirs, but for what [lasts](Share::last).
    pub fn take_beside(self: &Arc<Self>, held: u64, bytes: u64, what: &str) -> Result<Share> {
        let process = std::process::id();
        if self.process.load(Relaxed) != process && self.process.swap(process, Relaxed) != process {
            self.used.store(0, Relaxed);
            self.lasting.store(0, Relaxed);
        }
        let limit = self.limit.load(Relaxed);
        let within = |used: u64| used.checked_add(bytes).filter(|sum| limit == 0 || *sum <= limit);
        let Err(used) = self.used.fetch_update(Relaxed, Relaxed, within) else {
            return Ok(Share { budget: self.clone(), bytes, lasting: false, process });
        };
        let lasting = self.lasting.load(Relaxed);
        let mut message =
            format!("{what} needs {bytes} bytes; {used} of the memory limit of {limit} bytes are in use");
        if lasting > 0 {
            message += &format!(", {lasting} of them by sequences that have been begun");
        }
        let waits = within(held.saturating_add(lasting)).is_some();
        let kind = if waits { ErrorKind::MemoryBusy } else { ErrorKind::MemoryLimit };
        Err(Error::new(kind, message))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.is_here() {
            let less = |used: u64| Some(used.saturating_sub(self.bytes));
            let _ = self.budget.used.fetch_update(Relaxed, Relaxed, less); // never refuses
            if self.lasting {
                let _ = self.budget.lasting.fetch_update(Relaxed, Relaxed, less);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_not_too_large() {
        let budget = Arc::new(Budget::default());
        budget.limit.store(100, Relaxed);
        let first = budget.take(60, "one").unwrap();
        assert_eq!(budget.take(50, "two").unwrap_err().kind, ErrorKind::MemoryBusy);
        assert_eq!(budget.take(101, "three").unwrap_err().kind, ErrorKind::MemoryLimit);
        assert_eq!(budget.take_beside(first.bytes(), 50, "four").unwrap_err().kind, ErrorKind::MemoryLimit);
        assert!(budget.take_beside(first.bytes(), 40, "five").is_ok());
        drop(first);
        assert_eq!(budget.take(100, "all").unwrap().bytes(), 100);
        assert_eq!(budget.used.load(Relaxed), 0);
    }

    #[test]
    fn nobody_waits_for_what_lasts() {
        let budget = Arc::new(Budget::default());
        budget.limit.store(100, Relaxed);
        let mut first = budget.take(60, "one").unwrap();
        first.last();
        let error = budget.take(50, "two").unwrap_err();
        assert_eq!(error.kind, ErrorKind::MemoryLimit);
        assert!(error.message.contains("60 of them by sequences"), "{}", error.message);
        let second = budget.take(30, "three").unwrap();
        assert_eq!(budget.take(40, "four").unwrap_err().kind, ErrorKind::MemoryBusy);
        drop((first, second));
        assert_eq!(budget.lasting.load(Relaxed), 0);
    }

    #[test]
    fn a_forked_process_starts_with_nothing_in_use() {
        let budget = Arc::new(Budget::default());
        budget.limit.store(100, Relaxed);
        let before = budget.take(60, "the parent's").unwrap();
        budget.process.store(1, Relaxed); // as a child finds it
        let here = budget.take(100, "the child's").unwrap();
        drop(Share { budget: budget.clone(), bytes: 60, lasting: true, process: 1 });
        assert_eq!(budget.used.load(Relaxed), 100);
        drop((before, here));
    }
}
