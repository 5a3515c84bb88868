"""Every wrong use is one line on standard error, and the documented status: `pytest -v` lists them.

Each runs in a process that is forked from this one, which has what takes long to import.
"""

import os
import runpy
import shlex
import sys
import tempfile
import traceback

import pytest

import checkout
import rig
import wrong_uses

BOARD = ("benchmark.py", "classify.py", "gate.py", "inspect_line.py", "mqtt.py", "station.py")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    wrong_uses.make(folder)
    return folder


def _forget_scripts() -> None:
    """Flags are defined once in a process; a test before this one may have imported a script."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name.startswith(("absl", "wool_tf.command_line")) or file.startswith(f"{checkout.EXPERIMENTS}{os.sep}"):
            del sys.modules[name]


def _run(program: str, options: list[str]) -> int:
    """Runs a program in this process, as Python would; returns the status."""
    folder = checkout.PROGRAMS if program in BOARD else checkout.EXPERIMENTS
    sys.argv = [str(folder / program), *options]
    try:
        if program == "inspect_line.py":
            return rig.main(["model", *options])
        _forget_scripts()
        runpy.run_path(sys.argv[0], run_name="__main__")
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return 1 if isinstance(end.code, str) else end.code or 0
    except BaseException:
        traceback.print_exc()
        return 70


def forked(program: str, options: list[str]) -> tuple[int, str]:
    """Status and standard error of a program in a process of its own."""
    with tempfile.TemporaryFile() as errors, open(os.devnull, "r+b") as nothing:
        child = os.fork()
        if not child:
            status = 70
            try:
                for descriptor, file in enumerate((nothing, nothing, errors)):
                    os.dup2(file.fileno(), descriptor)
                sys.stdin = os.fdopen(0, closefd=False)
                sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
                status = _run(program, options)
                sys.stderr.flush()
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        errors.seek(0)
        return status, errors.read().decode()


@pytest.mark.parametrize(
    ("program", "options", "status", "line"),
    wrong_uses.USES,
    ids=[f"{program} {options}".strip() for program, options, *_ in wrong_uses.USES],
)
def test_wrong_use(program, options, status, line, here):
    options = options.replace("{references}", wrong_uses.REFERENCES)
    found, errors = forked(program, shlex.split(options.replace("{here}", str(here))))
    assert errors.replace(str(here), "{here}") == f"{line}\n"
    assert found == status


def test_there_are_enough_of_them():
    assert len(wrong_uses.USES) >= 60
