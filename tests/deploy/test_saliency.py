"""Maps of where networks see defects, against class activation maps and finite differences."""

import numpy as np
import pytest
from deploy_networks import network, spread

from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.deploy import saliency
from wool_tf.networks import resnet, weights
from wool_tf.networks.spec import ResNetSpec


def narrow(side: int) -> ResNetSpec:
    spec = ResNetSpec.full(18, 2, (side, side, 1))
    return spec.resized({group: max(2, width // 16) for group, width in spec.by_group().items()})


def images(side: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, side, side), np.uint8)


def margins(spec, arrays, pictures):
    logits = np.array(resnet.restored(spec, arrays)(normalise(centre_crop(pictures, spec.input_shape[0]))))
    return logits[:, 1] - logits[:, 0]


@pytest.mark.parametrize(("side", "cells"), [(32, 8), (64, 8), (112, 7), (224, 7)])
def test_maps_are_as_coarse_as_seven_cells_at_most(side, cells):
    spec = narrow(side)
    found = saliency.maps(spec, weights.initial(spec, 0), images(side + 8, 2), np.array([1]))
    assert found.shape == (1, cells, cells)
    assert saliency.maps(spec, weights.initial(spec, 0), images(side), np.array([], int)).shape == (0, cells, cells)


def test_on_the_last_stage_it_is_the_class_activation_map():
    """Its cells add up to the margin less the bias, as the mean of the features goes through the head."""
    spec = narrow(224)
    arrays = weights.read(network(spec))
    pictures = images(240)
    found = saliency.maps(spec, arrays, pictures, np.arange(3))
    expected = margins(spec, arrays, pictures) - (arrays["fc.bias"][1] - arrays["fc.bias"][0])
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, rtol=1e-4, atol=1e-5)


def test_on_an_earlier_stage_it_is_what_its_features_add_to_the_margin():
    """Summed over cells it is the derivative of the margin by a factor of all features, here by finite differences."""
    import keras

    spec = narrow(64)
    arrays = weights.read(spread(network(spec)))
    pictures = images(64, 1)
    model = resnet.restored(spec, arrays)
    features = model.get_layer(saliency.heatmap_layer(spec)).output
    values = np.array(keras.Model(model.input, features)(normalise(pictures)))
    rest = keras.Model(features, model.output)

    def margin(factor):
        logits = np.array(rest(factor * values), np.float64)
        return logits[0, 1] - logits[0, 0]

    expected = (margin(1 + 1e-3) - margin(1 - 1e-3)) / 2e-3
    assert saliency.maps(spec, arrays, pictures, np.array([0])).sum() == pytest.approx(expected, rel=0.02)
