"""The weights a training starts from: random ones, ImageNet's, those of simulated wool, or a file's.

Beside this module lie two ResNet-18 with half of the filters, trained on simulated wool alone by
`experiments/pretrain.py`: `simulated64` from random weights on 64 × 64 pixels, and `simulated`, which went on from
there on 112 × 112. Their headers say how.
"""

import dataclasses
import functools
from pathlib import Path

from wool_tf import files
from wool_tf.errors import BadSetting, WoolError
from wool_tf.networks import weight_files, weights
from wool_tf.networks.spec import DEPTHS, ResNetSpec
from wool_tf.networks.weights import Weights
from wool_tf.progress import Count

SIMULATED = {name: Path(__file__).with_name(f"{name}.safetensors") for name in ("simulated", "simulated64")}
NAMED = ("none", "imagenet", *SIMULATED)
"""Values of the setting `weights` that are no file of the user's."""


def resolve(choice: str, spec: ResNetSpec, seed: int, progress: Count | None = None) -> Weights:
    """The weights that the setting `weights` (one of `NAMED`, or a file) stands for, fitted to a network.

    A file is `.safetensors` (torchvision's keys, or a checkpoint of ours), `.pth` or `.pt` (a plain state dict; needs
    torch), or a `.keras` that holds a `ResNet`. Floating-point weights become float32. They must be exactly those of
    one network of the spec's depth and widths, `num_batches_tracked` aside; then

    - three-channel stems are folded for a spec with one channel, by summing over the input planes. That is exact for
      grey images: one channel then gives what three equal channels gave.
    - the head is replaced by a new one where the number of classes differs.

    Arguments:
        choice: str. One of `NAMED`, or the path of a file.
        spec: ResNetSpec. The network to start, as `starting_spec` gives it.
        seed: int. Of the random weights, or of a new head.
        progress: told of the bytes of the download.

    Returns:
        float32 arrays with exactly the keys and shapes of the spec.

    Raises:
        WoolError: no such file, not readable, or not the weights of this network; no network to fetch them.
    """
    from wool_tf.networks import imagenet

    if choice == "none":
        return weights.initial(spec, seed)
    if choice == "imagenet":
        path = imagenet.fetch(spec.depth, progress)
    else:
        path = _path(choice)
        if not path.is_file():
            raise BadSetting("weights", choice, f"no such file; give {', '.join(NAMED)} or a file of weights")
    found, arrays = weight_files.read(path)
    return _fit(arrays, found or _inferred_spec(arrays, spec), spec, seed, str(path))


def starting_spec(choice: str, full: ResNetSpec) -> ResNetSpec:
    """The network that a training from these weights starts with: a pruned one where a file of ours holds such a one.

    Arguments:
        choice: as for `resolve`.
        full: spec of the unpruned network, of which only widths change.

    Raises:
        WoolError: the file is damaged.
    """
    path = _path(choice)
    if choice in ("none", "imagenet") or not path.is_file():
        return full
    held = _spec_in(path, path.stat().st_mtime_ns)
    return full if held is None or held.depth != full.depth else full.resized(held.by_group())


@functools.lru_cache
def _spec_in(path: Path, changed: int) -> ResNetSpec | None:
    found, _ = weight_files.read(path)
    return found


def pretrained(choice: str) -> bool | None:
    """Whether the weights that the setting `weights` (one of `NAMED`, or a file) stands for were trained on ImageNet.

    Of a file its content tells and not its name: a head of a thousand classes behind a stem for colour images is what
    a ResNet trained on ImageNet has. None where it has neither, or cannot be read: then it is not known.
    """
    from wool_tf.networks import imagenet

    if choice in ("none", "imagenet"):
        return choice == "imagenet"
    try:
        _, arrays = weight_files.read(_path(choice))
    except WoolError:
        return None
    found = [arrays[key].shape for key in (f"{weights.HEAD}.weight", "conv1.weight") if key in arrays]
    is_imagenet = len(found) == 2 and found[0][:1] == (imagenet.CLASSES,) and found[1][1:2] == (3,)
    return True if is_imagenet else None


def digest(choice: str) -> str | None:
    """SHA-256 of the file that the setting `weights` names, or None where it names none."""
    path = _path(choice)
    return files.sha256(path) if path.is_file() else None


def _path(choice: str) -> Path:
    return SIMULATED.get(choice) or Path(choice).expanduser()


def _fit(arrays: Weights, held: ResNetSpec, spec: ResNetSpec, seed: int, source: str) -> Weights:
    """The weights of a stored network as those of another that differs in nothing but image and head."""
    if held.depth != spec.depth:
        raise WoolError(f"{source}: holds a ResNet-{held.depth}, but the network is a ResNet-{spec.depth}")
    for group, width in held.by_group().items():
        if width != spec.width(group):
            raise WoolError(
                f"{source}: its channel group {group} has {width} channels, but the network needs "
                f"{spec.width(group)}: weights of a network pruned otherwise cannot start this one"
            )
    if held.width("input") < spec.width("input"):
        raise WoolError(f"{source}: reads images of one channel, but the network reads three")
    weights.check(arrays, held, source)
    fitted = dict(arrays)
    if held.width("input") > spec.width("input"):
        fitted["conv1.weight"] = fitted["conv1.weight"].sum(axis=1, keepdims=True)
    if held.classes != spec.classes:
        fresh = weights.initial(spec, seed)
        fitted |= {key: fresh[key] for key in fresh if key.startswith(f"{weights.HEAD}.")}
    return {key: fitted[key] for key in weights.shapes(spec)}


def _inferred_spec(arrays: Weights, spec: ResNetSpec) -> ResNetSpec:
    """The network a file without a spec holds: the one wanted, but for the depth, classes and channels that show."""
    from wool_tf.networks import imagenet

    keys = {depth: set(weights.shapes(imagenet.spec(depth))) for depth in DEPTHS}
    depth = next((depth for depth in DEPTHS if keys[depth] == set(arrays)), None)
    if depth not in (None, spec.depth):
        return imagenet.spec(depth)
    bias, stem = arrays.get("fc.bias"), arrays.get("conv1.weight")
    classes = bias.size if bias is not None and bias.size else spec.classes
    channels = stem.shape[1] if stem is not None and stem.ndim == 4 and stem.shape[1] in (1, 3) else 3
    return dataclasses.replace(spec, classes=classes, input_shape=(*spec.input_shape[:2], channels))
