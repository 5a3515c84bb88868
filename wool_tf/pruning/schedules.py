"""How the pruning rate grows over the epochs of asymptotic soft filter pruning."""

import math

from wool_tf.errors import WoolError


def asymptotic(epoch: int, epochs: int, goal: float, start: float = 0.0) -> float:
    """The pruning rate after an epoch: P(e) = a·exp(−k·e) + b.

    Three points fix a, b and k (He et al. 2019, "Asymptotic Soft Filter Pruning for Deep Convolutional Neural
    Networks", section III-D): P(0) = start, P(N/8) = ¾·goal and P(N) = goal, where N = epochs − 1 is the last epoch.
    With z = exp(−k·N/8) and r = (¾·goal − start) / (goal − start) they require 1 − z = r·(1 − z⁸). Dividing by 1 − z
    leaves 1 = r·(1 + z + … + z⁷), which has exactly one root between 0 and 1; for start = 0, k·N = 11.08999.

    Arguments:
        epoch: int. 0 for the first, at most epochs − 1.
        epochs: int. Epochs of the whole training; with one, its rate is the goal.
        goal: float. Share of filters pruned at the end, in [0, 1).
        start: float. Share pruned after the first epoch; below 5/7 of the goal, or no such curve exists.

    Raises:
        WoolError: a value is out of its range.

    >>> [round(asymptotic(epoch, epochs=100, goal=0.3), 4) for epoch in (0, 1, 12, 24, 49, 99)]
    [0.0, 0.0318, 0.2218, 0.2796, 0.2988, 0.3]
    """
    if not 0 <= goal < 1:
        raise WoolError(f"goal: the pruning rate must be in [0, 1), got {goal}")
    if not 0 <= epoch < epochs:
        raise WoolError(f"epoch: must be from 0 to epochs - 1 = {epochs - 1}, got {epoch}")
    if start < 0 or (start > 0 and start >= goal * 5 / 7):
        raise WoolError(f"start: must be from 0 to below 5/7 of the goal {goal}, got {start}")
    last = epochs - 1
    # At the last epoch rounding must not lose a filter: the goal is reached exactly.
    if epoch == last or goal == 0:
        return goal
    root = _root((0.75 * goal - start) / (goal - start))
    decay = root ** (8 * epoch / last)
    return start + (goal - start) * (1 - decay) / (1 - root**8)


def _root(ratio: float) -> float:
    """The z in (0, 1) with ratio·(1 + z + … + z⁷) = 1; the left side grows with z, so bisection finds it."""
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if ratio * math.fsum(middle**power for power in range(8)) < 1:
            low = middle
        else:
            high = middle
