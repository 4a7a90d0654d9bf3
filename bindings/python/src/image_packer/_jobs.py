"""Packs that go on while Python does something else: futures for threads, awaitables for asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import os
import threading
from typing import Any, Dict, Optional

from ._library import InvalidArgumentError, ffi, last_error, lib
from ._inputs import entered, leave
from ._pack import (
    TO_DATA_ASYNC,
    TO_FILE_ASYNC,
    TO_PATH_ASYNC,
    Packer,
    Progress,
    Watched,
    descriptor,
    format_of,
    split,
    taken,
)

_running: Dict[int, "Job"] = {}
_numbers = itertools.count(1)


class Job(concurrent.futures.Future):
    """A pack on the library's threads. ``result()`` is what the call without a job returns.

    cancel() reaches into the encoder, at any time before the end: it answers False only when the job is done. The result
    is then ``concurrent.futures.CancelledError``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None
        self._keep: Any = None
        self._watched: Optional[Watched] = None
        self._stopping = False
        # Guards the handle alone: a callback may end the job while another thread cancels it.
        self._guard = threading.Lock()

    def cancel(self) -> bool:
        with self._guard:
            if self.done():
                return self.cancelled()
            self._stopping = True
            if self._handle is not None:
                lib.image_job_cancel(self._handle)
        return True

    @property
    def progress(self) -> float:
        """How much is done, 0.0 to 1.0."""
        with self._guard:
            if self._handle is None:
                return 1.0 if self.done() else 0.0
            place = ffi.new("uint32_t *")
            return place[0] / 1000 if not lib.image_job_get_progress(self._handle, place) else 0.0

    def _started(self, handle: Any) -> None:
        with self._guard:
            if self._keep is None:
                lib.image_job_release(handle)  # it has ended already
                return
            self._handle = handle
            if self._stopping:
                lib.image_job_cancel(handle)

    def _ended(self, status: int, data: Any) -> None:
        problem = last_error(status) if status else None
        with self._guard:
            handle, self._handle, self._keep = self._handle, None, None
        if handle is not None:
            lib.image_job_release(handle)
        if status == lib.IMAGE_ERROR_CANCELLED and self._stopping:
            super().cancel()
            self.set_running_or_notify_cancel()
            return
        self.set_running_or_notify_cancel()
        if problem is None:
            self.set_result(taken(data) if data != ffi.NULL else None)
        elif self._watched is not None and self._watched.raised is not None:
            self.set_exception(self._watched.raised)
        else:
            self.set_exception(problem)


@ffi.callback("ImageDoneFn")
def _done(user: Any, status: int, data: Any) -> None:
    job = _running.pop(int(ffi.cast("uintptr_t", user)), None)
    if job is not None:
        job._ended(status, data)


def submit(
    packer: Packer,
    image: Any,
    file: Any = None,
    format: Optional[str] = None,
    quality: int = 75,
    progress: Optional[Progress] = None,
    more: Optional[dict] = None,
) -> Job:
    """Starts a pack into memory, or into `file`."""
    path = os.fspath(file) if isinstance(file, (str, bytes, os.PathLike)) else None
    if format is None:
        if file is not None and path is None:
            raise InvalidArgumentError("format= is needed where no file name tells it")
        format = "image/jpeg" if path is None else format_of(path)
    options, meaning = split({"format": format, "quality": quality, **(more or {})})
    job = Job()
    if progress is not None:
        job._watched = Watched(options, progress)
        options = job._watched.handle
    given = entered(image, meaning)
    number = next(_numbers)
    _running[number] = job
    job._keep = (given, options)
    place = ffi.new("ImageJob **")
    rest = (options, _done, ffi.cast("void *", number), place)
    try:
        if path is not None:
            status = TO_PATH_ASYNC[given.kind](packer.handle, given.handle, os.fsencode(path), *rest)
        elif file is not None:
            status = TO_FILE_ASYNC[given.kind](packer.handle, given.handle, descriptor(file), *rest)
        else:
            status = TO_DATA_ASYNC[given.kind](packer.handle, given.handle, *rest)
        if status:
            raise last_error(status)
    except BaseException:
        _running.pop(number, None)
        raise
    finally:
        leave(given)
    job._started(place[0])
    return job


async def awaited(job: "concurrent.futures.Future[Any]") -> Any:
    """The result of a job inside a coroutine; cancelling the task stops the encoder."""
    return await asyncio.wrap_future(job)
