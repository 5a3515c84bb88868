"""A tf_keras network that computes as its 8-bit file will, and can be trained so.

Fake quantisation (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3) as TFMOT inserts it: of every kernel,
and after the image, every ReLU, every batch norm that is added to the trunk, the mean and the head. TFMOT quantises a
kernel as it is before its batch norm. Since every channel has a scale of its own, the file, where the batch norm is a
factor of that scale, has the very same whole numbers.

Only the process of `launch` imports it.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from wool_tf.data import pixels
from wool_tf.deploy import graph, stem
from wool_tf.deploy.geometry import CropGeometry
from wool_tf.deploy.qat import resnet
from wool_tf.networks import weights

BATCH = 32
NORMAL_RANGE = tuple(graph.normal(np.array([0, 255], np.float32)).tolist())
GREY_RANGE = (0, 255 * graph.GREY_SCALE)
_OUTPUTS = ("output", "post_activation")
"""What TFMOT calls a layer's output where it quantises it."""


def quantised(network: tf_keras.Model, images: np.ndarray) -> tf_keras.Model:
    """The network with fake quantisation: before any training as near to it as 8 bits allow.

    Its batch norms are frozen, so that what is trained is what the file computes. With statistics of small batches it
    is not: six steps at a learning rate of zero then moved margins by five times their standard deviation (a narrow
    network of the tests). Tried on a thrice pruned ResNet-18: in 4 epochs at 1e-4, the AUC of unseen crops went from
    0.868 to 0.863 and 0.870 (two seeds) without freezing, to 0.888 and 0.907 with it.

    Arguments:
        network: of `tf_keras_resnet`.
        images: (n, height, width) of uint8, typical ones, as the network reads them. The first ranges of the
            activations are what they take there; TFMOT's own, -6 to 6, follow them by a thousandth a step, too slowly
            for a course of some hundred steps.
    """
    model = tfmot.quantization.keras.quantize_model(network)
    model.spec = network.spec
    layers = _layers(model)
    for layer in layers.values():
        layer.trainable = not isinstance(layer.layer, tf_keras.layers.BatchNormalization)
    found = {name: ends for name in layers for kind in _OUTPUTS if (ends := _range_variables(layers[name], kind))}
    taps = tf_keras.Model(network.inputs, [network.get_layer(name).output for name in found])
    for ends, values in zip(found.values(), _ranges(taps, images), strict=True):
        _set(ends, values)
    set_known_ranges(model)
    return model


def set_known_ranges(model: tf_keras.Model) -> None:
    """Sets the range of the image, which is given, and those of the kernels from what they are.

    A training step takes the kernels' from what they were before it.
    """
    _, image, *_ = model.layers
    _set(image.quantizer_vars.values(), NORMAL_RANGE)
    for layer in _layers(model).values():
        if ends := _range_variables(layer, "kernel"):
            size = np.abs(_variables(layer)["kernel"].numpy())
            # The head has one range, every convolution one for each channel.
            largest = size.max(axis=tuple(range(size.ndim - 1))) if ends[0].shape.rank else size.max()
            _set(ends, (-largest, largest))


def to_tflite(model: tf_keras.Model, geometry: CropGeometry, heatmap: bool, images: np.ndarray) -> bytes:
    """The file of a quantised network, from native crops to logits and a heatmap.

    Arguments:
        model: of `quantised`.
        geometry: CropGeometry.
        heatmap: whether there is one.
        images: (n, height, width) of uint8, as the network reads them, that the range of the heatmap is taken from.
    """
    head = _variables(_layers(model)[weights.HEAD])
    kernel, bias = head["kernel"].numpy().T, head["bias"].numpy()
    features = model.get_layer(f"quant_{resnet.last_features(model.spec)}").output
    both = tf_keras.Model(model.inputs, [model.output, features])
    if heatmap:
        ((low, high),) = _ranges(lambda batch: [graph.margins(both(batch, training=False)[1], kernel, bias)], images)

    def outputs(image: tf.Tensor) -> dict[str, tf.Tensor]:
        if geometry.resizes:
            image = _resized(image, geometry)
        else:
            image = graph.cropped(_rounded(image, NORMAL_RANGE), geometry)
        logits, last = both(image, training=False)
        return graph.named(logits, _rounded(graph.margins(last, kernel, bias), (low, high)) if heatmap else None)

    # Not the model itself: the converter would trace every layer again, to save what is not read.
    variables = tf.Module()
    variables.all = model.variables
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.traced(outputs, geometry.side)], variables)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return stem.rearranged(converter.convert())


def _resized(image: tf.Tensor, geometry: CropGeometry) -> tf.Tensor:
    """What `graph.resized` computes, every step rounded: the ends of the range clamp as well."""
    return graph.resized(_rounded(image, (0, 255)), geometry, lambda values: _rounded(values, GREY_RANGE))


def _rounded(features: tf.Tensor, ends: tuple[float, float]) -> tf.Tensor:
    """Features as 8 bits can express them, from one end to the other."""
    return tf.quantization.fake_quant_with_min_max_args(features, *ends)


def _ranges(read: Callable[[np.ndarray], Sequence[tf.Tensor]], images: np.ndarray) -> list[tuple[float, float]]:
    """The smallest and the largest value of each output of a function or network, zero included.

    Arguments:
        read: of normalised images; returns a list.
        images: (n, height, width) of uint8.
    """
    ends = []
    for start in range(0, len(images), BATCH):
        outputs = read(pixels.normalise(images[start : start + BATCH]))
        ends.append([(float(tf.reduce_min(output)), float(tf.reduce_max(output))) for output in outputs])
    return [(min(0.0, low.min()), max(0.0, high.max())) for low, high in np.array(ends).transpose(1, 2, 0)]


def _layers(model: tf_keras.Model) -> dict[str, tfmot.quantization.keras.QuantizeWrapperV2]:
    """TFMOT's wrappers of the network's layers, by the layers' names."""
    wrapper = tfmot.quantization.keras.QuantizeWrapperV2
    return {layer.layer.name: layer for layer in model.layers if isinstance(layer, wrapper)}


def _variables(layer: tfmot.quantization.keras.QuantizeWrapperV2) -> dict[str, tf.Variable]:
    """Variables of a wrapper by the last part of their names; its layer's attributes may be mere tensors."""
    return {variable.name.rpartition("/")[2].removesuffix(":0"): variable for variable in layer.weights}


def _range_variables(layer: tfmot.quantization.keras.QuantizeWrapperV2, kind: str) -> list[tf.Variable]:
    """Smallest and largest value of what a wrapper quantises, or nothing."""
    variables = _variables(layer)
    return [variables[name] for end in ("min", "max") if (name := f"{kind}_{end}") in variables]


def _set(variables: Iterable[tf.Variable], values: Iterable[float | np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
