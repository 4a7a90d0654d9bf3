"""Tensors of CUDA devices, in a process of their own that finds test doubles of the driver and of nvJPEG."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import image_packer as ip

HERE = pathlib.Path(__file__).resolve().parent
FAKE = HERE.parents[2] / "tests" / "c" / "fake_cuda.c"


@pytest.mark.skipif(shutil.which("cc") is None or not FAKE.exists(), reason="needs a C compiler and a checkout")
def test_device_tensors(tmp_path):
    driver, nvjpeg = tmp_path / "libcuda.so.1", tmp_path / "libnvjpeg.so.12"
    command = ["cc", "-shared", "-fPIC", "-std=gnu11", str(FAKE)]
    subprocess.run([*command, "-o", driver, "-Wl,-soname,libcuda.so.1", "-pthread"], check=True)
    subprocess.run([*command, "-DFAKE_NVJPEG", "-o", nvjpeg, "-Wl,-soname,libnvjpeg.so.12", driver], check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "on_device.py")]
    ran = subprocess.run(tests, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_without_a_driver_the_message_names_it():
    probe = "import ctypes; ctypes.CDLL('libcuda.so.1')"
    if subprocess.run([sys.executable, "-c", probe], capture_output=True).returncode == 0:
        pytest.skip("this machine has one")
    from image_packer._library import check, ffi, lib

    shape, place, memory = [1, 4, 4, 3], ffi.new("ImageTensor **"), np.zeros(48, np.uint8)
    with pytest.raises(ip.InvalidArgumentError, match="libcuda.so.1"):
        check(
            lib.image_tensor_create_on_device(
                lib.IMAGE_DEVICE_CUDA, 0, ffi.from_buffer(memory), 48, 0, lib.IMAGE_TENSOR_UINT8,
                lib.IMAGE_LAYOUT_NHWC, shape, ffi.NULL, 4, ffi.NULL, ffi.NULL, place,
            )
        )
