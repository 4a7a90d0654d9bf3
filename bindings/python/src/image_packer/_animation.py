"""Animations: frames one at a time, so that nobody has to hold them all."""

from __future__ import annotations

import itertools
import os
from typing import Any, Iterable, Iterator, Optional, Sequence, Tuple, Union

from ._inputs import Picture, Source
from ._library import InvalidArgumentError, check, ffi, lib, made
from ._pack import Packer, Progress, Watched, descriptor, format_of, taken
from ._pixels import PLAIN, Meaning, pixelmap
from ._report import Report

Durations = Union[float, Sequence[float]]


def _units(milliseconds: float) -> int:
    """The library counts in 10 ms; nothing is shown for no time at all."""
    return max(1, round(milliseconds / 10))


def _frames(frames: Iterable[Any]) -> Iterator[Any]:
    """Images of animated Pillow images, and all others as they are."""
    for frame in frames:
        if getattr(frame, "n_frames", 1) > 1:
            from PIL import ImageSequence

            yield from (part.copy() for part in ImageSequence.Iterator(frame))
        else:
            yield frame


def _settings(
    format: str,
    count: int,
    quality: int,
    duration: Optional[Durations],
    loop: Optional[int],
    disposal: Union[None, int, Sequence[int]],
    canvas: Optional[Tuple[int, int]],
    effort: Optional[int],
    lossless: bool,
    settings: Optional[dict],
    properties: bool,
    keep_gps: bool,
    metadata: Optional[Picture],
    timeout: Optional[float],
    report: Optional[Report],
) -> Any:
    options = made(
        "ImageSequenceOptions", lib.image_sequence_options_release, lib.image_sequence_options_create, format.encode(), count
    )
    check(lib.image_sequence_options_set_quality(options, quality))
    if duration is not None:
        times = [_units(duration)] if isinstance(duration, (int, float)) else [_units(time) for time in duration]
        check(lib.image_sequence_options_set_delay_times(options, times, len(times)))
    if loop is not None:
        check(lib.image_sequence_options_set_loop_count(options, loop))
    if disposal is not None:
        types = [disposal] if isinstance(disposal, int) else list(disposal)
        check(lib.image_sequence_options_set_disposal_types(options, types, len(types)))
    if canvas is not None:
        check(lib.image_sequence_options_set_canvas(options, *canvas))
    if effort is not None:
        check(lib.image_sequence_options_set_effort(options, effort))
    if lossless:
        check(lib.image_sequence_options_set_lossless(options, True))
    if properties:
        check(lib.image_sequence_options_set_needs_pack_properties(options, True))
    if not keep_gps:
        check(lib.image_sequence_options_set_keep_gps(options, False))
    if metadata is not None:
        check(lib.image_sequence_options_set_metadata(options, metadata.handle))
    if timeout is not None:
        check(lib.image_sequence_options_set_timeout(options, max(1, round(timeout * 1000))))
    if report is not None:
        check(lib.image_sequence_options_set_report(options, report.handle))
    for name, value in (settings or {}).items():
        value = str(int(value)) if isinstance(value, bool) else str(value)
        check(lib.image_sequence_options_set(options, name.encode(), value.encode()))
    return options


class _Watched(Watched):
    """Sequence options that tell of their progress; they are made anew for each animation, so there is no copy."""

    def __init__(self, options: Any, progress: Progress) -> None:
        self._listen(options, progress, lib.image_sequence_options_set_progress)


def pack_animation(
    packer: Packer,
    frames: Any,
    format: Optional[str],
    quality: int,
    file: Any,
    offsets: Optional[Sequence[Tuple[int, int]]],
    progress: Optional[Progress],
    meaning: dict,
    **more: Any,
) -> Optional[memoryview]:
    path = os.fspath(file) if isinstance(file, (str, bytes, os.PathLike)) else None
    if format is None:
        format = "image/gif" if path is None else format_of(path, animated=True)
    elif "/" not in format:
        format = "image/" + format.lower()
    if getattr(frames, "n_frames", 1) > 1:
        frames = [frames]  # an animated Pillow image
    whole = isinstance(frames, Source)
    known = 0 if whole or not isinstance(frames, (list, tuple)) else sum(getattr(frame, "n_frames", 1) for frame in frames)
    options = _settings(format, known, quality, **more)
    watched = _Watched(options, progress) if progress is not None else None
    ok = watched.check if watched else check
    place = ffi.new("ImageData **")
    if whole:
        rest = (packer.handle, frames.handle)
        if path is not None:
            ok(lib.image_packer_pack_to_path_from_source_sequence(*rest, os.fsencode(path), options))
        elif file is not None:
            ok(lib.image_packer_pack_to_file_from_source_sequence(*rest, descriptor(file), options))
        else:
            ok(lib.image_packer_pack_to_data_from_source_sequence(*rest, options, place))
        return None if file is not None else taken(place[0])

    release = lib.image_sequence_release
    if path is not None:
        sequence = made("ImageSequence", release, lib.image_sequence_begin_to_path, packer.handle, os.fsencode(path), options)
    elif file is not None:
        sequence = made("ImageSequence", release, lib.image_sequence_begin_to_file, packer.handle, descriptor(file), options)
    else:
        sequence = made("ImageSequence", release, lib.image_sequence_begin, packer.handle, options)
    read = Meaning(**meaning) if meaning else PLAIN
    places = iter(offsets) if offsets is not None else itertools.repeat((0, 0))
    for frame in _frames(frames):
        left, top = next(places, (None, None))
        if left is None:
            raise InvalidArgumentError(f"{len(offsets or ())} offsets for more frames")
        handle, keep = pixelmap(frame, read)
        try:
            ok(lib.image_sequence_add_frame_at(sequence, handle, left, top, 0, -1))
        finally:
            lib.image_pixelmap_release(handle)
            del keep
    ok(lib.image_sequence_finish(sequence, place))
    return None if file is not None else taken(place[0])
