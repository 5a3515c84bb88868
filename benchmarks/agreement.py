"""A trained network in TFLite, ONNX Runtime, ExecuTorch and PyTorch: size, agreement, accuracy and time.

    python benchmarks/agreement.py --json=agreement.json
    python benchmarks/agreement.py --network=run/model/compact.safetensors --data=crops --json=agreement.json

All judge the same pixels. Agreement is the share of images that an export calls what the network in Keras calls them,
at the threshold 0.5; differences are those of the scores. Ranges of 8-bit files come from the same images for all of
them, some of those that are judged. Times are of one image with one thread, of processor time, all in turns, with what
each does to the pixels before; ratios are to TFLite in float32. Without --network it is the smaller network that comes
with the package, and without --data simulated crops. Runtimes that are not installed are left out.
"""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from absl import flags

import documents
import exports
import simulated
import turns
from wool_board.columns import aligned
from wool_tf import quiet
from wool_tf.cells import decimals
from wool_tf.command_line import console, flag_values, run_display
from wool_tf.networks.initial_weights import SIMULATED

_NETWORK = flags.DEFINE_string("network", str(SIMULATED["simulated64"]), "Checkpoint of the network.")
_DATA = flags.DEFINE_string("data", None, "Folder of crops; default: simulated ones.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each export.", lower_bound=3)
_TURN = flags.DEFINE_float("turn_seconds", 0.3, "Length of a turn; at least three runs are timed in each.")
_JSON, _QUICK = documents.define("Few images and two rounds")

SAMPLES, QUICK_SAMPLES = 30, 8
"""Simulated samples."""
CALIBRATION_IMAGES = 100
HEADER = ("runtime", "numbers", "bytes", "accuracy %", "AUC", "agreement %", "mean diff.", "largest", "p50", "p99, ms")
REFERENCE = "TFLite fp32"
REMEDY = "pip install -e '.[torch,onnx,executorch]'"


@dataclasses.dataclass(frozen=True)
class ExportMetrics:
    """What an export says of the images, beside the network in Keras: metrics, and a `ScoreDifference`'s figures."""

    accuracy: float
    auc: float
    agreement: float
    mean_difference: float
    max_difference: float


def main() -> None:
    console.set_computing_environment(1)
    quiet.import_keras()
    run_display.Display(aside=True)
    # They import Keras.
    from wool_tf.deploy.trained_network import NetworkSource, opened

    lacking = {runtime: exports.absent(needed) for runtime, (_, needed) in exports.RUNTIMES.items()}
    left_out = [f"{name} is left out: no {', '.join(found)} here; {REMEDY}" for name, found in lacking.items() if found]
    print(documents.heading(), *left_out, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as made:
        data = (
            flag_values.path("data", _DATA.value)
            if _DATA.value
            else simulated.crops(Path(made), QUICK_SAMPLES if _QUICK.value else SAMPLES)
        )
        trained = opened(NetworkSource(flag_values.path("network", _NETWORK.value), data), Path(made))
        images, labels = np.array(trained.images.images), trained.images.labels
        expected = trained.scores(np.arange(len(labels)))
    step = -(-len(images) // CALIBRATION_IMAGES)
    source = exports.Source(trained.spec, trained.arrays, images[::step])
    found = [each for name in exports.RUNTIMES if not lacking[name] for each in exports.RUNTIMES[name][0](source)]
    judged = [_judged(export, images, labels, expected) for export in found]
    works = {export.name: lambda export=export: export.score(images[0]) for export in found}
    times = turns.measure(works, 1, 2 if _QUICK.value else _ROUNDS.value, 0.0 if _QUICK.value else _TURN.value)
    print(_text(found, judged, times, len(labels)))
    rows = [
        {"runtime": export.runtime, "precision": export.precision, "bytes": export.size}
        | dataclasses.asdict(figures)
        | times[export.name].figures()
        | times[export.name].compared(times[REFERENCE])
        for export, figures in zip(found, judged, strict=True)
    ]
    documents.write(_JSON.value, network=_NETWORK.value, images=len(labels), left_out=left_out, rows=rows)


def _judged(export: exports.Export, images: np.ndarray, labels: np.ndarray, expected: np.ndarray) -> ExportMetrics:
    from wool_tf.evaluation import agreement, metrics

    scores = np.array([export.score(image) for image in images])
    achieved, far = metrics.evaluate(labels, scores), agreement.compare(expected, scores)
    return ExportMetrics(achieved.accuracy, achieved.auc, far.agreement, far.mean_difference, far.max_difference)


def _text(found: list[exports.Export], judged: list[ExportMetrics], times: dict[str, turns.Times], images: int) -> str:
    rows = []
    for export, figures in zip(found, judged, strict=True):
        taken, faster = times[export.name].figures(), times[export.name].compared(times[REFERENCE])
        low, high = faster["quartiles"]
        shares = (f"{100 * share:.2f}" for share in (figures.accuracy, figures.agreement))
        accuracy, agreement = shares
        rows.append(
            (
                *(export.runtime, export.precision, f"{export.size:,}", accuracy),
                *(decimals(figures.auc), agreement),
                *(f"{figures.mean_difference:.5f}", f"{figures.max_difference:.5f}"),
                *(f"{taken['p50_ms']:.2f}", f"{taken['p99_ms']:.2f}", f"{faster['ratio']:.2f} ({low:.2f}–{high:.2f})"),
            )
        )
    table = aligned([(*HEADER, "× as fast"), *rows], "ll" + "r" * (len(HEADER) - 1))
    return "\n".join([f"{images:,} images", "", *table])


if __name__ == "__main__":
    console.run(main)
