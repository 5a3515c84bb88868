"""Every way in which a converted file can be wrong is noticed."""

import pytest
from deploy_networks import network, scenes

from wool_tf.deploy import graph
from wool_tf.deploy import tflite_file as conversion
from wool_tf.deploy.checks import check, describe
from wool_tf.deploy.tflite_file import PRECISIONS, convert
from wool_tf.errors import WoolError
from wool_tf.networks.spec import ResNetSpec
from wool_tf.quiet import quiet

SMALL = 48
"""Crops of networks that read 32 pixels."""


@pytest.fixture(scope="module")
def tiny():
    """A network that converts in a second or two."""
    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    return network(spec.resized({group: 4 for group in spec.by_group()}))


@pytest.fixture(scope="module")
def images():
    return scenes(4, SMALL, seed=7)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("claimed", [*PRECISIONS, "qat"])
def test_tells_every_precision_from_the_others(precision, claimed, native_files):
    if claimed == precision or (precision, claimed) == ("int8", "qat"):
        return check(native_files[precision], claimed, heatmap=True)
    with pytest.raises(WoolError, match=f"^{claimed}: [^\n]+$"):
        check(native_files[precision], claimed, heatmap=True)


@pytest.mark.parametrize(
    ("precision", "claimed", "message"),
    [
        ("fp32", "int8", "^int8: the converted file must map uint8 to int8, but maps float32 to float32$"),
        ("int8", "int8-float-io", "^int8-float-io: .* must map float32 to float32, but maps uint8 to int8$"),
        ("fp32", "fp16", "^fp16: the tensor .* is float32$"),
        ("fp16", "fp32", "^fp32: the tensor .* is float16$"),
        ("dynamic", "fp32", "^fp32: the tensor .* is int8$"),
        ("fp32", "dynamic", "^dynamic: the tensor .* is float32$"),
        ("dynamic", "int8-float-io", "^int8-float-io: the tensor .* is float32$"),
        ("int8-float-io", "dynamic", "^dynamic: .* has the unexpected operators DEQUANTIZE, QUANTIZE, SPACE_TO_DEPTH$"),
    ],
)
def test_says_what_is_wrong(precision, claimed, message, native_files):
    with pytest.raises(WoolError, match=message):
        check(native_files[precision], claimed, heatmap=True)


def test_notices_heatmaps_that_are_missing_or_too_many(odd, native_files):
    with pytest.raises(WoolError, match="^fp32: the converted file must map one image to logits and a heatmap, but"):
        check(odd.fp32, "fp32", heatmap=True)
    with pytest.raises(WoolError, match="^fp32: the converted file must map one image to logits, but has other ends$"):
        check(native_files["fp32"], "fp32")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_outputs_are_named_in_the_signature(precision, native_files):
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(model_content=native_files[precision])
    (signature,) = opened.get_signature_list().values()
    assert sorted(signature["outputs"]) == ["heatmap", "logits"]
    shapes = {name: len(tensor["shape"]) for name, tensor in opened.get_signature_runner().get_output_details().items()}
    assert shapes == {"logits": 2, "heatmap": 4}


def test_a_file_without_a_heatmap_names_its_logits(odd):
    from ai_edge_litert.interpreter import Interpreter

    for tflite in (odd.fp32, odd.int8):
        (signature,) = Interpreter(model_content=tflite).get_signature_list().values()
        assert signature["outputs"] == ["logits"]


def test_notices_outputs_with_other_names(tiny, monkeypatch):
    monkeypatch.setattr(
        graph, "named", lambda logits, heatmap=None: (logits,) if heatmap is None else (logits, heatmap)
    )
    rule = "^fp32: the signature of the converted file must name"
    with pytest.raises(WoolError, match=f"{rule} heatmap and logits, got output_0, output_1$"):
        convert(tiny, "fp32", heatmap=True)
    with pytest.raises(WoolError, match=f"{rule} logits, got output_0$"):
        convert(tiny, "fp32")


def spoilt(monkeypatch, **settings):
    """Conversion with other settings of the converter."""
    quantise = conversion._quantise

    def spoil(converter, *arguments):
        quantise(converter, *arguments)
        for name, value in settings.items():
            setattr(converter, name, value)

    monkeypatch.setattr(conversion, "_quantise", spoil)


def test_notices_float_inputs(tiny, images, monkeypatch):
    import tensorflow as tf

    spoilt(monkeypatch, inference_input_type=tf.float32)
    with pytest.raises(WoolError, match="^int8: the converted file must map uint8 to int8, but maps float32 to int8$"):
        convert(tiny, "int8", images, SMALL)


def test_notices_weights_with_one_scale(tiny, images, monkeypatch):
    spoilt(monkeypatch, _experimental_disable_per_channel=True)
    with pytest.raises(WoolError, match="^int8: the weights .* lack a scale for each channel$"):
        convert(tiny, "int8", images, SMALL)


def test_notices_another_scale_of_the_input(tiny, images, monkeypatch):
    monkeypatch.setattr(conversion, "_spanning", lambda images, geometry: images)
    message = "^int8: scale and zero point of the input must be 0.0173521 and 115, got 0.0"
    with pytest.raises(WoolError, match=message):
        convert(tiny, "int8", images[:, :35, :35] // 4 + 100)


@pytest.mark.parametrize("precision", ["int8", "int8-float-io"])
def test_notices_other_scales_of_resized_pixels(precision, tiny, images, monkeypatch):
    def ends(images, geometry):
        images = images // 4 + 100
        images[0, 0, 0], images[0, 0, 1] = 0, 255
        return images

    monkeypatch.setattr(conversion, "_spanning", ends)
    message = f"^{precision}: scale and zero point of what the network reads must be 0.0173521 and -13, got 0.0"
    with pytest.raises(WoolError, match=message):
        convert(tiny, precision, images, SMALL)


def traced(function) -> bytes:
    import tensorflow as tf

    with quiet():
        return tf.lite.TFLiteConverter.from_concrete_functions([graph.traced(function, 32)], tf.Module()).convert()


def test_notices_operators_that_do_not_belong():
    import tensorflow as tf

    tflite = traced(lambda image: tf.reduce_mean(tf.tanh(image), (1, 2)))
    with pytest.raises(WoolError, match="^fp32: the converted file has the unexpected operators TANH$"):
        check(tflite, "fp32")


def test_notices_what_xnnpack_does_not_take_in_files_of_known_operators():
    import tensorflow as tf

    # XNNPACK leaves no pixels out.
    tflite = traced(lambda image: tf.reduce_mean(image[:, ::2, ::2, :], (1, 2)))
    with pytest.raises(WoolError, match="^fp32: XNNPACK does not take the whole converted file, so it would be slow$"):
        check(tflite, "fp32")


@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_describes_what_xnnpack_does_not_take(place):
    import tensorflow as tf

    def function(image):
        image = tf.cumsum(image, axis=1) if place == "before" else tf.nn.relu(image)
        image = tf.cumsum(image * 2, axis=1) if place == "between" else image * 2
        image = tf.nn.relu(image + 1)
        return tf.cumsum(image, axis=1) if place == "after" else image

    tflite = traced(function)
    assert describe(tflite)["xnnpack"] is False
    assert "CUMSUM" in describe(tflite)["operators"]


@pytest.mark.parametrize("damage", [lambda tflite: b"", lambda tflite: b"no model", lambda tflite: tflite[:-9999]])
def test_refuses_what_is_no_tflite_file(damage, native_files):
    with pytest.raises(WoolError, match=r"^the TFLite file cannot be run \([^\n]+\)$"):
        describe(damage(native_files["fp32"]))
