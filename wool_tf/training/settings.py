"""The settings of a run: what a result depends on, besides the images."""

import dataclasses

from wool_tf.errors import WoolError
from wool_tf.networks.spec import REDUCTION, ResNetSpec, check_depth
from wool_tf.pruning.plan import RECIPES

OPTIMIZERS = ("adam", "sgd")
FINETUNES = ("compact", "masked")
CLASSES = 2


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that a trained network depends on. Field names are the names of the flags.

    Attributes:
        depth: one of the five ResNet depths.
        weights: initial weights: `none`, `imagenet` or a file.
        image_size: side of the network's input in pixels; images are loaded at 244/224 of it, so that random crops
            have the paper's margin.
        folds: parts of the cross-validation.
        seed: base of every random number.
        optimizer: `adam` or `sgd` (with momentum 0.9).
        batch_size: images per step.
        epochs, learning_rate: of the baseline.
        finetune_epochs, finetune_learning_rate: of every round of hard pruning.
        asfp_epochs, asfp_rate: epochs, and share of the filters pruned at the last one; the learning rate is the
            baseline's. A rate of 0 leaves ASFP out.
        plateau_patience, plateau_factor: the learning rate is multiplied by the factor when the training loss has not
            reached a new minimum for that many epochs.
        rounds: rounds of hard pruning.
        recipe: what a round removes.
        align: widths are kept a multiple of this.
        finetune: `compact` trains the compact network, `masked` the masked one; the same result, at another cost.
        final: stage that is trained on all images and goes to the board, one of `stages`.
        threads: of every process that trains; the last digits of a result depend on it.

    Raises:
        WoolError: a value breaks its rule; the message names the flag.
    """

    depth: int = 18
    weights: str = "none"
    image_size: int = 224
    folds: int = 10
    seed: int = 0
    optimizer: str = "adam"
    batch_size: int = 16
    epochs: int = 30
    learning_rate: float = 1e-3
    finetune_epochs: int = 10
    finetune_learning_rate: float = 3e-4
    asfp_epochs: int = 30
    asfp_rate: float = 0.3
    plateau_patience: int = 3
    plateau_factor: float = 0.3
    rounds: int = 3
    recipe: str = "paper-text"
    align: int = 1
    finetune: str = "compact"
    final: str = "hard3"
    threads: int = 1

    def __post_init__(self):
        check_depth(self.depth)
        for name in ("batch_size", "epochs", "finetune_epochs", "asfp_epochs", "plateau_patience", "align", "threads"):
            _require(getattr(self, name) >= 1, name, "must be at least 1", getattr(self, name))
        for name in ("learning_rate", "finetune_learning_rate"):
            _require(0 < getattr(self, name) < 10, name, "must be above 0 and below 10", getattr(self, name))
        _require(self.image_size >= REDUCTION, "image_size", f"must be at least {REDUCTION}", self.image_size)
        _require(self.folds >= 2, "folds", "must be at least 2", self.folds)
        _require(self.seed >= 0, "seed", "must be at least 0", self.seed)
        _require(self.rounds >= 0, "rounds", "must be at least 0", self.rounds)
        _require(0 <= self.asfp_rate < 1, "asfp_rate", "must be in [0, 1)", self.asfp_rate)
        _require(0 < self.plateau_factor < 1, "plateau_factor", "must be above 0 and below 1", self.plateau_factor)
        for name, allowed in (("optimizer", OPTIMIZERS), ("finetune", FINETUNES), ("recipe", RECIPES)):
            _require(getattr(self, name) in allowed, name, f"must be one of {', '.join(allowed)}", getattr(self, name))

        _require(self.final in self.stages, "final", f"the stages of this run are {', '.join(self.stages)}", self.final)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages of the protocol, in order."""
        hard = (f"hard{number}" for number in range(1, self.rounds + 1))
        return ("baseline", *hard, *([f"asfp{100 * self.asfp_rate:g}"] if self.asfp_rate else []))

    @property
    def initial_spec(self) -> ResNetSpec:
        """The unpruned network: grey images, two classes."""
        return ResNetSpec.full(self.depth, CLASSES, (self.image_size, self.image_size, 1))

    @property
    def load_size(self) -> int:
        """Side in pixels at which images are loaded: 244 for an input of 224, as in the paper."""
        return round(self.image_size * 244 / 224)


def _require(holds: bool, name: str, rule: str, value) -> None:
    if not holds:
        raise WoolError(f"--{name}={value}: {rule}")
