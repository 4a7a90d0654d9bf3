"""What a pack has made, and what of the input is not in it."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Tuple

from ._library import check, ffi, lib, made


class Warning(NamedTuple):
    """Something that was changed or left out: its name in the C header without IMAGE_WARNING_, and a sentence."""

    code: str
    text: str


_NAMES = {getattr(lib, name): name[len("IMAGE_WARNING_") :] for name in dir(lib) if name.startswith("IMAGE_WARNING_")}
_BACKENDS = {getattr(lib, name): name[len("IMAGE_BACKEND_") :].lower() for name in dir(lib) if name.startswith("IMAGE_BACKEND_")}


class Report:
    """Give it to pack(..., report=report): afterwards it tells of that pack, until the next one that has it.

    >>> report = Report()
    >>> jpeg = image_packer.pack(pixels, report=report)
    >>> report.codec, [warning.code for warning in report.warnings]
    ('image_packer 1.0.0', ['ALPHA_BLENDED'])  # if some pixels are not opaque
    """

    def __init__(self) -> None:
        self.handle: Any = made("ImageReport", lib.image_report_release, lib.image_report_create)

    @property
    def bytes(self) -> int:
        """The number of encoded bytes."""
        place = ffi.new("uint64_t *")
        check(lib.image_report_get_bytes(self.handle, place))
        return place[0]

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height of the encoded image."""
        sides = ffi.new("uint32_t[2]")
        check(lib.image_report_get_size(self.handle, sides, sides + 1))
        return sides[0], sides[1]

    @property
    def quality(self) -> int:
        """That of the call, or what max_bytes left of it."""
        place = ffi.new("int32_t *")
        check(lib.image_report_get_quality(self.handle, place))
        return place[0]

    @property
    def format(self) -> str:
        """MIME type."""
        place = ffi.new("char **")
        check(lib.image_report_get_format(self.handle, place))
        return ffi.string(place[0]).decode()

    @property
    def codec(self) -> str:
        """What encoded the image, with its version."""
        text = ffi.new("char[]", 256)
        check(lib.image_report_get_codec(self.handle, text, 256))
        return ffi.string(text).decode()

    @property
    def backend(self) -> str:
        """Who encoded the image, and so where: "cpu", or "nvjpeg" on a CUDA device."""
        place = ffi.new("ImageBackend *")
        check(lib.image_report_get_backend(self.handle, place))
        return _BACKENDS.get(place[0], str(place[0]))

    @property
    def warnings(self) -> List[Warning]:
        """Empty when nothing but lossy compression stands between input and output."""
        count, code, text = ffi.new("size_t *"), ffi.new("ImageWarning *"), ffi.new("char[]", 1024)
        check(lib.image_report_get_warning_count(self.handle, count))
        found = []
        for index in range(count[0]):
            check(lib.image_report_get_warning(self.handle, index, code, text, 1024))
            found.append(Warning(_NAMES.get(code[0], str(code[0])), ffi.string(text).decode("utf-8", "replace")))
        return found
