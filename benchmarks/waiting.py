"""What else a user waits for: help, conversion, simulated crops, the audit for leaks, the plan of a study.

    python benchmarks/waiting.py --json=waiting.json
    python benchmarks/waiting.py --parts=help,conversion

Each is a program in a process of its own, timed in processor time, which other work on the machine changes little; the
time on the wall stands beside it. Loading crops has a program of its own, loading.py.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from absl import flags

import contenders
import documents
from wool_tf import WoolError, quiet
from wool_tf.command_line import console, setting_flags
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("help", "conversion", "simulator", "leaks", "plan")
_PARTS = flags.DEFINE_list("parts", list(PARTS), "What is timed; leaks and plan need the crops of simulator.")
_CROPS = flags.DEFINE_integer("crops", 200, "Crops that are simulated and looked at, about.", lower_bound=8)
_SIDE = setting_flags.define(TrainingConfig, only=("image_size",))
_JSON, _QUICK = documents.define("The help of one script alone")

CROPS_PER_SAMPLE = 3
"""About; three scans of a sample give as many crops."""


def main() -> None:
    unknown = sorted(set(_PARTS.value) - set(PARTS))
    if unknown:
        raise WoolError(f"--parts={','.join(_PARTS.value)}: must be of {', '.join(PARTS)}")
    works = {"help": _help, "conversion": _conversion, "simulator": _simulator, "leaks": _leaks, "plan": _plan}
    parts = ["help"] if _QUICK.value else _PARTS.value
    print(documents.heading(), f"{'':60}{'processor, s':>14}{'wall, s':>9}", sep="\n", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as made:
        for part in parts:
            for row in works[part](Path(made)):
                rows.append(row)
                print(f"{row['what']:60}{row['cpu_seconds']:14.2f}{row['wall_seconds']:9.2f}", flush=True)
            documents.write(_JSON.value, rows=rows)


def _timed(what: str, *command: object) -> dict:
    """A program's processor time and time on the wall; what it prints is not shown."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as notes:
        child = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.DEVNULL, stderr=notes)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            notes.seek(0)
            last = (notes.read().decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise WoolError(f"{what}: ended with status {child.returncode}: {last}")
    return {"what": what, "cpu_seconds": round(used.ru_utime + used.ru_stime, 3), "wall_seconds": round(wall, 3)}


def _help(_: Path) -> Iterator[dict]:
    """The best of three for each script: the first one reads it from the disk."""
    scripts = [
        path for folder in ("experiments", "tflite", "benchmarks") for path in sorted((ROOT / folder).glob("*.py"))
    ]
    scripts = [path for path in scripts if "__main__" in path.read_text(encoding="utf-8")]
    for path in scripts[:1] if _QUICK.value else scripts:
        name = f"{path.relative_to(ROOT)} --help"
        yield min((_timed(name, path, "--help") for _ in range(3)), key=lambda row: row["cpu_seconds"])


def _conversion(_: Path) -> list[dict]:
    """A compact ResNet-18 as a file of each precision, in this process."""
    console.set_computing_environment(1)
    quiet.import_keras()
    side = setting_flags.build(TrainingConfig, _SIDE).image_size
    full = ResNetSpec.full(18, 2, (side, side, 1))
    spec, found = contenders.compact_plan(full).compact, []
    for precision in contenders.PRECISIONS:
        wall, cpu = time.perf_counter(), time.process_time()
        contenders.converted(spec, precision)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        what = f"conversion of a compact ResNet-18, {side} pixels, {precision}"
        found.append({"what": what, "cpu_seconds": round(cpu, 3), "wall_seconds": round(wall, 3)})
    return found


def _simulator(folder: Path) -> list[dict]:
    """Scans of simulated samples, and the crops that are cut from them."""
    samples, scans = max(2, _CROPS.value // CROPS_PER_SAMPLE), folder / "scans"
    script = ROOT / "experiments" / "simulate_scans.py"
    made = _timed("simulate_scans.py", script, f"--out={scans}", "--jobs=1", f"--samples={samples}")
    cut = _timed("crop_scans.py", ROOT / "experiments" / "crop_scans.py", f"--scans={scans}", f"--out={_crops(folder)}")
    crops = len(list(_crops(folder).rglob("*.png")))
    for row in (made, cut):
        row["crops_per_second"] = round(crops / row["cpu_seconds"], 2)
        row["what"] += f", {crops} crops of {samples} samples: {row['crops_per_second']} a second"
    return [made, cut]


def _crops(folder: Path) -> Path:
    return folder / "crops"


def _cut(folder: Path) -> Path:
    """The crops, when they are there."""
    if not _crops(folder).exists():
        raise WoolError(f"--parts={','.join(_PARTS.value)}: leaks and plan need simulator before them")
    return _crops(folder)


def _leaks(folder: Path) -> list[dict]:
    crops = _cut(folder)
    what = f"check_leaks.py, {len(list(crops.rglob('*.png')))} crops"
    return [_timed(what, ROOT / "experiments" / "check_leaks.py", f"--data={crops}")]


def _plan(folder: Path) -> list[dict]:
    side, script = setting_flags.build(TrainingConfig, _SIDE).image_size, ROOT / "experiments" / "prune_kfold.py"
    given = f"--data={_cut(folder)}", "--optimizers=adam", f"--out={folder / 'run'}", f"--image_size={side}", "--plan"
    return [_timed(f"prune_kfold.py --plan, {side} pixels", script, *given)]


if __name__ == "__main__":
    console.run(main)
