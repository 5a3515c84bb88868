"""Dependencies between the rooms of wool_tf point one way, so that each can be read, tested and changed by itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

LINE = ("data", "evaluation", "networks", "pruning", "training", "baselines", "study", "report")
"""Each room may know those before it."""

KNOWS = {room: set(LINE[:number]) for number, room in enumerate(LINE)} | {
    "simulation": {"data"},
    "audit": {"data"},
    "belt": {"data"},
    "command_line": {"networks", "study"},
    "deploy": {"data", "evaluation", "networks"},
    "search": set(LINE),
}
KNOWS["study"] |= {"simulation", "audit", "deploy"}
KNOWS["report"] |= {"deploy"}
"""The rooms that a room may know, besides the modules beside the rooms, which know none."""


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in (ROOT / "wool_tf").rglob("*.py")}
ROOMS = {path.parent.name for path in (ROOT / "wool_tf").glob("*/__init__.py")}


def _imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(module: str) -> str | None:
    """The room of a module, or None of those beside the rooms."""
    part = f"{module}.".split(".")[1]
    return part if part in ROOMS else None


def _against_the_order() -> set[tuple[str, str]]:
    found = set()
    for module, path in MODULES.items():
        room = _room(module)
        for name in _imported(path):
            # `from module import name` names a module or what is in one.
            target = name if name in MODULES else name.rpartition(".")[0]
            other = _room(target) if target in MODULES else None
            if other not in (None, room) and other not in KNOWS.get(room, ()):
                found.add((module, target))
    return found


def test_every_room_has_its_place():
    assert set(KNOWS) == ROOMS


def test_the_order_has_no_circles():
    for room, known in KNOWS.items():
        assert not {other for other in known if room in KNOWS[other]}


def test_imports_follow_the_order():
    assert not _against_the_order(), "move what is needed to where both may know it"


def test_the_library_knows_no_script():
    scripts = {path.stem for folder in ("experiments", "benchmarks", "tests") for path in (ROOT / folder).glob("*.py")}
    scripts |= {"experiments", "benchmarks", "tests"}
    found = {(module, name) for module, path in MODULES.items() for name in _imported(path)}
    assert not {(module, name) for module, name in found if name.partition(".")[0] in scripts}


def test_only_trials_of_the_belt_know_the_station():
    found = {_room(module) for module, path in MODULES.items() for name in _imported(path) if "wool_station" in name}
    assert found == {"belt"}


def test_programs_of_the_board_stand_alone():
    programs = list((ROOT / "tflite").rglob("*.py"))
    assert programs
    assert not [(path, name) for path in programs for name in _imported(path) if name.partition(".")[0] == "wool_tf"]
