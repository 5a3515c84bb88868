"""Files that are written whole: what else stands at their place is left as it is."""

import os
import threading

import pytest

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
