"""Removes pruned filters physically: gathers the kept channels into a smaller network, and proves it equal."""

from collections.abc import Mapping

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks import weights as network_weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import trunk
from wool_tf.networks.weights import HEAD, Weights
from wool_tf.pruning.layers import MaskedResNet
from wool_tf.pruning.plan import Plan

TOLERANCE = 1e-4
"""Largest difference between masked and compact logits that rounding may explain, relative to logits above 1."""


def compact(model: MaskedResNet) -> ResNet:
    """The compact network that computes what a masked one does, with its weights; it has to be compiled.

    Its `spec` says what it is, `networks.weights.read` gives its weights as arrays, and `check_equal` compares its
    logits with those of the masked network.

    Raises:
        WoolError: the model has no masks, or trunks that are masked inconsistently.
    """
    if not isinstance(model, MaskedResNet):
        raise WoolError(f"model: has no masks that say what to remove, it is a {type(model).__name__}")
    plan = model.plan
    smaller = ResNet(plan.compact)
    network_weights.assign(smaller, gather(network_weights.read(model), plan))
    return smaller


def gather(weights: Mapping[str, np.ndarray], plan: Plan) -> Weights:
    """The weights of the compact network, `plan.compact`.

    Every convolution keeps the filters whose channel stays in the group it writes to, and of each filter the planes
    whose channel stays in the group it reads.

    Arguments:
        weights: arrays of the network `plan.spec`, by torchvision's keys.
        plan: Plan.
    """
    compact = {}
    for conv in plan.spec.convolutions():
        written = plan.kept[conv.writes]
        kernel = weights[f"{conv.name}.weight"][written]
        compact[f"{conv.name}.weight"] = kernel if conv.reads == "input" else kernel[:, plan.kept[conv.reads]]
        for part in ("weight", "bias", "running_mean", "running_var"):
            compact[f"{conv.norm}.{part}"] = weights[f"{conv.norm}.{part}"][written]
    compact[f"{HEAD}.weight"] = weights[f"{HEAD}.weight"][:, plan.kept[trunk(4)]]
    compact[f"{HEAD}.bias"] = weights[f"{HEAD}.bias"]
    return compact


def check_equal(masked: np.ndarray, compact: np.ndarray, name: str) -> float:
    """The largest difference between the logits of a masked network and of its compact form.

    Arguments:
        masked, compact: (images, classes), from the same images.
        name: what was pruned, for the message.

    Raises:
        WoolError: they differ by more than rounding explains, so the compact network must not be used.
    """
    difference = float(np.abs(masked - compact).max())
    scale = max(1.0, float(np.abs(masked).max()))
    # Of an infinite logit both sides would be infinite, and pass.
    if not (np.isfinite(difference) and difference <= TOLERANCE * scale):
        raise WoolError(
            f"{name}: masked and compact network disagree by {difference:.3g} in a logit, more than the "
            f"{TOLERANCE * scale:.3g} that rounding explains; the compact network was not used"
        )
    return difference
