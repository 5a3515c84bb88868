"""The networks against torchvision's own: the same logits on real photographs, and the same training.

Needs torch and torchvision (the extra `torch`); skipped without.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wool_tf.networks import weights
from wool_tf.networks.imagenet import resolve
from wool_tf.networks.spec import BLOCKS_PER_STAGE, ResNetSpec, is_bottleneck

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn.datasets")
if importlib.util.find_spec("torchvision") is None:
    pytest.skip("could not import 'torchvision'", allow_module_level=True)

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "weights"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def torchvision_resnet():
    """torchvision's module of ResNets.

    Its compiled operators may be built for another torch (a wheel for CUDA beside a torch for the CPU). ResNets need
    none of them, but importing torchvision then fails, since it describes two of them further without asking whether
    they were loaded. They are declared here, without an implementation, in that case alone.
    """
    package = Path(importlib.util.find_spec("torchvision").origin).parent
    declared = torch.library.Library("torchvision", "FRAGMENT")
    try:
        for compiled in package.glob("_C*.so"):
            torch.ops.load_library(compiled)
    except OSError:
        for name in ("nms", "qnms"):
            declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision.models import resnet

    return resnet


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """scikit-learn's two photographs, prepared as for ImageNet: (2, 224, 224, 3)."""
    from sklearn.datasets import load_sample_images

    prepared = []
    for pixels in load_sample_images().images:
        image = Image.fromarray(pixels)
        scale = 256 / min(image.size)
        image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BILINEAR)
        left, top = ((side - 224) // 2 for side in image.size)
        crop = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / 255
        prepared.append((crop - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD))
    return np.stack(prepared)


def torch_model(resnet, spec: ResNetSpec, arrays: dict):
    """torchvision's network of a full-width spec, with given weights."""
    block = resnet.Bottleneck if is_bottleneck(spec.depth) else resnet.BasicBlock
    model = resnet.ResNet(block, list(BLOCKS_PER_STAGE[spec.depth]), num_classes=spec.classes)
    state = {key: torch.from_numpy(array.copy()) for key, array in arrays.items()}
    counters = {key: value for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
    model.load_state_dict(state | counters)
    return model


def keras_model(spec: ResNetSpec, arrays: dict):
    from wool_tf.networks.resnet import ResNet

    model = ResNet(spec)
    weights.assign(model, arrays)
    return model


def channels_first(images: np.ndarray):
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def both_logits(resnet, spec: ResNetSpec, arrays: dict, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ours = keras_model(spec, arrays).predict_on_batch(images)
    with torch.no_grad():
        theirs = torch_model(resnet, spec, arrays).eval()(channels_first(images)).numpy()
    return ours, theirs


def random_weights(spec: ResNetSpec, seed: int) -> dict:
    """Random weights with batch norms far from the identity, that still keep the signal's size through any depth."""
    arrays, rng = weights.initial(spec, seed), np.random.default_rng(seed)
    # A block adds a share of its own to the trunk, so that the sum of up to 36 blocks stays moderate.
    last = {stage[0].convolutions[-1].norm.rsplit(".", 1)[1] for stage in spec.stages}
    for key, array in arrays.items():
        if key.startswith("fc."):
            arrays[key] = array * 20
        elif array.ndim == 1:
            low, high = (0.2, 0.4) if key.endswith(".weight") and key.split(".")[-2] in last else (0.6, 1.4)
            spread = rng.uniform(low, high, array.shape)
            arrays[key] = (spread if key.endswith((".weight", "running_var")) else spread - 1).astype(np.float32)
    return arrays


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    print(f"largest difference {np.abs(ours - theirs).max():.2e}, largest logit {np.abs(theirs).max():.2f}")
    top = [np.argsort(logits)[:, :-6:-1].tolist() for logits in (ours, theirs)]
    print(f"top-5 {top[0]}")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
    assert top[0] == top[1]


@pytest.mark.parametrize("depth", [18, 50])
def test_logits_with_real_weights(depth, torchvision_resnet, photographs):
    path = SHARED / f"resnet{depth}.safetensors"
    if not path.exists():
        pytest.skip(f"needs ../shared/weights/{path.name}")
    spec = ResNetSpec.full(depth, classes=1000, input_shape=(224, 224, 3))
    assert_same(*both_logits(torchvision_resnet, spec, resolve(str(path), spec, seed=0), photographs))


@pytest.mark.parametrize("depth", [34, 101, 152])
def test_logits_with_random_weights(depth, torchvision_resnet, photographs):
    spec = ResNetSpec.full(depth, classes=1000, input_shape=(224, 224, 3))
    ours, theirs = both_logits(torchvision_resnet, spec, random_weights(spec, seed=depth), photographs)
    # Neither so small that any two networks agree, nor so large that rounding alone passes the tolerance.
    assert 1 < np.abs(theirs).max() < 10
    assert_same(ours, theirs)


@pytest.mark.parametrize("depth", BLOCKS_PER_STAGE)
def test_keys_and_shapes_are_torchvisions(depth, torchvision_resnet):
    spec = ResNetSpec.full(depth, classes=1000, input_shape=(224, 224, 3))
    with torch.device("meta"):
        state = getattr(torchvision_resnet, f"resnet{depth}")().state_dict()
    theirs = {key: tuple(tensor.shape) for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    assert weights.shapes(spec) == theirs


def test_training_takes_the_same_steps(torchvision_resnet):
    """Five steps of SGD from the same weights on the same batches give the same losses and weights.

    One difference is known and left out: PyTorch keeps the unbiased variance of a batch (over n − 1) in its running
    variance, Keras the biased one (over n). Rounding grows from step to step, since batch norm over four images
    magnifies it, so the tolerances are those of training: 1e-3 on losses and 1e-3 of what training changed on weights.
    """
    import keras

    spec = ResNetSpec.full(18, classes=2, input_shape=(64, 64, 3))
    start, rng = weights.initial(spec, seed=0), np.random.default_rng(0)
    images = rng.normal(size=(5, 4, 64, 64, 3)).astype(np.float32)
    labels = np.array([[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0], [0, 1, 1, 1]])

    model = keras_model(spec, start)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    ours = [float(model.train_on_batch(*batch)) for batch in zip(images, labels, strict=True)]

    other = torch_model(torchvision_resnet, spec, start).train()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.01, momentum=0.9)
    theirs = []
    for batch, target in zip(images, labels, strict=True):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(other(channels_first(batch)), torch.from_numpy(target))
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())

    print(f"losses {np.round(ours, 5).tolist()}, largest difference {np.abs(np.subtract(ours, theirs)).max():.2e}")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)
    trained, state = weights.read(model), other.state_dict()
    worst = 0.0
    for key in weights.shapes(spec):
        if not key.endswith("running_var"):
            reference = state[key].numpy()
            change = np.linalg.norm(reference - start[key])
            worst = max(worst, np.linalg.norm(trained[key] - reference) / change)
    print(f"largest difference of weights, relative to what training changed: {worst:.2e}")
    assert worst < 1e-3
