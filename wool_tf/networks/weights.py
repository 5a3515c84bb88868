"""The weights of a network as plain arrays: torchvision's keys and layouts, in and out of Keras models and files.

Everything that reasons about weights (norms, compaction, ImageNet files) works on this dictionary of NumPy arrays, and
a checkpoint is the same dictionary as safetensors with the spec in the header.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wool_tf import files
from wool_tf.errors import WoolError, in_one_line
from wool_tf.networks.spec import ResNetSpec

if TYPE_CHECKING:
    import keras

    from wool_tf.networks.resnet import ResNet

Weights = dict[str, np.ndarray]
"""torchvision's keys to float32 arrays: convolutions OIHW, `fc.weight` (classes, features)."""

HEAD = "fc"
NO_SPEC = "no spec in its header, so it is no checkpoint of wool_tf"
_NORM_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def shapes(spec: ResNetSpec) -> dict[str, tuple[int, ...]]:
    """Shape of every array of a network, by key, in the order of the network."""
    expected: dict[str, tuple[int, ...]] = {}
    for conv in spec.convolutions():
        width = spec.width(conv.writes)
        expected[f"{conv.name}.weight"] = (width, spec.width(conv.reads), conv.kernel, conv.kernel)
        expected |= {f"{conv.norm}.{part}": (width,) for part in _NORM_PARTS}
    expected[f"{HEAD}.weight"] = (spec.classes, spec.width("layer4"))
    expected[f"{HEAD}.bias"] = (spec.classes,)
    return expected


def check(weights: Mapping[str, np.ndarray], spec: ResNetSpec, source: str) -> None:
    """Raises WoolError, naming the key and the source, unless the arrays are exactly those of the spec and finite."""
    expected = shapes(spec)
    for key in weights:
        if key not in expected:
            raise WoolError(f"{source}: the key {key} does not belong to a ResNet-{spec.depth}")
    for key in expected:
        if key not in weights:
            raise WoolError(f"{source}: the key {key} of a ResNet-{spec.depth} is missing")
    # In the order of the network, so that of a wrong width it is the convolution that is named.
    for key, shape in expected.items():
        if weights[key].shape != shape:
            raise WoolError(f"{source}: {key} has the shape {weights[key].shape}, but the network needs {shape}")
        if not np.isfinite(weights[key]).all():
            raise WoolError(f"{source}: {key} holds values that are not finite")


def initial(spec: ResNetSpec, seed: int) -> Weights:
    """Random weights as torchvision initialises them.

    Convolutions are normal with variance 2 / (out_channels · kernel²) (He et al. 2015, fan out), batch norms the
    identity, the head uniform within ±1/√features.
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for key, shape in shapes(spec).items():
        if len(shape) == 4:
            weights[key] = rng.normal(0, np.sqrt(2 / (shape[0] * shape[2] * shape[3])), shape)
        elif key.startswith(HEAD):
            bound = 1 / np.sqrt(spec.width("layer4"))
            weights[key] = rng.uniform(-bound, bound, shape)
        else:
            weights[key] = np.full(shape, 1.0 if key.endswith(("weight", "running_var")) else 0.0)
    return {key: array.astype(np.float32) for key, array in weights.items()}


def read(model: "ResNet") -> Weights:
    """The weights of a `ResNet`."""
    from keras import ops

    # A copy, since a backend may hand out the very memory that training goes on to write.
    arrays = {key: np.array(ops.convert_to_numpy(variable)) for key, variable in _variables(model).items()}
    return {key: _from_keras(array, key) for key, array in arrays.items()}


def assign(model: "ResNet", weights: Mapping[str, np.ndarray]) -> None:
    """Puts weights into a `ResNet` of the same spec.

    Raises:
        WoolError: a key is missing or too many, or a shape differs.
    """
    check(weights, model.spec, "weights")
    for key, variable in _variables(model).items():
        variable.assign(_to_keras(weights[key], key))


def save(
    path: Path, spec: ResNetSpec, weights: Mapping[str, np.ndarray], precision: type = np.float32, **about: str
) -> None:
    """Writes a checkpoint, whole or not at all: safetensors with torchvision's keys, the spec in the header.

    Arguments:
        path: of the file.
        spec, weights: of the network.
        precision: float32, or float16 for a file of half the size that `weight_files` reads.
        about: more for the header, text by name.

    Raises:
        WoolError: the file cannot be written.
    """
    from safetensors import numpy as safetensors

    contiguous: Weights = {key: np.ascontiguousarray(array, precision) for key, array in weights.items()}
    files.write(path, safetensors.save(contiguous, metadata={"spec": spec.to_json(), **about}))


def load(path: Path) -> tuple[ResNetSpec, Weights]:
    """Reads a checkpoint that `save` wrote.

    Raises:
        WoolError: the file is missing, damaged, or no checkpoint of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}
    except (OSError, SafetensorError) as error:
        raise WoolError(f"{path}: cannot be read as a checkpoint ({error})") from None
    spec = spec_of(header, path)
    if spec is None:
        raise WoolError(f"{path}: {NO_SPEC}")
    check(weights, spec, str(path))
    return spec, weights


def spec_of(header: Mapping[str, str], path: Path) -> ResNetSpec | None:
    """The spec that the header of a safetensors file holds; None in a file that is no checkpoint of this project.

    Raises:
        WoolError: it is damaged.
    """
    if "spec" not in header:
        return None
    try:
        return ResNetSpec.from_json(header["spec"])
    except (WoolError, TypeError, ValueError) as error:
        raise WoolError(f"{path}: the spec in its header is damaged ({in_one_line(error)})") from None


def _variables(model: "ResNet") -> dict[str, "keras.Variable"]:
    found = {}
    for conv in model.spec.convolutions():
        found[f"{conv.name}.weight"] = model.get_layer(conv.name).kernel
        norm = model.get_layer(conv.norm)
        found |= {f"{conv.norm}.{part}": getattr(norm, attribute) for part, attribute in _NORM_PARTS.items()}
    head = model.get_layer(HEAD)
    return found | {f"{HEAD}.weight": head.kernel, f"{HEAD}.bias": head.bias}


def _to_keras(array: np.ndarray, key: str) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if key == f"{HEAD}.weight" else array


def _from_keras(array: np.ndarray, key: str) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    return array.T if key == f"{HEAD}.weight" else array
