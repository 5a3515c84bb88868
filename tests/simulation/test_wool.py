import numpy as np
import pytest

from wool_tf.simulation import projection, wool
from wool_tf.simulation.projection import BELT, Pose, rotation
from wool_tf.simulation.wool import Product
from wool_tf.simulation.xray import PITCH

LINES = 500


@pytest.fixture(scope="module")
def products():
    return [Product.draw(np.random.default_rng((7, number))) for number in range(40)]


@pytest.fixture(scope="module")
def offcut(products):
    return next(product for product in products if product.size[0] < 700 and product.size[1] > 300)


def laid(product, roll):
    turn = rotation(1, roll) @ rotation(2, 90)
    return Pose(turn, np.array([0, LINES * PITCH / 2, BELT + product.size[2] / 2]))


def test_products_are_those_of_the_machine_and_of_data_sheets(products):
    for product in products:
        assert np.all(product.size <= [1000, 600, 200]) and np.all(product.size >= [320, 150, 40])
        assert 30 <= product.density <= 180 and 1 < product.area_weight < 18
        assert product.layers.mean() == pytest.approx(1)
    assert 2 < sum(product.size[1] == 600 for product in products) < 20


def test_area_weight_is_density_times_thickness(offcut):
    weight = offcut.project(laid(offcut, 0), LINES, np.random.default_rng(0))
    # The middle of the product, straight below the focal spot; its unevenness averages out to some per cent.
    assert weight[150:350, 270:370].mean() == pytest.approx(offcut.area_weight, rel=0.08)
    assert weight.min() >= 0


def test_nothing_beside_the_product(offcut):
    weight = offcut.project(laid(offcut, 0), LINES, np.random.default_rng(0))
    # Its box, with 15 mm on all sides for cuts that are not square and for torn fibres.
    x, y = projection.elements()[None, :], (np.arange(LINES)[:, None] + 0.5) * PITCH
    outline = projection.chords(offcut.normals, offcut.distances + 15, laid(offcut, 0), x, y)
    assert (outline == 0).any() and weight[outline == 0].max() == 0


def test_views_from_below_and_above_mirror_each_other(offcut):
    middle = np.s_[150:350, 240:400]
    views = [offcut.project(laid(offcut, roll), LINES, np.random.default_rng(roll))[middle] for roll in (0, 180)]
    smooth = [view.reshape(20, 10, 16, 10).mean(axis=(1, 3)) for view in views]
    alike = [np.corrcoef(smooth[0].ravel(), other.ravel())[0, 1] for other in (smooth[1][:, ::-1], smooth[1])]
    # Magnification differs, so that the agreement is not perfect; unmirrored it is not there.
    assert alike[0] > 0.5 and alike[0] > alike[1] + 0.2


def test_unevenness_is_that_of_wool(products):
    deviations = []
    for product in products[:12]:
        weight = product.project(laid(product, 0), LINES, np.random.default_rng(0))[200:300, 290:350]
        deviations.append(weight.std() / weight.mean())
    # A few to some tens of per cent at 0.8 mm.
    assert 0.03 < np.median(deviations) < 0.15


def test_shot_is_benign(products):
    for product in products:
        radius = np.sqrt(product.shot.shapes[:, 0, 0])
        assert np.all(radius <= 1.2) and np.all(np.abs(product.shot.centres) <= product.size / 2)
        assert product.shot.mass() < 0.005 * product.density * np.prod(product.size) * 1e-9


@pytest.mark.parametrize("shape", [(300, 200), (301, 213)])
def test_noise_has_the_deviation_and_direction_asked(shape):
    rng, parts = np.random.default_rng(0), ((12, 1.5, 90, 2.0),)
    fields = np.stack([wool._noise(shape, rng, parts) for _ in range(8)])
    assert fields.std() == pytest.approx(2, rel=0.1)
    steps = [np.diff(fields, axis=axis).std() for axis in (1, 2)]
    # 90° points along y: slow from line to line, fast from element to element.
    assert steps[1] > 4 * steps[0]


def test_noise_adds_variances():
    rng = np.random.default_rng(0)
    fields = np.stack([wool._noise((400, 400), rng, ((2, 2, 0, 3.0), (1, 1, 0, 4.0))) for _ in range(4)])
    assert fields.std() == pytest.approx(5, rel=0.03)


def test_interpolation_keeps_cubics_at_their_points_and_lines_everywhere():
    known = np.arange(-1.5, 20) * wool.CELL
    wanted = np.linspace(known[2], known[-3], 77)
    matrix = wool._between(wanted, known)
    np.testing.assert_allclose(matrix @ (3 * known + 2), 3 * wanted + 2)
    np.testing.assert_allclose(wool._between(known[3:5], known) @ known**3, known[3:5] ** 3)
