"""What users have (NumPy, DLPack, buffers, Pillow) as pixel maps, without a copy where memory allows it."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from ._library import InvalidArgumentError, check, ffi, lib

#: Formats by kind of sample, number of channels and order of colours.
_FORMATS = {
    ("|u1", 1, "RGB"): lib.IMAGE_PIXEL_FORMAT_GRAY_8,
    ("|u1", 2, "RGB"): lib.IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88,
    ("|u1", 3, "RGB"): lib.IMAGE_PIXEL_FORMAT_RGB_888,
    ("|u1", 4, "RGB"): lib.IMAGE_PIXEL_FORMAT_RGBA_8888,
    ("|u1", 1, "BGR"): lib.IMAGE_PIXEL_FORMAT_GRAY_8,
    ("|u1", 2, "BGR"): lib.IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88,
    ("|u1", 3, "BGR"): lib.IMAGE_PIXEL_FORMAT_BGR_888,
    ("|u1", 4, "BGR"): lib.IMAGE_PIXEL_FORMAT_BGRA_8888,
    ("<u2", 1, "RGB"): lib.IMAGE_PIXEL_FORMAT_GRAY_16,
    ("<u2", 3, "RGB"): lib.IMAGE_PIXEL_FORMAT_RGB_161616,
    ("<u2", 4, "RGB"): lib.IMAGE_PIXEL_FORMAT_RGBA_16161616,
    ("<f2", 4, "RGB"): lib.IMAGE_PIXEL_FORMAT_RGBA_F16,
    ("<f4", 4, "RGB"): lib.IMAGE_PIXEL_FORMAT_RGBA_F32,
}

#: Pixel formats by the names of the header, for raw buffers: "NV12", "RGBA_8888", ...
PIXEL_FORMATS = {
    name[len("IMAGE_PIXEL_FORMAT_") :]: getattr(lib, name) for name in dir(lib) if name.startswith("IMAGE_PIXEL_FORMAT_")
}

_PILLOW_FORMATS = {
    "L": lib.IMAGE_PIXEL_FORMAT_GRAY_8,
    "LA": lib.IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88,
    "RGB": lib.IMAGE_PIXEL_FORMAT_RGB_888,
    "RGBX": lib.IMAGE_PIXEL_FORMAT_RGBX_8888,
    "RGBA": lib.IMAGE_PIXEL_FORMAT_RGBA_8888,
    "RGBa": lib.IMAGE_PIXEL_FORMAT_RGBA_8888,
    "I;16": lib.IMAGE_PIXEL_FORMAT_GRAY_16,
    "I;16L": lib.IMAGE_PIXEL_FORMAT_GRAY_16,
}

_CPU_DEVICES = (1, 3)  # kDLCPU and kDLCUDAHost of DLPack


class Meaning(NamedTuple):
    """What the numbers of an array mean."""

    layout: str = "HWC"
    order: str = "RGB"
    premultiplied: bool = False
    cicp: Optional[Tuple[int, ...]] = None
    icc_profile: Optional[bytes] = None
    size: Optional[Tuple[int, int]] = None
    pixel_format: Optional[str] = None
    row_stride: int = 0
    light_level: Optional[Tuple[int, int]] = None
    mastering_display: Optional[Tuple[Tuple[float, ...], float, float]] = None


PLAIN = Meaning()


_MAP = ffi.typeof("ImagePixelMap **")
_NULL = ffi.NULL
#: Formats by NumPy's own types, for the arrays that need nothing done: filled as they are met.
_plain: Dict[Tuple[Any, int, str], int] = {}


def pixelmap(image: Any, meaning: Meaning) -> Tuple[Any, Any]:
    """A pixel map that borrows `image`, and what must live as long as it. The caller releases the map."""
    if meaning is PLAIN and type(image).__name__ == "ndarray":
        return _array(image, meaning)
    if meaning.pixel_format is not None:
        return _raw(image, meaning, meaning.pixel_format)
    if hasattr(image, "__array_interface__"):
        # Pillow's images have the array interface too, but their own path knows palettes and profiles.
        return _pillow(image, meaning) if _is_pillow(image) else _array(image, meaning)
    if hasattr(image, "__dlpack__"):
        return _array(_from_dlpack(image), meaning)
    if _is_pillow(image):
        return _pillow(image, meaning)
    try:
        view = memoryview(image)
    except TypeError:
        raise TypeError(
            f"a {type(image).__name__} is no image: expected an array, a DLPack tensor, a buffer or a Pillow image"
        ) from None
    import numpy as np

    return _array(np.asarray(view), meaning)


#: Sample types and channels of the pixel formats that are arrays.
_ARRAYS = {
    lib.IMAGE_PIXEL_FORMAT_ALPHA_8: ("u1", 1),
    lib.IMAGE_PIXEL_FORMAT_GRAY_8: ("u1", 1),
    lib.IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88: ("u1", 2),
    lib.IMAGE_PIXEL_FORMAT_RGB_888: ("u1", 3),
    lib.IMAGE_PIXEL_FORMAT_RGBA_8888: ("u1", 4),
    lib.IMAGE_PIXEL_FORMAT_GRAY_16: ("<u2", 1),
    lib.IMAGE_PIXEL_FORMAT_RGB_161616: ("<u2", 3),
    lib.IMAGE_PIXEL_FORMAT_RGBA_16161616: ("<u2", 4),
    lib.IMAGE_PIXEL_FORMAT_RGBA_F16: ("<f2", 4),
    lib.IMAGE_PIXEL_FORMAT_RGBA_F32: ("<f4", 4),
}


def array_of(handle: Any) -> Any:
    """The pixels of a map as a NumPy array: height x width, or with channels."""
    import numpy as np

    sides, kind = ffi.new("uint32_t[2]"), ffi.new("ImagePixelFormat *")
    check(lib.image_pixelmap_get_size(handle, sides, sides + 1))
    check(lib.image_pixelmap_get_format(handle, kind))
    if kind[0] not in _ARRAYS:
        name = next((name for name, number in PIXEL_FORMATS.items() if number == kind[0]), kind[0])
        raise InvalidArgumentError(f"pixels of format {name} are no array of samples")
    sample, channels = _ARRAYS[kind[0]]
    shape = (sides[1], sides[0]) if channels == 1 else (sides[1], sides[0], channels)
    array = np.empty(shape, sample)
    check(lib.image_pixelmap_read_pixels(handle, ffi.from_buffer(array, require_writable=True), array.nbytes, 0))
    return array


def _new(width: int, height: int, kind: int, pixels: Any, size: int, stride: int, meaning: Meaning) -> Any:
    place = ffi.new(_MAP)
    check(lib.image_pixelmap_create_borrowed(width, height, kind, pixels, size, stride, _NULL, _NULL, place))
    new = place[0]
    if meaning.premultiplied or meaning.cicp or meaning.icc_profile or meaning.light_level or meaning.mastering_display:
        try:
            if meaning.premultiplied:
                check(lib.image_pixelmap_set_alpha_type(new, lib.IMAGE_ALPHA_PREMULTIPLIED))
            if meaning.cicp:
                whole: Tuple[int, ...] = (*meaning.cicp, *(0, 1)[len(meaning.cicp) - 2 :])
                primaries, transfer, matrix, full = whole
                check(lib.image_pixelmap_set_cicp(new, primaries, transfer, matrix, bool(full)))
            if meaning.icc_profile:
                check(lib.image_pixelmap_set_icc_profile(new, meaning.icc_profile, len(meaning.icc_profile)))
            if meaning.light_level:
                check(lib.image_pixelmap_set_content_light_level(new, *meaning.light_level))
            if meaning.mastering_display:
                _set_display(new, *meaning.mastering_display)
        except BaseException:
            lib.image_pixelmap_release(new)
            raise
    return new


def _set_display(handle: Any, points: Sequence[float], brightest: float, darkest: float) -> None:
    # In the library's units of 0.00002 and of 0.0001 nits.
    if len(points) != 8:
        raise InvalidArgumentError(f"{len(points)} chromaticities of a mastering display are not 8: x and y of red, green, blue and white")
    part = [round(point * 50000) for point in points]
    check(lib.image_pixelmap_set_mastering_display(handle, part[:6], part[6:], round(brightest * 10000), round(darkest * 10000)))


def _raw(image: Any, meaning: Meaning, pixel_format: str) -> Tuple[Any, Any]:
    """A flat buffer whose layout the caller names."""
    kind = PIXEL_FORMATS.get(pixel_format.upper())
    if kind is None:
        raise InvalidArgumentError(f"pixel_format {pixel_format!r} is none of {', '.join(PIXEL_FORMATS)}")
    if meaning.size is None:
        raise InvalidArgumentError("a raw buffer needs size=(width, height)")
    pixels = ffi.from_buffer(image)
    width, height = meaning.size
    return _new(width, height, kind, pixels, len(pixels), meaning.row_stride, meaning), pixels


def _array(array: Any, meaning: Meaning) -> Tuple[Any, Any]:
    shape = array.shape
    if len(shape) != 2:
        array = _interleaved(array, meaning.layout)
        shape = array.shape
    channels = shape[2] if len(shape) == 3 else 1
    kind = _plain.get((array.dtype, channels, meaning.order))
    if kind is None:
        kind = _FORMATS.get((array.dtype.str, channels, meaning.order))
        # Floats are meant for a screen, 0 to 1, unless the caller says which light they are.
        if kind is None or (array.dtype.kind == "f" and meaning.cicp is None):
            array, order = _converted(array, channels, meaning)
            channels = array.shape[2] if array.ndim == 3 else 1
            kind = _FORMATS[(array.dtype.str, channels, order)]
        elif array.dtype.kind == "u":
            _plain[(array.dtype, channels, meaning.order)] = kind
    height, width = shape[0], shape[1]
    if array.flags.c_contiguous:
        pixels = ffi.from_buffer(array)
        return _new(width, height, kind, pixels, len(pixels), 0, meaning), pixels
    row = width * channels * array.itemsize
    if array.strides[1:] == (channels * array.itemsize, array.itemsize)[: array.ndim - 1] and array.strides[0] >= row:
        # Rows that lie apart are read where they are.
        pixels = ffi.cast("void *", array.__array_interface__["data"][0])
        size = array.strides[0] * (height - 1) + row
        return _new(width, height, kind, pixels, size, array.strides[0], meaning), array
    pixels = ffi.from_buffer(array.copy(order="C"))
    return _new(width, height, kind, pixels, len(pixels), 0, meaning), pixels


def _interleaved(array: Any, layout: str) -> Any:
    """Height, width and, where there are several, channels."""
    if array.ndim == 2:
        return array
    if array.ndim != 3:
        raise InvalidArgumentError(f"shape {tuple(array.shape)}: an image has 2 or 3 dimensions; pack_batch() takes more")
    if layout == "CHW":
        array = array.transpose(1, 2, 0)
    elif layout != "HWC":
        raise InvalidArgumentError(f"layout {layout!r} is neither 'HWC' nor 'CHW'")
    if not 1 <= array.shape[2] <= 4:
        raise InvalidArgumentError(
            f"{array.shape[2]} channels in an image of {array.shape[1]} x {array.shape[0]} read as {layout}: "
            "layout='HWC' or 'CHW' says how to read it"
        )
    return array


def _converted(array: Any, channels: int, meaning: Meaning) -> Tuple[Any, str]:
    """An array of samples that a pixel format has, and the order of its colours."""
    import numpy as np

    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255), meaning.order
    if kind == "u" and array.itemsize == 2:
        array = array.astype("<u2", copy=False)
        if channels == 2:
            return array[..., (0, 0, 0, 1)], "RGB"
        if channels >= 3 and meaning.order == "BGR":
            return array[..., (2, 1, 0, 3)[:channels]], "RGB"
        return array, "RGB"
    # bfloat16 and other extension types are of kind "V" to NumPy.
    if kind != "f" and not array.dtype.name.startswith(("bfloat16", "float8")):
        raise InvalidArgumentError(f"{array.dtype} is no sample type: expected bool, uint8, uint16 or a float")
    if meaning.cicp is None:
        unit = np.clip(np.nan_to_num(array.astype(np.float32, copy=False), nan=0.0), 0.0, 1.0)
        return np.rint(unit * np.float32(255.0)).astype(np.uint8), meaning.order
    light = array.astype("<f2" if array.dtype.str == "<f2" else "<f4", copy=False)
    whole = np.ones((*light.shape[:2], 4), light.dtype)
    if channels <= 2:
        gray = light if light.ndim == 2 else light[..., 0]
        whole[..., :3] = gray[..., None]
    else:
        whole[..., :3] = light[..., 2::-1] if meaning.order == "BGR" else light[..., :3]
    if channels in (2, 4):
        whole[..., 3] = light[..., -1]
    return whole, "RGB"


def _from_dlpack(tensor: Any) -> Any:
    device, index = tensor.__dlpack_device__()
    if device not in _CPU_DEVICES:
        raise InvalidArgumentError(f"the tensor is on device {device}:{index}: pack_batch() takes device tensors")
    import numpy as np

    return np.from_dlpack(tensor)


def _is_pillow(image: Any) -> bool:
    return hasattr(image, "tobytes") and hasattr(image, "getbands") and hasattr(image, "mode")


def _pillow(image: Any, meaning: Meaning) -> Tuple[Any, Any]:
    mode = image.mode
    if mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif mode in ("1", "I", "F", "CMYK", "YCbCr", "LAB", "HSV", "PA", "La"):
        image = image.convert({"1": "L", "I": "I;16", "F": "L", "PA": "RGBA", "La": "LA"}.get(mode, "RGB"))
    kind = _PILLOW_FORMATS.get(image.mode)
    if kind is None:
        raise InvalidArgumentError(f"Pillow images of mode {mode} are not understood")
    profile = image.info.get("icc_profile") if mode == image.mode or mode == "P" else None
    meaning = meaning._replace(
        premultiplied=meaning.premultiplied or image.mode == "RGBa",
        icc_profile=meaning.icc_profile or profile or None,
    )
    pixels = ffi.from_buffer(image.tobytes())
    return _new(image.width, image.height, kind, pixels, len(pixels), 0, meaning), pixels
