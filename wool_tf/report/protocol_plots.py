"""The plot of a protocol's report: what pruning costs, network by network, beside the paper."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from wool_tf.report import paper, plots
from wool_tf.report.cells import known
from wool_tf.report.protocol_views import (
    BASELINE,
    OPTIMISTIC,
    find,
    is_pruned,
    label,
    ordered,
    points,
    stage_names,
    titles,
)

LINEAR = 2.0
"""Percentage points up to which the axis is linear where some network loses so much that the rest would be one line."""
WIDE = 10.0
MARKS = (-50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50)


def changes(document: Mapping) -> plots.Plot | None:
    """Change of accuracy against the baseline per stage, a panel for each configuration, with the paper's."""
    names = [name for name in stage_names(document) if is_pruned(name)]
    panels = [(label(c), *_changes(c, names)) for c in ordered(document)]
    panels = [panel for panel in panels if np.isfinite(panel[1]).any()]
    if not panels:
        return None
    everything = np.concatenate([np.concatenate(panel[1:]) for panel in panels])
    wide = np.nanmax(np.abs(everything)) > WIDE
    columns = min(len(panels), 2 if len(panels) <= 4 else 4)
    rows = -(-len(panels) // columns)

    def draw(figure: Figure) -> None:
        figure.get_layout_engine().set(h_pad=0.08, w_pad=0.06)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        places = np.arange(len(names))
        for axes, (title, ours, papers) in zip(grid, panels, strict=False):
            axes.axhline(0, color=plots.GREY, lw=1)
            # Side by side, for they may be equal.
            axes.plot(places - 0.12, ours, "o", ms=6, color=plots.BLUE, label="measured")
            axes.plot(places + 0.12, papers, "D", ms=5, color=plots.VERMILION, label="the paper, on its own images")
            axes.set_title(title.replace(", ", ",\n", 1) if columns > 2 else title, fontsize=9)
            axes.set_xticks(places, [_tick(name) for name in names], rotation=90 if columns > 2 else 0)
            axes.set_xlim(-0.5, len(names) - 0.5)
            if wide:
                axes.set_yscale("symlog", linthresh=LINEAR, linscale=0.4)
                axes.yaxis.set_major_locator(FixedLocator(MARKS))
                axes.yaxis.set_minor_locator(NullLocator())
                axes.yaxis.set_major_formatter(lambda value, _: points(value / 100, 0))
            axes.grid(axis="y")
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        figure.supylabel("change of accuracy (percentage points)", fontsize=9.5)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)

    text = (
        "Change of accuracy against the same network before pruning; below the line, pruning costs accuracy. "
        f"{', '.join(f'{_tick(name)}: {titles(document)[name]}' for name in names)}. Dots: measured, mean over "
        "repeats. Diamonds: the paper’s values for the same recipe."
    )
    if wide:
        text += f" Beyond ±{LINEAR:g} points the scale is logarithmic."
    alt = "Change of accuracy in percentage points: " + "; ".join(
        f"{title}: " + ", ".join(f"{_tick(n)} {points(v / 100)}" for n, v in zip(names, ours, strict=True))
        for title, ours, _ in panels
    )
    title = "Cost of pruning" + (f" – {OPTIMISTIC}" if document.get("select") == "best" else "")
    return plots.drawn(title, text, alt, draw, height=0.9 + 1.8 * rows)


def _changes(configuration: Mapping, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What the stages change in percentage points, here and in the paper; NaN where it is not known."""
    drops = [(find(configuration, name) or {}).get("drop") for name in names]
    whole = paper.accuracy(configuration, BASELINE)
    reported = [paper.accuracy(configuration, name) for name in names]
    return (
        np.array([100 * drop if known(drop) else np.nan for drop in drops]),
        np.array([value - whole if known(value) else np.nan for value in reported]),
    )


def _tick(name: str) -> str:
    """hard1 → H1, asfp10 → A10."""
    return name.replace("hard", "H").replace("asfp", "A")
