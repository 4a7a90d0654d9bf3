import io
import pathlib

import numpy as np
import pytest
from PIL import Image

PHOTO = pathlib.Path(__file__).resolve().parents[3] / "examples" / "data" / "astronaut.png"


@pytest.fixture(scope="session")
def photo():
    """A real photograph, height x width x RGB."""
    return np.asarray(Image.open(PHOTO).convert("RGB"))


@pytest.fixture(scope="session")
def decode():
    """What Pillow, an independent decoder, sees in encoded bytes."""

    def read(encoded, mode=None):
        image = Image.open(io.BytesIO(encoded))
        image.load()
        return np.asarray(image.convert(mode) if mode else image)

    return read
