import numpy as np
import pytest
from deploy_networks import network

from wool_tf.deploy.tflite_file import convert
from wool_tf.deploy.tflite_scores import predict
from wool_tf.errors import WoolError
from wool_tf.networks.spec import ResNetSpec


def sigmoid(margins):
    return 1 / (1 + np.exp(-np.asarray(margins, np.float64)))


@pytest.mark.parametrize("name", ["odd", "real"])
def test_fp32_scores_are_the_softmax_of_the_logits_of_keras(name, request):
    case = request.getfixturevalue(name)
    scores = predict(case.fp32, case.images)
    exponentials = np.exp(case.logits.astype(np.float64))
    np.testing.assert_allclose(scores, exponentials[:, 1] / exponentials.sum(axis=1), atol=1e-5)
    assert scores.dtype == np.float64 and scores.shape == (len(case.images),)


def test_int8_scores_are_near_and_on_the_grid_of_the_output(real):
    scores = predict(real.int8, real.images)
    expected = sigmoid(real.logits[:, 1] - real.logits[:, 0])
    assert np.abs(scores - expected).mean() < 0.05
    assert ((scores >= 0.5) == (expected >= 0.5)).mean() > 0.9
    from ai_edge_litert.interpreter import Interpreter

    scale, _ = Interpreter(model_content=real.int8).get_output_details()[0]["quantization"]
    between = scores[(scores > 0.01) & (scores < 0.99)].astype(np.float64)
    steps = np.log(between / (1 - between)) / scale
    assert len(between) > 5
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_order_and_threads_change_nothing(precision, odd):
    tflite = getattr(odd, precision)
    scores = predict(tflite, odd.images)
    np.testing.assert_array_equal(predict(tflite, odd.images[::-1])[::-1], scores)
    np.testing.assert_array_equal(predict(tflite, odd.images, threads=2), scores)


def test_chosen_images_are_looked_at_in_their_order(odd):
    chosen = np.array([7, 2, 30])
    np.testing.assert_array_equal(predict(odd.int8, odd.images, chosen=chosen), predict(odd.int8, odd.images)[chosen])


def test_neither_a_heatmap_nor_a_card_changes_the_scores():
    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    model = network(spec.resized({group: 2 for group in spec.by_group()}))
    images = np.random.default_rng(0).integers(0, 256, (5, 35, 35), np.uint8)
    scores = predict(convert(model, "fp32"), images)
    with_heatmap = convert(model, "fp32", heatmap=True)
    np.testing.assert_allclose(predict(with_heatmap, images), scores, rtol=1e-5)
    np.testing.assert_array_equal(predict(with_heatmap + b"PK any archive", images), predict(with_heatmap, images))


def test_no_images_give_no_scores(odd):
    assert predict(odd.int8, odd.images[:0]).shape == (0,)


def test_refuses_images_of_another_size(odd):
    with pytest.raises(WoolError, match=r"^images: the model reads 70×70 pixels, got .* \(70, 69\)$"):
        predict(odd.int8, odd.images[:, :, 1:])


def test_refuses_other_numbers_of_classes():
    spec = ResNetSpec.full(18, 3, (32, 32, 1))
    tflite = convert(network(spec.resized({group: 1 for group in spec.by_group()})), "fp32")
    with pytest.raises(WoolError, match=r"^model: must have 2 classes, its output has the shape \(1, 3\)$"):
        predict(tflite, np.zeros((1, 35, 35), np.uint8))
