"""The examples in docstrings and documents do what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ">>> "

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _with_examples(*patterns: str) -> list[str]:
    paths = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(str(path.relative_to(ROOT)) for path in paths if EXAMPLE in path.read_text(encoding="utf-8"))


MODULES = _with_examples("wool_tf/**/*.py")
DOCUMENTS = _with_examples("*.md", "docs/*.md", "wool_tf/**/*.md")


def test_examples_are_found():
    assert "wool_tf/seeds.py" in MODULES and "wool_tf/networks/spec.py" in MODULES
    assert "docs/pruning.md" in DOCUMENTS


@pytest.mark.parametrize("path", MODULES)
def test_docstrings(path):
    outcome = doctest.testmod(importlib.import_module(path.removesuffix(".py").replace("/", ".")))
    assert outcome.failed == 0
    assert outcome.attempted > 0


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents(path):
    outcome = doctest.testfile(str(ROOT / path), module_relative=False, encoding="utf-8")
    assert outcome.failed == 0
    assert outcome.attempted > 0
