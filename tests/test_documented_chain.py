"""The commands of README.md and docs/guide.md, one after the other as a user gives them, on a few small images."""

import shutil
import subprocess
import sys

import pytest

import test_documented_commands as documented
from checkout import ROOT, environment

SMALL = ("--image_size=64", "--folds=2", "--epochs=1", "--finetune_epochs=1", "--asfp_epochs=2", "--asfp_rates=0.3",
         "--asfp_finetune_epochs=1", "--bn_images=32", "--jobs=2")  # fmt: skip
"""Added to what trains: the last value of a flag counts."""
GRID = (*SMALL, "--depths=18", "--optimizers=adam", "--repeats=1")
STORY = [
    ("experiments/simulate_scans.py --out=scans", ("--samples=24", "--scans=30")),
    ("experiments/crop_scans.py --scans=scans --out=crops", ()),
    ("experiments/check_leaks.py --data=crops", ("--folds=2",)),
    ("experiments/reproduce.py --data=crops --out=runs/crops", SMALL),
    ("tflite/classify.py runs/crops/model/compact-int8.tflite", ()),
    ("experiments/convert.py --network=runs/crops/units/", ("--qat_epochs=1",)),
    ("experiments/verify.py --network=runs/crops/units/", ("--min_agreement=70",)),
    ("experiments/convert.py --network=runs/crops/model/", ()),
    ("experiments/report.py runs/new --baseline=runs/old", ()),
    ("experiments/search.py --data=crops", (*SMALL, "--trials=2", "--first_folds=1")),
    ("experiments/reproduce.py --flagfile=runs/search/best.cfg", ("--jobs=2",)),
    ("experiments/latency_table.py --image_size=64 --models=convolutions.zip", ()),
    ("tflite/latency_table.py convolutions.zip", ()),
    ("experiments/reproduce.py --data=crops --out=runs/fast", SMALL),
    ("experiments/train_kfold.py --data=crops --out=runs/paper", GRID),
    ("experiments/prune_kfold.py --data=crops --out=runs/paper", GRID),
    ("experiments/prune_kfold.py --data=crops --out=runs/gpu", GRID),
    ("experiments/complexity.py --recipe=paper-table3", ()),
]
"""How commands begin, in the order in which they are given, and what is added to them."""
REPLACED = {"imagenet": "simulated64", "--target_ms=0.5": "--target_ratio=0.8"}
"""ImageNet's weights would have to be fetched, and which times can be met depends on the machine."""
ELSEWHERE = ("--sample_from=", "--out=runs/1", "--out=runs/3", "--out=runs/4", "--out=runs/6")
"""In commands for exports of annotation programs, whose folders tests/data makes, and in those behind README's table of
results, which take hours."""


def _commands() -> list[list[str]]:
    """The documented commands in the order of the story."""
    known = {" ".join(words): words for words in documented.COMMANDS}
    found = []
    for beginning, added in STORY:
        words = next(words for text, words in known.items() if text.startswith(beginning))
        for old, new in REPLACED.items():
            words = [word.replace(old, new) for word in words]
        found.append([*words, *added])
    return found


def test_the_story_has_all_commands_of_the_guide():
    beginnings = tuple(beginning for beginning, _ in STORY)
    for words, document in documented.COMMANDS.items():
        text = " ".join(words)
        if document in ("README.md", "guide.md") and not any(part in text for part in ELSEWHERE):
            assert text.startswith(beginnings), text


@pytest.mark.slow
def test_each_does_what_the_next_one_needs(tmp_path):
    for script, *arguments in _commands():
        finished = subprocess.run(
            [sys.executable, str(ROOT / script), *arguments],
            capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(),
        )  # fmt: skip
        assert finished.returncode == 0, f"{script} {' '.join(arguments)}: {finished.stderr[-2000:]}"
        assert "Traceback" not in finished.stderr
        if "runs/crops" in " ".join(arguments) and script.endswith("reproduce.py"):
            shutil.copytree(tmp_path / "crops", tmp_path / "new_crops")
            for name in ("old", "new"):
                shutil.copytree(tmp_path / "runs" / "crops", tmp_path / "runs" / name)
