"""What can be encoded besides pixels: encoded images, and pictures with what belongs to them."""

from __future__ import annotations

import math
import os
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from ._library import InvalidArgumentError, check, ffi, lib, made
from ._pixels import PLAIN, Meaning, array_of, pixelmap

PIXELS, SOURCE, PICTURE = 0, 1, 2


class Source:
    """An encoded image, to be encoded anew wherever an image is taken: bytes, or the path of a file.

    Without ``properties=True`` its colour, density and which way is up are kept; with it, EXIF, XMP and IPTC as well.
    """

    kind = SOURCE

    def __init__(self, encoded: Any) -> None:
        if isinstance(encoded, (str, os.PathLike)):
            self.handle = made("ImageSource", lib.image_source_release, lib.image_source_create_from_path, os.fsencode(encoded))
        else:
            view = ffi.from_buffer(encoded)
            self.handle = made("ImageSource", lib.image_source_release, lib.image_source_create_from_copy, view, len(view))

    @property
    def format(self) -> str:
        """MIME type found in the data."""
        place = ffi.new("char **")
        check(lib.image_source_get_format(self.handle, place))
        return ffi.string(place[0]).decode()

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height in pixels, upright."""
        sides = ffi.new("uint32_t[2]")
        check(lib.image_source_get_size(self.handle, sides, sides + 1))
        return sides[0], sides[1]

    @property
    def frame_count(self) -> int:
        """1 for a still image."""
        place = ffi.new("size_t *")
        check(lib.image_source_get_frame_count(self.handle, place))
        return place[0]

    @property
    def durations(self) -> Tuple[int, ...]:
        """Time on screen of each frame in milliseconds."""
        place = ffi.new("uint32_t *")
        times = []
        for index in range(self.frame_count):
            check(lib.image_source_get_frame_delay(self.handle, index, place))
            times.append(place[0])
        return tuple(times)

    @property
    def loop(self) -> int:
        """How often the animation is to be shown; 0 is for ever."""
        place = ffi.new("uint32_t *")
        check(lib.image_source_get_loop_count(self.handle, place))
        return place[0]

    def decode(self, frame: int = 0) -> Any:
        """A frame as a NumPy array, upright."""
        return array_of(made("ImagePixelMap", lib.image_pixelmap_release, lib.image_source_create_pixelmap, self.handle, frame))


class GainMap(NamedTuple):
    """How a gain map brightens the main image, as ISO 21496-1 has it; one value per channel where there are three.

    Headrooms and gains are log2; offsets are parts of SDR white.
    """

    alternate_headroom: float
    gain_max: Tuple[float, float, float]
    gain_min: Tuple[float, float, float] = (0.0, 0.0, 0.0)
    gamma: Tuple[float, float, float] = (1.0, 1.0, 1.0)
    base_offset: Tuple[float, float, float] = (1 / 64, 1 / 64, 1 / 64)
    alternate_offset: Tuple[float, float, float] = (1 / 64, 1 / 64, 1 / 64)
    base_headroom: float = 0.0
    use_base_color: bool = True


_AUXILIARY: Dict[str, int] = {
    "gain_map": lib.IMAGE_AUXILIARY_GAIN_MAP,
    "depth": lib.IMAGE_AUXILIARY_DEPTH_MAP,
    "unrefocus": lib.IMAGE_AUXILIARY_UNREFOCUS_MAP,
    "linear": lib.IMAGE_AUXILIARY_LINEAR_MAP,
    "fragment": lib.IMAGE_AUXILIARY_FRAGMENT_MAP,
}


def _bytes_of(data: Any) -> Optional[bytes]:
    if data == ffi.NULL:
        return None
    try:
        return bytes(ffi.buffer(lib.image_data_bytes(data), lib.image_data_size(data)))
    finally:
        lib.image_data_release(data)


class _Text:
    """A property of EXIF that is text; None where there is none."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __get__(self, picture: Optional["Picture"], _owner: Any = None) -> Any:
        if picture is None:
            return self
        place = ffi.new("ImageData **")
        check(lib.image_picture_get_property(picture.handle, self._number, place))
        text = _bytes_of(place[0])
        return None if text is None else text.decode("utf-8", "replace")

    def __set__(self, picture: "Picture", text: Optional[str]) -> None:
        check(lib.image_picture_set_property(picture.handle, self._number, ffi.NULL if text is None else text.encode()))


class _Block:
    """A block of metadata as bytes; None where there is none."""

    def __init__(self, kind: int) -> None:
        self._kind = kind

    def __get__(self, picture: Optional["Picture"], _owner: Any = None) -> Any:
        if picture is None:
            return self
        place = ffi.new("ImageData **")
        check(lib.image_picture_get_metadata(picture.handle, self._kind, place))
        return _bytes_of(place[0])

    def __set__(self, picture: "Picture", block: Optional[bytes]) -> None:
        check(lib.image_picture_set_metadata(picture.handle, self._kind, ffi.NULL if block is None else block, len(block or b"")))


class Picture:
    """A main image with what belongs to it: metadata, and auxiliary images such as a gain map. It is taken wherever an image is.

    >>> picture = Picture(pixels)
    >>> picture.copyright = "Someone"; picture.gps = 48.1, 11.6, None
    >>> jpeg = image_packer.pack(picture, properties=True)

    main     what pack() takes; its memory is borrowed for as long as the picture lives
    meaning  layout, order, premultiplied, cicp, icc_profile, light_level, mastering_display, pixel_format, size and
             row_stride as in pack()
    """

    kind = PICTURE

    def __init__(self, main: Any, **meaning: Any) -> None:
        self._keep: Dict[str, Any] = {}
        given = pixelmap(main, Meaning(**meaning) if meaning else PLAIN)
        try:
            self.handle = made("ImagePicture", lib.image_picture_release, lib.image_picture_create, given[0])
        finally:
            lib.image_pixelmap_release(given[0])
        self._keep["main"] = given[1]

    @classmethod
    def _over(cls, create: Any, encoded: Any) -> "Picture":
        source = encoded if isinstance(encoded, Source) else Source(encoded)
        picture = cls.__new__(cls)
        picture._keep = {}
        picture.handle = made("ImagePicture", lib.image_picture_release, create, source.handle)
        return picture

    @classmethod
    def open(cls, encoded: Any) -> "Picture":
        """Decodes an encoded image (bytes, a path or a Source), upright, with its auxiliary images and metadata."""
        return cls._over(lib.image_source_create_picture, encoded)

    @classmethod
    def metadata_of(cls, encoded: Any) -> "Picture":
        """The metadata of an encoded image as it stands there, without pixels: for edit_metadata()."""
        return cls._over(lib.image_source_create_metadata, encoded)

    make = _Text(lib.IMAGE_PROPERTY_MAKE)
    model = _Text(lib.IMAGE_PROPERTY_MODEL)
    software = _Text(lib.IMAGE_PROPERTY_SOFTWARE)
    copyright = _Text(lib.IMAGE_PROPERTY_COPYRIGHT)
    #: "2024:05:06 07:08:09", local time.
    date = _Text(lib.IMAGE_PROPERTY_DATE)
    date_changed = _Text(lib.IMAGE_PROPERTY_DATE_CHANGED)
    #: EXIF from its TIFF header on.
    exif = _Block(lib.IMAGE_METADATA_EXIF)
    xmp = _Block(lib.IMAGE_METADATA_XMP)
    iptc = _Block(lib.IMAGE_METADATA_IPTC)

    @property
    def main(self) -> Any:
        """The main image as a NumPy array; None if the picture is of metadata alone."""
        return self._array(lib.image_picture_get_main)

    def auxiliary(self, name: str) -> Any:
        """An auxiliary image as a NumPy array, None if there is none: "gain_map", "depth", "unrefocus", "linear", "fragment"."""
        return self._array(lib.image_picture_get_auxiliary, _auxiliary(name))

    def _array(self, get: Any, *which: int) -> Any:
        place = ffi.new("ImagePixelMap **")
        check(get(self.handle, *which, place))
        return None if place[0] == ffi.NULL else array_of(ffi.gc(place[0], lib.image_pixelmap_release))

    def set_auxiliary(self, name: str, pixels: Any, **meaning: Any) -> None:
        """Sets, replaces or, with None, removes an auxiliary image; its memory is borrowed as the main image's is."""
        number = _auxiliary(name)
        if pixels is None:
            check(lib.image_picture_set_auxiliary(self.handle, number, ffi.NULL))
            self._keep.pop(name, None)
            return
        handle, keep = pixelmap(pixels, Meaning(**meaning) if meaning else PLAIN)
        try:
            check(lib.image_picture_set_auxiliary(self.handle, number, handle))
        finally:
            lib.image_pixelmap_release(handle)
        self._keep[name] = keep

    @property
    def hdr(self) -> Any:
        """The main image with its gain map applied in full: linear light of BT.2020 as floats of height x width x 4, 1.0 is
        diffuse white. As hdr_at() of an infinite headroom."""
        return self.hdr_at(math.inf)

    def hdr_at(self, headroom: float) -> Any:
        """The same for a display whose peak is ``headroom`` stops above diffuse white: 0 is SDR, 2 four times as bright."""
        create, kind = lib.image_picture_create_hdr_pixelmap, lib.IMAGE_PIXEL_FORMAT_RGBA_F32
        return array_of(made("ImagePixelMap", lib.image_pixelmap_release, create, self.handle, kind, headroom))

    def set_hdr_rendition(self, pixels: Any, **meaning: Any) -> None:
        """Sets or, with None, removes the HDR rendition of an SDR main image; its memory is borrowed as the main image's is.
        ``cicp`` has to name PQ (16) or HLG (18), or with floats linear light (8)."""
        if pixels is None:
            check(lib.image_picture_set_hdr_rendition(self.handle, ffi.NULL))
            self._keep.pop("hdr", None)
            return
        handle, keep = pixelmap(pixels, Meaning(**meaning) if meaning else PLAIN)
        try:
            check(lib.image_picture_set_hdr_rendition(self.handle, handle))
        finally:
            lib.image_pixelmap_release(handle)
        self._keep["hdr"] = keep

    @property
    def provenance(self) -> bool:
        """Whether the file had provenance data (C2PA). It is never written again, for its signatures are of the old file."""
        place = ffi.new("bool *")
        check(lib.image_picture_get_provenance(self.handle, place))
        return place[0]

    @property
    def gain_map(self) -> Optional[GainMap]:
        """How the auxiliary image "gain_map" is applied; None if there is none."""
        headrooms, use = ffi.new("float[2]"), ffi.new("bool *")
        lists = [ffi.new("float[3]") for _ in range(5)]
        if lib.image_picture_get_gain_map_params(self.handle, headrooms, headrooms + 1, *lists, use):
            return None
        low, high, gamma, base, alternate = (tuple(values) for values in lists)
        return GainMap(headrooms[1], high, low, gamma, base, alternate, headrooms[0], use[0])

    @gain_map.setter
    def gain_map(self, values: GainMap) -> None:
        check(
            lib.image_picture_set_gain_map_params(
                self.handle,
                values.base_headroom,
                values.alternate_headroom,
                *(
                    ffi.new("float[3]", _three(list_))
                    for list_ in (values.gain_min, values.gain_max, values.gamma, values.base_offset, values.alternate_offset)
                ),
                values.use_base_color,
            )
        )

    @property
    def orientation(self) -> int:
        """How the pixels are stored, 1 to 8 as in EXIF; 1 is upright."""
        place = ffi.new("uint32_t *")
        check(lib.image_picture_get_orientation(self.handle, place))
        return place[0]

    @orientation.setter
    def orientation(self, value: int) -> None:
        check(lib.image_picture_set_orientation(self.handle, value))

    @property
    def density(self) -> Tuple[float, float]:
        """Pixels per inch; 0 and 0 if unknown."""
        places = ffi.new("double[2]")
        check(lib.image_picture_get_density(self.handle, places, places + 1))
        return places[0], places[1]

    @density.setter
    def density(self, value: Tuple[float, float]) -> None:
        check(lib.image_picture_set_density(self.handle, *value))

    @property
    def gps(self) -> Optional[Tuple[float, float, Optional[float]]]:
        """Degrees north, degrees east, metres above the sea or None; None where EXIF does not say. None removes it."""
        places = ffi.new("double[3]")
        check(lib.image_picture_get_gps(self.handle, places, places + 1, places + 2))
        north, east, up = places
        return None if math.isnan(north) else (north, east, None if math.isnan(up) else up)

    @gps.setter
    def gps(self, place: Optional[Sequence[Optional[float]]]) -> None:
        if place is None:
            check(lib.image_picture_remove_gps(self.handle))
            return
        north, east, up = (*place, None)[:3]
        check(lib.image_picture_set_gps(self.handle, north, east, math.nan if up is None else up))


def _auxiliary(name: str) -> int:
    if name not in _AUXILIARY:
        raise InvalidArgumentError(f"auxiliary image {name!r} is none of {', '.join(_AUXILIARY)}")
    return _AUXILIARY[name]


def _three(values: Union[float, Sequence[float]]) -> Tuple[float, ...]:
    three = tuple(values) if isinstance(values, (tuple, list)) else (values,) * 3
    if len(three) != 3:
        raise InvalidArgumentError(f"{len(three)} values of a gain map: expected 1 or 3")
    return three


class Given(NamedTuple):
    """An input on its way into the library: its handle, which kind it is, and what must live as long."""

    handle: Any
    kind: int
    keep: Any


def entered(image: Any, meaning: Meaning) -> Given:
    """Any input of pack(); leave() it when the call is over."""
    if isinstance(image, (Source, Picture)):
        return Given(image.handle, image.kind, image)
    handle, keep = pixelmap(image, meaning)
    return Given(handle, PIXELS, keep)


def leave(given: Given) -> None:
    if given.kind == PIXELS:
        lib.image_pixelmap_release(given.handle)
