import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from wool_tf.data.batches import centre_crop
from wool_tf.deploy.geometry import CropGeometry

SIDES = st.tuples(st.integers(20, 260), st.integers(32, 120)).map(lambda pair: CropGeometry(*pair))


def resized(image: np.ndarray, load: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((load, load), Image.Resampling.LANCZOS))


@pytest.mark.parametrize(
    ("side", "size", "load", "margin"),
    [
        (244, 224, 244, 10),
        (244, 112, 122, 10),
        (488, 224, 244, 20),
        (224, 224, 244, 224 * 10 / 244),
        (64, 64, 70, 64 * 3 / 70),
        (244, 64, 70, 244 * 3 / 70),
        (35, 32, 35, 1.5),
    ],
)
def test_sizes(side, size, load, margin):
    geometry = CropGeometry(side, size)
    assert geometry.load == load
    assert geometry.resizes == (side != load)
    assert geometry.margin == pytest.approx(margin)


@settings(max_examples=50)
@given(SIDES)
def test_the_matrix_is_pillows_resampling_and_the_crop_of_training(geometry):
    image = np.random.default_rng(0).uniform(0, 255, (geometry.side, geometry.side)).astype(np.float32)
    expected = centre_crop(resized(image, geometry.load), geometry.image_size)
    matrix = geometry.matrix()
    assert (matrix.dtype, matrix.shape) == (np.float32, (geometry.image_size, geometry.side))
    np.testing.assert_allclose(matrix @ image @ matrix.T, expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)


@settings(max_examples=50)
@given(SIDES)
@example(CropGeometry(173, 112))
@example(CropGeometry(255, 224))
@example(CropGeometry(156, 128))
def test_rows_of_steps_are_whole_numbers_that_keep_flat_grey(geometry):
    matrix, exact = geometry.matrix_of_steps(), geometry.matrix()
    steps = matrix / matrix.max(axis=1, keepdims=True) * 127
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
    np.testing.assert_allclose(matrix.sum(axis=1, dtype=np.float64), 1, atol=1e-6)
    # Every weight is half a step off at most, and so the sum of n weights n/2 steps, which scaling to 1 spreads over
    # them by their size.
    largest, weights = exact.max(axis=1), np.count_nonzero(exact, axis=1)
    bound = (0.5 + largest * weights / 2) * matrix.max(axis=1) / 127
    assert np.all(np.abs(matrix - exact).max(axis=1) <= bound * (1 + 1e-5))


@settings(max_examples=50)
@given(SIDES)
def test_rows_of_halves_are_half_precision_floats_that_keep_flat_grey(geometry):
    matrix = geometry.matrix_of_halves()
    np.testing.assert_array_equal(matrix.astype(np.float16).astype(np.float64), matrix)
    np.testing.assert_array_equal(matrix.sum(axis=1, dtype=np.float64), 1)
    assert np.abs(matrix - geometry.matrix()).max() < 8 / 2048


@settings(max_examples=30)
@given(SIDES.filter(lambda geometry: geometry.side >= geometry.image_size))
def test_the_border_within_the_margin_is_not_seen(geometry):
    # The middle of the first pixel that is seen is half a pixel of the network's beyond the margin.
    seen = geometry.matrix() @ np.arange(geometry.side) + 0.5
    pixel = geometry.side / geometry.load
    uneven = (geometry.load - geometry.image_size) % 2 / 2
    if geometry.middle.start >= 3:  # else the edge cuts the filter off
        assert seen[0] == pytest.approx(geometry.margin + (0.5 - uneven) * pixel, abs=0.05 * pixel)
