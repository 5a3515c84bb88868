import csv
import dataclasses
import io
import json
from pathlib import Path

import msgspec
import pytest

from benchmark_sample import model, written
from wool_board.benchmark.document import BenchmarkDocument
from wool_board.machine.board import MachineFacts
from wool_tf import WoolError
from wool_tf.report import boards


def document(*what, **more) -> BenchmarkDocument:
    return msgspec.convert(written(*what, **more), BenchmarkDocument)


PI5_WRITTEN = written(
    "Raspberry Pi 5",
    model("models/float.tflite", 80.0, precision="fp32"),
    model("models/int8.tflite", 20.0, precision="int8", threads=4),
    warnings=("the CPU reached 81 °C\nand more",),
)
PI5 = msgspec.convert(PI5_WRITTEN, BenchmarkDocument)
PI4 = document("Raspberry Pi 4", model("int8.tflite", 50.0, precision=None))


def test_rows_are_compared_with_the_reference():
    found = boards.compare({"a.json": PI5, "b.json": PI4}, reference=2)
    lines = boards.to_text(found).splitlines()
    assert len(lines) == 5
    assert lines[0].split() == [
        *("#", "Board", "Model", "Precision", "Runtime", "Threads", "File"),
        *("p50", "ms", "p95", "ms", "Images/s", "Faster"),
    ]
    cells = [" ".join(line.split()) for line in lines[1:]]
    # 20 ms over 80, 20 and 50.
    assert cells == [
        "1 Raspberry Pi 5 float.tflite fp32 LiteRT 2.3.0 1 11.2 MB 80.0 160 12.5 0.250×",
        "2 Raspberry Pi 5 int8.tflite int8 LiteRT 2.3.0 4 11.2 MB 20.0 40.0 50.0 1.00×",
        "3 Raspberry Pi 4 int8.tflite – LiteRT 2.3.0 1 11.2 MB 50.0 100 20.0 0.400×",
        "warning: Raspberry Pi 5: the CPU reached 81 °C and more",
    ]


@pytest.mark.parametrize("reference", [0, 4])
def test_a_reference_that_is_no_row(reference):
    with pytest.raises(WoolError, match=f"^reference={reference}: must be the number of a row, 1 to 3"):
        boards.compare({"a.json": PI5, "b.json": PI4}, reference)


def test_csv_has_the_numbers_and_the_warnings():
    found = boards.compare({"a.json": PI5, "b.json": PI4}, reference=1)
    rows = list(csv.DictReader(io.StringIO(boards.to_csv(found))))
    assert [float(row["faster"]) for row in rows] == [1, 4, 1.6]
    assert [float(row["p95_ms"]) for row in rows] == [160, 40, 100]
    assert [row["model"] for row in rows] == ["float.tflite", "int8.tflite", "int8.tflite"]
    said = "the CPU reached 81 °C and more"
    assert [row["warnings"] for row in rows] == [said, said, ""]
    assert [row["precision"] for row in rows] == ["fp32", "int8", ""]


def test_markdown_keeps_hostile_names_in_their_cells():
    hostile = document("Pi | <b>5</b>", model("a|b.tflite", 1.0), warnings=("a | *b* <i>",))
    lines = boards.to_markdown(boards.compare({"x.json": hostile}, 1)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3
    bars = [line.replace("\\|", "").count("|") for line in table]
    assert bars == [len(boards.HEADER) + 1] * 3
    assert not any("<b>" in line or "<i>" in line for line in lines)
    assert any("than in row 1" in line for line in lines)
    assert lines[-1].startswith("- Pi ")


def test_no_note_without_warnings():
    assert "Please note" not in boards.to_markdown(boards.compare({"b.json": PI4}, 1))


def test_machines_and_files_of_one_name_are_told_apart():
    twice = document(None, model("a/int8.tflite", 1.0), model("b/int8.tflite", 2.0), model("b/int8.tflite", 2.0))
    once = document(None, model("int8.tflite", 1.0))
    found = boards.compare({"x.json": twice, "y.json": once, "z.json": PI4}, 1)
    assert [row.board for row in found.rows] == ["Cortex-A76 (x.json)"] * 3 + ["Cortex-A76 (y.json)", "Raspberry Pi 4"]
    assert [row.model for row in found.rows] == [f"{name}int8.tflite" for name in ("a/", "b/", "b/", "", "")]


def filed(path: Path, content) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_document_is_read_as_it_was_written(tmp_path):
    found = boards.read(filed(tmp_path / "pi5.json", PI5_WRITTEN))
    assert boards.read(filed(tmp_path / "again.json", dataclasses.asdict(found))) == found
    assert found == PI5 and (found.models[1].threads, found.models[1].p95_ms) == (4, 40.0)
    names = {"board": "Raspberry Pi 5", "cpu": "Cortex-A76", "architecture": "aarch64"}
    assert found.machine == MachineFacts(**names, clock_seen_mhz=(1500, 2400))
    assert boards.read(filed(tmp_path / "more.json", PI5_WRITTEN | {"more": 1})) == PI5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ("\x00\xff", "is not JSON"),
        (
            [],
            "is no document of benchmark.py (Expected `object`, got `array`); measure again",
        ),
        ({}, "(Object missing required field `machine`)"),
        ({"machine": {}, "warnings": [1], "models": []}, "(Expected `str`, got `int` - at `$.warnings[0]`)"),
        ({"machine": {}, "warnings": [], "warm_up_runs": 1, "models": []}, "(models must not be empty)"),
        (PI5_WRITTEN | {"version": 2}, "(version must be 1, got 2); measure again"),
        ({"machine": {}, "warnings": [], "models": {}}, "(Expected `array`, got `object` - at `$.models`)"),
        (written("a", 3), "(Expected `object`, got `int` - at `$.models[0]`)"),
        (written("a", model("a", 1.0), {}), "(Object missing required field `file` - at `$.models[1]`)"),
        (written("a", model("a", 1.0, runtime=None)), "(Expected `str`, got `null` - at `$.models[0].runtime`)"),
        (written("a", model("a", 1.0, p95_ms=None)), "(Expected `float`, got `null` - at `$.models[0].p95_ms`)"),
        (written("a", model("a", 1.0, p95_ms=float("nan"))), "is not JSON"),
        (written("a", model("a", 1.0, threads=True)), "(Expected `int`, got `bool` - at `$.models[0].threads`)"),
        (written("a", model("a", 1.0, bytes=0)), "(bytes must be above 0 - at `$.models[0]`)"),
    ],
)
def test_other_files_are_refused_in_one_line(content, said, tmp_path):
    path = filed(tmp_path / "file.json", content)
    with pytest.raises(WoolError) as refused:
        boards.read(path)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{path}: ") and said in line


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WoolError, match=r"no.json: cannot be read \(No such file or directory\)"):
        boards.read(tmp_path / "no.json")
