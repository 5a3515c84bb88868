"""Trains one network, and scores images with it. Any Keras backend."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from wool_tf import environment
from wool_tf.data.batches import augmented, per_epoch
from wool_tf.errors import Divergence, WoolError
from wool_tf.networks import feeding, forward_pass, scoring
from wool_tf.networks import weights as network_weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import History
from wool_tf.networks.weights import Weights
from wool_tf.progress import Progress
from wool_tf.pruning import taylor
from wool_tf.pruning.layers import MaskedResNet
from wool_tf.pruning.plan import Plan
from wool_tf.training import distillation, schedules
from wool_tf.training.config import TrainingConfig
from wool_tf.training.distillation import Teacher

SGD_MOMENTUM = 0.9
KEPT_MODELS = 12
"""Networks that a process keeps, compiled and for scoring: those of every stage of one depth, whole and masked. With
fewer, a process that goes from fold to fold would build and trace them all again."""
LEAST_STEM = 8
"""Channels of the first convolution from which on oneDNN's gradient is right. With one channel to read and 6 or fewer
to write it writes beyond its memory, which ends the process sooner or later (TensorFlow 2.21)."""
WIDER = "remove less (fewer rounds, a lower rate, align=8), or set TF_ENABLE_ONEDNN_OPTS=0"
"""What to do about a network with fewer."""


@dataclasses.dataclass(frozen=True)
class Course:
    """How a network is trained.

    Attributes:
        epochs: passes over the images.
        batch_size: images per step.
        optimizer: `adam` or `sgd`.
        learning_rate: the largest one of the schedule.
        schedule: one of `schedules.SCHEDULES`.
        plateau_patience, plateau_factor, plateau_delta: of the schedule `plateau`, see `schedules.plateau`.
        weight_decay: share of a kernel that each step takes away, times the learning rate (decoupled from the
            gradient: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101).
    """

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str = "cosine"
    plateau_patience: int = 3
    plateau_factor: float = 0.3
    plateau_delta: float = 0.05
    weight_decay: float = 0.0

    @classmethod
    def of(cls, settings: TrainingConfig, epochs: int, learning_rate: float) -> "Course":
        """The course of a stage that a run's settings ask for."""
        return cls(
            epochs,
            settings.batch_size,
            settings.optimizer,
            learning_rate,
            settings.schedule,
            settings.plateau_patience,
            settings.plateau_factor,
            settings.plateau_delta,
            settings.weight_decay,
        )

    def rate(self, step: int, steps: int, losses: Sequence[float]) -> float:
        """The learning rate at a step.

        Arguments:
            step: from 0, of the whole training.
            steps: of the whole training.
            losses: training losses of the epochs that are over.
        """
        if self.schedule == "plateau":
            factor = schedules.plateau(losses, self.plateau_patience, self.plateau_factor, self.plateau_delta)
        else:
            factor = {"cosine": schedules.cosine, "one_cycle": schedules.one_cycle}[self.schedule](step, steps)
        return self.learning_rate * factor


def train(
    spec: ResNetSpec,
    weights: Mapping[str, np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    chosen: np.ndarray,
    course: Course,
    seed: int,
    progress: Progress,
    mask: Plan | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    merit: Callable[[Weights], float] | None = None,
    log: Path | None = None,
    teacher: Teacher | None = None,
) -> tuple[Weights, History]:
    """Trains from the given weights.

    Arguments:
        spec: ResNetSpec of the network.
        weights: initial arrays, by torchvision's keys.
        images: (n, height, width) of uint8, at least as large as the spec's input, which is cropped from them.
        labels: (n,) of int.
        chosen: indices of the images to train on.
        course: Course.
        seed: int. Order of the images and augmentation.
        progress: told of every step, at most.
        mask: Plan whose removed channels are masked throughout, or None.
        callbacks: more of them, such as `pruning.callbacks.AsymptoticSoftPruning`; may change the model.
        merit: of weights; the best epoch's are returned, the earliest of equals. None returns the last epoch's.
        log: folder for TensorBoard's curves, or None.
        teacher: the network whose scores are learned besides the labels, or None.

    Returns:
        The trained arrays, and the History, with `merit` where that is given.

    Raises:
        Divergence: the loss or a weight was not finite.
        WoolError: the network is too narrow for the backend.
    """
    if flaw := stem_flaw(spec):
        raise WoolError(f"{flaw}; {WIDER}")
    model = compiled(spec, course.optimizer, course.weight_decay, mask is not None, teacher.share if teacher else 0.0)
    _load(model, weights, mask)
    _reset(model.optimizer)
    batches = augmented(images, labels, chosen, spec.input_shape[0], course.batch_size, seed)
    if teacher is not None:
        batches = distillation.taught(batches, _teaching(teacher))
    steps = per_epoch(len(chosen), course.batch_size)
    watch = _Watch(course.epochs, progress, merit)
    callbacks = [*callbacks, watch, _Schedule(course, steps)]
    if log is not None:
        callbacks.append(keras.callbacks.TensorBoard(log, write_graph=False))
    model.fit(
        feeding.feed(batches),
        epochs=course.epochs,
        steps_per_epoch=steps,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )
    trained = watch.best or network_weights.read(model)
    for key, array in trained.items():
        if not np.isfinite(array).all():
            raise Divergence(f"{key} became infinite in the last step of the training")
    return trained, watch.history


def stem_flaw(spec: ResNetSpec) -> str | None:
    """Why the backend cannot train a network, as far as its widths say it, or None."""
    first = next(iter(spec.convolutions()))
    width = spec.width(first.writes)
    if width < LEAST_STEM and keras.backend.backend() == "tensorflow" and environment.arithmetic()["onednn"]:
        return f"{first.name}: has {width} channels, and oneDNN cannot train fewer than {LEAST_STEM}"
    return None


def logits(
    spec: ResNetSpec,
    weights: Mapping[str, np.ndarray],
    images: np.ndarray,
    chosen: np.ndarray,
    mask: Plan | None = None,
) -> np.ndarray:
    """Logits of the centre crops of images.

    Arguments:
        spec: ResNetSpec of the network.
        weights: its arrays, by torchvision's keys.
        images: (n, height, width) of uint8, at least as large as the spec's input.
        chosen: indices of the images to look at, at least one.
        mask: Plan whose removed channels are masked, or None.

    Returns:
        (chosen, classes) of float32.
    """
    return scoring.logits(loaded(spec, weights, mask), images, chosen)


def loaded(spec: ResNetSpec, weights: Mapping[str, np.ndarray], mask: Plan | None = None) -> ResNet:
    """A network with these weights, masked by a plan if there is one; the next call for the same spec reuses it."""
    model = _inference(spec, mask is not None)
    _load(model, weights, mask)
    return model


def _load(model: ResNet, weights: Mapping[str, np.ndarray], mask: Plan | None) -> None:
    network_weights.assign(model, weights)
    if mask is not None:
        model.apply(mask)


def _built(spec: ResNetSpec, masked: bool) -> ResNet:
    return MaskedResNet(spec) if masked else ResNet(spec)


_inference = functools.lru_cache(maxsize=KEPT_MODELS)(_built)
# One of its own: what the network in training scores meanwhile must not change the teacher.
_teachers = functools.lru_cache(maxsize=1)(ResNet)


def _teaching(teacher: Teacher) -> Callable[[np.ndarray], np.ndarray]:
    """Gives the teacher's logits of normalised images."""
    model = _teachers(teacher.spec)
    network_weights.assign(model, teacher.weights)
    return lambda images: forward_pass.outputs(model, images, len(images))


# Keras traces a training step again for every model (some seconds), so one compiled model per architecture serves
# all folds: its weights and the optimizer's state are reset instead.
@functools.lru_cache(maxsize=KEPT_MODELS)
def compiled(spec: ResNetSpec, optimizer: str, weight_decay: float, masked: bool, taught: float = 0.0) -> ResNet:
    """A network that is ready to be trained; what it learned for an earlier caller is still in it.

    Arguments:
        spec: ResNetSpec.
        optimizer, weight_decay: as in a Course.
        masked: whether it has masks.
        taught: share of the loss that a teacher's scores make; 0 without a teacher.
    """
    model = _built(spec, masked)
    decay = weight_decay or None
    adam, sgd = keras.optimizers.Adam, functools.partial(keras.optimizers.SGD, momentum=SGD_MOMENTUM)
    method = (adam if optimizer == "adam" else sgd)(weight_decay=decay)
    if decay:
        method.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    accuracy = distillation.Accuracy if taught else keras.metrics.SparseCategoricalAccuracy
    model.compile(
        optimizer=method,
        loss=distillation.DistillationLoss(taught) if taught else plain,
        # By name it would be made in the first step, which TensorFlow traces twice if that makes variables.
        metrics=[accuracy("accuracy")],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def clear() -> None:
    """Forgets the networks that are kept, for callers that change how Keras computes."""
    for kept in (compiled, _inference, _teachers):
        kept.cache_clear()
    taylor.clear()


def _reset(optimizer: keras.optimizers.Optimizer) -> None:
    for variable in optimizer.variables:
        variable.assign(keras.ops.zeros(variable.shape, variable.dtype))


class _Schedule(keras.callbacks.Callback):
    """Sets the learning rate of every step."""

    def __init__(self, course: Course, steps_per_epoch: int):
        super().__init__()
        self.course, self.steps_per_epoch, self.epoch = course, steps_per_epoch, 0
        self.losses: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        step = self.epoch * self.steps_per_epoch + batch
        steps = self.course.epochs * self.steps_per_epoch
        self.model.optimizer.learning_rate = self.course.rate(step, steps, self.losses)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.losses.append(float(logs["loss"]))


class _Watch(keras.callbacks.Callback):
    """Reports progress, keeps the history and the best weights, stops at a loss that is not finite."""

    def __init__(self, epochs: int, progress: Progress, merit: Callable[[Weights], float] | None):
        super().__init__()
        self.epochs, self.progress, self.merit = epochs, progress, merit
        self.epoch = 0
        self.best: Weights | None = None
        self.losses: list[float] = []
        self.accuracies: list[float] = []
        self.rates: list[float] = []
        self.merits: list[float] = []

    @property
    def history(self) -> History:
        """Of the epochs that are over."""
        return History(*map(tuple, (self.losses, self.accuracies, self.rates, self.merits)))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            raise Divergence(f"the training loss became {logs['loss']} in epoch {self.epoch + 1}, step {batch + 1}")
        done = (self.epoch + (batch + 1) / self.params["steps"]) / self.epochs
        self.progress(done, f"epoch {self.epoch + 1}/{self.epochs}, loss {logs['loss']:.3f}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.losses.append(float(logs["loss"]))
        self.accuracies.append(float(logs["accuracy"]))
        self.rates.append(float(self.model.optimizer.learning_rate))
        if self.merit:
            self._compare(self.merit, network_weights.read(self.model))

    def _compare(self, merit: Callable[[Weights], float], weights: Weights) -> None:
        self.merits.append(merit(weights))
        if self.merits[-1] > max(self.merits[:-1], default=-np.inf):
            self.best = weights
