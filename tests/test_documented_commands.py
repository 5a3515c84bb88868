"""Every command of a script or program that the documents show is one that it understands."""

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

import benchmark
import classify
import forked_scripts
import gate
import inspect_line
import mqtt
import station
from checkout import PROGRAMS as PROGRAMS_FOLDER
from checkout import ROOT

PATTERNS = ("*.md", "docs/*.md", "benchmarks/*.md", "experiments/flagfiles/*.cfg", "experiments/*.py",
            "benchmarks/*.py", "tflite/*.py")  # fmt: skip
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))


def _of_the_board(name: str):
    """A program of the board that a script shares its name with."""
    spec = importlib.util.spec_from_file_location(f"board_{name}", PROGRAMS_FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PARSERS = {
    "latency_table.py": _of_the_board("latency_table").PROGRAM.parse,
    "classify.py": classify.PROGRAM.parse,
    "benchmark.py": benchmark.PROGRAM.parse,
    "inspect_line.py": inspect_line.PROGRAM.parse,
    "gate.py": gate.PROGRAM.parse,
    "mqtt.py": mqtt.PROGRAM.parse,
    "station.py": station.parse,
}
INSTALLED = {
    "wool-station": "station",
    "wool-classify": "classify",
    "wool-benchmark": "benchmark",
    "wool-inspect": "inspect_line",
    "wool-gate": "gate",
    "wool-mqtt": "mqtt",
}
"""Programs by the names that the board's package gives them."""
FOLDERS = r"experiments|benchmarks|tflite\S*"
SHELL = ("|", ">", "<", "&&", ";", "#")
"""What ends the arguments of a command."""


def _copied(called: re.Match) -> str:
    """The call of a program from a mere copy."""
    return f"{called[1]}python tflite/{INSTALLED[called[2]]}.py "


def _text(path: Path) -> str:
    """What a reader is shown: of a program its docstring."""
    text = path.read_text()
    return text if path.suffix != ".py" else ast.get_docstring(ast.parse(text)) or ""


def documented() -> dict[tuple[str, ...], str]:
    """The words of each command, from the script on, with the document that shows it first."""
    found = {}
    for path in DOCUMENTS:
        text = re.sub(r"\\\n\s*", "", _text(path))
        for line in text.splitlines():
            # On a board, programs are called by the names that the package gives them.
            line = re.sub(rf"^(    )(?:sudo )?({'|'.join(INSTALLED)}) ", _copied, line)
            # Code is indented in documents, and stands behind the sign of a comment in flagfiles.
            code = re.match(rf"(?: {{4}}|# )((?!.*[…]).*?(?:{FOLDERS})/\w+\.py\b.*)", line)
            if code is None or not re.search(r"python\S* |^\s*(?:\w+=\S+ )*(?:experiments|benchmarks)/", code[1]):
                continue
            words = shlex.split(code[1], comments=True)
            start = next(at for at, word in enumerate(words) if re.search(rf"({FOLDERS})/\w+\.py$", word))
            end = next((at for at in range(start, len(words)) if words[at].startswith(SHELL)), len(words))
            found.setdefault(tuple(words[start:end]), path.name)
    return found


COMMANDS = documented()
SCRIPTS = [words for words in COMMANDS if words[0].startswith(("experiments/", "benchmarks/"))]
PROGRAMS = [words for words in COMMANDS if words[0].startswith("tflite")]


def test_the_documents_show_commands():
    assert {"reproduce.py", "convert.py", "verify.py", "search.py", "crop_scans.py", "check_leaks.py", "prune_kfold.py",
            "complexity.py", "simulate_scans.py"} <= {words[0].split("/")[1] for words in SCRIPTS}  # fmt: skip
    assert {words[0].split("/")[1] for words in PROGRAMS} == set(PARSERS)


@pytest.mark.parametrize("words", SCRIPTS, ids=lambda words: " ".join(words)[:80])
def test_a_script_knows_the_flags(words):
    # A flagfile that a run will have written is not there yet.
    given = [word for word in words[1:] if not word.startswith("--flagfile=runs/")]
    more = ["--out=x"] if words[0].endswith(("reproduce.py", "kfold.py")) and len(given) < len(words) - 1 else []
    finished = forked_scripts.run(ROOT / words[0], *given, *more, "--only_check_args", cwd=ROOT)
    assert (finished.returncode, finished.stderr) == (0, ""), COMMANDS[words]


@pytest.mark.parametrize("words", PROGRAMS, ids=lambda words: " ".join(words)[:80])
def test_a_program_of_the_board_knows_the_arguments(words):
    assert PARSERS[words[0].split("/")[1]](list(words[1:])), COMMANDS[words]
