"""How exactly does the gate open? Scans pass on a belt, inspected, with the gate beside it: the error of every edge.

    python experiments/measure_gate.py --scans=scans --model=board/hard3-int8.tflite --speed=1,2,4

The scans are streamed in real time, or a multiple of it, into tflite/inspect_line.py, and tflite/gate.py hears its
feed; its pins are made up (gpiozero's mock), so that nothing but the electronics is left out. For each stretch that was
told to be rejected or unseen, where the belt was when the pin changed is compared with where it ought to have been. An
error above 0 is late: at the beginning of a reject, up to --lead_mm of it do no harm. On a board, run it on the board.
"""

import startup  # noqa: F401

from pathlib import Path

from absl import flags

import console
import streaming_flags

_BELT = streaming_flags.define()
_SPEED = streaming_flags.define_speed(unlimited=False)
_THREADS = flags.DEFINE_integer("threads", 1, "CPU threads of the network.", lower_bound=1)
_DISTANCE = flags.DEFINE_float("distance_mm", 1500, "From the detector to where the gate begins.")
_WIDTH = flags.DEFINE_float("width_mm", 100, "Of the gate along the belt.")
_LEAD = flags.DEFINE_float("lead_mm", 50, "Of the belt, for which it rejects before a reject.")
_HOLD = flags.DEFINE_float("hold_mm", 20, "Of the belt, for which it rejects behind a reject.")

BOARD = Path(__file__).resolve().parents[1] / "tflite"


def main() -> None:
    from wool_tf.belt import gate_edges, gate_run

    display, speeds, given = console.Display(), _SPEED.values, _BELT.given()
    laid, rate = given.belt, given.lines_per_second
    place = gate_edges.GatePlace(_DISTANCE.value, _WIDTH.value, _LEAD.value, _HOLD.value)
    display.say(
        f"{len(laid.scans)} scans, {laid.lines:,} lines; the gate is {place.distance_mm:g} mm behind the detector"
    )
    inspection = [BOARD / "inspect_line.py", given.model, f"--threads={_THREADS.value}"]
    gate = [BOARD / "gate.py", "--gpio=17"]
    runs = {}
    for speed in speeds:
        display.say(f"{speed:g} times real time, {rate:g} lines/s each")
        run = gate_run.run(laid, inspection, gate, place, rate * speed, laid.lines)
        runs[f"{speed:g}"] = _figures(run, place)
    print(_table(runs))
    given.write({"gate": vars(place), "runs": runs})


def _figures(run, place) -> dict:
    """What is written and shown of one speed."""
    from wool_tf.belt import gate_edges

    pixel = run.inspection[0]["pixel_mm"]
    told = [event["along_mm"] for event in run.inspection if event["event"] in ("reject", "unseen")]
    outputs = [event for event in run.gate if event["event"] == "output"]
    record = gate_edges.judge(outputs, told, place, run.written, pixel)
    summary = run.gate[-1]
    return {
        "edges": [edge._asdict() for edge in record.edges],
        "missed_mm": record.missed_mm,
        "needless_mm": record.needless_mm,
        "gate": summary,
        "unseen_mm": sum(
            event["along_mm"][1] - event["along_mm"][0] for event in run.inspection if event["event"] == "unseen"
        ),
    }


def _table(runs: dict) -> str:
    from wool_tf.cells import aligned

    rows = [["", *(f"{speed}×" for speed in runs)]]

    def add(name, cell) -> None:
        rows.append([name, *(cell(run) for run in runs.values())])

    for on, name in ((True, "begins to reject"), (False, "ends to reject")):
        add(f"{name}: edges", lambda run, on=on: f"{len(_errors(run, on))}")
        add("  earliest / mean / latest, mm", lambda run, on=on: _spread(_errors(run, on)))
    add("rejected, and passed all the same, mm", lambda run: f"{run['missed_mm']:.1f}")
    add("rejected needlessly, mm", lambda run: _needless(run["needless_mm"]))
    add("unseen, mm", lambda run: f"{run['unseen_mm']:.0f}")
    add("clock messages", lambda run: f"{run['gate']['clocks']:,}")
    add("  longest step, mm", lambda run: f"{run['gate']['longest_step_mm']:.1f}")
    add("  steps above --lead_mm", lambda run: f"{run['gate']['jumps']}")
    add("  age p50 / p95 / max, ms", lambda run: _ages(run["gate"]["clock_age_ms"]))
    add("rejects later than the gate", lambda run: f"{run['gate']['late']}")
    return "\n".join(aligned(rows, "l" + "r" * len(runs)))


def _errors(run: dict, on: bool) -> list[float]:
    return [edge["error_mm"] for edge in run["edges"] if edge["on"] == on]


def _spread(errors: list[float]) -> str:
    if not errors:
        return "none"
    return f"{min(errors):+.1f} / {sum(errors) / len(errors):+.1f} / {max(errors):+.1f}"


def _needless(needless: dict) -> str:
    return ", ".join(f"{mm:.0f} ({why})" for why, mm in sorted(needless.items())) or "0"


def _ages(ages: dict | None) -> str:
    return f"{ages['p50']:.1f} / {ages['p95']:.1f} / {ages['max']:.1f}" if ages else "none"


if __name__ == "__main__":
    console.run(main)
