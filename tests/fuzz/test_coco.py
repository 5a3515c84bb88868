"""COCO files that are changed at random give scans, or one line that says what is wrong."""

import json
import random

import numpy as np
import pytest
from PIL import Image

import mutations
from wool_tf.data.annotations import scans
from wool_tf.errors import WoolError

pytestmark = pytest.mark.slow
RLE = {"counts": "x", "size": [80, 50]}
REFERENCES = {"dark": "d.png", "bright": "e.png"}
DOCUMENT = {
    "info": {"year": 2024},
    "images": [
        {"id": 1, "file_name": "a.png", "width": 50, "height": 80, "sample": "S1"} | REFERENCES,
        {"id": "2", "file_name": "x/b.png", "width": "50", "height": 80.0, "sample": 7} | REFERENCES,
        {"id": 3, "file_name": "/data/local-files/?d=x%2Fc.png", "extra": {"name": "S3_c.png"}} | REFERENCES,
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [10.2, 20.0, 4.5, 6], "attributes": {"rotation": 30.0}},
        {"id": 2, "image_id": 2.0, "category_id": "1", "segmentation": [[1, 2, 10, 2, 10, 9]]},
        {"image_id": 1, "category_id": 1, "bbox": ["1", "2", "3", "4"], "segmentation": RLE},
    ],
    "categories": [{"id": 1, "name": "D1"}, {"id": 3, "name": "D3"}, {"id": 9, "name": "scratch"}],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "x").mkdir()
    for name in ("a.png", "x/b.png", "x/c.png", "d.png", "e.png"):
        Image.fromarray(np.zeros((80, 50), np.uint16)).save(tmp_path / name)
    return tmp_path


def test_coco(folder):
    plain = json.dumps(DOCUMENT, indent=1).encode()

    def attempt(rng: random.Random) -> str:
        content = mutations.as_json(mutations.reshaped(DOCUMENT, rng))
        if rng.random() < 0.3:
            content = mutations.changed(plain, [content], rng)
        (folder / rng.choice(("annotations.json", "export.json"))).write_bytes(content)
        config = scans.ScanConfig(defects=("D1", "D3"), sample_from=rng.choice((None, "(S.)", "(.)")))
        try:
            found = scans.load(folder, config)
            assert all(
                0 <= box.x0 < box.x1 <= 50 and 0 <= box.y0 < box.y1 <= 80 for scan in found for box in scan.boxes
            )
            return "read"
        except WoolError as error:
            assert "\n" not in str(error) and len(str(error)) < 4_000, str(error)
            return "refused"
        finally:
            for name in ("annotations.json", "export.json"):
                (folder / name).unlink(missing_ok=True)

    mutations.fuzz("COCO", attempt)
