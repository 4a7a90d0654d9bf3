"""python soak.py [SECONDS [SEED]]: random images through every format, effort and number of threads, read back by Pillow.

Exact where the format is lossless, within a bound where it is not. Every failure names the seed that makes it again.
"""

import io
import sys
import time

import numpy as np
from PIL import Image

import image_packer as ip

PHOTO = None


def content(rng, height, width, channels):
    """Noise, ramps, few colours, flat areas, text-like bars, a photograph, and mixtures."""
    kind = rng.integers(0, 7)
    y, x = np.mgrid[0:height, 0:width]
    if kind == 0:
        image = rng.integers(0, 256, (height, width, channels))
    elif kind == 1:
        image = np.stack([(x * rng.integers(0, 9) + y * rng.integers(0, 9)) // rng.integers(1, 9) for _ in range(channels)], -1)
    elif kind == 2:
        palette = rng.integers(0, 256, (rng.integers(1, 40), channels))
        image = palette[rng.integers(0, len(palette), (height, width)) if rng.random() < 0.5 else (x // 7 + y // 5) % len(palette)]
    elif kind == 3:
        image = np.broadcast_to(rng.integers(0, 256, channels), (height, width, channels)).copy()
        for _ in range(rng.integers(0, 6)):
            top, left = rng.integers(0, height), rng.integers(0, width)
            image[top : top + rng.integers(1, 60), left : left + rng.integers(1, 60)] = rng.integers(0, 256, channels)
    elif kind == 4:
        image = np.where(((x // rng.integers(1, 5)) ^ (y // rng.integers(1, 9)))[..., None] & 1, 255, 0) * np.ones(channels, int)
    else:
        top, left = rng.integers(0, PHOTO.shape[0]), rng.integers(0, PHOTO.shape[1])
        image = np.roll(PHOTO, (-top, -left), (0, 1)).astype(int)
        image = np.tile(image, (height // image.shape[0] + 1, width // image.shape[1] + 1, 2))[:height, :width, :channels]
        if kind == 6:
            image = image // rng.integers(1, 60) * rng.integers(1, 5)
    image = (image % 256).astype(np.uint8)
    if channels in (2, 4) and rng.random() < 0.4:
        image[..., -1] = 255
    return image


def size(rng):
    if rng.random() < 0.7:
        return int(rng.integers(1, 80)), int(rng.integers(1, 80))
    return int(rng.integers(1, 900)), int(rng.integers(1, 900))


def visible(image):
    """As RGBA; the colour of what is wholly transparent is nobody's."""
    rgba = np.asarray(image.convert("RGBA")).copy()
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def one(seed):
    rng = np.random.default_rng(seed)
    height, width = size(rng)
    channels = int(rng.integers(1, 5))
    image = content(rng, height, width, channels)
    effort, quality = int(rng.integers(1, 11)), int(rng.integers(0, 101))
    if height * width > 200_000:
        effort = min(effort, 7)
    packer = ip.Packer(threads=int(rng.integers(1, 4)))
    source = Image.fromarray(image.squeeze(-1) if channels == 1 else image, {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels])
    way = rng.integers(0, 5)
    what = f"seed {seed}: {width} x {height} x {channels}, effort {effort}, quality {quality}, way {way}"
    if way <= 1:
        if channels == 1 and rng.random() < 0.3:
            image16 = image[..., 0].astype(np.uint16) * np.uint16(251) + np.uint16(rng.integers(0, 9))
            back = np.asarray(Image.open(io.BytesIO(packer.pack(image16, "png", effort=effort))))
            assert (back == image16).all(), what
            return
        packed = packer.pack(image, "png", effort=effort)
        assert (visible(Image.open(io.BytesIO(packed))) == visible(source)).all(), what
        if rng.random() < 0.3:
            assert bytes(packed) == bytes(ip.Packer(threads=1).pack(image, "png", effort=effort)), what + ": threads"
    elif way == 2:
        packed = packer.pack(image, "webp", quality, effort=min(effort, 6), lossless=True)
        assert (visible(Image.open(io.BytesIO(packed))) == visible(source)).all(), what
    else:
        subsampling = [None, "420", "422", "444"][rng.integers(0, 4)]
        packed = packer.pack(image, "jpeg", quality, effort=effort, subsampling=subsampling)
        back = Image.open(io.BytesIO(packed))
        assert back.size == (width, height), what
        back = np.asarray(back.convert("RGB"), float)
        background = Image.new("RGBA", source.size, (0, 0, 0, 255))
        wanted = np.asarray(Image.alpha_composite(background, source.convert("RGBA")).convert("RGB"), float)
        reference = io.BytesIO()
        Image.fromarray(wanted.astype(np.uint8)).save(
            reference, "JPEG", quality=max(quality, 1), subsampling={None: 2, "420": 2, "422": 1, "444": 0}[subsampling]
        )
        peer = np.asarray(Image.open(reference).convert("RGB"), float)
        ours, theirs = np.mean((back - wanted) ** 2), np.mean((peer - wanted) ** 2)
        # The finer efforts put their error where it is not seen, most so at qualities that nobody uses.
        assert ours <= 4 * theirs + (40 if quality >= 25 else 2500), f"{what}: squared error {ours:.1f}, libjpeg-turbo's {theirs:.1f}, {subsampling}"
        if rng.random() < 0.3:
            alone = ip.Packer(threads=1).pack(image, "jpeg", quality, effort=effort, subsampling=subsampling)
            assert bytes(packed) == bytes(alone), what + ": threads"


def main():
    global PHOTO
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    import conftest

    PHOTO = np.asarray(Image.open(conftest.PHOTO).convert("RGB"))
    start, count = time.monotonic(), 0
    while count == 0 or time.monotonic() - start < seconds:
        one(seed + count)
        count += 1
    print(f"soak: {count} images, all well (seeds {seed} to {seed + count - 1})")


if __name__ == "__main__":
    main()
