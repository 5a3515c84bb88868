"""CSV files as spreadsheets write them: with commas, semicolons or tabs, in UTF-8 or an older encoding."""

import csv
import dataclasses
import io
from collections.abc import Collection
from pathlib import Path

from wool_board.errors import LONGEST
from wool_tf.data.spelling import cleaned
from wool_tf.errors import WoolError, quoted

DELIMITERS = (",", ";", "\t")


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """A table.

    Attributes:
        header: names of the columns, cleaned and in lower case.
        rows: the number of a row's last line in the file, and its cells without outer white space.
        decimal_comma: whether numbers may be written with a comma.
        remarks: what a person should know of how it was read, in lines.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]
    decimal_comma: bool
    remarks: tuple[str, ...]

    @property
    def first_line(self) -> str:
        """The header for a message, which a whole file without line breaks may be."""
        line = ",".join(self.header)
        return repr(line if len(line) <= LONGEST else f"{line[:LONGEST]} …")

    def number(self, text: str) -> str:
        """The text of a number with a point."""
        return text.replace(",", ".") if self.decimal_comma else text

    def chosen(self, row: list[str], columns: Collection[str]) -> list[str]:
        """The cells of some columns; empty where the row or the table does not have one."""
        where = [self.header.index(column) if column in self.header else len(row) for column in columns]
        return [row[at] if at < len(row) else "" for at in where]


def read(file: Path) -> CsvTable:
    """The table of a file, without empty rows.

    Raises:
        WoolError: it is no CSV file.
        OSError: it cannot be read.
    """
    content, remarks = text(file)
    first, _, rest = content.partition("\n")
    delimiter = first.rstrip("\r")[4:] if first.startswith("sep=") else ""  # Excel's own way to say it.
    if delimiter not in DELIMITERS:
        delimiter, rest = max(DELIMITERS, key=first.count), content
    # strict: an unclosed quote would otherwise swallow all the lines below it.
    reader = csv.reader(io.StringIO(rest, newline=""), strict=True, delimiter=delimiter)
    above = content.count("\n") - rest.count("\n")
    try:
        header = tuple(cleaned(cell).casefold() for cell in next(reader, []))
        found = ((reader.line_num + above, [cell.strip() for cell in row]) for row in reader)
        rows = tuple((line, row) for line, row in found if any(row))
    except csv.Error as error:
        raise WoolError(f"{file}: line {reader.line_num + above} is not CSV ({error})") from None
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise WoolError(f"{file}: has the column {quoted(twice[0])} twice; leave one")
    return CsvTable(header, rows, delimiter == ";", tuple(remarks))


def text(file: Path) -> tuple[str, list[str]]:
    """What a file says, and what to say of its encoding, in lines.

    Raises:
        OSError: it cannot be read.
    """
    content = file.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), []
    if len(content) % 2 == 0 and content[:2].count(0) == 1:
        # A table or JSON begins with a character of ASCII.
        order = "utf-16-be" if content[0] == 0 else "utf-16-le"
        return content.decode(order, errors="replace"), [f"{file.name} has no byte order mark; read as UTF-16"]
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        # What Windows in Western Europe and America writes; every text can be read so, if perhaps wrongly.
        return content.decode("cp1252", errors="replace"), [
            f"{file.name} is not UTF-8 text; read as Windows-1252 (Latin-1)"
        ]
