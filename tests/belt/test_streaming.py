"""Scans on a belt, streamed into a program, and what it rejects judged by hand-made truth."""

import dataclasses
import json
import logging
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fake_feed
from wool_board.image import references
from wool_board.image.scan_files import LineFormat
from wool_tf import WoolError
from wool_tf.belt import layout, scoring, streaming
from wool_tf.belt.scoring import DefectCounts, InspectionFigures, MemoryQuarters, MemoryUse
from wool_tf.belt.streaming import InspectionLog, StreamRun
from wool_tf.data.annotations.scans import Box, ScanConfig

WIDTH, GAP = 40, 30
CONFIG = ScanConfig(defects=("D1", "D3"), invisible=("D4",))
FLAGS = {"config": CONFIG, "samples": (), "limit": 0, "gap": GAP}


def write_scans(folder: Path) -> Path:
    """Two scans of 100 and 80 lines, product in a part of them; a defect and an invisible one in the first."""
    rng = np.random.default_rng(0)
    (folder / "scans").mkdir(parents=True)

    def save(name: str, attenuation: np.ndarray) -> None:
        counts = 1000 + 20000 * np.exp(-attenuation) + rng.normal(0, 20, attenuation.shape)
        Image.fromarray(np.rint(counts).astype(np.uint16)).save(folder / name)

    save("dark.png", np.full((20, WIDTH), 50.0))
    save("bright.png", np.zeros((20, WIDTH)))
    images, annotations = [], []
    for number, lines in enumerate((100, 80), start=1):
        attenuation = np.zeros((lines, WIDTH))
        attenuation[20:60, 5:35] = 0.4
        save(f"scans/{number}.png", attenuation)
        about = {"id": number, "file_name": f"scans/{number}.png", "sample": f"S{number}"}
        images.append(about | {"dark": "dark.png", "bright": "bright.png"})
    for number, (box, kind) in enumerate((([10, 30, 6, 4], 1), ([20, 50, 6, 4], 3), ([8, 25, 2, 2], 2)), start=1):
        annotations.append({"id": number, "image_id": 1 if number < 3 else 2, "bbox": box, "category_id": kind})
    categories = [{"id": number, "name": name} for number, name in ((1, "D1"), (2, "D3"), (3, "D4"))]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    return write_scans(tmp_path_factory.mktemp("scans"))


def test_scans_lie_one_behind_the_other_with_air_between(scans):
    laid = layout.lay(scans, **FLAGS)
    assert (laid.starts, laid.lines, laid.width, laid.type) == ((30, 160), 30 + 100 + 30 + 80 + 30, WIDTH, "uint16le")
    assert laid.boxes == (Box(10, 60, 16, 64, "D1"), Box(8, 185, 10, 187, "D3"))
    assert laid.product_lines == 80
    counts = np.concatenate(list(laid.counts()))
    assert counts.shape == (laid.lines, WIDTH)
    for start, name in zip(laid.starts, ("1", "2"), strict=True):
        scan = np.asarray(Image.open(scans / "scans" / f"{name}.png"))
        np.testing.assert_array_equal(counts[start : start + len(scan)], scan)
    # Air is that of the bright reference, which is shorter than two gaps.
    assert abs(counts[:30].mean() - 21000) < 20 and abs(counts[130:160].mean() - 21000) < 20


def test_some_of_the_scans(scans):
    assert [scan.sample for scan in layout.lay(scans, **FLAGS | {"samples": ["S2"]}).scans] == ["S2"]
    assert [scan.sample for scan in layout.lay(scans, **FLAGS | {"limit": 1}).scans] == ["S1"]
    with pytest.raises(WoolError, match="samples=S3: is the sample of no scan in .*, which has S1"):
        layout.lay(scans, **FLAGS | {"samples": ["S1", "S3"]})


def without_references(folder: Path) -> None:
    document = json.loads((folder / "annotations.json").read_text())
    for image in document["images"]:
        del image["dark"], image["bright"]
    (folder / "annotations.json").write_text(json.dumps(document))


def test_references_may_be_given_beside_the_annotations(scans, tmp_path):
    folder = write_scans(tmp_path / "scans")
    without_references(folder)
    named = dataclasses.replace(CONFIG, dark=folder / "dark.png", bright=folder / "bright.png")
    ours, theirs = layout.lay(folder, **FLAGS | {"config": named}), layout.lay(scans, **FLAGS)
    assert ours.product_lines == theirs.product_lines and ours.boxes == theirs.boxes
    np.testing.assert_array_equal(np.concatenate(list(ours.counts())), np.concatenate(list(theirs.counts())))
    assert ours.references(tmp_path) == (folder / "dark.png", folder / "bright.png")


@pytest.mark.parametrize(
    ("kind", "top", "given"),
    [
        (np.uint16, 65535, {}),
        (np.uint16, 20000, {"open_beam": 20000.0}),
        (np.uint16, 3900, {"white": 3900}),
        (np.uint16, 4095, {"bits": 12}),
        (np.uint8, 255, {}),
        (np.uint8, 255, {"bits": 12}),
    ],
)
def test_scans_without_references_pass_as_those_of_a_detector_without_flaws(tmp_path, kind, top, given):
    folder = write_scans(tmp_path / "scans")
    without_references(folder)
    transmission = np.exp(-np.linspace(0, 2, 100 * WIDTH).reshape(100, WIDTH))
    for number, lines in enumerate((100, 80), start=1):
        counts = np.rint(top * transmission[:lines]).astype(kind)
        Image.fromarray(counts).save(folder / f"scans/{number}.png")
    config = dataclasses.replace(CONFIG, **given)
    laid = layout.lay(folder, **FLAGS | {"config": config})
    dark, bright = laid.references(tmp_path)
    read = references.correction(dark, bright, LineFormat(WIDTH, laid.type), LineFormat(WIDTH, laid.type))
    counts = np.concatenate(list(laid.counts()))
    assert read.bad == () and counts.dtype == np.dtype("<u2") and counts.max() < 65535
    # What the program of the board will see is what crops are cut of; air has lines that differ, and no attenuation.
    shown = read.attenuation(counts)
    # The mean of this air is half a count below the open beam.
    off = 0.5 / (top * laid.scale) + 1e-4
    assert np.abs(shown[GAP : GAP + 100] + np.log(np.rint(top * transmission) / top)).max() < off
    assert np.abs(shown[:GAP]).max() < 1e-3 and (counts[: GAP - 1] != counts[1:GAP]).all()


def test_raw_scans_and_references_of_the_other_byte_order(scans, tmp_path):
    folder = write_scans(tmp_path / "scans")
    document = (folder / "annotations.json").read_text().replace(".png", ".raw")
    (folder / "annotations.json").write_text(document)
    for file in folder.rglob("*.png"):
        file.with_suffix(".raw").write_bytes(np.asarray(Image.open(file)).astype(">u2").tobytes())
        file.unlink()
    config = dataclasses.replace(CONFIG, raw=LineFormat(WIDTH, "uint16be"))
    ours, theirs = layout.lay(folder, **FLAGS | {"config": config}), layout.lay(scans, **FLAGS)
    assert ours.type == "uint16le"
    assert b"".join(part.tobytes() for part in ours.counts()) == b"".join(part.tobytes() for part in theirs.counts())
    for file, name in zip(ours.references(tmp_path), ("dark", "bright"), strict=True):
        assert file.read_bytes() == np.asarray(Image.open(scans / f"{name}.png")).tobytes()


def test_scans_that_differ_are_no_belt(tmp_path):
    folder = write_scans(tmp_path / "scans")
    without_references(folder)
    Image.fromarray(np.full((80, WIDTH), 200, np.uint8)).save(folder / "scans/2.png")
    with pytest.raises(WoolError, match="must all have the same width, type and two references"):
        layout.lay(folder, **FLAGS)
    assert layout.lay(folder, **FLAGS | {"samples": ["S\u200b1"]}).width == WIDTH


ECHO = """
import json, sys
print(json.dumps({"event": "start", "flags": sys.argv[1:]}), flush=True)
data = sys.stdin.buffer.read()
print(json.dumps({"event": "summary", "bytes": len(data), "sum": sum(data[::997]), "along_mm": 0}))
"""


def echo(tmp_path, text: str = ECHO) -> Path:
    program = tmp_path / "echo.py"
    program.write_text(text)
    return program


@pytest.mark.parametrize("speed", [0.0, 4.0])
def test_every_line_is_written_at_the_speed_that_is_asked_for(scans, tmp_path, speed, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "wool_tf")
    laid = layout.lay(scans, **FLAGS)
    monkeypatch.setattr(streaming, "SAY_SECONDS", 0.01)
    run = streaming.stream(laid, echo(tmp_path), Path("a.tflite"), 200, speed, 700)
    twice = np.concatenate([*laid.counts(), *laid.counts(), *laid.counts()])[:700].tobytes()
    assert (run.lines, run.said.summary["bytes"], run.said.summary["sum"]) == (700, len(twice), sum(twice[::997]))
    flags = run.said.start["flags"]
    assert flags[0] == "a.tflite" and f"--dark={scans / 'dark.png'}" in flags and "--width=40" in flags
    assert ("--recorded" in flags) == (speed == 0)
    if speed:
        assert run.seconds >= 700 / 800
    assert run.memory[0][0] == 0 and run.memory[0][1] > 1
    told = caplog.messages
    assert told == [] or "of 700 lines, " in told[0]
    assert told or not speed


def test_a_program_that_fails_is_named(scans, tmp_path):
    program = echo(tmp_path, "import sys\nsys.exit('echo.py: no such model')")
    with pytest.raises(WoolError, match=r"^echo\.py: ended with status 1: no such model$"):
        streaming.stream(layout.lay(scans, **FLAGS), program, Path("a"), 200, 0, 100)
    crashing = echo(tmp_path, "raise ValueError('no')")
    with pytest.raises(WoolError, match="echo.py: ended with status 1: ValueError: no$"):
        streaming.stream(layout.lay(scans, **FLAGS), crashing, Path("a"), 200, 0, 100)


TILE, _ = fake_feed.tile(1)[0]


def reject(number: int, along: tuple, across: tuple = (0, 32), latency: float = 100.0) -> dict:
    told = {"across_mm": list(across), "latency_mm": latency, "latency_ms": 2 * latency}
    return fake_feed.reject(number, *along)[0] | told


def said(*events: dict) -> InspectionLog:
    found = InspectionLog()
    levels = [[8, 8], [16, 8], [16, 16]]
    found.append({"event": "start", "pixel_mm": 0.8, "levels_mm": levels, "stated_latency": {"mm": 900, "ms": 720}})
    for event in events:
        found.append(event)
    summary = {"tiles": 7, "latency_ms": None, "lost_lines": 0, "thinned": 2, "peak_memory_mb": 60.0, "along_mm": 216.0}
    found.append({"event": "summary", **summary})
    return found


def judged(scans, *events) -> InspectionFigures:
    return scoring.judge(layout.lay(scans, **FLAGS), StreamRun(said(*events), 270, 2.0, 0.01, ()))


def test_a_reject_finds_the_boxes_whose_middle_it_holds(scans):
    # D1 is in the middle at element 13 and line 62, D3 at 9 and 186; a pixel is 0.8 mm.
    middle = reject(1, (61 * 0.8, 63 * 0.8), (12 * 0.8, 14 * 0.8))
    found = judged(scans, middle)
    assert found.defects == {"D1": DefectCounts(1, 0, 1), "D3": DefectCounts(1, 0, 0), "all": DefectCounts(2, 0, 1)}
    assert (found.rejects, found.false_rejects, found.false_mm) == (1, 0, 0)
    # It touches the box but does not hold its middle: neither found nor false.
    beside = judged(scans, reject(1, (60 * 0.8, 64 * 0.8), (14 * 0.8, 20 * 0.8)))
    assert beside.defects["all"].found == 0 and beside.false_rejects == 0


def test_a_box_is_looked_at_if_a_tile_holds_its_middle(scans):
    # D1 is in the middle at element 13 and line 62, D3 at 9 and 186; a pixel is 0.8 mm.
    tile = TILE | {"along_mm": [40 * 0.8, 63 * 0.8], "across_mm": [0.0, 14 * 0.8]}
    found = judged(scans, tile, tile | {"along_mm": [187 * 0.8, 200 * 0.8]})
    assert [found.defects[name].looked_at for name in ("D1", "D3", "all")] == [1, 0, 1]


def test_false_rejects_per_metre_of_product(scans):
    # 80 lines of product are 64 mm; 10 lines, told twice in part, are 8 mm.
    false = reject(3, (80.0, 88.0)), reject(4, (84.0, 88.0)), reject(5, (84.0, 88.0), latency=901)
    found = judged(scans, *false)
    assert found.product_m == 0.06
    assert found.false_rejects == round(3 / 0.064, 4)
    assert found.false_mm == 8 / 0.064 == 125
    assert found.rejected_share == 0.125
    assert found.reject_latency_mm.max == 901


def test_parts_of_a_reject_count_as_one(scans):
    parts = reject(1, (40.0, 60.0)), reject(1, (56.0, 80.0))
    found = judged(scans, *parts)
    assert (found.rejects, found.false_rejects, found.defects["D1"].found) == (1, 0, 1)


def test_what_no_event_accounts_for_is_forgotten(scans):
    tile, air = TILE | {"along_mm": [40.0, 72.0]}, fake_feed.air(0.0, 40.0)[0]
    unseen, whole = fake_feed.unseen(80.0, 100.0)[0], fake_feed.air(100.0, 216.0)[0]
    figures = judged(scans, air, tile, tile, unseen, whole)
    assert (figures.forgotten_mm, figures.unseen_mm) == (8.0, 20.0)
    assert judged(scans, air).forgotten_mm == 176.0
    assert judged(scans, air, TILE | {"along_mm": [39.9, 216.0]}).forgotten_mm == 0


def test_alarms_levels_and_memory(scans):
    late, _ = fake_feed.alarm("late")
    events = late, late, {"event": "overlap", "level": 2}, {"event": "overlap", "level": 1}
    memory = tuple(enumerate([50.0, 60.0, 61.0, 61.0, 61.0, 61.0, 61.0, math.nan, 62.0]))
    run = dataclasses.replace(StreamRun(said(*events), 270, 2.0, 0.01, memory), lines=540)
    figures = scoring.program_figures(run)
    assert (figures.late, figures.alarms, figures.thinnest, figures.thinned) == (2, ("late",), (2, 2), 2)
    assert figures.memory_mb == MemoryQuarters(MemoryUse(55.0, 60.0), MemoryUse(61.5, 62.0))
    assert (figures.lines_per_second, figures.longest_write_ms) == (270.0, 10.0)
    assert figures.reject_latency_mm is None


def test_neither_keras_nor_tensorflow_is_imported():
    import subprocess

    code = (
        "import sys; import wool_tf.belt.layout, wool_tf.belt.scoring, wool_tf.belt.streaming\n"
        "sys.exit(' '.join({'keras', 'tensorflow', 'tf_keras'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
