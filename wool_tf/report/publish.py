"""A study with its report: what the scripts of experiments/ call."""

import logging
from collections.abc import Callable
from pathlib import Path

from wool_tf.study import run
from wool_tf.study.driver import Status
from wool_tf.study.job import CropSource, Workers
from wool_tf.study.results import Study
from wool_tf.study.run import Request

log = logging.getLogger(__name__)


def publish(request: Request, source: CropSource, out: Path, team: Workers, show: Callable[[Status], None]) -> Study:
    """Runs a study, or goes on with the one that is in the folder, and writes its report.

    Arguments:
        request: Request.
        source: CropSource.
        out: folder of the study.
        team: who does the work.
        show: told the status of the training about twice a second.

    Returns:
        The Study, which is also in `NAME.json`, `NAME.html` and `NAME.md` of the folder, with tables I and II as
        `NAME-table1.csv` and, if anything was pruned, `NAME-table2.csv`. It lists units that failed.

    Raises:
        WoolError: the data, a setting or the folder is not as it must be, or a network of a delivery could not be
            trained.
    """
    study = run.run(request, source, out, team, show)
    # Not at the top: they import matplotlib and scikit-learn, and most mistakes are found before anything is drawn.
    from wool_tf.report import export, page

    log.info("writing the report")
    page.write(study, out, request.name)
    export.write(study, out, request.name)
    return study
