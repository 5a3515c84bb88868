import numpy as np
import pytest

from wool_tf.simulation import defects, projection
from wool_tf.simulation.projection import Pose
from wool_tf.simulation.wool import Product


@pytest.fixture(scope="module")
def drawn():
    """(product, defects) of 40 products."""
    found = []
    for number in range(40):
        product = Product.draw(np.random.default_rng((3, number)))
        rng = np.random.default_rng((4, number))
        found.append((product, defects.draw_invisible(product, rng) + defects.draw(product, 1.0, rng)))
    return found


def of_kind(drawn, kind):
    return [(product, defect) for product, found in drawn for defect in found if defect.kind == kind]


def test_all_kinds_occur(drawn):
    assert all(of_kind(drawn, kind) for kind in defects.KINDS)
    assert all(any(defect.kind in defects.VISIBLE for defect in found) for _, found in drawn)


def test_defects_lie_in_the_product(drawn):
    for product, found in drawn:
        for defect in found:
            middle = np.mean(np.concatenate([part.centres for part in defect.parts]), axis=0)
            # Tails and crusts may stick out by some millimetres.
            assert np.all(np.abs(middle) < product.size / 2 + 8)


def test_sizes_are_those_stated(drawn):
    for _, drop in of_kind(drawn, "D1"):
        largest = max(np.linalg.det(shape) ** (1 / 6) for shape in drop.parts[0].shapes)
        assert 1.8 * 0.7 <= largest <= 9 * 1.4
    for _, cluster in of_kind(drawn, "D3"):
        assert 70 <= len(cluster.parts[0].centres) <= 350
        assert np.sqrt(cluster.parts[0].shapes[:, 0, 0]).max() <= 1.2
    assert {part.material for _, dirt in of_kind(drawn, "D6") for part in dirt.parts} == {"wool", "iron"}
    assert {part.material for _, lump in of_kind(drawn, "D2") for part in lump.parts} == {"binder"}


def test_contrast_scales_what_is_added():
    """The median mass of drops goes with the cube of a size, that of lumps with their density."""
    masses = {}
    for contrast in (1.0, 2.0):
        for kind, shape in (("D1", defects._drops), ("D2", defects._lump)):
            rng = np.random.default_rng(0)
            drawn = [sum(part.mass() for part in shape(rng, contrast)) for _ in range(300)]
            masses[kind, contrast] = np.median(drawn)
    assert masses["D2", 2.0] == pytest.approx(2 * masses["D2", 1.0])
    assert 4 < masses["D1", 2.0] / masses["D1", 1.0] <= 8


def test_visible_ones_add_mass_and_stand_out(drawn):
    for kind in defects.VISIBLE:
        for product, defect in of_kind(drawn, kind):
            assert all(part.mass() > 0 for part in defect.parts)
            centre = np.mean(np.concatenate([part.centres for part in defect.parts]), axis=0)
            parts = [projection.Bodies(p.centres - centre, p.shapes, p.densities, p.material) for p in defect.parts]
            assert defects.prominence(parts, product) > 0.8 * defects.NOTICED


def test_burnt_and_moist_wool_is_less_than_wool_varies(drawn):
    for kind, sign in (("D4", -1), ("D5", 1)):
        for product, defect in of_kind(drawn, kind):
            (part,) = defect.parts
            assert np.sign(part.mass()) == sign
            pose = Pose(np.eye(3), np.array([0.0, 100, 30 + product.size[2] / 2]) - part.centres[0] * [1, 1, 0])
            change = np.abs(projection.project(part, pose, 250)).max() * defects.strength(part.material)
            assert change < 0.03 * product.area_weight


def test_a_kilogram_of_iron_attenuates_more_than_one_of_stone_and_that_more_than_one_of_binder():
    # NIST at 40 keV: iron 3.6 cm²/g; stone about 0.8; carbon, hydrogen and oxygen about 0.22.
    assert defects.strength("stone") == 1
    assert defects.strength("iron") == pytest.approx(3.63 / 0.83, rel=0.1)
    assert defects.strength("binder") == pytest.approx(0.22 / 0.83, rel=0.1)


def test_prominence_of_a_plain_ball_by_hand():
    product = Product.draw(np.random.default_rng(0))
    # A wide ball of little density: in the middle, a window of 3 pixels holds its diameter.
    ball = projection.Bodies(np.zeros((1, 3)), 400.0 * np.eye(3)[None], np.array([100.0]), "stone")
    expected = 0.1 * 40 / (0.7 * product.unevenness * product.area_weight + 0.6 / 15)
    assert defects.prominence([ball], product) == pytest.approx(expected, rel=0.04)
