"""Intervals of a difference and of a ratio of two values by the intervals of both.

It is the method of variance estimates recovery (MOVER): of differences by Zou and Donner (2008), of ratios by Donner
and Zou (2012). It takes the two values for independent; those of the same images rise and fall together, so that the
intervals are rather too wide. For judgements that are known image by image there is `paired_comparison`.
"""

import math

Ends = tuple[float, float]
"""Lower and upper end of an interval."""


def difference(one: float, around: Ends, other: float, around_other: Ends) -> Ends:
    """The interval of one value less another.

    Arguments:
        one, other: the values.
        around, around_other: their intervals, which hold them.
    """
    (low, high), (other_low, other_high) = around, around_other
    apart = one - other
    return (
        apart - math.hypot(one - low, other_high - other),
        apart + math.hypot(high - one, other - other_low),
    )


def ratio(one: float, around: Ends, other: float, around_other: Ends) -> Ends:
    """The interval of one value divided by another.

    An end is what the other value has to be multiplied by so that the interval of the difference ends at 0. A ratio is
    therefore surely above a limit where the difference to so many times the other value is surely above 0.

    Arguments:
        one, other: the values, at least 0 and above 0.
        around, around_other: their intervals, which hold them and nothing below 0. Where that of the other value begins
            at 0, the upper end is infinite.
    """
    product, ((low, high), (other_low, other_high)) = one * other, (around, around_other)
    below, beside = low * (2 * one - low), other_high * (2 * other - other_high)
    above, under = high * (2 * one - high), other_low * (2 * other - other_low)
    upper = (product + _root(product**2 - above * under)) / under if under else math.inf
    # Of the two forms of the root that which does not divide by a difference.
    return below / (product + _root(product**2 - below * beside)) if below else 0.0, upper


def _root(square: float) -> float:
    # Of intervals without width it is 0, but for rounding.
    return math.sqrt(max(0.0, square))
