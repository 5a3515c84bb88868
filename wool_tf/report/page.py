"""The report: one results document as a self-contained web page and as Markdown."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2

from wool_tf import files
from wool_tf.report import findings, plots, tables

SECTIONS = (
    ("Quality", (tables.accuracy, plots.accuracy, tables.confusion, plots.roc, plots.scores)),
    ("Size and speed", (tables.complexity, tables.latency, plots.latency)),
    ("Delivered model", (tables.quantisation, tables.files)),
    ("Data and training", (tables.data, tables.folds, plots.training)),
    ("How to repeat this run", (tables.settings, tables.environment)),
)
"""Headings of the report with the builders of what stands below them, in order."""


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading of the report and the tables and plots below it."""

    title: str
    parts: tuple[tables.Table | plots.Plot, ...]

    @property
    def anchor(self) -> str:
        """The name by which links of the page reach the section."""
        return self.title.lower().replace(" ", "-")


def write(results: Mapping, out: Path) -> None:
    """Writes `report.html` and `report.md` into a folder, replacing older ones.

    Arguments:
        results: the results document of a run, as read from its JSON file; unknown values are None.
        out: folder, made where it is missing.

    Raises:
        wool_tf.errors.WoolError: the folder cannot be written to.
    """
    for name, text in render(results).items():
        files.write(out / name, text.encode())


def render(results: Mapping) -> dict[str, str]:
    """The text of both files, by file name."""
    built = []
    for title, builders in SECTIONS:
        parts = tuple(part for build in builders if (part := build(results)))
        built += [Section(title, parts)] if parts else []
    values = {
        "title": results.get("title") or "Report",
        "command": results.get("command"),
        "sentences": findings.sentences(results),
        "warnings": findings.warnings(results),
        "summary": tables.summary(results),
        "sections": built,
        "examples": results.get("examples") or [],
    }
    environment = _environment()
    return {
        "report.html": environment.get_template("page.html.jinja").render(values),
        "report.md": environment.get_template("page.md.jinja").render(values),
    }


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


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.jinja",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = markdown
    environment.tests["plot"] = lambda part: isinstance(part, plots.Plot)
    return environment
