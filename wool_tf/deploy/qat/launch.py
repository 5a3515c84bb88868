"""Quantisation-aware fine-tuning of a compact network, and the TFLite file that comes of it.

It is done with TFMOT, which needs tf_keras (Keras 2) and, once imported, sets the Keras of TensorFlow for the whole
process. So it runs in a process of its own: `python -m wool_tf.deploy.qat.launch FOLDER` reads a request from a folder,
writes the file into it, and says how far it is on standard output, a JSON object a line.
"""

import dataclasses
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wool_tf import files
from wool_tf.deploy.geometry import CropGeometry
from wool_tf.errors import Unwritable, WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.progress import Progress
from wool_tf.seeds import BaseSeed
from wool_tf.settings import check, same, setting

_REQUEST, _NETWORK, _IMAGES, _LABELS = "request.json", "network.safetensors", "images.npy", "labels.npy"
_ANSWER = "qat.tflite"
_NOTES = "notes.txt"
_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclasses.dataclass(frozen=True)
class QatConfig:
    """How a network is fine-tuned.

    The defaults did best of what was tried, most pairs of 4 or 8 epochs and 1e-5, 1e-4, 3e-4 or 1e-3, for the AUC of a
    twice and a thrice pruned ResNet-18 on 158 unseen crops after training on 320.

    Raises:
        BadSetting: a value breaks its rule.
    """

    epochs: int = setting(
        8, "Epochs of quantisation-aware fine-tuning; 0 only takes the ranges of the activations.", at_least=0
    )
    batch_size: int = setting(16, "Images per step of quantisation-aware fine-tuning.", at_least=1)
    learning_rate: float = setting(
        3e-4,
        "Adam's first learning rate in quantisation-aware fine-tuning; it falls to zero along half a cosine.",
        at_least=0,
        below=math.inf,
    )
    seed: int = same(BaseSeed, "seed")

    def __post_init__(self) -> None:
        check(self)


def convert(
    spec: ResNetSpec,
    arrays: Mapping[str, np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    config: QatConfig,
    side: int | None = None,
    heatmap: bool = False,
    *,
    progress: Progress,
) -> bytes:
    """A TFLite file of a network that was fine-tuned to compute in 8 bits; its ends are those of an `int8` file.

    Images are flipped and cropped at random as in training. The same arguments give the same bytes, if there are as
    many threads (`TF_NUM_INTRAOP_THREADS`).

    Arguments:
        spec: ResNetSpec that reads one channel.
        arrays: its trained weights, by torchvision's keys.
        images: (n, side, side) of uint8, may be a memory map. Native crops, all to be trained on.
        labels: (n,) of int, below the number of classes.
        config: QatConfig.
        side, heatmap: as for `tflite_file.convert`.
        progress: told of every epoch: the finished share of them and a few words.

    Raises:
        WoolError: the arguments do not fit, the training diverged, the file is not what it should be, or the process
            failed.
    """
    geometry = CropGeometry.of(spec, side, heatmap)
    _check_images(images, labels, geometry.side, spec.classes)
    request = {"config": dataclasses.asdict(config), "side": geometry.side, "heatmap": heatmap}
    with tempfile.TemporaryDirectory(prefix="wool_tf-qat-") as name:
        folder = Path(name)
        try:
            weights.save(folder / _NETWORK, spec, arrays)
            np.save(folder / _IMAGES, images)
            np.save(folder / _LABELS, labels)
            (folder / _REQUEST).write_text(json.dumps(request))
        except OSError as error:
            raise Unwritable(f"{folder}: cannot be written ({error.strerror or error}); free the disk") from None
        _run(folder, progress)
        return (folder / _ANSWER).read_bytes()


def _check_images(images: np.ndarray, labels: np.ndarray, side: int, classes: int) -> None:
    if len(images) == 0:
        raise WoolError("images: fine-tuning needs at least 1 image, got none")
    if images.shape[1:] != (side, side) or images.dtype != np.uint8:
        found = f"{images.dtype} of shape {images.shape}"
        raise WoolError(f"images: fine-tuning needs uint8 pixels, (n, {side}, {side}), got {found}")
    if labels.shape != images.shape[:1] or labels.min() < 0 or labels.max() >= classes:
        raise WoolError(f"labels: fine-tuning needs one from 0 to {classes - 1} for each of the {len(images)} images")


def _run(folder: Path, progress: Progress) -> None:
    """Has a process answer a request, and passes on what it says."""
    # -P: nothing in the current folder must be mistaken for a module.
    command = [sys.executable, "-P", "-m", "wool_tf.deploy.qat.launch", str(folder)]
    failure = None
    with open(folder / _NOTES, "w") as notes:
        with subprocess.Popen(
            command,
            text=True,
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=notes,
        ) as child:
            assert child.stdout is not None, "it is a pipe"
            try:
                for line in child.stdout:
                    said = json.loads(line)
                    failure = said.get("failure")
                    if not failure:
                        progress(said["done"], said["what"])
            except BaseException:
                child.kill()
                raise
    if failure:
        raise WoolError(failure)
    if child.returncode < 0:
        raise WoolError(f"qat: its process was ended by signal {-child.returncode}; is there memory enough?")
    if child.returncode:
        last = (folder / _NOTES).read_text(errors="replace").strip().rpartition("\n")[2]
        raise WoolError(f"qat: its process failed ({last or f'exit code {child.returncode}'})")


def answer(folder: Path) -> int:
    """What the process does; returns its exit code."""
    # Whatever libraries print must not get in between.
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(done: float, what: str) -> None:
        print(json.dumps({"done": done, "what": what}), file=said)

    try:
        files.write(folder / _ANSWER, _answered(folder, tell))
    except WoolError as error:
        print(json.dumps({"failure": str(error)}), file=said)
        return 1
    return 0


def _answered(folder: Path, progress: Progress) -> bytes:
    from wool_tf.deploy.qat import training

    request = json.loads((folder / _REQUEST).read_text())
    spec, arrays = weights.load(folder / _NETWORK)
    images, labels = np.load(folder / _IMAGES, mmap_mode="r"), np.load(folder / _LABELS)
    config, geometry = QatConfig(**request["config"]), CropGeometry(request["side"], spec.input_shape[0])
    return training.fine_tune(spec, arrays, images, labels, config, geometry, request["heatmap"], progress)


if __name__ == "__main__":
    sys.exit(answer(Path(sys.argv[1])))
