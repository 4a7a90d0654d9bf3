"""Many images as one piece of work, on all cores."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from ._library import Error, InvalidArgumentError, check, ffi, last_error, lib, made
from ._inputs import entered, leave
from ._pack import Packer, descriptor, split, taken
from ._pixels import Meaning
from ._report import Report
from ._tensors import device_of, images_of, tensor

SAME_NAME = {
    "error": lib.IMAGE_SAME_NAME_ERROR,
    "number": lib.IMAGE_SAME_NAME_NUMBER,
    "last": lib.IMAGE_SAME_NAME_LAST_WINS,
}
#: By kind of input.
_ADD = (lib.image_batch_add_pixelmap, lib.image_batch_add_source, lib.image_batch_add_picture)
_batches: Dict[int, "BatchJob"] = {}
_numbers = itertools.count(1)


class BatchError(Error):
    """Some images of a batch failed. ``errors`` maps their numbers to exceptions; ``results`` has the others."""

    def __init__(self, message: str, errors: Dict[int, Error], results: Sequence[Any]) -> None:
        first = errors[min(errors)]
        super().__init__(message, first.status, first.cause)
        self.errors = errors
        self.results = results

    def __reduce__(self) -> tuple:
        return type(self), (self.args[0], self.errors, [None if item is None else bytes(item) for item in self.results])


class BatchJob(concurrent.futures.Future):
    """A batch that is being packed. ``result()`` is what pack_batch() returns."""

    def __init__(self, handle: Any, count: int, keep: Any, collect: Callable[["BatchJob"], Any]) -> None:
        super().__init__()
        self._handle = handle
        self._keep = keep
        self._collect = collect
        self._stopping = False
        self.count = count

    def cancel(self) -> bool:
        """Stops the images that have not ended; False when all have."""
        if self.done():
            return self.cancelled()
        self._stopping = True
        lib.image_batch_cancel(self._handle)
        return True

    @property
    def ended(self) -> int:
        """How many images have ended, well or not."""
        place = ffi.new("size_t *")
        check(lib.image_batch_get_progress(self._handle, place, ffi.NULL, ffi.NULL))
        return place[0]

    def seconds(self) -> List[float]:
        """How long each image was worked on, in seconds."""
        return [lib.image_batch_get_time(self._handle, index) / 1e9 for index in range(self.count)]

    def report(self, index: int) -> Optional[Report]:
        """What became of an image that has ended well: its bytes, codec, backend and warnings; None of one that failed."""
        report = Report()
        status = lib.image_batch_get_report(self._handle, index, report.handle)
        if lib.image_batch_get_status(self._handle, index):
            return None
        check(status)
        return report

    def failures(self) -> Dict[int, Error]:
        """The exceptions of the images that failed."""
        found = {}
        for index in range(self.count):
            status = lib.image_batch_get_status(self._handle, index)
            if status:
                found[index] = last_error(status)
        return found

    def _ended_all(self, status: int) -> None:
        self._keep = None
        if status and self._stopping and lib.IMAGE_ERROR_CANCELLED == status:
            super().cancel()
            self.set_running_or_notify_cancel()
            return
        self.set_running_or_notify_cancel()
        try:
            self.set_result(self._collect(self))
        except BaseException as problem:
            self.set_exception(problem)


@ffi.callback("ImageDoneFn")
def _done(user: Any, status: int, _data: Any) -> None:
    job = _batches.pop(int(ffi.cast("uintptr_t", user)), None)
    if job is not None:
        job._ended_all(status)


def _settle(results: List[Any], failed: Dict[int, Error], errors: str) -> List[Any]:
    if not failed:
        return results
    if errors == "return":
        for index, problem in failed.items():
            results[index] = problem
        return results
    first = min(failed)
    raise BatchError(f"{len(failed)} of {len(results)} images failed; image {first}: {failed[first]}", failed, results)


def _to_list(errors: str) -> Callable[[BatchJob], Any]:
    def collect(job: BatchJob) -> Any:
        failed = job.failures()
        results: List[Any] = [None] * job.count
        place = ffi.new("ImageData **")
        for index in range(job.count):
            if index not in failed:
                check(lib.image_batch_take_data(job._handle, index, place))
                results[index] = taken(place[0])
        return _settle(results, failed, errors)

    return collect


def _to_sizes(errors: str) -> Callable[[BatchJob], Any]:
    def collect(job: BatchJob) -> Any:
        sizes = [lib.image_batch_get_size(job._handle, index) for index in range(job.count)]
        return _settle(sizes, job.failures(), errors)

    return collect


def _to_arrow(errors: str) -> Callable[[BatchJob], Any]:
    import pyarrow as pa

    def collect(job: BatchJob) -> Any:
        failed = job.failures()
        if failed and errors != "return":
            _settle([None] * job.count, failed, errors)
        places = ffi.new("ImageData *[2]")
        check(lib.image_batch_take_arena(job._handle, places, places + 1))
        data, offsets = (pa.py_buffer(taken(places[part])) for part in (0, 1))
        valid = None
        if failed:
            bits = bytearray(b"\xff" * ((job.count + 7) // 8))
            for index in failed:
                bits[index // 8] &= ~(1 << index % 8)
            valid = pa.py_buffer(bytes(bits))
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), job.count, [valid, offsets, data], len(failed))

    return collect


def submit_batch(
    packer: Packer,
    images: Any,
    format: str,
    quality: int,
    layout: Optional[str],
    folder: Any,
    names: Optional[Sequence[Any]],
    rule: Tuple[Optional[str], Optional[str], Optional[str]],
    same_name: str,
    files: Optional[Sequence[Any]],
    arrow: bool,
    errors: str,
    scale: Optional[Tuple[float, float]],
    more: dict,
) -> BatchJob:
    if errors not in ("raise", "return"):
        raise InvalidArgumentError(f"errors {errors!r} is neither 'raise' nor 'return'")
    if same_name not in SAME_NAME:
        raise InvalidArgumentError(f"same_name {same_name!r} is none of {', '.join(SAME_NAME)}")
    options, meaning = split({"format": format, "quality": quality, **more})
    batch = made("ImageBatch", lib.image_batch_release, lib.image_batch_create, packer.handle)
    keep: List[Any] = [options]
    count = _add(batch, images, options, meaning, layout, scale, keep)

    if folder is not None:
        if names is None or isinstance(names, (str, bytes)):
            raise InvalidArgumentError("folder= needs names=, one for each image")
        texts = [ffi.new("char[]", os.fsencode(name)) for name in names]
        check(lib.image_batch_to_folder(batch, os.fsencode(folder), ffi.new("char *[]", texts), len(texts), SAME_NAME[same_name]))
        check(lib.image_batch_set_names(batch, *(ffi.NULL if part is None else part.encode() for part in rule)))
        collect = _to_sizes(errors)
    elif files is not None:
        fds = [descriptor(file) for file in files]
        check(lib.image_batch_to_files(batch, fds, len(fds)))
        collect = _to_sizes(errors)
    elif arrow:
        collect = _to_arrow(errors)
        check(lib.image_batch_to_arena(batch))
    else:
        collect = _to_list(errors)

    job = BatchJob(batch, count, keep, collect)
    number = next(_numbers)
    _batches[number] = job
    status = lib.image_batch_start(batch, ffi.NULL, _done, ffi.cast("void *", number))
    if status:
        del _batches[number]
        raise last_error(status)
    return job


def _add(
    batch: Any, images: Any, options: Any, meaning: Meaning, layout: Optional[str], scale: Any, keep: List[Any]
) -> int:
    """Fills a batch; what is borrowed goes into `keep`."""
    if not isinstance(images, (list, tuple)) and getattr(images, "dtype", None) != object:
        handle, owner = tensor(images, layout, meaning.order == "BGR", scale, meaning.premultiplied)
        keep.append(owner)
        check(lib.image_batch_add_tensor(batch, handle, options))
        return images_of(handle)
    count = 0
    for image in images:
        several = layout in ("NHWC", "NCHW", "NHW") or (scale is not None and not _is_encoded(image))
        if several or device_of(image) is not None:
            handle, owner = tensor(image, layout, meaning.order == "BGR", scale, meaning.premultiplied)
            check(lib.image_batch_add_tensor(batch, handle, options))
            count += images_of(handle)
        else:
            owner = entered(image, meaning._replace(layout=layout) if layout else meaning)
            try:
                check(_ADD[owner.kind](batch, owner.handle, options))
            finally:
                leave(owner)
            count += 1
        keep.append(owner)
    return count


def _is_encoded(image: Any) -> bool:
    return isinstance(image, (bytes, bytearray))


def wait(job: BatchJob, progress: Union[None, bool, Callable[[int, int], Any]]) -> Any:
    """The result; meanwhile `progress` is told, and an interrupt of any kind stops the batch before it goes on."""
    bar = None
    if progress is True:
        from tqdm import tqdm

        bar = tqdm(total=job.count, unit="image")
    try:
        while progress:
            concurrent.futures.wait([job], 0.1)
            over, ended = job.done(), job.ended
            if bar is not None:
                bar.update(ended - bar.n)
            elif callable(progress) and progress(ended, job.count) is False:
                job.cancel()
            if over:
                break
        return job.result()
    except BaseException:
        # Memory of the caller's is in use until the last image has ended.
        if not job.done():
            job.cancel()
            concurrent.futures.wait([job])
        raise
    finally:
        if bar is not None:
            bar.close()
