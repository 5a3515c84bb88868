"""Every script that reads crops is told the same of them by the same flags."""

import pytest

import scripts

NAMES = ("--on_bad_image=skip", "--sample_from=^(S)", "--defective_label=Riss,Loch", "--non_defective_label=Gut")
SCRIPTS = {
    "reproduce.py": ["--out=o"],
    "train_kfold.py": ["--out=o"],
    "prune_kfold.py": ["--out=o"],
    "search.py": ["--out=o"],
    "check_leaks.py": [],
    "convert.py": ["--out=o", "--network=n.keras"],
    "verify.py": ["--models=m", "--network=n.keras"],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_how_crops_are_named(script):
    ran = scripts.check(script, "--data=d", *SCRIPTS[script], *NAMES, "--only_check_args")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_names_need_a_folder(tmp_path):
    line = scripts.refusal("train_kfold.py", f"--out={tmp_path / 'run'}", "--samples=8", "--sample_from=^(S)")
    assert line == "error: --data: is missing; --sample_from and labels say how its files are named"
