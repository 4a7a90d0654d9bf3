"""Many images at once: tensors, lists, files, Arrow, failures, and the encoders for pipelines."""

import asyncio
import concurrent.futures
import multiprocessing
import os
import pickle
import tracemalloc
import types

import numpy as np
import pytest

import image_packer as ip


@pytest.fixture(scope="module")
def tiles(photo):
    """12 images of 96 x 80, N x H x W x C, read-only as Ray's."""
    tiles = np.stack([photo[y : y + 80, x : x + 96] for y in (0, 100, 200) for x in (0, 100, 200, 300)])
    tiles.flags.writeable = False
    return tiles


def test_a_tensor_gives_what_its_images_give(tiles):
    wanted = [bytes(ip.pack(tile, quality=80)) for tile in tiles]
    for threads in (1, 2, 3):
        packed = ip.pack_batch(tiles, quality=80, packer=ip.Packer(threads=threads))
        assert [bytes(one) for one in packed] == wanted
    planes = np.ascontiguousarray(tiles.transpose(0, 3, 1, 2))
    assert [bytes(one) for one in ip.pack_batch(planes, quality=80, layout="NCHW")] == wanted
    assert [bytes(one) for one in ip.pack_batch(tiles[..., ::-1], quality=80, layout="NHWC", order="BGR")] == wanted
    assert [bytes(one) for one in ip.pack_batch(tiles[::-1], quality=80)] == wanted[::-1]
    assert [bytes(one) for one in ip.pack_batch(list(tiles), quality=80)] == wanted


def test_dlpack_versions(tiles, decode):
    class Tensor:
        def __init__(self, array, legacy):
            self.array, self.legacy = array, legacy

        def __dlpack__(self, **more):
            if self.legacy and more:
                raise TypeError("no such argument")
            return self.array.__dlpack__(**more)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    for tensor in Tensor(tiles, legacy=False), Tensor(tiles.copy(), legacy=True):
        packed = ip.pack_batch(tensor, "png")
        assert all((decode(one) == tile).all() for one, tile in zip(packed, tiles)) and len(packed) == len(tiles)
    with pytest.raises(ip.InvalidArgumentError):
        ip.pack_batch(Tensor(tiles[0, 0, 0], legacy=False))


def test_floats(tiles, decode):
    unit = tiles.astype(np.float32) / 255
    for kind, bound in ((np.float32, 0), (np.float16, 1)):
        packed = ip.pack_batch(unit.astype(kind), "png")
        assert max(np.abs(decode(one).astype(int) - tile).max() for one, tile in zip(packed, tiles)) <= bound
    packed = ip.pack_batch(tiles.astype(np.float32), "png", scale=(1 / 255, 0))
    assert all((decode(one) == tile).all() for one, tile in zip(packed, tiles))


def test_a_layout_that_cannot_be_told_is_an_error():
    with pytest.raises(ip.InvalidArgumentError, match="layout"):
        ip.pack_batch(np.zeros((2, 3, 8, 3), np.uint8))
    with pytest.raises(ip.InvalidArgumentError, match="int64"):
        ip.pack_batch(np.zeros((2, 8, 8, 3), np.int64))
    with pytest.raises(ip.InvalidArgumentError, match="'XYZ'"):
        ip.pack_batch(np.zeros((2, 8, 8, 3), np.uint8), layout="XYZ")


def test_one_bad_image_harms_no_other(tiles, decode):
    images = [tiles[0], np.zeros((1, 16384, 3), np.uint8), tiles[1]]
    with pytest.raises(ip.BatchError, match="1 of 3 images failed; image 1: .*16383") as caught:
        ip.pack_batch(images, "webp", lossless=True)
    assert isinstance(caught.value.errors[1], ip.TooLargeError)
    assert (decode(caught.value.results[2]) == tiles[1]).all() and caught.value.results[1] is None
    assert pickle.loads(pickle.dumps(caught.value)).errors.keys() == {1}
    results = ip.pack_batch(images, "webp", lossless=True, errors="return")
    assert isinstance(results[1], ip.TooLargeError) and (decode(results[0]) == tiles[0]).all()


def test_files(tiles, decode, tmp_path):
    names = [f"/somewhere/photo.{index}.tif" for index in range(len(tiles))]
    sizes = ip.pack_batch(tiles, "png", folder=tmp_path, names=names)
    assert sorted(os.listdir(tmp_path)) == sorted(f"out_photo.{index}.png" for index in range(len(tiles)))
    for index, tile in enumerate(tiles):
        file = tmp_path / f"out_photo.{index}.png"
        assert file.stat().st_size == sizes[index] and (decode(file.read_bytes()) == tile).all()
    other = tmp_path / "other"
    other.mkdir()
    ip.pack_batch(tiles[:3], folder=other, names=["a.png"] * 3, same_name="number", prefix="", suffix="_s", extension="jpeg")
    assert len(os.listdir(other)) == 3 and "a_s.jpeg" in os.listdir(other)
    with pytest.raises(ip.Error):
        ip.pack_batch(tiles[:3], folder=other, names=["a.png"] * 3)
    with pytest.raises(ip.Error):
        ip.pack_batch(tiles[:3], folder=other, names=["a.png"] * 2)
    with open(tmp_path / "x", "wb") as first, open(tmp_path / "y", "wb") as second:
        ip.pack_batch(tiles[:2], "png", files=[first, second.fileno()])
    assert (decode((tmp_path / "y").read_bytes()) == tiles[1]).all()


def test_arrow_shares_the_memory(tiles, decode):
    pa = pytest.importorskip("pyarrow")
    array = ip.pack_batch(tiles, "png", arrow=True)
    array.validate(full=True)
    assert array.type == pa.large_binary() and len(array) == len(tiles) and array.null_count == 0
    assert all((decode(one.as_py()) == tile).all() for one, tile in zip(array, tiles))
    images = [tiles[0], np.zeros((1, 16384, 3), np.uint8), tiles[1]]
    array = ip.pack_batch(images, "webp", lossless=True, arrow=True, errors="return")
    array.validate(full=True)
    assert array.null_count == 1 and not array[1].is_valid
    assert (decode(array[2].as_py()) == tiles[1]).all()


def test_progress_cancel_and_asyncio(tiles):
    told = []
    ip.pack_batch(tiles, progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (12, 12)
    noise = np.random.default_rng(5).integers(0, 256, (4, 1500, 1500, 3), np.uint8)
    job = ip.submit_batch(noise, "webp", effort=10, lossless=True)
    assert job.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        job.result(60)
    job = ip.submit_batch(tiles)
    assert len(job.result(60)) == 12 and job.ended == 12 and all(seconds > 0 for seconds in job.seconds())
    packed = asyncio.run(ip.pack_batch_async(tiles))
    assert [bytes(one) for one in packed] == [bytes(one) for one in ip.pack_batch(tiles)]


def test_the_encoder_of_the_samples(tiles, decode, tmp_path):
    ranges = []
    perf = types.SimpleNamespace(push_range=ranges.append, pop_range=lambda: ranges.append("end"))
    encoder = ip.ImageBatchEncoder(tmp_path, 0, perf)
    encoder.start()
    batch = types.SimpleNamespace(batch_idx=0, data=tiles, fileinfo=[f"dir/image.{index}.jpg" for index in range(12)])
    sizes = encoder(batch)
    encoder.join()
    assert ranges == ["encoder.image_packer", "end"]
    assert sorted(os.listdir(tmp_path)) == sorted(f"out_image.{index}.jpg" for index in range(12))
    seen = (tmp_path / "out_image.3.jpg").read_bytes()
    assert len(seen) == sizes[3] and decode(seen).shape == (80, 96, 3)
    # 4:4:4, baseline, the standard Huffman tables: SOF0 with 1x1 samples, DHT of 420 bytes in all.
    frame = seen.index(b"\xff\xc0")
    assert [seen[frame + 11 + 3 * part] for part in range(3)] == [0x11] * 3
    encoder(types.SimpleNamespace(batch_idx=1, data=tiles[:4], fileinfo="one.png"))
    assert (tmp_path / "out_one.jpg").exists()


def test_an_actor_for_ray(tiles, decode):
    actor = pickle.loads(pickle.dumps(ip.ColumnEncoder)) (format="png", keep=False)
    answer = actor({"image": tiles, "label": np.arange(12)})
    assert set(answer) == {"label", "encoded", "error"} and all(reason is None for reason in answer["error"])
    assert all((decode(one) == tile).all() for one, tile in zip(answer["encoded"], tiles))
    ragged = np.empty(3, object)
    ragged[:] = [tiles[0], np.zeros((4, 4, 9), np.uint8), tiles[1][:50]]
    answer = actor({"image": ragged})
    assert (decode(answer["encoded"][2]) == tiles[1][:50]).all() and answer["encoded"][1] is None
    assert "9 channels" in answer["error"][1] and answer["error"][0] is None


def resident(line):
    """A line of /proc/self/status in bytes: VmRSS now, VmHWM at most."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(row.split()[1]) * 1024 for row in status if row.startswith(line))


def measure(arrow):
    """Bytes of resident memory and of Python's that packing a batch takes at most, of its pixels and of its files."""
    images = np.zeros((48, 720, 960, 3), np.uint8)
    images[:] = np.random.default_rng(1).integers(0, 255, images.shape[2:], np.uint8)
    packer = ip.Packer(threads=2)
    ip.pack_batch(images[:4], effort=1, packer=packer, arrow=arrow)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")  # the peak begins anew
    before = resident("VmRSS")
    tracemalloc.start()
    packed = ip.pack_batch(images, effort=1, quality=95, packer=packer, arrow=arrow)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    grown = resident("VmHWM") - before
    return grown, python, images.nbytes, packed.nbytes if arrow else sum(map(len, packed))


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="counts resident memory as Linux tells it")
@pytest.mark.parametrize("arrow", [False, True])
def test_neither_pixels_nor_bytes_are_copied(arrow):
    if arrow:
        pytest.importorskip("pyarrow")
    # In a process of its own: encoders that other tests cancelled may still be on their way out.
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        grown, python, pixels, made = alone.submit(measure, arrow).result(120)
    # Two images at work, and what they became. An arena grows by parts, so it is there up to twice for a moment.
    allowed = 16e6 + made * (2 if arrow else 1)
    assert grown < allowed < pixels, f"{grown} bytes more for {pixels} of pixels and {made} of files"
    assert python < 100_000, f"{python} bytes of Python memory"
