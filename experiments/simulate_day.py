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
from typing import TYPE_CHECKING

from absl import flags

import streaming_flags
import streaming_table
from wool_tf.command_line import console, flag_values, run_display

if TYPE_CHECKING:
    from wool_tf.belt.day.account import DayAccount

_BELT = streaming_flags.define()
_PROGRAM = flags.DEFINE_string("program", None, "inspect_line.py of another version; default: this one's.")
_PASSES = flags.DEFINE_integer("passes", 1, "Passes of the belt in an hour.", lower_bound=1)

PROGRAM = Path(__file__).resolve().parents[1] / "tflite" / "inspect_line.py"


def main() -> None:
    from wool_tf.belt.day import run as day_run

    display = run_display.Display()
    program = flag_values.file("program", _PROGRAM.value) if _PROGRAM.value else PROGRAM
    given = _BELT.given()
    belt = given.belt
    display.say(f"{len(belt.scans)} scans, {belt.lines * _PASSES.value:,} lines an hour")
    with tempfile.TemporaryDirectory() as place:
        found = day_run.run(belt, program, given.model, Path(place), given.lines_per_second, _PASSES.value)
    print(_table(found))
    given.write(program=str(program), **vars(found))


def _table(found: "DayAccount") -> str:
    """The account, a row for each hour, and what is said of the whole day."""
    from wool_board.columns import aligned

    names = sorted({name for hour in found.hours for name in hour.defects})
    rows = [["hour", *vars(found.shares_m), *(f"found of {name}" for name in names), "false rejects per m"]]
    for number, hour in enumerate(found.hours, start=1):
        cells = [streaming_table.found(hour.defects[name]) for name in names]
        metres = [f"{value:.2f}" for value in vars(hour.told_m).values()]
        rows.append([f"{number}", *metres, *cells, f"{hour.false_rejects_per_m:.3f}"])
    shares, stopped, latency = vars(found.shares_m).values(), found.stopped_m, found.reject_latency_mm
    rows.append(["all", *(f"{value:.2f}" for value in shares), *([""] * (len(names) + 1))])
    alarms = ", ".join(f"{name} {count}" for name, count in found.alarms.items()) or "none"
    return "\n".join([
        *aligned(rows, "r" * len(rows[0])),
        f"sent {found.sent_m:.2f} m, of which were told or lost {sum(shares):.2f} m",
        f"alarms: {alarms}",
        f"unseen: {', '.join(f'{reason} {metres:.2f} m' for reason, metres in found.unseen_m.items()) or 'nothing'}",
        f"belt stood for {stopped.stood:.2f} m of lines, and was told to for {stopped.told:.2f} m",
        f"events left out: {found.untold}; memory {found.memory_mb:.1f} MB; "
        f"longest reject latency {'–' if latency is None else f'{latency:.0f} mm'}",
    ])  # fmt: skip


if __name__ == "__main__":
    console.run(main)
