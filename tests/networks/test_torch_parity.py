"""The networks against torchvision's own: the same logits on real photographs, and the same training.

Needs torch and torchvision (the extra `torch`); skipped without.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wool_tf.networks import weights
from wool_tf.networks.initial_weights import resolve
from wool_tf.networks.spec import BLOCKS_PER_STACK, ResNetSpec, is_bottleneck

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn.datasets")
if importlib.util.find_spec("torchvision") is None:
    pytest.skip("could not import 'torchvision'", allow_module_level=True)

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "weights"
# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RATE, MOMENTUM = 0.001, 0.9
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
    model = resnet.ResNet(block, list(BLOCKS_PER_STACK[spec.depth]), num_classes=spec.classes)
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
    # Called directly: tracing a graph for two images would take longer.
    ours = np.asarray(keras_model(spec, arrays)(images, training=False))
    with torch.no_grad():
        theirs = torch_model(resnet, spec, arrays).eval()(channels_first(images)).numpy()
    return ours, theirs


def random_weights(resnet, spec: ResNetSpec, images: np.ndarray) -> dict:
    """Random weights with batch norms far from the identity, their statistics those of the images.

    Other statistics would blow up or drown the signal in the deeper networks. The scale of what a block adds to its
    trunk is small, as trained networks have it: with scales about 1 a network of 100 random layers is chaotic, and
    magnifies the rounding of its first layers to 1e-3 in its logits.
    """
    arrays, rng = weights.initial(spec, seed=spec.depth), np.random.default_rng(spec.depth)
    adding = {f"{block.convolutions[-1].norm}.weight" for stack in spec.stacks for block in stack}
    for key, array in arrays.items():
        if array.ndim == 1 and not key.startswith("fc."):
            low, high = (0.1, 0.3) if key in adding else (0.6, 1.4) if key.endswith("weight") else (-0.4, 0.4)
            arrays[key] = rng.uniform(low, high, array.shape).astype(np.float32)
    arrays["fc.weight"] *= 3
    model = torch_model(resnet, spec, arrays).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model(channels_first(images))
    return {key: model.state_dict()[key].numpy() for key in arrays}


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
    arrays = random_weights(torchvision_resnet, spec, photographs)
    ours, theirs = both_logits(torchvision_resnet, spec, arrays, photographs)
    # Neither so small that any two networks agree, nor so large that rounding alone breaks the tolerance.
    assert 1 < np.abs(theirs).max() < 10
    assert_same(ours, theirs)


@pytest.mark.parametrize("depth", BLOCKS_PER_STACK)
def test_keys_and_shapes_are_torchvisions(depth, torchvision_resnet):
    spec = ResNetSpec.full(depth, classes=1000, input_shape=(224, 224, 3))
    with torch.device("meta"):
        state = getattr(torchvision_resnet, f"resnet{depth}")().state_dict()
    theirs = {key: tuple(tensor.shape) for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    assert weights.shapes(spec) == theirs


def keras_losses(model, batches: list) -> list[float]:
    import keras

    model.compile(
        keras.optimizers.SGD(RATE, momentum=MOMENTUM), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return [float(model.train_on_batch(images, labels)) for images, labels in batches]


def torch_losses(model, batches: list) -> list[float]:
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM), []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(channels_first(images)), torch.from_numpy(labels))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    ("precision", "losses_within", "weights_within"),
    [("float64", 1e-6, 1e-6), ("float32", 1e-2, 0.2)],
    indirect=["precision"],
)
def test_training_takes_the_same_steps(precision, losses_within, weights_within, torchvision_resnet):
    """Five steps of SGD from the same weights on the same batches give the same losses and weights.

    Batch norm over so few pixels magnifies rounding from step to step, so float64 is what shows that the steps are the
    same (Keras rounds the momentum of 0.9 to float32 even there). In float32 the losses end no further apart than
    either is from its own float64 run. The tolerance of the weights is relative to what training changed.
    """
    spec = ResNetSpec.full(18, classes=2, input_shape=(64, 64, 3))
    start, rng = weights.initial(spec, seed=0), np.random.default_rng(0)
    images = rng.normal(size=(5, 4, 64, 64, 3)).astype(precision)
    labels = np.array([[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0], [0, 1, 1, 1]])
    batches = list(zip(images, labels, strict=True))

    model = keras_model(spec, start)
    other = torch_model(torchvision_resnet, spec, start).to(getattr(torch, precision)).train()
    ours, theirs = keras_losses(model, batches), torch_losses(other, batches)
    print(f"losses {np.round(ours, 5).tolist()}, largest difference {np.abs(np.subtract(ours, theirs)).max():.2e}")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=losses_within)

    trained, worst = weights.read(model), 0.0
    for key, tensor in other.state_dict().items():
        if key in trained:
            change = np.linalg.norm(tensor.numpy() - start[key])
            worst = max(worst, np.linalg.norm(trained[key] - tensor.numpy()) / change)
    print(f"weights differ by at most {worst:.2e} of what training changed")
    assert worst < weights_within
