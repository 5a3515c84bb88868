"""The settings of a run: what a result depends on, besides the images."""

import dataclasses
from pathlib import Path

from wool_tf.data import pixels
from wool_tf.data.dataset import GROUP_BY
from wool_tf.errors import WoolError
from wool_tf.networks.spec import REDUCTION, ResNetSpec, check_depth
from wool_tf.pruning.plan import RECIPES
from wool_tf.training.schedules import SCHEDULES

OPTIMIZERS = ("adam", "sgd")
FINETUNES = ("compact", "masked")
SELECTS = ("last", "best")
CONTROLS = ("random", "scratch")
CLASSES = 2


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Everything that a trained network depends on. Field names are the names of the flags.

    Attributes:
        depth: one of the five ResNet depths.
        weights: initial weights: `none`, `imagenet` or a file.
        optimizer: `adam` or `sgd` (with momentum 0.9).
        image_size: side of the network's input in pixels; images are loaded at 244/224 of it, so that random crops
            have the paper's margin.
        folds: parts of the cross-validation.
        repeats: times that the whole cross-validation is done, each with folds and random numbers of its own.
        group_by: what two folds never share: `sample`, or `scan` or `image`, which leak.
        seed: base of every random number.
        batch_size: images per step.
        adam_learning_rate, sgd_learning_rate: largest learning rate of the baseline and of ASFP, by optimizer.
        weight_decay: decoupled, per step and unit of the learning rate; of kernels only.
        schedule: what the learning rate does from the first step to the last, one of `schedules.SCHEDULES`.
        plateau_patience, plateau_factor, plateau_delta: of the schedule `plateau`, which multiplies the rate by the
            factor when the training loss has not fallen below its minimum by that share for that many epochs.
        bn_images: training images from which batch norms are re-estimated whenever filters have gone and when a
            training is over, at most; 0 leaves their running averages as training left them.
        epochs: of the baseline.
        finetune_epochs, finetune_factor: epochs of every round of hard pruning, and what the optimizer's learning rate
            is multiplied by for them and for the epochs after ASFP.
        asfp_epochs, asfp_rates: epochs of ASFP; one training per rate, the share of every channel group that is gone
            after its last epoch; less of it where `align` rounds up.
        asfp_finetune_epochs: plain epochs of the compact network after those.
        rounds: rounds of hard pruning.
        recipe: what a round removes.
        align: widths are kept a multiple of this.
        finetune: `compact` trains the compact network, `masked` the masked one; the same result, at another cost.
        controls: of `random`, hard pruning of random filters, and `scratch`, the architecture of the last round trained
            from random weights.
        select: `last` reports the network of the last epoch, `best` the one of the epoch that did best on the held-out
            images, which is too good to be true. ASFP reaches its rate in the last epoch only, so that one counts.
        final: stage that is trained on all images and goes to the board, one of `stages`.
        threads: of every process that trains; the last digits of a result depend on it.

    Raises:
        WoolError: a value breaks its rule; the message names the flag.
    """

    depth: int = 18
    weights: str = "none"
    optimizer: str = "adam"
    image_size: int = 224
    folds: int = 10
    repeats: int = 1
    group_by: str = "sample"
    seed: int = 0
    batch_size: int = 32
    adam_learning_rate: float = 1e-3
    sgd_learning_rate: float = 1e-2
    weight_decay: float = 0.0
    schedule: str = "cosine"
    plateau_patience: int = 3
    plateau_factor: float = 0.3
    plateau_delta: float = 0.05
    bn_images: int = 1000
    epochs: int = 15
    finetune_epochs: int = 10
    finetune_factor: float = 1.0
    asfp_epochs: int = 15
    asfp_finetune_epochs: int = 3
    asfp_rates: tuple[float, ...] = (0.3,)
    rounds: int = 3
    recipe: str = "paper-table3"
    align: int = 1
    finetune: str = "compact"
    controls: tuple[str, ...] = ()
    select: str = "last"
    final: str = "hard3"
    threads: int = 1

    def __post_init__(self):
        check_depth(self.depth)
        counted = ("batch_size", "epochs", "finetune_epochs", "asfp_epochs", "plateau_patience", "align", "threads")
        for name in (*counted, "repeats"):
            _require(getattr(self, name) >= 1, name, "must be at least 1", getattr(self, name))
        for name in ("adam_learning_rate", "sgd_learning_rate", "finetune_factor"):
            _require(0 < getattr(self, name) < 10, name, "must be above 0 and below 10", getattr(self, name))
        for name in ("bn_images", "asfp_finetune_epochs"):
            _require(getattr(self, name) >= 0, name, "must be at least 0", getattr(self, name))
        _require(0 <= self.weight_decay < 1, "weight_decay", "must be in [0, 1)", self.weight_decay)
        _require(self.image_size >= REDUCTION, "image_size", f"must be at least {REDUCTION}", self.image_size)
        _require(self.folds >= 2, "folds", "must be at least 2", self.folds)
        _require(self.seed >= 0, "seed", "must be at least 0", self.seed)
        _require(self.rounds >= 0, "rounds", "must be at least 0", self.rounds)
        rates = ",".join(f"{rate:g}" for rate in self.asfp_rates)
        _require(all(0 < rate < 1 for rate in self.asfp_rates), "asfp_rates", "must be above 0 and below 1", rates)
        _require(len(set(self.stages)) == len(self.stages), "asfp_rates", "a rate occurs twice", rates)
        _require(0 < self.plateau_factor < 1, "plateau_factor", "must be above 0 and below 1", self.plateau_factor)
        _require(0 <= self.plateau_delta < 1, "plateau_delta", "must be in [0, 1)", self.plateau_delta)
        named = (("optimizer", OPTIMIZERS), ("finetune", FINETUNES), ("recipe", RECIPES), ("select", SELECTS))
        for name, allowed in (*named, ("group_by", GROUP_BY), ("schedule", SCHEDULES)):
            _require(getattr(self, name) in allowed, name, f"must be one of {', '.join(allowed)}", getattr(self, name))
        controls = ",".join(self.controls)
        _require(set(self.controls) <= set(CONTROLS), "controls", f"must be of {', '.join(CONTROLS)}", controls)
        _require(self.rounds > 0 or not self.controls, "controls", "need at least one of --rounds", controls)
        _require(self.final in self.stages, "final", f"the stages of this run are {', '.join(self.stages)}", self.final)

    @property
    def configuration(self) -> str:
        """Name of the network and of how it is trained, for folders and tables: `resnet18-adam-none`."""
        weights = self.weights if self.weights in ("none", "imagenet") else Path(self.weights).stem
        return f"resnet{self.depth}-{self.optimizer}-{weights}"

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages of the protocol, in order."""
        rounds = range(1, self.rounds + 1)
        hard = (f"hard{number}" for number in rounds)
        asfp = (f"asfp{100 * rate:g}" for rate in self.asfp_rates)
        random = (f"random{number}" for number in rounds if "random" in self.controls)
        scratch = (f"scratch{self.rounds}",) if "scratch" in self.controls else ()
        return ("baseline", *hard, *asfp, *random, *scratch)

    @property
    def learning_rate(self) -> float:
        """Largest learning rate of the baseline and of ASFP."""
        return self.adam_learning_rate if self.optimizer == "adam" else self.sgd_learning_rate

    @property
    def finetune_rate(self) -> float:
        """Largest learning rate of every round of hard pruning, and of the epochs after ASFP."""
        return self.learning_rate * self.finetune_factor

    @property
    def initial_spec(self) -> ResNetSpec:
        """The unpruned network: grey images, two classes."""
        return ResNetSpec.full(self.depth, CLASSES, (self.image_size, self.image_size, 1))

    @property
    def load_size(self) -> int:
        """Side in pixels at which images are loaded: 244 for an input of 224, as in the paper."""
        return pixels.load_size(self.image_size)


def _require(holds: bool, name: str, rule: str, value) -> None:
    if not holds:
        raise WoolError(f"--{name}={value}: {rule}")
