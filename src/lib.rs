//! Encodes pixels into JPEG, PNG, WebP, HEIF and more, behind a C ABI with opaque handles.
//!
//! Data walks through six rooms in order and never back; `ARCHITECTURE.md` has the picture:
//! the door ([`ffi`]), the things ([`model`]), the plan ([`pack`]), the darkroom ([`pixels`]),
//! the press ([`codec`]) and the mail ([`sink`]).

#[cfg(panic = "abort")]
compile_error!(
    "image_packer turns panics and libjpeg errors into status codes: build it with panic = \"unwind\""
);

pub mod device;
pub mod error;
mod handle;
pub mod host;
pub mod limits;
pub mod log;
mod shared;

pub mod codec;
pub mod ffi;
pub mod model;
pub mod pack;
pub mod pixels;
pub mod sink;
