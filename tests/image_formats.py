"""How many variants of image files are read as an independent decoder reads them, and how many are refused.

    python tests/image_formats.py

prints a table of counts. Every file of the matrix goes to the readers that training, board and scripts share, as a crop
and as a scan. A file is wrong if it is read and its pixels are others than those that tifffile, imagecodecs or
whoever wrote it say, or if it has no one meaning and is read all the same; the exit status is then 1.
"""

import collections
import functools
import itertools
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from image_variants import dicoms, pngs_and_jpegs, tiffs
from image_variants.cases import Case
from wool_board.errors import BadFile
from wool_board.image import decoding, scan_files

OUTCOMES = ("equal", "refused", "wrong")


class Outcome(NamedTuple):
    """What became of a file.

    Attributes:
        case: the file.
        use: "crop" or "scan".
        outcome: one of OUTCOMES.
        reason: why it was refused.
    """

    case: Case
    use: str
    outcome: str
    reason: str

    @property
    def listed(self) -> bool:
        """Whether it is on the list of what is read."""
        return self.case.crop if self.use == "crop" else self.case.scan


@functools.cache
def matrix() -> tuple[Case, ...]:
    """All files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The writers warn of what they are asked to do.
        return (*tiffs.cases(), *pngs_and_jpegs.cases(), *dicoms.cases())


def write(cases: Iterable[Case], folder: Path) -> None:
    """Writes the files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        (folder / case.name).write_bytes(case.content)


def outcomes(cases: Iterable[Case], folder: Path) -> Iterator[Outcome]:
    """Reads files of a folder as crops and as scans."""
    for case in cases:
        for use, right in (("crop", case.shown), ("scan", case.counts)):
            outcome, reason = "wrong", ""
            try:
                found = _read(folder / case.name, use)
            except BadFile as flaw:
                outcome, reason = "refused", str(flaw)
            else:
                if right is not None and found.dtype.itemsize == right.dtype.itemsize and np.array_equal(found, right):
                    outcome = "equal"
            yield Outcome(case, use, outcome, reason)


def _read(file: Path, use: str) -> np.ndarray:
    return np.asarray(decoding.read_grey(file)) if use == "crop" else scan_files.read(file, None)[:]


def table(found: Iterable[Outcome]) -> str:
    """Counts by what the files are."""
    counts = collections.Counter((one.case.group, one.use, one.outcome) for one in found)
    columns = list(itertools.product(("crop", "scan"), OUTCOMES))
    head = f"{'':42}{'as a crop':>25}{'as a scan':>27}"
    lines = [head, f"{'':42}" + "".join(f"{outcome:>9}" for _, outcome in columns)]
    for group in sorted({group for group, _, _ in counts}):
        lines.append(f"{group:42}" + "".join(f"{counts[group, use, outcome]:9}" for use, outcome in columns))
    total = [sum(n for (_, *key), n in counts.items() if tuple(key) == column) for column in columns]
    return "\n".join([*lines, f"{'all':42}" + "".join(f"{number:9}" for number in total)])


def main() -> int:
    cases = matrix()
    with tempfile.TemporaryDirectory() as folder:
        write(cases, Path(folder))
        found = list(outcomes(cases, Path(folder)))
    print(table(found))
    wrong = [one for one in found if one.outcome == "wrong"]
    for one in wrong:
        print(f"wrong as a {one.use}: {one.case.name}", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
