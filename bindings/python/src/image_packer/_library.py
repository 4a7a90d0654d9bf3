"""The shared library, its functions, and its failures as exceptions."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any, Callable, NoReturn

from ._declarations import ffi

_NAME = "libimage_packer.dylib" if sys.platform == "darwin" else "libimage_packer.so"

#: The library's functions and constants, as ``image_packer.h`` documents them. IMAGE_PACKER_LIBRARY names another file.
lib: Any = ffi.dlopen(os.environ.get("IMAGE_PACKER_LIBRARY") or str(pathlib.Path(__file__).with_name(_NAME)))


class Error(Exception):
    """A call that failed. ``status`` and ``cause`` are the library's numbers; the text tells what, with the figures."""

    def __init__(self, message: str, status: int = 0, cause: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.cause = cause

    def __reduce__(self) -> tuple:
        return type(self), (self.args[0], self.status, self.cause)


class InvalidArgumentError(Error, ValueError):
    """An argument out of its range, or arguments that contradict each other."""


class UnknownFormatError(Error, ValueError):
    """A format that this machine cannot write or read."""


class TooLargeError(Error, ValueError):
    """More pixels than the format or a limit allows."""


class BadDataError(Error, ValueError):
    """Encoded input that is damaged."""


class FileError(Error, OSError):
    """Reading the input or writing the output failed."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed, or the memory limit is too low."""


class CancelledError(Error):
    """Stopped by a cancel, a deadline or a progress callback."""


_BY_CAUSE = {
    lib.IMAGE_CAUSE_READ: FileError,
    lib.IMAGE_CAUSE_WRITE: FileError,
    lib.IMAGE_CAUSE_BAD_DESCRIPTOR: FileError,
    lib.IMAGE_CAUSE_OUT_OF_MEMORY: OutOfMemoryError,
}
_BY_STATUS = {
    lib.IMAGE_ERROR_INVALID_ARGUMENT: InvalidArgumentError,
    lib.IMAGE_ERROR_INVALID_FILE_ARGUMENT: InvalidArgumentError,
    lib.IMAGE_ERROR_UNKNOWN_FORMAT: UnknownFormatError,
    lib.IMAGE_ERROR_TOO_LARGE: TooLargeError,
    lib.IMAGE_ERROR_BAD_DATA: BadDataError,
    lib.IMAGE_ERROR_CANCELLED: CancelledError,
}


def error(status: int, cause: int, message: str) -> Error:
    """The exception for a status."""
    kind = _BY_CAUSE.get(cause) or _BY_STATUS.get(status, Error)
    if kind is Error and cause == lib.IMAGE_CAUSE_LIMIT:
        kind = OutOfMemoryError
    return kind(message, status, cause)


def last_error(status: int) -> Error:
    """This thread's last error, which had this status."""
    message = ffi.string(lib.image_packer_last_error_message()).decode("utf-8", "replace")
    return error(status, lib.image_packer_last_error_cause(), message)


def fail(status: int) -> NoReturn:
    """Raises this thread's last error."""
    raise last_error(status)


def check(status: int) -> None:
    """Raises unless ``status`` is IMAGE_OK."""
    if status:
        fail(status)


def made(kind: str, release: Callable[[Any], int], create: Callable[..., int], *arguments: Any) -> Any:
    """A new handle that is released with the last reference to it."""
    place = ffi.new(kind + " **")
    check(create(*arguments, place))
    return ffi.gc(place[0], release)
