"""What the board's programs and their package need, and what is installed of both packages."""

import ast
import configparser
import subprocess
import sys
import tomllib

from checkout import PROGRAMS, ROOT, environment


def packages(folder, top: str) -> set[str]:
    """The packages below a folder, by their names in Python."""
    return {".".join(path.parent.relative_to(folder).parts) for path in (folder / top).rglob("__init__.py")}


def test_programs_need_nothing_but_their_requirements():
    names = set()
    for path in PROGRAMS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names.add(node.module.split(".")[0])
    lines = (PROGRAMS / "requirements.txt").read_text().splitlines()
    required = {line.split(">")[0].replace("-", "_") for line in lines if not line.startswith("#")}
    assert required == {"ai_edge_litert", "numpy", "Pillow"}
    extras = tomllib.loads((PROGRAMS / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    optional = {line.split(">")[0].lower() for lines in extras.values() for line in lines}
    assert optional == {"pydicom", "gpiozero", "h11", "jinja2", "paho-mqtt", "pymodbus", "starlette", "uvicorn"}
    found = names - set(sys.stdlib_module_names)
    imported = {"Pillow": "PIL", "paho-mqtt": "paho"}
    needed = {imported.get(name, name) for name in required | optional}
    programs = {path.stem for path in PROGRAMS.glob("*.py")}
    assert found - programs == needed | {"wool_board", "wool_station"}


def test_only_the_reader_of_dicom_knows_pydicom_and_only_when_it_reads():
    users = {path.name for path in (PROGRAMS / "wool_board").rglob("*.py") if "import pydicom" in path.read_text()}
    assert users == {"dicom.py"}
    code = "import sys, wool_board.image.decoding; print('pydicom' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert found.stdout == "False\n"


def test_every_package_is_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options"]["packages"].split()
    found = packages(ROOT, "wool_tf") | packages(PROGRAMS, "wool_board") | packages(PROGRAMS, "wool_station")
    assert sorted(listed) == sorted(found)


def test_rooms_of_the_board_depend_on_each_other_one_way():
    order = [
        "exit_status",
        "startup",
        "errors",
        "json_text",
        "columns",
        "atomic_file",
        "settings",
        "options",
        "command_line",
        "machine",
        "image",
        "model",
        "belt",
        "benchmark",
        "classification",
        "latency",
    ]
    for path in (PROGRAMS / "wool_board").rglob("*.py"):
        room = path.relative_to(PROGRAMS / "wool_board").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("wool_board"):
                of = node.module.split(".")[1:2] or [node.names[0].name]
                if room != "__init__":
                    assert order.index(of[0]) <= order.index(room), path
