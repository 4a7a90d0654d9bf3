"""One image: every kind of input, into memory and files, read back by Pillow."""

import ctypes
import io
import os
import pickle
import struct
import threading
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageCms

import image_packer as ip

LOSSLESS = [("image/png", {}), ("image/webp", {"lossless": True})]


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("format", ["image/jpeg", "image/webp", "image/heic"])
def test_a_photograph_survives_lossy_formats(photo, decode, format):
    if format not in ip.formats():
        pytest.skip(f"{format} cannot be written here")
    packed = ip.pack(photo, format, quality=90)
    assert isinstance(packed, memoryview) and packed.readonly and len(packed) < photo.size / 4
    if format == "image/heic":
        assert bytes(packed[4:8]) == b"ftyp"  # Pillow reads no HEIC
        return
    assert psnr(decode(packed, "RGB"), photo) > 34


@pytest.mark.parametrize("format, more", LOSSLESS)
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_every_number_of_channels_is_exact(decode, format, more, channels):
    rng = np.random.default_rng(1)
    shape = (37, 53) if channels is None else (37, 53, channels)
    pixels = rng.integers(0, 256, shape, np.uint8)
    if channels in (2, 4):
        pixels[..., -1] |= 1  # the colour of wholly transparent pixels is nobody's
    seen = decode(ip.pack(pixels, format, **more), "RGBA")
    if channels in (None, 1):
        gray = pixels.reshape(37, 53)
        assert (seen[..., :3] == gray[..., None]).all() and (seen[..., 3] == 255).all()
    elif channels == 2:
        assert (seen[..., :3] == pixels[..., :1]).all() and (seen[..., 3] == pixels[..., 1]).all()
    else:
        assert (seen[..., :channels] == pixels).all()


def test_views_are_read_where_they_are(photo, decode):
    for view in [photo[5:200:3], photo[:, 7:90], photo[::-1], photo[:, ::-2], photo[10:11, 3:4], photo.transpose(1, 0, 2)]:
        assert (decode(ip.pack(view, "png")) == view).all()


def test_order_and_layout(photo, decode):
    bgr = photo[..., ::-1]
    assert (decode(ip.pack(bgr, "png", order="BGR")) == photo).all()
    chw = np.ascontiguousarray(photo.transpose(2, 0, 1))
    assert (decode(ip.pack(chw, "png", layout="CHW")) == photo).all()
    with pytest.raises(ip.InvalidArgumentError, match="channels"):
        ip.pack(chw, "png")


def test_deep_samples_keep_their_bits(decode):
    deep = (np.arange(64 * 48, dtype=np.uint16) * 21).reshape(48, 64)
    assert (np.asarray(Image.open(io.BytesIO(ip.pack(deep, "png")))) == deep).all()


def test_floats_are_0_to_1(decode):
    ramp = np.linspace(-0.5, 1.5, 64 * 16, dtype=np.float32).reshape(16, 64)
    ramp[3, 5] = np.nan
    expected = np.rint(np.clip(np.nan_to_num(ramp, nan=0.0), 0, 1) * 255)
    for kind in (np.float16, np.float32, np.float64):
        given = ramp.astype(kind)
        wanted = np.rint(np.clip(np.nan_to_num(given.astype(np.float32), nan=0.0), 0, 1) * np.float32(255))
        assert (decode(ip.pack(given, "png"), "L") == wanted).all()
    assert expected.max() == 255
    assert (decode(ip.pack(ramp > 0.5, "png"), "L") == np.where(ramp > 0.5, 255, 0)).all()


def test_light_is_tone_mapped_when_cicp_says_so(decode):
    # Linear light in BT.709 primaries: SDR white is 1.0 and stays white.
    light = np.zeros((8, 8, 3), np.float32)
    light[:4] = 1.0
    seen = decode(ip.pack(light, "png", cicp=(1, 8), sdr=True), "RGB")
    assert seen[0, 0].min() > 200 and seen[7, 7].max() < 5


def test_pillow_images_of_every_mode(photo, decode):
    image = Image.fromarray(photo[:64, :80])
    for mode in ["RGB", "L", "LA", "RGBA", "P", "1", "CMYK", "YCbCr", "I;16"]:
        given = image.convert("L").convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
        seen = Image.open(io.BytesIO(ip.pack(given, "png")))
        wanted = given.convert("RGB") if mode in ("CMYK", "YCbCr", "P") else given
        if mode == "I;16":
            assert (np.asarray(seen) == np.asarray(given)).all()
        else:
            assert (np.asarray(seen.convert("RGBA")) == np.asarray(wanted.convert("RGBA"))).all(), mode


def test_buffers_and_dlpack(photo, decode):
    small = np.ascontiguousarray(photo[:40, :50])
    assert (decode(ip.pack(memoryview(small), "png")) == small).all()
    raw = ip.pack(small.tobytes(), "png", pixel_format="RGB_888", size=(50, 40))
    assert (decode(raw) == small).all()

    class Tensor:
        """As torch's: DLPack alone."""

        def __dlpack__(self, **more):
            return small.__dlpack__(**more)

        def __dlpack_device__(self):
            return small.__dlpack_device__()

    assert (decode(ip.pack(Tensor(), "png")) == small).all()
    nv12 = np.full(64 * 48 * 3 // 2, 128, np.uint8)
    assert decode(ip.pack(nv12, "jpeg", pixel_format="nv12", size=(64, 48))).shape == (48, 64, 3)
    read_only = small.copy()
    read_only.flags.writeable = False
    assert (decode(ip.pack(read_only, "png")) == small).all()


def test_options_reach_the_encoder(photo, decode):
    assert len(ip.pack(photo, quality=40)) < len(ip.pack(photo, quality=90))
    assert len(ip.pack(photo, "png", effort=9)) < len(ip.pack(photo, "png", effort=1))
    assert Image.open(io.BytesIO(ip.pack(photo, density=(300, 300)))).info["dpi"] == (300, 300)
    assert len(ip.pack(photo, subsampling="420")) < len(ip.pack(photo, subsampling="444"))
    clear = np.zeros((16, 16, 4), np.uint8)
    assert abs(decode(ip.pack(clear, background="#ff8000"))[8, 8].astype(int) - (255, 128, 0)).max() <= 3
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    again = Image.open(io.BytesIO(ip.pack(photo, icc_profile=profile)))
    assert again.info["icc_profile"] == profile
    assert ip.pack(photo, "webp", settings={"webp.sharp_yuv": True}) != ip.pack(photo, "webp")


def test_mistakes_are_exceptions_with_numbers(photo):
    with pytest.raises(ip.InvalidArgumentError, match="quality 101") as caught:
        ip.pack(photo, quality=101)
    assert caught.value.status == 401 and isinstance(caught.value, ValueError)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), ip.InvalidArgumentError)
    with pytest.raises(ip.UnknownFormatError, match="image/nothing"):
        ip.pack(photo, "nothing")
    with pytest.raises(ip.TooLargeError, match="16383"):
        ip.pack(np.zeros((1, 16384), np.uint8), "webp")
    with pytest.raises(TypeError, match="'qualty'"):
        ip.pack(photo, qualty=3)
    with pytest.raises(TypeError, match="list"):
        ip.pack([1, 2, 3])
    with pytest.raises(ip.InvalidArgumentError, match="int64"):
        ip.pack(np.zeros((4, 4), np.int64))
    with pytest.raises(ip.InvalidArgumentError):
        ip.pack(np.zeros((4, 4, 4, 3), np.uint8))
    with pytest.raises(ip.InvalidArgumentError):
        ip.pack(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(ip.OutOfMemoryError, match="memory|limit"):
        ip.Packer(memory_limit=1000).pack(photo, "webp")


def test_files(photo, decode, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    ip.pack_to_file(photo, path)
    assert (decode(path.read_bytes()) == photo).all()
    with open(tmp_path / "b.bin", "wb") as file:
        file.write(b"head")
        ip.pack_to_file(photo, file, "png")
    whole = (tmp_path / "b.bin").read_bytes()
    assert whole[:4] == b"head" and (decode(whole[4:]) == photo).all()
    fd = os.open(tmp_path / "c.jpg", os.O_RDWR | os.O_CREAT)
    ip.pack_to_file(photo, fd, "jpeg", 90)
    os.close(fd)
    assert psnr(decode((tmp_path / "c.jpg").read_bytes()), photo) > 34
    with pytest.raises(ip.FileError) as caught:
        ip.pack_to_file(photo, tmp_path / "no" / "such.png")
    assert isinstance(caught.value, OSError)
    with pytest.raises(ip.InvalidArgumentError, match="xyz"):
        ip.pack_to_file(photo, tmp_path / "a.xyz")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.bin", "c.jpg"]


def test_progress_and_stop(photo):
    told = []
    ip.pack(photo, "png", progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0
    with pytest.raises(ip.CancelledError):
        ip.pack(photo, "png", progress=lambda done: False)

    def broken(done):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ip.pack(photo, "png", progress=broken)


def test_reencode(photo, decode, tmp_path):
    png = ip.pack(photo, "png")
    (tmp_path / "a.png").write_bytes(png)
    assert (decode(ip.reencode(png, "webp", lossless=True), "RGB") == photo).all()
    assert psnr(decode(ip.reencode(tmp_path / "a.png", "jpeg", 90)), photo) > 34
    with pytest.raises(ip.BadDataError):
        ip.reencode(bytes(png)[:2000], "jpeg")


def test_nothing_is_copied():
    big = np.zeros((2000, 2000, 3), np.uint8)
    big[::7] = 90
    ip.pack(big[:8], "png", effort=1)
    tracemalloc.start()
    packed = ip.pack(big, "png", effort=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000, f"{peak} bytes of Python memory for {big.nbytes} in and {len(packed)} out"
    # The bytes are the library's own: the address stays while the view lives.
    first = ctypes.c_char.from_buffer_copy(packed[:1]).value
    assert first == b"\x89"


def test_threads_share_one_packer(photo):
    wanted = bytes(ip.pack(photo))
    results = []
    threads = [threading.Thread(target=lambda: results.append(bytes(ip.pack(photo)) == wanted)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
    assert bytes(pickle.loads(pickle.dumps(ip.Packer(threads=1))).pack(photo)) == wanted


def test_formats_tell_what_they_can():
    assert {"lossless", "alpha", "metadata", "deep"} <= ip.features("png") and "lossy" not in ip.features("image/png")
    assert ip.features("image/none") == frozenset()
    assert any(text.startswith("webp.sharp_yuv:") for text in ip.settings("webp")) and ip.settings("image/none") == ()


def test_hdr_says_the_display_it_was_made_on():
    pixels = np.full((8, 8, 3), 40000, np.uint16)
    points = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
    more = dict(cicp=(9, 16), settings={"hdr.form": "signal"}, light_level=(900, 300))
    png = bytes(ip.pack(pixels, "png", mastering_display=(points, 1000, 0.005), **more))
    at = png.index(b"mDCV") + 4
    numbers = [round(point * 50000) for point in points]
    assert struct.unpack(">8H2I", png[at : at + 24]) == (*numbers, 10000000, 50)
    assert b"mDCV" not in bytes(ip.pack(pixels, "png", **more))
    with pytest.raises(ip.InvalidArgumentError, match="3 chromaticities"):
        ip.pack(pixels, mastering_display=((1, 2, 3), 1000, 0), **more)
