"""One trial: the units of some folds of one setting, trained by the driver, and the figures of their scores."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.evaluation.metrics import evaluate
from wool_tf.search.optimisation import TrialFailure, TrialSteps
from wool_tf.study import driver, grid, units
from wool_tf.study.driver import Status, Unit
from wool_tf.training.config import TrainingConfig

FOLDER = "trials"
CLIP = 1e-7
"""Probabilities this close to 0 or 1 are as sure as float32 can say; one error must not outweigh all other images."""


@dataclasses.dataclass(frozen=True)
class Trials:
    """What all trials of a search have in common.

    Attributes:
        images: Dataset.
        held_out: indices of the held-out images of each fold that is trained.
        out: folder of the search.
        jobs: processes that train at the same time.
        show: told the status of the training about twice a second.
    """

    images: Dataset
    held_out: Sequence[np.ndarray]
    out: Path
    jobs: int
    show: Callable[[Status], None]

    def work(self, settings: TrainingConfig) -> TrialSteps:
        """The work of one trial: the unpruned network, then what follows it, if anything does.

        Arguments:
            settings: of the trial; its stage is `settings.final`.
        """
        # It imports Keras.
        from wool_tf.training import methods

        records = self.out / FOLDER / digest(settings) / "units"
        chains = [
            leading(chain, settings.final)
            for fold in grid.all_folds(settings, self.images, [self.held_out], records, None)
            for chain in grid.chains(settings, fold, keep=False)
            if any(_stage(unit) == settings.final for unit in chain)
        ]

        def step(chosen: Sequence[Sequence[Unit]]) -> dict[str, float]:
            try:
                methods.check(settings)
            except WoolError as error:
                raise TrialFailure(str(error)) from None
            return self._figures(driver.run(chosen, records, self.jobs, self.show), [chain[-1] for chain in chosen])

        def tidy() -> None:
            for chain in chains:
                for unit in chain:
                    if unit.product:
                        units.remove(unit.product)

        # The first network has to stay while it is decided whether the trial goes on.
        first = [[dataclasses.replace(chain[0], keep=True)] for chain in chains]
        steps = [first, chains] if len(chains[0]) > 1 else [chains]
        return TrialSteps([functools.partial(step, chosen) for chosen in steps], tidy)

    def _figures(self, outcome: driver.Outcome, wanted: Sequence[Unit]) -> dict[str, float]:
        for name, attempts in outcome.failures.items():
            raise TrialFailure(f"{name}: {attempts[-1].reason} ({len(attempts)} attempts)")
        found = [outcome.records[unit.name] for unit in wanted]
        indices = np.concatenate([record.held_out for record in found])
        return figures(self.images.labels[indices], np.concatenate([record.scores for record in found]))


def figures(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """How good scores of held-out images are.

    Arguments:
        labels: (n,) of 0 and 1; both must occur.
        scores: (n,) probability of "defective".

    Returns:
        `log_loss`, the mean of −ln of the probability that was given to the true class, at least 0; `accuracy` at the
        threshold 0.5 and `auc`, both in [0, 1].
    """
    measured, sure = evaluate(labels, scores), np.clip(scores, CLIP, 1 - CLIP)
    loss = -np.log(np.where(np.asarray(labels) == 1, sure, 1 - sure)).mean()
    return {"log_loss": float(loss), "accuracy": measured.accuracy, "auc": measured.auc}


def leading(chain: Sequence[Unit], stage: str) -> list[Unit]:
    """The units of a chain up to that of a stage."""
    names = [_stage(unit) for unit in chain]
    return list(chain[: names.index(stage) + 1])


def digest(settings: TrainingConfig) -> str:
    """A name for the folder of a trial, the same for the same settings: twelve hex digits of a SHA-256."""
    return hashlib.sha256(json.dumps(dataclasses.asdict(settings), sort_keys=True).encode()).hexdigest()[:12]


def _stage(unit: Unit) -> str:
    return unit.name.rpartition("/")[2]
