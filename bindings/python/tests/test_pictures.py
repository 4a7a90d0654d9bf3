"""Pictures, sources, metadata and reports, read back by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

import image_packer as ip


def test_a_picture_carries_its_metadata(photo, decode):
    picture = ip.Picture(photo)
    assert picture.make is None and picture.gps is None and picture.exif is None and picture.orientation == 1
    picture.make, picture.model, picture.copyright = "Maker", "Model 1", "© Someone"
    picture.date = "2024:05:06 07:08:09"
    picture.gps = 48.137, -11.575, 519.0
    picture.density = 300, 150
    report = ip.Report()
    packed = ip.pack(picture, "image/jpeg", 90, properties=True, report=report)
    exif = Image.open(io.BytesIO(packed)).getexif()
    assert exif[271] == "Maker" and exif[272] == "Model 1"
    assert Image.open(io.BytesIO(packed)).info["dpi"] == (300, 150)
    north = exif.get_ifd(0x8825)[2]
    assert abs(float(north[0] + north[1] / 60 + north[2] / 3600) - 48.137) < 1e-5
    assert report.bytes == len(packed) and report.size == (photo.shape[1], photo.shape[0])
    assert report.format == "image/jpeg" and report.codec

    read = ip.Picture.open(packed)
    assert (read.make, read.copyright, read.date) == ("Maker", "© Someone", "2024:05:06 07:08:09")
    assert np.allclose(read.gps, (48.137, -11.575, 519.0), atol=1e-4)
    assert read.main.shape == photo.shape and (np.abs(read.main.astype(int) - decode(packed)) <= 2).all()

    without = ip.pack(picture, "image/jpeg", 90, properties=True, keep_gps=False, report=report)
    assert 0x8825 not in Image.open(io.BytesIO(without)).getexif()
    assert "GPS_REMOVED" in [warning.code for warning in report.warnings]
    assert not Image.open(io.BytesIO(ip.pack(picture, "image/jpeg", 90))).getexif().get(271)


def test_metadata_is_edited_without_encoding_anew(photo, decode, tmp_path):
    packed = ip.pack(photo, "image/jpeg", 85)
    picture = ip.Picture.metadata_of(packed)
    assert picture.main is None
    picture.software = "A program"
    edited = ip.edit_metadata(packed, picture)
    assert Image.open(io.BytesIO(edited)).getexif()[305] == "A program"
    assert (decode(edited) == decode(packed)).all()
    path = tmp_path / "photo.jpg"
    path.write_bytes(packed)
    ip.edit_metadata(path, picture, path)
    assert path.read_bytes() == bytes(edited)
    with pytest.raises(ip.InvalidArgumentError):
        ip.edit_metadata(ip.pack(photo[:8, :8], "gif"), picture)


def test_sources_go_everywhere_pixels_go(photo, decode, tmp_path):
    source = ip.Source(ip.pack(photo, "png"))
    assert source.format == "image/png" and source.size == (photo.shape[1], photo.shape[0]) and source.frame_count == 1
    assert (source.decode() == photo).all()
    webp = ip.pack(source, "webp", lossless=True)
    assert (decode(webp, "RGB") == photo).all()
    assert bytes(ip.reencode(bytes(ip.pack(photo, "png")), "webp", lossless=True)) == bytes(webp)
    assert bytes(ip.submit(source, "webp", lossless=True).result()) == bytes(webp)
    ip.pack_to_file(source, tmp_path / "photo.webp", lossless=True)
    assert (tmp_path / "photo.webp").read_bytes() == bytes(webp)
    assert [bytes(file) for file in ip.pack_batch([source, photo, ip.Picture(photo)], "webp", lossless=True)] == [bytes(webp)] * 3
    with pytest.raises(ip.BadDataError):
        ip.pack(ip.Source(bytes(ip.pack(photo, "png"))[:2000]), "jpeg")


def test_gain_maps_survive(photo):
    picture = ip.Picture(photo)
    given = np.full((photo.shape[0] // 2, photo.shape[1] // 2), 200, np.uint8)
    given[:50] = 30
    picture.set_auxiliary("gain_map", given)
    picture.gain_map = ip.GainMap(alternate_headroom=2.0, gain_max=(2.0, 2.0, 2.0))
    packed = ip.pack(picture, "image/jpeg", 95)
    read = ip.Picture.open(packed)
    assert np.isclose(read.gain_map.alternate_headroom, 2.0, atol=1e-3) and np.allclose(read.gain_map.gain_max, 2.0, atol=1e-3)
    seen = read.auxiliary("gain_map")
    assert seen.shape[:2] == given.shape and np.abs(seen.reshape(*given.shape, -1)[..., 0].astype(int) - given).mean() < 2
    assert read.auxiliary("depth") is None
    picture.set_auxiliary("gain_map", None)
    assert ip.Picture.open(ip.pack(picture, "jpeg")).gain_map is None
    with pytest.raises(ip.InvalidArgumentError, match="none of"):
        picture.auxiliary("thumbnail")


def test_borrowed_memory_lives_as_long_as_the_picture(decode):
    pixels = np.full((400, 300, 3), 77, np.uint8)
    picture = ip.Picture(pixels)
    del pixels
    junk = [np.full((400, 300, 3), 5, np.uint8) for _ in range(8)]
    assert (decode(ip.pack(picture, "png"), "RGB") == 77).all() and junk


def test_a_deadline_stops_a_pack(photo):
    large = np.tile(photo, (8, 8, 1))
    with pytest.raises(ip.CancelledError):
        ip.pack(large, "png", effort=10, timeout=0.001)


def test_a_limit_of_bytes_lowers_the_quality(photo):
    report = ip.Report()
    packed = ip.pack(photo, "jpeg", 95, max_bytes=30_000, report=report)
    assert 25_000 < len(packed) <= 30_000 and report.quality < 95
    assert bytes(packed) == bytes(ip.pack(photo, "jpeg", report.quality))
    with pytest.raises(ip.Error, match="1000"):
        ip.pack(photo, "jpeg", max_bytes=1000)


def test_colours_are_converted_where_that_is_asked_for(decode):
    red = np.full((8, 8, 3), (200, 30, 60), np.uint8)
    report = ip.Report()
    kept = Image.open(io.BytesIO(ip.pack(red, "png", cicp=(12, 13))))
    assert kept.convert("RGB").getpixel((0, 0)) == (200, 30, 60) and kept.info.get("icc_profile")
    packed = ip.pack(red, "png", cicp=(12, 13), color="srgb", report=report)
    seen = Image.open(io.BytesIO(packed))
    assert seen.convert("RGB").getpixel((0, 0))[0] > 210 and not seen.info.get("icc_profile")
    assert [warning.code for warning in report.warnings] == ["COLOR_CONVERTED"]
    with pytest.raises(ip.InvalidArgumentError):
        ip.pack(red, "png", color="adobe")


def test_an_hdr_rendition_becomes_a_gain_map_and_light_again():
    sdr = np.full((32, 32, 3), 128, np.uint8)
    light = np.full((32, 32, 4), 0.2158605, np.float32)
    light[:, 16:, :3] *= 16
    light[..., 3] = 1
    picture = ip.Picture(sdr)
    picture.set_hdr_rendition(light, cicp=(1, 8))
    packed = ip.pack(picture, "jpeg", 95)
    read = ip.Picture.open(packed)
    assert read.gain_map is not None and read.provenance is False
    hdr = read.hdr
    assert hdr.shape == (32, 32, 4)
    assert np.allclose(hdr[4:-4, 4:12, :3], 0.2158605, rtol=0.05) and np.allclose(hdr[4:-4, 20:-4, :3], 3.453768, rtol=0.05)
    assert np.allclose(read.hdr_at(0)[4:-4, 20:-4, :3], 0.2158605, rtol=0.05)
    picture.set_hdr_rendition(None)
    assert ip.Picture.open(ip.pack(picture, "jpeg")).gain_map is None


def test_the_level_of_light_goes_into_the_file():
    pixels = np.full((8, 8, 3), 40000, np.uint16)
    packed = bytes(ip.pack(pixels, "png", cicp=(9, 16), light_level=(1200, 300), settings={"hdr.form": "signal"}))
    at = packed.index(b"cLLI")
    assert [int.from_bytes(packed[at + 4 + i : at + 8 + i], "big") for i in (0, 4)] == [12000000, 3000000]


def test_animations_carry_metadata():
    frames = [np.full((8, 8, 3), value, np.uint8) for value in (0, 100, 200)]
    about = ip.Picture(frames[0])
    about.copyright, about.gps = "Someone", (48.1, 11.6, None)
    report = ip.Report()
    file = ip.pack_animation(frames, "webp", metadata=about, report=report, timeout=60)
    assert Image.open(io.BytesIO(file)).getexif()[33432] == "Someone" and report.format == "image/webp"
    again = ip.Picture.metadata_of(ip.pack_animation(ip.Source(file), "apng", properties=True, keep_gps=False))
    assert again.copyright == "Someone" and again.gps is None
    assert ip.Picture.metadata_of(ip.pack_animation(ip.Source(file), "apng")).copyright is None
