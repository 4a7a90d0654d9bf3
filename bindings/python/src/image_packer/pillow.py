"""Pillow saves through image_packer.

>>> import image_packer.pillow
>>> image_packer.pillow.register()
>>> image.save("photo.heic", quality=80)    # and JPEG, PNG, WebP, AVIF, GIF and animations
"""

from __future__ import annotations

from typing import Any, Iterable, Optional

from PIL import Image, ImageSequence

from . import _packer, formats, pack_animation
from ._library import InvalidArgumentError

#: Pillow's name, MIME type and extensions of what can be saved.
_FORMATS = {
    "JPEG": ("image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif")),
    "PNG": ("image/png", (".png",)),
    "WEBP": ("image/webp", (".webp",)),
    "HEIF": ("image/heic", (".heic", ".heif")),
    "AVIF": ("image/avif", (".avif",)),
    "GIF": ("image/gif", (".gif",)),
}
#: Of animations.
_ANIMATED = {"GIF": "image/gif", "PNG": "image/apng", "WEBP": "image/webp"}
#: Pillow's numbers of chroma subsampling.
_SUBSAMPLING = {0: "444", 1: "422", 2: "420", "4:4:4": "444", "4:2:2": "422", "4:2:0": "420", -1: None, "keep": None}
#: Arguments of Pillow's own save that have no counterpart and change nothing here.
_IGNORED = {"optimize", "progressive", "compress_level", "method", "exact", "save_all", "append_images", "minimize_size"}


def _arguments(image: Image.Image, wanted: dict) -> dict:
    """The arguments of pack() for those of Image.save()."""
    more = {name: value for name, value in wanted.items() if name not in _IGNORED and value is not None}
    quality = more.pop("quality", None)
    if isinstance(quality, int) and quality >= 0:
        more["quality"] = min(quality, 100)
    elif quality not in (None, -1, "keep"):
        raise InvalidArgumentError(f"quality {quality!r} is not 0 to 100")
    if "subsampling" in more:
        more["subsampling"] = _SUBSAMPLING.get(more["subsampling"], more["subsampling"])
    density = more.pop("dpi", None) or image.info.get("dpi")
    if density:
        more["density"] = tuple(min(max(round(float(side)), 0), 65535) for side in density)
    return more


def _saver(mime: str) -> Any:
    def save(image: Image.Image, file: Any, _name: Any) -> None:
        more = _arguments(image, dict(image.encoderinfo))
        file.write(_packer().pack(image, mime, **more))

    return save


def _all_saver(mime: str) -> Any:
    def save_all(image: Image.Image, file: Any, name: Any) -> None:
        wanted = dict(image.encoderinfo)
        images = [image, *wanted.pop("append_images", ())]
        frames = [part.copy() for one in images for part in ImageSequence.Iterator(one)]
        if len(frames) == 1:
            _saver(mime)(image, file, name)
            return
        duration = wanted.pop("duration", None)
        if duration is None:
            duration = [frame.info.get("duration") or 100 for frame in frames]
        loop = wanted.pop("loop", image.info.get("loop"))
        more = {key: wanted[key] for key in ("quality", "effort", "lossless", "disposal", "settings") if wanted.get(key) is not None}
        file.write(pack_animation(frames, mime, duration=duration, loop=loop, **more))

    return save_all


def register(only: Optional[Iterable[str]] = None) -> None:
    """Makes ``Image.save`` use image_packer for these formats of Pillow ("JPEG", "HEIF", ...); all by default.

    Arguments of pack() are those of save: ``image.save("a.png", effort=9)``. Pillow's own ``optimize``, ``progressive``,
    ``compress_level`` and ``method`` are what ``effort`` is here, and change nothing.
    """
    for name, (mime, extensions) in _FORMATS.items():
        if mime in formats() and (only is None or name in only):
            Image.init()
            Image.register_save(name, _saver(mime))
            if name in _ANIMATED:
                Image.register_save_all(name, _all_saver(_ANIMATED[name]))
            Image.register_extensions(name, list(extensions))
            Image.register_mime(name, mime)
