//! Room 1, the door: C in, Rust out. It only translates: check, fetch, one call, put.
//!
//! One file per C object, or a part of its functions; `tests/header.rs` has the order of the header.

#![allow(
    unsafe_code,
    reason = "exported names; blocks of unsafe code stay on the islands of tests/islands.rs"
)]

mod boundary;
mod callback;
mod dlpack;
mod pointer;
pub mod status;

pub(crate) use crate::handle;

pub mod version;

pub mod batch;
pub mod batch_packing;
pub mod data;
pub mod job;
pub mod packer;
pub mod packing_options;
pub mod picture;
pub mod picture_metadata;
pub mod picture_packing;
pub mod pixelmap;
pub mod report;
pub mod sequence;
pub mod sequence_options;
pub mod source;
pub mod stream;
pub mod tensor;
