"""Tables I and II for programs and terminals: comma-separated values in the paper's columns, and plain text."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from wool_board.columns import aligned
from wool_tf import files
from wool_tf.report import counterpart, findings, naming, paper, paper_tables, quality
from wool_tf.study import units
from wool_tf.study.results import BASELINE, Configuration, Study

RECIPE = ("depth", "optimizer", "pretrained")
TABLES = ("table1.csv", "table2.csv", "table1-optimistic.csv", "table2-optimistic.csv")
SHOWN = (paper_tables.table1, paper_tables.table2, quality.controls, quality.summary)


def write(study: Study, out: Path, name: str, before: Study | None = None) -> None:
    """Writes what `to_csv` gives into a folder, as `NAME-table1.csv`, and removes older tables that it does not give.

    Raises:
        wool_tf.errors.WoolError: the folder cannot be written to.
    """
    chosen = to_csv(study, before)
    for table in TABLES:
        if table in chosen:
            files.write(out / f"{name}-{table}", chosen[table].encode())
        else:
            units.remove(out / f"{name}-{table}")


def to_csv(study: Study, before: Study | None = None) -> dict[str, str]:
    """Tables I and II with the columns of the paper's, in percent with two decimals, so that the two can be compared.

    Stages that the paper does not have follow in columns of their own; what is not known is empty. A network that
    started from a file that may or may not be of ImageNet has its path under `pretrained`.

    Arguments:
        study: Study.
        before: a run that it is compared with. If its networks were trained in another framework, rows end with their
            figures and what ours are above them: `pytorch_hard_round1`, `hard_round1_above_pytorch`.

    Returns:
        Contents by name: `table1.csv`, and `table2.csv` if anything was pruned; where `select` is best
        `table1-optimistic.csv` and `table2-optimistic.csv`, whose columns of figures end in `_optimistic`; those of
        ASFP do not.
    """
    pruned = naming.pruned_names(study)
    stages = (BASELINE, *dict.fromkeys((*paper.PRUNED_STAGES, *pruned)))
    other = counterpart.of(study, before)
    columns, ending = [_column(name) + _ending(study, name) for name in stages], _ending(study, BASELINE)
    table1 = [(*RECIPE, f"accuracy_mean{ending}", f"accuracy_std{ending}", *_columns_beside(other, stages[:1]))]
    table2 = [(*RECIPE, *columns, *_columns_beside(other, stages))]
    for one in naming.ordered(study):
        settings = str(one.depth), one.optimizer, _pretrained(study, one)
        means, spread = map(_percent, _means(one, stages)), _percent(one.baseline.figures.std("accuracy"))
        table1.append((*settings, _percent(*_means(one, stages[:1])), spread, *_beside(other, one, stages[:1])))
        table2.append((*settings, *means, *_beside(other, one, stages)))
    suffix = "-optimistic" if study.optimistic else ""
    chosen = {f"table1{suffix}.csv": table1} | ({f"table2{suffix}.csv": table2} if pruned else {})
    return {name: _csv(rows) for name, rows in chosen.items()}


def _ending(study: Study, stage: str) -> str:
    """ASFP's figures are of its last epoch whatever `select` says, and so never optimistic."""
    return "_optimistic" if study.optimistic and not stage.startswith("asfp") else ""


def _columns_beside(other: Study | None, stages: Sequence[str]) -> list[str]:
    """Names of the columns of another framework, and of the differences."""
    if other is None:
        return []
    framework = counterpart.framework(other).lower()
    theirs = [f"{framework}_{_column(name)}{_ending(other, name)}" for name in stages]
    return [*theirs, *(f"{_column(name)}_above_{framework}" for name in stages)]


def _beside(other: Study | None, one: Configuration, stages: Sequence[str]) -> list[str]:
    """Their cells."""
    if other is None:
        return []
    ours, theirs = (_means(each, stages) for each in (one, counterpart.configuration(other, one)))
    return [*map(_percent, theirs), *map(_percent, map(paper_tables.apart, ours, theirs))]


def _means(one: Configuration | None, stages: Sequence[str]) -> list[float | None]:
    found = [one.stage(name) if one else None for name in stages]
    return [stage.figures.mean("accuracy") if stage else None for stage in found]


def to_text(study: Study) -> str:
    """Tables I and II, controls and key figures to read in a terminal, with what speaks against them first."""
    blocks = [f"Note: {warning}" for warning in findings.warnings(study)]
    for build in SHOWN:
        if table := build(study):
            blocks.append("\n".join([table.title, *aligned([table.header, *table.rows], table.align)]))
    return "\n\n".join(blocks)


def _pretrained(study: Study, one: Configuration) -> str:
    unclear = one.pretrained is None or naming.file_of(study, one)
    return one.weights if unclear else str(int(one.pretrained or 0))


def _column(stage: str) -> str:
    """The paper's names: hard1 → hard_round1, asfp10 → asfp_0.1."""
    if stage.startswith("asfp"):
        return f"asfp_{float(stage.removeprefix('asfp')) / 100:g}"
    return stage.replace("hard", "hard_round")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _csv(rows: Sequence[Sequence]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
