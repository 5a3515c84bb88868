"""What the tests of annotations share."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """Two black scans of 80 lines by 50 pixels, and two references."""
    (tmp_path / "set" / "scans").mkdir(parents=True)
    for name in ("scans/a.png", "scans/b.png", "dark.png", "bright.png"):
        Image.fromarray(np.zeros((80, 50), np.uint16)).save(tmp_path / "set" / name)
    return tmp_path / "set"


@pytest.fixture
def caplog(caplog):
    """With what the library tells, too."""
    caplog.set_level("INFO", "wool_tf")
    return caplog
