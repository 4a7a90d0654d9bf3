//! Log lines for the host. Silent unless the host asked.

use std::{
    cell::Cell,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

use crate::{
    error::Result,
    handle::{Kind, Object},
    host::thread::Uncancelled,
    shared::Shared,
};

/// Something that failed.
pub const ERROR: i32 = 1;
/// Something that was repaired or dropped.
pub const WARNING: i32 = 2;
/// The highest level. 3, what was chosen, and 4, how it was done, are for lines to come: there are none yet.
pub const DEBUG: i32 = 4;

/// Takes a level and a line.
pub type Line = dyn Fn(i32, &str) + Send + Sync;

/// Where lines go, and up to which level.
pub struct Log {
    /// Lines above this level are not made.
    pub level: i32,
    /// Where lines go.
    pub line: Box<Line>,
}

impl Object for Log {
    const KIND: Kind = Kind::Snapshot;
}

static LOG: Shared<Log> = Shared::empty();
/// The log's level, 0 for silence.
static LEVEL: AtomicI32 = AtomicI32::new(0);

thread_local! {
    /// This thread is in the host's function.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Sets the log of the whole process; `None` is silence.
pub fn set(log: Option<Log>) -> Result<()> {
    let level = log.as_ref().map_or(0, |log| log.level);
    LOG.set(log)?;
    LEVEL.store(level, Relaxed);
    Ok(())
}

/// Writes a line if the host wants lines of this level. `line` is only called then. What the host's function does makes
/// no lines: one that fails in each of its calls would be called for ever.
pub fn write(level: i32, line: impl FnOnce() -> String) {
    if level > LEVEL.load(Relaxed) {
        return;
    }
    if let Ok(log) = LOG.get()
        && level <= log.level
        && !INSIDE.replace(true)
    {
        let _uncancelled = Uncancelled::default();
        (log.line)(level, &line());
        INSIDE.set(false);
    }
}
