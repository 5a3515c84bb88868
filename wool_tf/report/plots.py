"""The plots of the report: SVG images made of a Study.

Figures are built without pyplot, so nothing global is kept and no window can open. The same results give the same
bytes: element names come from a fixed salt, and no date is written.
"""

import base64
import dataclasses
import io
import textwrap
import threading
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

from wool_tf.cells import count, percent, significant
from wool_tf.report import naming, paper
from wool_tf.report.naming import OPTIMISTIC, label, points
from wool_tf.study.results import BASELINE, Configuration, Study
from wool_tf.study.score_results import Figures, Intervals

BLUE, VERMILION, GREEN, GREY, PALE = "#0072b2", "#d55e00", "#009e73", "#5a5a5a", "#a6a6a6"
"""Okabe and Ito's colours, which colour-blind readers can tell apart; every use also differs in shape or dash."""

LINEAR = 2.0
"""Percentage points up to which the axis is linear where some network loses so much that the rest would be one line."""
WIDE = 10.0
MARKS = (-50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50)
WIDTH = 4.8
"""Inches: at the width of a phone the text of a picture is still to be read."""
WIDEST = 6.6
"""Of panels in four columns."""
PIXELS_PER_INCH = 106
NARROWEST = 4
"""Percentage points that an axis of accuracies spans at least, so that a small difference does not look large."""
STYLE = {
    "svg.hashsalt": "wool_tf",
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.8,
}
LONGEST_LINE = 24
"""Letters of a line beside a bar or a point."""
MOST_CURVES = 12
"""Panels of training curves; the records of a larger study hold the rest."""
_style_lock = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Plot:
    """One picture.

    Attributes:
        title: short caption.
        text: what the axes and marks mean.
        alt: what the picture shows, for those who cannot see it.
        svg: the picture.
        width: width on the page, in CSS pixels, at which the text of all plots has the same size.
    """

    title: str
    text: str
    alt: str
    svg: bytes
    width: int

    @property
    def uri(self) -> str:
        """The picture as a `data:` address, for an `img` element."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode("ascii")


def verdict(study: Study) -> Plot | None:
    """Misses and false alarms of the delivered model beside the baselines, with their intervals."""
    if study.delivered is None:
        return None
    stage, at_rule = study.delivered.int8_stage, study.delivered.at_rule
    found = [(f"delivered: {naming.inline(stage.title)}", at_rule.figures, at_rule.interval)]
    for each in study.baselines:
        by_rule = each.operating[0] if each.operating else each
        found.append((naming.inline(naming.baseline_title(study, each)), by_rule.figures, by_rule.interval))

    def draw(figure: Figure) -> None:
        for axes, side in zip(figure.subplots(1, 2, sharey=True), ("recall", "false_alarm_rate"), strict=True):
            largest = 0.0
            for row, (_, figures, interval) in enumerate(found):
                value, low, high = _errors(figures, interval, side)
                largest = max(largest, high)
                colour = BLUE if row == 0 else GREY
                axes.barh(row, value, 0.55, color=colour)
                axes.plot([low, high], [row, row], color="black", lw=1.5)
                axes.annotate(f"{value:.0f}", (high, row), (5, 0), textcoords="offset points", va="center")
            axes.set_xlim(0, 1.15 * max(largest, 1))
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
            missed = side == "recall"
            axes.set_xlabel("missed of 1000" if missed else "false alarms of 1000")
            axes.set_yticks(range(len(found)), [textwrap.fill(title, LONGEST_LINE) for title, *_ in found])
            axes.set_ylim(len(found) - 0.5, -0.5)

    alt = "Of a thousand defective images missed, and of a thousand sound ones rejected: " + "; ".join(
        f"{title} {_errors(figures, interval, 'recall')[0]:.0f} and "
        f"{_errors(figures, interval, 'false_alarm_rate')[0]:.0f}"
        for title, figures, interval in found
    )
    text = "Shorter is better. Lines: 95 % intervals over physical samples."
    return drawn("Misses and false alarms of a thousand images", text, alt, draw, height=0.8 + 0.55 * len(found))


def _errors(figures: Figures, interval: Intervals, side: str) -> tuple[float, float, float]:
    """What goes wrong of a thousand, and its interval."""
    low, high = interval[side]
    value = figures.known_mean(side)
    if side == "recall":
        value, low, high = 1 - value, 1 - high, 1 - low
    return 1000 * value, 1000 * low, 1000 * high


def accuracy(study: Study) -> Plot | None:
    """Accuracy of every stage of a single configuration: folds, mean, and the paper's mean."""
    if len(study.configurations) != 1:
        return None
    (one,) = study.configurations
    stages = [stage for stage in one.stages if stage.figures.complete]
    if not stages:
        return None
    reported = [(row, paper.accuracy(one, stage.name)) for row, stage in enumerate(stages)]
    reported = [(row, value) for row, value in reported if value is not None]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for row, stage in enumerate(stages):
            folds, first = [fold.accuracy for fold in stage.figures.folds], row == 0
            axes.plot(100 * np.array(folds), [row + 0.22] * len(folds), "o", ms=4, mfc="none", mec=GREY, alpha=0.8,
                      label="one fold" if first else None)  # fmt: skip
            ends = np.array(stage.interval["accuracy"])
            mean = stage.figures.known_mean("accuracy")
            axes.plot(100 * ends, [row, row], color=BLUE, lw=1.5)
            axes.plot(100 * mean, row, "o", ms=6, color=BLUE, label="all folds, 95 % interval" if first else None)
        if reported:
            rows, values = zip(*reported, strict=True)
            axes.plot(values, np.array(rows) - 0.22, "D", ms=5, color=VERMILION, label="the paper, on its own images")
        axes.set_yticks(range(len(stages)), [stage.title for stage in stages])
        axes.set_ylim(len(stages) - 0.5, -0.5)
        lowest, highest = axes.get_xlim()
        axes.set_xlim(min(lowest, highest - NARROWEST), highest)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_xlabel("accuracy on held-out images (%)")
        figure.legend(loc="outside lower center", ncols=2)

    alt = "Accuracy per stage: " + "; ".join(
        f"{stage.title} {percent(stage.figures.mean('accuracy'))} %" for stage in stages
    )
    text = "At the threshold 0.5. Rings: the folds one by one. Dot: all held-out images."
    if reported:
        text += " Diamonds: the paper’s mean for the same configuration, on other images."
    title = "Accuracy of each fold" + (f" – {OPTIMISTIC}" if study.optimistic else "")
    return drawn(title, text, alt, draw, height=1.3 + 0.42 * len(stages))


def changes(study: Study) -> Plot | None:
    """Change of accuracy against the unpruned network per stage, a panel for each configuration, with the paper's."""
    names = naming.pruned_names(study)
    panels = [(label(study, one), *_changes(one, names)) for one in naming.ordered(study)]
    panels = [panel for panel in panels if np.isfinite(panel[1]).any()]
    if not panels:
        return None
    everything = np.concatenate([np.concatenate(panel[1:]) for panel in panels])
    wide = np.nanmax(np.abs(everything)) > WIDE
    columns = min(len(panels), 2 if len(panels) <= 4 else 4)
    rows = -(-len(panels) // columns)

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.06)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, (title, ours, papers) in zip(grid, panels, strict=False):
            _change(axes, title.replace(", ", ",\n", 1) if columns > 2 else title, ours, papers, names, columns > 2)
            if wide:
                _wide(axes)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        figure.supylabel("change (percentage points)", fontsize=9.5)
        # Of the panel that has most: only some configurations are the paper's.
        most = max((axes.get_legend_handles_labels() for axes in grid), key=lambda found: len(found[0]))
        figure.legend(*most, loc="outside lower center", ncols=2)

    titles = {stage.name: stage.title for _, stage in naming.stages(study)}
    text = (
        "Change of accuracy against the same network before pruning; below the line, pruning costs accuracy. "
        f"{', '.join(f'{_tick(name)}: {titles[name]}' for name in names)}. Dots: measured, mean over "
        "repeats."
    )
    if any(np.isfinite(papers).any() for _, _, papers in panels):
        text += " Diamonds: the paper’s values for the same configuration."
    if wide:
        text += f" Beyond ±{LINEAR:g} points the scale is logarithmic."
    alt = "Change of accuracy in percentage points: " + "; ".join(
        f"{title}: " + ", ".join(f"{_tick(n)} {points(v / 100)}" for n, v in zip(names, ours, strict=True))
        for title, ours, _ in panels
    )
    title = "Cost of pruning" + (f" – {OPTIMISTIC}" if study.optimistic else "")
    return drawn(title, text, alt, draw, height=0.9 + 1.8 * rows, width=WIDEST if columns > 2 else WIDTH)


def _change(axes: Axes, title: str, ours: np.ndarray, papers: np.ndarray, names: Sequence[str], narrow: bool) -> None:
    places = np.arange(len(names))
    axes.axhline(0, color=GREY, lw=1)
    # A little apart, so that equal ones do not hide each other.
    axes.plot(places - 0.12, ours, "o", ms=6, color=BLUE, label="measured")
    if np.isfinite(papers).any():
        axes.plot(places + 0.12, papers, "D", ms=5, color=VERMILION, label="the paper, on its own images")
    axes.set_title(title, fontsize=9)
    axes.set_xticks(places, [_tick(name) for name in names], rotation=90 if narrow else 0)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.grid(axis="y")


def _wide(axes: Axes) -> None:
    axes.set_yscale("symlog", linthresh=LINEAR, linscale=0.4)
    axes.yaxis.set_major_locator(FixedLocator(MARKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: points(value / 100, 0))


def _changes(one: Configuration, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What the stages change in percentage points, here and in the paper; NaN where it is not known."""
    found = [one.stage(name) for name in names]
    ours = [stage.change if stage else None for stage in found]
    whole, reported = paper.accuracy(one, BASELINE), [paper.accuracy(one, name) for name in names]
    return (
        np.array([np.nan if change is None else 100 * change for change in ours]),
        np.array([np.nan if value is None or whole is None else value - whole for value in reported]),
    )


def _tick(name: str) -> str:
    """hard1 → H1, asfp10 → A10."""
    return name.replace("hard", "H").replace("asfp", "A")


def training(study: Study) -> Plot | None:
    """Training loss per epoch of the first repeat, one panel per stage that was trained."""
    curves = []
    for one, stage in naming.stages(study):
        losses = _aligned([history.loss for history in stage.histories])
        if losses.count():
            curves.append((naming.full(study, one, stage), losses))
    if not curves or len(curves) > MOST_CURVES:
        return None
    largest, smallest = max(losses.max() for _, losses in curves), min(losses.min() for _, losses in curves)
    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for axes, (title, losses) in zip(panels, curves, strict=False):
            _curve(axes, title, losses)
            log_ticks(axes.yaxis, smallest, largest)
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        figure.supxlabel("epoch", fontsize=9.5)
        figure.supylabel("training loss (log scale)", fontsize=9.5)

    text = "Line: mean over the folds. Band: lowest to highest fold. A line that still falls may gain from more epochs."
    alt = "Training loss: " + "; ".join(
        f"{title} from {significant(float(means[0]))} to {significant(float(means[-1]))} in {len(means)} epochs"
        for title, means in ((title, losses.mean(axis=0).compressed()) for title, losses in curves)
    )
    width = WIDTH if columns == 2 else 3.0
    return drawn("Training loss", text, alt, draw, height=0.6 + 1.5 * rows, width=width)


def _curve(axes: Axes, title: str, losses: np.ma.MaskedArray) -> None:
    epochs = np.arange(1, losses.shape[1] + 1)
    axes.fill_between(epochs, losses.min(axis=0), losses.max(axis=0), color=BLUE, alpha=0.22, lw=0)
    axes.plot(epochs, losses.mean(axis=0), color=BLUE, lw=1.8, marker="o" if len(epochs) == 1 else None)
    axes.set_title(title)
    axes.set_yscale("log")
    axes.grid()
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, len(epochs) + 0.5)


def log_ticks(axis: Axis, smallest: float, largest: float) -> None:
    """Marks a logarithmic axis with plain numbers, as many as what it shows needs."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if largest > 10 * smallest else (1, 1.5, 2, 3, 4, 5, 7)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(NullLocator())


def latency(study: Study) -> Plot | None:
    """Size of the file and median time of every model that was timed."""
    found = study.delivery.latency if study.delivery else ()
    if not found:
        return None
    several = len({row.threads for row in found}) > 1
    names = [naming.timed(row) for row in found]
    threads = [f", {row.threads} thread{'s' * (row.threads > 1)}" if several else "" for row in found]
    labels = [name + told for name, told in zip(names, threads, strict=True)]
    places = np.arange(len(found))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        sizes, slow = [row.bytes / 1e6 for row in found], [row.p90_ms for row in found]
        left.barh(places, sizes, 0.55, color=GREEN)
        right.barh(places, [row.p50_ms for row in found], 0.55, color=BLUE)
        right.hlines(places, [row.p50_ms for row in found], slow, color="black", lw=1.5)
        for place, row in enumerate(found):
            for axes, end, value in ((left, sizes[place], count(row.bytes, "B")),
                                     (right, slow[place], f"{significant(row.p50_ms)} ms")):  # fmt: skip
                axes.annotate(value, (end, place), (4, 0), textcoords="offset points", va="center")
        left.set_xlabel("size of the file (MB)")
        right.set_xlabel("median time per image (ms)")
        left.set_yticks(places, labels)
        left.set_ylim(len(found) - 0.5, -0.5)
        for axes, largest in ((left, max(sizes)), (right, max(slow))):
            axes.set_xlim(0, 1.3 * largest)
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")

    alt = "Size and median time: " + "; ".join(
        f"{label} {count(row.bytes, 'B')}, {significant(row.p50_ms)} ms"
        for label, row in zip(labels, found, strict=True)
    )
    text = "Bars: file size, and median time per image. The thin line ends where 90 of 100 images were done."
    return drawn("Size and time", text, alt, draw, height=0.8 + 0.4 * len(found))


def drawn(title: str, text: str, alt: str, draw: Callable[[Figure], None], height: float, width: float = WIDTH) -> Plot:
    """Draws on a new figure of a size in inches."""
    buffer = io.BytesIO()
    # The style is global to matplotlib: two reports written at the same time must not see each other's.
    with _style_lock, style.context(["default", STYLE]):
        figure = Figure((width, height), layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Plot(title, text, alt, buffer.getvalue(), round(width * PIXELS_PER_INCH))


def _aligned(curves: Sequence[Sequence[float]]) -> np.ma.MaskedArray:
    """Curves of different lengths as one array, with what is not there or not above zero masked."""
    values = np.full((len(curves), max(map(len, curves), default=0)), np.nan)
    for row, curve in enumerate(curves):
        values[row, : len(curve)] = curve
    return np.ma.masked_where(~(np.isfinite(values) & (np.nan_to_num(values) > 0)), values)
