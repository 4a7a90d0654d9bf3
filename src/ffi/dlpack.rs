//! DLPack: the structures by which libraries pass tensors to each other. Declared from the specification,
//! <https://dmlc.github.io/dlpack/latest/c_api.html>.
#![allow(unsafe_code, reason = "island: reads structures of other libraries and calls their deleters")]

use std::{ffi::c_void, ptr};

use crate::{
    bail,
    error::Result,
    model::{foreign::ReleaseFn, tensor::Element},
};

#[repr(C)]
struct Device {
    kind: i32,
    id: i32,
}

#[repr(C)]
struct DataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct DlTensor {
    data: *mut c_void,
    device: Device,
    dimensions: i32,
    data_type: DataType,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

/// `DLManagedTensor`, before version 1.
#[repr(C)]
struct Legacy {
    tensor: DlTensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Legacy)>,
}

/// `DLManagedTensorVersioned`.
#[repr(C)]
struct Versioned {
    major: u32,
    minor: u32,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Versioned)>,
    flags: u64,
    tensor: DlTensor,
}

/// A tensor of another library that is ours: its deleter is called once, with the drop, unless somebody takes that over.
pub struct Managed {
    managed: *mut c_void,
    delete: ReleaseFn,
    tensor: *const DlTensor,
}

/// What a tensor says of itself.
pub struct Description {
    /// The first number.
    pub data: *const u8,
    /// Type and number of the device that has the memory, as DLPack counts them.
    pub device: (i32, i32),
    /// Type of the numbers.
    pub element: Element,
    /// Sizes.
    pub shape: Vec<i64>,
    /// In bytes.
    pub strides: Option<Vec<i64>>,
}

unsafe extern "C" fn delete_legacy(managed: *mut c_void) {
    let managed = managed.cast::<Legacy>();
    // SAFETY: called once, with the live structure that `Managed::legacy` was given.
    unsafe {
        if let Some(deleter) = (*managed).deleter {
            deleter(managed);
        }
    }
}

unsafe extern "C" fn delete_versioned(managed: *mut c_void) {
    let managed = managed.cast::<Versioned>();
    // SAFETY: as above; place and meaning of the deleter are the same in all versions.
    unsafe {
        if let Some(deleter) = (*managed).deleter {
            deleter(managed);
        }
    }
}

impl Managed {
    /// Takes a `DLManagedTensor`.
    pub fn legacy(managed: *mut c_void) -> Result<Self> {
        if managed.is_null() {
            bail!(NullPointer, "managed is NULL");
        }
        // SAFETY: the header demands a live DLManagedTensor; only an address inside it is computed.
        let tensor = unsafe { &raw const (*managed.cast::<Legacy>()).tensor };
        Ok(Self { managed, delete: delete_legacy, tensor })
    }

    /// Takes a `DLManagedTensorVersioned`.
    pub fn versioned(managed: *mut c_void) -> Result<Self> {
        if managed.is_null() {
            bail!(NullPointer, "managed is NULL");
        }
        let structure = managed.cast::<Versioned>();
        // SAFETY: the header demands a live DLManagedTensorVersioned; the version comes first in all versions.
        let (tensor, major, minor) =
            unsafe { (&raw const (*structure).tensor, (*structure).major, (*structure).minor) };
        let managed = Self { managed, delete: delete_versioned, tensor };
        if major != 1 {
            bail!(Unsupported, "a DLPack tensor of version {major}.{minor}; version 1 is known here");
        }
        Ok(managed)
    }

    /// What the tensor says of itself.
    pub fn describe(&self) -> Result<Description> {
        // SAFETY: the structure is live until it is deleted, and `&self` has not deleted it.
        let tensor = unsafe { &*self.tensor };
        let DataType { code, bits, lanes } = tensor.data_type;
        let element = match (code, bits, lanes) {
            (1, 8, 1) => Element::U8,
            (1, 16, 1) => Element::U16,
            (2, 16, 1) => Element::F16,
            (2, 32, 1) => Element::F32,
            (4, 16, 1) => Element::Bf16,
            _ => bail!(
                Unsupported,
                "a tensor of {bits}-bit numbers of DLPack type {code} with {lanes} lanes; unsigned integers of 8 and 16 \
                 bits, floats of 16 and 32 and bfloat16 are pixels"
            ),
        };
        let dimensions = usize::try_from(tensor.dimensions).unwrap_or(0);
        if !(2..=4).contains(&dimensions) {
            bail!(OutOfRange, "a tensor of {} dimensions; images have 2 to 4", tensor.dimensions);
        }
        let list = |first: *const i64| {
            // SAFETY: DLPack demands one number per dimension; they are read one by one.
            (0..dimensions).map(|index| unsafe { first.add(index).read_unaligned() }).collect::<Vec<_>>()
        };
        if tensor.shape.is_null() || tensor.data.is_null() {
            bail!(
                NullPointer,
                "a DLPack tensor whose {} is NULL",
                if tensor.data.is_null() { "data" } else { "shape" }
            );
        }
        let strides = (!tensor.strides.is_null()).then(|| list(tensor.strides));
        let bytes = |stride: i64| stride.saturating_mul(element.bytes() as i64);
        Ok(Description {
            data: tensor.data.cast_const().cast::<u8>().wrapping_add(tensor.byte_offset as usize),
            device: (tensor.device.kind, tensor.device.id),
            element,
            shape: list(tensor.shape),
            strides: strides.map(|strides| strides.into_iter().map(bytes).collect()),
        })
    }

    /// What has to be called at the end, and with what.
    pub fn release(&self) -> (ReleaseFn, *mut c_void) {
        (self.delete, self.managed)
    }

    /// Leaves the end to whoever has taken [`release`](Self::release).
    pub fn leave(mut self) {
        self.managed = ptr::null_mut();
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if !self.managed.is_null() {
            // SAFETY: the structure is ours, and nobody has taken over its end.
            unsafe { (self.delete)(self.managed) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_structures_have_the_layout_of_dlpack() {
        assert_eq!(size_of::<DlTensor>(), 48);
        assert_eq!((offset_of!(DlTensor, dimensions), offset_of!(DlTensor, data_type)), (16, 20));
        assert_eq!((offset_of!(DlTensor, shape), offset_of!(DlTensor, byte_offset)), (24, 40));
        assert_eq!((size_of::<Legacy>(), offset_of!(Legacy, deleter)), (64, 56));
        assert_eq!((size_of::<Versioned>(), offset_of!(Versioned, deleter)), (80, 16));
        assert_eq!((offset_of!(Versioned, flags), offset_of!(Versioned, tensor)), (24, 32));
    }
}
