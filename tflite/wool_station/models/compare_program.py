"""The work of `station.py compare`."""

import os
import sqlite3
from pathlib import Path

import jinja2

from wool_board import atomic_file
from wool_board.errors import Unusable, WoolError
from wool_board.model.recognizer import Recognizer
from wool_station.models.comparison import McNemarTest, ModelComparison
from wool_station.models.samples import CORRECTED, MOST, PASSED, REJECTED, samples
from wool_station.options import CompareOptions
from wool_station.report.content import moment
from wool_station.store import schema
from wool_station.store.reader import StoreReader

TEMPLATE = "differences.html.jinja"
NICE = 10
"""Below the inspection, which runs beside it on a board."""

NAMES = {
    (CORRECTED, True): "said to show a defect",
    (CORRECTED, False): "said to be wrongly rejected",
    (REJECTED, None): "called defective when they passed, and nobody said anything",
    (PASSED, None): "passed, a sample, and nobody said anything",
}


def run(options: CompareOptions) -> int:
    """Compares two models on what a store has, writes a page, and says the figures.

    Raises:
        WoolError: there is no store, a model is none or reads other crops, or the file cannot be written.
    """
    schema.check_store(options.store)
    os.nice(NICE)
    models, reader = (Recognizer(options.first), Recognizer(options.second)), StoreReader(options.store)
    try:
        comparison = ModelComparison(models, reader.inspections())
        comparison.add(samples(reader))
    except (OSError, sqlite3.Error) as error:
        raise Unusable("store", options.store, f"cannot be read ({error})") from None
    if not comparison.images:
        why = "; ".join(("", *_left_out(comparison)))
        raise Unusable("store", options.store, f"has no pictures to compare on{why}")
    _write(options.out, _page(options, models, comparison))
    print(_told(comparison))
    return 0


def _page(options: CompareOptions, models: tuple[Recognizer, Recognizer], comparison: ModelComparison) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    files = [
        (name, file.name, model.card.model.sha256[:16], model.threshold)
        for name, file, model in zip("AB", (options.first, options.second), models, strict=True)
    ]
    groups = [(NAMES[order], group) for order, group in comparison.groups.items()]
    return environment.get_template(TEMPLATE).render(
        it=comparison, files=files, groups=groups, moment=moment, most=MOST,
        left_out=_left_out(comparison), corrected=comparison.corrected(), uncorrected=comparison.uncorrected(),
    )  # fmt: skip


def _left_out(comparison: ModelComparison) -> list[str]:
    """Which pictures could not be judged, and why."""
    reasons = (comparison.left_out, "are of other crops than these models read"), (comparison.damaged, "are damaged")
    return [f"{count} {reason}" for count, reason in reasons if count]


def _write(out: Path, page: str) -> None:
    try:
        atomic_file.write(out, page.encode())
    except OSError as error:
        raise WoolError(f"{out}: cannot be written ({error.strerror})") from None


def _told(comparison: ModelComparison) -> str:
    lines = [
        f"{group.images} {NAMES[order]}: A calls {group.called[0]} defective, B {group.called[1]}; "
        f"A alone {group.only[0]}, B alone {group.only[1]}"
        for order, group in comparison.groups.items()
    ]
    lines += [f"left out: {reason}" for reason in _left_out(comparison)]
    lines.append(f"corrected: only A is right {_test(comparison.corrected(), 'only B is right')}")
    lines.append(f"not corrected: only A calls it defective {_test(comparison.uncorrected(), 'only B does')}")
    return "\n".join(lines)


def _test(test: McNemarTest, other: str) -> str:
    found = f"p = {test.p:.3g}, by products {test.p_products:.3g}" if sum(test.changed) else "nothing to test"
    return f"{test.changed[0]}, {other} {test.changed[1]}: {found}"
