"""Futures and asyncio."""

import asyncio
import concurrent.futures
import os

import numpy as np
import pytest

import image_packer as ip


def test_futures_give_what_calls_give(photo, tmp_path):
    wanted = bytes(ip.pack(photo, "png"))
    jobs = [ip.submit(photo, "png") for _ in range(6)]
    assert all(bytes(job.result(60)) == wanted for job in concurrent.futures.as_completed(jobs))
    assert jobs[0].progress == 1.0 and not jobs[0].cancel()
    assert ip.submit(photo, file=tmp_path / "a.png").result(60) is None
    assert (tmp_path / "a.png").read_bytes() == wanted
    fd = os.open(tmp_path / "b.png", os.O_RDWR | os.O_CREAT)
    job = ip.submit(photo, "png", file=fd)
    os.close(fd)
    job.result(60)
    assert (tmp_path / "b.png").read_bytes() == wanted


def test_mistakes_come_at_once_or_in_the_future(photo, tmp_path):
    with pytest.raises(ip.InvalidArgumentError, match="quality 101"):
        ip.submit(photo, quality=101)
    with pytest.raises(ip.FileError, match="a.png"):
        ip.submit(photo, file=tmp_path / "no" / "a.png")
    job = ip.submit(np.zeros((1, 16384), np.uint8), "webp")
    assert isinstance(job.exception(60), ip.TooLargeError) and "16383" in str(job.exception())


def test_cancel_stops_the_encoder():
    noise = np.random.default_rng(3).integers(0, 256, (3000, 3000, 3), np.uint8)
    job = ip.submit(noise, "webp", effort=10, lossless=True)
    assert job.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        job.result(60)
    assert job.cancelled() and job.cancel()


def test_progress_of_a_job(photo):
    told = []
    ip.submit(photo, "png", progress=told.append).result(60)
    assert told == sorted(told) and told[-1] == 1.0

    def broken(done):
        raise KeyError("mine")

    assert isinstance(ip.submit(photo, "png", progress=broken).exception(60), KeyError)


def test_asyncio(photo, tmp_path):
    async def main():
        turns = 0

        async def spin():
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        other = asyncio.create_task(spin())
        first, second, _ = await asyncio.gather(
            ip.pack_async(photo, "png"), ip.pack_async(photo), ip.pack_to_file_async(photo, tmp_path / "a.webp")
        )
        other.cancel()
        assert bytes(first) == bytes(ip.pack(photo, "png")) and bytes(second) == bytes(ip.pack(photo))
        assert turns > 0 and (tmp_path / "a.webp").stat().st_size > 1000
        with pytest.raises(ip.UnknownFormatError):
            await ip.pack_async(photo, "nothing")
        noise = np.random.default_rng(3).integers(0, 256, (3000, 3000, 3), np.uint8)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ip.pack_async(noise, "webp", effort=10, lossless=True), 0.2)

    asyncio.run(main())
