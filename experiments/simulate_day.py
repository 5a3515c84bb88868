"""A day of the inspection in short, and the account at its end: what became of every metre and of every defect.

    python experiments/simulate_day.py --scans=scans --model=board/compact-int8.tflite
    python experiments/simulate_day.py --scans=scans --model=board/compact-int8.tflite --program=old/inspect_line.py

Scans with marked defects pass over and over, with air between, through a FIFO into tflite/inspect_line.py. In eight
hours, each of which is --passes of the belt, the tube warms up and drifts, three elements die in different ways, the
belt stands twice while lines go on to come, the program is restarted twice and killed once, whoever reads its events is
slow for an hour, and the disk is full. Of each metre the account says whether it was seen, air, told to be unseen,
named by an `untold` or lost without a word.
"""

import startup  # noqa: F401

import tempfile
from pathlib import Path

from absl import flags

import console
import scan_flags
from wool_tf import WoolError
from wool_tf.data.annotations.scans import ScanConfig

_SCANS = scan_flags.define(ScanConfig)
_MODEL = flags.DEFINE_string("model", None, "TFLite file with its card.", required=True)
_PROGRAM = flags.DEFINE_string("program", None, "inspect_line.py of another version; default: this one's.")
_RATE = flags.DEFINE_float("lines_per_second", 1250, "Lines of the detector in a second.")
_PASSES = flags.DEFINE_integer("passes", 1, "Passes of the belt in an hour.", lower_bound=1)
_LIMIT = flags.DEFINE_integer("limit", 0, "Scans on the belt at most; 0: all.", lower_bound=0)
_GAP = flags.DEFINE_integer("gap_lines", 375, "Lines of air between two scans.", lower_bound=1)
_JSON = flags.DEFINE_string("json", None, "File that all figures are written to.")

PROGRAM = Path(__file__).resolve().parents[1] / "tflite" / "inspect_line.py"


def main() -> None:
    from wool_tf import records
    from wool_tf.belt import day, layout

    if not _RATE.value > 0:
        raise WoolError(f"--lines_per_second={_RATE.value:g}: must be above 0")
    display, folder, model = console.Display(), _SCANS.folder, console.file("model", _MODEL.value)
    out = _JSON.value and console.output("json", _JSON.value, scans=folder)
    program = console.file("program", _PROGRAM.value) if _PROGRAM.value else PROGRAM
    belt = layout.lay(folder, _SCANS.config, (), _LIMIT.value, _GAP.value)
    display.say(f"{len(belt.scans)} scans, {belt.lines * _PASSES.value:,} lines an hour")
    with tempfile.TemporaryDirectory() as place:
        found = day.run(belt, program, model, Path(place), _RATE.value, _PASSES.value, display.say)
    print(_table(found))
    if out:
        records.write(out, {"scans": str(folder), "model": str(model), "program": str(program), **found})


def _table(found: dict) -> str:
    """The account, a row for each hour, and what is said of the whole day."""
    from wool_tf.cells import aligned

    names = sorted({name for hour in found["hours"] for name in hour["defects"]})
    rows = [["hour", *found["shares_m"], *(f"found of {name}" for name in names), "false rejects per m"]]
    for number, hour in enumerate(found["hours"], start=1):
        cells = [_found(**hour["defects"][name]) for name in names]
        metres = [f"{value:.2f}" for value in hour["told_m"].values()]
        rows.append([f"{number}", *metres, *cells, f"{hour['false_rejects_per_m']:.3f}"])
    rows.append(["all", *(f"{value:.2f}" for value in found["shares_m"].values()), *([""] * (len(names) + 1))])
    alarms = ", ".join(f"{name} {count}" for name, count in found["alarms"].items()) or "none"
    latency = found["reject_latency_mm"]
    return "\n".join([
        *aligned(rows, "r" * len(rows[0])),
        f"sent {found['sent_m']:.2f} m, of which were told or lost {sum(found['shares_m'].values()):.2f} m",
        f"alarms: {alarms}",
        f"unseen: {', '.join(f'{reason} {metres:.2f} m' for reason, metres in found['unseen_m'].items()) or 'nothing'}",
        "belt stood for {stood:.2f} m of lines, and was told to for {told:.2f} m".format(**found["stopped_m"]),
        f"events left out: {found['untold']}; memory {found['memory_mb']:.1f} MB; "
        f"longest reject latency {'–' if latency is None else f'{latency:.0f} mm'}",
    ])  # fmt: skip


def _found(boxes: int, looked_at: int, found: int) -> str:
    missed = boxes - looked_at
    return f"{found} of {boxes}" + (f", {missed} not looked at" if missed else "")


if __name__ == "__main__":
    console.run(main)
