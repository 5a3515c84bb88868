"""The two schedules of pruning as callbacks of `fit`: hard for a network with masks (`layers.masked`), soft for any.

Neither touches the optimizer: what it remembers of earlier steps (momentum, Adam's moments) stays.
"""

import dataclasses
from collections.abc import Sequence

import keras

from wool_tf import seeds
from wool_tf.errors import WoolError
from wool_tf.networks import weights as network_weights
from wool_tf.networks.resnet import ResNet
from wool_tf.pruning import importance, plan
from wool_tf.pruning.compaction import gather
from wool_tf.pruning.importance import Examples
from wool_tf.pruning.layers import MaskedResNet, zero_filters
from wool_tf.pruning.plan import Plan, Recipe
from wool_tf.pruning.schedules import asymptotic


class _Pruning(keras.callbacks.Callback):
    """What both schedules share: the plan that a recipe makes of the model."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe
        self.plan: Plan | None = None

    @property
    def left(self) -> Plan:
        """What is not masked yet."""
        return self.model.plan if isinstance(self.model, MaskedResNet) else Plan.whole(self.model.spec)

    def choose(self, recipe: Recipe, seed: int = 0, examples: Examples | None = None) -> Plan:
        """What a recipe leaves of the channels that are not masked yet, judged as if the others were not there."""
        left = self.left
        weights = gather(network_weights.read(self.model), left)
        scores = importance.scores(weights, left.compact, recipe.importance, seed, examples)
        return left.then(plan.make(left.compact, scores, recipe))


class HardPruning(_Pruning):
    """Masks filters at the beginning of given epochs; the epochs between fine-tune what is left.

    Each time the recipe is applied to the channels that are left, as to a network without the others (Li et al. 2016,
    https://arxiv.org/abs/1608.08710, section 3.4). Masked filters get no gradient. Momentum from before the round and
    weight decay still move their weights for a while, which changes nothing: nothing reads their channels, which stay
    masked. A round leaves the learning rate as it is.

    Arguments:
        recipe: Recipe of one round.
        epochs: when to prune, counted from 0 as `fit` counts.
        seed: int, for the measure `random`; every round draws other numbers.
        examples: normalised images and their labels, for the measure `taylor`.

    Attributes:
        plan: Plan. What stays after the rounds so far, of the network's channels; None before training.

    Raises:
        WoolError: `epochs` are none, negative or not ascending; when training begins, the model has no masks or the
            training is too short for a round; when pruning, the measure needs examples and has none.
    """

    def __init__(self, recipe: Recipe, epochs: Sequence[int] = (0,), seed: int = 0, examples: Examples | None = None):
        super().__init__(recipe)
        self.epochs, self.seed, self.examples = list(epochs), seed, examples
        if not self.epochs or self.epochs[0] < 0 or self.epochs != sorted(set(self.epochs)):
            raise WoolError(f"epochs: must be ascending, from 0, and at least one, got {self.epochs}")

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not isinstance(self.model, MaskedResNet):
            raise WoolError(f"model: needs masks (wool_tf.pruning.layers.masked), it is a {type(self.model).__name__}")
        if self.epochs[-1] >= self.params["epochs"]:
            raise WoolError(
                f"epochs: pruning at epoch {self.epochs[-1]} needs a longer training than {self.params['epochs']}"
            )
        self.plan = self.left

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if epoch in self.epochs:
            self.plan = self.choose(self.recipe, seeds.derive(self.seed, "filters", epoch), self.examples)
            self.model.apply(self.plan)


class AsymptoticSoftPruning(_Pruning):
    """Zeroes the kernels of ever more filters after each epoch; when training ends, masks them or says what to remove.

    Asymptotic soft filter pruning (ASFP; He et al. 2019, https://arxiv.org/abs/1808.07471). The rate grows by
    `schedules.asymptotic` over the epochs of `fit`. A zeroed kernel is free: the next step moves it by its gradient,
    and by what momentum remembers of earlier ones, and once it has outgrown others it is they that are zeroed.

    When training ends, the filters that were zeroed last have norm zero and are the weakest still. Where the model has
    masks, their channels are masked, and the constants that their batch norms emit go with them; a plain `ResNet` is
    left to the caller (`compaction.gather` and the `plan`). Where the training was stopped early, the goal is
    reached then at once. Validation within `fit` sees the network before it is zeroed. A callback that puts other
    weights back at the end (`EarlyStopping` with `restore_best_weights`) must come before this one.

    Arguments:
        recipe: Recipe with the rates of the end; its importance names a norm, `l2` in the publication.

    Attributes:
        plan: Plan. What stayed when filters were zeroed or masked last; None before the end of the first epoch.

    Raises:
        WoolError: the measure is no norm, or, as the training begins, the model is no network of wool_tf.
    """

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        if recipe.importance not in ("l1", "l2"):
            raise WoolError(f"importance: soft pruning ranks filters by l1 or l2, got {recipe.importance!r}")

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not isinstance(self.model, ResNet):
            raise WoolError(f"model: must be a ResNet of wool_tf, masked or not, it is a {type(self.model).__name__}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        rates = [asymptotic(epoch, self.params["epochs"], goal) for goal in self.recipe.by_stack]
        self.plan = self.choose(dataclasses.replace(self.recipe, rates=rates))
        zero_filters(self.model, self.plan)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.plan = self.choose(self.recipe)
        if isinstance(self.model, MaskedResNet):
            self.model.apply(self.plan)
