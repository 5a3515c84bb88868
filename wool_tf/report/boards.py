"""The documents of `tflite/benchmark.py` from several boards, side by side."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from wool_board.benchmark.document import BenchmarkDocument
from wool_board.columns import aligned
from wool_tf import records
from wool_tf.cells import count, plain, ratio, significant
from wool_tf.errors import BadSetting, WoolError, in_one_line
from wool_tf.report.tables import Table, markdown, markdown_rows

HEADER = ("#", "Board", "Model", "Precision", "Runtime", "Threads", "File", "p50 ms", "p95 ms", "Images/s", "Faster")
ALIGN = "rllllrrrrrr"
TEXT = (
    "Milliseconds per image: half of the runs took at most p50, 95 of 100 at most p95. Faster: how many times shorter "
    "p50 is than in row {}. What was measured together took turns; between measurements only the program is the same. "
    "PyTorch and ONNX Runtime were given a normalised image of the network's size, TFLite files get there themselves."
)


@dataclasses.dataclass(frozen=True)
class BoardTimes:
    """A model on a board in a runtime with a number of threads.

    Attributes:
        board: label of the machine.
        model: name of the file, its path where the name is not enough.
        precision: by the card of the file, or None.
        runtime: name and version of what ran it.
        threads: CPU threads.
        bytes: size of the file.
        p50_ms, p95_ms: milliseconds per image.
        images_per_second: by the mean.
    """

    board: str
    model: str
    precision: str | None
    runtime: str
    threads: int
    bytes: int
    p50_ms: float
    p95_ms: float
    images_per_second: float


@dataclasses.dataclass(frozen=True)
class BoardComparison:
    """Rows of all boards, of which one is what the others are compared with.

    Attributes:
        rows: in the order of the documents.
        reference: index of that row.
        warnings: why figures of a board cannot be trusted, by its label.
    """

    rows: tuple[BoardTimes, ...]
    reference: int
    warnings: Mapping[str, tuple[str, ...]]

    def said(self) -> list[str]:
        """Every warning in a line."""
        return [f"{board}: {text}" for board, texts in self.warnings.items() for text in texts]


def read(path: Path) -> BenchmarkDocument:
    """The document that `tflite/benchmark.py --json` wrote.

    Raises:
        WoolError: the file cannot be read, or is no such document.
    """
    try:
        return msgspec.convert(records.parse(path.read_bytes()), BenchmarkDocument)
    except OSError as error:
        raise WoolError(f"{path}: cannot be read ({error.strerror})") from None
    except msgspec.ValidationError as error:
        reason = in_one_line(error)
        raise WoolError(f"{path}: is no document of benchmark.py ({reason}); measure again") from None
    except ValueError:
        raise WoolError(f"{path}: is not JSON; give documents that benchmark.py wrote") from None


def compare(documents: Mapping[str, BenchmarkDocument], reference: int) -> BoardComparison:
    """Puts documents side by side.

    Arguments:
        documents: by a name, which tells boards of one kind apart: the file that each came from.
        reference: number of the row that the others are compared with, from 1.

    Raises:
        WoolError: there is no such row.
    """
    rows, warnings = [], {}
    for name, label in _labels(documents).items():
        document = documents[name]
        names = _names([model.file for model in document.models])
        for model in document.models:
            figures = model.threads, model.bytes, model.p50_ms, model.p95_ms, model.images_per_second
            rows.append(BoardTimes(label, names[model.file], model.precision, model.runtime, *figures))
        warnings[label] = tuple(map(_line, document.warnings))
    if not 1 <= reference <= len(rows):
        raise BadSetting("reference", reference, f"must be the number of a row, 1 to {len(rows)}")
    return BoardComparison(tuple(rows), reference - 1, warnings)


def to_text(comparison: BoardComparison) -> str:
    """To read in a terminal."""
    lines = aligned([HEADER, *_cells(comparison)], ALIGN)
    return "\n".join([*lines, *(f"warning: {warning}" for warning in comparison.said())])


def to_markdown(comparison: BoardComparison) -> str:
    """A section of Markdown."""
    found = Table("Boards", TEXT.format(comparison.reference + 1), HEADER, tuple(_cells(comparison)), ALIGN)
    text = f"# {found.title}\n\n{markdown_rows(found)}\n{found.text}\n"
    if said := comparison.said():
        text += "\n".join(["", "**Please note**", "", *(f"- {markdown(warning)}" for warning in said), ""])
    return text


def to_csv(comparison: BoardComparison) -> str:
    """For programs: the numbers as they were measured, and in each row `faster` and the warnings of its board."""
    names = [field.name for field in dataclasses.fields(BoardTimes)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*names, "faster", "warnings"])
    first = comparison.rows[comparison.reference]
    for row in comparison.rows:
        faster, warnings = round(first.p50_ms / row.p50_ms, 4), "; ".join(comparison.warnings[row.board])
        table.writerow([*dataclasses.astuple(row), faster, warnings])
    return text.getvalue()


def _cells(comparison: BoardComparison) -> list[tuple[str, ...]]:
    first = comparison.rows[comparison.reference]
    return [
        (
            str(number),
            row.board,
            row.model,
            plain(row.precision),
            row.runtime,
            str(row.threads),
            count(row.bytes, "B"),
            *(significant(value) for value in (row.p50_ms, row.p95_ms, row.images_per_second)),
            ratio(first.p50_ms, row.p50_ms),
        )
        for number, row in enumerate(comparison.rows, start=1)
    ]


def _labels(documents: Mapping[str, BenchmarkDocument]) -> dict[str, str]:
    """What each machine calls itself, with the name of the document where several say the same."""
    called = {name: _line(document.machine.name or name) for name, document in documents.items()}
    labels = list(called.values())
    return {name: f"{label} ({name})" if labels.count(label) > 1 else label for name, label in called.items()}


def _names(models: Sequence[str]) -> dict[str, str]:
    """The name of each file, or its path where several have that name."""
    different = dict.fromkeys(models)
    names = [Path(file).name for file in different]
    return {file: _line(file if names.count(Path(file).name) > 1 else Path(file).name) for file in different}


def _line(text: str) -> str:
    return " ".join(text.split())
