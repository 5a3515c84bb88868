"""The report: one results document as a self-contained web page and as Markdown."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2

from wool_tf import files
from wool_tf.report import (
    delivered,
    findings,
    plots,
    protocol_findings,
    protocol_plots,
    protocol_tables,
    removal,
    tables,
)

Part = tables.Table | plots.Plot


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a kind of report consists of; every function takes the results document.

    Attributes:
        sentences: the outcome.
        warnings: what speaks against it.
        summary: the table of the key figures.
        sections: headings with the builders of what stands below them, in order.
    """

    sentences: Callable[[Mapping], list[str]]
    warnings: Callable[[Mapping], list[str]]
    summary: Callable[[Mapping], tables.Table | None]
    sections: tuple[tuple[str, tuple[Callable[[Mapping], Part | None], ...]], ...]


REPEAT = "How to repeat this run", (tables.settings, tables.environment)

RUN = Layout(
    findings.sentences,
    findings.warnings,
    tables.summary,
    (
        ("Quality", (tables.accuracy, plots.accuracy, tables.by_defect, delivered.confusion, plots.roc,
                     plots.scores)),
        ("Size and speed", (tables.complexity, removal.of_run, tables.latency, plots.latency)),
        ("Delivered model", (delivered.decisions, delivered.quantisation, delivered.files)),
        ("Data and training", (tables.data, tables.folds, plots.training)),
        REPEAT,
    ),
)  # fmt: skip
"""The report of the main job."""

PROTOCOL = Layout(
    protocol_findings.sentences,
    protocol_findings.warnings,
    protocol_tables.summary,
    (
        ("Beside the paper", (protocol_tables.table1, protocol_tables.table2, protocol_plots.changes)),
        ("Defects and thresholds", (protocol_tables.by_defect, protocol_tables.operating)),
        ("Every stage", (protocol_tables.quality, protocol_tables.further, protocol_tables.controls,
                         protocol_tables.size, removal.of_protocol)),
        ("Data", (protocol_tables.data,)),
        ("Failures", (protocol_tables.failures,)),
        REPEAT,
    ),
)  # fmt: skip
"""The report of the whole protocol."""


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading of the report and the tables and plots below it."""

    title: str
    parts: tuple[Part, ...]

    @property
    def anchor(self) -> str:
        """The name by which links of the page reach the section."""
        return self.title.lower().replace(" ", "-")


def write(results: Mapping, out: Path) -> None:
    """Writes `report.html` and `report.md` of the main job into a folder, replacing older ones.

    Arguments:
        results: the results document of a run, as read from its JSON file; unknown values are None.
        out: folder, made where it is missing.

    Raises:
        wool_tf.errors.WoolError: the folder cannot be written to.
    """
    _write(render(results), out, "report")


def write_protocol(document: Mapping, out: Path, name: str) -> None:
    """Writes `NAME.html` and `NAME.md` of a protocol into a folder; otherwise as `write`."""
    _write(render(document, PROTOCOL), out, name)


def _write(texts: Mapping[str, str], out: Path, name: str) -> None:
    for file, text in texts.items():
        files.write(out / f"{name}{Path(file).suffix}", text.encode())


def render(results: Mapping, layout: Layout = RUN) -> dict[str, str]:
    """The text of both files, by file name."""
    built = []
    for title, builders in layout.sections:
        parts = tuple(part for build in builders if (part := build(results)))
        built += [Section(title, parts)] if parts else []
    values = {
        "title": results.get("title") or "Report",
        "command": results.get("command"),
        "sentences": layout.sentences(results),
        "warnings": layout.warnings(results),
        "summary": layout.summary(results),
        "sections": built,
        "examples": results.get("examples") or [],
        "sheets": results.get("sheets") or [],
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
