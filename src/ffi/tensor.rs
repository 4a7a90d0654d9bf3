//! ImageTensor: many images in one array.
#![allow(unsafe_code, reason = "island: makes readable memory of what the caller lends")]

use std::{ffi::c_void, ptr, sync::Arc};

use super::{
    boundary::run,
    callback::ImageReleaseFn,
    dlpack::Managed,
    handle::{self, Kind, Object},
    pixelmap::{ImageAlphaType, alpha_type},
    pointer::{array, check, out},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    device::{self, Memory, Stream},
    error::Result,
    model::{
        foreign::{Foreign, ReleaseFn},
        tensor::{Array, Axes, Element, Geometry, Place, Tensor},
    },
    shared::Shared,
};

/// Images side by side in one array, as frameworks for learning and for video hold them. Never copied; read only.
pub struct ImageTensor {
    _private: [u8; 0],
}

/// The type of a tensor's numbers.
pub type ImageTensorType = i32;
/// Unsigned 8 bits.
pub const IMAGE_TENSOR_UINT8: i32 = 1;
/// Unsigned 16 bits, in the byte order of the machine.
pub const IMAGE_TENSOR_UINT16: i32 = 2;
/// IEEE 754 half precision.
pub const IMAGE_TENSOR_FLOAT16: i32 = 3;
/// The upper half of a single precision number.
pub const IMAGE_TENSOR_BFLOAT16: i32 = 4;
/// IEEE 754 single precision.
pub const IMAGE_TENSOR_FLOAT32: i32 = 5;

/// What a tensor's dimensions are: N images, H rows, W columns, C components.
pub type ImageTensorLayout = i32;
/// By number of dimensions and the sizes that can be a number of components (1, 3, 4); an error where that is not
/// certain. Three dimensions are never taken for NHW.
pub const IMAGE_LAYOUT_AUTO: i32 = 0;
/// Images of interleaved components.
pub const IMAGE_LAYOUT_NHWC: i32 = 1;
/// Images of planes.
pub const IMAGE_LAYOUT_NCHW: i32 = 2;
/// One image of interleaved components.
pub const IMAGE_LAYOUT_HWC: i32 = 3;
/// One image of planes.
pub const IMAGE_LAYOUT_CHW: i32 = 4;
/// Gray images.
pub const IMAGE_LAYOUT_NHW: i32 = 5;
/// One gray image.
pub const IMAGE_LAYOUT_HW: i32 = 6;

/// In whose memory a tensor's numbers are: the values of DLPack's DLDeviceType.
pub type ImageDeviceType = i32;
/// The host's.
pub const IMAGE_DEVICE_CPU: i32 = 1;
/// A CUDA device's.
pub const IMAGE_DEVICE_CUDA: i32 = 2;
/// The host's, pinned for CUDA: read like any other of the host's.
pub const IMAGE_DEVICE_CUDA_HOST: i32 = 3;
/// Memory that CUDA moves between the host and its devices: used as a device's.
pub const IMAGE_DEVICE_CUDA_MANAGED: i32 = 13;

struct Cell(Shared<Tensor>);

impl Object for Cell {
    const KIND: Kind = Kind::Tensor;
}

/// The tensor as it is now.
pub(super) fn snapshot(tensor: *const ImageTensor) -> Result<Arc<Tensor>> {
    handle::get::<Cell>(tensor.addr())?.0.get()
}

fn element(number: ImageTensorType) -> Result<Element> {
    Ok(match number {
        IMAGE_TENSOR_UINT8 => Element::U8,
        IMAGE_TENSOR_UINT16 => Element::U16,
        IMAGE_TENSOR_FLOAT16 => Element::F16,
        IMAGE_TENSOR_BFLOAT16 => Element::Bf16,
        IMAGE_TENSOR_FLOAT32 => Element::F32,
        _ => bail!(OutOfRange, "{number} is not a type of tensors"),
    })
}

fn axes(number: ImageTensorLayout) -> Result<Axes> {
    Ok(match number {
        IMAGE_LAYOUT_AUTO => Axes::Auto,
        IMAGE_LAYOUT_NHWC => Axes::Nhwc,
        IMAGE_LAYOUT_NCHW => Axes::Nchw,
        IMAGE_LAYOUT_HWC => Axes::Hwc,
        IMAGE_LAYOUT_CHW => Axes::Chw,
        IMAGE_LAYOUT_NHW => Axes::Nhw,
        IMAGE_LAYOUT_HW => Axes::Hw,
        _ => bail!(OutOfRange, "{number} is not a layout of tensors"),
    })
}

/// Whether a type of device is one whose memory the host cannot read.
fn is_apart(device: ImageDeviceType) -> Result<bool> {
    match device {
        IMAGE_DEVICE_CPU | IMAGE_DEVICE_CUDA_HOST => Ok(false),
        IMAGE_DEVICE_CUDA | IMAGE_DEVICE_CUDA_MANAGED => Ok(true),
        _ => bail!(Unsupported, "a tensor on a device of DLPack type {device}; CPU and CUDA are known here"),
    }
}

/// A handle over memory that `device` (type and number) lends, `first` being its first number. The release is armed
/// last, when nothing can fail any more.
fn make(
    geometry: Geometry,
    first: *const u8,
    (kind, number): (ImageDeviceType, i32),
    release: (Option<ReleaseFn>, *mut c_void),
) -> Result<*mut ImageTensor> {
    let (start, size) = (first.wrapping_sub(geometry.before), geometry.before + geometry.after);
    check(start.cast(), size, "the tensor")?;
    let place = if is_apart(kind)? {
        device::check(number)?;
        // SAFETY: nothing is lent that the host could read.
        let lender = unsafe { Foreign::new([(ptr::null(), 0); 3]) };
        Place::Device(Arc::new(Memory { device: number, address: start.addr() as u64, lender }))
    } else {
        // SAFETY: the header demands that all that shape and strides reach stays readable and unchanged until the release.
        let memory = unsafe { Foreign::new([(start, size), (ptr::null(), 0), (ptr::null(), 0)]) };
        Place::Host(Arc::new(memory))
    };
    let cell = Cell(Shared::new(Tensor::new(geometry, place.clone()))?);
    let token = handle::insert(Arc::new(cell))?;
    let lender = match &place {
        Place::Host(memory) => memory,
        Place::Device(memory) => &memory.lender,
    };
    lender.on_release(release.0, release.1);
    Ok(ptr::without_provenance_mut(token))
}

/// A tensor in memory of the caller's, which must stay readable and unchanged until `release` is called: when the last
/// user of the tensor is gone, which may be after image_tensor_release().
///
/// @param data     the memory
/// @param size     readable bytes at `data`
/// @param offset   bytes from `data` to the first number
/// @param element_type  an IMAGE_TENSOR_ constant
/// @param layout   an IMAGE_LAYOUT_ constant
/// @param shape    sizes of the dimensions, in the order of the layout
/// @param strides  bytes from one number to the next along each dimension, of any sign, 0 repeats; NULL: contiguous
/// @param dimensions  number of values at `shape` and `strides`
/// @param release  may be NULL when the memory outlives every use
/// @param user     handed to `release`
/// @return 401 for a shape that does not go with the layout, a layout that cannot be told, memory that is too small.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_create_borrowed(
    data: *const c_void,
    size: usize,
    offset: usize,
    element_type: ImageTensorType,
    layout: ImageTensorLayout,
    shape: *const i64,
    strides: *const i64,
    dimensions: usize,
    release: ImageReleaseFn,
    user: *mut c_void,
    tensor: *mut *mut ImageTensor,
) -> ImageStatus {
    let device = (IMAGE_DEVICE_CPU, 0);
    let array = (data, size, offset, element_type, layout, shape, strides, dimensions);
    borrow(device, array, (release, user), tensor)
}

/// As image_tensor_create_borrowed() with memory of a device. image_tensor_set_stream() says what to wait for.
///
/// @param device_type  an IMAGE_DEVICE_ constant
/// @param device       the device's number; no matter for the host's memory
/// @param data         an address of the device's
/// @return 401 also for a device that is not there, and with cause UNSUPPORTED where there is no driver for it.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_create_on_device(
    device_type: ImageDeviceType,
    device: i32,
    data: *const c_void,
    size: usize,
    offset: usize,
    element_type: ImageTensorType,
    layout: ImageTensorLayout,
    shape: *const i64,
    strides: *const i64,
    dimensions: usize,
    release: ImageReleaseFn,
    user: *mut c_void,
    tensor: *mut *mut ImageTensor,
) -> ImageStatus {
    let array = (data, size, offset, element_type, layout, shape, strides, dimensions);
    borrow((device_type, device), array, (release, user), tensor)
}

/// Data, size, offset, type, layout, shape, strides, dimensions: as the calls above have them.
type Described =
    (*const c_void, usize, usize, ImageTensorType, ImageTensorLayout, *const i64, *const i64, usize);

fn borrow(
    device: (ImageDeviceType, i32),
    (data, size, offset, element_type, layout, shape, strides, dimensions): Described,
    release: (ImageReleaseFn, *mut c_void),
    tensor: *mut *mut ImageTensor,
) -> ImageStatus {
    run(Family::Data, || {
        let tensor = out(tensor, "tensor")?;
        check(data, size, "data")?;
        let strides = if strides.is_null() { None } else { Some(array(strides, dimensions, "strides")?) };
        let described =
            Array { element: element(element_type)?, shape: array(shape, dimensions, "shape")?, strides };
        let geometry = Geometry::new(&described, axes(layout)?)?;
        if geometry.before > offset || offset.checked_add(geometry.after).is_none_or(|end| end > size) {
            bail!(
                BufferTooSmall,
                "a tensor that reaches from {} bytes before offset {offset} to {} bytes behind it, in {size} bytes",
                geometry.before,
                geometry.after
            );
        }
        tensor.put(make(geometry, data.cast::<u8>().wrapping_add(offset), device, release)?);
        Ok(())
    })
}

fn from_dlpack(managed: Managed, layout: ImageTensorLayout) -> Result<*mut ImageTensor> {
    let said = managed.describe()?;
    let described = Array { element: said.element, shape: &said.shape, strides: said.strides.as_deref() };
    let geometry = Geometry::new(&described, axes(layout)?)?;
    let (release, user) = managed.release();
    let handle = make(geometry, said.data, said.device, (Some(release), user))?;
    managed.leave();
    Ok(handle)
}

/// Takes over a DLPack tensor, version 1, of the host's memory or a device's: its deleter is called exactly once, on any
/// thread, when the last user of the tensor is gone, and before this returns if it fails. Read-only tensors are welcome.
///
/// @param managed  a DLManagedTensorVersioned, from now on the library's
/// @param layout   an IMAGE_LAYOUT_ constant
/// @return 401 as image_tensor_create_on_device(), and with cause UNSUPPORTED for other types of numbers and devices.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_create_from_dlpack(
    managed: *mut c_void,
    layout: ImageTensorLayout,
    tensor: *mut *mut ImageTensor,
) -> ImageStatus {
    run(Family::Data, || {
        let managed = Managed::versioned(managed)?;
        let tensor = out(tensor, "tensor")?;
        tensor.put(from_dlpack(managed, layout)?);
        Ok(())
    })
}

/// As image_tensor_create_from_dlpack() with a DLManagedTensor, as DLPack was before version 1.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_create_from_dlpack_legacy(
    managed: *mut c_void,
    layout: ImageTensorLayout,
    tensor: *mut *mut ImageTensor,
) -> ImageStatus {
    run(Family::Data, || {
        let managed = Managed::legacy(managed)?;
        let tensor = out(tensor, "tensor")?;
        tensor.put(from_dlpack(managed, layout)?);
        Ok(())
    })
}

fn change(tensor: *mut ImageTensor, change: impl Fn(&mut Tensor) -> Result<()>) -> ImageStatus {
    run(Family::Data, || {
        handle::get::<Cell>(tensor.addr())?.0.update(|now| {
            let mut new = now.clone();
            change(&mut new)?;
            Ok(new)
        })
    })
}

/// On which of its device's streams a tensor's numbers are made. What the stream has been given when
/// image_batch_add_tensor() is called is waited for, by the device and not by the call; the stream itself is given nothing
/// to do. No matter for the host's memory, whose numbers have to be there.
///
/// @param stream  a CUstream or cudaStream_t of the device's primary context, or one of CUDA's constants for streams. NULL,
///                the default, is the legacy default stream
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_set_stream(tensor: *mut ImageTensor, stream: *mut c_void) -> ImageStatus {
    change(tensor, |tensor| {
        tensor.stream = Stream(stream.addr());
        Ok(())
    })
}

/// In whose memory the numbers are. Each place may be NULL.
///
/// @param[out] device_type  IMAGE_DEVICE_CPU or IMAGE_DEVICE_CUDA
/// @param[out] device       the device's number, 0 for the host
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_get_device(
    tensor: *const ImageTensor,
    device_type: *mut ImageDeviceType,
    device: *mut i32,
) -> ImageStatus {
    run(Family::Data, || {
        let tensor = snapshot(tensor)?;
        let kind = if tensor.device().is_some() { IMAGE_DEVICE_CUDA } else { IMAGE_DEVICE_CPU };
        out(device_type, "").into_iter().for_each(|place| place.put(kind));
        let number = tensor.device().map_or(0, |memory| memory.device);
        out(device, "").into_iter().for_each(|place| place.put(number));
        Ok(())
    })
}

/// Whether components are blue, green, red[, alpha] instead of red, green, blue[, alpha]. Default: false.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_set_bgr(tensor: *mut ImageTensor, bgr: bool) -> ImageStatus {
    change(tensor, |tensor| {
        tensor.bgr = bgr;
        Ok(())
    })
}

/// What floating-point numbers stand for: `v * scale + bias`, where 0 is black and 1 is white. What lies outside is cut
/// off, and what is not a number is black. Default: 1 and 0; numbers from 0 to 255 want a scale of 1/255.
///
/// @return 401 for a scale or bias that is not finite.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_set_scale(tensor: *mut ImageTensor, scale: f32, bias: f32) -> ImageStatus {
    change(tensor, |tensor| {
        if !scale.is_finite() || !bias.is_finite() {
            bail!(OutOfRange, "a scale of {scale} and a bias of {bias}");
        }
        (tensor.scale, tensor.bias) = (scale, bias);
        Ok(())
    })
}

/// Bits of the components that floating-point numbers become: 8, the default, or 16.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_set_depth(tensor: *mut ImageTensor, bits: u32) -> ImageStatus {
    change(tensor, |tensor| {
        tensor.deep = match bits {
            8 => false,
            16 => true,
            _ => bail!(OutOfRange, "a depth of {bits} bits; 8 and 16 are possible"),
        };
        Ok(())
    })
}

/// What the fourth component means. Default: UNPREMULTIPLIED.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_set_alpha_type(
    tensor: *mut ImageTensor,
    alpha: ImageAlphaType,
) -> ImageStatus {
    change(tensor, |tensor| {
        tensor.alpha = alpha_type(alpha)?;
        Ok(())
    })
}

/// How many images of which size. Each place may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_get_size(
    tensor: *const ImageTensor,
    images: *mut usize,
    width: *mut u32,
    height: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let tensor = snapshot(tensor)?;
        out(images, "").into_iter().for_each(|place| place.put(tensor.images()));
        out(width, "").into_iter().for_each(|place| place.put(tensor.width()));
        out(height, "").into_iter().for_each(|place| place.put(tensor.height()));
        Ok(())
    })
}

/// Releases the tensor. Batches that have it go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_tensor_release(tensor: *mut ImageTensor) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(tensor.addr()))
}
