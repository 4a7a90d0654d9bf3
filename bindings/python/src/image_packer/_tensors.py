"""Arrays and DLPack tensors of many images as the library's tensors, never copied."""

from __future__ import annotations

import ctypes
from typing import Any, Optional, Tuple

from ._library import InvalidArgumentError, check, ffi, lib

LAYOUTS = {
    None: lib.IMAGE_LAYOUT_AUTO,
    "NHWC": lib.IMAGE_LAYOUT_NHWC,
    "NCHW": lib.IMAGE_LAYOUT_NCHW,
    "HWC": lib.IMAGE_LAYOUT_HWC,
    "CHW": lib.IMAGE_LAYOUT_CHW,
    "NHW": lib.IMAGE_LAYOUT_NHW,
    "HW": lib.IMAGE_LAYOUT_HW,
}
_TYPES = {
    "|u1": lib.IMAGE_TENSOR_UINT8,
    "<u2": lib.IMAGE_TENSOR_UINT16,
    "<f2": lib.IMAGE_TENSOR_FLOAT16,
    "<f4": lib.IMAGE_TENSOR_FLOAT32,
}
_TENSOR = ffi.typeof("ImageTensor **")

_capsule_is = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is.restype, _capsule_is.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_capsule_rename = ctypes.pythonapi.PyCapsule_SetName
_capsule_rename.restype, _capsule_rename.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]


def tensor(
    images: Any,
    layout: Optional[str] = None,
    bgr: bool = False,
    scale: Optional[Tuple[float, float]] = None,
    premultiplied: bool = False,
) -> Tuple[Any, Any]:
    """A tensor handle that frees itself, and what must live as long as the library works on it."""
    if layout not in LAYOUTS:
        raise InvalidArgumentError(f"layout {layout!r} is none of {', '.join(name for name in LAYOUTS if name)}")
    if hasattr(images, "__array_interface__"):
        handle, keep = _of_array(images, LAYOUTS[layout])
    elif hasattr(images, "__dlpack__"):
        handle, keep = _of_dlpack(images, LAYOUTS[layout]), None
    else:
        import numpy as np

        handle, keep = _of_array(np.asarray(memoryview(images)), LAYOUTS[layout])
    if bgr:
        check(lib.image_tensor_set_bgr(handle, True))
    if scale is not None:
        check(lib.image_tensor_set_scale(handle, *scale))
    if premultiplied:
        check(lib.image_tensor_set_alpha_type(handle, lib.IMAGE_ALPHA_PREMULTIPLIED))
    return handle, keep


def device_of(images: Any) -> Optional[int]:
    """The number of the CUDA device whose memory holds the images; None if it is the host's."""
    if hasattr(images, "__array_interface__") or not hasattr(images, "__dlpack_device__"):
        return None
    kind, number = images.__dlpack_device__()
    return int(number) if int(kind) in (lib.IMAGE_DEVICE_CUDA, lib.IMAGE_DEVICE_CUDA_MANAGED) else None


def images_of(handle: Any) -> int:
    """How many images a tensor holds."""
    place = ffi.new("size_t *")
    check(lib.image_tensor_get_size(handle, place, ffi.NULL, ffi.NULL))
    return place[0]


def _owned(place: Any) -> Any:
    return ffi.gc(place[0], lib.image_tensor_release)


def _of_array(array: Any, layout: int) -> Tuple[Any, Any]:
    kind = _TYPES.get(array.dtype.str)
    if array.dtype.name == "bfloat16":
        kind = lib.IMAGE_TENSOR_BFLOAT16
    if kind is None:
        raise InvalidArgumentError(f"{array.dtype} is no sample type: expected uint8, uint16, float16, bfloat16 or float32")
    # The first number may stand anywhere among the others when strides are negative.
    below = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides) if stride < 0 and size)
    above = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides) if stride > 0 and size)
    start = array.__array_interface__["data"][0] + below
    place = ffi.new(_TENSOR)
    check(
        lib.image_tensor_create_borrowed(
            ffi.cast("void *", start),
            above - below + array.itemsize if array.size else 0,
            -below,
            kind,
            layout,
            list(array.shape),
            list(array.strides),
            array.ndim,
            ffi.NULL,
            ffi.NULL,
            place,
        )
    )
    return _owned(place), array


def _of_dlpack(images: Any, layout: int) -> Any:
    # A device's tensor comes with a stream to order its work before: 1 is CUDA's legacy default stream, which the library
    # waits for unless it is told another.
    stream = {} if device_of(images) is None else {"stream": 1}
    try:
        # Read-only memory is told of from version 1 on.
        capsule = images.__dlpack__(max_version=(1, 0), **stream)
    except TypeError:
        capsule = images.__dlpack__(**stream)
    for name, create in (
        (b"dltensor_versioned", lib.image_tensor_create_from_dlpack),
        (b"dltensor", lib.image_tensor_create_from_dlpack_legacy),
    ):
        if _capsule_is(capsule, name):
            managed = ffi.cast("void *", _capsule_pointer(capsule, name))
            # The library owns it from here on, also when it refuses.
            _capsule_rename(capsule, _USED[name])
            place = ffi.new(_TENSOR)
            check(create(managed, layout, place))
            return _owned(place)
    raise InvalidArgumentError("__dlpack__() gave no DLPack capsule")


# PyCapsule keeps the pointer to its name: these live for ever.
_USED = {b"dltensor_versioned": b"used_dltensor_versioned", b"dltensor": b"used_dltensor"}
