"""Scans with marked defects pass on a belt, and the program of the board inspects them: how well, and does it keep up?

    python experiments/stream_scans.py --scans=scans --model=board/hard3-int8.tflite --speed=1,2,4
    python experiments/stream_scans.py --scans=scans --model=board/hard3-int8.tflite --limit=8 --hours=1

The scans are streamed one behind the other, with air between, into tflite/inspect_line.py as a program of its own, at
multiples of real time; with --speed=0 as fast as it takes them. Its events are judged: a defect is found if a reject
holds the middle of its box, and a reject is false if it touches no box of a visible defect. With --hours the scans pass
over and over, as many lines as the belt has in that time, as fast as possible: does the memory stay as it is?

The folder is one as crop_scans.py takes it. Scans without references pass as counts of a detector without flaws, whose
open beam is the highest count that a sample can have (--bits, --white), or --open_beam.

A network that was trained on these scans does better on them than on others: name with --samples those that it was not.
"""

import startup  # noqa: F401

from pathlib import Path

import streaming_flags
import streaming_table
from wool_tf.command_line import console, run_display

_BELT = streaming_flags.define("speed", "hours")

PROGRAM = Path(__file__).resolve().parents[1] / "tflite" / "inspect_line.py"


def main() -> None:
    from wool_tf.belt import scoring, streaming

    display, config, given = run_display.Display(), _BELT.config, _BELT.given()
    hours, speeds = config.hours, config.speed if config.hours is None else (0.0,)
    laid, rate = given.belt, given.lines_per_second
    display.say(f"{len(laid.scans)} scans, {laid.lines:,} lines, {len(laid.boxes)} visible defects")
    runs, memory = {}, {}
    for speed in speeds:
        lines = laid.lines if hours is None else round(3600 * hours * rate)
        display.say("as fast as possible" if speed == 0 else f"{speed:g} times real time, {rate:g} lines/s each")
        run = streaming.stream(laid, PROGRAM, given.model, rate, speed, lines, hours is None)
        runs[f"{speed:g}"] = scoring.judge(laid, run) if hours is None else scoring.program_figures(run)
        memory[f"{speed:g}"] = run.memory
    table = streaming_table.SpeedTable(runs)
    if hours is None:
        streaming_table.add_found(table, runs)
    streaming_table.add_pace(table)
    print(table.text())
    given.write(runs={speed: vars(found) | {"memory_samples": memory[speed]} for speed, found in runs.items()})


if __name__ == "__main__":
    console.run(main)
