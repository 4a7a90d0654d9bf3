//! What stands between C and Rust in every call: a panic guard and the thread's last error.

use std::{any::Any, cell::Cell, ffi::c_char};

use super::status::{Family, IMAGE_CAUSE_NONE, IMAGE_OK, ImageErrorCause, ImageStatus, codes};
use crate::{
    err,
    error::{Error, Result},
    host::{self, panics},
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
}

/// Runs the body of an exported function: panics become errors, errors become the thread's last error and a
/// status from the family's column.
pub fn run(family: Family, body: impl FnOnce() -> Result<()>) -> ImageStatus {
    match attempt(body) {
        Ok(()) => IMAGE_OK,
        Err(error) => fail(family, error),
    }
}

/// As [`run`] for functions that answer a value: `fallback` stands for failure, and the last error says why.
pub fn value<T>(fallback: T, body: impl FnOnce() -> Result<T>) -> T {
    attempt(body).unwrap_or_else(|error| {
        fail(Family::Data, error);
        fallback
    })
}

/// Runs `body` as a call of its own: panics become errors. The thread's last error stays as it is.
pub fn attempt<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    host::call(|| panics::catch(body)).unwrap_or_else(|payload| Err(panicked(payload.as_ref())))
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

/// Forgets the thread's last error.
pub fn forget() {
    LAST.with(|last| {
        last.message.set([0; MESSAGE]);
        last.status.set(IMAGE_OK);
        last.cause.set(IMAGE_CAUSE_NONE);
    });
}

/// Status and cause of the thread's last failed call.
pub fn last_codes() -> (ImageStatus, ImageErrorCause) {
    LAST.with(|last| (last.status.get(), last.cause.get()))
}

/// The thread's last message; the pointer lives as long as the thread, the text until its next failed call.
pub fn last_message() -> *const c_char {
    LAST.with(|last| last.message.as_ptr().cast_const().cast())
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;
    use crate::{
        error::ErrorKind,
        ffi::status::{
            IMAGE_CAUSE_BUG, IMAGE_CAUSE_WRITE, IMAGE_ERROR_FAILED, IMAGE_ERROR_INVALID_FILE_ARGUMENT,
        },
    };

    fn message() -> String {
        let bytes = LAST.with(|last| last.message.get());
        CStr::from_bytes_until_nul(&bytes).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_becomes_a_status_and_the_next_call_works() {
        assert_eq!(run(Family::Data, || panic!("number {}", 7)), IMAGE_ERROR_FAILED);
        assert_eq!(last_codes(), (IMAGE_ERROR_FAILED, IMAGE_CAUSE_BUG));
        assert!(message().ends_with("number 7"), "{}", message());
        assert_eq!(value(5, || panic!("again")), 5);
        assert_eq!(run(Family::Data, || Ok(())), IMAGE_OK);
        assert!(message().ends_with("again"), "a success leaves the last error alone");
    }

    #[test]
    fn long_messages_and_those_with_a_nul_are_cut_between_characters() {
        for (text, len) in
            [("ä".repeat(600), 510), ("a".repeat(511), 511), ("cut\0here".into(), 3), (String::new(), 0)]
        {
            let status = run(Family::Data, || Err(Error::new(ErrorKind::Write, text.clone())));
            assert_eq!((status, last_codes().1), (IMAGE_ERROR_FAILED, IMAGE_CAUSE_WRITE));
            assert_eq!(message(), text[..len]);
        }
        assert_eq!(run(Family::File, || Err(err!(OutOfRange, "x"))), IMAGE_ERROR_INVALID_FILE_ARGUMENT);
    }
}
