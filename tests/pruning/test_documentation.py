"""What the documentation shows of pruning works as it stands there."""

import doctest
from pathlib import Path

import pytest

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_pruning_from_a_notebook():
    path = Path(__file__).parents[2] / "docs" / "pruning.md"
    outcome = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert outcome.failed == 0
    assert outcome.attempted > 15
