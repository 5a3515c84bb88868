"""Folds of the whole protocol: ours, PyTorch's and that of a plain script in Keras, stage after stage in turns.

    python benchmarks/protocol.py --data=crops --weights=resnet18.safetensors --json=protocol.json

Each works in a process of its own, with one thread, on the same folds of the same images, from the same weights: the
first one, or as many as --trained_folds says, 0 for all. Seconds are of processor time and hold everything that a stage
needs, tracing and scoring included; those of an epoch are the mean of all but the first. Memory is the most that the
process has had in main memory up to the end of the stage. Accuracies are of the held-out images of all folds, and their
differences are taken image by image. Ours and PyTorch's have the defaults but for what flags say; `plain_keras.py` says
what the plain script does. What is not installed is left out. Without --data it is simulated crops, and without
--weights the smaller network that comes with the package, which knows such crops already.
"""

import contextlib
import dataclasses
import importlib
import importlib.util
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from absl import flags

import documents
import simulated
from wool_board.columns import aligned
from wool_tf import WoolError, quiet
from wool_tf.cells import MISSING
from wool_tf.command_line import console, flag_values, run_display, setting_flags
from wool_tf.data import native_crops
from wool_tf.data.dataset import Dataset
from wool_tf.errors import extra
from wool_tf.evaluation import paired_comparison
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.study import grid
from wool_tf.training.config import TrainingConfig

OURS, PYTORCH, PLAIN = "ours", "PyTorch", "plain Keras"
TORCH = "torch", "torchvision", "torch_pruning"
"""What the extra torch installs."""
CONTENDERS = {OURS: "wool_tf.training.methods", PYTORCH: "wool_tf.baselines.pytorch.protocol", PLAIN: "plain_keras"}
"""The module of each, whose `stages` gives the stages."""
OTHERS = (PYTORCH, PLAIN)
LENGTHS = "epochs", "finetune_epochs", "asfp_epochs"

_DATA = flags.DEFINE_string("data", None, "Folder of crops; default: simulated ones.")
_SETTINGS = setting_flags.define(
    TrainingConfig,
    only=("weights", "image_size", "folds", "adam_learning_rate", *LENGTHS),
    defaults={"weights": "simulated64", "image_size": 64},
)
_WITHOUT = flags.DEFINE_list("without", [], f"Whom to leave out, of {', '.join(OTHERS)}.")
_FOLDS = flags.DEFINE_integer("trained_folds", 1, "Folds that are trained, the first ones; 0: all.", lower_bound=0)
_JSON, _QUICK = documents.define("Few images, one epoch, ours alone")

SAMPLES, QUICK_SAMPLES = 30, 6
"""Simulated samples."""


@dataclasses.dataclass(frozen=True)
class StageCost:
    """What a stage took in a fold, and what came of it.

    Attributes:
        epochs: that it trained.
        cpu_seconds: processor time of all of it.
        epoch_cpu_seconds: mean over the epochs but the first; None where there was one alone.
        peak_mib: the most main memory that the process has had.
        held_out: (n,) indices of the images that the fold holds out.
        scores: (n,) of them, probability of "defective".
    """

    epochs: int
    cpu_seconds: float
    epoch_cpu_seconds: float | None
    peak_mib: float
    held_out: tuple[int, ...]
    scores: tuple[float, ...]


Costs = dict[tuple[str, str], list[StageCost]]
"""What each stage took, by its name and whose it was; one for each fold."""


def main() -> None:
    unknown = sorted(set(_WITHOUT.value) - set(OTHERS))
    if unknown:
        raise WoolError(f"--without={','.join(_WITHOUT.value)}: must be of {', '.join(OTHERS)}")
    settings = _settings()
    if _FOLDS.value > settings.folds:
        raise WoolError(f"--trained_folds={_FOLDS.value}: must be at most --folds={settings.folds}")
    without = {*OTHERS} if _QUICK.value else {*_WITHOUT.value}
    missing = [package for package in TORCH if importlib.util.find_spec(package) is None]
    if PYTORCH not in without and missing:
        print(f"PyTorch is left out: {', '.join(missing)} is not installed; {extra('torch')}")
        without.add(PYTORCH)
    names = [name for name in CONTENDERS if name not in without]
    console.set_computing_environment(1)
    run_display.Display(aside=True)
    print(documents.heading(), flush=True)
    with tempfile.TemporaryDirectory() as made:
        data = (
            flag_values.folder("data", _DATA.value)
            if _DATA.value
            else simulated.crops(Path(made), QUICK_SAMPLES if _QUICK.value else SAMPLES)
        )
        images = native_crops.load(data, Path(made)).for_network(settings.image_size)
        found: Costs = {}
        for found in _raced(names, settings, data, Path(made)):
            _write(settings, found)
    print("", *_table(names, found, images), "", *_differences(names, found, images), sep="\n")


def _write(settings: TrainingConfig, found: Costs) -> None:
    rows = [
        {"stage": stage, "of": name, "fold": fold} | dataclasses.asdict(cost)
        for (stage, name), costs in found.items()
        for fold, cost in enumerate(costs)
    ]
    documents.write(_JSON.value, settings=dataclasses.asdict(settings), rows=rows)


def _settings() -> TrainingConfig:
    """All seven stages."""
    given = {"weights": flag_values.weights("weights", _SETTINGS["weights"].value), "asfp_rates": (0.1, 0.2, 0.3)}
    if _QUICK.value:
        given |= {"epochs": 1, "finetune_epochs": 1, "asfp_epochs": 1, "rounds": 1, "asfp_rates": (), "folds": 2}
    return setting_flags.build(TrainingConfig, _SETTINGS, final="baseline", **given)


def _raced(names: list[str], settings: TrainingConfig, data: Path, made: Path) -> Iterator[Costs]:
    """What each has done in each stage, after every fold."""
    # A process that is forked would have what the other one has imported.
    spawning = multiprocessing.get_context("spawn")
    pipes = {}
    for name in names:
        pipes[name], theirs = spawning.Pipe()
        spawning.Process(target=_serve, args=(name, settings, data, made / name, theirs), daemon=True).start()
        theirs.close()
    found: Costs = {}
    for fold in range(_FOLDS.value or settings.folds):
        for stage in settings.stages:
            for name, pipe in pipes.items():
                done = _asked(pipe, name, fold, stage)
                found.setdefault((stage, name), []).append(done)
                print(f"fold {fold + 1:<4}{stage:12}{name:14}{done.cpu_seconds:8.1f} s", flush=True)
        yield found


def _asked(pipe: Connection, name: str, fold: int, stage: str) -> StageCost:
    try:
        pipe.send((fold, stage))
        found = pipe.recv()
    except (EOFError, OSError):
        raise WoolError(f"{name}: its process has died, see above; leave it out with --without") from None
    if isinstance(found, str):
        raise WoolError(found)
    return found


def _serve(name: str, settings: TrainingConfig, data: Path, folder: Path, pipe: Connection) -> None:
    """Does the stages that it is asked for, in a process of its own; sends what they took, or what was wrong."""
    try:
        _work(name, settings, data, folder, pipe)
    except WoolError as error:
        pipe.send(str(error))


def _work(name: str, settings: TrainingConfig, data: Path, folder: Path, pipe: Connection) -> None:
    if name == PLAIN:
        del os.environ["TF_ENABLE_ONEDNN_OPTS"]
    quiet.import_keras()
    folder.mkdir()
    images = native_crops.load(data, folder).for_network(settings.image_size)
    folds = grid.all_folds(settings, images, grid.split(settings, images), folder, None)
    stages = {stage.name: stage for stage in importlib.import_module(CONTENDERS[name]).stages(settings)}
    with contextlib.suppress(EOFError):  # Raised when there is nothing more to do.
        while True:
            fold, stage = pipe.recv()
            folds[fold].folder.mkdir(parents=True, exist_ok=True)
            pipe.send(_done(stages[stage], folds[fold], settings))


def _done(stage, fold, settings: TrainingConfig) -> StageCost:
    epochs = stage.epochs + stage.consolidation
    ends, started = {}, time.process_time()

    def progress(share: float, _what: str) -> None:
        ends.setdefault(int(share * epochs + 1e-6), time.process_time())

    found = stage.run(fold, settings, progress)
    taken = time.process_time() - started
    epoch = (ends[epochs] - ends[1]) / (epochs - 1) if epochs > 1 else None
    return StageCost(epochs, taken, epoch, _peak_mib(), found.held_out, found.scores)


def _peak_mib() -> float:
    """The most main memory that this process has had; what `getrusage` knows began before it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _table(names: list[str], found: Costs, images: Dataset) -> list[str]:
    head = ["", *(f"{name}, {what}" for what in ("s", "s an epoch", "MiB", "%") for name in names)]
    stages = list(dict.fromkeys(stage for stage, _ in found))
    rows = [
        [
            stage,
            *(f"{_total([found[stage, name]]):.1f}" for name in names),
            *(_seconds([cost.epoch_cpu_seconds for cost in found[stage, name]]) for name in names),
            *(f"{max(cost.peak_mib for cost in found[stage, name]):.0f}" for name in names),
            *(f"{100 * _right(found[stage, name], images).mean():.1f}" for name in names),
        ]
        for stage in stages
    ]
    totals = {name: _total([found[stage, name] for stage in stages]) for name in names}
    rows.append(["all", *(f"{total:.1f}" for total in totals.values()), *[""] * (3 * len(names))])
    ratios = [f"{name}: {totals[name] / totals[OURS]:.2f} × the time of ours" for name in names[1:]]
    return [*aligned([head, *rows], "l" + "r" * (len(head) - 1)), *ratios]


def _differences(names: list[str], found: Costs, images: Dataset) -> list[str]:
    """How much more often ours judges images rightly than each of the others does, stage by stage."""
    rows = [["ours less", "", "points, 95 % over samples", "only ours right", "only the other", "p"]]
    for (stage, name), costs in found.items():
        if name == OURS:
            continue
        held_out = np.concatenate([cost.held_out for cost in costs])
        called = [_scores(each) >= THRESHOLD for each in (costs, found[stage, OURS])]
        change = paired_comparison.compare(images.labels[held_out], images.groups[held_out], *called)
        low, high = (f"{100 * end:+.1f}" for end in change.interval)
        points = f"{100 * change.change:+.1f} ({low} to {high})"
        rows.append([name, stage, points, str(change.gained), str(change.lost), f"{change.p:.3f}"])
    return aligned(rows, "llrrrr") if len(names) > 1 else []


def _total(costs: Sequence[Sequence[StageCost]]) -> float:
    return sum(cost.cpu_seconds for each in costs for cost in each)


def _scores(costs: Sequence[StageCost]) -> np.ndarray:
    return np.concatenate([cost.scores for cost in costs])


def _right(costs: Sequence[StageCost], images: Dataset) -> np.ndarray:
    """Whether each held-out image is judged rightly."""
    held_out = np.concatenate([cost.held_out for cost in costs])
    return (_scores(costs) >= THRESHOLD) == images.labels[held_out]


def _seconds(values: Sequence[float | None]) -> str:
    timed = [value for value in values if value is not None]
    return f"{np.mean(timed):.2f}" if timed else MISSING


if __name__ == "__main__":
    console.run(main)
