//! Every NULL check and every dereference of the caller's memory.
#![allow(unsafe_code, reason = "island: reads and writes memory that the caller passes by pointer")]

use std::{
    ffi::{CStr, c_char, c_void},
    slice,
};

use crate::{bail, error::Result};

/// A place of the caller's for a result, checked for NULL and written only on success.
pub struct Out<T>(*mut T);

/// The place for a result. `name` is the parameter's.
pub fn out<T>(pointer: *mut T, name: &str) -> Result<Out<T>> {
    if pointer.is_null() {
        bail!(NullPointer, "{name} is NULL");
    }
    Ok(Out(pointer))
}

impl<T> Out<T> {
    /// Stores the result.
    pub fn put(self, value: T) {
        // SAFETY: not NULL; the header demands a writable place for one value.
        unsafe { self.0.write(value) }
    }
}

/// A caller's readable bytes. NULL is allowed only with size 0.
pub fn bytes<'a>(pointer: *const c_void, size: usize, name: &str) -> Result<&'a [u8]> {
    check(pointer, size, name)?;
    if size == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, the size fits isize, and the header demands `size` readable bytes for the call.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), size) })
}

/// A caller's writable bytes.
pub fn bytes_mut<'a>(pointer: *mut c_void, size: usize, name: &str) -> Result<&'a mut [u8]> {
    check(pointer, size, name)?;
    if size == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not NULL, the size fits isize, and the header demands `size` writable bytes for the call.
    Ok(unsafe { slice::from_raw_parts_mut(pointer.cast(), size) })
}

/// A caller's readable array of `count` values.
pub fn array<'a, T>(pointer: *const T, count: usize, name: &str) -> Result<&'a [T]> {
    check(pointer.cast(), count.saturating_mul(size_of::<T>()), name)?;
    if count == 0 {
        return Ok(&[]);
    }
    if !pointer.is_aligned() {
        bail!(OutOfRange, "{name} is not aligned to {} bytes", align_of::<T>());
    }
    // SAFETY: not NULL, aligned, the size fits isize, and the header demands `count` readable values.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// That a pointer with a size can be a piece of memory.
pub fn check(pointer: *const c_void, size: usize, name: &str) -> Result<()> {
    if pointer.is_null() && size != 0 {
        bail!(NullPointer, "{name} is NULL, with a size of {size} bytes");
    }
    if size > isize::MAX as usize || (pointer as usize).checked_add(size).is_none() {
        bail!(OutOfRange, "{size} bytes at {name} pass the address space");
    }
    Ok(())
}

/// A caller's text: NUL-terminated UTF-8.
pub fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    if pointer.is_null() {
        bail!(NullPointer, "{name} is NULL");
    }
    // SAFETY: not NULL, and the header demands NUL-terminated text.
    let text = unsafe { CStr::from_ptr(pointer) };
    match text.to_str() {
        Ok(text) => Ok(text),
        Err(error) => bail!(OutOfRange, "{name} is not UTF-8 at byte {}", error.valid_up_to()),
    }
}

/// A caller's path: NUL-terminated bytes.
pub fn path<'a>(pointer: *const c_char, name: &str) -> Result<&'a std::path::Path> {
    use std::os::unix::ffi::OsStrExt;
    if pointer.is_null() {
        bail!(NullPointer, "{name} is NULL");
    }
    // SAFETY: not NULL, and the header demands NUL-terminated text.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    Ok(std::path::Path::new(std::ffi::OsStr::from_bytes(bytes)))
}
