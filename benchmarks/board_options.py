"""What makes a board model faster, and what does not: operator by operator, and by the ways in which it can be run.

    python benchmarks/board_options.py --json=board_options.json
    python benchmarks/board_options.py --model=compact-int8.tflite --sections=operators

    operators  where the time goes: each operator as a file of its own, and what all of them come to
    compiled   LiteRT's CompiledModel instead of its interpreter; without it where it dies
    start      loading and the first run, in new processes: interpreter, CompiledModel, and with XNNPACK's weight cache
    batches    several tiles at once instead of one by one
    threads    several threads in one tile, or a tile for each thread

Without --model it is a compact ResNet (paper-table3, three rounds) in int8. The ways take turns in one process; with
one thread, times are processor time, with more those of the clock on the wall.
"""

import concurrent.futures
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import flags

import contenders
import documents
import operators
import turns
from wool_board.benchmark.candidates import random_pixels
from wool_board.columns import aligned
from wool_board.model.network import opened
from wool_tf import WoolError, quiet
from wool_tf.command_line import console, flag_values, setting_flags
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

SECTIONS = ("operators", "compiled", "start", "batches", "threads")
WAYS = ("interpreter", "compiled", "cache", "compared")
_MODEL = flags.DEFINE_string("model", None, "TFLite file; default: a compact network in int8.")
_NETWORK = setting_flags.define(TrainingConfig, only=("depth", "image_size"), defaults={"image_size": 112})
_SECTIONS = flags.DEFINE_list("sections", list(SECTIONS), "What is measured.")
_THREADS = flags.DEFINE_integer("threads", 2, "Threads of the section `threads`.", lower_bound=2)
_BATCHES = flags.DEFINE_list("batches", ["2", "4", "8"], "Tiles at once.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each way.", lower_bound=2)
_TURN = flags.DEFINE_float("turn_seconds", 0.3, "Length of a turn.")
_JSON, _QUICK = documents.define("A tiny network and two rounds")
_START = flags.DEFINE_enum("start", None, WAYS, "Start in this process; used by the benchmark itself.")
_CACHE = flags.DEFINE_string("cache", "", "File of the weight cache; used by the benchmark itself.")


def main() -> None:
    if _START.value:
        print(json.dumps(_started(Path(_MODEL.value), _START.value)))
        return
    unknown = sorted(set(_SECTIONS.value) - set(SECTIONS))
    if unknown:
        raise WoolError(f"--sections={','.join(_SECTIONS.value)}: must be of {', '.join(SECTIONS)}")
    works = {"operators": _operators, "compiled": _compiled, "start": _start, "batches": _batches, "threads": _threads}
    print(documents.heading(), flush=True)
    found = {}
    with tempfile.TemporaryDirectory() as made:
        model = flag_values.file("model", _MODEL.value) if _MODEL.value else _made(Path(made))
        for section in _SECTIONS.value:
            found[section] = works[section](model)
    documents.write(_JSON.value, model=_MODEL.value or _described(), sections=found)


def _described() -> str:
    network = setting_flags.build(TrainingConfig, _NETWORK)
    return f"compact ResNet-{network.depth}, {network.image_size} pixels, int8"


def _made(folder: Path) -> Path:
    """A compact network in int8."""
    console.set_computing_environment(1)
    quiet.import_keras()
    network = setting_flags.build(TrainingConfig, _NETWORK)
    side = 64 if _QUICK.value else network.image_size
    full = ResNetSpec.full(network.depth, 2, (side, side, 1))
    if _QUICK.value:
        full = full.resized({group: width // 8 for group, width in full.by_group().items()})
    return contenders.board_model(contenders.Case(full, 1, folder), "compact", "int8")


def _measured(works: dict[str, Callable], threads: int = 1) -> dict[str, turns.Times]:
    return turns.measure(works, threads, 2 if _QUICK.value else _ROUNDS.value, _TURN.value * (not _QUICK.value))


def _interpreter(model: Path | bytes, threads: int = 1) -> Callable[[], object]:
    """What runs a file once: hands over an image, computes, and reads the result."""
    interpreter = opened(model, threads)
    given = [(tensor["index"], random_pixels(tensor["shape"], tensor["dtype"])) for tensor in _inputs(interpreter)]
    results = [tensor["index"] for tensor in interpreter.get_output_details()]

    def run() -> None:
        for index, pixels in given:
            interpreter.set_tensor(index, pixels)
        interpreter.invoke()
        for index in results:
            interpreter.get_tensor(index)

    return run


def _inputs(interpreter) -> list[dict]:
    return interpreter.get_input_details()


def _told(title: str, rows: list[list[str]], numbers: int) -> None:
    words = len(rows[0]) - numbers
    print("", title, *aligned(rows, "l" * words + "r" * numbers), sep="\n", flush=True)


def _operators(model: Path) -> dict:
    """The time of each operator by itself."""
    content = model.read_bytes()
    parts = operators.split(content)
    times = _measured({part.name: _interpreter(part.content) for part in parts} | {"all": _interpreter(content)})
    whole = times["all"].median
    found = [
        {"name": part.name, "kind": part.kind, "output": part.output, "macs": part.macs, **times[part.name].figures()}
        for part in parts
    ]
    rows = [["operator", "output", "ms", "of the file", "GMAC/s"]]
    for part in found:
        speed = f"{part['macs'] / part['p50_ms'] / 1e6:.1f}" if part["macs"] else ""
        shape = "×".join(map(str, part["output"][1:]))
        rows.append([part["name"], shape, f"{part['p50_ms']:.3f}", f"{part['p50_ms'] / whole:.1%}", speed])
    _told(f"operators; the whole file takes {whole:.3f} ms, they {sum(part['p50_ms'] for part in found):.3f}", rows, 3)
    return {"whole": times["all"].figures(), "operators": found}


def _compiled(model: Path) -> dict:
    """CompiledModel beside the interpreter, in a process of its own: it may die, and prints notes until its end."""
    found = _child(model, "compared", "")
    if "died" in found:
        print("", f"compiled: CompiledModel cannot be used here: {found['died']}", sep="\n")
        return found
    _compare("compiled", found)
    return found


def _compare(title: str, found: dict[str, dict]) -> None:
    rows = [["", "p50", "p90", "p99, ms", "×", "quartiles"]]
    for name, own in found.items():
        low, high = own["quartiles"]
        times = [f"{own[f'p{percent}_ms']:.3f}" for percent in turns.PERCENTILES]
        rows.append([name, *times, f"{own['ratio']:.2f}", f"{low:.2f}–{high:.2f}"])
    _told(title, rows, 5)


def _compiled_run(model: Path, threads: int, cache: str) -> Callable[[], object]:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.options import CpuOptions, Options

    cpu = CpuOptions(num_threads=threads, xnnpack_weight_cache_path=cache)
    compiled = CompiledModel.from_file(str(model), options=Options(cpu_options=cpu))
    (image, *_), (logits, *_) = operators.ends(model.read_bytes())
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    pixels = random_pixels(*image)

    def run() -> None:
        inputs[0].write(pixels)
        compiled.run_by_index(0, inputs, outputs)
        outputs[0].read(int(np.prod(logits[0])), logits[1])

    return run


def _start(model: Path) -> dict:
    """Loading and the first run, in processes of their own that take turns."""
    times: dict[str, list[dict]] = {}
    with tempfile.TemporaryDirectory() as made:
        cache = str(Path(made, "weights.cache"))
        for number in range(2 if _QUICK.value else _ROUNDS.value):
            ways = [("interpreter", ""), ("compiled", ""), ("cache", cache)]
            for way, file in ways:
                # The first start with a cache makes it.
                name = "cache, made" if way == "cache" and number == 0 else way
                times.setdefault(name, []).append(_child(model, way, file))
    found = {name: _median(children) for name, children in times.items()}
    rows = [["start", "load", "first run", "both, ms"]]
    for name, own in found.items():
        figures = [own.get("died", "")] * 3
        if not figures[0]:
            figures = [f"{value:.1f}" for value in (own["load_ms"], own["first_ms"], own["load_ms"] + own["first_ms"])]
        rows.append([name, *figures])
    _told("start, processor time", rows, 3)
    return found


def _median(children: list[dict]) -> dict:
    died = [child for child in children if "died" in child]
    return died[0] if died else {key: float(np.median([child[key] for child in children])) for key in children[0]}


def _child(model: Path, way: str, cache: str) -> dict:
    """What a process of its own finds of a way to start, or how it died."""
    given = {"model": model, "start": way, "cache": cache}
    same = {flag.name: flag.value for flag in (_ROUNDS, _TURN, _QUICK)}
    command = [sys.executable, __file__, *(f"--{name}={value}" for name, value in (given | same).items())]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode < 0:
        return {"died": signal.Signals(-ran.returncode).name}
    try:
        return json.loads(ran.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {"died": (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]}


def _started(model: Path, way: str) -> dict:
    """What a process that is started for it finds of a way."""
    with quiet.quiet():
        import ai_edge_litert.compiled_model
        import ai_edge_litert.interpreter  # noqa: F401

        if way == "compared":
            return _compared(model)
        started = time.process_time()
        run = _interpreter(model) if way == "interpreter" else _compiled_run(model, 1, _CACHE.value)
        loaded = time.process_time()
        run()
        return {"load_ms": 1e3 * (loaded - started), "first_ms": 1e3 * (time.process_time() - loaded)}


def _compared(model: Path) -> dict:
    times = _measured({"interpreter": _interpreter(model), "CompiledModel": _compiled_run(model, 1, "")})
    return {name: own.figures() | own.compared(times["interpreter"]) for name, own in times.items()}


def _batches(model: Path) -> dict:
    """Several tiles at once, per tile."""
    works, sizes, refused = {"1 tile": _interpreter(model)}, {"1 tile": 1}, {}
    for number in flag_values.numbers("batches", _BATCHES.value[: 1 if _QUICK.value else None], int):
        name = f"{number} tiles"
        try:
            works[name], sizes[name] = _batch(model, number), number
        except (RuntimeError, ValueError) as error:
            refused[name] = " ".join(str(error).split())
            print("", f"batches: the file cannot be run on {name} ({refused[name]})", sep="\n")
    times = {name: own.divided(sizes[name]) for name, own in _measured(works).items()}
    found = {name: own.figures() | own.compared(times["1 tile"]) for name, own in times.items()}
    _compare("batches, per tile", found)
    return found | {"refused": refused}


def _batch(model: Path, number: int) -> Callable[[], object]:
    interpreter = opened(model, 1)
    (image,) = _inputs(interpreter)
    shape = (number, *image["shape"][1:])
    interpreter.resize_tensor_input(image["index"], shape)
    interpreter.allocate_tensors()
    pixels, results = random_pixels(shape, image["dtype"]), interpreter.get_output_details()

    def run() -> None:
        interpreter.set_tensor(image["index"], pixels)
        interpreter.invoke()
        for result in results:
            interpreter.get_tensor(result["index"])

    run()
    return run


def _threads(model: Path) -> dict:
    """Threads in one tile, and a tile for each thread, per tile."""
    number = _THREADS.value
    tiles = [_interpreter(model) for _ in range(number)]
    with concurrent.futures.ThreadPoolExecutor(number) as pool:

        def side_by_side() -> None:
            for each in [pool.submit(tile) for tile in tiles]:
                each.result()

        works = {
            "1 thread": _interpreter(model),
            f"{number} threads in a tile": _interpreter(model, number),
            f"{number} tiles side by side": side_by_side,
        }
        times = _measured(works, threads=number)
    last = f"{number} tiles side by side"
    times[last] = times[last].divided(number)
    found = {name: own.figures() | own.compared(times["1 thread"]) for name, own in times.items()}
    _compare("threads, per tile, by the clock on the wall", found)
    return found


if __name__ == "__main__":
    console.run(main)
