"""The examples of README.md, as they are there."""

import ast
import asyncio
import inspect
import pathlib
import re
import shutil
import types

import numpy as np
import pyarrow
import pytest
from PIL import Image

import image_packer as ip

HERE = pathlib.Path(__file__).resolve()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (HERE.parents[1] / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S)


class Dataset:
    """As much of Ray's and Spark's tables as the examples use; the real Ray is in test_ray.py."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.done = None

    def read_images(self, folder):
        return self

    def map_batches(self, encoder, fn_constructor_kwargs, batch_size, num_cpus, compute):
        self.done = encoder(**fn_constructor_kwargs)({"image": np.stack([self.pixels] * 3)})
        return self

    def ActorPoolStrategy(self, size):
        return size

    def mapInArrow(self, function, schema):
        row = {"pixels": self.pixels.tobytes(), "height": self.pixels.shape[0], "width": self.pixels.shape[1]}
        [table] = function([pyarrow.RecordBatch.from_pylist([row, row])])
        self.done = table.to_pydict()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0][:40])
def test_example(example, photo, decode, tmp_path, monkeypatch):
    if "heic" in example and "image/heic" not in ip.formats():
        pytest.skip("no HEIC here")
    pixels = np.ascontiguousarray(photo[:48, :64])
    monkeypatch.chdir(tmp_path)
    for registry in ("SAVE", "SAVE_ALL", "EXTENSION"):
        monkeypatch.setattr(Image, registry, dict(getattr(Image, registry)))
    shutil.copy(HERE.parents[3] / "tests" / "data" / "anim.gif", "film.gif")
    ip.pack_to_file(pixels, "photo.jpg")
    if "image/heic" in ip.formats():
        ip.pack_to_file(pixels, "photo.heic")

    table = Dataset(pixels)
    names = {
        "image_packer": ip,
        "numpy": np,
        "pyarrow": pyarrow,
        "pixels": pixels,
        "tensor": np.stack([pixels] * 3),
        "frames": lambda: (np.roll(pixels, 8 * index, 1) for index in range(4)),
        "image": Image.fromarray(pixels),
        "ray": types.SimpleNamespace(data=table),
        "df": table,
    }
    result = eval(compile(example, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.iscoroutine(result):
        asyncio.run(result)

    for name in ("jpeg", "webp"):
        if name in names:
            assert decode(names[name]).shape[:2] == (48, 64)
    if "ds" in names or "mapInArrow" in example:
        column = table.done["encoded" if "ds" in names else "jpeg"]
        assert [decode(image).shape for image in column] == [(48, 64, 3)] * len(column) and len(column) > 1


def test_there_are_examples():
    assert len(EXAMPLES) >= 6
