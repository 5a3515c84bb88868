"""Board models with random weights."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from board_crops import IMAGE_SIZE, SIDE, crops

import shared


@dataclasses.dataclass(frozen=True)
class Models:
    """Files of a network in several precisions, by name; those that end in `-heatmap` have one."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / f"{name}.tflite"


@pytest.fixture(scope="session")
def board_models(tmp_path_factory) -> Models:
    """A narrow network, its scores of `crops` on both sides of its threshold, as files with cards."""
    return Models(shared.folder(tmp_path_factory, "board-models", _write_models))


def _write_models(folder: Path) -> None:
    from wool_tf.data.imaging import Imaging
    from wool_tf.deploy import card, tflite_file, tflite_scores
    from wool_tf.networks import weights
    from wool_tf.networks.resnet import ResNet
    from wool_tf.networks.spec import ResNetSpec

    full = ResNetSpec.full(18, 2, (IMAGE_SIZE, IMAGE_SIZE, 1))
    spec = full.resized({group: max(1, width // 8) for group, width in full.by_group().items()})
    arrays = weights.initial(spec, seed=0)
    rng = np.random.default_rng(1)
    arrays["fc.weight"] = rng.normal(0, 1.5, arrays["fc.weight"].shape).astype(np.float32)
    model = ResNet(spec)
    weights.assign(model, arrays)
    seen = crops(20, seed=4)
    models = {
        "fp32-heatmap": tflite_file.convert(model, "fp32", side=SIDE, heatmap=True),
        "int8": tflite_file.convert(model, "int8", seen, SIDE),
        "int8-heatmap": tflite_file.convert(model, "int8", seen, SIDE, heatmap=True),
    }
    threshold = float(np.median(tflite_scores.predict(models["fp32-heatmap"], seen)))
    facts = {"threshold": threshold, "rule": "half of the crops", "float_threshold": threshold}
    facts |= {"fingerprint": "0" * 64, "images": len(seen)}
    files, imaging = Models(folder), Imaging(SIDE, (0.0, 1.071), 0.8)
    for name, tflite in models.items():
        made = card.make(tflite, name.partition("-")[0], spec, arrays, imaging=imaging, **facts)
        files[name].write_bytes(card.attach(tflite, made))


@pytest.fixture(scope="session")
def board_model(board_models) -> Path:
    """An int8 model without a heatmap, for crops of `board_crops.SIDE` pixels."""
    return board_models["int8"]


@pytest.fixture(scope="session")
def heatmap_model(board_models) -> Path:
    """The same with a heatmap of 3 by 3 cells."""
    return board_models["int8-heatmap"]
