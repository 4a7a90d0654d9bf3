"""Run by test_device.py where the library finds test doubles of the CUDA driver and of nvJPEG."""

import ctypes
import types

import numpy as np
import pytest

import image_packer as ip


class Control(ctypes.Structure):
    """FakeControl of tests/c/fake_cuda.h."""

    _fields_ = [
        ("reset", ctypes.CFUNCTYPE(None, ctypes.c_int)),
        ("calls", ctypes.CFUNCTYPE(ctypes.c_int)),
        ("call", ctypes.c_void_p),
        ("live", ctypes.CFUNCTYPE(ctypes.c_int)),
        ("pushed", ctypes.CFUNCTYPE(ctypes.c_int)),
        ("memory", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)),
        ("stream", ctypes.CFUNCTYPE(ctypes.c_void_p)),
        ("produce", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)),
    ]


driver = ctypes.CDLL("libcuda.so.1")
driver.fake_cuda_control.restype = ctypes.POINTER(Control)
control = driver.fake_cuda_control().contents


class Tensor(ctypes.Structure):
    """DLManagedTensorVersioned."""

    _fields_ = [
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("flags", ctypes.c_uint64),
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("dimensions", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    ]


class Cuda:
    """What a framework's device tensor looks like: DLPack, and memory that the host cannot read."""

    deleted = 0

    def __init__(self, array, device=0):
        self.shape, self.dtype, self.device = array.shape, f"cuda.{array.dtype}", device
        self.array = np.ascontiguousarray(array)
        self.streams = []

    def __dlpack_device__(self):
        return 2, self.device

    def __dlpack__(self, *, stream=None, max_version=None):
        self.streams.append(stream)
        memory = control.memory(self.array.nbytes)
        # Ready when the consumer's stream comes to it, and not before.
        control.produce(stream, memory, self.array.ctypes.data, self.array.nbytes)
        kind = {"u": 1, "f": 2}[self.array.dtype.kind]
        shape = (ctypes.c_int64 * len(self.shape))(*self.shape)
        device, version = (ctypes.c_int32 * 2)(2, self.device), (ctypes.c_uint32 * 2)(1, 0)
        bits = self.array.itemsize * 8
        Cuda.alive = Tensor(version, None, self.delete, 0, memory, device, len(shape), kind, bits, 1, shape, None, 0)
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(Cuda.alive), b"dltensor_versioned", None)

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def delete(_tensor):
        Cuda.deleted += 1


@pytest.fixture
def images():
    random = np.random.default_rng(5)
    Cuda.deleted = 0
    yield random.integers(0, 255, (3, 48, 64, 3), np.uint8)
    assert control.pushed() == 0


def test_nvjpeg_encodes_and_the_producer_is_waited_for(images):
    tensor = Cuda(images)
    job = ip.submit_batch(tensor, quality=90, effort=1, subsampling="444", layout="NHWC")
    packed = [bytes(image) for image in job.result()]
    assert tensor.streams == [1]
    assert all(text.startswith(b"quality 90 encoding c0 huffman 0 sampling 0 format 5 size 64x48") for text in packed)
    assert len(set(packed)) == 3
    reports = [job.report(index) for index in range(3)]
    assert [report.backend for report in reports] == ["nvjpeg"] * 3
    assert [report.bytes for report in reports] == [len(text) for text in packed]
    assert reports[0].codec == "nvJPEG 12.4.1" and reports[0].warnings == []
    assert Cuda.deleted == 1


@pytest.mark.parametrize("more", [{"device": "cpu", "effort": 1}, {"effort": 5}, {"format": "png"}])
def test_the_cpu_encodes_what_it_would_have_encoded(images, more):
    job = ip.submit_batch(Cuda(images), layout="NHWC", **more)
    assert [bytes(image) for image in job.result()] == [bytes(image) for image in ip.pack_batch(images, layout="NHWC", **more)]
    assert job.report(0).backend == "cpu"
    floats = (images / 255).astype(np.float32).transpose(0, 3, 1, 2)
    wanted = ip.pack_batch(floats, layout="NCHW", **more)
    assert [bytes(image) for image in ip.pack_batch(Cuda(floats), layout="NCHW", **more)] == [bytes(image) for image in wanted]


def test_a_list_may_hold_both(images):
    job = ip.submit_batch([images[0], Cuda(images[1])], effort=1)
    there = bytes(job.result()[1])
    assert there.startswith(b"quality 75") and job.report(0).backend == "cpu" and job.report(1).backend == "nvjpeg"


def test_what_the_gpu_cannot_do_is_an_error_where_it_is_demanded(images):
    with pytest.raises(ip.BatchError, match="image/png is not encoded there"):
        ip.pack_batch(Cuda(images), "png", device="gpu", layout="NHWC")
    with pytest.raises(ip.BatchError, match="not in its memory"):
        ip.pack_batch(images, device="gpu", layout="NHWC")
    with pytest.raises(ip.InvalidArgumentError, match="none of auto, cpu, gpu"):
        ip.pack_batch(images, device="cuda", layout="NHWC")


def test_a_driver_that_fails_leaves_the_work_to_the_cpu(images):
    packer = ip.Packer(threads=1)
    ip.pack_batch(Cuda(images), effort=1, layout="NHWC", packer=packer)
    control.reset(12)  # within nvJPEG's work on the first image
    job = ip.submit_batch(Cuda(images), effort=1, layout="NHWC", packer=packer)
    job.result()
    control.reset(0)
    backends = sorted(job.report(index).backend for index in range(3))
    assert backends == ["cpu", "nvjpeg", "nvjpeg"]
    warnings = [warning for index in range(3) for warning in job.report(index).warnings]
    assert [warning.code for warning in warnings] == ["DEVICE_FAILED"]


def test_the_encoder_of_a_pipeline_is_for_its_device(images, tmp_path):
    batch = types.SimpleNamespace(data=Cuda(images, device=1), fileinfo=["a/x.png", "a/y.png", "a/z.png"])
    with pytest.raises(ip.InvalidArgumentError, match="device 1; this encoder is for device 0"):
        ip.ImageBatchEncoder(tmp_path)(batch)
    for device_id in (1, None):
        sizes = ip.ImageBatchEncoder(tmp_path, device_id=device_id, preset="cvcuda_05")(batch)
        written = [(tmp_path / f"out_{name}.jpg").read_bytes() for name in "xyz"]
        assert [len(text) for text in written] == sizes and written[0].startswith(b"quality 95 encoding c0 huffman 0 sampling 0")
    # The host's pixels are encoded where they are.
    batch.data = images
    ip.ImageBatchEncoder(tmp_path, device_id=1)(batch)
    assert (tmp_path / "out_x.jpg").read_bytes().startswith(b"\xff\xd8")
