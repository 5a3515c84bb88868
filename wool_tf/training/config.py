"""The settings of a run: what a result depends on, besides the images."""

import dataclasses
import math
from pathlib import Path

from wool_tf.data import pixels
from wool_tf.data.dataset import GROUP_BY
from wool_tf.errors import BadSetting
from wool_tf.networks import initial_weights
from wool_tf.networks.spec import DEPTHS, REDUCTION, ResNetSpec
from wool_tf.pruning import importance, latency
from wool_tf.pruning.plan import RECIPES
from wool_tf.seeds import BaseSeed
from wool_tf.settings import check, same, setting
from wool_tf.training.schedules import SCHEDULES

OPTIMIZERS = ("adam", "sgd")
FINETUNES = ("compact", "masked")
SELECTS = ("last", "best")
CONTROLS = ("random", "scratch")
IMPORTANCES = tuple(name for name in importance.MEASURES if name not in CONTROLS)
CLASSES = 2
BEFORE = {"importance": "l1"}
"""What settings were before there was a choice, where the default is another now: earlier documents lack them."""
OF_COMPARISONS = ("repeats", "controls", "select")
"""Fields of TrainingConfig that keep their defaults, and that `experiments/reproduce.py` lacks, where a model is
delivered: its figures are those of one network, trained to its last epoch."""
NOT_SEARCHED = (*OF_COMPARISONS, "first_folds", "final")
"""Fields of TrainingConfig that `experiments/search.py` lacks: a Search says of which stage and folds it is."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Everything that a trained network depends on. Field names are the names of the flags; see also docs/settings.md.

    Raises:
        BadSetting: a value breaks its rule.
    """

    depth: int = setting(18, "Depth of the ResNet.", choices=DEPTHS, binds="choice")
    weights: str = setting(
        "none",
        "Initial weights: `none` (random), `imagenet`, `simulated` (a small network, trained on simulated wool of "
        "112 × 112 pixels), `simulated64` (on 64 × 64), or a file (.safetensors, .pth, .pt, .keras). From those of a "
        "pruned network, training begins with its widths.",
        binds="choice",
    )
    optimizer: str = setting("adam", "Optimizer; SGD has a momentum of 0.9.", choices=OPTIMIZERS, binds="choice")
    image_size: int = setting(
        224,
        "Side of the network's input in pixels; images are loaded at 244/224 of it, so that random crops have the "
        "paper's margin.",
        at_least=REDUCTION,
    )
    folds: int = setting(10, "Folds of the cross-validation.", at_least=2)
    first_folds: int = setting(
        0,
        "Folds that are trained, the first ones; 0: all. Figures are then of their images alone. For a first look, or "
        "where all would take too long.",
        at_least=0,
        binds="choice",
    )
    repeats: int = setting(
        1,
        "Times that the whole cross-validation is done, each with folds and random numbers of its own.",
        at_least=1,
        binds="choice",
    )
    group_by: str = setting(
        "sample", "What two folds never share. With `scan` or `image` samples leak between folds.", choices=GROUP_BY
    )
    seed: int = same(BaseSeed, "seed")
    batch_size: int = setting(32, "Images per training step.", at_least=1)
    adam_learning_rate: float = setting(
        1e-3, "Largest learning rate of the baseline and of ASFP with Adam.", above=0, below=10
    )
    sgd_learning_rate: float = setting(
        1e-2, "Largest learning rate of the baseline and of ASFP with SGD.", above=0, below=10
    )
    weight_decay: float = setting(
        0.0, "Decoupled weight decay of the kernels, per step and unit of the learning rate.", at_least=0, below=1
    )
    schedule: str = setting("cosine", "Schedule of the learning rate over the steps of a training.", choices=SCHEDULES)
    plateau_patience: int = setting(
        3,
        "Epochs without a new minimum of the training loss before the schedule `plateau` reduces the rate.",
        at_least=1,
    )
    plateau_factor: float = setting(0.3, "What the learning rate is then multiplied by.", above=0, below=1)
    plateau_delta: float = setting(
        0.05, "Share by which the loss must fall below its minimum to make a new one.", at_least=0, below=1
    )
    bn_images: int = setting(
        1000,
        "Training images, at most, from which batch norms are re-estimated whenever filters were removed and when a "
        "training is over; 0 keeps the running averages of the training.",
        at_least=0,
    )
    epochs: int = setting(15, "Epochs of the baseline.", at_least=1)
    finetune_epochs: int = setting(10, "Epochs after each round of hard pruning.", at_least=1, binds="hard")
    finetune_factor: float = setting(
        1.0,
        "What the optimizer's learning rate is multiplied by after hard pruning, and for the plain epochs after ASFP.",
        above=0,
        below=10,
        binds="pruning",
    )
    distillation: float = setting(
        0.0,
        "Share of the loss after hard pruning that the unpruned network's scores make, besides the labels; 0: none.",
        at_least=0,
        below=1,
        binds="hard",
    )
    asfp_epochs: int = setting(15, "Epochs of ASFP.", at_least=1, binds="asfp")
    asfp_finetune_epochs: int = setting(3, "Plain epochs of the compact network after ASFP.", at_least=0, binds="asfp")
    asfp_rates: tuple[float, ...] = setting(
        (0.3,),
        "Shares of every channel group that ASFP has pruned after its last epoch, a training each; less where `align` "
        "rounds up. Empty: no ASFP.",
        above=0,
        below=1,
        binds="choice",
    )
    rounds: int = setting(
        3,
        "Rounds of hard pruning. A folder whose recipe is `latency` keeps their number, on which the widths of each "
        "depend.",
        at_least=0,
        binds="choice",
    )
    recipe: str = setting(
        "paper-table3",
        "What a round removes: `paper-text` 30 % of every layer, `paper-table3` what the paper's Table III contains, "
        "`latency` what costs the least importance of filters on the way to a time.",
        choices=(*RECIPES, latency.RECIPE),
        binds="hard",
    )
    importance: str = setting(
        "taylor",
        "What ranks filters in hard pruning: "
        + ", ".join(f"`{name}`: {importance.MEASURES[name].words}" for name in IMPORTANCES)
        + ". ASFP ranks by `l2`.",
        choices=IMPORTANCES,
        binds="hard",
    )
    latency_table: str = setting(
        "",
        "Table of the times of int8 convolutions, as `latency_table.py` measures it; the report then has the predicted "
        "time of every network.",
        binds="hard",
    )
    target_ms: float | None = setting(
        None,
        "Predicted milliseconds for an image after the last round of the recipe `latency`; or give `target_ratio`.",
        above=0,
        below=math.inf,
        binds="hard",
    )
    target_ratio: float | None = setting(
        None, "The same as a share of the unpruned network's predicted time.", above=0, below=1, binds="hard"
    )
    align: int = setting(
        1,
        "Pruned widths are kept a multiple of this; 8 is a little larger, and faster in int8.",
        at_least=1,
        binds="pruning",
    )
    finetune: str = setting(
        "compact",
        "Which network is fine-tuned after hard pruning; the results are equal, `masked` is slower.",
        choices=FINETUNES,
        binds="hard",
    )
    controls: tuple[str, ...] = setting(
        (),
        "Control baselines: `random` prunes random filters, `scratch` trains the architecture of the last round from "
        "random weights.",
        choices=CONTROLS,
        binds="choice",
    )
    select: str = setting(
        "last",
        "Epoch whose network is reported: the last, or the best on the held-out images, which makes figures too good. "
        "ASFP reaches its rate in the last epoch only, so there the last one counts.",
        choices=SELECTS,
    )
    final: str = setting(
        "hard3",
        "Stage that is trained on all images and goes to the board, such as `baseline` or `hard3`.",
        binds="choice",
    )
    threads: int = setting(
        1, "Threads that compute, in each process; the last digits of the results depend on it.", at_least=1
    )

    def __post_init__(self) -> None:
        check(self)
        if len(set(self.stages)) < len(self.stages):
            raise BadSetting("asfp_rates", self.asfp_rates, "a rate occurs twice; give each once")
        if self.controls and not self.rounds:
            raise BadSetting("controls", self.controls, "need at least one round of hard pruning")
        if self.first_folds and not 2 <= self.first_folds <= self.folds:
            rule = f"must be 0, or from 2 to the {self.folds} folds: a fold's threshold is chosen on others"
            raise BadSetting("first_folds", self.first_folds, rule)
        if self.first_folds and self.repeats > 1:
            raise BadSetting(("first_folds", "repeats"), None, "do not go together: every repeat has other first folds")
        self._check_target()
        if self.final not in self.stages:
            raise BadSetting("final", self.final, f"the stages of this run are {', '.join(self.stages)}")

    def _check_target(self) -> None:
        targets = [name for name in ("target_ms", "target_ratio") if getattr(self, name) is not None]
        if self.recipe != latency.RECIPE:
            for name in targets:
                raise BadSetting(name, getattr(self, name), f"is for the recipe {latency.RECIPE}, got {self.recipe}")
        elif not self.latency_table:
            rule = f"is missing; the recipe {latency.RECIPE} needs the table that latency_table.py measures"
            raise BadSetting("latency_table", None, rule)
        elif len(targets) != 1:
            raise BadSetting(("target_ms", "target_ratio"), None, f"the recipe {latency.RECIPE} needs one of the two")

    @property
    def configuration(self) -> str:
        """Name of the network and of how it is trained, for folders and tables: `resnet18-adam-none`."""
        weights = self.weights if self.weights in initial_weights.NAMED else Path(self.weights).stem
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
        """The network that training begins with, before any pruning: grey images, two classes.

        It has all filters, but where the initial weights are those of a network that was pruned before.

        Raises:
            WoolError: the file of weights is damaged.
        """
        full = ResNetSpec.full(self.depth, CLASSES, (self.image_size, self.image_size, 1))
        return initial_weights.starting_spec(self.weights, full)

    @property
    def load_size(self) -> int:
        """Side in pixels at which images are loaded: 244 for an input of 224, as in the paper."""
        return pixels.load_size(self.image_size)
