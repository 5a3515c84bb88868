"""A protocol's tables for programs and terminals: comma-separated values in the paper's columns, and plain text."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from wool_tf import files
from wool_tf.report import paper, protocol_findings, protocol_tables
from wool_tf.report.cells import aligned, known
from wool_tf.report.protocol_views import BASELINE, find, is_pruned, ordered, stage_names
from wool_tf.report.tables import measure
from wool_tf.study import units

RECIPE = ("depth", "optimizer", "pretrained")
TABLES = ("table1.csv", "table2.csv", "table1-optimistic.csv", "table2-optimistic.csv")
SHOWN = (protocol_tables.table1, protocol_tables.table2, protocol_tables.controls, protocol_tables.summary)


def write(document: Mapping, out: Path, name: str) -> None:
    """Writes what `to_csv` gives into a folder, as `NAME-table1.csv`, and removes older tables that it does not give.

    Raises:
        wool_tf.errors.WoolError: the folder cannot be written to.
    """
    chosen = to_csv(document)
    for table in TABLES:
        if table in chosen:
            files.write(out / f"{name}-{table}", chosen[table].encode())
        else:
            units.remove(out / f"{name}-{table}")


def to_csv(document: Mapping) -> dict[str, str]:
    """Tables I and II with the columns of the paper's, in percent with two decimals, so that the two can be compared.

    Stages that the paper does not have follow in columns of their own; what is not known is empty. A network that
    started from a file of which nobody knows whether it is of ImageNet has its path under `pretrained`.

    Returns:
        Contents by name: `table1.csv`, and `table2.csv` if anything was pruned; with --select=best
        `table1-optimistic.csv` and `table2-optimistic.csv`, whose columns of figures end in `_optimistic`; those of
        ASFP do not.
    """
    pruned = [name for name in stage_names(document) if is_pruned(name)]
    stages = list(dict.fromkeys((*paper.PRUNED_STAGES, *pruned)))
    best = document.get("select") == "best"
    ending = "_optimistic" if best else ""
    table1 = [(*RECIPE, f"accuracy_mean{ending}", f"accuracy_std{ending}")]
    # ASFP's figures are always of its last epoch.
    columns = [_column(name) + ("" if name.startswith("asfp") else ending) for name in (BASELINE, *stages)]
    table2 = [(*RECIPE, *columns)]
    for configuration in ordered(document):
        recipe = configuration["depth"], configuration["optimizer"], _pretrained(configuration)
        found = [measure(find(configuration, name) or {}, "accuracy") for name in (BASELINE, *stages)]
        table1.append((*recipe, *map(_percent, found[0])))
        table2.append((*recipe, *(_percent(mean) for mean, _ in found)))
    ending = "-optimistic" if best else ""
    chosen = {f"table1{ending}.csv": table1} | ({f"table2{ending}.csv": table2} if pruned else {})
    return {name: _csv(rows) for name, rows in chosen.items()}


def to_text(document: Mapping) -> str:
    """Tables I and II, controls and key figures to read in a terminal, with what speaks against them first."""
    blocks = [f"Note: {warning}" for warning in protocol_findings.warnings(document)]
    for build in SHOWN:
        if table := build(document):
            blocks.append("\n".join([table.title, *aligned([table.header, *table.rows], table.align)]))
    return "\n\n".join(blocks)


def _pretrained(configuration: Mapping) -> int | str:
    found = paper.pretrained(configuration)
    unclear = found is None or configuration.get("file")
    return str(configuration["weights"]) if unclear else int(found)


def _column(stage: str) -> str:
    """The paper's names: hard1 → hard_round1, asfp10 → asfp_0.1."""
    if stage.startswith("asfp"):
        return f"asfp_{float(stage.removeprefix('asfp')) / 100:g}"
    return stage.replace("hard", "hard_round")


def _percent(share: float | None) -> str:
    return f"{100 * share:.2f}" if known(share) else ""


def _csv(rows: Sequence[Sequence]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
