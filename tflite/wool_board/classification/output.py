"""What the classification prints: a line a record, for people or for programs, and a line a file that it leaves out."""

import csv
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wool_board.command_line import one_line, say
from wool_board.image import ignored_files
from wool_board.image.folders import Unreadable
from wool_board.machine.output_stream import OutputStream

NAME = "classify.py"


class RecordWriter:
    """Records on the standard output, each flushed, and complaints on the standard error.

    Arguments:
        form: makes a record a line.
        header: a first line, or None.
        is_stopped: whether to wait no longer for whoever takes the output.
    """

    def __init__(self, form: Callable[[dict], str], header: str | None, is_stopped: Callable[[], bool]):
        self._form, self.complaints = form, 0
        self._is_stopped = is_stopped
        self._stream: OutputStream | None = None
        if header:
            self.line(header)

    def record(self, record: dict) -> None:
        """Prints what became of an image."""
        self.line(self._form(record))

    def line(self, text: str) -> None:
        """Prints a line, as soon as it is taken.

        Raises:
            WoolError: nobody takes it.
            KeyboardInterrupt: the end was asked for before it was taken.
        """
        if self._stream is None:
            self._stream = OutputStream(sys.stdout.fileno(), waits=True, is_stopped=self._is_stopped)
        self._stream.write(text + "\n")
        self._stream.flush()
        if self._stream.waiting:
            raise KeyboardInterrupt

    def complain(self, path: Path | str, reason: str) -> None:
        """Prints why a file is left out."""
        self.complaints += 1
        self.remark(path, reason)

    def remark(self, path: Path | str, text: str) -> None:
        """Prints what a person should know of a file or folder, and is no mistake."""
        say(f"{NAME}: {one_line(path)}: {text}")


def unreadable(output: RecordWriter) -> Unreadable:
    """What complains of folders that cannot be read."""
    return lambda folder, error: output.complain(folder, f"cannot be read ({error.strerror})")


def left_out(output: RecordWriter, folder: Path, paths: Sequence[str]) -> None:
    """Tells what a folder holds that is litter, and complains of images whose format is not read, if there are any."""
    names = [os.path.relpath(path, folder) for path in paths]
    found = [name for name in names if ignored_files.is_ignored(os.path.basename(name))]
    if found:
        output.remark(folder, ignored_files.told(found))
    others = sorted(set(names) - set(found))
    if others:
        suffixes = ", ".join(sorted({os.path.splitext(name)[1].lower() for name in others}))
        first = f"{len(others):,} images of formats that are not read ({suffixes}), {one_line(others[0])} first"
        output.complain(folder, f"{first}; save them as PNG")


def text_line(record: dict) -> str:
    """A record for people."""
    notes = []
    if record["resized"]:
        notes.append("resized")
    if "peak" in record:
        notes.append("most at x {left}-{right}, y {top}-{bottom}".format(**record["peak"]))
    parts = [f"{record['label']:13}  {record['score']:.4f}  {one_line(record['file'])}", *notes]
    return "  ".join(parts)


COLUMNS = ("file", "score", "defective", "label", "resized")


def csv_line(record: dict) -> str:
    """A record as comma-separated values."""
    values = [record[name] for name in COLUMNS] + list(record.get("peak", {}).values())
    return csv_row([int(value) if isinstance(value, bool) else value for value in values])


def csv_row(values: list) -> str:
    """Values with commas between, quoted where needed."""
    text = io.StringIO()
    # Only what ends a row is sure to be quoted, so it must hold both characters that begin a new line.
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue().removesuffix("\r\n")
