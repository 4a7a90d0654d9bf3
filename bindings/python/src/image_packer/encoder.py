"""Encoders that are called with batches: for pipelines, and for Ray Data's map_batches()."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Sequence

from ._library import InvalidArgumentError
from ._pack import Packer
from ._tensors import device_of

#: Options that give files like those of CV-CUDA's samples, by the generation of the encoder they used: 4:4:4, baseline
#: with the standard Huffman tables, at the default quality of that time.
PRESETS: Dict[str, Dict[str, Any]] = {
    "cvcuda_05": {"quality": 95, "subsampling": "444", "effort": 1},
    "cvcuda_06plus": {"quality": 75, "subsampling": "444", "effort": 1},
}


class ImageBatchEncoder:
    """Writes each image of a batch to ``output_path/out_<stem>.jpg``.

    Stands where the encoder of CV-CUDA's samples stands: made with (output_path, device_id, perf), called with a batch that
    has ``data`` (a tensor N x H x W x C) and ``fileinfo`` (a name, or one for each image), and start() and join(). Unlike it,
    it answers the size of each file, writes each file whole or not at all, and raises BatchError with all reasons when
    images fail, after the others have been written.

    Pixels in the memory of a CUDA device are encoded there by nvJPEG where it is installed, otherwise on the CPU after a copy;
    pixels in the host's memory are encoded on the CPU, and never copied to a device.

    device_id    the CUDA device whose tensors are encoded, one of another device is an error; None: of any device
    perf         anything with push_range(text) and pop_range(); may be None
    preset       a key of PRESETS, or None; further keywords are those of pack_batch() and win over it
    same_name    "error", "number" or "last": what happens to images of the same name
    """

    input_layout = "NHWC"
    gpu_input = True

    def __init__(
        self,
        output_path: Any,
        device_id: Optional[int] = 0,
        perf: Any = None,
        *,
        format: str = "image/jpeg",
        preset: Optional[str] = "cvcuda_06plus",
        same_name: str = "last",
        threads: int = 0,
        **more: Any,
    ) -> None:
        if preset is not None and preset not in PRESETS:
            raise InvalidArgumentError(f"preset {preset!r} is none of {', '.join(PRESETS)}")
        self.output_path = os.fspath(output_path)
        self.device_id = device_id
        self.perf = perf
        self._more = {"format": format, "same_name": same_name, **(PRESETS[preset] if preset else {}), **more}
        self._packer = Packer(threads=threads)

    def start(self) -> None:
        """Nothing: threads start with the first batch."""

    def join(self) -> None:
        """Nothing: a batch has been written when its call returns."""

    def __call__(self, batch: Any) -> List[int]:
        from . import pack_batch

        device = device_of(batch.data)
        if None not in (device, self.device_id) and device != self.device_id:
            raise InvalidArgumentError(f"a batch on CUDA device {device}; this encoder is for device {self.device_id}")
        names = batch.fileinfo
        count = batch.data.shape[0]
        if isinstance(names, (str, bytes, os.PathLike)):
            names = [names] * count
        if self.perf is not None:
            self.perf.push_range("encoder.image_packer")
        try:
            return pack_batch(
                batch.data, layout="NHWC", folder=self.output_path, names=list(names)[:count], packer=self._packer, **self._more
            )
        finally:
            if self.perf is not None:
                self.perf.pop_range()


class ColumnEncoder:
    """Turns a column of images into a column of encoded bytes: an actor for Ray Data.

    >>> ds.map_batches(image_packer.ColumnEncoder, fn_constructor_kwargs={"quality": 80},
    ...                batch_size=256, num_cpus=1, compute=ray.data.ActorPoolStrategy(size=4))

    A batch is a dictionary of columns. Images are one array N x H x W x C, which may be read-only, or an object array of
    arrays of any sizes. A row that fails has no bytes and tells why in the column `errors`; it harms no other row.

    column, to, errors   names of the columns that are read, written, and told of failures; the column of images is dropped
                         unless keep is true
    threads              most threads; 1 suits an actor that was given one CPU
    more                 arguments of pack_batch()
    """

    def __init__(
        self,
        column: str = "image",
        to: str = "encoded",
        errors: str = "error",
        keep: bool = False,
        threads: int = 1,
        **more: Any,
    ) -> None:
        self.column, self.to, self.errors, self.keep = column, to, errors, keep
        self._more = more
        self._packer = Packer(threads=threads)

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        import numpy as np

        results = self._pack(batch[self.column])
        answer = {name: values for name, values in batch.items() if self.keep or name != self.column}
        encoded, reasons = np.empty(len(results), object), np.empty(len(results), object)
        for row, result in enumerate(results):
            failed = isinstance(result, Exception)
            encoded[row] = None if failed else bytes(result)
            reasons[row] = str(result) if failed else None
        answer[self.to], answer[self.errors] = encoded, reasons
        return answer

    def _pack(self, images: Sequence[Any]) -> List[Any]:
        from . import Error, pack_batch

        try:
            return pack_batch(images, errors="return", packer=self._packer, **self._more)
        except (Error, TypeError, ValueError):
            # A row that is no image at all: each for itself.
            results: List[Any] = []
            for image in images:
                try:
                    results.append(pack_batch([image], packer=self._packer, **self._more)[0])
                except Exception as problem:
                    results.append(problem)
            return results
