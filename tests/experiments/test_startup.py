"""What can go wrong before a script has begun, and when it ends, is one line."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

import checkout
from checkout import EXPERIMENTS

SCRIPTS = sorted(path for path in EXPERIMENTS.glob("*.py") if "__main__" in path.read_text())
PROGRAMS = sorted((checkout.PROGRAMS).glob("*.py"))
NEED_NOTHING = ("mqtt.py", "station.py")
"""Programs whose help any Python can show."""


def run(*words, **options):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("path", [*SCRIPTS, *PROGRAMS], ids=lambda path: path.name)
def test_a_python_without_the_environment_is_told_which_to_use(path):
    ran = run("-E", "-s", "-S", path, "--help")
    if path.name in NEED_NOTHING:
        assert (ran.returncode, ran.stderr) == (0, "") and ran.stdout.startswith("usage: ")
        return
    (line,) = ran.stderr.splitlines()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"this Python, {sys.executable}, has no " in line and line.startswith(("error: ", path.name))


def test_an_environment_of_before_an_update_is_told_how_to_renew_it(tmp_path):
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "experiments").mkdir()
    shutil.copy(EXPERIMENTS / "startup.py", tmp_path / "experiments")
    python, needed = tmp_path / ".venv" / "bin" / "python", "import startup, wool_of_tomorrow"
    ran = subprocess.run(
        [python, "-c", needed], cwd=tmp_path / "experiments", capture_output=True, text=True, check=False
    )
    renewal = f"run make -B .venv/.ready in {tmp_path}, which brings it up to date"
    assert ran.stderr == f"error: this Python, {python}, has no wool_of_tomorrow: {renewal}\n"


@pytest.mark.parametrize(
    "raised", ["raise KeyboardInterrupt", "raise ImportError('initialization failed') from KeyboardInterrupt()"]
)
@pytest.mark.parametrize("folder,module", [(EXPERIMENTS, "startup"), (checkout.PROGRAMS, "wool_board.startup")])
def test_ctrl_c_while_modules_load_is_no_traceback(folder, module, raised):
    ran = run("-c", f"import {module}; {raised}", cwd=folder)
    assert ran.returncode == 130 and "Traceback" not in ran.stderr


@pytest.mark.parametrize("folder,module", [(EXPERIMENTS, "startup"), (checkout.PROGRAMS, "wool_board.startup")])
def test_ctrl_c_that_a_module_in_c_has_dropped_is_no_traceback(folder, module):
    code = f"import {module}, os, time\ntry:\n os.kill(os.getpid(), 2)\nexcept BaseException:\n pass\n{{}}"
    heed = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    for goes_on in ("import absent.module", "time.sleep(60)"):
        ran = run("-c", code.format(goes_on), cwd=folder, preexec_fn=heed, timeout=40)
        assert ran.returncode == 130 and ran.stderr in ("", "\ninterrupted\n")


@pytest.mark.parametrize("folder,module", [(EXPERIMENTS, "startup"), (checkout.PROGRAMS, "wool_board.startup")])
def test_a_defect_keeps_its_traceback(folder, module):
    ran = run("-c", f"import {module}; 1 / 0", cwd=folder)
    assert ran.returncode == 1 and "Traceback" in ran.stderr and "ZeroDivisionError" in ran.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_the_output_is_one_line():
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, EXPERIMENTS / "complexity.py"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr == "error: standard output: cannot be written (No space left on device)\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_the_help_is_one_line(path, unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        words = [sys.executable, path, "--help"]
        ran = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert ran.returncode == 1
    assert ran.stderr == f"{path.name}: standard output: cannot be written (No space left on device)\n"


def test_a_flagfile_that_is_not_there_says_where_relative_paths_begin(tmp_path):
    ran = run(EXPERIMENTS / "complexity.py", "--flagfile=experiments/flagfiles/demo.cfg", cwd=tmp_path)
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: --flagfile: cannot be read (") and line.endswith(
        f"relative paths begin at {tmp_path}, where this was started"
    )
