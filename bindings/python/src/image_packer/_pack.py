"""One image: pixels or an encoded image in, bytes or a file out."""

from __future__ import annotations

import functools
import os
import re
from typing import Any, Callable, FrozenSet, List, Optional, Tuple, Union

from ._library import InvalidArgumentError, check, fail, ffi, lib, made
from ._inputs import Source, entered, leave
from ._pixels import PLAIN, Meaning
from ._report import Report

SUBSAMPLING = {
    None: lib.IMAGE_SUBSAMPLING_AUTO,
    "420": lib.IMAGE_SUBSAMPLING_420,
    "422": lib.IMAGE_SUBSAMPLING_422,
    "444": lib.IMAGE_SUBSAMPLING_444,
}
COLOR = {"keep": lib.IMAGE_COLOR_KEEP, "srgb": lib.IMAGE_COLOR_SRGB}
DEVICE_USE = {
    "auto": lib.IMAGE_DEVICE_USE_AUTO,
    "cpu": lib.IMAGE_DEVICE_USE_CPU,
    "gpu": lib.IMAGE_DEVICE_USE_GPU,
}
Progress = Callable[[float], Any]
Background = Union[int, str, Tuple[int, int, int]]


def _color(value: Background) -> int:
    if isinstance(value, str):
        if not re.fullmatch("#[0-9a-fA-F]{6}", value):
            raise InvalidArgumentError(f"background {value!r} is not '#rrggbb'")
        return int(value[1:], 16)
    if isinstance(value, tuple):
        red, green, blue = value
        return red << 16 | green << 8 | blue
    return value


def _mime(format: str) -> str:
    return format if "/" in format else "image/" + format.lower().lstrip(".")


def new_options(
    format: str = "image/jpeg",
    quality: int = 75,
    effort: Optional[int] = None,
    lossless: bool = False,
    subsampling: Optional[str] = None,
    background: Optional[Background] = None,
    density: Optional[Tuple[int, int]] = None,
    sdr: bool = False,
    color: str = "keep",
    sync: bool = False,
    properties: bool = False,
    keep_gps: bool = True,
    thumbnail: int = 0,
    timeout: Optional[float] = None,
    max_bytes: int = 0,
    device: str = "auto",
    report: Optional[Report] = None,
    settings: Tuple[Tuple[str, Any], ...] = (),
) -> Any:
    """A handle of packing options."""
    options = made(
        "ImagePackingOptions",
        lib.image_packing_options_release,
        lib.image_packing_options_create,
        _mime(format).encode(),
        quality,
    )
    if effort is not None:
        check(lib.image_packing_options_set_effort(options, effort))
    if lossless:
        check(lib.image_packing_options_set_lossless(options, True))
    if subsampling is not None:
        if str(subsampling) not in SUBSAMPLING:
            raise InvalidArgumentError(f"subsampling {subsampling!r} is none of '420', '422', '444'")
        check(lib.image_packing_options_set_subsampling(options, SUBSAMPLING[str(subsampling)]))
    if background is not None:
        check(lib.image_packing_options_set_background(options, _color(background)))
    if density is not None:
        check(lib.image_packing_options_set_density(options, *density))
    if sdr:
        check(lib.image_packing_options_set_dynamic_range(options, lib.IMAGE_DYNAMIC_RANGE_SDR))
    if color != "keep":
        if color not in COLOR:
            raise InvalidArgumentError(f"color {color!r} is none of {', '.join(COLOR)}")
        check(lib.image_packing_options_set_color(options, COLOR[color]))
    if sync:
        check(lib.image_packing_options_set_sync(options, True))
    if device != "auto":
        if device not in DEVICE_USE:
            raise InvalidArgumentError(f"device {device!r} is none of {', '.join(DEVICE_USE)}")
        check(lib.image_packing_options_set_device_use(options, DEVICE_USE[device]))
    if properties:
        check(lib.image_packing_options_set_needs_pack_properties(options, True))
    if not keep_gps:
        check(lib.image_packing_options_set_keep_gps(options, False))
    if thumbnail:
        check(lib.image_packing_options_set_max_embed_thumbnail(options, thumbnail))
    if timeout is not None:
        check(lib.image_packing_options_set_timeout(options, max(1, round(timeout * 1000))))
    if max_bytes:
        check(lib.image_packing_options_set_max_bytes(options, max_bytes))
    if report is not None:
        check(lib.image_packing_options_set_report(options, report.handle))
    for name, value in settings:
        value = str(int(value)) if isinstance(value, bool) else str(value)
        check(lib.image_packing_options_set(options, name.encode(), value.encode()))
    return options


# Options are immutable once made here, so one handle serves every call with the same arguments.
cached_options = functools.lru_cache(maxsize=256)(new_options)

_OPTION_NAMES = frozenset(new_options.__annotations__) - {"return", "settings"}
_MEANING_NAMES = frozenset(Meaning._fields)


def split(arguments: dict) -> Tuple[Any, Meaning]:
    """Options and meaning of the keywords of one call; `settings` is a dictionary there."""
    wanted, meaning = {}, {}
    for name, value in arguments.items():
        if name == "settings":
            wanted[name] = tuple(sorted(value.items())) if value else ()
        elif name in _OPTION_NAMES:
            wanted[name] = tuple(value) if isinstance(value, list) else value
        elif name in _MEANING_NAMES:
            meaning[name] = value
        else:
            known = ", ".join(sorted(_OPTION_NAMES | _MEANING_NAMES | {"settings", "progress"}))
            raise TypeError(f"{name!r} is not an argument; these are: {known}")
    # A report belongs to its owner, not to the cache.
    make: Callable[..., Any] = new_options if "report" in wanted else cached_options
    return make(**wanted), Meaning(**meaning) if meaning else PLAIN


class Watched:
    """Options with a progress callback, alive for one pack; keeps what the callback raises."""

    def __init__(self, options: Any, progress: Progress) -> None:
        copy = made("ImagePackingOptions", lib.image_packing_options_release, lib.image_packing_options_copy, options)
        self._listen(copy, progress, lib.image_packing_options_set_progress)

    def _listen(self, options: Any, progress: Progress, set_progress: Callable[..., int]) -> None:
        self.raised: Optional[BaseException] = None
        self.handle = options

        @ffi.callback("ImageProgressFn", error=1)
        def call(_user: Any, done: int) -> int:
            try:
                return 1 if progress(done / 1000) is False else 0
            except BaseException as problem:
                self.raised = problem
                return 1

        self._call = call
        check(set_progress(self.handle, call, ffi.NULL))

    def check(self, status: int) -> None:
        if status and self.raised is not None:
            raise self.raised
        check(status)


_BYTES, _SIZE, _DATA = map(ffi.typeof, ("uint8_t **", "size_t *", "ImageData **"))


def taken(data: Any) -> memoryview:
    """The bytes of an ImageData, without a copy, as read-only memory that frees itself."""
    place = ffi.new(_BYTES)
    size = ffi.new(_SIZE)
    check(lib.image_data_take(data, place, size))
    length = size[0]
    return memoryview(ffi.buffer(ffi.gc(place[0], lib.free, length), length)).toreadonly()


def _calls(name: str) -> Tuple[Any, ...]:
    """One call of the library for each kind of input."""
    return tuple(getattr(lib, "image_packer_" + name.format(kind)) for kind in ("", "_from_source", "_from_picture"))


TO_DATA, TO_FILE, TO_PATH = map(_calls, ("pack_to_data{}", "pack_to_file{}", "pack_to_path{}"))
TO_DATA_ASYNC, TO_FILE_ASYNC, TO_PATH_ASYNC = map(
    _calls, ("pack_to_data{}_async", "pack_to_file{}_async", "pack_to_path{}_async")
)


class Packer:
    """Packs images within limits; one serves many threads.

    threads        most threads of one pack; 0: one per core. The bytes do not depend on it.
    max_pixels     most pixels of one image; 0: 2**28
    memory_limit   most working memory in bytes of all packs together; 0: no limit
    """

    def __init__(self, threads: int = 0, max_pixels: int = 0, memory_limit: int = 0) -> None:
        self._arguments = (threads, max_pixels, memory_limit)
        self.handle = made("ImagePacker", lib.image_packer_release, lib.image_packer_create)
        check(lib.image_packer_set_threads(self.handle, threads))
        check(lib.image_packer_set_max_pixels(self.handle, max_pixels))
        check(lib.image_packer_set_memory_limit(self.handle, memory_limit))

    def __reduce__(self) -> tuple:
        return type(self), self._arguments

    def pack(self, image: Any, format: str = "image/jpeg", quality: int = 75, *, progress: Optional[Progress] = None, **more: Any) -> memoryview:
        """See image_packer.pack()."""
        if more:
            options, meaning = split({"format": format, "quality": quality, **more})
        else:
            options, meaning = cached_options(format, quality), PLAIN
        given = entered(image, meaning)
        try:
            place = ffi.new(_DATA)
            if progress is None:
                status = TO_DATA[given.kind](self.handle, given.handle, options, place)
                if status:
                    fail(status)
            else:
                watched = Watched(options, progress)
                watched.check(TO_DATA[given.kind](self.handle, given.handle, watched.handle, place))
        finally:
            leave(given)
        return taken(place[0])

    def pack_to_file(self, image: Any, file: Any, format: Optional[str] = None, quality: int = 75, *, progress: Optional[Progress] = None, **more: Any) -> None:
        """See image_packer.pack_to_file()."""
        path = os.fspath(file) if isinstance(file, (str, bytes, os.PathLike)) else None
        if format is None:
            if path is None:
                raise InvalidArgumentError("format= is needed where no file name tells it")
            format = format_of(path)
        options, meaning = split({"format": format, "quality": quality, **more})
        watched = Watched(options, progress) if progress is not None else None
        used = watched.handle if watched else options
        given = entered(image, meaning)
        try:
            if path is not None:
                status = TO_PATH[given.kind](self.handle, given.handle, os.fsencode(path), used)
            else:
                status = TO_FILE[given.kind](self.handle, given.handle, descriptor(file), used)
            (watched.check if watched else check)(status)
        finally:
            leave(given)

    def reencode(self, encoded: Any, format: str = "image/jpeg", quality: int = 75, **more: Any) -> memoryview:
        """See image_packer.reencode()."""
        return self.pack(encoded if isinstance(encoded, Source) else Source(encoded), format, quality, **more)


def descriptor(file: Any) -> int:
    """The descriptor of an open file, whose own buffer is written first."""
    if isinstance(file, int):
        return file
    file.flush()
    return file.fileno()


_EXTENSIONS = {"jpg": "jpeg", "jpe": "jpeg", "jfif": "jpeg", "heif": "heic", "apng": "png"}


def format_of(path: Union[str, bytes], animated: bool = False) -> str:
    """The MIME type that the extension of a file name stands for."""
    extension = os.path.splitext(os.fsdecode(path))[1][1:].lower()
    if animated and extension in ("png", "apng"):
        return "image/apng"
    mime = "image/" + _EXTENSIONS.get(extension, extension)
    if mime not in formats():
        raise InvalidArgumentError(f"the name {os.fsdecode(path)!r} tells no format that can be written: {', '.join(formats())}")
    return mime


@functools.lru_cache(maxsize=None)
def formats() -> Tuple[str, ...]:
    """MIME types that this machine can write."""
    found: List[str] = []
    while True:
        name = lib.image_packer_get_supported_format(len(found))
        if name == ffi.NULL:
            return tuple(found)
        found.append(ffi.string(name).decode())


_FEATURES = ("lossy", "lossless", "alpha", "animation", "hdr", "gain_map", "deep", "metadata", "profiles")


def features(format: str) -> FrozenSet[str]:
    """What a format can carry here: "lossy", "lossless", "alpha", "animation", "hdr", "gain_map", "deep", "metadata", "profiles"."""
    bits = lib.image_packer_get_format_features(_mime(format).encode())
    return frozenset(name for name in _FEATURES if bits & getattr(lib, "IMAGE_FORMAT_" + name.upper()))


def settings(format: str) -> Tuple[str, ...]:
    """The settings of a format for ``settings=``, each as "name: meaning, values, default"."""
    found: List[str] = []
    while True:
        text = lib.image_packer_get_setting(_mime(format).encode(), len(found))
        if text == ffi.NULL:
            return tuple(found)
        found.append(ffi.string(text).decode())
