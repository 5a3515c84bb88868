"""The convolutions of a latency table: what the interpreter says of them, and that they compute a convolution."""

import zipfile

import numpy as np
import pytest

from wool_board.latency import convolution_archive
from wool_board.latency.convolution_archive import ArchiveContents, Grid
from wool_tf.deploy import convolution_models, runtime
from wool_tf.errors import WoolError

GRID = Grid(3, 2, 5, (4,), (6,))


def test_a_model_is_one_convolution_of_the_shape_and_xnnpack_runs_it():
    opened = runtime.interpreter(convolution_models.model(GRID, 4, 6))
    assert runtime.operators(opened) == ["CONV_2D"] and runtime.runs_in_xnnpack(opened)
    (image,), (features,) = opened.get_input_details(), opened.get_output_details()
    assert image["shape"].tolist() == [1, 10, 10, 4] and features["shape"].tolist() == [1, 5, 5, 6]
    assert image["dtype"] == features["dtype"] == np.int8
    (kernel,) = [tensor for tensor in opened.get_tensor_details() if tensor["name"] == "weights"]
    assert kernel["shape"].tolist() == [6, 3, 3, 4] and len(kernel["quantization_parameters"]["scales"]) == 6


def test_it_computes_what_its_numbers_stand_for():
    opened = runtime.interpreter(convolution_models.model(Grid(1, 1, 4, (3,), (2,)), 3, 2))
    pixels = np.random.default_rng(0).integers(-128, 128, (1, 4, 4, 3)).astype(np.int8)
    opened.set_tensor(opened.get_input_details()[0]["index"], pixels)
    opened.invoke()
    found = opened.get_tensor(opened.get_output_details()[0]["index"]).astype(int)
    kernel = np.arange(-125, -119).reshape(2, 3) * convolution_models.WEIGHT_SCALE
    expected = np.maximum(pixels.astype(float) @ kernel.T, 0) - 128
    assert np.abs(found - np.clip(np.round(expected), -128, 127)).max() <= 1


def test_the_archive_holds_what_it_says_and_is_small(tmp_path):
    path, ordered = (
        tmp_path / "c.zip",
        ArchiveContents((Grid(3, 1, 4, (1, 256), (8, 256)),), (Grid(3, 1, 4, (1, 2), (256,)),)),
    )
    # One of the sweep is one of the grid.
    assert convolution_models.write(path, ordered) == 5
    assert convolution_archive.read(path) == ordered
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {convolution_archive.CONTENTS, *ordered.models()}
    assert path.stat().st_size < 100_000
    with pytest.raises(WoolError, match=r"/c\.zip/d\.zip: cannot be written \("):
        convolution_models.write(path / "d.zip", ordered)


def test_the_first_convolution_is_that_of_the_files_of_networks():
    """With the kernel, and the shapes around it, that the rearranged file of a network has."""
    opened = runtime.interpreter(convolution_models.model(Grid(7, 2, 12, (1,), (5,)), 1, 5))
    (image,), (features,) = opened.get_input_details(), opened.get_output_details()
    assert image["shape"].tolist() == [1, 15, 8, 8] and features["shape"].tolist() == [1, 12, 6, 10]
    (kernel,) = [tensor for tensor in opened.get_tensor_details() if tensor["name"] == "weights"]
    assert kernel["shape"].tolist() == [10, 4, 3, 8]
    assert runtime.runs_in_xnnpack(opened)


def test_a_first_convolution_of_odd_width_stays_as_it_is():
    opened = runtime.interpreter(convolution_models.model(Grid(7, 2, 11, (1,), (5,)), 1, 5))
    assert opened.get_input_details()[0]["shape"].tolist() == [1, 22, 22, 1]
