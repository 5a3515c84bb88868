"""Tables for a terminal."""

from collections.abc import Sequence


def aligned(lines: Sequence[Sequence[str]], align: str) -> list[str]:
    """Cells as lines of text with equal columns.

    Arguments:
        lines: the same number of cells in each.
        align: one letter per column, `l` or `r`.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if side == "r" else text.ljust(width)
            for text, width, side in zip(line, widths, align, strict=True)
        ).rstrip()
        for line in lines
    ]
