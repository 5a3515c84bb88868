"""How important a filter is: the scores by which filters are ranked, the smallest being pruned first."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks.spec import ResNetSpec

Scores = dict[str, np.ndarray]
"""Name of every convolution to the importance of its filters, (filters,) of float64, at least 0."""

Examples = tuple[np.ndarray, np.ndarray]
"""Normalised images, (n, height, width, channels) of float32, and their classes, (n,) of int."""


@dataclasses.dataclass(frozen=True)
class Network:
    """What a measure may look at.

    Attributes:
        weights: arrays by torchvision's keys, convolutions OIHW.
        spec: ResNetSpec of these weights.
        seed: int, for measures that draw numbers.
        examples: for measures that need the loss, or None.
    """

    weights: Mapping[str, np.ndarray]
    spec: ResNetSpec
    seed: int
    examples: Examples | None

    def filters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Name of every convolution and its filters, (filters, weights of one) of float64."""
        for conv in self.spec.convolutions():
            kernel = self.weights[f"{conv.name}.weight"]
            yield conv.name, kernel.astype(np.float64).reshape(len(kernel), -1)


def l1(network: Network) -> Scores:
    """Σ|w| over the filter (Li et al. 2016, "Pruning Filters for Efficient ConvNets", section 3.1).

    As `l2`, it is taken before anything is removed, so weights that read a channel which goes in the same step count
    too (Li's independent pruning).
    """
    return {name: np.linalg.norm(filters, ord=1, axis=1) for name, filters in network.filters()}


def l2(network: Network) -> Scores:
    """√Σw² over the filter (He et al. 2019, equation 2)."""
    return {name: np.linalg.norm(filters, ord=2, axis=1) for name, filters in network.filters()}


def random(network: Network) -> Scores:
    """A control: uniform in [0, 1), from the seed."""
    rng = np.random.default_rng(network.seed)
    return {name: rng.random(len(filters)) for name, filters in network.filters()}


def bn_scale(network: Network) -> Scores:
    """|γ| of the batch norm behind the filter (Liu et al. 2017, "Network Slimming", section 3)."""
    gammas = {conv.name: network.weights[f"{conv.norm}.weight"] for conv in network.spec.convolutions()}
    return {name: np.abs(gamma.astype(np.float64)) for name, gamma in gammas.items()}


def taylor(network: Network) -> Scores:
    """How much the loss would change without the channel, to first order; see `wool_tf.pruning.taylor`."""
    from wool_tf.pruning.taylor import scores

    if network.examples is None:
        raise WoolError("importance: taylor needs images and their labels")
    return scores(network.weights, network.spec, *network.examples)


@dataclasses.dataclass(frozen=True)
class Measure:
    """A way to rank filters.

    Attributes:
        scores: of a network.
        words: what it goes by, as settings and reports say it.
        needs_examples: whether it looks at images and their classes.
    """

    scores: Callable[[Network], Scores]
    words: str
    needs_examples: bool = False


MEASURES = {
    "l1": Measure(l1, "L1 norms"),
    "l2": Measure(l2, "L2 norms"),
    "random": Measure(random, "chance"),
    "bn_scale": Measure(bn_scale, "the scales of their batch norms"),
    "taylor": Measure(
        taylor, "how much the training loss would change without them (Taylor importance)", needs_examples=True
    ),
}


def scores(
    weights: Mapping[str, np.ndarray],
    spec: ResNetSpec,
    measure: str,
    seed: int = 0,
    examples: Examples | None = None,
) -> Scores:
    """One score per filter of every convolution.

    Arguments:
        weights: arrays by torchvision's keys, convolutions OIHW.
        spec: ResNetSpec of these weights.
        measure: str. One of `MEASURES`.
        seed: int. Used by `random` alone.
        examples: normalised images and their labels. Used, and needed, by measures that say so.

    Raises:
        WoolError: the measure is unknown, or needs examples and has none.
    """
    if measure not in MEASURES:
        raise WoolError(f"importance: must be one of {', '.join(MEASURES)}, got {measure!r}")
    return MEASURES[measure].scores(Network(weights, spec, seed, examples))
