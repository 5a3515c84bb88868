"""wool_board/model/heatmap.py: where, and the picture of it."""

import numpy as np
import pytest

from wool_board.model import heatmap


def test_the_centre_of_a_heatmap():
    """244 pixels, 10 of them a margin on each side, in 7 cells of 32."""
    cells = np.full((7, 7), -3.0, np.float32)
    cells[2, 5] = 8.0
    assert heatmap.centre(cells, 10, 244) == (10 + 5.5 * 32, 10 + 2.5 * 32)
    cells[2, 4] = 8.0
    assert heatmap.centre(cells, 10, 244) == (10 + 5 * 32, 10 + 2.5 * 32)
    cells[3, 4] = cells[3, 5] = 4.0
    assert heatmap.centre(cells, 10, 244) == (10 + 5 * 32, pytest.approx(10 + (2.5 + 1 / 3) * 32))
    cells[6, 0] = 7.0  # Another defect, far away.
    assert heatmap.centre(cells, 10, 244) == (10 + 5 * 32, pytest.approx(10 + (2.5 + 1 / 3) * 32))
    assert heatmap.centre(-1 - np.eye(7)[::-1] * cells, 10, 244)[0] < 244
    assert heatmap.centre(np.full((3, 2), -1.0), 0, 120) == (30, 20)
    assert heatmap.peak(cells, 10, 244, (488, 244)) == (2 * 154, 85, 2 * 186, 117, 8.0)


def test_a_picture_shows_tinted_cells_and_a_frame():
    cells = np.full((7, 7), -3, np.float32)
    cells[2, 5] = 8.0
    cells[2, 0] = 4.0
    grey = np.full((244, 244), 128, np.uint8)
    picture = np.asarray(heatmap.picture(grey, cells, 10.0)).astype(int)
    red = picture[..., 0] - picture[..., 2]
    strong, weak = red[3 * 90, 3 * 186], red[3 * 90, 3 * 26]
    assert strong > 80 and weak == pytest.approx(strong / 2, abs=2)
    framed = np.argwhere(red < -50)
    assert framed.min(axis=0).tolist() == [3 * (10 + 64), 3 * (10 + 5 * 32)]
    assert framed.max(axis=0).tolist() == [3 * (10 + 96) - 1, 3 * (10 + 6 * 32) - 1]
    tinted = np.argwhere(red > 5)
    assert tinted.min(axis=0).tolist() == [3 * (10 + 64), 3 * 10]
    pale = np.asarray(heatmap.picture(grey, np.minimum(cells, 0.5), 10.0)).astype(int)
    assert 0 < pale[3 * 90, 3 * 26, 0] - 128 < 20
    assert (np.asarray(heatmap.picture(grey, -abs(cells), 10.0)) == 128).all()
