"""python single.py [PHOTO]: one image, pixels in memory to bytes in memory, beside the libraries that people use.

One thread; processor time of the median of pairs taken in turn, and bytes, ours over the peer's. JPEG at quality 75 and 4:2:0, WebP at
quality 75. Peers are measured where they are installed: pip install pillow opencv-python-headless pyvips[binary] skia-python simplejpeg
"""

import io
import os
import pathlib
import statistics
import sys
import time

os.environ.setdefault("VIPS_CONCURRENCY", "1")

import numpy as np
from PIL import Image

import image_packer

DEFAULT = pathlib.Path(__file__).resolve().parents[3] / "examples" / "data" / "astronaut.png"
#: Ours, by a name to print: format and the arguments that matter.
CASES = [
    ("JPEG, effort 1", "jpeg", {"effort": 1, "subsampling": "420"}),
    ("JPEG, default", "jpeg", {"subsampling": "420"}),
    ("PNG, effort 1", "png", {"effort": 1}),
    ("PNG, default", "png", {}),
    ("WebP, effort 1", "webp", {"effort": 1}),
    ("WebP, default", "webp", {}),
]


def pillow(format):
    more = {"jpeg": {"quality": 75, "subsampling": 2}, "png": {}, "webp": {"quality": 75}}[format]

    def encode(pixels):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format.upper(), **more)
        return file.getvalue()

    return encode


def opencv(format):
    import cv2

    cv2.setNumThreads(1)
    more = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 75, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420],
        "png": [],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, 75],
    }[format]
    return lambda pixels: cv2.imencode("." + format, pixels, more)[1]


def libvips(format):
    import pyvips

    saves = {"jpeg": (".jpg", {"Q": 75, "subsample_mode": "on"}), "png": (".png", {}), "webp": (".webp", {"Q": 75})}
    suffix, more = saves[format]

    def encode(pixels):
        height, width, bands = pixels.shape
        return pyvips.Image.new_from_memory(pixels, width, height, bands, "uchar").write_to_buffer(suffix, **more)

    return encode


def skia(format):
    import skia

    kind = {"jpeg": skia.kJPEG, "png": skia.kPNG, "webp": skia.kWEBP}[format]

    def encode(pixels):
        rgba = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        image = skia.Image.fromarray(rgba, skia.kRGBA_8888_ColorType)
        begin = time.process_time()
        encoded = image.encodeToData(kind, 75 if format != "png" else 100)
        # Making RGBA of RGB is not the encoder's work.
        encode.seconds = time.process_time() - begin
        return encoded.bytes()

    return encode


def simplejpeg(format):
    import simplejpeg

    if format != "jpeg":
        raise ImportError
    return lambda pixels: simplejpeg.encode_jpeg(pixels, quality=75, colorspace="RGB", colorsubsampling="420")


def seconds(encode, pixels):
    begin = time.process_time()
    encoded = encode(pixels)
    return getattr(encode, "seconds", time.process_time() - begin), len(encoded)


def main():
    photo = np.ascontiguousarray(Image.open(sys.argv[1] if len(sys.argv) > 1 else DEFAULT).convert("RGB"))
    packer = image_packer.Packer(threads=1)
    height, width, _ = photo.shape
    print(f"{width} x {height}; processor time in ms, and ours over the peer's: time, bytes")
    for name, format, more in CASES:
        def ours(pixels):
            return packer.pack(pixels, format, 75, **more)

        print(f"{name}:")
        for peer in simplejpeg, opencv, pillow, libvips, skia:
            try:
                encode = peer(format)
            except ImportError:
                continue
            pairs = [(seconds(ours, photo), seconds(encode, photo)) for _ in range(7)]
            time_ratio = statistics.median(mine[0] / theirs[0] for mine, theirs in pairs)
            (_, mine), (_, theirs) = pairs[0]
            times = [statistics.median(pair[side][0] for pair in pairs) * 1000 for side in (0, 1)]
            print(f"  {peer.__name__:10} {times[0]:8.1f} {times[1]:8.1f}   {time_ratio:5.2f} {mine / theirs:6.3f}")


if __name__ == "__main__":
    main()
