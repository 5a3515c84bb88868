"""The paper's ways to a network, each stage as a function of one fold.

Baseline: trained from the initial weights. Hard filter pruning (Li et al. 2016, https://arxiv.org/abs/1608.08710): the
trained baseline loses its least important filters and is fine-tuned, several rounds over; what is gone stays gone.
Asymptotic soft filter pruning (ASFP; He et al. 2019, https://arxiv.org/abs/1808.07471): one training from the initial
weights; after every epoch the kernels of ever more filters are zeroed, and grow back in the next, until the last epoch
removes them; a few plain epochs of the compact network consolidate it.

Whenever filters have gone, and when a training is over, batch norms are re-estimated (`training.batch_norms`).
"""

import dataclasses
import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from wool_tf import environment, seeds
from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.errors import BadSetting, Divergence
from wool_tf.evaluation.metrics import Metrics, evaluate
from wool_tf.networks import complexity, initial_weights, scoring
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import History, Result
from wool_tf.networks.weights import Weights
from wool_tf.progress import Progress
from wool_tf.pruning import compaction, importance, plan
from wool_tf.pruning.callbacks import AsymptoticSoftPruning
from wool_tf.training import batch_norms, recipes, trainer
from wool_tf.training.config import TrainingConfig
from wool_tf.training.distillation import Teacher
from wool_tf.training.fold import Fold
from wool_tf.training.trainer import Course

CHECKED_IMAGES = 32
"""Training images on which masked and compact network are compared."""
EXAMPLES = 128
"""Training images, at most, of which the importance `taylor` is the mean."""


@dataclasses.dataclass(frozen=True)
class TrainingStage:
    """One step of the protocol that ends with a network.

    Attributes:
        name: of records and columns: `baseline`, `hard1`, `asfp30`.
        title: what a reader calls it.
        setting: name of the setting that asks for it.
        after: name of the stage that it continues, or None where it starts from the initial weights.
        method: trains the network of a fold, writes its checkpoint and returns the Result.
        spec: of the resulting network.
        trained: spec of the network while it is trained.
        epochs: of its training.
        consolidation: epochs of the resulting network, after those.
        teacher: name of the stage whose scores it learns besides the labels, or None.
        taught_by: spec of the teacher.
    """

    name: str
    title: str
    setting: str
    after: str | None
    method: Callable[["TrainingStage", Fold, TrainingConfig, Progress], Result]
    spec: ResNetSpec
    trained: ResNetSpec
    epochs: int
    consolidation: int = 0
    teacher: str | None = None
    taught_by: ResNetSpec | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the stages whose networks it needs."""
        return tuple(dict.fromkeys(name for name in (self.after, self.teacher) if name is not None))

    @property
    def networks(self) -> tuple[ResNetSpec, ...]:
        """Specs of the networks that are trained."""
        return (self.trained, self.spec) if self.consolidation else (self.trained,)

    def run(self, fold: Fold, settings: TrainingConfig, progress: Progress) -> Result:
        """Does the stage for a fold: writes its checkpoint and returns the Result."""
        return self.method(self, fold, settings, progress)

    def macs(self, images: int) -> int:
        """Multiply-accumulates of its training on so many images; a backward pass costs two forward ones."""
        before, after = complexity.macs(self.trained) * self.epochs, complexity.macs(self.spec) * self.consolidation
        teaching = complexity.macs(self.taught_by) * self.epochs if self.taught_by else 0
        return (3 * (before + after) + teaching) * images


def stages(settings: TrainingConfig) -> list[TrainingStage]:
    """The stages of a run, each after the one that it continues."""
    full = settings.initial_spec
    listed = [TrainingStage("baseline", "Baseline", "weights", None, baseline, full, full, settings.epochs)]
    listed += _rounds(settings, "hard", "Hard pruning, round {}", "rounds", hard)
    for name, rate in zip(settings.stages[len(listed) :], settings.asfp_rates, strict=False):
        spec = plan.pruned(full, _asfp_recipe(settings, rate))
        method = functools.partial(asfp, goal=rate)
        epochs = settings.asfp_epochs, settings.asfp_finetune_epochs
        title = f"ASFP, {100 * rate:g} %"
        listed.append(TrainingStage(name, title, "asfp_rates", None, method, spec, full, *epochs))
    if "random" in settings.controls:
        method = functools.partial(hard, measure="random")
        listed += _rounds(settings, "random", "Random filters, round {}", "controls", method)
    if "scratch" in settings.controls:
        spec, title = listed[settings.rounds].spec, f"Round {settings.rounds} from scratch"
        named = settings.stages[-1], title, "controls"
        listed.append(TrainingStage(*named, None, scratch, spec, spec, settings.epochs))
    return listed


def check(settings: TrainingConfig) -> None:
    """Checks, before anything is trained, that every stage can be.

    Raises:
        BadSetting: a network is too narrow for the backend.
    """
    for stage in stages(settings):
        for flaw in filter(None, map(trainer.stem_flaw, stage.networks)):
            rule = f"{stage.name} cannot be trained ({flaw}); {trainer.WIDER}"
            raise BadSetting(stage.setting, getattr(settings, stage.setting), rule)


def _rounds(settings: TrainingConfig, name: str, title: str, asked_by: str, method: Callable) -> list[TrainingStage]:
    listed, spec, before = [], settings.initial_spec, "baseline"
    taught = (before, spec) if settings.distillation else (None, None)
    for number, recipe in enumerate(recipes.of_rounds(settings), start=1):
        trained, spec = spec, plan.pruned(spec, recipe)
        trained = spec if settings.finetune == "compact" else trained
        epochs, work = settings.finetune_epochs, functools.partial(method, recipe=recipe)
        named = f"{name}{number}", title.format(number), asked_by
        listed.append(TrainingStage(*named, before, work, spec, trained, epochs, 0, *taught))
        before = listed[-1].name
    return listed


def baseline(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress) -> Result:
    """Trains the unpruned network from the initial weights."""
    course = Course.of(settings, stage.epochs, settings.learning_rate)
    trained, history = _train(stage, fold, settings, course, initial(fold, settings), progress)
    return _finish(stage, fold, settings, trained, history)


def scratch(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress) -> Result:
    """Control: trains the architecture that pruning ends with from random weights, as long as the baseline."""
    course = Course.of(settings, stage.epochs, settings.learning_rate)
    initial = initial_weights.resolve("none", stage.spec, fold.seed(settings, "scratch"))
    trained, history = _train(stage, fold, settings, course, initial, progress)
    return _finish(stage, fold, settings, trained, history)


def hard(
    stage: TrainingStage,
    fold: Fold,
    settings: TrainingConfig,
    progress: Progress,
    recipe: plan.Recipe | plan.Widths,
    measure: str | None = None,
) -> Result:
    """One round: prunes the network of the stage before and fine-tunes it.

    The compact network is fine-tuned, or the masked one and made compact afterwards; the kept weights come out the
    same up to rounding. Either way masked and compact network are compared. A control names another measure than the
    recipe's.
    """
    assert stage.after is not None, f"{stage.name}: a round continues another stage"
    spec, weights = network_weights.load(fold.checkpoint(stage.after))
    measure, seed = measure or recipe.importance, _filter_seed(stage, fold, settings)
    scores = importance.scores(weights, spec, measure, seed, examples(stage, fold, settings, spec, measure))
    chosen = plan.make(spec, scores, recipe)
    course = Course.of(settings, stage.epochs, settings.finetune_rate)
    smaller, difference, before = _pruned(weights, chosen, stage, fold, settings)
    if settings.finetune == "masked":
        weights = _reestimated(spec, weights, fold, settings, mask=chosen)
        weights, history = _train(stage, fold, settings, course, weights, progress, mask=chosen)
        smaller, difference = _removed(weights, chosen, stage, fold)
    else:
        smaller, history = _train(stage, fold, settings, course, smaller, progress)
    return _finish(stage, fold, settings, smaller, history, difference, before)


def _filter_seed(stage: TrainingStage, fold: Fold, settings: TrainingConfig) -> int:
    """Of what chooses the filters that a round removes."""
    return fold.seed(settings, f"{stage.name} filters")


def examples(
    stage: TrainingStage, fold: Fold, settings: TrainingConfig, spec: ResNetSpec, measure: str
) -> importance.Examples | None:
    """Training images, drawn at random, by which a round ranks filters if its measure looks at the loss, or None.

    Arguments:
        stage, fold, settings: of the round.
        spec: of the network that loses filters.
        measure: one of `importance.MEASURES`.
    """
    if not importance.MEASURES[measure].needs_examples:
        return None
    drawn = seeds.generator(_filter_seed(stage, fold, settings), "examples").permutation(fold.train)[:EXAMPLES]
    images = centre_crop(fold.dataset.images[drawn], spec.input_shape[0])
    return normalise(images), fold.dataset.labels[drawn]


def asfp(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress, goal: float) -> Result:
    """One whole training with kernels zeroed after every epoch; after the last one the filters are removed.

    A zeroed filter's batch norm still emits its constant until the filter is removed. Re-estimated batch norms undo
    most of what the removal changes, and the epochs of consolidation the rest.
    """
    share = stage.epochs / (stage.epochs + stage.consolidation)
    course = Course.of(settings, stage.epochs, settings.learning_rate)
    told, pruning = _part(progress, 0, share), AsymptoticSoftPruning(_asfp_recipe(settings, goal))
    weights, history = _train(stage, fold, settings, course, initial(fold, settings), told, callbacks=[pruning])
    assert pruning.plan is not None, "the last epoch makes the plan"
    smaller, difference, before = _pruned(weights, pruning.plan, stage, fold, settings)
    if stage.consolidation:
        compacted = dataclasses.replace(stage, name=f"{stage.name} consolidation", trained=stage.spec)
        course = Course.of(settings, stage.consolidation, settings.finetune_rate)
        told = _part(progress, share, 1)
        smaller, more = _train(compacted, fold, settings, course, smaller, told)
        history = history.followed_by(more)
    return _finish(stage, fold, settings, smaller, history, difference, before)


def _part(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part of the work."""
    return lambda share, what: progress(start + (end - start) * share, what)


def _asfp_recipe(settings: TrainingConfig, rate: float) -> plan.Recipe:
    """ASFP's own rule: the same share of every channel group goes, once, by L2 norms, whatever hard pruning does."""
    return plan.Recipe(rate, trunk="group", importance="l2", align=settings.align)


def initial(fold: Fold, settings: TrainingConfig) -> Weights:
    """The weights that a fold's trainings start from.

    Raises:
        BadSetting: their file is another than when the run began.
    """
    if fold.initial not in (None, initial_weights.digest(settings.weights)):
        raise BadSetting("weights", settings.weights, "was changed while the run was at work; put it back")
    return initial_weights.resolve(settings.weights, settings.initial_spec, fold.seed(settings, "initial"))


def _train(
    stage: TrainingStage,
    fold: Fold,
    settings: TrainingConfig,
    course: Course,
    weights: Mapping[str, np.ndarray],
    progress: Progress,
    mask: plan.Plan | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[Weights, History]:
    dataset = fold.dataset

    def merit(trained: Weights) -> float:
        """Accuracy on the held-out images."""
        scored = trainer.logits(stage.trained, trained, dataset.images, fold.held_out, mask)
        return float((scored.argmax(axis=1) == dataset.labels[fold.held_out]).mean())

    # ASFP, which changes the network after its epochs, has pruned all it must after the last one only. Reports call
    # its figures those of last epochs, so the epochs of consolidation choose nothing either.
    soft = len(callbacks) > 0 or stage.consolidation > 0
    peeks = settings.select == "best" and not soft and len(fold.held_out) > 0
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
        callbacks,
        merit if peeks else None,
        _log(stage, fold),
        teacher(stage, fold, settings),
    )


def teacher(stage: TrainingStage, fold: Fold, settings: TrainingConfig) -> Teacher | None:
    """The network whose scores the one of a stage learns, or None."""
    if stage.teacher is None:
        return None
    return Teacher(*network_weights.load(fold.checkpoint(stage.teacher)), settings.distillation)


def _log(stage: TrainingStage, fold: Fold) -> Path | None:
    """The folder for TensorBoard's curves, empty: those of an earlier attempt would be drawn as one with these."""
    if fold.logs is None:
        return None
    shutil.rmtree(fold.logs / stage.name, ignore_errors=True)
    return fold.logs / stage.name


def _pruned(
    weights: Mapping[str, np.ndarray], chosen: plan.Plan, stage: TrainingStage, fold: Fold, settings: TrainingConfig
) -> tuple[Weights, float, Metrics | None]:
    """The compact weights with batch norms re-estimated, and the record's `mask_difference` and `before_finetuning`."""
    smaller, difference = _removed(weights, chosen, stage, fold)
    smaller = _reestimated(stage.spec, smaller, fold, settings)
    return smaller, difference, _metrics(fold, _scores(fold, stage.spec, smaller))


def _removed(
    weights: Mapping[str, np.ndarray], chosen: plan.Plan, stage: TrainingStage, fold: Fold
) -> tuple[Weights, float]:
    """The compact weights, and the largest difference of a logit that it makes; refuses to go on if there is one."""
    smaller = compaction.gather(weights, chosen)
    # Spread over all of them, for they are sorted by class where they come in class folders.
    images, checked = fold.dataset.images, fold.train[:: -(-len(fold.train) // CHECKED_IMAGES)]
    masked = trainer.logits(chosen.spec, weights, images, checked, mask=chosen)
    if not np.isfinite(masked).all():
        raise Divergence("the trained network's outputs are not finite")
    difference = compaction.check_equal(masked, trainer.logits(chosen.compact, smaller, images, checked), stage.title)
    return smaller, difference


def _reestimated(
    spec: ResNetSpec, weights: Mapping, fold: Fold, settings: TrainingConfig, mask: plan.Plan | None = None
) -> Weights:
    seed = fold.seed(settings, "batch norms")
    return batch_norms.reestimated(spec, weights, fold.dataset.images, fold.train, settings.bn_images, seed, mask)


def _scores(fold: Fold, spec: ResNetSpec, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """(held_out,) probability of "defective"."""
    if not len(fold.held_out):
        return np.empty(0)
    logits = trainer.logits(spec, weights, fold.dataset.images, fold.held_out)
    if not np.isfinite(logits).all():
        raise Divergence("the trained network's outputs are not finite")
    return scoring.probabilities(logits)


def _metrics(fold: Fold, scores: np.ndarray) -> Metrics | None:
    """What scores of the held-out images are worth, or None where there are none."""
    return evaluate(fold.dataset.labels[fold.held_out], scores) if len(scores) else None


def _finish(
    stage: TrainingStage,
    fold: Fold,
    settings: TrainingConfig,
    weights: Mapping[str, np.ndarray],
    history: History,
    mask_difference: float | None = None,
    before_finetuning: Metrics | None = None,
) -> Result:
    """Re-estimates batch norms, writes the checkpoint and returns the result."""
    weights = _reestimated(stage.spec, weights, fold, settings)
    found = network_result(stage, fold, settings, history, _scores(fold, stage.spec, weights))
    network_weights.save(fold.checkpoint(stage.name), stage.spec, weights)
    return dataclasses.replace(found, mask_difference=mask_difference, before_finetuning=before_finetuning)


def network_result(
    stage: TrainingStage, fold: Fold, settings: TrainingConfig, history: History, scores: np.ndarray
) -> Result:
    """The result of a stage that pruned nothing, by the scores of the held-out images."""
    spec, full = stage.spec, settings.initial_spec.by_group()
    return dataclasses.replace(
        result(stage.name, fold, fold.seed(settings, stage.name), scores),
        spec=spec.get_config(),
        params=complexity.parameters(spec),
        macs=complexity.macs(spec),
        removed={group: 1 - width / full[group] for group, width in spec.by_group().items()},
        history=history,
        bn_images=min(settings.bn_images, len(fold.train)),
    )


def result(stage: str, fold: Fold, seed: int, scores: np.ndarray) -> Result:
    """What the result of every unit says: where it comes from, and how it judges the held-out images, if there are any.

    Arguments:
        stage: name of the stage.
        fold: Fold.
        seed: of the work.
        scores: (held_out,) probability of "defective".
    """
    return Result(
        stage=stage,
        seed=seed,
        images=fold.dataset.fingerprint,
        environment=environment.describe(),
        held_out=tuple(fold.held_out.tolist()),
        scores=tuple(scores.tolist()),
        metrics=_metrics(fold, scores),
    )
