"""The plots of the report: SVG images made of a results document.

Figures are built without pyplot, so nothing global is kept and no window can open. The same results give the same
bytes: element names come from a fixed salt, and no date is written.
"""

import base64
import dataclasses
import io
import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from sklearn.metrics import roc_auc_score, roc_curve

from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.report import paper, tables
from wool_tf.report.cells import count, known, percent, significant
from wool_tf.report.protocol_views import false_alarm_rate

BLUE, VERMILION, GREEN, GREY, PALE = "#0072b2", "#d55e00", "#009e73", "#5a5a5a", "#a6a6a6"
"""Okabe and Ito's colours, which colour-blind readers can tell apart; every use also differs in shape or dash."""

ROLES = {"baseline": (GREY, "--"), "final": (BLUE, "-"), "int8": (VERMILION, ":")}
WIDTH = 6.6
PIXELS_PER_INCH = 106
NARROWEST = 4
"""Percentage points that an axis of accuracies spans at least, so that no hair's breadth looks like a gulf."""
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


def accuracy(results: Mapping) -> Plot | None:
    """Accuracy of every stage: folds, mean, standard deviation, and the paper's mean."""
    stages = [stage for stage in results.get("stages") or () if known(tables.measure(stage, "accuracy")[0])]
    if not stages:
        return None
    settings = results.get("settings") or {}
    reported = [(row, paper.accuracy(settings, stage["stage"])) for row, stage in enumerate(stages)]
    reported = [(row, value) for row, value in reported if value is not None]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for row, stage in enumerate(stages):
            mean, spread = tables.measure(stage, "accuracy")[0], tables.over_folds(stage, "accuracy")
            folds = [fold["accuracy"] for fold in stage.get("folds") or () if known(fold.get("accuracy"))]
            first = row == 0
            axes.plot(100 * np.array(folds), [row + 0.22] * len(folds), "o", ms=4, mfc="none", mec=GREY, alpha=0.8,
                      label="one fold" if first else None)  # fmt: skip
            axes.errorbar(100 * mean, row, xerr=100 * spread if known(spread) else None, fmt="o", ms=6, color=BLUE,
                          capsize=3, label="all folds ± their spread" if first else None)  # fmt: skip
        if reported:
            rows, values = zip(*reported, strict=True)
            axes.plot(values, np.array(rows) - 0.22, "D", ms=5, color=VERMILION, label="the paper, on its own images")
        axes.set_yticks(range(len(stages)), [stage["title"] for stage in stages])
        axes.set_ylim(len(stages) - 0.5, -0.5)
        lowest, highest = axes.get_xlim()
        axes.set_xlim(min(lowest, highest - NARROWEST), highest)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_xlabel("accuracy on held-out images (%)")
        figure.legend(loc="outside lower center", ncols=3)

    alt = "Accuracy per stage: " + "; ".join(
        f"{stage['title']} {percent(tables.measure(stage, 'accuracy')[0])} %" for stage in stages
    )
    text = "At the threshold 0.5. Rings: the folds one by one. Dot: all held-out images. Bar: spread of the folds."
    if reported:
        text += " Diamonds: the paper’s mean for the same recipe, on other images."
    return drawn("Accuracy of each fold", text, alt, draw, height=1.15 + 0.42 * len(stages))


def roc(results: Mapping) -> Plot | None:
    """ROC curves of the key stages, from the out-of-fold scores."""
    curves = []
    for role, stage in tables.key_stages(results).items():
        truth, scores = _scores(results, stage["stage"])
        if 0 < truth.sum() < len(truth):
            curves.append((role, stage, truth, scores))
    if not curves:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for role, stage, truth, scores in curves:
            colour, dash = ROLES[role]
            alarms, found, _ = roc_curve(truth, scores)
            label = f"{stage['title']}, AUC {roc_auc_score(truth, scores):.3f}"
            axes.plot(100 * alarms, 100 * found, dash, color=colour, lw=2, label=label)
            for judged, mark in ((stage, "o"), (tables.as_decided(stage) or {}, "s")):
                if known(rate := false_alarm_rate(judged)):
                    point = 100 * rate, 100 * tables.measure(judged, "recall")[0]
                    axes.plot(*point, mark, ms=7, mfc="white", mec=colour, mew=1.8, clip_on=False, zorder=4)
        axes.plot([0, 100], [0, 100], color=PALE, lw=1, label="guessing")
        axes.set(xlim=(-1, 100), ylim=(0, 101), aspect="equal")
        axes.set_xlabel("false alarms: non-defective images judged defective (%)")
        axes.set_ylabel("recall: defective images found (%)")
        axes.grid()
        # Outside: a poor network's curve may run anywhere inside.
        figure.legend(loc="outside lower center")

    text = (
        "Each curve shows which recall costs how many false alarms as the threshold on the score moves; the ring "
        "marks the threshold 0.5, the square what the rule of the delivered model gives, which need not lie on the "
        "curve: its threshold for a fold comes from the other folds."
    )
    areas = (f"{stage['title']}, area under the curve {roc_auc_score(*pair):.3f}" for _, stage, *pair in curves)
    alt = f"ROC curves: {'; '.join(areas)}"
    return drawn("Recall against false alarms (ROC)", text, alt, draw, height=5.5, width=4.8)


def scores(results: Mapping) -> Plot | None:
    """How the scores of the final stage are distributed, by class."""
    stages = tables.key_stages(results)
    stage = stages.get("final") or stages.get("baseline")
    truth, values = _scores(results, stage["stage"]) if stage else (np.array([], bool), np.array([]))
    if not len(values):
        return None
    wrong = (values >= THRESHOLD) != truth
    missed, alarms = (truth & wrong).sum(), (~truth & wrong).sum()
    panels = [
        ("defective", values[truth], f"Defective images: {missed} of {truth.sum()} missed"),
        ("non-defective", values[~truth], f"Non-defective images: {alarms} of {(~truth).sum()} false alarms"),
    ]

    def draw(figure: Figure) -> None:
        edges = np.linspace(0, 1, 21)
        for axes, (label, found, title) in zip(figure.subplots(2, 1, sharex=True, sharey=True), panels, strict=True):
            counts, _ = np.histogram(found, edges)
            right = (edges[:-1] >= THRESHOLD) == (label == "defective")
            colours = [BLUE if good else VERMILION for good in right]
            bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colours, edgecolor="white", lw=0.8)
            for bar, good in zip(bars, right, strict=True):
                bar.set_hatch("" if good else "////")
            axes.axvline(THRESHOLD, color=GREY, lw=1, ls="--")
            axes.set_title(title)
            # A handful of wrong images beside a hundred right ones must stay visible.
            axes.set_yscale("symlog", linthresh=1, linscale=0.5)
            axes.set_ylim(0, 1.4 * len(values))
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.grid(axis="y")
            axes.set_ylabel("images (log scale)")
        axes.set_xlim(0, 1)
        axes.set_xlabel("score: probability of “defective”")

    text = (
        f"Scores of {stage['title']} on held-out images. Right of the dashed line, at 0.5, an image is judged "
        "defective here; the delivered model has another threshold. Solid blue bars are right, hatched orange ones "
        "wrong; the further they lie from the line, the surer the network was."
    )
    alt = f"Histograms of the scores. {panels[0][2]}. {panels[1][2]}"
    return drawn("Scores by class", text, alt, draw, height=4.4)


def training(results: Mapping) -> Plot | None:
    """Training loss per epoch, one panel per stage that was trained."""
    titles = {stage["stage"]: stage["title"] for stage in results.get("stages") or ()}
    curves = []
    for name, runs in (results.get("histories") or {}).items():
        losses = _aligned([run.get("loss") or [] for run in runs or ()])
        if losses.count():
            curves.append((titles.get(name, name), losses))
    if not curves:
        return None
    largest, smallest = max(losses.max() for _, losses in curves), min(losses.min() for _, losses in curves)
    marks = (1, 2, 5) if largest > 10 * smallest else (1, 1.5, 2, 3, 4, 5, 7)
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)

    def draw(figure: Figure) -> None:
        figure.get_layout_engine().set(h_pad=0.08, w_pad=0.08)
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for axes, (title, losses) in zip(panels, curves, strict=False):
            epochs = np.arange(1, losses.shape[1] + 1)
            axes.fill_between(epochs, losses.min(axis=0), losses.max(axis=0), color=BLUE, alpha=0.22, lw=0)
            axes.plot(epochs, losses.mean(axis=0), color=BLUE, lw=1.8, marker="o" if len(epochs) == 1 else None)
            axes.set_title(title)
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=marks))
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_locator(NullLocator())
            axes.grid()
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
            axes.set_xlim(0.5, len(epochs) + 0.5)
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        figure.supxlabel("epoch", fontsize=9.5)
        figure.supylabel("training loss (log scale)", fontsize=9.5)

    text = "Line: mean over the folds. Band: lowest to highest fold. A line that still falls may gain from more epochs."
    alt = "Training loss: " + "; ".join(
        f"{title} from {significant(float(means[0]))} to {significant(float(means[-1]))} in {len(means)} epochs"
        for title, means in ((title, losses.mean(axis=0).compressed()) for title, losses in curves)
    )
    width = WIDTH if columns == 3 else 0.6 + 2.4 * columns
    return drawn("Training loss", text, alt, draw, height=0.6 + 1.75 * rows, width=width)


def latency(results: Mapping) -> Plot | None:
    """Size of the file and median time of every model that was timed."""
    found = [row for row in results.get("latency") or () if known(row.get("p50_ms")) and known(row.get("bytes"))]
    if not found:
        return None
    several = len({row.get("threads") for row in found}) > 1
    labels = [f"{row['model']}, {row['threads']} threads" if several else row["model"] for row in found]
    places = np.arange(len(found))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        sizes = [row["bytes"] / 1e6 for row in found]
        medians = [row["p50_ms"] for row in found]
        slow = [row["p90_ms"] if known(row.get("p90_ms")) else row["p50_ms"] for row in found]
        left.barh(places, sizes, 0.55, color=GREEN)
        right.barh(places, medians, 0.55, color=BLUE)
        right.hlines(places, medians, slow, color="black", lw=1.5)
        for place, row in enumerate(found):
            for axes, end, value in ((left, sizes[place], count(row["bytes"], "B")),
                                     (right, slow[place], f"{significant(row['p50_ms'])} ms")):  # fmt: skip
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
        f"{label} {count(row['bytes'], 'B')}, {significant(row['p50_ms'])} ms"
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


def _scores(results: Mapping, stage: str) -> tuple[np.ndarray, np.ndarray]:
    rows = [row for row in results.get("scores") or () if known(row.get(stage)) and row.get("label") is not None]
    return np.array([row["label"] == 1 for row in rows], bool), np.array([row[stage] for row in rows], float)


def _aligned(curves: Sequence[Sequence[float | None]]) -> np.ma.MaskedArray:
    """Curves of different lengths as one array, with what is unknown or not above zero masked."""
    values = np.full((len(curves), max(map(len, curves), default=0)), np.nan)
    for row, curve in enumerate(curves):
        values[row, : len(curve)] = [np.nan if value is None else value for value in curve]
    return np.ma.masked_where(~(np.isfinite(values) & (np.nan_to_num(values) > 0)), values)
