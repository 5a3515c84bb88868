"""Learning-rate schedules as pure functions: what the first, or largest, rate is multiplied by at a step."""

import math
from collections.abc import Sequence

SCHEDULES = ("cosine", "one_cycle", "plateau")
WARM_UP = 0.05
"""Share of the steps over which a cosine schedule first rises."""
RISE, START, END = 0.3, 1 / 25, 1 / 25e4
"""One cycle: share of the steps that rise, and the first and the last factor; PyTorch's `OneCycleLR` has the same."""


def cosine(step: int, steps: int, warm_up: float = WARM_UP) -> float:
    """A linear rise and half a cosine down to zero.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, equation 5 with one period. The rise gives the moments
    of Adam, and the batch norms of a network that has just lost filters, time to settle.

    Arguments:
        step: int. From 0 to steps − 1.
        steps: int. Of the whole training, at least 1.
        warm_up: float in [0, 1). Share of the steps that rise, rounded down.

    >>> [round(cosine(step, 10, warm_up=0.2), 3) for step in range(10)]
    [0.5, 1.0, 1.0, 0.962, 0.854, 0.691, 0.5, 0.309, 0.146, 0.038]
    """
    rise = int(steps * warm_up)
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2


def one_cycle(step: int, steps: int) -> float:
    """Up from 1/25 to 1 over 30 % of the steps and down to almost nothing, both along half a cosine.

    Smith and Topin 2018, https://arxiv.org/abs/1708.07120.

    Arguments:
        step: int. From 0 to steps − 1.
        steps: int. Of the whole training, at least 1.
    """
    last, top = max(steps - 1, 1), RISE * steps - 1
    if step <= top:
        return _between(START, 1.0, step / top)
    return _between(1.0, END, (step - top) / (last - top))


def plateau(losses: Sequence[float], patience: int, factor: float, delta: float) -> float:
    """A fall by a factor whenever the training loss has stood still.

    A new minimum lies below the one so far by a share of it. Compared with an absolute difference, as Keras' own
    callback does, a loss that halves every few epochs makes tiny new minima by chance, so that the rate never falls.

    Arguments:
        losses: of the epochs so far.
        patience: int. Epochs without a new minimum before the rate falls; the count then starts again.
        factor: float in (0, 1).
        delta: float in [0, 1). Share by which a loss must lie below the minimum so far to be a new one.

    >>> plateau([1.0, 0.5, 0.49, 0.48], patience=2, factor=0.1, delta=0.05)
    0.1
    """
    least, waited, falls = math.inf, 0, 0
    for loss in losses:
        if loss < least * (1 - delta):
            least, waited = loss, 0
            continue
        waited += 1
        if waited >= patience:
            waited, falls = 0, falls + 1
    return factor**falls


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
