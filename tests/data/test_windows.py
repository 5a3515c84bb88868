import numpy as np
import pytest

from wool_tf.data import windows


def test_default_window_ends_where_a_thousandth_is_denser():
    # 10,000 pixels spread evenly over (0.5, 1.5), and as many of air.
    shown = np.linspace(0.5, 1.5, 10_000, dtype=np.float32)
    counts = windows.histogram(np.concatenate([shown, np.zeros(10_000, np.float32)])[None])
    assert counts.sum() == 10_000
    assert windows.default_window(counts) == pytest.approx((0, 1.499), abs=2e-3)


def test_pixels_without_signal_are_those_that_the_beam_does_not_reach():
    # Wool of 0.7 with air on both sides, edges that a median must not take for shadows.
    attenuation = np.zeros((40, 100), np.float32)
    attenuation[:, 20:80] = 0.7
    attenuation[:, 50] = 9  # A dead element.
    attenuation[:, 0] = 1.5  # A shadow.
    attenuation[10:20, 60] = 3  # A dense defect, in some lines of a column.
    attenuation[5, 30] = 4.7
    expected = np.zeros(attenuation.shape, bool)
    expected[:, [0, 50]] = expected[5, 30] = True
    np.testing.assert_array_equal(windows.without_signal(attenuation), expected)
    # Where noise hides all above 2.9, pixels there have no signal.
    expected[10:20, 60] = True
    np.testing.assert_array_equal(windows.without_signal(attenuation, 2.9), expected)
