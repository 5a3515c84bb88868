"""How many lines the inspection takes, and how much of its time is the network's, at full speed.

    python benchmarks/inspection.py --json=inspection.json
    python benchmarks/inspection.py --model=board/compact-int8.tflite --profile

Lines of a simple belt, products of noise with air between them, are inspected by tflite/inspect_line.py from a file, as
fast as it goes, in a process of its own. The share is the processor time of the thread inside the interpreter, of that
of the whole process from the first tile to the last. Without --model it is a compact ResNet-18 in int8.
"""

import contextlib
import cProfile
import io
import json
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

import contenders
import documents
from wool_tf import WoolError, quiet
from wool_tf.command_line import console, flag_values, setting_flags
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

_MODEL = flags.DEFINE_string("model", None, "Board model with its card; default: a compact network in int8.")
_SIDE = setting_flags.define(TrainingConfig, only=("image_size",), defaults={"image_size": 112})
_LINES = flags.DEFINE_integer("lines", 40_000, "Lines of the belt.", lower_bound=1000)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Inspections.", lower_bound=1)
_PROFILE = flags.DEFINE_bool("profile", False, "Print where the rest of the time goes; that slows it down.")
_JSON, _QUICK = documents.define("A tiny network and few lines")
_INSPECTED = flags.DEFINE_string("inspected", None, "Folder to inspect in this process; used by the benchmark itself.")

WIDTH, PIXEL_MM = 640, 0.8
DARK, OPEN = 400, 40_000
"""Counts without beam, and of the open beam."""
PRODUCT, AIR = 1840, 400
"""Lines of a product, and of the air behind it."""
ATTENUATION = 0.5
WINDOW = [0.0, 1.5]
BELT, DARK_REFERENCE, BRIGHT_REFERENCE, MODEL = "belt.raw", "dark.raw", "bright.raw", "model.tflite"
SHOWN = 25


def main() -> None:
    if _INSPECTED.value:
        print(json.dumps(_inspect(Path(_INSPECTED.value))))
        return
    print(documents.heading(), flush=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        lines = 4 * (PRODUCT + AIR) if _QUICK.value else _LINES.value
        _write_belt(folder, lines)
        (folder / MODEL).write_bytes(_model(folder))
        found = [_in_child(folder) for _ in range(1 if _QUICK.value else _ROUNDS.value)]
    shares, speeds = ([run[name] for run in found] for name in ("share", "lines_per_second"))
    tiles = f"{found[0]['tiles']:,} tiles of {lines:,} lines"
    print(f"{np.median(shares):.1%} of the processor time inside the interpreter ({min(shares):.1%}–{max(shares):.1%})")
    print(f"{np.median(speeds):,.0f} lines per second of processor time, {tiles}")
    print(f"memory {found[0]['memory_mb']:.0f} MB")
    documents.write(_JSON.value, lines=lines, runs=found)


def _write_belt(folder: Path, lines: int) -> None:
    """Writes the lines of the belt, and references of the same detector."""
    rng = np.random.default_rng(0)
    gain = rng.normal(1, 0.03, WIDTH)

    def written(name: str, counts: np.ndarray) -> None:
        noisy = rng.normal(counts, np.sqrt(counts))
        (folder / name).write_bytes(np.clip(noisy, 0, 65535).astype("<u2").tobytes())

    written(DARK_REFERENCE, np.full((512, WIDTH), float(DARK)))
    written(BRIGHT_REFERENCE, np.broadcast_to(DARK + gain * OPEN, (512, WIDTH)))
    lies = np.arange(lines) % (PRODUCT + AIR) < PRODUCT
    patches = np.kron(rng.normal(ATTENUATION, 0.05, (lines // 40 + 1, WIDTH // 40)), np.ones((40, 40)))[:lines]
    # Products leave the sides of the belt free.
    patches[:, :24] = patches[:, -24:] = 0
    written(BELT, DARK + gain * OPEN * np.exp(-np.where(lies[:, None], patches, 0)))


def _model(folder: Path) -> bytes:
    """The board model to inspect with."""
    if _MODEL.value:
        return flag_values.file("model", _MODEL.value).read_bytes()
    console.set_computing_environment(1)
    quiet.import_keras()
    from wool_tf.data import pixels
    from wool_tf.data.imaging import Imaging
    from wool_tf.deploy import card
    from wool_tf.networks import weights

    side = 64 if _QUICK.value else setting_flags.build(TrainingConfig, _SIDE).image_size
    full = ResNetSpec.full(18, 2, (side, side, 1))
    if _QUICK.value:
        full = full.resized({group: width // 8 for group, width in full.by_group().items()})
    case = contenders.Case(full, 1, folder)
    content, spec = contenders.board_model(case, "compact", "int8").read_bytes(), case.networks["compact"]
    about = card.make(
        content,
        "int8",
        spec,
        weights.initial(spec, 0),
        threshold=1.0,
        rule="of a network that is not trained",
        float_threshold=1.0,
        imaging=Imaging(side=pixels.load_size(side), window=tuple(WINDOW), pixel_mm=PIXEL_MM, white=None),
        fingerprint="none",
        images=0,
    )
    return card.attach(content, about)


def _in_child(folder: Path) -> dict:
    command = [sys.executable, __file__, f"--inspected={folder}", *(["--profile"] * _PROFILE.value)]
    # What the inspection says goes to its standard output, and what the benchmark finds to its last line.
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode:
        raise WoolError(f"the inspection ended with status {ran.returncode}")
    return json.loads(ran.stdout.splitlines()[-1])


class _Interpreter:
    """Counts the processor time that passes inside the interpreter, and when it began."""

    def __init__(self, invoke):
        self._invoke = invoke
        self.seconds, self.tiles = 0.0, 0
        self.began = self.ended = 0.0

    def __call__(self, interpreter) -> None:
        if not self.tiles:
            self.began = time.process_time()
        started = time.thread_time()
        self._invoke(interpreter)
        self.seconds += time.thread_time() - started
        self.tiles += 1
        self.ended = time.process_time()


def _inspect(folder: Path) -> dict:
    """Inspects the belt of a folder."""
    from wool_board.belt import program
    from wool_board.command_line import BoardProgram
    from wool_board.machine import board
    from wool_board.model import network

    network.invoke = counted = _Interpreter(network.invoke)
    references = [f"--dark={folder / DARK_REFERENCE}", f"--bright={folder / BRIGHT_REFERENCE}"]
    profile = cProfile.Profile() if _PROFILE.value else contextlib.nullcontext()
    with profile:
        given = [str(folder / MODEL), str(folder / BELT), *references]
        status = BoardProgram("inspect_line.py", __doc__, program.InspectionOptions, program.run).main(given)
    if status:
        sys.exit(status)
    if _PROFILE.value:
        text = io.StringIO()
        pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(SHOWN)
        print(text.getvalue(), file=sys.stderr)
    seconds = counted.ended - counted.began
    lines = (folder / BELT).stat().st_size // (2 * WIDTH)
    return {
        "share": round(counted.seconds / seconds, 4),
        "lines_per_second": round(lines / seconds, 1),
        "tiles": counted.tiles,
        "ms_per_tile": round(1e3 * counted.seconds / counted.tiles, 4),
        "memory_mb": board.peak_memory_mb(),
    }


if __name__ == "__main__":
    console.run(main)
