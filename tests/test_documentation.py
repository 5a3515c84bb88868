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
RESULTS = ROOT / "docs" / "results.md"
WITHOUT_FIGURES = "Results", "Goals and their state", "Data and weights that the commands name"
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
NEEDED = {
    "command": r"^    .*(experiments|benchmarks)/\w+\.py |`((experiments|benchmarks)/\w+\.py|make \w+)",
    "commit": r"\b[0-9a-f]{7}\b",
    "machine": r"AMD\s+EPYC|Intel\s+Xeon|NVIDIA",
    "date": rf"\b\d{{1,2}}\s+({MONTHS})\s+20\d\d\b",
}
"""What every section of results has to say, or that it is not on record, and how it is found."""
ELSEWHERE = re.compile(r"[Cc]ommand,\s+commit,\s+machine\s+and\s+date:\s+((?:\[[^]]+\]\(#[\w-]+\)[,\s]*(?:and\s+)?)+)")


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


@pytest.mark.parametrize("way", ["crop, from scan to belt event", "filter, from norm to removal"])
def test_a_way_through_the_code_names_no_file_twice(way):
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]+\.py)`", text.split(f"## The way of a {way}\n")[1].split("\n## ")[0])
    assert len(named) > 10
    assert not {name for name in named if named.count(name) > 1}


def _anchor(heading: str) -> str:
    """What a heading is linked by."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _sections() -> dict[str, str]:
    """Text of each section of the results, down to the next heading of any level, by its heading."""
    parts = re.split(r"^#+ (.+)\n", RESULTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = _sections()


@pytest.mark.parametrize("heading", [heading for heading in SECTIONS if heading not in WITHOUT_FIGURES])
def test_a_section_of_results_has_command_commit_machine_and_date(heading):
    by_anchor = {_anchor(other): text for other, text in SECTIONS.items()}
    text = SECTIONS[heading]
    for links in ELSEWHERE.findall(text):
        text += "".join(by_anchor[anchor] for anchor in re.findall(r"\(#([\w-]+)\)", links))
    patterns = {name: rf"{pattern}|{name}s?\b[^.]*\bnot\s+on\s+record" for name, pattern in NEEDED.items()}
    missing = [name for name, pattern in patterns.items() if not re.search(pattern, text, flags=re.MULTILINE)]
    assert not missing


def test_links_within_results_lead_to_a_section():
    linked = set(re.findall(r"\]\(#([\w-]+)\)", RESULTS.read_text(encoding="utf-8")))
    assert not linked - {_anchor(heading) for heading in SECTIONS}
