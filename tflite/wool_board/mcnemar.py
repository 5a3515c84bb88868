"""Whether two models that judge the same differ by more than chance: the exact test of McNemar (1947)."""

import math


def p_value(one: int, other: int) -> float:
    """Probability of a division at least as uneven as this one, if a change to either side were as likely.

    Arguments:
        one, other: numbers of those that changed to one side, and to the other.
    """
    changed, fewer = one + other, min(one, other)
    # Each number of ways is a share of the next larger one; the largest is a whole number, which Python divides exactly
    # however long it is. To count all of them so would take as the cube of the changes.
    share = ways = 1.0
    for count in range(fewer, 0, -1):
        ways *= count / (changed - count + 1)
        share += ways
    return min(1.0, 2 * share * (math.comb(changed, fewer) / 2**changed))
