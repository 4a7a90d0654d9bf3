//! The host's process: what we must not disturb, and what must not disturb us.

pub mod fpu;
pub mod leave;
pub mod lent;
pub mod panics;
pub mod reserve;
#[cfg(unix)]
pub mod signals;
pub mod stack;
pub mod thread;

use std::cell::Cell;

use crate::{bail, error::Result, sink::Sink};

#[cfg(feature = "reserve-allocator")]
#[global_allocator]
static ALLOCATOR: reserve::ReserveAllocator = reserve::ReserveAllocator;

thread_local! {
    /// How often the memory reserve had been needed when this thread's call began.
    static SHORTAGES: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs the body of a call of the C interface, which must not panic.
pub fn call<R>(body: impl FnOnce() -> R) -> R {
    let _uncancelled = thread::Uncancelled::default();
    // A callback of this call may call us again.
    let outer = SHORTAGES.replace(Some(reserve::uses()));
    let result = body();
    SHORTAGES.set(outer);
    result
}

/// Fails if memory ran out during this thread's call: what is to outlive the call must not lie in the reserve.
pub fn check_call() -> Result<()> {
    SHORTAGES.get().map_or(Ok(()), check_memory)
}

/// Runs work on images: with enough stack and IEEE's default arithmetic, and with "out of memory" as its answer when
/// memory ran out on the way.
pub fn shield<R: Send>(work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    stack::with_room(|| calm(work))?
}

/// As [`shield`] for work that writes; the sink is used on the calling thread alone.
pub fn shield_with<R: Send>(
    sink: &mut dyn Sink,
    work: impl FnOnce(&mut dyn Sink) -> Result<R> + Send,
) -> Result<R> {
    stack::with_sink(sink, |sink| calm(|| work(sink)))
}

fn calm<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    let _normal = fpu::Normal::new();
    let before = reserve::uses();
    let result = work()?;
    check_memory(before)?;
    Ok(result)
}

/// Fails if the reserve was needed since `before`. What was made meanwhile may lie in it and must not live on.
pub fn check_memory(before: u64) -> Result<()> {
    if reserve::uses() != before {
        bail!(OutOfMemory, "the process ran out of memory");
    }
    Ok(())
}
