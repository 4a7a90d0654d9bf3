"""Encode pixels into JPEG, PNG, WebP, HEIF and more.

>>> import numpy, image_packer
>>> jpeg = image_packer.pack(numpy.zeros((48, 64, 3), numpy.uint8), "image/jpeg", quality=90)
>>> bytes(jpeg[:2])
b'\\xff\\xd8'

Every function may be called from any thread; the interpreter lock is released while it works.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Callable, Optional, Sequence, Tuple, Union

from ._library import (
    BadDataError,
    CancelledError,
    Error,
    FileError,
    InvalidArgumentError,
    OutOfMemoryError,
    TooLargeError,
    UnknownFormatError,
    check as _check,
    ffi as _ffi,
    lib as _lib,
)
from ._animation import Durations as _Durations, pack_animation as _pack_animation
from ._batch import BatchError, BatchJob, submit_batch as _submit_batch, wait as _wait
from ._inputs import GainMap, Picture, Source
from ._jobs import Job, awaited, submit as _submit
from ._pack import Packer, Progress, descriptor as _descriptor, features, formats, settings, taken as _taken
from ._report import Report
from .encoder import PRESETS, ColumnEncoder, ImageBatchEncoder

__all__ = [
    "BadDataError",
    "BatchError",
    "BatchJob",
    "CancelledError",
    "ColumnEncoder",
    "Error",
    "FileError",
    "GainMap",
    "ImageBatchEncoder",
    "InvalidArgumentError",
    "Job",
    "OutOfMemoryError",
    "PRESETS",
    "Packer",
    "Picture",
    "Report",
    "Source",
    "TooLargeError",
    "UnknownFormatError",
    "edit_metadata",
    "features",
    "formats",
    "pack",
    "pack_animation",
    "pack_async",
    "pack_batch",
    "pack_batch_async",
    "pack_to_file",
    "pack_to_file_async",
    "reencode",
    "settings",
    "submit",
    "submit_batch",
    "version",
]


@functools.lru_cache(maxsize=None)
def _packer() -> Packer:
    """The packer of the functions below; handles of the library live on in a forked child."""
    return Packer()


def pack(
    image: Any,
    format: str = "image/jpeg",
    quality: int = 75,
    *,
    progress: Optional[Progress] = None,
    **more: Any,
) -> memoryview:
    """Encodes one image; the result is read-only memory of the library, not copied.

    image         array (NumPy or anything with ``__array_interface__``), DLPack tensor on the CPU, buffer or Pillow image:
                  height x width, or with 1 to 4 channels (gray, gray and alpha, RGB, RGBA) of uint8, uint16, bool or
                  floats from 0 to 1. Borrowed without a copy where the samples of a row lie next to each other.
                  Or a Picture, or a Source: an encoded image.
    format        MIME type, or its second half: "image/png", "webp"
    quality       0 (smallest) to 100 (best)
    progress      called with 0.0 to 1.0, on the threads that work; False stops, and so does an exception
    effort        1 (fastest) to 10 (smallest); default 5
    lossless      True: exact pixels or an error
    subsampling   "420", "422", "444" or None, by quality
    background    what shows through where the format has no alpha: "#rrggbb", (r, g, b) or 0xRRGGBB; default black
    density       (x, y) in dots per inch
    sdr           True: never HDR
    color         "srgb": colours are converted to sRGB; default "keep", with their profile
    properties    True: EXIF, XMP and IPTC of a Picture or a Source are written
    keep_gps      False: where the image was taken is not written
    thumbnail     longest side in pixels of a thumbnail in EXIF; default none
    max_bytes     the highest quality, up to the one given, whose bytes are no more
    timeout       seconds after which the pack is stopped
    report        a Report, which is filled in
    settings      {"webp.sharp_yuv": 1, ...}: settings of one codec; settings(format) lists them
    layout        "HWC" or "CHW";  order: "RGB" or "BGR";  premultiplied: True if colour is multiplied by alpha
    cicp          (primaries, transfer[, matrix[, full_range]]) of ITU-T H.273; floats are then light, not 0 to 1
    icc_profile   bytes;  light_level: (brightest pixel, brightest frame average) of HDR in nits
    mastering_display  (x and y of red, green, blue and white: 8 numbers, largest luminance, smallest luminance in nits)
    pixel_format  with size=(width, height) and row_stride: a flat buffer as the C header names it: "NV12"
    """
    return _packer().pack(image, format, quality, progress=progress, **more)


def pack_to_file(
    image: Any,
    file: Any,
    format: Optional[str] = None,
    quality: int = 75,
    *,
    progress: Optional[Progress] = None,
    **more: Any,
) -> None:
    """Encodes one image into a file; the arguments are those of pack().

    file    path: replaced as a whole or not at all; descriptor or open binary file: written from its offset
    format  None: from the extension of the path
    """
    _packer().pack_to_file(image, file, format, quality, progress=progress, **more)


def reencode(encoded: Any, format: str = "image/jpeg", quality: int = 75, **more: Any) -> memoryview:
    """Encodes an encoded image anew: bytes, or the path of a file."""
    return _packer().reencode(encoded, format, quality, **more)


def pack_animation(
    frames: Any,
    format: Optional[str] = None,
    quality: int = 80,
    *,
    file: Any = None,
    duration: Optional[_Durations] = None,
    loop: Optional[int] = None,
    disposal: Union[None, int, Sequence[int]] = None,
    offsets: Optional[Sequence[Tuple[int, int]]] = None,
    canvas: Optional[Tuple[int, int]] = None,
    effort: Optional[int] = None,
    lossless: bool = False,
    settings: Optional[dict] = None,
    progress: Optional[Progress] = None,
    properties: bool = False,
    keep_gps: bool = True,
    metadata: Optional[Picture] = None,
    timeout: Optional[float] = None,
    report: Optional[Report] = None,
    **meaning: Any,
) -> Optional[memoryview]:
    """Encodes frames into an animated GIF, APNG or WebP.

    frames    any iterable of what pack() takes, also a generator: one frame at a time is held; an animated Pillow image; or a
              Source, whose delays, disposal and loop are kept where the arguments say nothing
    format    "gif", "apng", "webp"; None: from the extension of `file`, or GIF
    file      as in pack_to_file(); None: the answer is read-only memory
    duration  milliseconds of each frame, in steps of 10; a list has its last value for all further frames; default 100
    loop      how often it is shown, 0 for ever; default once
    disposal  0 to 3 as in GIF, for all or for each frame: 1, the default, stays; 2 becomes transparent; 3 as it was before
    offsets   (left, top) of each frame on the canvas
    canvas    (width, height); default the first frame's
    metadata  a Picture whose EXIF and XMP the file gets; of a Source, properties=True carries its own, and keep_gps=False leaves
              out where it was taken
    timeout   seconds after which it is stopped
    report    a Report, which is filled in
    meaning   layout, order, premultiplied, cicp, icc_profile, pixel_format, size and row_stride as in pack()
    """
    return _pack_animation(
        _packer(),
        frames,
        format,
        quality,
        file,
        offsets,
        progress,
        meaning,
        duration=duration,
        loop=loop,
        disposal=disposal,
        canvas=canvas,
        effort=effort,
        lossless=lossless,
        settings=settings,
        properties=properties,
        keep_gps=keep_gps,
        metadata=metadata,
        timeout=timeout,
        report=report,
    )


def edit_metadata(encoded: Any, picture: Picture, file: Any = None) -> Optional[memoryview]:
    """The file of an encoded JPEG, PNG or WebP with other metadata; the image's own bytes stay as they are.

    encoded  bytes, a path or a Source
    picture  from Picture.metadata_of(), of this image or of another; a block that it lacks is removed
    file     None: the answer is read-only memory; a path (also the same file) or descriptor as in pack_to_file()
    """
    source = encoded if isinstance(encoded, Source) else Source(encoded)
    if isinstance(file, (str, bytes, os.PathLike)):
        _check(_lib.image_packer_edit_metadata_to_path(source.handle, picture.handle, os.fsencode(file)))
        return None
    if file is not None:
        _check(_lib.image_packer_edit_metadata_to_file(source.handle, picture.handle, _descriptor(file)))
        return None
    place = _ffi.new("ImageData **")
    _check(_lib.image_packer_edit_metadata_to_data(source.handle, picture.handle, place))
    return _taken(place[0])


def submit(
    image: Any,
    format: Optional[str] = None,
    quality: int = 75,
    *,
    file: Any = None,
    progress: Optional[Progress] = None,
    packer: Optional[Packer] = None,
    **more: Any,
) -> Job:
    """As pack(), or with `file` as pack_to_file(), on the library's threads; answers at once with a future.

    `image` is borrowed: leave its pixels alone until the job is done. A descriptor may be closed at once.
    """
    return _submit(packer or _packer(), image, file, format, quality, progress, more)


async def pack_async(image: Any, format: str = "image/jpeg", quality: int = 75, **more: Any) -> memoryview:
    """As pack(), for asyncio: the loop goes on meanwhile, and cancelling the task stops the encoder."""
    return await awaited(submit(image, format, quality, **more))


async def pack_to_file_async(image: Any, file: Any, format: Optional[str] = None, quality: int = 75, **more: Any) -> None:
    """As pack_to_file(), for asyncio."""
    await awaited(submit(image, format, quality, file=file, **more))


def submit_batch(
    images: Any,
    format: str = "image/jpeg",
    quality: int = 75,
    *,
    layout: Optional[str] = None,
    scale: Optional[Tuple[float, float]] = None,
    folder: Any = None,
    names: Optional[Sequence[Any]] = None,
    prefix: Optional[str] = None,
    suffix: Optional[str] = None,
    extension: Optional[str] = None,
    same_name: str = "error",
    files: Optional[Sequence[Any]] = None,
    arrow: bool = False,
    errors: str = "raise",
    packer: Optional[Packer] = None,
    **more: Any,
) -> BatchJob:
    """As pack_batch(), but answers at once with a future. Leave the pixels alone until it is done."""
    rule = (prefix, suffix, extension)
    return _submit_batch(
        packer or _packer(), images, format, quality, layout, folder, names, rule, same_name, files, arrow, errors, scale, more
    )


def pack_batch(
    images: Any,
    format: str = "image/jpeg",
    quality: int = 75,
    *,
    progress: Union[None, bool, Callable[[int, int], Any]] = None,
    **more: Any,
) -> Any:
    """Encodes many images on all cores, without copies in or out. Bytes and order do not depend on the threads.

    images      one array or DLPack tensor of four dimensions (of three: gray images, with layout="NHW"), or a list of what
                pack() takes, of any sizes
    layout      "NHWC", "NCHW", "NHW", "HWC", "CHW"; None: told by the shape, an error where that is not certain
    scale       (factor, bias) of floats: ``v * factor + bias`` is 0 for black and 1 for white; default (1, 0)
    arrow       True: the answer is a pyarrow.LargeBinaryArray over the library's memory, with nulls for failures
    folder      with names: files ``prefix + stem + suffix + "." + extension`` there, each written whole or not at all;
                by default "out_<stem>.jpg". same_name says what happens when names meet: "error", "number" or "last"
    files       one descriptor or open file for each image
    device      of images in the memory of a CUDA device: "auto", nvJPEG encodes there what it can as well as the CPU (JPEG up to
                effort 3 of three 8-bit channels) and the CPU the rest; "cpu"; or "gpu", an error where nvJPEG cannot
    errors      "raise": BatchError after all images have ended; "return": exceptions stand in the list
    progress    True: a tqdm bar; or called with (ended, all) about ten times a second, and False stops
    more        packer=Packer(...), and the options of pack()

    Answers a list of read-only memory, an Arrow array, or the sizes of the files.
    """
    return _wait(submit_batch(images, format, quality, **more), progress)


async def pack_batch_async(images: Any, format: str = "image/jpeg", quality: int = 75, **more: Any) -> Any:
    """As pack_batch(), for asyncio."""
    return await awaited(submit_batch(images, format, quality, **more))


def version() -> str:
    """The versions of the library and of the codecs inside."""
    return _ffi.string(_lib.image_packer_version_string()).decode()


__version__: str = "{}.{}.{}".format(*(lambda n: (n >> 16, n >> 8 & 255, n & 255))(_lib.image_packer_version()))
