"""Numbers as a reader wants them, in the cells of tables and in lines for a terminal.

An unknown value, null or NaN in the results, becomes a dash.
"""

import math
from typing import TypeGuard

MISSING = "–"
PLUS_MINUS = "\u00a0±\u00a0"
"""With spaces at which no line breaks."""
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def known(value: float | None) -> TypeGuard[float]:
    """Whether a number of the results is there: neither null nor NaN."""
    return value is not None and not math.isnan(value)


def significant(value: float | None) -> str:
    """A number with three significant digits, never in exponential notation."""
    if not known(value):
        return MISSING
    if value == 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def count(value: float | None, unit: str = "") -> str:
    """A large number with three significant digits and a decimal prefix: 11.2 M, 44.0 MB, 812 B."""
    if not known(value):
        return MISSING
    scale, prefix = next(((s, p) for s, p in PREFIXES if abs(value) >= s), (1, ""))
    number = str(round(value)) if scale == 1 else significant(value / scale)
    return f"{number} {prefix}{unit}".strip()


def percent(value: float | None, spread: float | None = None) -> str:
    """A share from 0 to 1 in percent with one decimal, with its standard deviation where that is known."""
    if not known(value):
        return MISSING
    return f"{100 * value:.1f}" + (f"{PLUS_MINUS}{100 * spread:.1f}" if known(spread) else "")


def decimals(value: float | None, spread: float | None = None) -> str:
    """A share from 0 to 1 with three decimals, with its standard deviation where that is known."""
    if not known(value):
        return MISSING
    return f"{value:.3f}" + (f"{PLUS_MINUS}{spread:.3f}" if known(spread) else "")


def tiny(value: float | None) -> str:
    """A number near zero: 1.2e-6."""
    if not known(value):
        return MISSING
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def ratio(numerator: float | None, denominator: float | None) -> str:
    """How many times larger one number is than another: 12.3×."""
    if not known(numerator) or not known(denominator) or denominator == 0:
        return MISSING
    return f"{significant(numerator / denominator)}×"


def duration(seconds: float | None) -> str:
    """A time in hours, minutes and seconds: 8 min 32 s."""
    if not known(seconds):
        return MISSING
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(hours or minutes) + [f"{rest} s"] * (not hours)
    return " ".join(parts)


def plain(value: object) -> str:
    """A value of the settings or the environment as a person would write it."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or MISSING
    return str(value)
