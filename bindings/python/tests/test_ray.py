"""The actor inside a real, local Ray; skipped where Ray is not installed (pip install "ray[data]")."""

import os

import numpy as np
import pytest

import image_packer as ip

os.environ.setdefault("RAY_AUTH_MODE", "disabled")
pytestmark = pytest.mark.filterwarnings("default")


def test_map_batches(photo, decode):
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init(include_dashboard=False, num_cpus=2, logging_level="error", log_to_driver=False)
    try:
        tiles = [photo[y : y + 64, 3 * y : 3 * y + 64] for y in range(40)]
        rows = [{"id": index, "image": tile} for index, tile in enumerate(tiles)]
        rows.append({"id": 40, "image": np.zeros((8, 8, 7), np.uint8)})
        done = (
            ray.data.from_items(rows, override_num_blocks=4)
            .map_batches(
                ip.ColumnEncoder,
                fn_constructor_kwargs={"format": "png"},
                batch_size=16,
                num_cpus=1,
                compute=ray.data.ActorPoolStrategy(size=2),
            )
            .take_all()
        )
        by_id = {row["id"]: row for row in done}
        assert len(by_id) == 41
        for index, tile in enumerate(tiles):
            assert by_id[index]["error"] is None and (decode(by_id[index]["encoded"]) == tile).all()
        assert by_id[40]["encoded"] is None and "7 channels" in by_id[40]["error"]
    finally:
        ray.shutdown()
