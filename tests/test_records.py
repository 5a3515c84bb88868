import os

import pytest

from wool_tf import records
from wool_tf.errors import WoolError


def test_round_trip(tmp_path):
    path = tmp_path / "a" / "b.json"
    records.write(path, {"x": [1, 2.5, None]})
    assert records.read(path) == {"x": [1, 2.5, None]}
    assert os.listdir(path.parent) == ["b.json"]


NOT_FINITE = (b'{"x": NaN}', b'{"x": [-Infinity]}', b'{"x": 1e999}')
"""What Python reads as JSON, though it is none, and cannot be written again."""


@pytest.mark.parametrize("content", [None, b"", b'{"x": 1', b"\xff\xfe", *NOT_FINITE])
def test_missing_or_damaged_is_not_done(tmp_path, content):
    path = tmp_path / "r.json"
    if content is not None:
        path.write_bytes(content)
    assert records.read(path) is None


@pytest.mark.parametrize("content", NOT_FINITE)
def test_a_document_with_numbers_that_are_not_finite_is_damaged(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(WoolError, match="r.json: is damaged; run the study again"):
        records.load(tmp_path / "r.json", "study")


def test_a_failed_write_leaves_the_old_record(tmp_path):
    path = tmp_path / "r.json"
    records.write(path, {"x": 1})
    with pytest.raises(ValueError):
        records.write(path, {"x": float("nan")})
    assert records.read(path) == {"x": 1}


def test_no_place_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WoolError, match="cannot be written .*choose another folder"):
        records.write(tmp_path / "file" / "r.json", {})


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk(monkeypatch, tmp_path):
    real = open
    monkeypatch.setattr("builtins.open", lambda path, mode="r": real("/dev/full", mode))
    with pytest.raises(WoolError, match="No space left"):
        records.write(tmp_path / "r.json", {"x": 1})
    assert records.read(tmp_path / "r.json") is None
