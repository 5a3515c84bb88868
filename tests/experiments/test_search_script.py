"""The search as a user starts it."""

import subprocess
import sys

import scripts
from checkout import EXPERIMENTS, environment

WITHOUT = """
import runpy, sys
sys.argv = ["search.py", "--help"]
try:
    runpy.run_path({folder!r} + "/search.py", run_name="__main__")
except SystemExit:
    pass
print("loaded:", [name for name in ("tensorflow", "keras", "optuna") if name in sys.modules])
"""


def test_help_states_the_space_and_loads_nothing_that_is_heavy():
    code = WITHOUT.format(folder=str(scripts.FOLDER))
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(EXPERIMENTS), check=True
    ).stdout
    assert "finetune_factor: 0.1 to 1, logarithmic (hard and asfp)" in " ".join(printed.split())
    assert printed.splitlines()[-1] == "loaded: []"


def test_a_stage_that_does_not_exist_is_refused(tmp_path):
    line = scripts.refusal("search.py", "--out", tmp_path / "out", "--stage=hard9")
    assert line.startswith("error: --stage=hard9: the stages of this run are baseline, hard1, hard2, hard3, asfp30")
    assert not (tmp_path / "out").exists()
