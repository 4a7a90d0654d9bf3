//! Version, status texts, the last error, and the log.

use std::ffi::{c_char, c_void};

use super::{
    boundary::{last_codes, last_message, run},
    callback::{self, ImageLogFn},
    status::{Family, ImageErrorCause, ImageStatus, text},
};
use crate::{bail, log};

/// The parts of the version, for the header's macros; `tests/header.rs` compares them with Cargo's.
pub const IMAGE_PACKER_VERSION_MAJOR: u32 = 1;
/// See IMAGE_PACKER_VERSION_MAJOR.
pub const IMAGE_PACKER_VERSION_MINOR: u32 = 0;
/// See IMAGE_PACKER_VERSION_MAJOR.
pub const IMAGE_PACKER_VERSION_PATCH: u32 = 0;

/// Version of the loaded library, as IMAGE_PACKER_VERSION: 1.2.3 is 0x010203.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_version() -> u32 {
    IMAGE_PACKER_VERSION_MAJOR << 16 | IMAGE_PACKER_VERSION_MINOR << 8 | IMAGE_PACKER_VERSION_PATCH
}

/// Version of the loaded library and of the codecs inside, in one line for a bug report:
/// "image_packer 1.0.0 (libwebp-sys 0.14.4, ...)". libheif, loaded at run time, is not named. Static; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_version_string() -> *const c_char {
    concat!("image_packer ", env!("CARGO_PKG_VERSION"), " (", env!("IMAGE_PACKER_CODECS"), ")\0")
        .as_ptr()
        .cast()
}

/// One line of English naming a status: "Invalid argument". Static; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn image_status_text(status: ImageStatus) -> *const c_char {
    text(status).as_ptr()
}

/// What went wrong in this thread's last failed call, with the numbers:
/// "row stride 20 is less than 6 pixels x 4 bytes". "" if nothing failed yet; never NULL.
///
/// Valid until this thread's next failed call. A successful call leaves it alone.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_last_error_message() -> *const c_char {
    last_message()
}

/// Status of this thread's last failed call; IMAGE_OK if nothing failed yet.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_last_error_status() -> ImageStatus {
    last_codes().0
}

/// Cause of this thread's last failed call; IMAGE_CAUSE_NONE if nothing failed yet.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_last_error_cause() -> ImageErrorCause {
    last_codes().1
}

/// Sets where log lines up to `level` go, for the whole process. NULL, the default, is silence: the library never
/// writes to stdout or stderr.
///
/// @param log    called on any thread, by several at once; must not call image_packer_set_log(). What it does itself makes no
///               lines
/// @param user   handed to `log`. A call that has begun on another thread goes on after `log` was replaced, so `user` may
///               be freed when no call of this library is in progress
/// @param level  1 errors, 2 and warnings; 3 (information) and 4 (debugging) are reserved and add nothing yet
/// @return IMAGE_OK; 401 for another level.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_set_log(log: ImageLogFn, user: *mut c_void, level: i32) -> ImageStatus {
    run(Family::Data, || {
        if !(log::ERROR..=log::DEBUG).contains(&level) {
            bail!(OutOfRange, "log level {level} is not in 1..=4");
        }
        log::set(log.map(|log| log::Log { level, line: callback::log(log, user) }))
    })
}
