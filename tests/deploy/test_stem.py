"""The first convolution of an 8-bit file, rearranged, gives the very integers that it gave."""

import numpy as np
import pytest
from deploy_networks import network, pictures

from wool_tf.deploy import checks, runtime, stem, tflite_file
from wool_tf.networks.spec import ResNetSpec


def small(side: int) -> ResNetSpec:
    full = ResNetSpec.full(18, 2, (side, side, 1))
    return full.resized({group: max(3, width // 16) for group, width in full.by_group().items()})


def straightforward(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A 7×7 convolution with stride 2 of one channel, (rows, columns, outputs), pixel by pixel."""
    padded = np.pad(image, 3)
    places = range(0, len(image), 2)
    seen = np.array([[padded[row : row + 7, column : column + 7] for column in places] for row in places])
    return np.einsum("xyhw,ohw->xyo", seen, kernel[..., 0])


def test_the_sums_are_the_same():
    rng = np.random.default_rng(0)
    image, kernel = rng.integers(-128, 128, (24, 24)), rng.integers(-127, 128, (5, 7, 7, 1))
    cells = image.reshape(12, 2, 12, 2).transpose(0, 2, 1, 3).reshape(12, 6, 8)
    padded, rearranged = np.pad(cells, ((2, 1), (1, 1), (0, 0))), stem.weights(kernel)
    assert rearranged.shape == (10, 4, 3, 8)
    seen = np.array([[padded[row : row + 4, pair : pair + 3] for pair in range(6)] for row in range(12)])
    found = np.einsum("xyhwc,ohwc->xyo", seen, rearranged).reshape(12, 12, 5)
    np.testing.assert_array_equal(found, straightforward(image, kernel))


@pytest.fixture(scope="module")
def before_and_after():
    """A file as the converter makes it, and as it is rearranged."""
    model, images = network(small(64)), pictures(8, seed=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stem, "rearranged", lambda tflite: tflite)
        before = tflite_file.convert(model, "int8", images, side=64, heatmap=True)
    return before, stem.rearranged(before)


def results(tflite: bytes, image: np.ndarray) -> list[np.ndarray]:
    opened = runtime.interpreter(tflite)
    opened.set_tensor(opened.get_input_details()[0]["index"], image[np.newaxis, ..., np.newaxis])
    opened.invoke()
    return [opened.get_tensor(output["index"]) for output in runtime.outputs(opened)]


def test_a_file_gives_the_same_bytes(before_and_after):
    before, after = before_and_after
    assert "SPACE_TO_DEPTH" not in checks.describe(before)["operators"]
    rng, seen = np.random.default_rng(3), set()
    for image in [*pictures(6, seed=4), *rng.integers(0, 256, (6, 64, 64), np.uint8)]:
        expected, found = results(before, image), results(after, image)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)
        seen.add(expected[0].tobytes())
    assert len(seen) > 6


def test_a_file_is_what_it_should_be(before_and_after):
    _, after = before_and_after
    checks.check(after, "int8", heatmap=True)
    opened = runtime.interpreter(after)
    kernels = {tuple(tensor["shape"]) for tensor in opened.get_tensor_details()}
    stems = small(64).width("layer1")
    assert (2 * stems, 4, 3, 8) in kernels and (stems, 7, 7, 1) not in kernels
    assert runtime.runs_in_xnnpack(opened)


def test_what_cannot_be_rearranged_stays(before_and_after):
    _, after = before_and_after
    assert stem.rearranged(after) == after
    odd = tflite_file.convert(network(small(62)), "int8", pictures(1, 0)[:, :62, :62], 62)
    assert "SPACE_TO_DEPTH" not in checks.describe(odd)["operators"]
    floats = tflite_file.convert(network(small(64)), "fp32", side=64)
    assert stem.rearranged(floats) == floats
