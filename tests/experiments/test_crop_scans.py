"""experiments/crop_scans.py as a user runs it."""

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scripts
from checkout import EXPERIMENTS, environment

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "crop_scans.py"
RAW = ("--raw_width=60", "--raw_type=uint16le", "--open_beam=10000", "--side=32", "--frame_lines=40")


run = functools.partial(scripts.check, "crop_scans.py")
refusal = functools.partial(scripts.refusal, "crop_scans.py")


@pytest.fixture
def folder(tmp_path):
    """Two raw scans of 100 lines, two frames each; a box in the first frame of the first."""
    (tmp_path / "set").mkdir()
    for number in range(2):
        counts = np.random.default_rng(number).integers(4000, 6000, (100, 60)).astype("<u2")
        (tmp_path / "set" / f"{number}.raw").write_bytes(counts.tobytes())
    table = "scan,sample,x,y,width,height,defect\n0.raw,A,20,10,5,5,D3\n1.raw,B,,,,,\n"
    (tmp_path / "set" / "annotations.csv").write_text(table)
    return tmp_path / "set"


def test_crops_are_written_and_counted_and_not_written_again(folder, tmp_path):
    out = tmp_path / "crops"
    flags = (f"--scans={folder}", f"--out={out}", *RAW)
    ran = run(*flags)
    assert (ran.returncode, ran.stderr) == (0, "")
    said = [line.split("] ", 1)[1] for line in ran.stdout.splitlines()]
    assert said[0] == "2 scans of 2 samples"
    # 5999 is beyond 12 bits.
    assert said[1].startswith(f"{folder}: no value of its 16-bit scans is above 5999: taken for 14 bits, with 16383")
    assert said[2].startswith("no dark and bright references: taken as corrected already")
    assert said[3].startswith("4 frames surveyed; attenuation 0 to 0.9")
    assert said[4:] == [
        "2 frames without a crop: not drawn",
        "1 non_defective crops: 1 without a box",
        "1 defective crops: 1 D3",
        f"crops: {out}",
    ]
    assert len(list(out.glob("*/*.png"))) == 2
    before = (out / "manifest.csv").stat().st_mtime_ns
    again = run(*flags)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1].endswith(f"{out}: holds these crops already")
    assert (out / "manifest.csv").stat().st_mtime_ns == before
    assert "holds something other than these crops" in refusal(*flags, "--seed=1")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "0.raw is a raw file; say with --raw_width and --raw_type"),
        (("--raw_width=60",), "--raw_width and --raw_type go together"),
        (("--raw_width=0",), "--raw_width=0"),
        (("--raw_type=float",), "--raw_type=float"),
        (("--raw_width=64", "--raw_type=uint16le"), "line 2: 0.raw has 12,000 bytes, which are not whole"),
        ((*RAW, "--open_beam=1000"), "0.raw is brighter than the open beam"),
        ((*RAW, "--bits=12"), "set: 0.raw has values up to 5999, beyond 4095, the highest value by --bits"),
        ((*RAW, "--white=5000"), "set: 0.raw has values up to 5999, beyond 5000, the highest value by --bits, --white"),
        ((*RAW, "--bits=12", "--white=5998"), "--white=5998: must be at most 4095 with 12 bits; give one of them"),
        ((*RAW, "--bits=17"), "--bits=17: must be at least 8 and at most 16"),
        ((*RAW, "--open_beam=-1"), "--open_beam=-1: must be above 0 and finite"),
        ((*RAW, "--open_beam=much"), "--open_beam=much"),
        ((*RAW, "--window=1"), "--window=1: must be LOW,HIGH in attenuation, LOW < HIGH"),
        ((*RAW, "--window=0,a"), "--window=0,a: must be numbers"),
        ((*RAW, "--window=2,1"), "--window=2,1: must be LOW,HIGH in attenuation, LOW < HIGH"),
        ((*RAW, "--defective=2"), "defective: 2 crops wanted, but only 1 frames give one"),
        ((*RAW, "--defective=0"), "--defective=0"),
        ((*RAW, "--defects=D1,D2"), "annotations.csv line 2: defect 'D3' is none of D1, D2, D4, D5"),
        ((*RAW, "--defects="), "--defects=: name one or more"),
        ((*RAW, "--side=64", "--frame_lines=64"), "0.raw is 60 pixels wide; crops of 64 do not fit"),
        ((*RAW, "--frame_lines=31"), "--frame_lines=31"),
        ((*RAW, "--dark=no.png"), "--bright: is missing; dark and bright go together"),
        (("--dark=no.png", "--bright=no.png", *RAW[:2]), "no.png: no such file; give a reference scan"),
        ((*RAW, "--dark="), "--dark=: is empty; give a path"),
        ((*RAW, "--sides=1"), "sides"),
        ((*RAW, "crops"), "'crops': this script takes flags only"),
    ],
)
def test_wrong_flags_get_one_line(folder, tmp_path, flags, said):
    assert said in refusal(f"--scans={folder}", f"--out={tmp_path / 'crops'}", *flags)
    assert not (tmp_path / "crops").exists()


def test_samples_from_the_names_of_files_and_types_of_the_user(folder, tmp_path):
    table = "scan;x;y;width;height;defect\n0.raw;20;10;5;5;Einschlu\u00df\n1.raw;;;;;\n"
    (folder / "annotations.csv").write_text(table, encoding="cp1252")
    flags = (f"--scans={folder}", f"--out={tmp_path / 'crops'}", *RAW)
    assert "the first line must be scan,sample,x,y" in refusal(*flags)
    named = (*flags, r"--sample_from=^(\d)")
    assert "defect 'Einschlu\u00df' is none of D1, D2, D3, D6, D4, D5; correct it, or add it to --defects" in refusal(
        *named
    )
    ran = run(*named, "--defects=Einschlu\u00df")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (
        "annotations.csv is not UTF-8 text; read as Windows-1252" in ran.stdout and "2 scans of 2 samples" in ran.stdout
    )
    rows = (tmp_path / "crops" / "manifest.csv").read_text().splitlines()
    assert sorted(row.split(",")[2] for row in rows[1:]) == ["0", "1"]
    assert "--sample_from=(: is no regular expression" in refusal(*flags, "--sample_from=(")


def test_paths_that_are_missing(tmp_path):
    assert "--scans: is required" in refusal("--out=a")
    assert "--out: is required" in refusal("--scans=a")
    assert "no: no such folder; give one that exists" in refusal(f"--scans={tmp_path / 'no'}", "--out=a")
    assert "has neither annotations.json nor annotations.csv" in refusal(f"--scans={tmp_path}", "--out=a")


def test_neither_keras_nor_tensorflow_is_imported():
    program = (
        "import runpy, sys\n"
        f"runpy.run_path({str(SCRIPT)!r})\n"
        "sys.exit(' '.join({'keras', 'tensorflow', 'tf_keras', 'jax', 'torch', 'sklearn'} & set(sys.modules)) or 0)"
    )
    env = environment(EXPERIMENTS)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
