"""The report: a Study as a self-contained web page and as Markdown."""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import jinja2

from wool_tf import files
from wool_tf.report import (
    claims,
    comparison,
    delivered_model,
    error_rates,
    findings,
    paper_tables,
    pictures,
    plots,
    provenance,
    quality,
    schedule_plots,
    score_plots,
    size,
    tradeoff_plots,
    verdict,
)
from wool_tf.report.tables import Table, markdown, markdown_rows
from wool_tf.study.results import Study

Part = Table | plots.Plot
FOLDER = Path(__file__).parent
SECTIONS: tuple[tuple[str, tuple[Callable[..., Part | None], ...]], ...] = (
    ("Beside the paper", (paper_tables.table1, paper_tables.table2, plots.changes, paper_tables.table3, claims.claims)),
    ("Quality", (quality.quality, plots.accuracy, quality.by_defect, quality.operating, quality.confusion,
                 score_plots.roc, score_plots.precision_recall, score_plots.reliability, quality.controls)),
    ("Size and speed", (tradeoff_plots.operations, tradeoff_plots.parameters, tradeoff_plots.time,
                        tradeoff_plots.measured_time, size.size,
                        size.removal, size.widths, size.latency, plots.latency)),
    ("Delivered model", (delivered_model.files, delivered_model.quantisation, delivered_model.mistakes)),
    ("Data and training", (provenance.data, provenance.suspects, provenance.alike, provenance.folds, plots.training,
                           schedule_plots.asfp_rates)),
    ("Failures", (provenance.failures,)),
    ("How to repeat this run", (provenance.settings, provenance.environment)),
)  # fmt: skip
"""Headings with the builders of what stands below them, in order; a heading with nothing below it is left out."""
OF_TWO_RUNS = paper_tables.table1, paper_tables.table2, paper_tables.table3
"""Those that take the run that the study is compared with, too."""


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading of the report and the tables and plots below it."""

    title: str
    parts: tuple[Part, ...]

    @property
    def anchor(self) -> str:
        """The name by which links of the page reach the section."""
        return self.title.lower().replace(" ", "-")


def write(study: Study, out: Path, name: str, before: Study | None = None) -> None:
    """Writes `NAME.html` and `NAME.md` into a folder, replacing older ones.

    Arguments:
        study: Study.
        out: folder, made where it is missing.
        name: of the files.
        before: a run that it is compared with, or None.

    Raises:
        wool_tf.errors.WoolError: the folder cannot be written to.
    """
    for suffix, text in render(study, before).items():
        files.write(out / f"{name}{suffix}", text.encode())


def render(study: Study, before: Study | None = None) -> dict[str, str]:
    """The text of both files, by suffix."""
    built = []
    if before is not None:
        beside = comparison.changes(study, before), comparison.networks(study, before)
        changed = tuple(each for each in beside if each)
        built += [Section("What changed", changed)] if changed else []
    for title, builders in SECTIONS:
        given = [(build, (study, before) if build in OF_TWO_RUNS else (study,)) for build in builders]
        parts = tuple(part for build, runs in given if (part := build(*runs)))
        built += [Section(title, parts)] if parts else []
    script = (FOLDER / "threshold.js").read_text()
    values = {
        "title": study.title,
        "command": study.command,
        "verdict": verdict.verdict(study),
        "errors": error_rates.per_thousand(study),
        "figure": plots.verdict(study),
        "sentences": findings.sentences(study),
        "warnings": findings.warnings(study),
        "summary": quality.summary(study),
        "sections": built,
        "sheets": pictures.sheets(study),
        "pictures": pictures.pictures(study),
        "suspects": pictures.suspects(study),
        "heatmaps": pictures.heatmaps(study),
        "given": study.delivery is not None and study.delivery.rule.threshold is not None,
        "cut": pictures.cut(study),
        "tiles": study.delivery.tiles_per_square_metre if study.delivery else None,
        "scores": _data(pictures.scores(study)),
        "script": script,
        # Nothing else may run in the page.
        "script_digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    environment = _environment()
    return {
        ".html": environment.get_template("page.html.jinja").render(values),
        ".md": environment.get_template("page.md.jinja").render(values),
    }


def _data(document: dict | None) -> str | None:
    """JSON that can stand in a script element: nothing in it ends the element."""
    if document is None:
        return None
    return json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.jinja",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"markdown": markdown, "markdown_rows": markdown_rows}
    environment.tests["plot"] = lambda part: isinstance(part, plots.Plot)
    return environment
