import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wool_tf.simulation import projection
from wool_tf.simulation.projection import Bodies, Pose
from wool_tf.simulation.xray import PITCH, SOURCE

NORMALS = np.concatenate([np.eye(3), -np.eye(3)])
X = projection.elements()[None, :]


def ball(radius, density=1000.0):
    return Bodies(np.zeros((1, 3)), radius**2 * np.eye(3)[None], np.array([density]), "stone")


def at(x, y, z, turn=None):
    return Pose(np.eye(3) if turn is None else turn, np.array([x, y, z], float))


def any_turn(numbers):
    return np.linalg.qr(np.random.default_rng(numbers).standard_normal((3, 3)))[0]


def test_elements_span_the_detector():
    assert projection.elements()[0] == pytest.approx(-256 + 0.4) and projection.elements()[-1] == pytest.approx(
        256 - 0.4
    )


def test_a_slab_is_longer_where_the_rays_are_oblique():
    lengths = projection.chords(
        NORMALS, np.array([900.0, 900, 25, 900, 900, 25]), at(0, 50, 100), X, np.array([[50.0]])
    )
    np.testing.assert_allclose(lengths, 50 * np.sqrt(1 + (X / SOURCE) ** 2), rtol=1e-9)


def test_the_shadow_of_an_edge_is_magnified():
    # The top at 200 mm spans ±60 mm: its shadow ends at ±60 · 900 / 700; further in, the chord is whole.
    lengths = projection.chords(NORMALS, np.array([60.0, 60, 50, 60, 60, 50]), at(0, 0, 150), X, np.array([[0.0]]))[0]
    shadow = np.abs(X[0])
    assert np.all(lengths[shadow > 60 * 900 / 700] == 0) and np.all(lengths[shadow < 60 * 900 / 700] > 0)
    inner = shadow < 60 * 900 / 800
    np.testing.assert_allclose(lengths[inner], 100 * np.sqrt(1 + (X[0, inner] / SOURCE) ** 2))


def test_chord_of_a_ball_in_closed_form():
    radius, height = 20.0, 100.0
    weight = projection.project(ball(radius), at(0, 100, height), 250)
    middle = weight[125 - 1 : 125 + 1].mean(axis=0)
    # Along y = 100 a ray misses the middle by x (1 - z/S) / sqrt(1 + (x/S)²), and is 2 sqrt(r² - miss²) mm inside.
    miss = X[0] * (1 - height / SOURCE) / np.sqrt(1 + (X[0] / SOURCE) ** 2)
    expected = 2 * np.sqrt(np.maximum(radius**2 - miss**2, 0))
    inside = np.abs(miss) < 0.9 * radius
    np.testing.assert_allclose(middle[inside], expected[inside], rtol=0.01)
    assert np.all(middle[np.abs(miss) > radius + 1] == 0)


@settings(max_examples=25)
@given(st.integers(0, 999), st.floats(1.0, 12.0), st.floats(1.0, 12.0), st.floats(-60, 60), st.floats(40, 200))
def test_mass_is_conserved_however_a_body_is_turned(numbers, a, b, x, z):
    shape = np.diag([a**2, b**2, 25.0])
    body = Bodies(np.zeros((1, 3)), shape[None], np.array([2650.0]), "stone")
    weight = projection.project(body, at(x, 100, z, any_turn(numbers)), 250)
    # A pixel of the detector is a smaller area at the height of the body, and the ray is longer than what is upright.
    area = PITCH**2 * (1 - z / SOURCE) * 1e-6
    upright = weight / np.sqrt(1 + (X / SOURCE) ** 2)
    # The height of the body itself changes the magnification by less than 12 / 700.
    assert upright.sum() * area == pytest.approx(body.mass(), rel=0.02)
    assert body.mass() == pytest.approx(2650 * 4 / 3 * np.pi * a * b * 5 * 1e-9)


@settings(max_examples=15)
@given(st.integers(0, 999), st.floats(-150, 150), st.floats(40, 230))
def test_ellipsoids_against_marching_along_the_ray(numbers, x, z):
    rng = np.random.default_rng(numbers)
    turn = any_turn(numbers)
    shape = turn @ np.diag(rng.uniform(8, 20, 3) ** 2) @ turn.T
    body = Bodies(np.zeros((1, 3)), shape[None], np.array([1000.0]), "stone")
    weight = projection.project(body, at(x, 60, z), 150)
    heights = np.linspace(z - 25, z + 25, 20001)
    columns = np.round(x * SOURCE / (SOURCE - z) / PITCH + 320 + rng.uniform(-5, 5, 3)).astype(int)
    for column in np.clip(columns, 1, 638):
        element = projection.elements()[column]
        points = np.stack([element * (1 - heights / SOURCE) - x, np.full_like(heights, 0.4), heights - z])
        inside = np.einsum("ip,ij,jp->p", points, np.linalg.inv(shape), points) <= 1
        length = inside.sum() * (heights[1] - heights[0]) * np.sqrt(1 + (element / SOURCE) ** 2)
        assert weight[75, column] == pytest.approx(length, abs=0.35)


def test_a_body_lies_where_the_rays_put_it():
    weight = projection.project(ball(2.0), at(80, 40, 150), 120)
    y, x = (weight.sum(axis=axis) @ np.arange(side) / weight.sum() for axis, side in ((1, 120), (0, 640)))
    assert (x + 0.5 - 320) * PITCH == pytest.approx(80 * 900 / 750, abs=0.1)
    assert (y + 0.5) * PITCH == pytest.approx(40, abs=0.1)


def test_what_hangs_over_the_border_is_left_out():
    assert projection.project(ball(10), at(-300, 50, 30), 100).sum() == 0
    half = (
        projection.project(ball(10), at(0, 0, 30), 100).sum() / projection.project(ball(10), at(0, 40, 30), 100).sum()
    )
    assert half == pytest.approx(0.5, abs=0.01)


def test_rotation_is_one():
    for axis in range(3):
        turn = projection.rotation(axis, 30)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1) and turn[axis, axis] == 1
