"""Images through Ray Data: encodes a data set with actors and times it beside Ray's own write_images.

    pip install "ray[data]" && python ray_data.py [IMAGES]
"""

import os
import sys
import tempfile
import time

os.environ.setdefault("RAY_AUTH_MODE", "disabled")

import numpy as np
import ray

import image_packer


def dataset(count: int, side: int = 512) -> ray.data.Dataset:
    """Smooth images with some noise, made inside Ray."""

    def paint(batch):
        rng = np.random.default_rng(int(batch["id"][0]))
        y, x = np.mgrid[0:side, 0:side]
        base = np.stack([x // 2, y // 2, (x + y) // 4], -1) % 256
        images = [np.clip(base + rng.integers(-9, 9, base.shape), 0, 255).astype(np.uint8) for _ in batch["id"]]
        return {"image": np.stack(images), "id": batch["id"]}

    return ray.data.range(count, override_num_blocks=8).map_batches(paint, batch_size=32).materialize()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    ray.init(include_dashboard=False, num_cpus=2, logging_level="error", log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    images = dataset(count)
    for actors in (1, 2):
        start = time.perf_counter()
        encoded = images.map_batches(
            image_packer.ColumnEncoder,
            fn_constructor_kwargs={"quality": 75, "effort": 1},
            batch_size=32,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=actors),
        ).materialize()
        seconds = time.perf_counter() - start
        rows = encoded.take_all()
        assert len(rows) == count and all(bytes(row["encoded"][:2]) == b"\xff\xd8" for row in rows)
        assert all(row["error"] is None for row in rows)
        print(f"image_packer, {actors} actor(s): {count / seconds:6.0f} images/s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        images.write_images(folder, column="image", file_format="jpeg")
        print(f"Ray's own write_images:      {count / (time.perf_counter() - start):6.0f} images/s")


if __name__ == "__main__":
    main()
