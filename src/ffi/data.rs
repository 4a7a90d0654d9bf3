//! ImageData: encoded bytes.

use std::{ptr, sync::Arc};

use super::{
    boundary::{run, value},
    handle::{self, Kind, Object},
    pointer::out,
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    error::Result,
    sink::memory::{Buffer, Image},
};

/// Encoded bytes. Immutable.
pub struct ImageData {
    _private: [u8; 0],
}

/// What stands behind the handle.
pub(super) struct Data(Image);

impl Object for Data {
    const KIND: Kind = Kind::Data;
}

/// A new handle for encoded bytes.
pub(super) fn make(bytes: Buffer) -> Result<*mut ImageData> {
    Ok(ptr::without_provenance_mut(handle::insert(Arc::new(Data(Image::new(bytes))))?))
}

/// Takes a handle back that nobody has seen.
pub(super) fn forget(data: *mut ImageData) -> Result<()> {
    handle::remove::<Data>(data.addr())
}

/// The bytes, valid until release; NULL if `data` is not a live handle.
#[unsafe(no_mangle)]
pub extern "C" fn image_data_bytes(data: *const ImageData) -> *const u8 {
    value(ptr::null(), || Ok(handle::get::<Data>(data.addr())?.0.as_slice().as_ptr()))
}

/// The number of bytes; 0 if `data` is not a live handle.
#[unsafe(no_mangle)]
pub extern "C" fn image_data_size(data: *const ImageData) -> usize {
    value(0, || Ok(handle::get::<Data>(data.addr())?.0.as_slice().len()))
}

/// Hands the bytes over: they are the caller's, who frees them with the C library's free(), and `data` is released.
/// Nothing is copied.
///
/// @param[out] bytes  the memory
/// @param[out] size   the number of bytes
#[unsafe(no_mangle)]
pub extern "C" fn image_data_take(
    data: *mut ImageData,
    bytes: *mut *mut u8,
    size: *mut usize,
) -> ImageStatus {
    run(Family::Data, || {
        let (bytes, size) = (out(bytes, "bytes")?, out(size, "size")?);
        let taken = handle::get::<Data>(data.addr())?;
        handle::remove::<Data>(data.addr())?;
        let Some((memory, len)) = taken.0.give() else {
            bail!(ReleasedHandle, "this ImageData has been taken")
        };
        bytes.put(memory);
        size.put(len);
        Ok(())
    })
}

/// Frees the bytes.
#[unsafe(no_mangle)]
pub extern "C" fn image_data_release(data: *mut ImageData) -> ImageStatus {
    run(Family::Data, || handle::remove::<Data>(data.addr()))
}
