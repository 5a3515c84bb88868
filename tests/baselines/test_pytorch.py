"""The protocol in PyTorch: the same networks and steps as ours, and pruning as its libraries have it.

Needs torch, torchvision and Torch-Pruning (the extra `torch`); skipped without.
"""

import numpy as np
import pytest

from wool_tf.data.dataset import Dataset
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import plan
from wool_tf.training import batch_norms, trainer
from wool_tf.training.config import IMPORTANCES, TrainingConfig
from wool_tf.training.distillation import Teacher
from wool_tf.training.fold import Fold
from wool_tf.training.trainer import Course

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision", exc_type=ImportError)
pytest.importorskip("torch_pruning")

from wool_tf.baselines.pytorch import methods, networks, protocol, steps, training  # noqa: E402

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIDE = 32
SPEC = ResNetSpec.full(18, classes=2, input_shape=(SIDE, SIDE, 1))


@pytest.fixture
def images() -> Dataset:
    rng, many = np.random.default_rng(0), 12
    names = np.array([str(number) for number in range(many)])
    pixels, labels = rng.integers(256, size=(many, SIDE + 3, SIDE + 3), dtype=np.uint8), np.arange(many) % 2
    return Dataset(pixels, labels, names, names, names, tuple(names), "folder", "fingerprint", True)


def test_a_compact_network_has_our_logits(images):
    smaller = plan.pruned(SPEC, plan.named("paper-table3", 18))
    arrays, chosen = weights.initial(smaller, seed=1), np.arange(12)
    theirs = networks.logits(networks.module(smaller, arrays), images.images, chosen, SIDE)
    np.testing.assert_allclose(trainer.logits(smaller, arrays, images.images, chosen), theirs, atol=1e-4)


def test_weights_come_back_as_they_went_in():
    arrays = weights.initial(SPEC, seed=2)
    found = networks.arrays(networks.module(SPEC, arrays))
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[key], arrays[key]) for key in arrays)


@pytest.mark.parametrize("measure", IMPORTANCES)
def test_torch_pruning_leaves_the_widths_of_our_recipe(measure):
    network = networks.module(SPEC, weights.initial(SPEC, seed=3))
    smaller = plan.pruned(SPEC, plan.named("paper-table3", 18))
    pictures = np.random.default_rng(0).normal(size=(8, SIDE, SIDE, 1)).astype(np.float32)
    methods.prune(network, SPEC, smaller, measure, (pictures, np.arange(8) % 2) if measure == "taylor" else None)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert networks.spec_of(network, SPEC) == smaller
    assert networks.logits(network, np.zeros((2, SIDE, SIDE), np.uint8), np.arange(2), SIDE).shape == (2, 2)


def test_published_asfp_zeroes_the_weakest_kernels_but_no_projection_and_no_shift():
    network = networks.module(SPEC, weights.initial(SPEC, seed=4))
    before = networks.arrays(network)
    methods.zero_filters(network, SPEC, 0.3)
    after = networks.arrays(network)
    for key, array in before.items():
        if array.ndim < 4 or "downsample" in key:
            np.testing.assert_array_equal(after[key], array)
            continue
        norms = np.sqrt((array.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
        gone = np.flatnonzero(~after[key].any(axis=(1, 2, 3)))
        assert len(gone) == int(len(array) * 0.3)
        assert norms[gone].max() <= np.delete(norms, gone).min()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_steps_are_keras_steps(optimizer, images):
    """The rate falls from step to step, which tells momentum of steps from momentum of gradients."""
    course = Course(epochs=2, batch_size=6, optimizer=optimizer, learning_rate=1e-2)
    arrays = weights.initial(SPEC, seed=5)
    beginning = steps.FirstSteps(SPEC, arrays, images, course, 4)
    ours, theirs = (losses(beginning, "float64") for losses in (steps.ours, steps.theirs))
    assert len(set(np.round(theirs, 3))) == 4
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_steps_of_a_network_that_another_one_teaches_are_keras_steps(images):
    course = Course(epochs=2, batch_size=6, optimizer="adam", learning_rate=1e-2)
    smaller = plan.pruned(SPEC, plan.named("paper-table3", 18))
    teacher = Teacher(SPEC, weights.initial(SPEC, seed=8), 0.8)
    arrays = weights.initial(smaller, seed=5)
    beginning = steps.FirstSteps(smaller, arrays, images, course, 4, teacher)
    ours, theirs = (losses(beginning, "float64") for losses in (steps.ours, steps.theirs))
    assert len(set(np.round(theirs, 3))) == 4
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_re_estimated_batch_norms_have_the_statistics_of_the_images(images):
    network = networks.module(SPEC, weights.initial(SPEC, seed=6)).double()
    seen = []
    network.conv1.register_forward_hook(lambda _layer, _given, found: seen.append(found.detach().numpy()))
    pixels = images.images.copy()
    float32 = networks.module(SPEC, networks.arrays(network))
    networks.reestimate(float32, pixels, np.arange(12), SIDE, 12, seed=0)
    network(networks.batch(networks.normalise(networks.centre_crop(pixels, SIDE)), torch.float64))
    (found,) = seen
    np.testing.assert_allclose(float32.bn1.running_mean.numpy(), found.mean(axis=(0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(float32.bn1.running_var.numpy(), found.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)


def test_re_estimated_batch_norms_are_ours():
    """Of two batches, whose means differ: in the last layers of a small image by a hundredth of the variance."""
    spec = SPEC.resized(dict.fromkeys(SPEC.by_group(), 16))
    pixels = np.random.default_rng(0).integers(256, size=(110, SIDE, SIDE), dtype=np.uint8)
    arrays, chosen = weights.initial(spec, seed=9), np.arange(5, 110)
    network = networks.module(spec, arrays)
    networks.reestimate(network, pixels, chosen, SIDE, 100, seed=5)
    found, ours = networks.arrays(network), batch_norms.reestimated(spec, arrays, pixels, chosen, 100, seed=5)
    assert found.keys() == ours.keys()
    for key, array in ours.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-4, atol=1e-5, err_msg=key)
    assert network.bn1.momentum == 0.1


def test_a_record_says_the_versions_that_bind_its_run(images, tmp_path):
    settings = TrainingConfig(image_size=SIDE, epochs=1, batch_size=6, rounds=0, asfp_rates=(), final="baseline")
    (stage,) = methods.stages(settings)
    fold = Fold("one", 0, images, np.arange(8), np.arange(8, 12), tmp_path)
    found = stage.run(fold, settings, lambda *_: None)
    assert set(protocol.PACKAGES) <= found.environment.keys()
    assert found.environment["torch"] == torch.__version__


def test_history_tells_every_epoch(images):
    network = networks.module(SPEC, weights.initial(SPEC, seed=7))
    told = []
    course = Course(epochs=2, batch_size=6, optimizer="adam", learning_rate=1e-3)
    history, losses = training.train(
        network, images.images, images.labels, np.arange(12), SIDE, course, 0, lambda *_: None, told.append
    )
    assert told == [0, 1]
    assert len(history.loss) == len(history.learning_rate) == 2 and len(losses) == 4
    assert history.loss[0] == pytest.approx(np.mean(losses[:2]))
