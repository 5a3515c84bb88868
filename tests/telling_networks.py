"""Networks whose weights would show a mistake, for the tests of this folder."""

import numpy as np

from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import importance, plan

LARGEST_LOGIT = 5.0


def telling(spec: ResNetSpec, seed: int = 0) -> dict:
    """Random weights with batch norms far from the identity.

    Shifts and means are of either sign, so a channel that is zeroed before its batch norm would still show. What a
    block adds to its trunk is scaled down, as in trained networks; otherwise a hundred random layers magnify rounding.
    """
    rng, arrays = np.random.default_rng(seed), weights.initial(spec, seed)
    adding = {f"{block.convolutions[-1].norm}.weight" for stack in spec.stacks for block in stack}
    for key, array in arrays.items():
        if array.ndim == 1 and not key.startswith("fc"):
            low, high = (-0.5, 0.5) if key.endswith(("bias", "mean")) else (0.5, 1.5)
            scale = 0.25 if key in adding else 1
            arrays[key] = (scale * rng.uniform(low, high, array.shape)).astype(np.float32)
    return arrays


def pictures(spec: ResNetSpec, count: int = 3, seed: int = 0) -> np.ndarray:
    """(count, height, width, channels) of float32."""
    return np.random.default_rng(seed).normal(size=(count, *spec.input_shape)).astype(np.float32)


def logits(model, images: np.ndarray) -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(model(images, training=False))


def scale_head(arrays: dict, found: np.ndarray) -> dict:
    """The weights with a head that makes the largest of the logits found `LARGEST_LOGIT`."""
    factor = np.float32(LARGEST_LOGIT / np.abs(found).max())
    return arrays | {key: arrays[key] * factor for key in ("fc.weight", "fc.bias")}


def weakest(spec: ResNetSpec, arrays: dict, recipe: plan.Recipe) -> plan.Plan:
    return plan.make(spec, importance.scores(arrays, spec, recipe.importance), recipe)


def loaded(kind: type, spec: ResNetSpec, arrays: dict):
    model = kind(spec)
    weights.assign(model, arrays)
    return model
