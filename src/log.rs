//! Log lines for the host. Silent unless the host asked.

use std::sync::{
    Arc,
    atomic::{AtomicI32, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;

/// Something that failed.
pub const ERROR: i32 = 1;
/// Something that was repaired or dropped.
pub const WARNING: i32 = 2;
/// What was chosen.
pub const INFO: i32 = 3;
/// How it was done.
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

static LOG: ArcSwapOption<Log> = ArcSwapOption::const_empty();
/// The log's level, 0 for silence: asked first, because looking at the log itself may take memory.
static LEVEL: AtomicI32 = AtomicI32::new(0);

/// Sets the log of the whole process; `None` is silence.
pub fn set(log: Option<Log>) {
    LEVEL.store(log.as_ref().map_or(0, |log| log.level), Relaxed);
    LOG.store(log.map(Arc::new));
}

/// Writes a line if the host wants lines of this level. `line` is only called then.
pub fn write(level: i32, line: impl FnOnce() -> String) {
    if level > LEVEL.load(Relaxed) {
        return;
    }
    if let Some(log) = LOG.load_full().filter(|log| level <= log.level) {
        (log.line)(level, &line());
    }
}
