import dataclasses
import hashlib

import numpy as np
import pytest
from deploy_networks import SIDE, framed, network, pictures

from wool_tf.deploy import tflite_file as conversion
from wool_tf.deploy.geometry import CropGeometry
from wool_tf.deploy.tflite_file import convert, describe
from wool_tf.errors import WoolError
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import ResNetSpec
from wool_tf.quiet import quiet

LOADED = 70
"""Side at which training loads crops for networks of `SIDE` pixels."""


def run(tflite: bytes, images: np.ndarray, **settings) -> np.ndarray:
    """Dequantised logits, by the interpreter's own steps."""
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(model_content=tflite, **settings)
    opened.allocate_tensors()
    source, sink = opened.get_input_details()[0], opened.get_output_details()[0]
    found = []
    for image in images:
        opened.set_tensor(source["index"], image.reshape(source["shape"]).astype(source["dtype"]))
        opened.invoke()
        found.append(opened.get_tensor(sink["index"])[0].astype(np.float64))
    scale, zero_point = sink["quantization"]
    return (np.array(found) - zero_point) * (scale or 1)


def margins(logits: np.ndarray) -> np.ndarray:
    return logits[:, 1] - logits[:, 0]


@pytest.fixture(scope="module")
def tiny():
    """A network that converts in a second or two."""
    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    return network(spec.resized({group: 4 for group in spec.by_group()}))


@pytest.fixture(scope="module")
def tiny_images():
    return framed(pictures(4, seed=7)[:, :32, :32])


@pytest.mark.parametrize("name", ["odd", "bottlenecks", "real"])
def test_fp32_gives_the_logits_of_keras(name, request):
    case = request.getfixturevalue(name)
    assert margins(case.logits).std() > 1
    np.testing.assert_allclose(run(case.fp32, case.images), case.logits, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("name", "least"), [("odd", 0.95), ("bottlenecks", 0.95), ("real", 0.99)])
def test_int8_follows_the_logits_of_keras(name, least, request):
    case = request.getfixturevalue(name)
    expected, found = margins(case.logits), margins(run(case.int8, case.images))
    assert np.corrcoef(expected, found)[0, 1] > least
    assert np.abs(found - expected).mean() < 0.3 * expected.std()


@pytest.mark.parametrize("name", ["odd", "real"])
def test_int8_is_as_near_with_xnnpack_as_with_the_reference_kernels(name, request):
    from ai_edge_litert.interpreter import OpResolverType

    case = request.getfixturevalue(name)
    expected = margins(case.logits)
    reference = margins(run(case.int8, case.images, experimental_op_resolver_type=OpResolverType.BUILTIN_REF))
    assert np.abs(margins(run(case.int8, case.images)) - expected).mean() < 1.5 * np.abs(reference - expected).mean()


def test_describes_the_files(odd):
    kernels = {"PAD", "CONV_2D", "MAX_POOL_2D", "ADD", "MEAN", "FULLY_CONNECTED", "STRIDED_SLICE"}
    fp32, int8 = describe(odd.fp32), describe(odd.int8)
    assert fp32["operators"] == sorted(kernels | {"SUB", "MUL"})
    assert int8["operators"] == sorted(kernels | {"QUANTIZE", "SPACE_TO_DEPTH", "RESHAPE"})
    assert fp32["xnnpack"] and int8["xnnpack"]
    assert fp32["input"] == {"dtype": "float32", "shape": [1, LOADED, LOADED, 1], "scale": None, "zero_point": None}
    assert fp32["output"] == {"dtype": "float32", "shape": [1, 2], "scale": None, "zero_point": None}
    assert (int8["output"]["dtype"], int8["output"]["shape"]) == ("int8", [1, 2])
    assert int8["bytes"] == len(odd.int8)
    assert int8["sha256"] == hashlib.sha256(odd.int8).hexdigest()


def test_int8_takes_a_quarter_of_the_bytes(real):
    assert 0.25 < len(real.int8) / len(real.fp32) < 0.27


def check_input(tflite: bytes):
    source = describe(tflite)["input"]
    assert (source["dtype"], source["shape"], source["zero_point"]) == ("uint8", [1, 35, 35, 1], 115)
    assert source["scale"] == pytest.approx(1 / (255 * 0.226), rel=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0, 200), (115, 115)])
def test_the_scale_of_the_input_is_the_normalisation_whatever_the_calibration(low, high, tiny, tiny_images):
    images = np.linspace(low, high, tiny_images.size).round().astype(np.uint8).reshape(tiny_images.shape)
    before = images.copy()
    check_input(convert(tiny, "int8", images))
    np.testing.assert_array_equal(images, before)


def test_images_that_span_the_range_are_calibrated_on_alone():
    images = np.arange(35 * 35 * 2, dtype=np.uint8).reshape(2, 35, 35)
    whole = CropGeometry(35, 32)
    assert conversion._spanning(images, whole) is images
    narrow = images // 2
    stretched = conversion._spanning(narrow, whole)
    assert stretched.shape == (3, 35, 35)
    assert (stretched[2].min(), stretched[2].max(), (stretched[2] != narrow[0]).sum()) == (0, 255, 1)


def test_what_is_not_seen_does_not_span_the_range():
    images = np.full((2, 35, 35), 100, np.uint8)
    images[:, 0, :2] = 0, 255
    stretched = conversion._spanning(images, CropGeometry(35, 32))
    assert stretched.shape == (3, 35, 35)
    # 32 pixels from the second on.
    seen = stretched[2, 1:33, 1:33]
    assert (seen.min(), seen.max(), (seen != 100).sum()) == (0, 255, 2)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_pixel_115_is_zero_to_the_network(precision, odd):
    image = np.full((1, LOADED, LOADED), 115, np.uint8)
    expected = np.asarray(odd.model(np.zeros((1, SIDE, SIDE, 1), np.float32), training=False))
    found = run(getattr(odd, precision), image)
    np.testing.assert_allclose(found, expected, atol=1e-4 if precision == "fp32" else margins(odd.logits).std())


def test_conversion_is_silent_and_leaves_the_network_alone(tiny, tiny_images, capfd):
    from wool_tf.networks import weights

    before = weights.read(tiny)
    convert(tiny, "int8", tiny_images)
    assert capfd.readouterr() == ("", "")
    after = weights.read(tiny)
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_notes_are_shown_if_an_error_leaves(capfd):
    import os

    with pytest.raises(KeyError), quiet():
        os.write(2, b"the reason\n")
        raise KeyError
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "the reason\nafterwards\n"


@pytest.mark.parametrize(
    ("precision", "calibration", "message"),
    [
        ("int16", None, r"^precision: must be one of fp32, fp16, dynamic, int8, int8-float-io, got 'int16'$"),
        ("int8", None, r"^calibration: .* at least 1 image .*, got none$"),
        ("int8-float-io", None, r"^calibration: an int8-float-io file needs at least 1 image .*, got none$"),
        ("int8", np.zeros((0, 35, 35), np.uint8), r"^calibration: .* at least 1 image .*, got none$"),
        ("int8", np.zeros((2, 32, 31), np.uint8), r"^calibration: .*\(n, 35, 35\), got uint8 of shape \(2, 32, 31\)$"),
        ("int8", np.zeros((2, 35, 35), np.float32), r"^calibration: .* got float32 of shape \(2, 35, 35\)$"),
    ],
)
def test_refuses_what_does_not_fit(precision, calibration, message, tiny):
    with pytest.raises(WoolError, match=message):
        convert(tiny, precision, calibration)


def test_refuses_sides_and_heatmaps_that_do_not_fit(tiny):
    with pytest.raises(WoolError, match="^side: native crops have at least 1 pixel, got 0$"):
        convert(tiny, "fp32", side=0)
    spec = ResNetSpec.full(18, 3, (32, 32, 1)).resized({group: 1 for group in tiny.spec.by_group()})
    with pytest.raises(WoolError, match="^heatmap: shows the margin between 2 classes, got a network with 3$"):
        convert(network(spec), "fp32", heatmap=True)
    oblong = dataclasses.replace(tiny.spec, input_shape=(32, 64, 1))
    with pytest.raises(
        WoolError, match=r"^input_shape: a board model reads square crops of 1 grey channel, got \(32, 64, 1\)$"
    ):
        convert(network(oblong), "fp32")
    calibration = np.zeros((2, 32, 32), np.uint8)
    with pytest.raises(WoolError, match=r"^calibration: .*\(n, 50, 50\), got uint8 of shape \(2, 32, 32\)$"):
        convert(tiny, "int8", calibration, side=50)


def test_refuses_networks_that_read_colours():
    spec = ResNetSpec.full(18, 2, (32, 32, 3))
    with pytest.raises(WoolError, match=r"^input_shape: .* 1 grey channel, got \(.*, 3\)$"):
        convert(ResNet(spec.resized({group: 1 for group in spec.by_group()})), "fp32")


def test_refuses_masked_networks(tiny):
    class Masked(ResNet):
        pass

    with pytest.raises(TypeError, match="compact"):
        convert(Masked(tiny.spec), "fp32")


def test_a_layer_that_says_nothing_is_named_as_the_likely_reason(tiny, tiny_images):
    from wool_tf.networks import weights

    arrays = weights.read(tiny)
    arrays["layer2.0.bn1.bias"][:] = -50
    with pytest.raises(WoolError, match=r"^int8: the converted file does not run, is a whole layer zero [^\n]*$"):
        convert(network(tiny.spec, arrays), "int8", tiny_images)
