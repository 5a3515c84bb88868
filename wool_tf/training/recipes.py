"""The recipe of each round of hard pruning, from the settings: the same for all folds.

A recipe of the paper is one rule for every round. The recipe `latency` has its widths planned once, before anything is
trained, from the importance of the filters of the initial weights; which filters fill them, each fold's weights decide.
So all folds and the delivered network have the same widths, and what is timed is what was judged.
"""

import dataclasses
import functools
from pathlib import Path

from wool_tf import files
from wool_tf.errors import BadSetting, WoolError
from wool_tf.networks import initial_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import importance, latency, latency_table, plan
from wool_tf.pruning.latency_table import LatencyTable
from wool_tf.training.config import TrainingConfig


def of_rounds(settings: TrainingConfig) -> tuple[plan.Recipe | plan.Widths, ...]:
    """The recipe of every round, `settings.rounds` of them.

    Raises:
        BadSetting: the table of latencies cannot be used for this network, or the target cannot be met.
    """
    if settings.recipe != latency.RECIPE:
        recipe = plan.named(settings.recipe, settings.depth)
        recipe = dataclasses.replace(recipe, importance=settings.importance, align=settings.align)
        return (recipe,) * settings.rounds
    found = table(settings)
    assert found is not None, "the recipe is refused without a table"
    if not settings.rounds:
        return ()
    target, digest = _target_ms(settings, found), initial_weights.digest(settings.weights)
    specs = _planned(settings.weights, digest, settings.initial_spec, found, target, settings.rounds, settings.align)
    return tuple(plan.Widths(spec.by_group(), settings.importance) for spec in specs)


def table(settings: TrainingConfig) -> LatencyTable | None:
    """The table of latencies that the settings name, or None where they name none.

    Raises:
        BadSetting: it is damaged, or not of this network.
    """
    if not settings.latency_table:
        return None
    path = Path(settings.latency_table)
    try:
        found = _read(path, files.sha256(path) if path.is_file() else None)
        latency_table.predicted(settings.initial_spec, found)
    except WoolError as error:
        raise BadSetting("latency_table", None, str(error)) from None
    return found


def predicted_ms(settings: TrainingConfig, spec: ResNetSpec) -> float | None:
    """Milliseconds of a network by the table that the settings name, or None where they name none."""
    found = table(settings)
    return None if found is None else latency_table.predicted(spec, found)


@functools.lru_cache
def _read(path: Path, digest: str | None) -> LatencyTable:
    """The table of a file, which is read again when its content has changed."""
    return latency_table.read(path)


def _target_ms(settings: TrainingConfig, found: LatencyTable) -> float:
    least, whole = latency.bounds(settings.initial_spec, found, settings.align)
    name = "target_ms" if settings.target_ratio is None else "target_ratio"
    value = getattr(settings, name)
    target = value if name == "target_ms" else value * whole
    if not least <= target < whole:
        rule = f"must be below the unpruned network's {whole:.4g} ms, and at least the narrowest one's {least:.4g} ms"
        raise BadSetting(name, value, f"{rule}, by {found.name}")
    return target


@functools.lru_cache
def _planned(
    weights: str, digest: str | None, spec: ResNetSpec, found: LatencyTable, target: float, rounds: int, align: int
) -> list[ResNetSpec]:
    """The networks after each round; planned once in a process, for every unit asks for its own."""
    if weights == "none":
        # Random filters are all alike, and their differences would be chance.
        scores = latency.uniform(spec)
    else:
        scores = importance.scores(initial_weights.resolve(weights, spec, 0), spec, "l1")
    return latency.rounds(spec, scores, found, target, rounds, align)
