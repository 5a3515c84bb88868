import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from wool_tf.data import frames
from wool_tf.data.annotations.scans import Box, Scan
from wool_tf.data.frames import Frame
from wool_tf.errors import WoolError

SIDE, LINES, WIDTH = 40, 60, 100
VISIBLE = ("D1", "D3")


def scan(boxes=(), lines=150, path="a.png", sample="S"):
    return Scan(path, sample, WIDTH, lines, "", "", tuple(sorted(boxes)))


def framed(one, wool=None):
    """The frames of a scan; `wool` is its extent in the scan, all of it by default."""
    for number, area in enumerate(frames.areas(one, LINES, SIDE)):
        inner = wool and Box(wool.x0, max(wool.y0, area.y0), wool.x1, min(wool.y1, area.y1))
        yield Frame(one, number, area, inner or area)


def choose(found, wanted=(None, None), seed=0):
    return frames.choose(found, SIDE, VISIBLE, wanted, seed)


def clean(count, **options):
    return [frame for k in range(count) for frame in framed(scan(path=f"clean{k}.png", **options))]


def defective(boxes, **options):
    """The defective crops of one scan; others are clean so that there are both classes."""
    choice = choose([*framed(scan(boxes, **options)), *clean(1)])
    return [crop for crop in choice.crops if crop.label]


@pytest.mark.parametrize(("lines", "ends"), [(39, []), (40, [40]), (99, [60]), (100, [60, 100]), (180, [60, 120, 180])])
def test_frames_of_a_scan_share_no_line_and_the_last_one_holds_a_crop(lines, ends):
    found = list(frames.areas(scan(lines=lines), LINES, SIDE))
    assert [area.y1 for area in found] == ends
    assert [area.y0 for area in found] == [0, 60, 120][: len(ends)]
    assert all((area.x0, area.x1) == (0, WIDTH) for area in found)


BOXES = st.builds(
    lambda x, y, width, height, kind: Box(x, y, min(x + width, WIDTH), min(y + height, 160), kind),
    st.integers(0, WIDTH - 1),
    st.integers(0, 159),
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from([*VISIBLE, "D5"]),
)


@settings(max_examples=200)
@given(st.lists(BOXES, max_size=5), st.integers(0, 1000))
def test_rules_of_both_classes_hold_for_any_boxes(boxes, seed):
    start = [*framed(scan([Box(5, 5, 9, 9, "D1")], path="z.png")), *clean(1)]
    choice = choose([*framed(scan(boxes, lines=160)), *start], seed=seed)
    assert len({(crop.frame.scan.path, crop.frame.number) for crop in choice.crops}) == len(choice.crops)
    for crop in choice.crops:
        area, frame = crop.area, crop.frame.area
        assert (area.x1 - area.x0, area.y1 - area.y0) == (SIDE, SIDE)
        assert frame.x0 <= area.x0 and area.x1 <= frame.x1 and frame.y0 <= area.y0 and area.y1 <= frame.y1
        visible = [box for box in crop.frame.scan.boxes if box.defect in VISIBLE]
        assert any(shows(area, frame, box) for box in visible) if crop.label else not any(map(area.touches, visible))


def shows(crop, frame, box):
    """Whether a crop holds what its frame holds of a box, or lies within its span."""
    y0, y1 = max(box.y0, frame.y0), min(box.y1, frame.y1)
    if not frame.y0 <= (box.y0 + box.y1) // 2 < frame.y1:
        return False
    return all(
        (start <= low and high <= stop) if stop - start > SIDE else (low <= start and stop <= high)
        for start, stop, low, high in ((box.x0, box.x1, crop.x0, crop.x1), (y0, y1, crop.y0, crop.y1))
    )


def test_a_box_may_lie_anywhere_in_its_crop_but_in_its_margin():
    box = Box(45, 25, 55, 35, "D1")
    found = [
        crop.area
        for seed in range(400)
        for crop in choose([*framed(scan([box])), *clean(1)], wanted=(1, 1), seed=seed).crops
        if crop.label
    ]
    # The margin is 20/244 of 40 pixels, 3. 25 offsets across; along, the frame of 60 lines leaves 21: 0 to 20.
    assert {area.x0 for area in found} == set(range(18, 43))
    assert {area.y0 for area in found} == set(range(0, 21))


@settings(max_examples=200)
@given(st.integers(3, 94), st.integers(1, 40), st.integers(0, 1000))
def test_what_training_and_judging_cut_off_holds_nothing_of_a_box(x, width, seed):
    """The margin is kept unless the border of the scan is in its way; a large box has half of what is left."""
    box = Box(x, 10, min(x + width, 96), 20, "D1")
    crop = choose([*framed(scan([box])), *clean(1)], wanted=(1, 1), seed=seed).crops[0]
    margin = min(3, (SIDE - (box.x1 - box.x0)) // 2)
    if crop.label:
        assert box.x0 - crop.area.x0 >= margin or crop.area.x0 == 0
        assert crop.area.x1 - box.x1 >= margin or crop.area.x1 == WIDTH


def test_a_box_larger_than_a_crop_spans_it():
    (crop,) = defective([Box(10, 20, 90, 30, "D1")])
    assert 10 <= crop.area.x0 and crop.area.x1 <= 90
    assert crop.area.y0 <= 20 and crop.area.y1 >= 30


def test_a_box_cut_by_frames_belongs_to_that_of_its_middle():
    (crop,) = defective([Box(50, 50, 55, 81, "D1")])
    assert crop.frame.number == 1
    # All 21 lines that the frame holds.
    assert crop.area.y0 == 60


@pytest.mark.parametrize("box", [Box(50, 50, 55, 75, "D1"), Box(0, 20, 3, 24, "D1"), Box(96, 20, 99, 24, "D1")])
def test_a_box_whose_middle_is_in_the_margin_makes_no_crop_defective_and_is_in_no_other(box):
    choice = choose([*framed(scan([box])), *framed(scan([Box(50, 20, 55, 25, "D1")], path="z.png")), *clean(4)])
    assert {crop.frame.scan.path for crop in choice.crops if crop.label} == {"z.png"}
    assert not any(crop.area.touches(box) for crop in choice.crops if crop.frame.scan.path == "a.png")


def test_types_of_all_boxes_touched_are_listed_once():
    boxes = [Box(40, 20, 45, 25, "D3"), Box(46, 20, 49, 25, "D5"), Box(41, 21, 44, 24, "D1"), Box(42, 22, 44, 24, "D1")]
    (crop,) = defective(boxes)
    assert crop.defect in ("D1+D3", "D1+D3+D5")


def test_invisible_boxes_make_no_crop_defective_but_are_listed():
    moist, marked = scan([Box(0, 0, WIDTH, 150, "D5")]), scan([Box(5, 5, 9, 9, "D1")], path="z.png")
    choice = choose([*framed(moist), *framed(marked)], wanted=(3, None))
    found = [(crop.label, crop.defect) for crop in choice.crops if crop.frame.scan == moist]
    assert found == [(0, "D5"), (0, "D5")]


def test_frames_without_a_crop_are_counted_by_reason():
    crowded = scan([Box(0, 55, WIDTH, 119, "D1")], path="crowded.png")
    aired = [Frame(frame.scan, frame.number, frame.area, None) for frame in framed(scan(path="air.png", lines=60))]
    # Lines 0 to 54 of the first frame are free: at most 15 places, which phantoms at the lower end do not reach.
    choice = choose([*framed(crowded), *aired, *clean(2)], wanted=(1, None))
    assert choice.without[frames.NO_WOOL] == 1
    assert sum(choice.without.values()) + len(choice.crops) == 2 + 1 + 4


def test_a_frame_full_of_a_neighbours_box_gives_no_crop():
    full = scan([Box(0, 0, WIDTH, 150, "D1")], lines=160)
    choices = [choose([*framed(full), *clean(1)], wanted=(2, None), seed=seed) for seed in range(10)]
    choice = max(choices, key=lambda choice: choice.without.get(frames.NO_ROOM, 0))
    # The middle of the box is in frame 1; the others hold nothing but it.
    assert [crop.frame.number for crop in choice.crops if crop.frame.scan.path == "a.png"] == [1]
    assert choice.without[frames.NO_ROOM] == 2


def test_without_a_number_there_are_as_many_of_both_classes_but_only_of_half_of_the_clean_frames():
    def classes(marked, free):
        scans = [scan([Box(5, 5, 9, 9, "D1")], 60, path=f"z{number}.png") for number in range(marked)]
        sources = [frame for one in scans for frame in framed(one)]
        labels = [crop.label for crop in choose([*sources, *clean(free, lines=60)]).crops]
        return labels.count(0), labels.count(1)

    assert classes(4, 20) == (4, 4)
    assert classes(8, 10) == (5, 8)
    assert classes(3, 1) == (1, 3)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ((5, None), "non_defective: 5 crops wanted, but only 4 frames give one"),
        ((None, 3), "defective: 3 crops wanted, but only 1 frames give one"),
    ],
)
def test_fewer_than_wanted_are_refused(wanted, said):
    found = [*framed(scan([Box(5, 5, 9, 9, "D1")], lines=60)), *clean(2)]
    with pytest.raises(WoolError, match=said):
        choose(found, wanted)


@pytest.mark.parametrize("name", ["defective", "non_defective"])
def test_both_classes_are_needed(name):
    found = clean(2) if name == "defective" else framed(scan([Box(5, 5, 9, 9, "D1")], lines=60))
    with pytest.raises(WoolError, match=f"^{name}: no frame"):
        choose(found)


def products(count, share, seed):
    """Frames of scans of products of any size, and defects uniform in the wool of a share of them."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        length, width = rng.integers(60, 400), rng.integers(45, 95)
        x, y = rng.integers(0, WIDTH - width + 1), rng.integers(0, 10)
        wool, boxes = Box(x, y, x + width, y + length), []
        for _ in range(rng.integers(1, 3) if rng.random() < share else 0):
            across, along = rng.integers(2, 20, 2)
            left, top = rng.integers(x, x + width - across + 1), rng.integers(y, y + length - along + 1)
            boxes.append(Box(left, top, left + across, top + along, "D1"))
        one = scan(boxes, lines=y + length + 5, path=f"{k:05d}.png", sample=f"S{k}")
        yield from framed(one, wool)


def shown_air(crop):
    """Share of a crop that lies outside of the extent of the wool."""
    area, wool = crop.area, crop.frame.wool
    across = max(0, min(area.x1, wool.x1) - max(area.x0, wool.x0))
    along = max(0, min(area.y1, wool.y1) - max(area.y0, wool.y0))
    return 1 - across * along / SIDE**2


@pytest.fixture(scope="module")
def many():
    # Enough clean frames for phantoms to choose from, as in a factory.
    found = [frame for frame in products(4000, share=0.3, seed=1) if frame.wool.y1 > frame.wool.y0]
    return choose(found, wanted=(1000, 1000)).crops


@pytest.mark.parametrize(
    "feature",
    [
        lambda crop: crop.area.x0,
        lambda crop: crop.area.y0 - crop.frame.area.y0,
        lambda crop: crop.frame.area.y1 - crop.area.y1,
        lambda crop: crop.area.y0,
        lambda crop: crop.frame.number,
        shown_air,
        lambda crop: crop.frame.wool.x1 - crop.frame.wool.x0,
    ],
    ids=["x", "y in frame", "y from end of frame", "y", "number of frame", "air", "width of the product"],
)
def test_place_is_distributed_alike_in_both_classes(many, feature):
    values = [[feature(crop) for crop in many if crop.label == label] for label in (0, 1)]
    # Of 1000 each; the seeds are fixed. A classifier that knew the feature alone would be right in 50 % + D/2.
    result = ks_2samp(*values)
    assert result.pvalue > 0.01 and result.statistic < 0.07


def test_order_of_frames_does_not_matter_and_the_seed_does():
    found = list(products(60, share=0.5, seed=2))
    found = [frame for frame in found if frame.wool.y1 > frame.wool.y0]
    mixed = random.Random(0).sample(found, len(found))
    assert choose(found, (20, 20)) == choose(mixed, (20, 20))
    assert choose(found, (20, 20)).crops != choose(found, (20, 20), seed=1).crops


def test_extent_of_the_wool_is_that_of_the_product():
    rng = np.random.default_rng(0)
    attenuation = rng.normal(0, 0.02, (300, 200))
    attenuation[37:190, 20:171] += 0.1
    area = Box(0, 640, 200, 940)
    assert frames.wool(attenuation, area) == Box(20, 640 + 37, 171, 640 + 190)
    assert frames.wool(rng.normal(0, 0.02, (300, 200)), area) is None


def test_a_dense_spot_does_not_hide_the_wool_around_it():
    attenuation = np.full((100, 80), 0.1)
    attenuation[:3], attenuation[50:55, 30:35] = 0, 5.0
    assert frames.wool(attenuation, Box(0, 0, 80, 100)) == Box(0, 3, 80, 100)
