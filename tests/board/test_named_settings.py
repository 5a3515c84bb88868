"""Messages of the library name settings by their fields: what they are called is for the programs to say."""

import ast
import re
from collections.abc import Iterator

import pytest

import settings_page
from checkout import PROGRAMS, ROOT
from wool_board.options import called
from wool_board.settings import declared
from wool_tf.data.crops import CropConfig
from wool_tf.data.naming import CropNaming
from wool_tf.training.config import TrainingConfig

FLAGS = {called(config)(field) for config in settings_page.PROGRAMS.values() for field in declared(config)}
PROGRAM_MODULES = "*program.py", "options.py"
"""The layer of the programs, which knows its own flags."""

COMMANDS = {
    ("page/guard.py", "--name"),
    ("gate/control.py", "--position"),
    ("latency/convolution_archive.py", "--models"),
}
"""Commands of other programs that are given as advice: file and flag."""


def _texts(path) -> Iterator[str]:
    """What a module may say: its strings, but for docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


MODULES = [path for package in ("wool_board", "wool_station") for path in sorted((PROGRAMS / package).rglob("*.py"))
           if not any(path.match(pattern) for pattern in PROGRAM_MODULES)]  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-3:]))
def test_no_message_of_the_library_names_a_flag(path):
    found = {flag for text in _texts(path) for flag in re.findall(r"--\w+", text) if flag in FLAGS}
    allowed = {flag for name, flag in COMMANDS if path.as_posix().endswith(name)}
    assert found == allowed, "name the field in backticks; the program writes it as a flag"


def test_modules_and_flags_are_found():
    assert len(MODULES) > 100 and {"--width", "--lane", "--name", "--budget_mb"} <= FLAGS


TRAINING_FLAGS = {f"--{field}" for config in (TrainingConfig, CropNaming, CropConfig) for field in declared(config)}
TRAINING_MODULES = [path for path in sorted((ROOT / "wool_tf").rglob("*.py"))
                    if path.relative_to(ROOT / "wool_tf").parts[0] not in ("report", "belt")]  # fmt: skip
"""But for what prints commands for the reader of a report, and what runs the programs of a board."""


@pytest.mark.parametrize("path", TRAINING_MODULES, ids=lambda path: "/".join(path.parts[-3:]))
def test_no_message_of_training_names_a_flag(path):
    found = {flag for text in _texts(path) for flag in re.findall(r"--\w+", text) if flag in TRAINING_FLAGS}
    assert not found, "name the field in backticks; the script writes it as a flag"
