"""All entry points read the variants of image files alike: what the scripts call, and a few by the scripts."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import image_formats
import scripts
from image_variants import dicoms, tiffs
from image_variants.cases import SHAPE, picture
from wool_board.errors import BadFile
from wool_board.image import decoding, folders, scan_files
from wool_tf.audit import nuisance
from wool_tf.belt import layout
from wool_tf.data import crops, native_crops
from wool_tf.data.annotations.scans import ScanConfig, load
from wool_tf.data.crop_reading import CropReading
from wool_tf.errors import WoolError

SIDE = max(SHAPE)


@pytest.fixture(scope="module")
def cases():
    return {case.name: case for case in image_formats.matrix()}


@pytest.fixture(scope="module")
def everything(cases, tmp_path_factory) -> Path:
    """The matrix as defective crops of one sample, with a non-defective one of another."""
    folder = tmp_path_factory.mktemp("crops")
    image_formats.write(cases.values(), folder / "all")
    Image.fromarray(picture(255, seed=9).astype("u1")).save(folder / "clean.png")
    rows = [f"all/{name},defective,A" for name in cases] + ["clean.png,non_defective,B"]
    (folder / "manifest.csv").write_text("\n".join(["path,label,group", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def loaded(everything, tmp_path_factory):
    return native_crops.load(everything, tmp_path_factory.mktemp("cache"), reading=CropReading("skip")).native


def test_training_reads_what_is_listed_and_names_the_others(cases, loaded, everything):
    listed = {f"all/{name}" for name, case in cases.items() if case.crop}
    assert set(loaded.paths) == listed | {"clean.png"}
    skipped = dict(reason.split(" ", 1) for reason in loaded.skipped)
    assert set(skipped) == {f"all/{name}" for name, case in cases.items() if not case.crop}
    for path, reason in skipped.items():
        with pytest.raises(BadFile) as refused:
            decoding.read(everything / path, SIDE)
        assert reason == str(refused.value)


def test_training_and_board_see_the_right_pixels(cases, loaded, everything):
    for path, pixels in zip(loaded.paths, loaded.images, strict=True):
        if path.startswith("all/"):
            shown = Image.fromarray(cases[path.removeprefix("all/")].shown)
            right = np.asarray(shown.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
            np.testing.assert_array_equal(pixels, right)
            np.testing.assert_array_equal(decoding.read(everything / path, SIDE).pixels, right)


def test_the_leak_check_reads_the_heads_of_all_that_is_read(loaded):
    names, _, values = nuisance.features(loaded, np.arange(len(loaded.paths)))
    width, height = (values[:, names.index(name)] for name in ("width", "height"))
    assert set(zip(width.tolist(), height.tolist(), strict=True)) == {SHAPE[::-1]}


def test_a_watched_folder_has_all_of_them(cases, everything):
    found = {Path(entry.path).name for entry in folders.images(str(everything / "all"), pytest.fail, pytest.fail)}
    assert found == set(cases)


def test_annotations_of_scans_name_those_that_are_not_read(cases, everything, tmp_path):
    for case in cases.values():
        folder = tmp_path / case.name
        folder.mkdir()
        shutil.copy(everything / "all" / case.name, folder)
        (folder / "annotations.csv").write_text(f"scan,sample,x,y,width,height,defect\n{case.name},S,,,,,\n")
        if case.scan:
            (scan,) = load(folder, ScanConfig(defects=("D1",), invisible=()))
            assert (scan.lines, scan.width) == SHAPE
            np.testing.assert_array_equal(scan_files.read(folder / case.name, None), case.counts)
        else:
            with pytest.raises(BadFile) as reason:
                scan_files.read(folder / case.name, None)
            # Where nothing but pixels is missing, that shows when they are read.
            if case.group == "PNG, damaged" and case.name.startswith("cut-"):
                assert str(reason.value).startswith("cannot be decoded")
                continue
            with pytest.raises(WoolError) as refused:
                load(folder, ScanConfig(defects=("D1",), invisible=()))
            assert str(reason.value) in str(refused.value)


LINES, WIDTH = 100, 60
COUNTS = np.random.default_rng(0).integers(1000, 2000, (2, LINES, WIDTH), np.uint16)
TABLE = "scan,sample,x,y,width,height,defect\n0{0},A,20,10,5,5,D3\n1{0},B,,,,,\n"
SETTINGS = crops.CropConfig(side=32, frame_lines=40, open_beam=4095)
WRITERS = {
    ".png": lambda counts, file: Image.fromarray(counts).save(file),
    ".tif": lambda counts, file: file.write_bytes(
        tiffs.written(counts, ">", photometric="minisblack", compression="lzw", predictor=2, tile=(16, 32))
    ),
    ".dcm": lambda counts, file: file.write_bytes(dicoms.dicom(counts, stored=12, Rows=LINES, Columns=WIDTH)),
}


def scans(folder: Path, suffix: str) -> Path:
    """A folder of two scans of 12 bits without references, two frames each, with a box in the first one."""
    folder.mkdir()
    for number, counts in enumerate(COUNTS):
        WRITERS[suffix](counts, folder / f"{number}{suffix}")
    (folder / "annotations.csv").write_text(TABLE.format(suffix))
    return folder


def test_crops_of_scans_do_not_depend_on_the_format(tmp_path):
    cut = {}
    for suffix in WRITERS:
        # DICOM says itself where the detector's 12 bits end.
        settings = dataclasses.replace(SETTINGS, open_beam=None) if suffix == ".dcm" else SETTINGS
        crops.write(scans(tmp_path / suffix, suffix), tmp_path / f"crops{suffix}", settings)
        found = sorted((tmp_path / f"crops{suffix}").glob("*/*.png"))
        cut[suffix] = [(file.name, np.asarray(Image.open(file)).tobytes()) for file in found]
    assert len(cut[".png"]) == 2
    assert cut[".png"] == cut[".tif"] == cut[".dcm"]


def turned(folder: Path) -> None:
    """Marks the first scan of a folder of TIFFs as turned."""
    options = {"photometric": "minisblack", "extratags": [(274, "H", 1, 6, True)]}
    (folder / "0.tif").write_bytes(tiffs.written(COUNTS[0], **options))


SAID = "0.tif is to be turned or mirrored when it is shown (orientation 6); save it upright, without that tag"


def test_scans_on_a_belt_are_refused_alike(tmp_path):
    turned(scans(tmp_path / "set", ".tif"))
    with pytest.raises(WoolError) as refused:
        layout.lay(tmp_path / "set", ScanConfig(defects=("D3",), invisible=()), (), 0, 10)
    assert SAID in str(refused.value)


@pytest.mark.parametrize("script", ["crop_scans.py", "stream_scans.py"])
def test_scripts_refuse_a_turned_scan_in_one_line(tmp_path, script):
    turned(scans(tmp_path / "set", ".tif"))
    (tmp_path / "m.tflite").write_bytes(b"never read")
    more = [f"--out={tmp_path / 'crops'}"] if script == "crop_scans.py" else [f"--model={tmp_path / 'm.tflite'}"]
    ran = scripts.check(script, f"--scans={tmp_path / 'set'}", *more)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ") and SAID in line


@pytest.mark.parametrize("script", ["check_leaks.py", "reproduce.py"])
def test_scripts_refuse_planes_in_one_line(cases, tmp_path, script):
    name = "planes-le-8-None-strip.tif"
    for label in ("defective", "non_defective"):
        (tmp_path / "set" / label).mkdir(parents=True)
        Image.fromarray(picture(255, seed=len(label)).astype("u1")).save(tmp_path / "set" / label / "0.png")
    (tmp_path / "set" / "defective" / name).write_bytes(cases[name].content)
    more = [f"--out={tmp_path / 'run'}"] if script == "reproduce.py" else []
    ran = scripts.check(script, f"--data={tmp_path / 'set'}", *more)
    assert ran.returncode == 1
    line = ran.stderr.splitlines()[-1]
    assert f"defective/{name} stores each channel by itself (planar configuration 2)" in line
