"""How fast the compact 8-bit network is against the unpruned float32 one, and against what a user may pick instead.

    python benchmarks/inference.py --json=inference.json
    python benchmarks/inference.py --depths=18 --sizes=112 --threads=1 --runtimes=tflite

Unpruned and compact ResNets (paper-table3, three rounds) in TFLite, PyTorch, ONNX Runtime and as Torch-Pruning leaves
them take turns in one process; runtimes that are not installed are left out (pip install -e '.[torch,onnx]'). Times are
of one image: with one thread, processor time, which other work on the machine changes little; with more, the clock on
the wall. Ratios are to the unpruned network in TFLite's float32, medians over rounds with their quartiles.
Multiply-accumulates per second stand beside the most that a large 8-bit convolution reaches in the same run.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from absl import flags

import best_convolution
import contenders
import documents
import exports
import turns
from contenders import Case, Contender
from wool_board.benchmark.candidates import TimedModel
from wool_board.columns import aligned
from wool_tf import WoolError, quiet
from wool_tf.command_line import console, flag_values, setting_flags
from wool_tf.networks import complexity
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

_NAMES = {"depth": "depths", "image_size": "sizes", "threads": "threads"}
_USUAL = {"depth": (18, 50), "image_size": (112, 224), "threads": (1, 2)}
_CASES = setting_flags.define(TrainingConfig, only=_NAMES, names=_NAMES, defaults=_USUAL, several=True)
_RUNTIMES = flags.DEFINE_list("runtimes", list(contenders.RUNTIMES), "What runs the networks; tflite is the reference.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each network.", lower_bound=3)
_TURN = flags.DEFINE_float("turn_seconds", 0.5, "Length of a turn; at least three runs are timed in each.")
_MODELS = flags.DEFINE_string(
    "models", None, "Folder that keeps TFLite files for the next run; default: none are kept."
)
_JSON, _QUICK = documents.define("Tiny networks and two rounds")

HEADER = ("network", "runtime", "numbers", "p50", "p90", "p99, ms", "×", "quartiles", "GMAC/s", "of the best")
REFERENCE = "unpruned, TFLite fp32"
GOAL = "compact, TFLite int8"


def main() -> None:
    cases = setting_flags.values(TrainingConfig, _CASES)
    runtimes, left_out = _runtimes()
    console.set_computing_environment(max(cases["threads"]))
    quiet.import_keras()
    print(documents.heading(), *left_out, sep="\n", flush=True)
    groups = []
    with _folder() as folder:
        for depth, side, count in [(18, 64, 1)] if _QUICK.value else itertools.product(*cases.values()):
            groups.append(_measured(Case(_full(depth, side), count, folder), runtimes))
            print(_text(groups[-1]), flush=True)
            documents.write(_JSON.value, left_out=left_out, groups=groups)
    if failed := {reason: None for group in groups for reason in group["failed"]}:
        raise WoolError(f"not measured: {'; '.join(failed)}; all others are above")


def _runtimes() -> tuple[list[str], list[str]]:
    """The runtimes that are there, and a line on each that is not."""
    unknown = sorted(set(_RUNTIMES.value) - set(contenders.RUNTIMES))
    if unknown or "tflite" not in _RUNTIMES.value:
        rule = f"must be of {', '.join(contenders.RUNTIMES)}, tflite among them"
        raise WoolError(f"--runtimes={','.join(_RUNTIMES.value)}: {rule}")
    lacking = {runtime: exports.absent(contenders.RUNTIMES[runtime][1]) for runtime in _RUNTIMES.value}
    remedy = "pip install -e '.[torch,onnx]'"
    left_out = [f"{name} is left out: no {', '.join(found)} here; {remedy}" for name, found in lacking.items() if found]
    return [runtime for runtime, found in lacking.items() if not found], left_out


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    if _MODELS.value:
        folder = flag_values.path("models", _MODELS.value)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def _full(depth: int, side: int) -> ResNetSpec:
    full = ResNetSpec.full(depth, 2, (side, side, 1))
    return full.resized({group: width // 8 for group, width in full.by_group().items()}) if _QUICK.value else full


def _measured(case: Case, runtimes: list[str]) -> dict:
    """The figures of all networks of a case, and of the large convolutions between them."""
    found, failed = [], []
    for runtime in runtimes:
        try:
            found += contenders.RUNTIMES[runtime][0](case)
        except WoolError as error:
            failed.append(str(error))
    best = {convolution.name: convolution for convolution in best_convolution.CONVOLUTIONS[: 1 if _QUICK.value else 3]}
    works = {contender.name: contender.run for contender in found}
    for name, convolution in best.items():
        works[name] = TimedModel(best_convolution.write(convolution, case.folder), case.threads).run
    times = turns.measure(works, case.threads, 2 if _QUICK.value else _ROUNDS.value, _TURN.value * (not _QUICK.value))
    reached = {name: convolution.macs / times[name].median * 1e3 for name, convolution in best.items()}
    fastest = max(reached, key=reached.__getitem__)
    return {
        "depth": case.full.depth,
        "image_size": case.full.input_shape[0],
        "threads": case.threads,
        "clock": "processor time" if case.threads == 1 else "wall",
        "best": {"convolution": fastest, "macs_per_second": round(reached[fastest])},
        "failed": failed,
        "rows": [_row(contender, times, reached[fastest]) for contender in found],
        "goal": _goal(found, times),
    }


def _row(contender: Contender, times: Mapping[str, turns.Times], most: float) -> dict:
    own = times[contender.name]
    macs = complexity.macs(contender.spec)
    reached = 1e3 * macs / own.median
    return {
        "network": contender.network,
        "runtime": contender.runtime,
        "precision": contender.precision,
        "macs": macs,
        **own.figures(),
        **own.compared(times[REFERENCE]),
        "macs_per_second": round(reached),
        "share_of_best": round(reached / most, 4),
    }


def _goal(found: list[Contender], times: Mapping[str, turns.Times]) -> dict:
    """How many times as fast as the reference, and as the fastest of the others, the network of a board is."""
    others = [contender.name for contender in found if contender.runtime != "TFLite"]
    answer = {"unpruned": times[GOAL].compared(times[REFERENCE])}
    if others:
        fastest = min(others, key=lambda name: times[name].median)
        answer["fastest_other"] = {"name": fastest, **times[GOAL].compared(times[fastest])}
    return answer


def _text(group: dict) -> str:
    threads = f"{group['threads']} thread" + "s" * (group["threads"] > 1)
    best = f"{group['best']['macs_per_second'] / 1e9:.1f} GMAC/s by a convolution of {group['best']['convolution']}"
    title = f"ResNet-{group['depth']}, {group['image_size']} pixels, {threads}, {group['clock']}; the best is {best}"
    rows = [[row["network"], row["runtime"], row["precision"], *_cells(row)] for row in group["rows"]]
    lines = ["", title, *aligned([list(HEADER), *rows], "lll" + "r" * 7), *group["failed"]]
    for name, found in group["goal"].items():
        low, high = found["quartiles"]
        other = found.get("name", f"{name} in float32")
        lines.append(f"compact int8 is {found['ratio']:.2f} × ({low:.2f}–{high:.2f}) as fast as {other}")
    return "\n".join(lines)


def _cells(row: dict) -> list[str]:
    low, high = row["quartiles"]
    times = [f"{row[f'p{percent}_ms']:.2f}" for percent in turns.PERCENTILES]
    ratio = [f"{row['ratio']:.2f}", f"{low:.2f}–{high:.2f}"]
    return [*times, *ratio, f"{row['macs_per_second'] / 1e9:.1f}", f"{row['share_of_best']:.0%}"]


if __name__ == "__main__":
    console.run(main)
