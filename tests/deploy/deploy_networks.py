"""Networks with telling weights, and their TFLite files, for the tests of this folder."""

import dataclasses
from pathlib import Path

import numpy as np

from wool_tf.networks.spec import ResNetSpec

SIDE, NATIVE = 64, 100
"""Of the networks' input, and of crops that they resize."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, its files, framed pictures, and what the network says of the pictures."""

    model: object
    fp32: bytes
    int8: bytes
    images: np.ndarray
    logits: np.ndarray


def pictures(count: int, seed: int) -> np.ndarray:
    """Patchy grey images with noise, (count, SIDE, SIDE) of uint8."""
    rng = np.random.default_rng(seed)
    patches = np.kron(rng.normal(120, 45, (count, 8, 8)), np.ones((SIDE // 8, SIDE // 8)))
    return np.clip(patches + rng.normal(0, 12, patches.shape), 0, 255).astype(np.uint8)


def framed(images: np.ndarray) -> np.ndarray:
    """Images with the margin that training loads around what the network looks at: black, so that it cannot hide."""
    side = images.shape[-1]
    margin = round(side * 244 / 224) - side
    around = (margin // 2, margin - margin // 2)
    return np.pad(images, ((0, 0), around, around))


def scenes(count: int, side: int, seed: int) -> np.ndarray:
    """Crops of any size as a scanner might give them: waves, dense spots, air at one side, and noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    found = []
    for phase, slope, edge in rng.uniform(0, 1, (count, 3)):
        image = 120 + 50 * np.sin(7 * (rows + slope * columns) + 6 * phase)
        for row, column, radius in rng.uniform((0, 0, 0.02), (1, 1, 0.08), (5, 3)):
            image[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 10
        image += rng.normal(0, 12, image.shape)
        image[columns > 0.7 + edge] = 255
        found.append(np.clip(image, 0, 255).astype(np.uint8))
    return np.stack(found)


def network(spec: ResNetSpec, arrays=None):
    """A network with the weights given, or random ones whose batch norms all differ from the identity."""
    from wool_tf.networks import weights
    from wool_tf.networks.resnet import ResNet

    if arrays is None:
        rng = np.random.default_rng(1)
        arrays = weights.initial(spec, seed=0)
        for key, array in arrays.items():
            if array.ndim == 1 and not key.startswith("fc"):
                positive = key.endswith(("weight", "running_var"))
                values = rng.uniform(0.5, 1.5, array.shape) if positive else rng.normal(0, 0.2, array.shape)
                arrays[key] = values.astype(np.float32)
    model = ResNet(spec)
    weights.assign(model, arrays)
    return model


def spread(model):
    """The network with a head that puts the margins of pictures on both sides of zero, a standard deviation of 2."""
    from wool_tf.data import pixels
    from wool_tf.networks import weights

    arrays = weights.read(model)
    logits = np.asarray(model(pixels.normalise(pictures(20, seed=4)), training=False))
    margins = logits[:, 1] - logits[:, 0]
    factor = 2 / margins.std()
    arrays["fc.weight"] *= factor
    arrays["fc.bias"] = (arrays["fc.bias"] - [0, margins.mean()]).astype(np.float32) * factor
    weights.assign(model, arrays)
    return model


def write_files(folder: Path, model, calibration: np.ndarray, precisions: tuple[str, ...], **options) -> None:
    """Writes a file of each precision, named after it; `options` are those of the conversion."""
    from wool_tf.deploy import tflite_file

    for precision in precisions:
        (folder / precision).write_bytes(tflite_file.convert(model, precision, calibration, **options))
