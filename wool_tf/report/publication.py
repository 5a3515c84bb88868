"""A study with its report: what the scripts of experiments/ call."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from wool_tf import records
from wool_tf.errors import WoolError
from wool_tf.study import earlier_documents, results, run
from wool_tf.study.crop_source import CropSource
from wool_tf.study.driver import Status
from wool_tf.study.request import Request
from wool_tf.study.results import Study
from wool_tf.study.workers import Workers

log = logging.getLogger(__name__)

NAMES = ("report", "prune_kfold", "train_kfold", "pytorch_kfold")
"""Of the documents that the scripts leave in the folder of a run."""


def publish(request: Request, source: CropSource, out: Path, team: Workers, show: Callable[[Status], None]) -> Study:
    """Runs a study, or goes on with the one that is in the folder, and writes its report.

    Everything is as in `study.run.run`. Beside the `NAME.json` of the Study the folder gets `NAME.html` and `NAME.md`,
    with tables I and II as `NAME-table1.csv` and, if anything was pruned, `NAME-table2.csv`.
    """
    study = run.run(request, source, out, team, show)
    # Not at the top: they import matplotlib and scikit-learn, and most mistakes are found before anything is drawn.
    from wool_tf.report import export, page

    log.info("writing the report")
    page.write(study, out, request.name)
    export.write(study, out, request.name)
    return study


def again(runs: Sequence[Path], baseline: Path | None) -> list[Path]:
    """Makes the pages of runs again from their documents.

    Arguments:
        runs: folders, of which every document is taken, or documents.
        baseline: folder or document of a run that they are compared with, or None.

    Returns:
        The pages (HTML); each has a Markdown file and tables beside it.

    Raises:
        WoolError: a folder holds no document, one cannot be read or is of another version, or the baseline has other
            images.
    """
    from wool_tf.report import comparison, export, page

    before = [] if baseline is None else [_documents(baseline)[0]]
    others = [earlier_documents.completed(results.read(document), document.parent) for document in before]
    written = []
    for document in (found for folder in runs for found in _documents(folder)):
        study = earlier_documents.completed(results.read(document), document.parent, others)
        # Each of two runs on the same images may tell which those of the other are.
        compared = [earlier_documents.completed(other, before[0].parent, [study]) for other in others]
        for other in compared:
            comparison.check(study, other)
        page.write(study, document.parent, document.stem, *compared)
        export.write(study, document.parent, document.stem, *compared)
        written.append(document.with_suffix(".html"))
    return written


def _documents(run: Path) -> list[Path]:
    """The documents of a run, that of a delivery first."""
    names = ", ".join(f"{name}.json" for name in NAMES)
    if run.is_file():
        if "configurations" not in records.load(run, "study"):
            rule = f"is no document of wool_tf; expected is the folder of a run, or one of its documents ({names})"
            raise WoolError(f"{run}: {rule}")
        return [run]
    found = [path for name in NAMES if (path := run / f"{name}.json").is_file()]
    if not found:
        lacks = (
            f"holds none of {names}; give the folder of a run that has ended"
            if run.is_dir()
            else "no such run; give the folder of a run, or one of its documents"
        )
        raise WoolError(f"{run}: {lacks}")
    return found
