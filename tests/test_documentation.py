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
DOCUMENTS = _with_examples("*.md", "docs/*.md", "wool_tf/**/*.md")


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
