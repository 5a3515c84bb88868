"""Reads files of weights from any source, none of them as an arbitrary pickle."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wool_tf.errors import WoolError, in_one_line
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights

_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def read(path: Path) -> tuple[ResNetSpec | None, Weights]:
    """The weights of a file, and the spec that they belong to where the file says so.

    Arguments:
        path: a `.safetensors` (torchvision's keys, or a checkpoint of ours), a `.pth` or `.pt` (a plain state dict;
            needs torch, and goes through its restricted loader alone), or a `.keras` that holds a `ResNet`.

    Returns:
        The spec or None, and float32 arrays by key, `num_batches_tracked` left out. They are not compared with a spec.

    Raises:
        WoolError: the file cannot be read, is of another kind, or holds other than floating-point numbers.
    """
    if path.suffix.lower() not in _READERS:
        raise WoolError(f"{path}: a file of weights ends in {', '.join(_READERS)}")
    return _READERS[path.suffix.lower()](path)


def read_safetensors(path: Path) -> tuple[ResNetSpec | None, Weights]:
    """As `read`, of safetensors whatever the file is called."""
    from safetensors import SafetensorError, deserialize, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
        # Not through NumPy, which has no bfloat16.
        stored = dict(deserialize(path.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise WoolError(f"{path}: cannot be read as safetensors ({in_one_line(error)})") from None
    arrays = {key: _float32(path, key, **stored[key]) for key in sorted(stored) if not _is_counter(key)}
    return weights.spec_of(header, path), arrays


def _float32(path: Path, key: str, dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    if dtype == "BF16":
        # The upper half of a float32.
        array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    elif dtype in _FLOATS:
        # What is too large becomes infinite, and is then refused as such.
        with np.errstate(over="ignore"):
            array = np.frombuffer(data, _FLOATS[dtype]).astype(np.float32)
    else:
        raise _not_floating(path, key, dtype)
    return array.reshape(shape)


def _read_torch(path: Path) -> tuple[None, Weights]:
    try:
        import torch
    except ImportError:
        raise WoolError(f"{path}: needs torch, which is not installed; install it or convert to safetensors") from None
    # Before 2.6 even the restricted loader could be made to run code (CVE-2025-32434).
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        raise WoolError(f"{path}: needs torch 2.6 or newer, found {torch.__version__}; or convert to safetensors")
    # A damaged file raises whatever the loader stumbles over, here and with Keras.
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WoolError(f"{path}: torch does not load it as plain weights ({in_one_line(error)})") from None
    if not isinstance(state, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise WoolError(f"{path}: is no plain state dict; save model.state_dict() and nothing else")
    arrays = {}
    for key, tensor in state.items():
        if _is_counter(str(key)):
            continue
        if not tensor.is_floating_point() or tensor.layout != torch.strided:
            raise _not_floating(path, key, tensor.dtype)
        arrays[str(key)] = tensor.detach().to(torch.float32).numpy()
    return None, arrays


def _read_keras(path: Path) -> tuple[ResNetSpec, Weights]:
    try:
        with zipfile.ZipFile(path) as archive:
            kind = json.loads(archive.read("config.json"))["registered_name"]
    except Exception as error:
        raise WoolError(f"{path}: cannot be read as a Keras model ({in_one_line(error)})") from None
    # Looked up before anything is loaded, so that a foreign model never is.
    if kind != "wool_tf>ResNet":
        raise WoolError(f"{path}: holds the Keras model {kind}, but must hold a plain ResNet of wool_tf")
    import keras

    from wool_tf.networks.resnet import ResNet

    try:
        model = keras.saving.load_model(path, custom_objects={kind: ResNet}, compile=False, safe_mode=True)
    except Exception as error:
        raise WoolError(f"{path}: cannot be read as a Keras model ({in_one_line(error)})") from None
    return model.spec, weights.read(model)


_READERS = {".safetensors": read_safetensors, ".pth": _read_torch, ".pt": _read_torch, ".keras": _read_keras}


def _is_counter(key: str) -> bool:
    return key.endswith(".num_batches_tracked")


def _not_floating(path: Path, key: str, dtype: object) -> WoolError:
    return WoolError(f"{path}: {key} holds {dtype}, but weights must be floating-point numbers")
