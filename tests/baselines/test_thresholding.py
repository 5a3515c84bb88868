import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import roc_auc_score

from wool_tf.baselines import thresholding
from wool_tf.baselines.thresholding import WINDOWS, evaluate_repeats

SIDE = 80


def wool(grey=200, blob=0, width=8, at=(30, 30), side=SIDE):
    """An even crop with a square that is darker by `blob`."""
    image = np.full((side, side), grey, np.uint8)
    image[at[0] : at[0] + width, at[1] : at[1] + width] -= np.uint8(blob)
    return image


def measured(image, window):
    return thresholding.measure(image[None], (window,))[0, 0]


def fitted(images, labels, windows=WINDOWS):
    return thresholding.fit(thresholding.measure(images, windows), np.array(labels))


def scores(limits, images, windows=WINDOWS):
    return limits.scores(thresholding.measure(images, windows))


def calls(limits, images, windows=WINDOWS):
    return (scores(limits, images, windows) >= 0).astype(int).tolist()


@pytest.mark.parametrize("at", [(30, 30), (0, 0), (72, 40), (0, 72)])
def test_blob_as_large_as_the_window_has_its_own_weight_and_contrast(at):
    assert measured(wool(200, 50, 8, at), 0.1) == pytest.approx((55 + 50, 50))


@pytest.mark.parametrize("width,share", [(4, 16 / 64), (2, 4 / 64), (8, 1)])
def test_smaller_blob_counts_by_its_share_of_the_window(width, share):
    assert measured(wool(200, 48, width), 0.1) == pytest.approx((55 + 48 * share, 48 * share))


def test_larger_blob_loses_contrast_but_no_weight():
    # In its middle, half of the strip of 16 pixels on each side is blob as well.
    assert measured(wool(200, 60, 24), 0.1) == pytest.approx((55 + 60, 30))


@settings(max_examples=40)
@given(arrays.arrays(np.uint8, (9, 9)), st.sampled_from([1 / 9, 2 / 9, 1 / 3, 1.0]), st.sampled_from([0.5, 1.0, 2.0]))
def test_agrees_with_loops_over_every_window(image, window, surroundings):
    weight, side = 255.0 - image, len(image)
    width = round(window * side)
    length = max(1, round(surroundings * width))
    inner, contrast = [], []
    for row, column in itertools.product(range(side - width + 1), repeat=2):
        rows, columns = slice(row, row + width), slice(column, column + width)
        strips = [
            weight[rows, max(0, column - length) : column],
            weight[rows, column + width : column + width + length],
            weight[max(0, row - length) : row, columns],
            weight[row + width : row + width + length, columns],
        ]
        inner.append(weight[rows, columns].mean())
        contrast.append(inner[-1] - max((strip.mean() for strip in strips if strip.size), default=inner[-1]))
    found = thresholding.measure(image[None], (window,), surroundings)[0, 0]
    assert found == pytest.approx((max(inner), max(contrast)), abs=1e-9)


def test_area_weight_separates_what_contrast_cannot():
    # All even: only the weight tells.
    images = np.stack([wool(grey) for grey in (220, 210, 200, 150, 140, 130)])
    found = fitted(images, [0, 0, 0, 1, 1, 1])
    assert found.limits[0] == 255 - (200 + 150) / 2
    tested = np.stack([wool(grey) for grey in (176, 174, 255, 0)])
    assert calls(found, tested) == [0, 1, 0, 1]


def test_contrast_separates_what_area_weight_cannot_and_ignores_brightness():
    grey = [200, 120, 180, 140, 190, 130]
    blob = [0, 0, 0, 30, 30, 30]
    images = np.stack([wool(*pair) for pair in zip(grey, blob, strict=True)])
    # The heaviest crop is clean: no limit of weight gets all of them.
    images[1] = wool(60)
    found = fitted(images, [0, 0, 0, 1, 1, 1])
    assert calls(found, images) == [0, 0, 0, 1, 1, 1]
    brighter = [wool(grey, blob) for grey in (110, 170, 230) for blob in (0, 30)]
    assert calls(found, np.stack(brighter)) == [0, 1] * 3


def test_constant_changes_the_weight_alone():
    image = np.random.default_rng(0).integers(60, 120, (SIDE, SIDE)).astype(np.uint8)
    for window in thresholding.WINDOWS:
        before, after = measured(image, window), measured(image + np.uint8(100), window)
        assert after == pytest.approx(before - (100, 0))


@pytest.mark.parametrize("window", thresholding.WINDOWS)
@pytest.mark.parametrize("turns", range(4))
def test_edge_of_a_product_and_slope_of_its_weight_have_no_contrast(window, turns):
    product = np.where(np.arange(SIDE) < 37, 80, 255) * np.ones((SIDE, 1))
    slope = 100.0 + np.arange(SIDE) * np.ones((SIDE, 1))
    for image in (product, slope):
        assert measured(np.rot90(image, turns).astype(np.uint8), window)[1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("window", thresholding.WINDOWS)
def test_wide_slow_gradient_does_not_trigger(window):
    rows, columns = np.mgrid[:SIDE, :SIDE] / (SIDE - 1)
    slopes = [rows, columns, 1 - rows, 1 - columns, (rows + columns) / 2]
    clean = np.stack([100 + 60 * slope for slope in slopes]).astype(np.uint8)
    # Defective crops are lighter: no limit of weight tells them.
    width = round(window * SIDE)
    defective = np.stack([wool(grey, 60, width) for grey in (180, 190, 200, 210, 220)])
    images, labels = np.concatenate([clean, defective]), np.repeat([0, 1], 5)
    found = fitted(images[:-1], labels[:-1], (window,))
    assert calls(found, images, (window,)) == labels.tolist()
    # Weight lessens by 30 / 79 per pixel from the heaviest corner, and strips lie 1.5 windows off; grey is whole.
    assert measured(clean[-1], window)[1] <= 30 / 79 * 1.5 * width + 1


@settings(max_examples=25)
@given(arrays.arrays(np.uint8, (12, 4, 4)), st.integers(0, 2**12 - 1).filter(lambda bits: 0 < bits < 2**12 - 1))
def test_no_pair_of_limits_is_better_on_the_training_images(images, bits):
    labels = np.array([bits >> number & 1 for number in range(12)])
    found = fitted(images, labels, (0.25,))
    values = thresholding.measure(images, (0.25,))[:, 0]
    best = max(
        np.mean((values > limits).any(axis=1) == labels)
        for limits in itertools.product(*([*column, column.max() + 1] for column in values.T))
    )
    # Limits below all values call everything defective; those are not tried, for no line would use them.
    assert np.mean(calls(found, images, (0.25,)) == labels) >= best - 1e-12


def noisy(count=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    base = rng.integers(140, 200, count)
    images = base[:, None, None] + rng.normal(0, 12, (count, 40, 40))
    images[:, 10:14, 20:24] -= (25 * labels * rng.uniform(0, 1, count))[:, None, None]
    return images.clip(0, 255).astype(np.uint8), labels


def test_every_fold_is_judged_by_limits_of_the_others():
    images, labels = noisy()
    fold_of = np.arange(len(labels)) % 5
    called, found = evaluate_repeats(images, labels, [[np.flatnonzero(fold_of == number) for number in range(5)]])[0]
    for number in range(5):
        limits = fitted(images[fold_of != number], labels[fold_of != number])
        assert np.allclose(found[fold_of == number], scores(limits, images[fold_of == number]))
    assert np.array_equal(called, found >= 0)
    assert 0.6 < roc_auc_score(labels, found) < 1


def test_held_out_labels_and_images_change_nothing_of_the_limits():
    images, labels = noisy()
    folds = np.array_split(np.arange(len(labels)), 4)
    called, found = evaluate_repeats(images, labels, [folds])[0]
    for held_out in folds:
        changed = labels.copy()
        changed[held_out] = np.random.default_rng(1).permutation(1 - labels[held_out])
        again, found_again = evaluate_repeats(images, changed, [folds])[0]
        assert np.array_equal(called[held_out], again[held_out])
        assert np.array_equal(found[held_out], found_again[held_out])
        other = images.copy()
        other[held_out[1:]] = 0
        assert evaluate_repeats(other, labels, [folds])[0][1][held_out[0]] == found[held_out[0]]


def test_windows_follow_the_side_of_the_image():
    images, labels = noisy()
    found = fitted(images, labels)
    doubled = images.repeat(2, axis=1).repeat(2, axis=2)
    assert np.allclose(scores(found, doubled)[::2], scores(found, images[::2]), atol=0.2)
    assert fitted(doubled, labels).number == found.number


def test_of_windows_that_do_as_well_the_smallest_is_kept():
    images = np.stack([wool(grey) for grey in (220, 210, 140, 130)])
    assert fitted(images, [0, 0, 1, 1]).number == 0


@pytest.mark.parametrize(
    "images,labels,message",
    [
        (np.zeros((4, 8, 8)), [0, 1, 0, 1], "must be .* uint8, got .* float64"),
        (np.zeros((4, 8, 9), np.uint8), [0, 1, 0, 1], r"got \(4, 8, 9\)"),
        (np.zeros((4, 64), np.uint8), [0, 1, 0, 1], r"got \(4, 64\)"),
        (np.zeros((4, 8, 8), np.uint8), [0, 0, 0, 0], "two classes, got 1"),
        (np.zeros((4, 8, 8), np.uint8), [0, 1, 2, 0], "two classes, got 3"),
    ],
)
def test_wrong_use_is_named(images, labels, message):
    with pytest.raises(ValueError, match=message):
        fitted(images, labels)


def test_even_images_of_two_classes_are_all_passed():
    images = np.full((6, 16, 16), 90, np.uint8)
    found = fitted(images, [0, 0, 0, 0, 1, 1])
    assert calls(found, images) == [0] * 6
    assert np.isfinite(scores(found, images)).all()
