"""experiments/check_leaks.py as a user runs it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scripts
from checkout import EXPERIMENTS, environment

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "experiments" / "check_leaks.py"


def run(*flags):
    return subprocess.run([sys.executable, SCRIPT, *flags], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def another_detector(tmp_path_factory):
    """Clean and defective crops that differ in nothing but the noise of the detector."""
    folder, rng = tmp_path_factory.mktemp("crops"), np.random.default_rng(0)
    for number in range(48):
        label = ("defective", "non_defective")[number % 2]
        (folder / label).mkdir(exist_ok=True)
        crop = rng.normal(rng.uniform(100, 180), 4 + 2 * (number % 2), (48, 48)).clip(0, 255).astype(np.uint8)
        Image.fromarray(crop).save(folder / label / f"{number:02d}.png")
    return folder


def test_noise_of_another_detector_is_found(another_detector):
    ran = run(f"--data={another_detector}", "--folds=3")
    assert ran.returncode == 0
    # How far it is, where it takes long.
    assert all("guessing with labels exchanged, " in line for line in ran.stderr.splitlines()), ran.stderr
    header, *_, verdict, copies = ran.stdout.splitlines()
    assert header.split() == ["feature", "of", "guessed", "by", "AUC", "chance", "accuracy"]
    rows = {line[:22].strip(): line[22:].split() for line in ran.stdout.splitlines()[1:]}
    assert rows["noise"][-1] == "*" and float(rows["noise"][2]) == 1
    assert rows["mean grey"][-1] == "%"
    assert verdict.startswith("A network may learn these instead of defects: ") and "noise (AUC 1.00" in verdict
    assert copies == "No two images of different samples are alike."
    assert "48 of 48 crops, 50.0 % of them defective" in ran.stdout
    assert "the same for all: 16 bits, PNG, channels" in ran.stdout


def test_classes_samples_and_litter_are_as_for_training(another_detector, tmp_path):
    for name, ours in (("defective", "Fehlerhaft"), ("non_defective", "Gut")):
        (tmp_path / "crops" / ours).mkdir(parents=True)
        for crop in sorted((another_detector / name).iterdir())[:4]:
            shutil.copy(crop, tmp_path / "crops" / ours)
    (tmp_path / "crops" / "Gut" / "@eaDir").mkdir()
    (tmp_path / "crops" / "Gut" / "broken.png").write_bytes(b"x")
    labels = ("--defective_label=Fehlerhaft", "--non_defective_label=Gut")
    ran = run(f"--data={tmp_path / 'crops'}", "--folds=2", *labels, "--on_bad_image=skip", r"--sample_from=^(\w+)\.")
    assert ran.returncode == 0 and "8 of 8 crops, 50.0 % of them defective" in ran.stdout
    assert [line for line in ran.stderr.splitlines() if "guessing" not in line] == [
        "1 left out as hidden, of the system or second copies of a conflict: Gut/@eaDir",
        "skipped: Gut/broken.png is not a readable PNG, TIFF, JPEG or DICOM image",
    ]


@pytest.mark.parametrize(
    "flags,named",
    [
        ([], "--data: is required"),
        (["--data="], "--data=: is empty"),
        (["--data=nowhere"], "--data=nowhere: no such folder"),
        (["--data={folder}", "--folds=25"], "--folds=25: only 24 groups"),
        (["--data={folder}", "--seed=-1"], "--seed=-1"),
        (["--data={folder}", "--sample_from=x"], "--sample_from=x: must have a group, in brackets"),
        (["--data={folder}", "--sample_from=^(x)"], "has a name in which --sample_from finds no sample"),
        (["--data={folder}", "--defective_label=Riss"], "no folder Riss/; both classes are needed; found defective/"),
    ],
)
def test_mistakes_are_one_line(another_detector, flags, named):
    ran = scripts.check("check_leaks.py", *(flag.format(folder=another_detector) for flag in flags))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error: ") and named in ran.stderr and ran.stderr.count("\n") == 1


def test_help_imports_nothing_heavy():
    program = (
        "import runpy, sys; sys.argv = ['check_leaks.py', '--help'];\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "sys.exit(' '.join({'keras', 'tensorflow', 'sklearn', 'scipy'} & set(sys.modules)) or 0)"
    )
    env = environment(EXPERIMENTS)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Asks whether anything but the defects")
