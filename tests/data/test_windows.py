import numpy as np
import pytest

from wool_tf.data import windows


def test_default_window_ends_where_a_thousandth_is_denser():
    # 10,000 pixels spread evenly over (0.5, 1.5), and as many of air.
    shown = np.linspace(0.5, 1.5, 10_000, dtype=np.float32)
    counts = windows.histogram(np.concatenate([shown, np.zeros(10_000, np.float32)])[None])
    assert counts.sum() == 10_000
    assert windows.default_window(counts) == pytest.approx((0, 1.499), abs=2e-3)
