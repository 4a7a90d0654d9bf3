//! Status codes and causes: the platform's numbers, and the one table that maps causes to them.

use crate::error::ErrorKind;

/// What a call came to. Compare with the IMAGE_ERROR_ constants; treat an unknown value as a failure.
pub type ImageStatus = i32;

/// Success.
pub const IMAGE_OK: i32 = 0;
/// NULL, out of range, contradictory, or not a live handle of this type.
pub const IMAGE_ERROR_INVALID_ARGUMENT: i32 = 401;
/// As 401, from pack_to_file with a pixel map or an image source; also for a descriptor that cannot be written.
pub const IMAGE_ERROR_INVALID_FILE_ARGUMENT: i32 = 62_980_115;
/// The operation failed: the input could not be read, the output could not be written, or memory ran out.
/// image_packer_last_error_cause() says which.
pub const IMAGE_ERROR_FAILED: i32 = 62_980_096;
/// The image data is damaged.
pub const IMAGE_ERROR_BAD_DATA: i32 = 62_980_101;
/// The image is larger than the format, or than a limit set here, allows.
pub const IMAGE_ERROR_TOO_LARGE: i32 = 62_980_106;
/// The format is unknown, or not available on this machine.
pub const IMAGE_ERROR_UNKNOWN_FORMAT: i32 = 62_980_113;
/// The encoder refused the image.
pub const IMAGE_ERROR_ENCODE: i32 = 62_980_119;
/// A sequence holds more, or fewer, frames than its options describe.
pub const IMAGE_ERROR_FRAME_COUNT: i32 = 62_980_120;
/// The ICC profile could not be embedded.
pub const IMAGE_ERROR_ICC: i32 = 62_980_172;
/// A working surface could not be created.
pub const IMAGE_ERROR_SURFACE: i32 = 62_980_252;
/// A picture or a sequence could not be encoded.
pub const IMAGE_ERROR_ENCODE_PICTURE: i32 = 7_800_301;
/// Stopped by image_job_cancel(), by a callback, or because its time was over.
pub const IMAGE_ERROR_CANCELLED: i32 = 1001;
/// The job has not ended yet; it goes on.
pub const IMAGE_ERROR_NOT_READY: i32 = 1002;

/// Why, in one word; finer than the status and free to grow.
pub type ImageErrorCause = i32;

/// No failure yet.
pub const IMAGE_CAUSE_NONE: i32 = 0;
/// A required pointer was NULL.
pub const IMAGE_CAUSE_NULL_POINTER: i32 = 1;
/// A value that never was a handle.
pub const IMAGE_CAUSE_NOT_A_HANDLE: i32 = 2;
/// A live handle of another type.
pub const IMAGE_CAUSE_WRONG_HANDLE: i32 = 3;
/// A handle that has been released.
pub const IMAGE_CAUSE_RELEASED_HANDLE: i32 = 4;
/// An argument out of its range, or arguments that contradict each other.
pub const IMAGE_CAUSE_OUT_OF_RANGE: i32 = 5;
/// The caller's buffer is too small.
pub const IMAGE_CAUSE_BUFFER_TOO_SMALL: i32 = 6;
/// A valid request that this build or this format cannot serve.
pub const IMAGE_CAUSE_UNSUPPORTED: i32 = 7;
/// Reading the input failed.
pub const IMAGE_CAUSE_READ: i32 = 8;
/// Writing the output failed.
pub const IMAGE_CAUSE_WRITE: i32 = 9;
/// An allocation failed.
pub const IMAGE_CAUSE_OUT_OF_MEMORY: i32 = 10;
/// A limit of the packer, or of the format.
pub const IMAGE_CAUSE_LIMIT: i32 = 11;
/// Stopped by a cancel or by a callback.
pub const IMAGE_CAUSE_CANCELLED: i32 = 12;
/// A fault of this library.
pub const IMAGE_CAUSE_BUG: i32 = 13;
/// A descriptor that cannot be used: closed, read-only, a directory.
pub const IMAGE_CAUSE_BAD_DESCRIPTOR: i32 = 14;
/// The encoded input is damaged.
pub const IMAGE_CAUSE_BAD_DATA: i32 = 15;
/// The format is unknown or not available.
pub const IMAGE_CAUSE_UNKNOWN_FORMAT: i32 = 16;
/// The encoder refused the image.
pub const IMAGE_CAUSE_ENCODE: i32 = 17;
/// The ICC profile cannot be embedded.
pub const IMAGE_CAUSE_ICC: i32 = 18;
/// More or fewer frames than announced.
pub const IMAGE_CAUSE_FRAME_COUNT: i32 = 19;
/// A working surface could not be made.
pub const IMAGE_CAUSE_SURFACE: i32 = 20;
/// The time of image_packing_options_set_timeout() was over.
pub const IMAGE_CAUSE_TIMED_OUT: i32 = 21;
/// The job has not ended yet.
pub const IMAGE_CAUSE_NOT_READY: i32 = 22;

/// Which column of the table of codes a function answers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Everything but packing into files: bad arguments are 401.
    Data,
    /// Packing a pixel map or a source into a descriptor: bad arguments are 62980115.
    File,
    /// Packing pictures and sequences, wherever to: bad arguments are 401, every other failure is 7800301.
    Picture,
}

/// The one table (cause x family) -> (code, public cause).
pub fn codes(kind: ErrorKind, family: Family) -> (ImageStatus, ImageErrorCause) {
    let argument = match family {
        Family::Data | Family::Picture => IMAGE_ERROR_INVALID_ARGUMENT,
        Family::File => IMAGE_ERROR_INVALID_FILE_ARGUMENT,
    };
    let (status, cause) = match kind {
        ErrorKind::NullPointer => (argument, IMAGE_CAUSE_NULL_POINTER),
        ErrorKind::NotAHandle => (argument, IMAGE_CAUSE_NOT_A_HANDLE),
        ErrorKind::WrongHandle => (argument, IMAGE_CAUSE_WRONG_HANDLE),
        ErrorKind::ReleasedHandle => (argument, IMAGE_CAUSE_RELEASED_HANDLE),
        ErrorKind::OutOfRange => (argument, IMAGE_CAUSE_OUT_OF_RANGE),
        ErrorKind::BufferTooSmall => (argument, IMAGE_CAUSE_BUFFER_TOO_SMALL),
        ErrorKind::BadDescriptor => (argument, IMAGE_CAUSE_BAD_DESCRIPTOR),
        ErrorKind::Unsupported => (argument, IMAGE_CAUSE_UNSUPPORTED),
        ErrorKind::Read => (IMAGE_ERROR_FAILED, IMAGE_CAUSE_READ),
        ErrorKind::Write => (IMAGE_ERROR_FAILED, IMAGE_CAUSE_WRITE),
        ErrorKind::OutOfMemory => (IMAGE_ERROR_FAILED, IMAGE_CAUSE_OUT_OF_MEMORY),
        ErrorKind::MemoryLimit | ErrorKind::MemoryBusy => (IMAGE_ERROR_FAILED, IMAGE_CAUSE_LIMIT),
        ErrorKind::Cancelled => (IMAGE_ERROR_CANCELLED, IMAGE_CAUSE_CANCELLED),
        ErrorKind::TimedOut => (IMAGE_ERROR_CANCELLED, IMAGE_CAUSE_TIMED_OUT),
        ErrorKind::NotReady => (IMAGE_ERROR_NOT_READY, IMAGE_CAUSE_NOT_READY),
        ErrorKind::Bug => (IMAGE_ERROR_FAILED, IMAGE_CAUSE_BUG),
        ErrorKind::BadData => (IMAGE_ERROR_BAD_DATA, IMAGE_CAUSE_BAD_DATA),
        ErrorKind::UnknownFormat => (IMAGE_ERROR_UNKNOWN_FORMAT, IMAGE_CAUSE_UNKNOWN_FORMAT),
        ErrorKind::TooLarge => (IMAGE_ERROR_TOO_LARGE, IMAGE_CAUSE_LIMIT),
        ErrorKind::Encode => (IMAGE_ERROR_ENCODE, IMAGE_CAUSE_ENCODE),
        ErrorKind::Icc => (IMAGE_ERROR_ICC, IMAGE_CAUSE_ICC),
        ErrorKind::FrameCount => (IMAGE_ERROR_FRAME_COUNT, IMAGE_CAUSE_FRAME_COUNT),
        ErrorKind::Surface => (IMAGE_ERROR_SURFACE, IMAGE_CAUSE_SURFACE),
    };
    let own = status == argument || status == IMAGE_ERROR_CANCELLED;
    (if family == Family::Picture && !own { IMAGE_ERROR_ENCODE_PICTURE } else { status }, cause)
}

/// One line of English for a status.
pub fn text(status: ImageStatus) -> &'static std::ffi::CStr {
    match status {
        IMAGE_OK => c"Success",
        IMAGE_ERROR_INVALID_ARGUMENT | IMAGE_ERROR_INVALID_FILE_ARGUMENT => c"Invalid argument",
        IMAGE_ERROR_FAILED => c"The operation failed",
        IMAGE_ERROR_BAD_DATA => c"The image data is damaged",
        IMAGE_ERROR_TOO_LARGE => c"The image is too large",
        IMAGE_ERROR_UNKNOWN_FORMAT => c"Unknown or unavailable image format",
        IMAGE_ERROR_ENCODE => c"The image could not be encoded",
        IMAGE_ERROR_FRAME_COUNT => c"Wrong number of frames",
        IMAGE_ERROR_ICC => c"The ICC profile could not be embedded",
        IMAGE_ERROR_SURFACE => c"A working surface could not be created",
        IMAGE_ERROR_ENCODE_PICTURE => c"The picture could not be encoded",
        IMAGE_ERROR_CANCELLED => c"Cancelled",
        IMAGE_ERROR_NOT_READY => c"Not ready yet",
        _ => c"Unknown status",
    }
}
