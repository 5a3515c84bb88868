"""Crops that the tests of the scripts share."""

from pathlib import Path

import pytest

import scripts


@pytest.fixture(scope="session")
def crops(tmp_path_factory) -> Path:
    """Sixteen crops in class folders; tests only read them."""
    return scripts.write_crops(tmp_path_factory.mktemp("crops"))
