"""Animations, read back by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

import image_packer as ip


def moving(count=5, size=(40, 60)):
    for step in range(count):
        frame = np.zeros((*size, 3), np.uint8)
        frame[..., 2] = 90
        frame[10:20, 5 + 4 * step : 15 + 4 * step] = (255, 128, 0)
        yield frame


def frames_of(encoded):
    image = Image.open(io.BytesIO(encoded))
    return image, [(np.asarray(frame.convert("RGB")), frame.info.get("duration")) for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("format, more", [("gif", {}), ("apng", {}), ("webp", {"lossless": True})])
def test_frames_of_a_generator_are_exact(format, more):
    packed = ip.pack_animation(moving(), format, duration=[50, 120, 70], loop=3, **more)
    image, seen = frames_of(packed)
    assert image.n_frames == 5 and image.size == (60, 40)
    for (pixels, duration), expected, milliseconds in zip(seen, moving(), [50, 120, 70, 70, 70]):
        assert (pixels == expected).all() and round(duration) == milliseconds
    source = ip.Source(packed)
    assert source.frame_count == 5 and source.loop == 3 and source.durations == (50, 120, 70, 70, 70)


def test_sources_keep_their_times(tmp_path):
    gif = ip.pack_animation(list(moving()), duration=[50, 120, 70], loop=2)
    packed = ip.pack_animation(ip.Source(gif), "webp", lossless=True)
    source = ip.Source(packed)
    assert source.durations == (50, 120, 70, 70, 70) and source.loop == 2
    assert all((pixels == expected).all() for (pixels, _), expected in zip(frames_of(packed)[1], moving()))
    ip.pack_animation(ip.Source(gif), file=tmp_path / "a.png", duration=30)
    assert ip.Source(tmp_path / "a.png").durations == (30,) * 5


def test_pillow_animations_and_files(tmp_path):
    gif = ip.pack_animation(list(moving()))
    with Image.open(io.BytesIO(gif)) as image:
        packed = ip.pack_animation(image, "apng")
    assert all((pixels == expected).all() for (pixels, _), expected in zip(frames_of(packed)[1], moving()))
    with open(tmp_path / "a.gif", "wb") as file:
        assert ip.pack_animation(moving(), "gif", file=file) is None
    assert (tmp_path / "a.gif").read_bytes() == bytes(gif)


def test_offsets_and_canvas():
    dot = np.full((4, 4, 3), 255, np.uint8)
    packed = ip.pack_animation([dot, dot], "apng", offsets=[(0, 0), (10, 6)], canvas=(20, 10), disposal=2)
    image, seen = frames_of(packed)
    assert image.size == (20, 10) and (seen[1][0][6:10, 10:14] == 255).all()
    with pytest.raises(ip.InvalidArgumentError, match="offsets"):
        ip.pack_animation([dot, dot], offsets=[(0, 0)], canvas=(20, 10))


def test_progress_and_errors(tmp_path):
    told = []
    ip.pack_animation(list(moving()), "gif", progress=told.append)
    assert told and told == sorted(told) and told[-1] == 1.0
    with pytest.raises(ip.CancelledError):
        ip.pack_animation(list(moving()), "webp", progress=lambda done: False)

    def stop(_done):
        raise KeyError("mine")

    with pytest.raises(KeyError):
        ip.pack_animation(list(moving()), "gif", progress=stop)

    def broken():
        yield from moving(2)
        raise RuntimeError("no more film")

    (tmp_path / "old.gif").write_bytes(b"old")
    with pytest.raises(RuntimeError):
        ip.pack_animation(broken(), file=tmp_path / "old.gif")
    assert (tmp_path / "old.gif").read_bytes() == b"old"
    with pytest.raises(ip.Error):
        ip.pack_animation([], "gif")
    with pytest.raises(ip.InvalidArgumentError):
        ip.pack_animation(moving(), "image/jpeg")
