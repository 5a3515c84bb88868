"""What comes of a search: a document, a table of the best trials, and a flagfile."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from wool_board.columns import aligned
from wool_tf import files, records
from wool_tf.cells import decimals, percent, plain, significant
from wool_tf.errors import as_text
from wool_tf.report.tables import Table, markdown, markdown_rows
from wool_tf.search.optimisation import OBJECTIVE, Trial
from wool_tf.study.crop_source import CropSource
from wool_tf.training.config import OF_COMPARISONS, TrainingConfig

VERSION = 1
SHOWN = 10
"""Trials in the table, at most, besides the first one."""
OPTIMISTIC = (
    "the figures of the best trial are optimistic, for it was chosen by these very folds: report those of other "
    "images, or of the folds of another seed"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOutcome:
    """What a search has found by now, `search.json`, for other people's programs: a search goes on from its journal.

    Attributes:
        stage, first_folds, hours: of the Search.
        folds: of the cross-validation.
        space: what was tried, in words, by setting.
        command: the command line.
        trials: all that have come to their end.
        best: number of the best complete one, or None.
        settings: of that trial, or None.
        objective: figure of a trial that was to be small.
        note: what a reader of the figures has to know.
        version: of this schema.
    """

    stage: str
    first_folds: int
    hours: float
    folds: int
    space: dict[str, str]
    command: str
    trials: tuple[Trial, ...]
    best: int | None
    settings: TrainingConfig | None
    objective: str = OBJECTIVE
    note: str = OPTIMISTIC
    version: int = VERSION


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The best complete trials, the best first, and the first one, with the settings given, wherever it stands."""
    found = sorted((trial for trial in trials if trial.state == "complete"), key=lambda trial: trial.figures[OBJECTIVE])
    return found[:SHOWN] + [trial for trial in found[SHOWN:] if trial.number == 0]


def table(trials: Sequence[Trial], stage: str, folds: str) -> Table:
    """The table of the best trials.

    Arguments:
        trials: all that have come to their end, one of them complete.
        stage: whose network was to become good.
        folds: which folds the figures are of, in words.
    """
    names = list(trials[0].values)
    rows = tuple(
        (
            f"{trial.number}{' (as given)' if trial.number == 0 else ''}",
            *(shown(trial.values[name]) for name in names),
            decimals(trial.figures[OBJECTIVE]),
            percent(trial.figures["accuracy"]),
            decimals(trial.figures["auc"]),
        )
        for trial in ranked(trials)
    )
    counts = [sum(trial.state == state for trial in trials) for state in ("complete", "stopped", "failed")]
    text = (
        f"Of the network of {stage}, on the held-out images of {folds} together. {len(trials)} trials: {counts[0]} "
        f"complete, {counts[1]} stopped early, {counts[2]} failed. Least log loss first; 0 is perfect, and 0.693 what "
        "calling everything undecided has."
    )
    header = ("Trial", *names, "Log loss", "Accuracy (%)", "ROC AUC")
    return Table("Best trials", text, header, rows, "l" + "r" * (len(header) - 1), OPTIMISTIC.capitalize() + ".")


def shown(value: object) -> str:
    """A setting as a reader wants it: three digits are enough."""
    if not isinstance(value, float):
        return plain(value)
    return significant(value) if value >= 1e-3 or value == 0 else f"{value:.2e}"


def to_text(found: Table) -> str:
    """A table for the terminal."""
    return "\n".join([found.title, found.text, "", *aligned([found.header, *found.rows], found.align), "", found.note])


def to_markdown(found: Table) -> str:
    """A table as a Markdown document."""
    return f"# {found.title}\n\n{markdown(found.text)}\n\n{markdown_rows(found)}\n{markdown(found.note)}\n"


def flagfile(settings: TrainingConfig, source: CropSource, out: Path) -> str:
    """The flags with which reproduce.py trains with settings on the same images, a flag a line.

    Arguments:
        settings: TrainingConfig.
        source: CropSource.
        out: folder of that run.
    """
    given = {
        "out": out,
        "data": source.folder,
        "samples": source.samples,
        "contrast": source.contrast,
        **source.reading.given(),
        **{name: value for name, value in dataclasses.asdict(settings).items() if name not in OF_COMPARISONS},
    }
    lines = [f"--{name}={as_text(value)}" for name, value in given.items() if value is not None]
    return "\n".join([f"# Found by search.py: {OPTIMISTIC}.", *lines, ""])


def write(found: SearchOutcome, best: Table | None, flags: str | None, out: Path) -> None:
    """Writes `search.json` and, where a trial is complete, `search.md` and `best.cfg` into a folder.

    Raises:
        Unwritable: it cannot be written to.
    """
    records.write(out / "search.json", found)
    if best and flags:
        files.write(out / "search.md", to_markdown(best).encode())
        files.write(out / "best.cfg", flags.encode())
