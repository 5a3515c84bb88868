"""Every variant of an image file is read as an independent decoder reads it, or refused with a reason."""

import collections
import sys

import numpy as np
import pytest

import image_formats
from image_variants import dicoms
from image_variants.cases import picture
from wool_board.errors import BadFile
from wool_board.image import decoding, references, scan_files


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder, cases = tmp_path_factory.mktemp("variants"), image_formats.matrix()
    image_formats.write(cases, folder)
    assert len({case.name for case in cases}) == len(cases)
    return list(image_formats.outcomes(cases, folder))


def test_no_file_is_read_wrongly(found):
    assert [(one.case.name, one.use) for one in found if one.outcome == "wrong"] == []


def test_what_is_listed_is_read_and_all_else_is_refused(found):
    assert [(one.case.name, one.use, one.reason) for one in found if one.listed != (one.outcome == "equal")] == []


def test_the_matrix_is_large_and_has_both(found):
    counts = collections.Counter((one.use, one.outcome) for one in found)
    assert counts["crop", "equal"] > 350 and counts["crop", "refused"] > 400
    assert counts["scan", "equal"] > 200 and counts["scan", "refused"] > 600
    formats = collections.Counter(one.case.group.split(",")[0] for one in found if one.use == "crop")
    assert formats["TIFF"] > 600 and min(formats[name] for name in ("PNG", "JPEG", "DICOM")) > 80


def test_reasons_are_one_line_and_say_what_to_do(found):
    for one in found:
        if one.outcome == "refused":
            assert "\n" not in one.reason and not one.reason.endswith(".")
            damaged = one.reason.startswith("cannot be decoded (") and one.case.shown is None
            assert damaged or "; " in one.reason, (one.case.name, one.reason)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("turned-le-8-6-None.tif", "is to be turned or mirrored when it is shown (orientation 6); save it upright"),
        ("turned-8-6-be-late.png", "is to be turned or mirrored when it is shown (orientation 6); save it upright"),
        ("turned-0-6-le.jpg", "is to be turned or mirrored when it is shown (orientation 6); save it upright"),
        ("turned-by-note.tif", "is to be turned or mirrored"),
        ("planes-le-8-None-strip.tif", "stores each channel by itself (planar configuration 2)"),
        ("packed-be-12-minisblack-strip.tif", "has 12-bit pixels; save it with 8 or 16 bits"),
        ("i2-le-none.tif", "has signed samples"),
        ("f4-be-predicted.tif", "has 32-bit pixels; save it with 8 or 16 bits"),
        ("rgb-le-16-lzw-strip.tif", "has colours or alpha of 16 bits"),
        ("alpha-le-8-3-unassalpha-clear.tif", "is transparent in places; save it without alpha"),
        ("pages-be.tif", "holds 3 images; give one per file"),
        ("imagej-stack.tif", "holds 2 images"),
        ("pyramid-le.tif", "holds further images within its image"),
        ("sparse-le-16.tif", "leaves out strips or tiles"),
        ("grey-packed-as-lerc.tif", "has a TIFF compression that is not read"),
        ("animation.png", "is an animation"),
        ("cmyk.jpg", "has 4 colour channels"),
        ("12-bits.jpg", "is a JPEG of a rare kind"),
        ("frames.dcm", "holds 2 images"),
        ("slope.dcm", "rescales its values"),
        ("jpeg-2000.dcm", "is compressed (JPEG 2000"),
        ("signed-12.dcm", "has signed samples"),
    ],
)
def test_the_reason_is_that_of_the_file(found, name, said):
    reasons = [one.reason for one in found if one.case.name == name and one.use == "crop"]
    assert len(reasons) == 1 and reasons[0].startswith(said)


def test_the_table_has_the_counts(found):
    lines = image_formats.table(found).splitlines()
    numbers = list(map(int, lines[-1].split()[1:]))
    assert numbers[2] == numbers[5] == 0 and sum(numbers[:3]) == sum(numbers[3:]) == len(found) // 2
    cells = [list(map(int, line[42:].split())) for line in lines[2:-1]]
    np.testing.assert_array_equal(np.sum(cells, axis=0), numbers)


@pytest.mark.parametrize("read", [lambda file: decoding.read(file, 50), lambda file: scan_files.read(file, None)])
def test_without_pydicom_the_extra_is_named(tmp_path, monkeypatch, read):
    (tmp_path / "a.dcm").write_bytes(dicoms.dicom(picture(4095), stored=12))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(BadFile) as refused:
        read(tmp_path / "a.dcm")
    assert str(refused.value) == "is DICOM, which needs pydicom: pip install pydicom, or this package's extra dicom"


def test_a_detector_of_12_bits_saturates_at_4095(tmp_path):
    dark, bright = np.full(picture(4095).shape, 100, np.uint16), np.full(picture(4095).shape, 3000, np.uint16)
    bright[:, 20] = 4095
    for name, counts in (("dark", dark), ("bright", bright)):
        (tmp_path / f"{name}.dcm").write_bytes(dicoms.dicom(counts, stored=12))
    assert scan_files.top(tmp_path / "bright.dcm", None) == 4095
    # Its gain is within what the flat field makes up for: only saturation tells.
    assert references.correction(tmp_path / "dark.dcm", tmp_path / "bright.dcm", None).bad == (20,)
