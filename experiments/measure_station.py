"""The whole station on simulated or recorded scans: what the gate does, what is found, memory, pace, and what kills do.

    python experiments/measure_station.py --scans=scans --model=board/compact-int8.tflite --speed=1,2,4
    python experiments/measure_station.py --scans=scans --model=board/compact-int8.tflite --kills=20
    python experiments/measure_station.py --scans=scans --model=board/compact-int8.tflite --hours=8

Scans pass in real time, or a multiple of it, under tflite/inspect_line.py; beside it are gate.py with pins that are
made up, station.py record, station.py serve with a reader of its page, and mqtt.py with a Mosquitto, where this machine
has one; each with the CPU priority of its service, if this user may give it. Then they pass as fast as the inspection
takes them, without the station and with it in turn: that is what the station costs.

With --kills each of these programs is killed so many times at random, and started anew as its service would be: what of
the belt had to be rejected, and passed? Was anything lost that was in the store? With --hours as many lines pass as the
belt has in that time, as fast as possible: does the memory stay as it is? On a board, run it on the board.
"""

import startup  # noqa: F401

from collections.abc import Iterable, Sequence
from pathlib import Path

from absl import flags

import streaming_flags
import streaming_table
from wool_tf import WoolError
from wool_tf.belt.gate.place import TrialGate
from wool_tf.command_line import console, run_display, setting_flags
from wool_tf.errors import as_text
from wool_tf.training.config import TrainingConfig

_BELT = streaming_flags.define("speed", "threads", "hours", config=streaming_flags.PacedConfig)
_PLACE = setting_flags.define(TrialGate, without=("lanes",))
_PAIRS = flags.DEFINE_integer("pairs", 5, "Runs as fast as possible, each with the station and without.", lower_bound=0)
_KILLS = flags.DEFINE_integer("kills", None, "Instead, how often each program is killed.", lower_bound=1)
_SEED = setting_flags.define(TrainingConfig, only=("seed",))

BOARD = Path(__file__).resolve().parents[1] / "tflite"
PROGRAM = BOARD / "inspect_line.py"
PARTS = ("inspection", "gate", "station")


def main() -> None:
    from wool_tf.belt.station import broker
    from wool_tf.belt.station.processes import Commands

    display, config = run_display.Display(), _BELT.config
    speeds, hours, seed = config.speed, config.hours, setting_flags.build(TrainingConfig, _SEED).seed
    if _KILLS.value and hours is not None:
        raise WoolError("--kills and --hours: give one of them")
    if _KILLS.value and len(speeds) > 1:
        raise WoolError(f"--speed={as_text(speeds)}: must be one number with --kills")
    place, given = setting_flags.build(TrialGate, _PLACE), _BELT.given()
    if not broker.PROGRAM:
        display.say("without MQTT: this machine has no mosquitto; apt-get install mosquitto")
    belt = given.belt
    display.say(f"{len(belt.scans)} scans, {belt.lines:,} lines, {len(belt.boxes)} visible defects")
    commands = Commands(BOARD, [PROGRAM, given.model, f"--threads={config.threads}"], [BOARD / "gate.py", "--gpio=17"])
    if _KILLS.value:
        found = _killed(given, commands, place, speeds[0], seed, display)
    elif hours is not None:
        found = _lasting(given, commands, place, hours, display)
    else:
        found = _streamed(given, commands, place, speeds, display)
    given.write(gate=place, **found)


def _say_priority(is_given: bool, display) -> None:
    if not is_given:
        display.say(
            "without the CPU priorities of the services, which only root may give: the gate had to wait its turn"
        )


def _streamed(given, commands, place, speeds: Sequence[float], display) -> dict:
    """At each speed, and then as fast as possible."""
    from wool_tf.belt.station import pace
    from wool_tf.belt.station import run as station_run

    runs, rate = {}, given.lines_per_second
    for speed in speeds:
        display.say(f"{speed:g} times real time, {rate:g} lines/s each, with the station")
        runs[f"{speed:g}"] = station_run.run(given.belt, commands, place, rate * speed, given.belt.lines)
        streaming_table.say_notes(runs[f"{speed:g}"].gate, display)
    _say_priority(runs[f"{speeds[0]:g}"].station.scheduled, display)
    print(_table(runs))
    if not _PAIRS.value:
        return {"runs": runs}
    found = pace.compare(given.belt, commands, place, rate, _PAIRS.value)
    spread = f"({min(found.ratios):.3f} to {max(found.ratios):.3f} in {_PAIRS.value} pairs)"
    print(f"\nas fast as possible, with the station beside it: {found.median:.3f} times as fast as alone {spread}")
    written = vars(found) | {"with": found.beside}
    del written["beside"]
    return {"runs": runs, "pace": written}


def _table(runs: dict) -> str:
    inspection, gate, station = ({speed: getattr(run, part) for speed, run in runs.items()} for part in PARTS)
    parts = [streaming_table.SpeedTable(part) for part in (inspection, gate, station)]
    streaming_table.add_found(parts[0], inspection)
    streaming_table.add_pace(parts[0])
    streaming_table.add_gate(parts[1])
    _add_station(parts[2], next(iter(station.values())).memory_mb, False)
    return "\n\n".join(f"{name.title()}\n{part.text()}" for name, part in zip(PARTS, parts, strict=True))


def _add_station(table: streaming_table.SpeedTable, programs: Iterable[str], lasting: bool) -> None:
    for name in programs:
        table.add(f"peak memory of {name}, MB", lambda run, name=name: f"{run.peak_memory_mb[name]:.1f}")
    for name in programs if lasting else ():
        text = f"mean memory of {name}, first / last quarter, MB"
        table.add(text, lambda run, name=name: streaming_table.quarters(run.memory_mb[name]))
    table.add("rejects told", lambda run: f"{run.told_rejects}")
    table.add("  recorded", lambda run: f"{run.recorded_rejects}")
    table.add("  published by MQTT", lambda run: _count(run.published_rejects))
    table.add("tiles on the page", lambda run: f"{run.page.tiles:,}")
    table.add("  messages left out there", lambda run: f"{run.page.dropped}")
    table.add("  latest message, s", lambda run: f"{run.page.worst_seconds:.2f}")


def _count(number: int | None) -> str | None:
    return None if number is None else f"{number}"


def _lasting(given, commands, place, hours: float, display) -> dict:
    """For some hours of the belt, as fast as possible."""
    from wool_tf.belt import scoring
    from wool_tf.belt.station import pace

    lines = round(3600 * hours * given.lines_per_second)
    display.say(f"{lines:,} lines as fast as possible, with the station")
    run, station = pace.accompanied(given.belt, commands, place, given.lines_per_second, lines)
    _say_priority(station.scheduled, display)
    figures = scoring.program_figures(run)
    alone, beside = streaming_table.SpeedTable({"0": figures}), streaming_table.SpeedTable({"0": station})
    streaming_table.add_pace(alone)
    _add_station(beside, station.memory_mb, True)
    print(f"Inspection\n{alone.text()}\n\nStation\n{beside.text()}")
    return {"hours": hours, "inspection": figures, "station": station}


def _killed(given, commands, place, speed: float, seed: int, display) -> dict:
    """Programs are killed at random."""
    from wool_board.columns import aligned
    from wool_tf.belt.station import kills

    rate = given.lines_per_second * speed
    found = kills.run(given.belt, commands, place, rate, _KILLS.value, seed)
    _say_priority(found.scheduled, display)
    rows = [["killed", "times", "gate passed", "then rejected needlessly, mm each"]]
    for name, kill in found.kills.items():
        rows.append([name, f"{kill.kills}", f"{kill.while_passing}", f"{kill.needless_mm}"])
    store, rejects = found.store, found.rejects
    published = "" if rejects.published is None else f", {rejects.published} published"
    lines = [
        *aligned(rows, "lrrr"),
        f"{found.due_mm / 1000:.1f} of {found.belt_mm / 1000:.1f} m of belt were to be rejected; of that passed:",
        f"  where the pin of a dead gate becomes an input: {found.missed_mm:.1f} mm",
        f"  where it stays until the relay of the heartbeat falls: {found.missed_without_input_mm:.1f} mm",
        f"the belt stood for {found.stood_seconds:.1f} s, as this machine was busy",
        f"records that were in the store: {store.seen:,}, of which {store.lost} were lost",
        f"corrections that were acknowledged: {store.corrections}, of which {store.lost_corrections} were lost",
        f"rejects: {rejects.told} told, {rejects.recorded} recorded{published}",
    ]
    print("\n".join(lines))
    return {"killed": found, "speed": speed}


if __name__ == "__main__":
    console.run(main)
