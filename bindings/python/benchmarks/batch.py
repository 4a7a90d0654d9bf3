"""python batch.py [PHOTO]: a batch on all cores beside what a data engineer would write: a pool of threads around one call.

Quality 75, 4:4:4. Peers are measured where they are installed: pip install pillow simplejpeg opencv-python-headless torchvision
"""

import concurrent.futures
import io
import os
import pathlib
import sys
import time

import numpy as np
from PIL import Image

import image_packer

CORES = len(os.sched_getaffinity(0))
OPTIONS = {"quality": 75, "subsampling": "444", "effort": 1}
DEFAULT = pathlib.Path(__file__).resolve().parents[3] / "examples" / "data" / "astronaut.png"


def pillow():
    def encode(image):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=75, subsampling=0)

    return encode


def simplejpeg():
    import simplejpeg

    return lambda image: simplejpeg.encode_jpeg(image, quality=75, colorspace="RGB", colorsubsampling="444")


def opencv():
    import cv2

    cv2.setNumThreads(1)
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return lambda image: cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75, *sampling])


def torchvision():
    """4:2:0, for it has nothing else on the CPU: less work than the others do."""
    import torch
    from torchvision.io import encode_jpeg

    torch.set_num_threads(1)
    return lambda image: encode_jpeg(torch.from_numpy(image).permute(2, 0, 1), quality=75)


def best(work, rounds=3):
    """Wall and processor seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(times)


def batches(photo):
    """256 images of 512 x 512 and 64 of 1920 x 1080, as tensors."""
    wide = np.tile(photo, (1080 // photo.shape[0] + 1, 1920 // photo.shape[1] + 1, 1))[:1080, :1920]
    tiles = [wide[y : y + 512, x : x + 512] for y in range(0, 568, 71) for x in range(0, 1408, 88)]
    yield "256 x 512x512", np.stack((tiles * 2)[:256])
    yield "64 x 1920x1080", np.stack([np.roll(wide, 7 * shift, 0) for shift in range(64)])


def main():
    photo = np.asarray(Image.open(sys.argv[1] if len(sys.argv) > 1 else DEFAULT).convert("RGB"))
    print(f"{CORES} cores; seconds of wall (processor) time; ratios of wall time, the peer's over ours")
    for name, images in batches(photo):
        alone = image_packer.Packer(threads=1)
        single = best(lambda: [alone.pack(image, **OPTIONS) for image in images])
        ours = best(lambda: image_packer.pack_batch(images, layout="NHWC", **OPTIONS))
        print(f"{name}: batch {ours[0]:.3f} ({ours[1]:.3f}); single calls on one thread {single[0]:.3f},", end=" ")
        print(f"speed per core {single[0] / ours[0] / CORES:.2f} of that")
        for peer in pillow, simplejpeg, opencv, torchvision:
            try:
                encode = peer()
            except ImportError:
                print(f"  {peer.__name__}: not installed")
                continue
            with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
                theirs = best(lambda: list(pool.map(encode, images)))
            print(f"  {peer.__name__} in a pool: {theirs[0]:.3f} ({theirs[1]:.3f}), {theirs[0] / ours[0]:.2f} x")


if __name__ == "__main__":
    main()
