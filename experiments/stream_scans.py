"""Scans with marked defects pass on a belt, and the program of the board inspects them: how well, and does it keep up?

    python experiments/stream_scans.py --scans=scans --model=board/hard3-int8.tflite --speed=1,2,4
    python experiments/stream_scans.py --scans=scans --model=board/hard3-int8.tflite --limit=8 --hours=1

The scans are streamed one behind the other, with air between, into tflite/inspect_line.py as a program of its own, at
multiples of real time; with --speed=0 as fast as it takes them. Its events are judged: a defect is found if a reject
holds the middle of its box, and a reject is false if it touches no box of a visible defect. With --hours the scans pass
over and over, as many lines as the belt has in that time, as fast as possible: does the memory stay as it is?

The folder is one as crop_scans.py takes it. Scans without references pass as counts of a detector without flaws, whose
open beam is the highest count that the sample's bits hold (--bits), or --open_beam.

A network that was trained on these scans does better on them than on others: name with --samples those that it was not.
"""

import startup  # noqa: F401

from pathlib import Path

from absl import flags

import console
import streaming_flags

_BELT = streaming_flags.define()
_SPEED = streaming_flags.define_speed(unlimited=True)
_HOURS = flags.DEFINE_float("hours", None, "Instead, as many lines as the belt has in so many hours, without a limit.")

PROGRAM = Path(__file__).resolve().parents[1] / "tflite" / "inspect_line.py"


def main() -> None:
    from wool_tf.belt import scoring, streaming

    display, hours = console.Display(), None if _HOURS.value is None else streaming_flags.above_zero(_HOURS)
    speeds, given = _SPEED.values if hours is None else [0.0], _BELT.given()
    laid, rate = given.belt, given.lines_per_second
    display.say(f"{len(laid.scans)} scans, {laid.lines:,} lines, {len(laid.boxes)} visible defects")
    runs = {}
    for speed in speeds:
        lines = laid.lines if hours is None else round(3600 * hours * rate)
        display.say("as fast as possible" if speed == 0 else f"{speed:g} times real time, {rate:g} lines/s each")
        run = streaming.stream(laid, PROGRAM, given.model, rate, speed, lines, hours is None)
        runs[f"{speed:g}"] = (scoring.judge(laid, run) if hours is None else scoring.program_figures(run)) | {
            "memory_samples": run.memory
        }
    print(_table(runs))
    given.write({"runs": runs})


def _table(runs: dict) -> str:
    """The figures, a column for each speed."""
    from wool_tf.cells import MISSING, aligned

    rows = [["", *("no limit" if speed == "0" else f"{speed}×" for speed in runs)]]

    def add(name, cell) -> None:
        rows.append([name, *(MISSING if (shown := cell(run)) is None else shown for run in runs.values())])

    first = next(iter(runs.values()))
    for defect in first.get("defects", ()):
        add(f"found of {defect}", lambda run, defect=defect: _found(**run["defects"][defect]))
    if "defects" in first:
        add("product, m", lambda run: f"{run['product_m']:.1f}")
        add("rejects", lambda run: f"{run['rejects']}")
        add("false rejects per m of product", lambda run: f"{run['false_rejects']:.3f}")
        add("falsely rejected, mm per m of product", lambda run: f"{run['false_mm']:.1f}")
        add("rejected share of the product", lambda run: f"{run['rejected_share']:.1%}")
    add("lines per second", lambda run: f"{run['lines_per_second']:,.0f}")
    add("tiles", lambda run: f"{run['tiles']:,}")
    add("tile latency p50 / p95, ms", lambda run: _pair(run["tile_latency_ms"]))
    add("reject latency p50 / p95, mm", lambda run: _pair(run["reject_latency_mm"]))
    add("longest reject latency, mm", lambda run: run["reject_latency_mm"] and f"{run['reject_latency_mm']['max']:.0f}")
    add("stated reject latency, mm", lambda run: run["stated_latency"] and f"{run['stated_latency']['mm']:.0f}")
    add("rejects later than stated", lambda run: f"{run['late']}")
    add("unseen, mm", lambda run: f"{run['unseen_mm']:.0f}")
    add("forgotten, mm", lambda run: f"{run['forgotten_mm']:.0f}")
    add("lines lost", lambda run: f"{run['lost_lines']}")
    add("times the overlap was thinned", lambda run: f"{run['thinned']}")
    add("thinnest level", lambda run: "{} of {}".format(*run["thinnest"]))
    add("alarms", lambda run: ", ".join(run["alarms"]) or None)
    add("writer held up at most, ms", lambda run: f"{run['longest_write_ms']:.0f}")
    add("peak memory, MB", lambda run: f"{run['peak_memory_mb']:.1f}")
    add("mean memory, first / last quarter, MB", lambda run: run["memory_mb"] and _quarters(run["memory_mb"]))
    return "\n".join(aligned(rows, "l" + "r" * len(runs)))


def _found(boxes: int, looked_at: int, found: int) -> str:
    """How many defects were found; that one was missed means little if nobody looked at it."""
    missed = boxes - looked_at
    return f"{found} of {boxes}" + (f", {missed} not looked at" if missed else "")


def _pair(found: dict | None) -> str | None:
    return found and f"{found['p50']:.0f} / {found['p95']:.0f}"


def _quarters(found: dict) -> str:
    return f"{found['first']['mean']:.1f} / {found['last']['mean']:.1f}"


if __name__ == "__main__":
    console.run(main)
