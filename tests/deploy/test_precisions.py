"""Files of every precision that read native crops."""

import numpy as np
import pytest
from deploy_networks import NATIVE, SIDE, framed, network, scenes
from PIL import Image

from wool_tf.data import pixels
from wool_tf.data.batches import centre_crop
from wool_tf.deploy import checks, runtime, stem
from wool_tf.deploy.tflite_file import PRECISIONS, convert
from wool_tf.networks import weights

OF_NETWORK = 20 + 2
"""Operators with weights: the convolutions, the head and the heatmap. Two products before them resize."""


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return scenes(24, NATIVE, seed=3)


def run(tflite: bytes, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits and heatmaps, dequantised, in double precision."""
    opened = runtime.interpreter(tflite)
    image, found = opened.get_input_details()[0], []
    for crop in images:
        opened.set_tensor(image["index"], crop[np.newaxis, ..., np.newaxis].astype(image["dtype"]))
        opened.invoke()
        found.append([opened.get_tensor(output["index"])[0].astype(np.float64) for output in runtime.outputs(opened)])
    results = []
    for output, values in zip(runtime.outputs(opened), zip(*found, strict=True), strict=True):
        scale, zero_point = output["quantization"]
        results.append((np.stack(values) - zero_point) * (scale or 1))
    return results[0], results[1] if len(results) > 1 else None


def margins(logits: np.ndarray) -> np.ndarray:
    return logits[:, 1] - logits[:, 0]


@pytest.fixture(scope="module")
def found(native_files, crops) -> dict:
    return {precision: run(tflite, crops) for precision, tflite in native_files.items()}


@pytest.fixture(scope="module")
def expected(native, crops) -> np.ndarray:
    """The margins by Keras, of crops that Pillow resized as for the training."""
    resized = [np.asarray(Image.fromarray(crop).resize((70, 70), Image.Resampling.LANCZOS)) for crop in crops]
    return margins(np.asarray(native(pixels.normalise(centre_crop(np.stack(resized), SIDE)), training=False)))


@pytest.mark.parametrize(
    ("precision", "share"), [("fp32", 0.001), ("fp16", 0.03), ("dynamic", 0.2), ("int8", 0.35), ("int8-float-io", 0.35)]
)
def test_margins_are_those_of_keras_on_what_pillow_resizes(precision, share, found, expected):
    assert expected.std() > 0.5
    assert np.abs(margins(found[precision][0]) - expected).mean() < share * expected.std()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_mean_of_the_heatmap_is_the_margin(precision, found):
    logits, heatmaps = found[precision]
    assert heatmaps.shape == (len(logits), 2, 2, 1)
    spread = np.ptp(heatmaps, axis=(1, 2)).mean()
    atol = {"fp32": 1e-3, "fp16": 0.02}.get(precision, 0.2 * spread)
    np.testing.assert_allclose(heatmaps.mean(axis=(1, 2, 3)), margins(logits), atol=atol)


def test_each_cell_of_the_heatmap_is_the_head_at_that_cell(native):
    import keras

    small = scenes(3, SIDE, seed=8)
    last = keras.Model(native.input, native.get_layer("avgpool").input)(pixels.normalise(small), training=False)
    arrays = weights.read(native)
    _, heatmaps = run(convert(native, "fp32", heatmap=True), framed(small))
    for image, row, column in np.ndindex(heatmaps.shape[:3]):
        logits = arrays["fc.weight"] @ np.asarray(last)[image, row, column] + arrays["fc.bias"]
        assert heatmaps[image, row, column, 0] == pytest.approx(logits[1] - logits[0], abs=1e-3)


def check_same(whole, floating):
    for by_whole, by_floating in zip(whole, floating, strict=True):
        np.testing.assert_array_equal(by_whole.astype(np.float32), by_floating.astype(np.float32))


def test_the_same_integers_with_float_ends(found):
    check_same(found["int8"], found["int8-float-io"])


def test_the_same_integers_with_float_ends_and_no_resizing(native):
    calibration, images = scenes(6, 70, seed=4) // 2, scenes(24, 70, seed=3)
    both = [convert(native, precision, calibration, 70, heatmap=True) for precision in ("int8", "int8-float-io")]
    check_same(*(run(tflite, images) for tflite in both))


def test_heatmaps_leave_the_logits_as_they_are(native, found, crops):
    logits, heatmaps = run(convert(native, "int8", scenes(12, NATIVE, seed=4), NATIVE), crops)
    assert heatmaps is None
    np.testing.assert_array_equal(logits, found["int8"][0])


def test_crops_of_the_size_of_the_training_are_only_cropped(native):
    images = scenes(5, 70, seed=6)
    expected = np.asarray(native(pixels.normalise(images[:, 3:67, 3:67]), training=False))
    tflite = convert(native, "fp32", side=70)
    np.testing.assert_allclose(run(tflite, images)[0], expected, rtol=1e-4, atol=1e-4)
    assert "STRIDED_SLICE" in checks.describe(tflite)["operators"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_describes_the_ends(precision, native_files):
    found = checks.describe(native_files[precision])
    source, sink = ("uint8", "int8") if precision == "int8" else ("float32", "float32")
    assert (found["input"]["dtype"], found["input"]["shape"]) == (source, [1, NATIVE, NATIVE, 1])
    assert (found["output"]["dtype"], found["output"]["shape"]) == (sink, [1, 2])
    assert (found["heatmap"]["dtype"], found["heatmap"]["shape"]) == (sink, [1, 2, 2, 1])
    assert found["xnnpack"]
    assert {"FULLY_CONNECTED", "TRANSPOSE"} <= set(found["operators"])
    assert ("DEQUANTIZE" in found["operators"]) == (precision in ("fp16", "int8-float-io"))
    if precision == "int8":
        assert (found["input"]["scale"], found["input"]["zero_point"]) == (1, 0)


def stored(tflite: bytes) -> list[np.ndarray]:
    """The weights of the convolutions and products, in the order of the operators."""
    opened = runtime.interpreter(tflite)
    nodes = [node for node in runtime.nodes(opened) if node["op_name"] in ("CONV_2D", "FULLY_CONNECTED")]
    widened = {node["outputs"][0]: node["inputs"][0] for node in runtime.nodes(opened)}
    used = [node["inputs"][1] for node in nodes]
    indices = [widened.get(index, index) for index in used]
    return [opened.get_tensor(index) for index in indices]


def test_half_precision_files_store_the_weights_rounded_to_half_precision(native_files):
    whole, half = stored(native_files["fp32"]), stored(native_files["fp16"])
    assert len(whole) == 2 + OF_NETWORK
    # The resizing has rows of its own, which sum to 1 in half precision.
    for exact, rounded in zip(whole[2:], half[2:], strict=True):
        assert (exact.dtype, rounded.dtype) == (np.float32, np.float16)
        np.testing.assert_array_equal(rounded, exact.astype(np.float16))


@pytest.mark.parametrize("precision", ["dynamic", "int8", "int8-float-io"])
def test_integer_weights_are_the_float_ones_to_half_a_step_of_their_channel(precision, native_files):
    opened = runtime.interpreter(native_files[precision])
    tensors = {tensor["index"]: tensor for tensor in opened.get_tensor_details()}
    nodes = [node for node in runtime.nodes(opened) if node["op_name"] in ("CONV_2D", "FULLY_CONNECTED")]
    integers = 0
    # The resizing is another in a float file.
    for node, exact in zip(nodes[-OF_NETWORK:], stored(native_files["fp32"])[-OF_NETWORK:], strict=True):
        kernel = tensors[node["inputs"][1]]
        if kernel["dtype"] != np.int8:
            assert precision == "dynamic" and exact.size < 1024
            continue
        integers += 1
        if kernel["shape"][0] != len(exact):
            # The first convolution is rearranged, by what test_stem.py proves.
            exact = stem.weights(exact.astype(np.float64))
        scales = kernel["quantization_parameters"]["scales"].reshape(-1, *[1] * (exact.ndim - 1))
        assert len(scales) == len(exact)
        difference = opened.get_tensor(kernel["index"]) * scales - exact
        assert np.all(np.abs(difference) <= 0.501 * scales)
    assert integers >= 10


def test_sizes_are_in_the_order_of_the_bits(native_files):
    size = {precision: len(tflite) / len(native_files["fp32"]) for precision, tflite in native_files.items()}
    assert size["fp16"] == pytest.approx(0.5, abs=0.03)
    assert size["dynamic"] < 0.4 and size["int8"] < 0.4


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_same_weights_give_the_same_bytes_however_many_networks_there_are(precision, native, native_files):
    again = network(native.spec, weights.read(native))
    assert again.name != native.name
    assert convert(again, precision, scenes(12, NATIVE, seed=4), NATIVE, heatmap=True) == native_files[precision]
