//! What stands between C and Rust in every call: a panic guard and the thread's last error.

use std::{
    any::Any,
    cell::RefCell,
    ffi::{CStr, CString},
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::status::{Family, IMAGE_CAUSE_NONE, IMAGE_OK, ImageErrorCause, ImageStatus, codes};
use crate::{
    err,
    error::{Error, Result},
    log,
};

/// What went wrong last on this thread.
struct LastError {
    status: ImageStatus,
    cause: ImageErrorCause,
    message: Option<CString>,
}

thread_local! {
    static LAST: RefCell<LastError> =
        const { RefCell::new(LastError { status: IMAGE_OK, cause: IMAGE_CAUSE_NONE, message: None }) };
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
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(panicked(payload.as_ref())))
}

fn panicked(payload: &(dyn Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    err!(Bug, "a fault in image_packer was stopped at the door: {text}")
}

fn fail(family: Family, error: Error) -> ImageStatus {
    let (status, cause) = codes(error.kind, family);
    log::write(log::ERROR, || format!("{status}: {error}"));
    // A sentence never holds a NUL; one that quotes a caller's name with one inside is cut there.
    let mut bytes = error.message.into_owned().into_bytes();
    bytes.truncate(bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len()));
    let message = CString::new(bytes).ok();
    // `try_with`: a call from a destructor of this thread finds no slot any more.
    let _ = LAST.try_with(|last| *last.borrow_mut() = LastError { status, cause, message });
    status
}

/// Status and cause of the thread's last failed call.
pub fn last_codes() -> (ImageStatus, ImageErrorCause) {
    LAST.try_with(|last| {
        let last = last.borrow();
        (last.status, last.cause)
    })
    .unwrap_or((IMAGE_OK, IMAGE_CAUSE_NONE))
}

/// The thread's last message; the pointer lives until the thread's next failed call.
pub fn last_message() -> *const std::ffi::c_char {
    let empty: &CStr = c"";
    LAST.try_with(|last| last.borrow().message.as_deref().map_or(empty.as_ptr(), CStr::as_ptr))
        .unwrap_or(empty.as_ptr())
}
