"""The paper's ways to a network, each stage as a function of one fold.

Baseline: trained from the initial weights. Hard filter pruning (Li et al. 2016, https://arxiv.org/abs/1608.08710): the
trained baseline loses its weakest filters and is fine-tuned, several rounds over; what is gone stays gone. Asymptotic
soft filter pruning (ASFP; He et al. 2019, https://arxiv.org/abs/1808.07471): one training from the initial weights;
after every epoch ever more filters are zeroed, and grow back in the next, until the last epoch removes them.
"""

import dataclasses
import functools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from wool_tf.errors import Diverged, WoolError
from wool_tf.networks import complexity, starting
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights
from wool_tf.pruning import compact, importance, layers, plan, schedules
from wool_tf.training import claim, trainer
from wool_tf.training.fold import Fold
from wool_tf.training.metrics import evaluate
from wool_tf.training.settings import Settings
from wool_tf.training.trainer import Course, Progress

CHECKED_IMAGES = 32
"""Training images on which masked and compact network are compared."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of the protocol that ends with a network.

    Attributes:
        name: of records and columns: `baseline`, `hard1`, `asfp30`.
        title: what a reader calls it.
        after: name of the stage that it continues, or None where it starts from the initial weights.
        method: trains the network of a fold, writes its checkpoint and returns its record.
        spec: of the network that comes out.
        trained: spec of the network while it is trained.
        epochs: of its training.
    """

    name: str
    title: str
    after: str | None
    method: Callable[["Stage", Fold, Settings, Progress], dict]
    spec: ResNetSpec
    trained: ResNetSpec
    epochs: int

    def run(self, fold: Fold, settings: Settings, progress: Progress) -> dict:
        """Does the stage for a fold: writes its checkpoint and returns its record."""
        return self.method(self, fold, settings, progress)

    def macs(self, images: int) -> int:
        """Multiply-accumulates of its training on so many images; a backward pass costs two forward ones."""
        return 3 * complexity.macs(self.trained) * self.epochs * images


def stages(settings: Settings) -> list[Stage]:
    """The stages of a run, each after the one that it continues."""
    full = settings.initial_spec
    listed = [Stage("baseline", "Baseline", None, baseline, full, full, settings.epochs)]
    listed += _rounds(settings, "hard", "Hard pruning, round {}", hard)
    for name, rate in zip(settings.stages[len(listed) :], settings.asfp_rates, strict=False):
        spec = plan.pruned(full, _asfp_recipe(settings, rate))
        method = functools.partial(asfp, goal=rate)
        listed.append(Stage(name, f"ASFP, {100 * rate:g} %", None, method, spec, full, settings.asfp_epochs))
    if "random" in settings.controls:
        listed += _rounds(settings, "random", "Random filters, round {}", functools.partial(hard, criterion="random"))
    if "scratch" in settings.controls:
        spec, title = listed[settings.rounds].spec, f"Round {settings.rounds} from scratch"
        listed.append(Stage(settings.stages[-1], title, None, scratch, spec, spec, settings.epochs))
    return listed


def _rounds(settings: Settings, name: str, title: str, method: Callable) -> list[Stage]:
    listed, spec, before = [], settings.initial_spec, "baseline"
    for number in range(1, settings.rounds + 1):
        trained, spec = spec, plan.pruned(spec, _hard_recipe(settings))
        trained = spec if settings.finetune == "compact" else trained
        epochs = settings.finetune_epochs
        listed.append(Stage(f"{name}{number}", title.format(number), before, method, spec, trained, epochs))
        before = listed[-1].name
    return listed


def baseline(stage: Stage, fold: Fold, settings: Settings, progress: Progress) -> dict:
    """Trains the unpruned network from the initial weights."""
    course = _course(settings, stage.epochs, settings.learning_rate)
    trained, history = _train(stage, fold, settings, course, _initial(fold, settings), progress)
    return _finish(stage, fold, stage.spec, trained, history)


def scratch(stage: Stage, fold: Fold, settings: Settings, progress: Progress) -> dict:
    """Control: trains the architecture that pruning ends with from random weights, as long as the baseline."""
    course = _course(settings, stage.epochs, settings.base_rate)
    initial = starting.resolve("none", stage.spec, fold.seed(settings, "scratch"))
    trained, history = _train(stage, fold, settings, course, initial, progress)
    return _finish(stage, fold, stage.spec, trained, history)


def hard(stage: Stage, fold: Fold, settings: Settings, progress: Progress, criterion: str | None = None) -> dict:
    """One round: prunes the network of the stage before and fine-tunes it.

    The compact network is fine-tuned, or the masked one and made compact afterwards; the kept weights come out the
    same up to rounding. Either way masked and compact network are compared. A control names another criterion than the
    recipe's.
    """
    spec, weights = network_weights.load(fold.checkpoint(stage.after))
    recipe = _hard_recipe(settings)
    seed = fold.seed(settings, f"{stage.name} filters")
    scores = importance.scores(weights, spec, criterion or recipe.criterion, seed)
    chosen = plan.make(spec, scores, recipe)
    course = _course(settings, stage.epochs, settings.finetune_rate)
    if settings.finetune == "masked":
        weights, history = _train(stage, fold, settings, course, weights, progress, mask=chosen)
        smaller, difference = _removed(weights, chosen, stage, fold)
    else:
        smaller, difference = _removed(weights, chosen, stage, fold)
        smaller, history = _train(stage, fold, settings, course, smaller, progress)
    return _finish(stage, fold, chosen.compact, smaller, history, difference)


def asfp(stage: Stage, fold: Fold, settings: Settings, progress: Progress, goal: float) -> dict:
    """One whole training with filters zeroed after every epoch; after the last one they are removed."""

    def weakest(weights: Mapping[str, np.ndarray], epoch: int) -> plan.Plan:
        rate = schedules.asymptotic(epoch, stage.epochs, goal)
        recipe = _asfp_recipe(settings, rate)
        return plan.make(stage.trained, importance.scores(weights, stage.trained, recipe.criterion), recipe)

    def zero(model, epoch: int) -> None:
        layers.zero_filters(model, weakest(network_weights.read(model), epoch))

    course = _course(settings, stage.epochs, settings.learning_rate)
    weights, history = _train(stage, fold, settings, course, _initial(fold, settings), progress, after_epoch=zero)
    # The filters zeroed after the last epoch have norm zero, so they are the weakest again.
    chosen = weakest(weights, stage.epochs - 1)
    smaller, difference = _removed(weights, chosen, stage, fold)
    return _finish(stage, fold, chosen.compact, smaller, history, difference)


def _hard_recipe(settings: Settings) -> plan.Recipe:
    return dataclasses.replace(plan.named(settings.recipe, settings.depth), align=settings.align)


def _asfp_recipe(settings: Settings, rate: float) -> plan.Recipe:
    """One rate for all stages and L2 norms, as ASFP has it; the trunks are treated as in hard pruning."""
    return dataclasses.replace(_hard_recipe(settings), rates=rate, criterion="l2")


def _initial(fold: Fold, settings: Settings) -> Weights:
    if fold.initial not in (None, claim.digest(settings.weights)):
        raise WoolError(f"--weights={settings.weights}: was changed while the run was at work; put it back")
    return starting.resolve(settings.weights, settings.initial_spec, fold.seed(settings, "initial"))


def _course(settings: Settings, epochs: int, learning_rate: float) -> Course:
    return Course(
        epochs,
        settings.batch_size,
        settings.optimizer,
        learning_rate,
        settings.plateau_patience,
        settings.plateau_factor,
        settings.plateau_delta,
        settings.weight_decay,
    )


def _train(stage, fold, settings, course, weights, progress, mask=None, after_epoch=None):
    dataset = fold.dataset

    def merit(trained: Weights) -> float:
        """Accuracy on the held-out images."""
        scored = trainer.logits(stage.trained, trained, dataset.images, fold.held_out, mask)
        return float((scored.argmax(axis=1) == dataset.labels[fold.held_out]).mean())

    # ASFP, which changes the network after its epochs, has pruned all it must after the last one only.
    peeks = settings.select == "best" and after_epoch is None and len(fold.held_out) > 0
    return trainer.train(
        stage.trained,
        weights,
        dataset.images,
        dataset.labels,
        fold.train,
        course,
        fold.seed(settings, stage.name),
        progress,
        mask,
        after_epoch,
        merit if peeks else None,
        _log(stage, fold),
    )


def _log(stage: Stage, fold: Fold) -> Path | None:
    """The folder for TensorBoard's curves, empty: those of an earlier attempt would be drawn as one with these."""
    if fold.logs is None:
        return None
    shutil.rmtree(fold.logs / stage.name, ignore_errors=True)
    return fold.logs / stage.name


def _removed(weights: Mapping[str, np.ndarray], chosen: plan.Plan, stage: Stage, fold: Fold) -> tuple[Weights, float]:
    """The compact weights, and the largest difference of a logit that it makes; refuses to go on if there is one."""
    smaller = compact.gather(weights, chosen)
    # Spread over all of them, for they are sorted by class where they come in class folders.
    images, checked = fold.dataset.images, fold.train[:: -(-len(fold.train) // CHECKED_IMAGES)]
    masked = trainer.logits(chosen.spec, weights, images, checked, mask=chosen)
    if not np.isfinite(masked).all():
        raise Diverged("the trained network's outputs are not finite")
    difference = compact.check_equal(masked, trainer.logits(chosen.compact, smaller, images, checked), stage.title)
    return smaller, difference


def _finish(stage, fold, spec, weights, history, difference=None) -> dict:
    """Writes the checkpoint and returns the record."""
    logits = trainer.logits(spec, weights, fold.dataset.images, fold.held_out) if len(fold.held_out) else np.zeros(2)
    if not np.isfinite(logits).all():
        raise Diverged("the trained network's outputs are not finite")
    network_weights.save(fold.checkpoint(stage.name), spec, weights)
    record = {
        "stage": stage.name,
        "spec": spec.get_config(),
        "params": complexity.parameters(spec),
        "macs": complexity.macs(spec),
        "history": history,
        "mask_difference": difference,
    }
    if len(fold.held_out):
        record |= held_out_record(fold, trainer.probabilities(logits))
    return record


def held_out_record(fold: Fold, scores: np.ndarray) -> dict:
    """What a record says of the held-out images: their indices, scores and metrics."""
    return {
        "held_out": fold.held_out.tolist(),
        "scores": scores.tolist(),
        "metrics": evaluate(fold.dataset.labels[fold.held_out], scores),
    }
