"""Bytes that are no image, or one no longer, are read or refused in one line, as a crop and as a scan."""

import os
import random

import numpy as np
import pytest

import image_formats
import mutations
from wool_board.errors import BadFile
from wool_board.image import decoding, scan_files

pytestmark = pytest.mark.slow
MAGIC = (b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"\xff\xd8\xff", b"\0" * 128 + b"DICM")


@pytest.fixture(scope="module")
def files():
    return [(case.name, case.content) for case in image_formats.matrix()]


def looked_at(path, rng):
    """What becomes of a file as a crop and as a scan."""
    outcomes = []
    for use in ("crop", "scan"):
        try:
            if use == "crop":
                found = np.asarray(decoding.read_grey(path, rng.choice((None, 1023, 3900, 65535))))
                assert found.dtype == np.uint8 and found.ndim == 2 and found.size
                decoding.crop_size(path)
            else:
                found = scan_files.read(path, None)[:]
                assert found.dtype.kind == "u" and found.itemsize in (1, 2) and found.ndim == 2 and found.size
                assert found.max() <= scan_files.top(path, None) and scan_files.size(path, None) == found.shape[::-1]
            outcomes.append(f"{use} read")
        except BadFile as flaw:
            reason = str(flaw)
            assert "\n" not in reason and len(reason) < 300 and "Error" not in reason, reason
            outcomes.append(f"{use} refused")
    return ", ".join(outcomes)


def test_changed_files(files, tmp_path, capfd):
    contents = [content for _, content in files]

    def attempt(rng: random.Random) -> str:
        name, content = rng.choice(files)
        path = tmp_path / f"a{os.path.splitext(name)[1]}"
        path.write_bytes(mutations.changed(content, contents, rng))
        outcome = looked_at(path, rng)
        assert capfd.readouterr().err == ""
        return outcome

    mutations.fuzz("changed image files", attempt)


def test_random_bytes(tmp_path, capfd):
    def attempt(rng: random.Random) -> str:
        path = tmp_path / f"a{rng.choice(scan_files.IMAGES)}"
        path.write_bytes(rng.choice((b"", *MAGIC)) + rng.randbytes(rng.choice((0, 1, 7, 30, 300, 3000))))
        outcome = looked_at(path, rng)
        assert capfd.readouterr().err == ""
        return outcome

    mutations.fuzz("random bytes", attempt)
