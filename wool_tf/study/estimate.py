"""How long a run will take: from the timing of a few training steps to the moment when the last worker is done."""

import dataclasses
import heapq
import logging
import time
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from wool_tf.data.batches import per_epoch
from wool_tf.networks import complexity, initial_weights
from wool_tf.study.units import Unit
from wool_tf.training.config import TrainingConfig

log = logging.getLogger(__name__)

MEASURED_SECONDS = 3.0
MOST_STEPS = 20
TIMES = 3
"""Short trainings are timed so often, and the shortest time counts: whatever disturbs them makes them longer."""


@dataclasses.dataclass(frozen=True)
class Speed:
    """What training takes on this machine.

    Attributes:
        setup: seconds that a process needs before it can train an architecture, once for each.
        unit: seconds that every training takes beside its steps: weights in and out, scoring.
        mac: seconds of a multiply-accumulate of its steps.
    """

    setup: float
    unit: float
    mac: float


@dataclasses.dataclass(frozen=True)
class Work:
    """What the time of a unit depends on.

    Attributes:
        architecture: what a process sets up once and then has.
        macs: multiply-accumulates of its training.
        speed: of such networks.
    """

    architecture: Hashable
    macs: float
    speed: Speed

    @property
    def seconds(self) -> float:
        """Time that it takes in a process that is set up."""
        return self.speed.unit + self.macs * self.speed.mac


def measure(train: Callable[[int], None], macs: float, clock: Callable[[], float] = time.monotonic) -> Speed:
    """The speed of one kind of network.

    Trainings of two lengths are compared, for what a training takes beside its steps is no small part of a short one.

    Arguments:
        train: trains for so many steps; the first call sets up.
        macs: multiply-accumulates of a step.
        clock: gives the time in seconds.
    """

    def timed(steps: int, times: int = 1) -> float:
        found = []
        for _ in range(times):
            started = clock()
            train(steps)
            found.append(clock() - started)
        return min(found)

    first, short = timed(1), timed(1)
    times = TIMES if short < MEASURED_SECONDS else 1
    short = min(short, timed(1, times))
    more = min(max(round(MEASURED_SECONDS / short), 1), MOST_STEPS)
    long = timed(1 + more, times)
    # Something else has slowed the short trainings down: then their setting up cannot be told from their steps.
    step = (long - short) / more if long > short else long / (1 + more)
    return Speed(max(first - short, 0.0), max(short - step, 0.0), step / macs)


def makespan(chains: Sequence[Sequence[Work]], jobs: int) -> float:
    """Seconds until all is done, if each process that is free takes the longest chain that is left.

    Arguments:
        chains: what has to be done in order by the same process.
        jobs: processes; each sets up every architecture that it meets.
    """
    free = [(0.0, number) for number in range(jobs)]
    known: list[set[Hashable]] = [set() for _ in free]
    for chain in sorted(chains, key=lambda chain: -sum(work.seconds for work in chain)):
        end, number = heapq.heappop(free)
        for work in chain:
            end += work.seconds + (0.0 if work.architecture in known[number] else work.speed.setup)
            known[number].add(work.architecture)
        heapq.heappush(free, (end, number))
    return max(end for end, _ in free)


def works(configs: Sequence[TrainingConfig], images: int, chains: Sequence[Sequence[Unit]]) -> list[list[Work]]:
    """What the time of the units of each chain depends on; times the depths that occur."""
    from wool_tf.training import methods

    stages = {(one.configuration, stage.name): (one, stage) for one in configs for stage in methods.stages(one)}
    held_out = -(-images // configs[0].folds)
    speeds: dict[int, Speed] = {}
    found: list[list[Work]] = []
    for chain in chains:
        found.append([])
        for unit in chain:
            config, stage = stages[unit.name.partition("/")[0], unit.name.rpartition("/")[2]]
            if config.depth not in speeds:
                log.info(f"timing training steps of ResNet-{config.depth}")
                speeds[config.depth] = _speed(config, held_out)
            # Every batch is filled up.
            trained = per_epoch(images - held_out, config.batch_size) * config.batch_size
            masked = stage.after is not None and config.finetune == "masked"
            architecture = stage.trained, config.optimizer, masked
            found[-1].append(Work(architecture, stage.macs(trained), speeds[config.depth]))
    return found


def _speed(config: TrainingConfig, held_out: int) -> Speed:
    """How fast baselines of a depth are trained here, each with the scoring of some images."""
    from wool_tf.training import trainer

    spec, count = config.initial_spec, config.batch_size
    # Noise: images that are all equal lead to denormal numbers, with which processors are slow.
    images = np.random.default_rng(0).integers(0, 256, (count, config.load_size, config.load_size), np.uint8)
    weights, labels = initial_weights.resolve("none", spec, 0), np.arange(count) % 2
    course = trainer.Course(1, count, config.optimizer, 1e-9)

    def train(steps: int) -> None:
        chosen = np.resize(np.arange(count), steps * count)
        trained, _ = trainer.train(spec, weights, images, labels, chosen, course, 0, lambda *_: None)
        trainer.logits(spec, trained, images, np.resize(np.arange(count), held_out))

    return measure(train, 3 * complexity.macs(spec) * count)
