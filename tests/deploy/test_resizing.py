"""What board models make of native crops, beside what Pillow makes of them for the training."""

import numpy as np
import pytest
from deploy_networks import scenes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wool_tf.data.batches import centre_crop
from wool_tf.deploy import graph, tflite_file
from wool_tf.deploy.geometry import CropGeometry
from wool_tf.quiet import quiet

SIDE = 100
GEOMETRIES = [CropGeometry(SIDE, 46), CropGeometry(SIDE, 64), CropGeometry(SIDE, 112)]
"""Resized to 50, 70 and 122."""


def by_pillow(images: np.ndarray, geometry: CropGeometry) -> np.ndarray:
    size = (geometry.load, geometry.load)
    images = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)) for image in images]
    return centre_crop(np.stack(images), geometry.image_size)


@pytest.fixture(scope="module")
def resize():
    """Function of images, a geometry and a precision: grey values that the network would read, as a file gives them."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    made = {}

    def grey(images, geometry, precision):
        if (geometry, precision) not in made:

            def read(image):
                if precision == "int8":
                    return graph.resized(image, geometry)
                return graph.resized_in_floats(image, graph.MATRICES[precision](geometry))

            function = graph.traced(read, geometry.side)
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
            calibration = tflite_file._spanning(scenes(4, SIDE, seed=1), geometry)
            tflite_file._quantise(converter, precision, False, calibration)
            with quiet():
                made[geometry, precision] = converter.convert()
        opened = Interpreter(model_content=made[geometry, precision])
        opened.allocate_tensors()
        source, sink = opened.get_input_details()[0], opened.get_output_details()[0]
        found = []
        for image in images:
            opened.set_tensor(source["index"], image[np.newaxis, ..., np.newaxis].astype(source["dtype"]))
            opened.invoke()
            found.append(opened.get_tensor(sink["index"])[0, ..., 0].astype(np.float64))
        scale, zero_point = sink["quantization"]
        normal = (np.array(found) - zero_point) * (scale or 1)
        # The normalisation, undone in grey values of 0 to 255.
        return normal * 255 * 0.226 + 115

    return grey


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(
    ("precision", "most", "same", "far"),
    [("fp32", 1, 0.999, 0), ("fp16", 2, 0.8, 0.001), ("dynamic", 2, 0.6, 0.01), ("int8", 2, 0.6, 0.01)],
)
def test_files_give_pillows_grey_values(precision, most, same, far, geometry, resize):
    """Up to `most`, the very same for a share of `same`, and further than the next one for a share of `far`."""
    images = scenes(6, SIDE, seed=2)
    found = resize(images, geometry, precision)
    np.testing.assert_allclose(found, found.round(), atol=0.1 if precision == "fp16" else 1e-4)
    difference = found.round() - by_pillow(images, geometry)
    assert np.abs(difference).max() <= most
    assert (difference == 0).mean() > same
    assert (np.abs(difference) > 1).mean() <= far
    assert abs(difference.mean()) < 0.02


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "dynamic"])
def test_flat_grey_stays_as_it_is(precision, resize):
    images = np.arange(0, 256, 5, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((SIDE, SIDE), np.uint8)
    found = resize(images, GEOMETRIES[0], precision)
    # In half precision the scale of the normalisation is a little off.
    atol = 0.05 if precision == "fp16" else 1e-4
    np.testing.assert_allclose(found, images[:, :1, :1] * np.ones_like(found), atol=atol)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "dynamic"])
def test_edges_do_not_overshoot(precision, resize):
    image = np.zeros((1, SIDE, SIDE), np.uint8)
    image[:, 31:67, 25:70] = 255
    found = resize(image, GEOMETRIES[0], precision)
    assert found.min() > -1e-3 and found.max() < 255.001
    assert np.abs(found - by_pillow(image, GEOMETRIES[0])).max() < 2.5


@settings(max_examples=60)
@given(st.integers(20, 300), st.integers(32, 240), st.integers(0, 255))
def test_squares_for_the_calibration_reach_both_ends_whatever_the_sizes(side, size, grey):
    geometry = CropGeometry(side, size)
    (image,) = tflite_file._with_squares(np.full((1, side, side), grey, np.uint8), geometry)
    matrix = geometry.matrix_of_steps()
    rows = np.clip(image @ matrix.T, 0, 255)
    both = np.clip(matrix @ rows, 0, 255)
    for grey_values in (rows, both):
        assert grey_values.min() < 1e-3 and grey_values.max() > 255 - 1e-3
    assert (image != grey).mean() < 0.1 or side < 40
