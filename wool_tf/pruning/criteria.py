"""How important a filter is: the scores by which filters are ranked, the smallest being pruned first."""

from collections.abc import Mapping

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks.spec import ResNetSpec

CRITERIA = ("l1", "l2", "random")


def norms(weights: Mapping[str, np.ndarray], spec: ResNetSpec, criterion: str, seed: int = 0) -> dict[str, np.ndarray]:
    """One score per filter of every convolution.

    `l1` is Σ|w| over the filter (Li et al. 2016, "Pruning Filters for Efficient ConvNets", section 3.1), `l2` is √Σw²
    (He et al. 2019, equation 2). Both are taken before anything is removed, so weights that read a channel which goes
    in the same step count too (Li's independent pruning). `random` is a control: uniform scores from the seed.

    Arguments:
        weights: arrays by torchvision's keys, convolutions OIHW.
        spec: ResNetSpec of these weights.
        criterion: str. `l1`, `l2` or `random`.
        seed: int. Used by `random` alone.

    Returns:
        Name of the convolution to (filters,) of float64.

    Raises:
        WoolError: the criterion is unknown.
    """
    if criterion not in CRITERIA:
        raise WoolError(f"criterion: must be one of {', '.join(CRITERIA)}, got {criterion!r}")
    rng = np.random.default_rng(seed)
    scores = {}
    for conv in spec.convolutions():
        filters = weights[f"{conv.name}.weight"].astype(np.float64).reshape(spec.width(conv.writes), -1)
        if criterion == "random":
            scores[conv.name] = rng.random(len(filters))
        else:
            scores[conv.name] = np.linalg.norm(filters, ord=1 if criterion == "l1" else 2, axis=1)
    return scores
