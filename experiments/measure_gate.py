"""How exactly does the gate open? Scans pass on a belt, inspected, with the gate beside it: the error of every edge.

    python experiments/measure_gate.py --scans=scans --model=board/hard3-int8.tflite --speed=1,2,4

The scans are streamed in real time, or a multiple of it, into tflite/inspect_line.py, and tflite/gate.py hears its
feed; its pins are made up (gpiozero's mock), so that nothing but the electronics is left out. For each stretch that was
told to be rejected or unseen, where the belt was when the pin changed is compared with where it ought to have been. An
error above 0 is late: at the beginning of a reject, up to --lead_mm of it do no harm. On a board, run it on the board.
"""

import startup  # noqa: F401

from pathlib import Path

import streaming_flags
import streaming_table
from wool_tf.belt.gate.place import TrialGate
from wool_tf.command_line import console, run_display, setting_flags

_BELT = streaming_flags.define("speed", "threads", config=streaming_flags.PacedConfig)
_PLACE = setting_flags.define(TrialGate, without=("lanes",))

BOARD = Path(__file__).resolve().parents[1] / "tflite"


def main() -> None:
    from wool_tf.belt.gate import run as gate_run

    display, config = run_display.Display(), _BELT.config
    place, given = setting_flags.build(TrialGate, _PLACE), _BELT.given()
    laid, rate = given.belt, given.lines_per_second
    display.say(
        f"{len(laid.scans)} scans, {laid.lines:,} lines; the gate is {place.distance_mm:g} mm behind the detector"
    )
    inspection = [BOARD / "inspect_line.py", given.model, f"--threads={config.threads}"]
    gate = [BOARD / "gate.py", "--gpio=17"]
    runs = {}
    for speed in config.speed:
        display.say(f"{speed:g} times real time, {rate:g} lines/s each")
        run = gate_run.run(laid, inspection, gate, place, rate * speed, laid.lines)
        runs[f"{speed:g}"] = gate_run.figures(run, place)
        streaming_table.say_notes(runs[f"{speed:g}"], display)
    table = streaming_table.SpeedTable(runs)
    streaming_table.add_gate(table)
    print(table.text())
    given.write(gate=place, runs=runs)


if __name__ == "__main__":
    console.run(main)
