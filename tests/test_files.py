"""Files that are written whole: what else stands at their place is left as it is."""

import os
import threading
from pathlib import Path

import pytest

from wool_board import atomic_file
from wool_tf import files
from wool_tf.errors import Unwritable


def test_a_link_stays_a_link_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "old.json").write_bytes(b"old")
    (tmp_path / "link.json").symlink_to(tmp_path / "there" / "old.json")
    files.write(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "there" / "old.json").read_bytes() == b"new"
    assert os.listdir(tmp_path / "there") == ["old.json"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    files.write(tmp_path / "pipe", b"content")
    reader.join(timeout=10)
    assert found == [b"content"] and (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path):
    # By a link: were it replaced, the device of this machine would not be.
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(Unwritable, match=r"full: cannot be written \(No space left on device\)"):
        files.write(tmp_path / "full", b"content")
    assert not os.path.isfile("/dev/full")


def test_a_link_to_an_empty_folder_stays_one_and_what_it_points_to_is_filled(tmp_path):
    (tmp_path / "disk").mkdir()
    for target in ("disk", "new/er"):
        (tmp_path / "link").symlink_to(tmp_path / target)
        assert atomic_file.folder_flaw(tmp_path / "link") is None
        with atomic_file.folder(tmp_path / "link") as partial:
            (partial / "file").write_text(target)
        assert (tmp_path / "link").is_symlink() and (tmp_path / target / "file").read_text() == target
        (tmp_path / "link").unlink()
    assert sorted(os.listdir(tmp_path)) == ["disk", "new"]


def test_a_folder_that_cannot_be_replaced_is_known_beforehand(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "here")
    for path in (Path("."), tmp_path / "here", tmp_path / "link"):
        assert atomic_file.folder_flaw(path) == "is the folder in which this runs; give another one"
    assert (
        atomic_file.folder_flaw(Path("/proc")) == "is a disk of its own, which cannot be replaced; give a folder on it"
    )
