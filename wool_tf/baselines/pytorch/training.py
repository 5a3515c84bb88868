"""Trains a network of PyTorch step by step as `wool_tf.training.trainer` trains ours."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from wool_tf.baselines.pytorch import networks
from wool_tf.data.batches import augmented, per_epoch
from wool_tf.errors import Divergence
from wool_tf.networks.unit_records import History
from wool_tf.progress import Progress
from wool_tf.training.distillation import TEMPERATURE, Teacher
from wool_tf.training.trainer import SGD_MOMENTUM, Course

ADAM_EPSILON = 1e-7
BETAS = 0.9, 0.999


class Steps:
    """An optimizer of PyTorch that takes Keras' steps.

    Three things differ. Keras adds Adam's epsilon to √v before the bias of v is corrected, PyTorch to √v̂ after it
    ("epsilon hat": Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, end of section 2). With momentum, Keras
    remembers steps, the learning rate in them, and PyTorch gradients, so that they part when the rate changes. And
    Keras rounds momentum, and the decay rates by which it corrects Adam's bias, to single precision, whatever
    precision it computes in: of 1 − 0.999 that is 1e-5.
    """

    def __init__(self, network: nn.Module, course: Course):
        self.course, self.taken = course, 0
        self.parameters = list(network.parameters())
        self.kernels = [one for one in self.parameters if one.ndim > 1]
        self.optimizer: torch.optim.Optimizer
        if course.optimizer == "adam":
            self.optimizer = torch.optim.Adam(self.parameters, betas=BETAS, eps=ADAM_EPSILON)
        else:
            self.optimizer = torch.optim.SGD(self.parameters, lr=1.0, momentum=_single(SGD_MOMENTUM))

    def take(self, rate: float) -> None:
        """One step along the gradients."""
        self.taken += 1
        with torch.no_grad():
            for kernel in self.kernels if self.course.weight_decay else ():
                kernel.mul_(1 - rate * self.course.weight_decay)
            if self.course.optimizer == "sgd":
                for parameter in self.parameters:
                    parameter.grad.mul_(rate)
        if self.course.optimizer == "adam":
            (group,) = self.optimizer.param_groups
            corrected = 1 - np.power(BETAS, self.taken)
            rounded = 1 - np.power([_single(beta) for beta in BETAS], self.taken)
            group["lr"] = rate * corrected[0] / rounded[0] * float(np.sqrt(rounded[1] / corrected[1]))
            group["eps"] = ADAM_EPSILON / float(np.sqrt(corrected[1]))
        self.optimizer.step()


def _single(value: float) -> float:
    return float(np.float32(value))


def train(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    chosen: np.ndarray,
    side: int,
    course: Course,
    seed: int,
    progress: Progress,
    after_epoch: Callable[[int], None] | None = None,
    most_steps: int | None = None,
    teacher: Teacher | None = None,
) -> tuple[History, list[float]]:
    """Trains a network where it is, on the very batches that `trainer.train` would give it.

    Arguments:
        network: as `networks.module` makes it; float32 or float64.
        images, labels, chosen, course, seed, progress: as for `trainer.train`.
        side: of the network's input.
        after_epoch: told the number of each epoch when it ends; may change the network.
        most_steps: after which to stop, or None.
        teacher: as for `trainer.train`.

    Returns:
        The History, and the losses of all steps.

    Raises:
        Divergence: the loss was not finite.
    """
    dtype = next(network.parameters()).dtype
    batches = augmented(images, labels, chosen, side, course.batch_size, seed)
    per = per_epoch(len(chosen), course.batch_size)
    steps, history, losses = Steps(network, course), History((), (), ()), list[float]()
    loss_of = _loss(teacher, dtype)
    network.train()
    for epoch in range(course.epochs):
        right, rate = 0, 0.0
        for number in range(per):
            rate = course.rate(epoch * per + number, course.epochs * per, history.loss)
            pixels, classes = next(batches)
            truth = torch.from_numpy(classes).long()
            steps.optimizer.zero_grad(set_to_none=True)
            given = networks.batch(pixels, dtype)
            found = network(given)
            loss = loss_of(given, found, truth)
            loss.backward()
            steps.take(rate)
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                raise Divergence(f"the training loss became {losses[-1]} in epoch {epoch + 1}, step {number + 1}")
            right += int((found.argmax(dim=1) == truth).sum())
            progress((epoch + (number + 1) / per) / course.epochs, f"epoch {epoch + 1}/{course.epochs}")
            if len(losses) == most_steps:
                return history, losses
        mean = float(np.mean(losses[-per:]))
        history = history.followed_by(History((mean,), (right / (per * course.batch_size),), (rate,)))
        if after_epoch is not None:
            after_epoch(epoch)
    return history, losses


def _loss(
    teacher: Teacher | None, dtype: torch.dtype
) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
    """Gives the loss of a batch from its images, the network's logits and the labels."""
    if teacher is None:
        return lambda _images, found, truth: nn.functional.cross_entropy(found, truth)
    taught_by, share = networks.module(teacher.spec, teacher.weights, dtype).eval(), teacher.share

    def distilled(images: torch.Tensor, found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = nn.functional.log_softmax(taught_by(images) / TEMPERATURE, dim=1)
        softened = nn.functional.log_softmax(found / TEMPERATURE, dim=1)
        apart = nn.functional.kl_div(softened, wanted, log_target=True, reduction="batchmean")
        return (1 - share) * nn.functional.cross_entropy(found, truth) + share * TEMPERATURE**2 * apart

    return distilled
