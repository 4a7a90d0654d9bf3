//! What stands between C and Rust in every call: a panic guard and the thread's last error.

use std::{any::Any, cell::Cell, ffi::c_char};

use super::status::{Family, IMAGE_CAUSE_NONE, IMAGE_OK, ImageErrorCause, ImageStatus, codes};
use crate::{
    err,
    error::{Error, Result},
    host::{self, panics, reserve},
    log,
};

/// Longest message, its NUL included.
const MESSAGE: usize = 512;

/// What went wrong last on this thread. Plain memory: a message about a failed allocation must not need one.
struct LastError {
    status: Cell<ImageStatus>,
    cause: Cell<ImageErrorCause>,
    message: Cell<[u8; MESSAGE]>,
}

thread_local! {
    static LAST: LastError = const {
        LastError {
            status: Cell::new(IMAGE_OK),
            cause: Cell::new(IMAGE_CAUSE_NONE),
            message: Cell::new([0; MESSAGE]),
        }
    };
    /// How often the memory reserve had been needed when this thread's call began.
    static SHORTAGES: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs the body of an exported function: panics become errors, errors become the thread's last error and a
/// status from the family's column.
pub fn run(family: Family, body: impl FnOnce() -> Result<()>) -> ImageStatus {
    match guarded(body) {
        Ok(()) => IMAGE_OK,
        Err(error) => fail(family, error),
    }
}

/// As [`run`] for functions that answer a value: `fallback` stands for failure, and the last error says why.
pub fn value<T>(fallback: T, body: impl FnOnce() -> Result<T>) -> T {
    guarded(body).unwrap_or_else(|error| {
        fail(Family::Data, error);
        fallback
    })
}

fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    // A callback of this call may call us again.
    let outer = SHORTAGES.replace(Some(reserve::uses()));
    let result = panics::catch(body).unwrap_or_else(|payload| Err(panicked(payload.as_ref())));
    SHORTAGES.set(outer);
    result
}

/// Fails if memory ran out during this thread's call: what is to outlive the call must not lie in the reserve.
pub fn check_memory() -> Result<()> {
    SHORTAGES.get().map_or(Ok(()), host::check_memory)
}

fn panicked(payload: &(dyn Any + Send)) -> Error {
    err!(Bug, "a fault in image_packer was stopped at the door: {}", panics::text(payload))
}

fn fail(family: Family, error: Error) -> ImageStatus {
    let (status, cause) = codes(error.kind, family);
    log::write(log::ERROR, || format!("{status}: {error}"));
    LAST.with(|last| {
        // A sentence never holds a NUL; one that quotes a caller's name with one inside is cut there.
        let text = error.message.split('\0').next().unwrap_or_default();
        let len = (0..MESSAGE.min(text.len() + 1)).rev().find(|&len| text.is_char_boundary(len)).unwrap_or(0);
        let mut message = [0; MESSAGE];
        message[..len].copy_from_slice(&text.as_bytes()[..len]);
        last.message.set(message);
        last.status.set(status);
        last.cause.set(cause);
    });
    status
}

/// Status and cause of the thread's last failed call.
pub fn last_codes() -> (ImageStatus, ImageErrorCause) {
    LAST.with(|last| (last.status.get(), last.cause.get()))
}

/// The thread's last message; the pointer lives as long as the thread, the text until its next failed call.
pub fn last_message() -> *const c_char {
    LAST.with(|last| last.message.as_ptr().cast_const().cast())
}
