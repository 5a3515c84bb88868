"""What a table of the report is; both templates, terminals and Markdown files show it."""

import dataclasses
import re
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


def markdown(text: str) -> str:
    """A text with everything escaped that Markdown or HTML inside Markdown would take for markup, on one line.

    >>> print(markdown("a|b <script> *bold* file_name"))
    a\\|b &lt;script&gt; \\*bold\\* file_name
    """
    text = " ".join(str(text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|~#])", r"\\\1", text)
    # Between letters an underscore is only an underscore; elsewhere it would start emphasis.
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


def markdown_rows(found: Table) -> str:
    """The header and the rows of a table in Markdown, each with a line break."""
    sides = ["---:" if side == "r" else ":---" for side in found.align]
    header, *rows = ([markdown(cell) for cell in row] for row in (found.header, *found.rows))
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, sides, *rows))
