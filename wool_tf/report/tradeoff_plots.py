"""Plots of what accuracy costs: every network, and the line of those that no other beats in both."""

import textwrap
from collections.abc import Callable, Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from wool_tf.cells import significant
from wool_tf.report import naming
from wool_tf.report.plots import BLUE, GREY, LONGEST_LINE, NARROWEST, PALE, Plot, drawn, log_ticks
from wool_tf.study.results import Configuration, Stage, Study

Point = tuple[str, float, float]
"""A network: its name, what it costs, and its accuracy in percent."""
MOST_NAMED = 14
"""Networks that have their names in the picture; of more, those of the line are named below."""
RADIUS = 6
"""Pixels around the middle of a point on which no name is written."""
HIGHEST = 100.4
"""Percent at which an axis of accuracies ends, at most."""
GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
"""Of names, which keeps them legible on the line."""
PLACES = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Of a name beside its point, across and along, in the order in which they are tried."""


def operations(study: Study) -> Plot | None:
    """Accuracy against operations of every network."""
    return _of_count(study, lambda stage: stage.operations, "operations", "operations for an image")


def parameters(study: Study) -> Plot | None:
    """Accuracy against parameters of every network, which set the size of its file."""
    return _of_count(study, lambda stage: stage.params, "size", "parameters")


def measured_time(study: Study) -> Plot | None:
    """Accuracy against the time that was measured, on the fewest threads, of the networks of the delivered chain."""
    if study.delivered is None:
        return None
    rows = study.delivered.delivery.latency
    least = min((row.threads for row in rows), default=0)
    times = {row.stage: row.p50_ms for row in rows if row.threads == least}
    one = study.delivered.configuration
    label = f"median time on the run's machine, {least} thread{'s' * (least > 1)} (ms, log scale)"
    return _plot(
        study, lambda stage: times.get(stage.name), "measured time", label, "ms", [(one, each) for each in one.stages]
    )


def time(study: Study) -> Plot | None:
    """Accuracy against the predicted time in int8, where there is a table of latencies."""
    label = "predicted time for an image in int8 (ms, log scale)"
    return _plot(study, lambda stage: stage.predicted_ms, "predicted time", label, "ms")


def _of_count(study: Study, cost: Callable[[Stage], int | None], title: str, label: str) -> Plot | None:
    """Against what is counted, in millions or billions."""
    largest = max((cost(stage) or 0 for _, stage in naming.float_stages(study)), default=0)
    scale, unit = (1e9, "billion") if largest >= 1e9 else (1e6, "million")
    return _plot(study, lambda stage: (cost(stage) or 0) / scale, title, f"{label} ({unit}s, log scale)", unit)


def _plot(
    study: Study,
    cost: Callable[[Stage], float | None],
    title: str,
    label: str,
    unit: str,
    stages: Iterable[tuple[Configuration, Stage]] | None = None,
) -> Plot | None:
    """Accuracy against what networks cost, or None where fewer than two costs are known.

    Arguments:
        study: Study.
        cost: gives that of a stage, or nothing where it is not known.
        title, label, unit: of the cost.
        stages: configurations with their stages; None for all in floating point.
    """
    found = [
        (one, stage, price, 100 * stage.figures.known_mean("accuracy"))
        for one, stage in (naming.float_stages(study) if stages is None else stages)
        if (price := cost(stage)) and stage.figures.complete
    ]
    if len({price for *_, price, _ in found}) < 2:
        return None
    points = [(_name(study, one, stage), price, accuracy) for one, stage, price, accuracy in found]

    front = _front([(price, accuracy) for _, price, accuracy in points])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([x for x, _ in front], [y for _, y in front], color=PALE, lw=1.5, zorder=1)
        for _, price, accuracy in points:
            best = (price, accuracy) in front
            axes.plot(price, accuracy, "o" if best else "x", ms=7, mew=1.8, color=BLUE if best else GREY)
        prices = [price for _, price, _ in points]
        axes.set_xscale("log")
        log_ticks(axes.xaxis, min(prices), max(prices))
        axes.margins(0.2)
        low, high = axes.get_ylim()
        half = max(high - low, NARROWEST) / 2
        top = min((low + high) / 2 + half, HIGHEST)
        axes.set_ylim(top - 2 * half, top)
        axes.set_xlabel(label)
        axes.set_ylabel("accuracy (%)")
        axes.grid()
        if len(points) <= MOST_NAMED:
            _write_names(figure, axes, points)

    text = (
        "Up and to the left is better. Dots: networks that no other beats in both; the line joins them. Crosses: the "
        "others. Chance moves points up and down by the intervals of the tables."
    )
    if len(points) > MOST_NAMED:
        names = (next(name for name, *place in points if tuple(place) == best) for best in front)
        text += f" On the line, from the left: {'; '.join(names)}."
    alt = f"Accuracy and {title}: " + "; ".join(
        f"{naming.full(study, one, stage)} {y:.1f} %, {significant(x)} {unit}" for one, stage, x, y in found
    )
    return drawn(f"Accuracy against {title}", text, alt, draw, height=3.6)


def _name(study: Study, one: Configuration, stage: Stage) -> str:
    """As short as networks can be told apart by."""
    short = naming.short(stage.name) + ", int8" * stage.int8 if naming.is_pruned(stage) else stage.title
    return short if len(study.configurations) == 1 else f"{naming.label(study, one)}, {naming.inline(short)}"


def _write_names(figure: Figure, axes: Axes, points: Sequence[Point]) -> None:
    """Writes names beside points where they cover neither points nor other names."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    inside, middles = axes.get_window_extent(renderer), axes.transData.transform([point[1:] for point in points])
    taken = [Bbox.from_extents(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in middles]
    for name, *place in points:
        for across, along in PLACES:
            sides = ("right", "center", "left")[across + 1], ("top", "center", "bottom")[along + 1]
            text = axes.annotate(
                textwrap.fill(name, LONGEST_LINE), (place[0], place[1]), (9 * across, 9 * along), ha=sides[0],
                va=sides[1], textcoords="offset points", fontsize=8.5, in_layout=False, bbox=GROUND,
            )  # fmt: skip
            box = text.get_window_extent(renderer)
            if inside.contains(*box.min) and inside.contains(*box.max) and not box.count_overlaps(taken):
                taken.append(box)
                break
            text.remove()


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
