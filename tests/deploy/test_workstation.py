"""The network in PyTorch and in ONNX Runtime against Keras. Most needs the extras torch and onnx, or is skipped."""

import importlib.util
import sys

import numpy as np
import pytest

from wool_tf import WoolError
from wool_tf.deploy import workstation
from wool_tf.networks import complexity, weights
from wool_tf.networks.spec import ResNetSpec

ABSENT = [package for package in workstation.PACKAGES if importlib.util.find_spec(package) is None]
needs_packages = pytest.mark.skipif(bool(ABSENT), reason=f"needs {', '.join(ABSENT)}")


def narrow(depth: int, input_shape: tuple[int, int, int]) -> ResNetSpec:
    """A network pruned to widths that differ from group to group."""
    full = ResNetSpec.full(depth, 2, input_shape)
    widths = {group: max(3, width // 12) + number % 4 for number, (group, width) in enumerate(full.by_group().items())}
    return full.resized(widths)


def random_weights(spec: ResNetSpec) -> dict:
    """Weights with batch norms far from the identity."""
    arrays, rng = weights.initial(spec, seed=1), np.random.default_rng(2)
    for key, array in arrays.items():
        if array.ndim == 1:
            low, high = (0.5, 1.5) if key.endswith(("weight", "running_var")) else (-0.3, 0.3)
            arrays[key] = rng.uniform(low, high, array.shape).astype(np.float32)
    return arrays


SPECS = [narrow(18, (45, 70, 1)), narrow(34, (64, 33, 3)), narrow(50, (64, 64, 1))]


@pytest.fixture(scope="module", params=SPECS, ids=lambda spec: f"resnet{spec.depth}")
def network(request):
    """A spec, weights, and what Keras makes of the random image."""
    from wool_tf.networks.resnet import restored

    spec, arrays = request.param, random_weights(request.param)
    image = workstation.random_image(spec).transpose(0, 2, 3, 1)
    return spec, arrays, np.asarray(restored(spec, arrays)(image, training=False))


@needs_packages
def test_pytorch_gives_keras_logits(network):
    import torch

    from wool_tf.deploy import torch_resnet

    spec, arrays, logits = network
    with torch.inference_mode():
        found = torch_resnet.restored(spec, arrays)(torch.from_numpy(workstation.random_image(spec))).numpy()
    assert np.abs(logits).max() > 0.1
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)


@needs_packages
def test_onnx_runtime_gives_keras_logits(network):
    import onnx
    import onnxruntime

    spec, arrays, logits = network
    file = workstation.to_onnx(spec, arrays)
    onnx.checker.check_model(onnx.load_from_string(file))
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    height, width, channels = spec.input_shape
    assert (image.shape, image.type) == ([1, channels, height, width], "tensor(float)")
    (found,) = session.run(None, {image.name: workstation.random_image(spec)})
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)


@needs_packages
@pytest.mark.parametrize("spec", [*SPECS, ResNetSpec.full(18, 1000, (224, 224, 3))])
def test_names_and_shapes_are_those_of_a_checkpoint(spec):
    import torch

    from wool_tf.deploy import torch_resnet

    with torch.device("meta"):
        state = torch_resnet.TorchResNet(spec).state_dict()
    found = {key: tuple(tensor.shape) for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    assert found == weights.shapes(spec)


@needs_packages
def test_a_wrong_weight_is_named():
    from wool_tf.deploy import torch_resnet

    arrays = random_weights(SPECS[0])
    del arrays["layer1.0.bn1.bias"]
    with pytest.raises(WoolError, match="the key layer1.0.bn1.bias of a ResNet-18 is missing"):
        torch_resnet.restored(SPECS[0], arrays)


@needs_packages
def test_a_checkpoint_is_loaded_for_each_number_of_threads(tmp_path):
    import onnxruntime
    import torch

    spec = SPECS[0]
    weights.save(tmp_path / "net.safetensors", spec, random_weights(spec))
    (pytorch_facts, onnx_facts), load = workstation.candidates(tmp_path / "net.safetensors")
    for threads in (2, 1):
        pytorch, onnx_runtime = load(threads)
        assert torch.get_num_threads() == threads
        assert onnx_runtime._session.get_session_options().intra_op_num_threads == threads
        for loaded in (pytorch, onnx_runtime):
            assert loaded.load_ms > 0 and loaded.first_ms > 0 and loaded.run() > 0
    for facts in (pytorch_facts, onnx_facts):
        assert (facts.file, facts.precision, facts.card) == (str(tmp_path / "net.safetensors"), "fp32", None)
    assert pytorch_facts.runtime == f"PyTorch {torch.__version__}"
    assert onnx_facts.runtime == f"ONNX Runtime {onnxruntime.__version__}"
    # Four bytes for each weight, and the names.
    values = 4 * sum(np.prod(shape) for shape in weights.shapes(spec).values())
    assert pytorch_facts.bytes == (tmp_path / "net.safetensors").stat().st_size
    assert 0.9 * values < onnx_facts.bytes < 1.2 * values + 20_000
    assert pytorch_facts.network == f"ResNet-18, {complexity.parameters(spec) / 1e6:.2f} M parameters"


@needs_packages
def test_a_checkpoint_that_cannot_be_read(tmp_path):
    with pytest.raises(WoolError, match="no.safetensors: cannot be read as a checkpoint"):
        workstation.candidates(tmp_path / "no.safetensors")


@pytest.mark.parametrize("package", workstation.PACKAGES)
def test_a_missing_package_is_one_line(package, tmp_path, monkeypatch):
    for other in workstation.PACKAGES:
        monkeypatch.setitem(sys.modules, other, np)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(WoolError, match=f"^{package}: is not installed; in the project's folder: "):
        workstation.candidates(tmp_path / "net.safetensors")


def test_the_image_is_normalised_and_has_channels_first():
    image = workstation.random_image(ResNetSpec.full(18, 2, (40, 50, 3)))
    assert (image.shape, image.dtype) == ((1, 3, 40, 50), np.float32)
    # Of pixels from 0 to 255, with the mean and deviation of training.
    assert image.min() == pytest.approx(-115 / 255 / 0.226, rel=1e-5)
    assert image.max() == pytest.approx((255 - 115) / 255 / 0.226, rel=1e-5)
