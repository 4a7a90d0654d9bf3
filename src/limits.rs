//! The packer's limits: threads, pixels, memory.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use crate::{bail, error::Result};

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
            memory: Arc::new(Budget { limit: AtomicU64::new(0), used: AtomicU64::new(0) }),
        }
    }
}

impl Limits {
    /// Sets the number of threads; 0 is one per core.
    pub fn set_threads(&self, threads: u32) {
        self.threads.store(threads, Relaxed);
    }

    /// The number of threads a pack may use, at least 1.
    pub fn threads(&self) -> usize {
        match self.threads.load(Relaxed) {
            0 => std::thread::available_parallelism().map_or(1, Into::into),
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

/// A number of bytes that packs share.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
}

/// A part of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    /// Takes `bytes` for `what`, or says how many are left.
    pub fn take(self: &Arc<Self>, bytes: u64, what: &str) -> Result<Share> {
        let limit = self.limit.load(Relaxed);
        let fits = |used: u64| {
            let sum = used.checked_add(bytes)?;
            (limit == 0 || sum <= limit).then_some(sum)
        };
        match self.used.fetch_update(Relaxed, Relaxed, fits) {
            Ok(_) => Ok(Share { budget: self.clone(), bytes }),
            Err(used) => bail!(
                MemoryLimit,
                "{what} needs {bytes} bytes; {used} of the memory limit of {limit} bytes are in use"
            ),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}
