"""Plots of the scores of a delivered model, from the images that were held out.

Builders are as those of `plots`.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from wool_tf.report import naming
from wool_tf.report.plots import BLUE, GREY, PALE, VERMILION, Plot, drawn
from wool_tf.study.board_results import ImageVerdict
from wool_tf.study.results import Stage, Study
from wool_tf.study.score_results import Figures

DASHES = ((GREY, "--"), (BLUE, "-"), (VERMILION, ":"))
"""Of the unpruned network, the delivered one, and its int8 files."""
BINS = 8
"""Groups of images, each as large as the others, whose scores are compared with what they are."""
WHOLE = 100
CORNERS = (5, 10, 20, 50, WHOLE)
"""Percentage points of an axis that may be drawn: of networks that are nearly always right the rest is empty."""
FEWEST = 10
"""Images of a group, at least; fewer have shares that say nothing."""


def roc(study: Study) -> Plot | None:
    """ROC curves of the key stages of a delivery, from the out-of-fold scores."""
    if study.delivered is None:
        return None
    truth, curves = _curves(study.delivered.delivery.judged, naming.key(study, study.delivered.configuration))
    side = _corner([stage for stage, _ in curves], "false_alarm_rate", "recall")

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for (colour, dash), (stage, scores) in zip(DASHES, curves, strict=False):
            alarms, found, _ = roc_curve(truth, scores)
            axes.plot(100 * alarms, 100 * found, dash, color=colour, lw=2,
                      label=f"{stage.title}, AUC {roc_auc_score(truth, scores):.3f}")  # fmt: skip
            _mark(axes, stage, colour, "false_alarm_rate", "recall")
        axes.plot([0, 100], [0, 100], color=PALE, lw=1, label="guessing" if side == WHOLE else None)
        axes.set(xlim=(-side / 100, side), ylim=(WHOLE - side, WHOLE + side / 100), aspect="equal")
        axes.set_xlabel("false alarms: non-defective images judged defective (%)")
        axes.set_ylabel("recall: defective images found (%)")
        axes.grid()
        # Below the axes: inside, the curve of a poor network could run through it.
        figure.legend(loc="outside lower center")

    text = (
        "Each curve shows which recall costs how many false alarms as the threshold on the score moves; the ring "
        "marks the threshold 0.5, the square what the rule of the delivered model gives, which need not lie on the "
        "curve: its threshold for a fold comes from the other folds."
    )
    if side < WHOLE:
        text += f" Only the upper left corner is drawn, of {side} × {side} points; the areas (AUC) are of whole curves."
    areas = (f"{stage.title}, area under the curve {roc_auc_score(truth, scores):.3f}" for stage, scores in curves)
    alt = f"ROC curves: {'; '.join(areas)}"
    return drawn("Recall against false alarms (ROC)", text, alt, draw, height=5.5, width=4.8)


def precision_recall(study: Study) -> Plot | None:
    """Precision against recall of the key stages of a delivery."""
    if study.delivered is None:
        return None
    truth, curves = _curves(study.delivered.delivery.judged, naming.key(study, study.delivered.configuration))
    side = _corner([stage for stage, _ in curves], "recall", "precision")

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for (colour, dash), (stage, scores) in zip(DASHES, curves, strict=False):
            precision, recall, _ = precision_recall_curve(truth, scores)
            axes.step(100 * recall, 100 * precision, dash, where="post", color=colour, lw=2, label=stage.title)
            _mark(axes, stage, colour, "recall", "precision")
        lowest = WHOLE - side if side < WHOLE else min(100 * truth.mean(), 50) - 5
        axes.axhline(100 * truth.mean(), color=PALE, lw=1, label="guessing" if side == WHOLE else None)
        axes.set(xlim=(WHOLE - side, WHOLE + side / 100), ylim=(lowest, WHOLE + side / 100))
        axes.set_xlabel("recall: defective images found (%)")
        axes.set_ylabel("precision: rejects that are defective (%)")
        axes.grid()
        figure.legend(loc="outside lower center", ncols=2)

    text = (
        "Of what is rejected, the share that is defective, as the threshold moves from strict to lenient. It depends "
        "on how frequent defects are: a line with fewer of them rejects more sound product for each. Marks as above."
    )
    if side < WHOLE:
        text += f" Only the upper right corner is drawn, of {side} × {side} points."
    shares = (f"{stage.title} {average_precision_score(truth, scores):.3f}" for stage, scores in curves)
    return drawn("Precision against recall", text, f"Average precision: {'; '.join(shares)}", draw, height=4, width=4.8)


def reliability(study: Study) -> Plot | None:
    """Whether the scores of the int8 files are probabilities: what they say, and how many were defective."""
    if study.delivered is None:
        return None
    judged, stage = study.delivered.delivery.judged, study.delivered.int8_stage
    scores, truth = _scores(judged, stage), np.array([one.label == 1 for one in judged])
    bins = min(BINS, len(scores) // FEWEST)
    if bins < 2:
        return None
    groups = np.array_split(np.argsort(scores, kind="stable"), bins)
    said = np.array([scores[group].mean() for group in groups])
    found = np.array([truth[group].mean() for group in groups])
    sizes = np.array([len(group) for group in groups])
    gap = float(np.sum(sizes * np.abs(said - found)) / sizes.sum())

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=PALE, lw=1, label="a probability")
        # The standard error of a share, as far as images are independent.
        error = 100 * np.sqrt(np.maximum(found * (1 - found), 1 / sizes / 4) / sizes)
        axes.errorbar(100 * said, 100 * found, error, fmt="o-", color=BLUE, lw=1.5, capsize=3, label=stage.title)
        axes.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
        axes.set_xlabel("mean score (%)")
        axes.set_ylabel("defective images (%)")
        axes.grid()
        figure.legend(loc="outside lower center", ncols=2)

    text = (
        f"Held-out images in {bins} groups of equal size, from low to high scores: on the line, a score is the "
        f"probability that an image is defective. The mean distance is {100 * gap:.1f} points (expected calibration "
        "error). Only the order of scores and the threshold decide what is rejected; this says whether a score can be "
        "read as it stands. Bars: standard errors."
    )
    alt = "Score and share of defective images: " + "; ".join(
        f"{100 * one:.0f} % and {100 * other:.0f} %" for one, other in zip(said, found, strict=True)
    )
    return drawn("Whether scores are probabilities", text, alt, draw, height=4.6, width=4.4)


def _corner(stages: Sequence[Stage], *metrics: str) -> int:
    """Percentage points of the sides of the corner that holds the marks of stages in the half nearest to perfection."""
    worst = max(
        100 * abs(figures.known_mean(metric) - (metric != "false_alarm_rate"))
        for stage in stages
        for figures in _marked(stage)
        for metric in metrics
    )
    return next((side for side in CORNERS if side >= 2 * worst), WHOLE)


def _curves(
    judged: Sequence[ImageVerdict], stages: Sequence[Stage]
) -> tuple[np.ndarray, list[tuple[Stage, np.ndarray]]]:
    """(n,) bool, which images are defective, and the scores of each stage."""
    return np.array([one.label == 1 for one in judged]), [(stage, _scores(judged, stage)) for stage in stages]


def _marked(stage: Stage) -> tuple[Figures, ...]:
    """At the threshold 0.5, and by the delivered rule where the stage has it."""
    return stage.figures, *(one.figures for one in stage.operating[:1])


def _mark(axes: Axes, stage: Stage, colour: str, across: str, along: str) -> None:
    """A ring where a stage is at the threshold 0.5, and a square where it is by the delivered rule."""
    for figures, mark in zip(_marked(stage), "os", strict=False):
        point = 100 * figures.known_mean(across), 100 * figures.known_mean(along)
        axes.plot(*point, mark, ms=7, mfc="white", mec=colour, mew=1.8, clip_on=False, zorder=4)


def _scores(judged: Sequence[ImageVerdict], stage: Stage) -> np.ndarray:
    return np.array([one.scores[stage.name] for one in judged])
