"""Whether two models that judge the same differ by more than chance: the exact test of McNemar (1947)."""

import math


def p_value(one: int, other: int) -> float:
    """Probability of a division at least as uneven as this one, if a change to either side were as likely.

    Arguments:
        one, other: numbers of those that changed to one side, and to the other.
    """
    changed, fewer = one + other, min(one, other)
    # Whole numbers, which Python divides exactly however long they are.
    ways = sum(math.comb(changed, count) for count in range(fewer + 1))
    return min(1.0, 2 * ways / 2**changed)
