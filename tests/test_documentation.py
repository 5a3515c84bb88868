"""The examples in docstrings and documents do what they show."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ">>> "

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _with_examples(*patterns: str) -> list[str]:
    paths = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(str(path.relative_to(ROOT)) for path in paths if EXAMPLE in path.read_text(encoding="utf-8"))


MODULES = _with_examples("wool_tf/**/*.py", "tflite/**/*.py", "experiments/*.py")
PATTERNS = "*.md", "docs/*.md", "wool_tf/**/*.md"
DOCUMENTS = _with_examples(*PATTERNS)
PLACES = "", "wool_tf", "tflite", "tflite/wool_board", "tflite/wool_station"
"""Folders that documents leave out of the paths of modules."""


def test_examples_are_found():
    assert {"wool_tf/seeds.py", "wool_tf/networks/spec.py", "tflite/wool_board/image/ignored_files.py"} <= set(MODULES)
    assert "docs/pruning.md" in DOCUMENTS


def _name(path: str) -> str:
    """What a module is imported by: those of programs have no package above them."""
    return re.sub("^(tflite|experiments)/", "", path).removesuffix(".py").replace("/", ".")


@pytest.mark.parametrize("path", MODULES)
def test_docstrings(path):
    outcome = doctest.testmod(importlib.import_module(_name(path)))
    assert outcome.failed == 0
    assert outcome.attempted > 0


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents(path):
    outcome = doctest.testfile(str(ROOT / path), module_relative=False, encoding="utf-8")
    assert outcome.failed == 0
    assert outcome.attempted > 0


@pytest.mark.parametrize("path", sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern)), ids=str)
def test_modules_that_a_document_names_are_there(path):
    named = set(re.findall(r"`([\w./]+/\w+\.py)`|\b(tests/[\w/]+\.py)", path.read_text(encoding="utf-8")))
    places = [path.parent, *(ROOT / place for place in PLACES)]
    missing = [name for name in map("".join, named) if not any((place / name).is_file() for place in places)]
    assert not missing
