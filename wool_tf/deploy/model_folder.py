"""The folder that goes to the board, and how fast its models are here."""

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from wool_board.benchmark.document import BenchmarkDocument
from wool_tf import files, records
from wool_tf.data.dataset import Dataset
from wool_tf.data.imaging import Imaging
from wool_tf.deploy import card, tflite_file
from wool_tf.errors import WoolError
from wool_tf.networks import resnet, unit_records, weights

BASELINE_FLOAT, COMPACT_FLOAT, COMPACT_INT8 = "baseline-float32", "compact-float32", "compact-int8"


@dataclasses.dataclass(frozen=True)
class DeliveryMetrics:
    """How a file decides, and how well files of its kind did on images that had no part in them.

    Attributes:
        threshold: score from which on an image is called defective, 0 to 1.
        rule: in words, how it was chosen.
        float_threshold: what the same rule gives for the network in floating point.
        metrics: as for `card.make`; those of other files, where this one's network was trained on all images.
        images: number of images that its network was trained on.
    """

    threshold: float
    rule: str
    float_threshold: float
    metrics: dict
    images: int


def write(
    folder: Path,
    unpruned: Path,
    final: Path,
    int8: Path,
    judged: Sequence[DeliveryMetrics],
    imaging: Imaging,
    crops: Dataset,
) -> dict[str, Path]:
    """Writes what goes to the board, what Keras and PyTorch can read of it, and what it is timed against.

    Arguments:
        folder: made if it is missing; gets `compact.keras`, `compact.safetensors` and their record, `compact.json`,
            which tells `trained_network.opened` that they held no image out, and how images were read; and three TFLite
            files with their cards inside and beside them.
        unpruned: checkpoint of an unpruned network.
        final: checkpoint of the network that is delivered, with its record beside it.
        int8: its int8 file.
        judged: of the unpruned network, of the delivered one, and of its int8 file.
        imaging: of the crops.
        crops: Dataset in native size.

    Returns:
        The TFLite files, by name: the unpruned network, the delivered one, and its int8 file.

    Raises:
        WoolError: a checkpoint cannot be read, or a file cannot be written.
    """
    side = crops.images.shape[1]
    networks = {name: weights.load(path) for name, path in ((BASELINE_FLOAT, unpruned), (COMPACT_FLOAT, final))}
    networks[COMPACT_INT8] = networks[COMPACT_FLOAT]
    written = {}
    for (name, (spec, arrays)), about in zip(networks.items(), judged, strict=True):
        if name == COMPACT_INT8:
            precision, tflite = "int8", int8.read_bytes()
        else:
            precision, tflite = (
                "fp32",
                tflite_file.convert(resnet.restored(spec, arrays), "fp32", side=side, heatmap=True),
            )
        made = card.make(
            tflite,
            precision,
            spec,
            arrays,
            **dataclasses.asdict(about),
            imaging=imaging,
            fingerprint=crops.fingerprint,
        )
        written[name] = folder / f"{name}.tflite"
        files.write(written[name], card.attach(tflite, made))
        files.write(written[name].with_suffix(".json"), card.text(made).encode())
    spec, arrays = networks[COMPACT_FLOAT]
    record = unit_records.read(final.with_suffix(".json"))
    if record is None:
        raise WoolError(f"{final}: lacks its record; start again, its training is repeated")
    bound = dataclasses.replace(record, native_crops=crops.fingerprint, imaging=imaging)
    unit_records.write(folder / "compact.json", bound)
    weights.save(folder / "compact.safetensors", spec, arrays)
    _save_keras(resnet.restored(spec, arrays), folder / "compact.keras")
    return written


def _save_keras(network: resnet.ResNet, path: Path) -> None:
    # Keras goes by the suffix, so the temporary name has it too.
    temporary = path.with_name(f".{path.name}")
    try:
        network.save(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise WoolError(f"{path}: cannot be written ({error.strerror or error}); free the disk") from None


def latency(program: Path, models: Mapping[str, Path], side: int) -> BenchmarkDocument:
    """What the board's own program, `tflite/benchmark.py`, measures on this machine.

    Arguments:
        program: that program.
        models: by name, TFLite files and checkpoints, which are converted to float32 for it and not kept.
        side: pixels of the images that checkpoints are to read.

    Raises:
        WoolError: a checkpoint cannot be read, or the program failed.
    """
    # What it says of a file names it as it was given.
    names = [f"{name}.tflite" for name in models]
    command = [sys.executable, str(program.resolve()), *names, "--json"]
    with tempfile.TemporaryDirectory() as made:
        for name, path in zip(names, models.values(), strict=True):
            if path.suffix == ".tflite":
                Path(made, name).symlink_to(path.resolve())
            else:
                network = resnet.restored(*weights.load(path))
                Path(made, name).write_bytes(tflite_file.convert(network, "fp32", side=side, heatmap=True))
        finished = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise WoolError(f"{program}: {finished.stderr.strip() or 'failed'}")
    return records.typed(records.parse(finished.stdout.encode()), BenchmarkDocument, str(program))
