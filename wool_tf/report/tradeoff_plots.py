"""Plots of what accuracy costs: every network, and the line of those that no other beats in both."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from wool_tf.cells import significant
from wool_tf.report import naming
from wool_tf.report.plots import BLUE, GREY, NARROWEST, PALE, Plot, drawn
from wool_tf.study.results import Stage, Study


def operations(study: Study) -> Plot | None:
    """Accuracy against operations of every network."""
    label = "operations for an image (billions, log scale)"
    return _plot(study, lambda stage: (stage.operations or 0) / 1e9, "operations", label, "billion")


def time(study: Study) -> Plot | None:
    """Accuracy against the predicted time in int8, where there is a table of latencies."""
    label = "predicted time for an image in int8 (ms, log scale)"
    return _plot(study, lambda stage: stage.predicted_ms, "predicted time", label, "ms")


def _plot(study: Study, cost: Callable[[Stage], float | None], title: str, label: str, unit: str) -> Plot | None:
    """Accuracy against what networks cost, or None where fewer than two costs are known.

    Arguments:
        study: Study.
        cost: gives that of a stage, or nothing where it is not known.
        title, label, unit: of the cost.
    """
    found = [
        (naming.full(study, one, stage), price, 100 * stage.figures.known_mean("accuracy"))
        for one, stage in naming.float_stages(study)
        if (price := cost(stage)) and stage.figures.complete
    ]
    if len({price for _, price, _ in found}) < 2:
        return None
    front = _front([(price, accuracy) for _, price, accuracy in found])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([x for x, _ in front], [y for _, y in front], color=PALE, lw=1.5, zorder=1)
        for _, price, accuracy in found:
            best = (price, accuracy) in front
            axes.plot(price, accuracy, "o" if best else "x", ms=7, mew=1.8, color=BLUE if best else GREY)
        for price, accuracy in front:
            name = next(name for name, *place in found if tuple(place) == (price, accuracy))
            axes.annotate(name, (price, accuracy), (0, 9), textcoords="offset points", ha="center", fontsize=8)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(0.2)
        low, high = axes.get_ylim()
        middle, half = (low + high) / 2, max(high - low, NARROWEST) / 2
        axes.set_ylim(middle - half, middle + half)
        axes.set_xlabel(label)
        axes.set_ylabel("accuracy (%)")
        axes.grid()

    text = (
        "Up and to the left is better. Dots: networks that no other beats in both; the line joins them. Crosses: the "
        "others. Chance moves points up and down by the intervals of the tables."
    )
    alt = f"Accuracy and {title}: " + "; ".join(f"{name} {y:.1f} %, {significant(x)} {unit}" for name, x, y in found)
    return drawn(f"Accuracy against {title}", text, alt, draw, height=3.6)


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other reaches in accuracy at the same cost or less, by cost.

    >>> _front([(1, 5), (2, 4), (3, 9), (3, 7)])
    [(1, 5), (3, 9)]
    """
    kept: list[tuple[float, float]] = []
    for price, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or accuracy > kept[-1][1]:
            kept.append((price, accuracy))
    return kept
