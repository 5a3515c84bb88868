"""How the pruning rate grows over the epochs of asymptotic soft filter pruning."""

import math

from wool_tf.errors import WoolError


def _root() -> float:
    """The z in (0, 1) with ¾·(1 + z + … + z⁷) = 1; the left side grows with z, so bisection finds it."""
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if 0.75 * math.fsum(middle**power for power in range(8)) < 1:
            low = middle
        else:
            high = middle


_ROOT = _root()


def asymptotic(epoch: int, epochs: int, goal: float) -> float:
    """The pruning rate after an epoch: P(e) = a·exp(−k·e) + b.

    Three points fix a, b and k (He et al. 2019, "Asymptotic Soft Filter Pruning for Deep Convolutional Neural
    Networks", section III-D): P(0) = 0, P(N/8) = ¾·goal and P(N) = goal, where N = epochs − 1 is the last epoch.
    With z = exp(−k·N/8) they require 1 − z = ¾·(1 − z⁸). Dividing by 1 − z leaves 1 = ¾·(1 + z + … + z⁷), which has
    exactly one root between 0 and 1, so k·N = 11.08999.

    Arguments:
        epoch: int. 0 for the first, at most epochs − 1.
        epochs: int. Epochs of the whole training; with one, its rate is the goal.
        goal: float. Share of filters pruned at the end, in [0, 1).

    Raises:
        WoolError: a value is out of its range.

    >>> [round(asymptotic(epoch, epochs=100, goal=0.3), 4) for epoch in (0, 1, 12, 24, 49, 99)]
    [0.0, 0.0318, 0.2218, 0.2796, 0.2988, 0.3]
    """
    if not 0 <= goal < 1:
        raise WoolError(f"goal: the pruning rate must be in [0, 1), got {goal}")
    if not 0 <= epoch < epochs:
        raise WoolError(f"epoch: must be from 0 to epochs - 1 = {epochs - 1}, got {epoch}")
    last = epochs - 1
    # At the last epoch rounding must not lose a filter: the goal is reached exactly.
    if epoch == last or goal == 0:
        return goal
    decay = _ROOT ** (8 * epoch / last)
    return goal * (1 - decay) / (1 - _ROOT**8)
