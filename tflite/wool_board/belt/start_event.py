"""The first event of an inspection: with what it works."""

import platform
import time
from importlib import metadata
from pathlib import Path

from wool_board.belt.config import InspectionConfig
from wool_board.belt.resumption import Resumption
from wool_board.belt.tiles import Tiling
from wool_board.machine import clocks
from wool_board.model.recognizer import Recognizer

STOPS = {"encoder": "no lines", "count": "counted", "time": "by texture"}
"""By what a belt that stands is noticed; texture tells as far as `standstill` says."""


def fields(
    recognizer: Recognizer,
    config: InspectionConfig,
    cut: Tiling,
    lines_per_second: float,
    resumed: Resumption | None,
    days: float | None,
) -> dict:
    """What follows from model, detector and options.

    Arguments:
        recognizer: looks at tiles.
        config: how to inspect.
        cut: where tiles lie.
        lines_per_second: at full speed.
        resumed: how this inspection follows another, or None.
        days: age of the references.
    """
    card, latency = recognizer.card, config.latency
    return {
        "sha256": card.model.sha256,
        "precision": card.precision,
        "threshold": recognizer.threshold,
        "held_out": card.held_out,
        "live": latency is not None,
        "width": config.layout.width,
        "type": config.layout.type,
        "window": config.window,
        "pixel_mm": config.pixel_mm,
        "position": config.position,
        "stops": STOPS[config.position],
        "lines_per_second": lines_per_second,
        "side": cut.side,
        "seen": cut.seen,
        "levels_mm": [[config.mm(level.along), config.mm(level.across)] for level in cut.levels],
        "stated_latency": latency
        and {"mm": round(latency * config.pixel_mm, 1), "ms": round(1e3 * latency / lines_per_second)},
        "first_mm": config.mm(config.first),
        "resumed": resumed and resumed.fields(),
        "clock_set": clocks.now().is_set,
        "reference_days": days,
        "versions": _versions(),
    }


def reference_days(references: tuple[Path, Path]) -> float | None:
    """Days since the older of two references was written; None if the clock says that it will be."""
    return days_since(written(references))


def written(references: tuple[Path, Path]) -> float | None:
    """When the older of two references was written, in seconds since 1970; None if that cannot be told."""
    try:
        return min(file.stat().st_mtime for file in references)
    except OSError:
        return None


def days_since(moment: float | None) -> float | None:
    """Days since a moment in seconds since 1970; None if it is not known, or to come by the clock."""
    if moment is None or time.time() < moment:
        return None
    return round((time.time() - moment) / 86400, 1)


def _versions() -> dict:
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("ai-edge-litert", "numpy", "pillow"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions
