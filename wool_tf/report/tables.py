"""What a table of the report is; both templates, terminals and Markdown files show it."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Table:
    """A table and the words around it.

    Attributes:
        title: short caption.
        text: what the table says, in plain language; stands above it.
        header: names of the columns.
        rows: cells as finished text, not yet escaped, as many per row as the header has.
        align: one letter per column, `l` or `r`.
        note: reservations; stands below the table, may be empty.
    """

    title: str
    text: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    note: str = ""


def table(
    title: str, text: str, header: Sequence[str], rows: Sequence[Sequence[str]], align: str, note: str = ""
) -> Table | None:
    """A table, or None without rows."""
    return Table(title, text, tuple(header), tuple(map(tuple, rows)), align, note) if rows else None
