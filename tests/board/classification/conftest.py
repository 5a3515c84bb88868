"""Crops to classify."""

from pathlib import Path

import pytest
from classify_runs import SEEN, save


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve crops in two subfolders, named in the order of `SEEN`."""
    made = tmp_path / "crops"
    for number, pixels in enumerate(SEEN):
        save(made / f"{number // 6}" / f"{number:02}.png", pixels)
    return made
