"""Training against the same steps written out by hand, and what a training promises."""

import numpy as np
import pytest

from wool_tf import environment
from wool_tf.errors import Divergence, WoolError
from wool_tf.networks import scoring
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import taylor
from wool_tf.training import trainer
from wool_tf.training.distillation import Teacher
from wool_tf.training.trainer import Course

FULL = ResNetSpec.full(18, 2, (32, 32, 1))
SPEC = FULL.resized(dict.fromkeys(FULL.by_group(), 8))
LABELS = np.arange(24) % 2
ALL = np.arange(24)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """A bright square in the middle of every defective image, and noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 100, (24, 35, 35), np.uint8)
    noise[LABELS == 1, 12:24, 12:24] += 120
    return noise


def course(**changes) -> Course:
    return Course(**{"epochs": 2, "batch_size": 8, "optimizer": "adam", "learning_rate": 3e-3, **changes})


def train(images, seed=1, weights=None, **changes):
    weights = weights or network_weights.initial(SPEC, 0)
    told = changes.pop("progress", lambda share, note: None)
    others = {name: changes.pop(name) for name in ("callbacks", "merit", "log") if name in changes}
    return trainer.train(SPEC, weights, images, LABELS, ALL, course(**changes), seed, told, **others)


def test_it_learns_what_can_be_seen(images):
    trained, history = train(images, epochs=20)
    scores = scoring.probabilities(trainer.logits(SPEC, trained, images, ALL))
    assert ((scores >= 0.5) == LABELS).mean() > 0.9
    assert history.loss[-1] < history.loss[0]
    assert len(history.accuracy) == len(history.learning_rate) == 20


def test_it_learns_what_its_teacher_says_against_the_labels(images):
    """They are of no use here: half of the images of each class have the square that the teacher knows."""
    known, _ = train(images, epochs=20)
    start, useless = network_weights.initial(SPEC, 0), np.arange(24) // 2 % 2
    trained, history = trainer.train(
        SPEC, start, images, useless, ALL, course(epochs=40), 1, lambda *_: None, teacher=Teacher(SPEC, known, 0.9)
    )
    wanted, scores = (scoring.probabilities(trainer.logits(SPEC, each, images, ALL)) for each in (known, trained))
    assert ((scores >= 0.5) == (wanted >= 0.5)).mean() > 0.9
    assert ((scores >= 0.5) == useless).mean() < 0.7
    assert history.loss[-1] < history.loss[0]


def test_nothing_is_left_of_an_earlier_training(images):
    first, history = train(images)
    train(images, seed=5, learning_rate=1e-2)
    second, again = train(images)
    assert history == again
    assert all((first[key] == second[key]).all() for key in first)


def test_the_last_digits_follow_the_seed(images):
    first, _ = train(images)
    other, _ = train(images, seed=2)
    assert any((first[key] != other[key]).any() for key in first)


def test_one_step_of_sgd_is_the_gradient_descent(images):
    """Of the head's bias, whose gradient has a closed form: mean(softmax − one-hot)."""
    import keras

    from wool_tf.data.batches import augmented
    from wool_tf.networks.resnet import ResNet

    start = network_weights.initial(SPEC, 0)
    trained, _ = train(images, optimizer="sgd", epochs=1, batch_size=24, learning_rate=0.1)  # a cosine begins at 1
    model = ResNet(SPEC)
    network_weights.assign(model, start)
    crops, labels = next(augmented(images, LABELS, ALL, 32, 24, seed=1))
    softmax = keras.ops.convert_to_numpy(keras.ops.softmax(model(crops, training=True)))
    gradient = (softmax - np.eye(2)[labels]).mean(axis=0)
    assert trained["fc.bias"] == pytest.approx(start["fc.bias"] - 0.1 * gradient, abs=1e-6)


def test_every_step_has_the_rate_of_the_schedule(images, monkeypatch):
    """Three epochs of three steps: half a cosine over nine."""
    rates, schedule = [], trainer._Schedule
    before = schedule.on_train_batch_begin

    def watched(self, batch, logs=None):
        before(self, batch, logs)
        rates.append(float(self.model.optimizer.learning_rate))

    monkeypatch.setattr(schedule, "on_train_batch_begin", watched)
    _, history = train(images, epochs=3, learning_rate=2e-3)
    assert rates == pytest.approx([1e-3 * (1 + np.cos(np.pi * step / 9)) for step in range(9)], rel=1e-5)
    assert history.learning_rate == pytest.approx(rates[2::3])


def test_the_learning_rate_falls_on_plateaus(images):
    # So small a rate that the loss only wanders: new minima become rare.
    plateau = {"schedule": "plateau", "plateau_patience": 1, "plateau_factor": 0.1}
    _, history = train(images, epochs=12, learning_rate=1e-9, **plateau)
    rates = history.learning_rate
    assert rates[0] == pytest.approx(1e-9)
    assert rates[-1] < 2e-10
    assert all(later <= earlier for earlier, later in zip(rates, rates[1:], strict=False))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weight_decay_takes_its_share_of_kernels_only(images, optimizer):
    """With a learning rate η and decay λ a step takes ηλ of a kernel, whatever the gradient does besides."""
    start, options = network_weights.initial(SPEC, 0), {"optimizer": optimizer, "epochs": 1, "batch_size": 24}
    plain, _ = train(images, weights=start, learning_rate=1e-3, **options)
    decayed, _ = train(images, weights=start, learning_rate=1e-3, weight_decay=0.5, **options)
    for key in start:
        taken = 5e-4 * start[key] if key.endswith("weight") and start[key].ndim > 1 else 0.0
        np.testing.assert_allclose(plain[key] - decayed[key], taken, atol=2e-7)


def test_the_best_epoch_is_kept_the_earliest_of_equals(images):
    merits, seen = iter([0.5, 0.9, 0.9, 0.2]), []

    def merit(weights):
        seen.append(weights)
        return next(merits)

    trained, history = train(images, epochs=4, merit=merit)
    assert history.merit == (0.5, 0.9, 0.9, 0.2)
    assert all((trained[key] == seen[1][key]).all() for key in trained)
    assert len(seen) == 4


def test_curves_for_tensorboard(images, tmp_path):
    pytest.importorskip("tensorboard")
    train(images, log=tmp_path / "log")
    assert list((tmp_path / "log").rglob("events.out.tfevents.*"))


def test_progress_grows_to_the_end(images):
    shares = []
    train(images, progress=lambda share, note: shares.append(share))
    assert shares == pytest.approx(np.arange(1, 7) / 6)


def test_a_callback_may_change_the_network(images):
    import keras

    zero = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: zero.model.get_layer("fc").kernel.assign(np.zeros((8, 2)))
    )
    trained, _ = train(images, callbacks=[zero])
    assert not trained["fc.weight"].any()


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_a_loss_that_is_not_finite_stops_the_training(images):
    with pytest.raises(Divergence, match=r"loss became (nan|inf) in epoch 1, step \d"):
        train(images, optimizer="sgd", epochs=4, learning_rate=1e30)


def test_a_network_that_onednn_cannot_train_is_refused(images, monkeypatch):
    """Below eight channels its gradient of the first convolution writes beyond its memory."""
    narrow = SPEC.resized({"layer1": 7})
    monkeypatch.setattr(environment, "onednn", lambda: True)
    with pytest.raises(WoolError, match=r"^conv1: has 7 channels, and oneDNN cannot train fewer than 8; remove less"):
        trainer.train(narrow, network_weights.initial(narrow, 0), images, LABELS, ALL, course(), 0, lambda *_: None)
    monkeypatch.setattr(environment, "onednn", lambda: False)
    assert trainer.stem_flaw(narrow) is None


@pytest.mark.parametrize("precision", ["float64"], indirect=True)
def test_networks_that_rank_filters_are_forgotten_with_the_others(precision):
    import keras

    keras.config.set_dtype_policy("float32")
    trainer.clear()
    assert taylor.network(SPEC).compute_dtype == "float32"
    keras.config.set_dtype_policy(precision)
    trainer.clear()
    assert taylor.network(SPEC).compute_dtype == "float64"
    trainer.clear()
