"""Another Keras backend gives the same: JAX in a process of its own, TensorFlow in one of its own.

Needs jax (the extra `jax`); skipped without, and the comparison is skipped where TensorFlow is not installed.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

if importlib.util.find_spec("jax") is None:
    pytest.skip("could not import 'jax'", allow_module_level=True)

# Two processes, each of which compiles everything anew.
pytestmark = pytest.mark.slow

# Writes what a backend makes of fixed weights and images: whole, masked, zeroed, compact and loaded networks, two
# trainings, Taylor scores, and both schedules of pruning within fit. Everything that goes in follows from seeds of
# NumPy's.
PROGRAM = """
import sys
from pathlib import Path

import keras
import numpy as np

from wool_tf.networks import weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import compaction, importance, plan
from wool_tf.pruning.callbacks import AsymptoticSoftPruning, HardPruning
from wool_tf.pruning.layers import MaskedResNet, masked, zero_filters
from wool_tf.training import batch_norms, trainer

folder, found = Path(sys.argv[1]), {"backend": np.array(keras.config.backend())}
rng = np.random.default_rng(0)


def logits(kind, spec, arrays, images, mask=None, zeroed=None):
    model = kind(spec)
    weights.assign(model, arrays)
    if mask is not None:
        model.apply(mask)
    if zeroed is not None:
        zero_filters(model, zeroed)
    outputs = keras.ops.convert_to_numpy(model(images, training=False))
    if spec.depth == 18:
        path = folder / f"{keras.config.backend()}.keras"
        model.save(path)
        again = keras.saving.load_model(path, safe_mode=True)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(images, training=False)), outputs)
    return outputs


for depth in (18, 50):
    full = ResNetSpec.full(depth, 2, (33, 47, 1))
    spec = full.resized({group: width // 8 for group, width in full.by_group().items()})
    arrays = weights.initial(spec, seed=depth)
    for key, array in arrays.items():
        if array.ndim == 1 and not key.startswith("fc"):
            low, high = (-0.4, 0.4) if key.endswith(("bias", "mean")) else (0.5, 1.2)
            arrays[key] = rng.uniform(low, high, array.shape).astype(np.float32)
    images = rng.normal(size=(3, *spec.input_shape)).astype(np.float32)
    recipe = plan.named("paper-text", depth)
    chosen = plan.make(spec, importance.scores(arrays, spec, recipe.importance), recipe)
    found[f"{depth} whole"] = logits(ResNet, spec, arrays, images)
    found[f"{depth} masked"] = logits(MaskedResNet, spec, arrays, images, mask=chosen)
    found[f"{depth} zeroed"] = logits(ResNet, spec, arrays, images, zeroed=chosen)
    found[f"{depth} compact"] = logits(ResNet, chosen.compact, compaction.gather(arrays, chosen), images)

full = ResNetSpec.full(18, 2, (64, 64, 1))
spec = full.resized({group: width // 8 for group, width in full.by_group().items()})
arrays = weights.initial(spec, seed=1)
images, labels = rng.integers(0, 256, (12, 70, 70)).astype(np.uint8), np.arange(12) % 2
recipe = plan.Recipe(0.3)
chosen = plan.make(spec, importance.scores(arrays, spec, "l1"), recipe)
class Zero(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        zero_filters(self.model, chosen)


for optimizer, rate, mask, callbacks in (("sgd", 0.001, chosen, ()), ("adam", 0.0001, None, [Zero()])):
    course = trainer.Course(3, 6, optimizer, rate)
    trained, history = trainer.train(
        spec, arrays, images, labels, np.arange(12), course, 0, lambda *_: None, mask, callbacks
    )
    found[f"{optimizer} losses"] = np.array(history.loss)
    found[f"{optimizer} scores"] = trainer.logits(spec, trained, images, np.arange(12), mask=mask)
    estimated = batch_norms.reestimated(spec, arrays, images, np.arange(12), 11, 0, mask)
    found[f"{optimizer} statistics"] = np.concatenate([a for key, a in estimated.items() if "running" in key])
    assert np.abs(found[f"{optimizer} statistics"]).max() > 0.1

features = rng.normal(size=(12, 64, 64, 1)).astype(np.float32)
taylor = importance.scores(arrays, spec, "taylor", examples=(features, labels))
found["taylor"] = np.concatenate(list(taylor.values()))
plain = ResNet(spec)
weights.assign(plain, arrays)
hard = HardPruning(plan.Recipe(0.3, importance="taylor"), epochs=(0, 2), examples=(features, labels))
for name, pruning in (("hard", hard), ("soft", AsymptoticSoftPruning(plan.Recipe(0.3, importance="l2")))):
    model = masked(plain)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss)
    ran = model.fit(features, labels, batch_size=6, epochs=3, shuffle=False, verbose=0, callbacks=[pruning])
    found[f"{name} fit losses"] = np.array(ran.history["loss"])
    path = folder / f"{keras.config.backend()}-{name}.keras"
    model.save(path)
    again = keras.saving.load_model(path, safe_mode=True)
    smaller = compact.compact(again)
    assert smaller.spec == pruning.plan.compact
    for kind, network in (("masked", model), ("compact", smaller)):
        found[f"{name} fit {kind}"] = keras.ops.convert_to_numpy(network(features, training=False))
np.savez(folder / f"{keras.config.backend()}.npz", **found)
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What a backend gave, by its name."""
    folder = tmp_path_factory.mktemp("backends")

    def run(backend: str) -> dict[str, np.ndarray]:
        if not (folder / f"{backend}.npz").exists():
            settings = {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
            command = [sys.executable, "-c", PROGRAM, str(folder)]
            ran = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr[-2000:]
        with np.load(folder / f"{backend}.npz") as file:
            return dict(file)

    return run


def test_masked_and_compact_agree(outputs):
    found = outputs("jax")
    assert found["backend"] == "jax"
    for depth in (18, 50):
        assert np.abs(found[f"{depth} whole"] - found[f"{depth} masked"]).max() > 1e-3
        assert np.abs(found[f"{depth} whole"] - found[f"{depth} zeroed"]).max() > 1e-3
    for name in ("18", "50", "hard fit", "soft fit"):
        difference = np.abs(found[f"{name} masked"] - found[f"{name} compact"]).max()
        largest = np.abs(found[f"{name} masked"]).max()
        print(f"{name}: {difference:.1e} of {largest:.1f}")
        assert difference <= 1e-4 * max(1, largest)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="could not import 'tensorflow'")
def test_same_as_tensorflow(outputs):
    """Logits and training with SGD agree up to rounding; both train on the same batches, which follow from seeds.

    Adam divides gradients by their own size, so that it magnifies the rounding of those that ought to be zero. So do
    batch norms behind kernels that grow from zero, which is why soft pruning is not compared.
    """
    ours, theirs = outputs("jax"), outputs("tensorflow")
    assert (ours.pop("backend"), theirs.pop("backend")) == ("jax", "tensorflow")
    assert list(ours) == list(theirs)
    for name, values in ours.items():
        if name.startswith("soft fit"):
            continue
        scale = max(1, np.abs(theirs[name]).max())
        difference = np.abs(values - theirs[name]).max()
        print(f"{name}: {difference:.1e} of {scale:.1f}")
        assert difference <= (1e-2 if name.startswith("adam") else 1e-5) * scale, name
