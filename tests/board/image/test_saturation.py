"""wool_board/image/{saturation,references}.py: a plateau is found wherever it lies, and noise is none."""

import numpy as np
import pytest
from PIL import Image

from wool_board.errors import WoolError
from wool_board.image import saturation
from wool_board.image.references import correction

WIDTH, LINES = 64, 32


def level(samples):
    return saturation.level(saturation.histogram(samples))


@pytest.mark.parametrize(
    # Of 8 bits, noise takes few counts: only where much is cut is the plateau more than its tail.
    ("top", "mean"),
    [(255, 255), (1023, 990), (4000, 3880), (4095, 3970), (16383, 15_900), (50_000, 48_500), (65535, 63_500)],
)
def test_samples_that_are_cut_have_a_plateau(top, mean):
    counts = np.random.default_rng(1).normal(mean, 0.02 * top, (LINES, WIDTH))
    dtype = np.uint8 if top == 255 else np.uint16
    assert level(np.minimum(np.rint(counts), top).astype(dtype)) == top


@pytest.mark.parametrize("top", [4095, 4000])
def test_counts_in_steps_of_16_have_one_as_well(top):
    counts = np.minimum(np.random.default_rng(2).normal(0.97 * top, 0.02 * top, (LINES, WIDTH)).astype(int), top)
    assert level((16 * counts).astype(np.uint16)) == 16 * top


@pytest.mark.parametrize("mean", [200, 3000, 20_000])
@pytest.mark.parametrize("spread", [0.7, 3, 10])
@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_plateau(mean, spread, seed):
    rng = np.random.default_rng(seed)
    gain = rng.normal(1, 0.02, WIDTH)
    counts = np.rint(mean * gain + rng.normal(0, spread, (500, WIDTH)))
    assert level(counts.astype(np.uint16)) is None


def test_all_alike_is_a_plateau_and_a_few_samples_are_none():
    assert level(np.full((LINES, WIDTH), 4000, np.uint16)) == 4000
    assert level(np.full(saturation.LEAST - 1, 4000, np.uint16)) is None
    assert level(np.zeros(0, np.uint16)) is None


@pytest.mark.parametrize(("top", "mark"), [(4000, 65535), (3900, 4095), (60_000, 65535), (1023, 60_000)])
@pytest.mark.parametrize("marked", [3, 20, 38])
def test_hot_samples_above_a_plateau_do_not_hide_it(top, mark, marked):
    rng = np.random.default_rng(5)
    counts = np.rint(rng.normal(0.97 * top, 0.02 * top, LINES * WIDTH))
    cut = np.minimum(counts, top).astype(np.uint16)
    cut[rng.choice(cut.size, marked, replace=False)] = mark
    assert level(cut) == top
    # Nor does the tail of noise become one by them.
    whole = np.minimum(counts, mark - 1).astype(np.uint16)
    whole[:marked] = mark
    assert level(whole) in (None, mark)


def references(folder, gain, clip):
    """Two files of a noisy detector whose counts end at `clip`."""
    rng = np.random.default_rng(3)
    dark = 200 + rng.normal(0, 4, (LINES, WIDTH))
    bright = 200 + gain + rng.normal(0, 25, (LINES, WIDTH))
    files = folder / "dark.png", folder / "bright.png"
    for file, counts in zip(files, (dark, bright), strict=True):
        Image.fromarray(np.minimum(np.rint(counts), clip).astype(np.uint16)).save(file)
    return files


@pytest.mark.parametrize("clip", [4000, 4095])
def test_elements_at_the_plateau_of_the_bright_reference_are_bad(tmp_path, clip):
    gain = np.full(WIDTH, 3000.0)
    # Within what the flat field makes up for: only saturation tells. Two are cut in every line, one in a few.
    gain[[7, 8]], gain[40] = 4400, clip - 200 - 20
    assert correction(*references(tmp_path, gain, clip), None).bad == (7, 8, 40)
    assert correction(*references(tmp_path, gain, 65535), None).bad == ()


def own_ends(counts: np.ndarray, top: int = 4000) -> np.ndarray:
    """Counts of a detector of 12 bits that takes off the offset of each element itself: each ends somewhere else."""
    return np.minimum(counts, top - np.random.default_rng(8).integers(0, 60, WIDTH)).astype(np.uint16)


@pytest.mark.parametrize("beam", [4200.0, 9000.0])
def test_a_bright_reference_whose_elements_end_each_at_its_own_count_is_refused(tmp_path, beam):
    dark, bright = references(tmp_path, np.full(WIDTH, beam), 65535)
    Image.fromarray(own_ends(np.asarray(Image.open(bright)))).save(bright)
    with pytest.raises(WoolError, match="elements 0 to 63 .* are dead, noisy or saturated"):
        correction(dark, bright, None)


def test_elements_that_reach_their_own_end_are_bad_and_no_others(tmp_path):
    gain = np.full(WIDTH, 3000.0)
    gain[[7, 8, 40]] = 4400, 4400, 3770
    dark, bright = references(tmp_path, gain, 65535)
    Image.fromarray(own_ends(np.asarray(Image.open(bright)))).save(bright)
    assert correction(dark, bright, None).bad == (7, 8, 40)


@pytest.mark.parametrize("mean", [5, 200, 3000, 20_000])
@pytest.mark.parametrize("spread", [2.0, 3, 40])
@pytest.mark.parametrize("lines", [16, 64, 1000])
def test_noise_has_no_plateau_in_any_element(mean, spread, lines):
    counts = np.maximum(np.rint(np.random.default_rng(4).normal(mean, spread, (lines, 2000))), 0).astype(np.uint16)
    # Where counts cannot be below 0, that may be all there is.
    assert not saturation.own_plateaus(counts, np.full(2000, spread)).any() or mean < spread


def test_elements_whose_noise_is_less_than_a_count_may_all_be_alike():
    assert not saturation.own_plateaus(np.full((LINES, WIDTH), 200, np.uint8), np.full(WIDTH, 0.4)).any()
    assert (saturation.own_plateaus(np.full((LINES, WIDTH), 200, np.uint8), np.full(WIDTH, 3.0)) == LINES).all()


def test_a_stuck_element_above_does_not_hide_the_plateau(tmp_path):
    gain = np.full(WIDTH, 3000.0)
    gain[7] = 4400
    dark, bright = references(tmp_path, gain, 4000)
    counts = np.asarray(Image.open(bright)).copy()
    counts[:, 20] = 60_000
    Image.fromarray(counts).save(bright)
    assert correction(dark, bright, None).bad == (7, 20)


def test_hot_samples_in_good_elements_do_not_hide_the_plateau(tmp_path):
    gain = np.full(WIDTH, 3000.0)
    gain[[7, 8]] = 4400
    dark, bright = references(tmp_path, gain, 4000)
    counts = np.asarray(Image.open(bright)).copy()
    counts[5, 30] = counts[9, 41] = 4095
    Image.fromarray(counts).save(bright)
    assert set(correction(dark, bright, None).bad) >= {7, 8}


def test_a_bright_reference_that_is_saturated_as_a_whole_is_refused(tmp_path):
    files = references(tmp_path, np.full(WIDTH, 9000.0), 4000)
    with pytest.raises(WoolError, match="elements 0 to 63 .* are dead, noisy or saturated"):
        correction(*files, None)


def test_where_white_is_given_it_saturates_without_a_plateau(tmp_path):
    gain = np.full(WIDTH, 3000.0)
    gain[30] = 3700
    files = references(tmp_path, gain, 65535)
    counts = np.asarray(Image.open(files[1])).copy()
    counts[3, 30] = 4095
    Image.fromarray(counts).save(files[1])
    assert correction(*files, None, white=4095).bad == (30,)
    assert correction(*files, None).bad == ()
