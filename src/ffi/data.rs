//! ImageData: encoded bytes.

use std::{ptr, sync::Arc};

use super::{
    boundary::{run, value},
    handle::{self, Kind, Object},
    status::{Family, ImageStatus},
};
use crate::error::Result;

/// Encoded bytes. Immutable.
pub struct ImageData {
    _private: [u8; 0],
}

/// What stands behind the handle.
pub(super) struct Data(Vec<u8>);

impl Object for Data {
    const KIND: Kind = Kind::Data;
}

/// A new handle for encoded bytes.
pub(super) fn make(bytes: Vec<u8>) -> Result<*mut ImageData> {
    Ok(ptr::without_provenance_mut(handle::insert(Arc::new(Data(bytes)))?))
}

/// The bytes, valid until release; NULL if `data` is not a live handle.
#[unsafe(no_mangle)]
pub extern "C" fn image_data_bytes(data: *const ImageData) -> *const u8 {
    value(ptr::null(), || Ok(handle::get::<Data>(data.addr())?.0.as_ptr()))
}

/// The number of bytes; 0 if `data` is not a live handle.
#[unsafe(no_mangle)]
pub extern "C" fn image_data_size(data: *const ImageData) -> usize {
    value(0, || Ok(handle::get::<Data>(data.addr())?.0.len()))
}

/// Frees the bytes.
#[unsafe(no_mangle)]
pub extern "C" fn image_data_release(data: *mut ImageData) -> ImageStatus {
    run(Family::Data, || handle::remove::<Data>(data.addr()))
}
