"""Manifests and tables of boxes that are changed at random give data, or one line that says what is wrong."""

import random
import shutil

import numpy as np
import pytest
from PIL import Image

import mutations
from wool_tf.data import dataset
from wool_tf.data.annotations import scans
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.naming import CropNaming
from wool_tf.errors import WoolError

pytestmark = pytest.mark.slow
CELLS = (
    "", " ", "defective", "non_defective", "S1", "s_1", "S\u200b1", "1E+03", "a.png", "b.png", "./a.png", "c/d.png",
    "../a.png", "/etc/passwd", "c\\d.png", "a.png\0", "0 0 5 5", "0 0 5 5;1 1", "nan", "1e400", "-1", "3,5", "3.5", "é",
    "e\u0301", "Thumbs.db", '"', "x" * 3000, "=1+1", "#N/A", "D1", "D1+D3", "\ufeff", "scans/a.png", "D3", "20", "S2",
)  # fmt: skip
HEADER = ("path", "label", "group", "defect", "scan", "boxes", "x", "Path", "", "sep=;")
BOXES = ("scan", "sample", "x", "y", "width", "height", "defect", "dark", "bright", "scan")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A few crops that a manifest can name."""
    folder = tmp_path_factory.mktemp("set") / "crops"
    for number, name in enumerate(("a.png", "b.png", "c/d.png", "defective/e.png", "non_defective/f.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20), 10 * number, np.uint8)).save(folder / name)
    return folder


def table(rng: random.Random, columns) -> bytes:
    """A table of odd cells, with perhaps too few of them, in any encoding."""
    header = list(columns[: rng.choice((3, 6, 7, len(columns)))])
    if rng.random() < 0.3:
        rng.shuffle(header)
    delimiter, end = rng.choice(",;\t,"), rng.choice(("\n", "\r\n", "\r", "\n\n"))
    rows = [header, *([rng.choice(CELLS) for _ in header] for _ in range(rng.randrange(8)))]
    for row in rows[1:]:
        if rng.random() < 0.7 and columns is HEADER:
            row[:3] = (
                rng.choice(("a.png", "b.png", "c/d.png")),
                rng.choice(("defective", "non_defective")),
                rng.choice(CELLS),
            )
        if rng.random() < 0.2:
            del row[rng.randrange(len(row) + 1) :]
    text = end.join(delimiter.join(row) for row in rows)
    return text.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16", "latin-1")), errors="replace")


def content(rng: random.Random, columns, whole: bytes) -> bytes:
    how = rng.randrange(3)
    if how == 0:
        return mutations.changed(whole, [whole], rng)
    return table(rng, columns) if how == 1 else mutations.changed(table(rng, columns) or b"a", [whole], rng)


def check_line(error: WoolError) -> None:
    assert "\n" not in str(error) and len(str(error)) < 4_000, str(error)


def test_manifests(folder, tmp_path):
    whole = b"path,label,group,defect,scan,boxes\na.png,defective,S1,D1,x.png,0 0 5 5\nb.png,non_defective,S2,,y.png,\n"

    def attempt(rng: random.Random) -> str:
        (folder / "manifest.csv").write_bytes(content(rng, HEADER, whole))
        naming = rng.choice((CropNaming(), CropNaming(sample_from="(.)"), CropNaming(defective_label=("S1", "D1"))))
        cache = tmp_path / "cache"
        try:
            found = dataset.load(folder, 8, cache, reading=CropReading(rng.choice(("fail", "skip")), naming))
            assert len(found.images) == len(found.labels) == len(found.paths) > 1
            return "read"
        except WoolError as error:
            check_line(error)
            return "refused"
        finally:
            shutil.rmtree(cache, ignore_errors=True)

    mutations.fuzz("manifests", attempt)


def test_tables_of_boxes(folder):
    place = folder.parent / "scans"
    (place / "scans").mkdir(parents=True)
    for name in ("a.png", "b.png", "scans/a.png", "dark.png", "bright.png"):
        Image.fromarray(np.zeros((80, 50), np.uint16)).save(place / name)
    whole = b"scan,sample,x,y,width,height,defect\na.png,S1,10.2,20,4.5,6,D3\nb.png,7,,,,,\n"

    def attempt(rng: random.Random) -> str:
        (place / "annotations.csv").write_bytes(content(rng, BOXES, whole))
        config = scans.ScanConfig(sample_from=rng.choice((None, "(.)")))
        try:
            found = scans.load(place, config)
            assert all(
                0 <= box.x0 < box.x1 <= 50 and 0 <= box.y0 < box.y1 <= 80 for scan in found for box in scan.boxes
            )
            return "read"
        except WoolError as error:
            check_line(error)
            return "refused"

    mutations.fuzz("tables of boxes", attempt)
