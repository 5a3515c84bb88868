import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import ks_2samp

from wool_tf.errors import WoolError
from wool_tf.simulation import campaign, defects
from wool_tf.simulation.campaign import Campaign
from wool_tf.simulation.wool import Product

SMALL = Campaign(samples=3, clean=1, scans=4, seed=5)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return campaign.write(tmp_path_factory.mktemp("simulated") / "scans", SMALL)


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_default_campaign_is_that_of_the_paper():
    campaign = Campaign()
    assert (campaign.samples, campaign.clean, campaign.scans) == (153, 70, 316)
    assert (~campaign.defective()).sum() == 70
    views = campaign.views()
    assert len(views) == 153 and views.sum() == 316 and views.min() >= 1 and views.max() <= 3


@given(st.integers(2, 60), st.data())
def test_any_campaign_is_kept_exactly(samples, data):
    campaign = Campaign(
        samples, data.draw(st.integers(1, samples - 1)), data.draw(st.integers(samples, 3 * samples)),
        data.draw(st.integers(0, 2**32 - 1)))  # fmt: skip
    assert campaign.defective().sum() == samples - campaign.clean
    views = campaign.views()
    assert views.sum() == campaign.scans and views.min() >= 1 and views.max() <= 3


@pytest.mark.parametrize(
    "wrong,line",
    [
        ({"samples": 1}, "samples=1: must be at least 2 and at most 99999"),
        ({"clean": 153}, "clean=153: must be from 1 to 152"),
        ({"clean": 0}, "clean=0: must be from 1 to 152"),
        ({"scans": 152}, "scans=152: must be from 153 to 459"),
        ({"seed": -1}, "seed=-1: must be at least 0 and at most 4294967295"),
    ],
)
def test_numbers_out_of_range(wrong, line):
    with pytest.raises(WoolError, match=line):
        Campaign(**wrong)


def test_layout_of_the_folder(small):
    document = json.loads((small / "annotations.json").read_text())
    assert [kind["name"] for kind in document["categories"]] == ["D1", "D2", "D3", "D4", "D5", "D6"]
    images = document["images"]
    assert len(images) == 4 and {image["sample"] for image in images} == {"S001", "S002", "S003"}
    assert {image["file_name"] for image in images} == {f"scans/{f.name}" for f in (small / "scans").iterdir()}
    for image in document["images"]:
        with Image.open(small / image["file_name"]) as scan:
            assert scan.mode == "I;16" and scan.size == (640, image["height"]) and image["height"] >= 320
    for reference in ("dark.png", "bright.png"):
        with Image.open(small / reference) as scan:
            assert scan.mode == "I;16" and scan.width == 640
    heights = {image["id"]: image["height"] for image in document["images"]}
    for annotation in document["annotations"]:
        x, y, width, height = annotation["bbox"]
        assert min(x, y) >= 0 and x + width <= 640 and y + height <= heights[annotation["image_id"]]
        assert min(width, height) >= campaign.LEAST_BOX and annotation["area"] == width * height


def test_as_many_samples_have_visible_defects_as_asked(small):
    document = json.loads((small / "annotations.json").read_text())
    sample = {image["id"]: image["sample"] for image in document["images"]}
    names = {kind["id"]: kind["name"] for kind in document["categories"]}
    visible = {sample[a["image_id"]] for a in document["annotations"] if names[a["category_id"]] in defects.VISIBLE}
    assert visible == {f"S{number + 1:03d}" for number in np.flatnonzero(SMALL.defective())}


def test_same_bytes_from_several_processes(small, tmp_path):
    again = campaign.write(tmp_path / "again", SMALL, jobs=2)
    assert contents(again) == contents(small)


def test_a_sample_depends_on_its_number_and_the_seed_alone(small):
    number = int(np.flatnonzero(SMALL.defective())[0])
    other = next(each for seed in range(99) if (each := Campaign(5, 2, 11, SMALL.seed)).defective()[number])
    mine, theirs = campaign.scans(SMALL, number), campaign.scans(other, number)
    for a, b in zip(mine, theirs, strict=False):
        assert a.angle == b.angle and a.boxes == b.boxes and np.array_equal(a.counts, b.counts)


def test_another_seed_gives_other_scans():
    a, b = (campaign.scans(Campaign(2, 1, 2, seed), 0)[0].counts for seed in (0, 1))
    assert a.shape != b.shape or not np.array_equal(a, b)


def test_a_defect_changes_its_box_and_nothing_else(monkeypatch):
    """The same sample with and without its defects: product, pose and noise must not tell."""
    planned = Campaign(2, 1, 2, 3)
    number = int(np.flatnonzero(planned.defective())[0])
    (defective,) = campaign.scans(planned, number)
    monkeypatch.setattr(Campaign, "defective", lambda self: np.zeros(2, bool))
    (clean,) = campaign.scans(planned, number)
    assert clean.angle == defective.angle and clean.counts.shape == defective.counts.shape
    assert not [kind for kind, _ in clean.boxes if kind in defects.VISIBLE]
    change = clean.counts.astype(float) - defective.counts
    visible = [box for kind, box in defective.boxes if kind in defects.VISIBLE]
    outside = np.ones(change.shape, bool)
    for x, y, width, height in (box for _, box in defective.boxes):
        outside[max(y - 3, 0) : y + height + 3, max(x - 3, 0) : x + width + 3] = False
    # Noise is drawn anew where the signal differs, so only its mean must be the same: over n pixels, to 5 deviations.
    assert abs(change[outside].mean()) < 5 * change[outside].std() / np.sqrt(outside.sum())
    x, y, width, height = max(visible, key=lambda box: box[2] * box[3])
    inside = change[y : y + height, x : x + width]
    assert inside.mean() > 4 * change[outside].std() / np.sqrt(inside.size)


def test_products_of_clean_and_defective_samples_are_of_one_distribution():
    campaign = Campaign(600, 280, 1239, 0)
    defective, views, products = campaign.defective(), campaign.views(), []
    for number in range(0, 600, 6):
        product = Product.draw(np.random.default_rng((0, 2, number, 0)))
        products.append([*product.size, product.density, product.unevenness, views[number]])
    products, defective = np.array(products), defective[::6]
    for values in products.T:
        assert ks_2samp(values[defective], values[~defective]).pvalue > 0.001


def test_products_do_not_follow_the_class():
    # The stronger half of the same: what is drawn for a sample is the same whichever class it has.
    one, other = Campaign(4, 1, 8, 9), Campaign(4, 3, 8, 9)
    assert np.any(one.defective() != other.defective())
    assert np.array_equal(one.views(), other.views())


def test_every_pose_fits_the_machine():
    for number in range(60):
        product = Product.draw(np.random.default_rng(number))
        poses = campaign._poses(product, np.random.default_rng(number))
        assert len(poses) == 3 and len({words for words, *_ in poses}) == 3
        for _, pose, lines in poses:
            reach = np.abs(pose.turn) @ product.size
            assert np.linalg.det(pose.turn) == pytest.approx(1)
            # Turned askew by a degree or two, its height is still its height.
            assert reach[2] <= 200.5 and pose.place[2] - reach[2] / 2 == pytest.approx(campaign.BELT)
            assert lines * 0.8 >= reach[1] and lines >= 320


@given(st.integers(0, 10**6), st.floats(0.1, 3.0))
def test_a_box_holds_all_that_exceeds_the_level(seed, level):
    rng = np.random.default_rng(seed)
    shadow = np.zeros((60, 80))
    for _ in range(rng.integers(0, 4)):
        shadow[rng.integers(60), rng.integers(80)] = rng.normal(0, 2)
    box = campaign._box(shadow, level)
    above = np.abs(shadow) > level
    if box is None:
        assert not above.any()
        return
    x, y, width, height = box
    assert above[y : y + height, x : x + width].sum() == above.sum() > 0
    assert min(width, height) >= campaign.LEAST_BOX
    assert min(x, y) >= 0 and x + width <= 80 and y + height <= 60
    rows, columns = np.nonzero(above)
    assert width == max(campaign.LEAST_BOX, np.ptp(columns) + 1) and height == max(campaign.LEAST_BOX, np.ptp(rows) + 1)


def test_finished_campaign_is_not_made_again(small, monkeypatch):
    monkeypatch.setattr(campaign, "scans", None)
    assert campaign.write(small, SMALL) == small


def test_another_campaign_does_not_touch_a_finished_one(small):
    before = contents(small)
    said = r"scans: holds something other than .*seed=6.*; delete it or give a new folder$"
    with pytest.raises(WoolError, match=said):
        campaign.write(small, Campaign(3, 1, 4, 6))
    assert contents(small) == before


def test_an_empty_folder_may_be_a_link_but_not_the_present_one(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "scans").symlink_to(tmp_path / "disk")
    campaign.write(tmp_path / "scans", Campaign(samples=2, clean=1, scans=2))
    assert (tmp_path / "scans").is_symlink() and (tmp_path / "disk/annotations.json").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(campaign, "_write_all", None)
    with pytest.raises(WoolError, match=r"^\.: is the folder in which this runs; give another one$"):
        campaign.write(".", SMALL)


def test_a_users_folder_is_not_touched(tmp_path):
    (tmp_path / "scans").mkdir()
    with pytest.raises(WoolError, match="holds something other"):
        campaign.write(tmp_path, SMALL)
    assert [file.name for file in tmp_path.iterdir()] == ["scans"]


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WoolError, match="cannot be written"):
        campaign.write(tmp_path / "file" / "scans", SMALL)


def test_interrupted_campaign_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(campaign, number):
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign, "scans", interrupted)
    with pytest.raises(KeyboardInterrupt):
        campaign.write(tmp_path / "scans", SMALL)
    assert not list(tmp_path.iterdir())


def test_progress_is_told(tmp_path):
    told = []
    campaign.write(tmp_path / "scans", Campaign(2, 1, 2, 0), progress=lambda done, scans: told.append((done, scans)))
    assert told == [(1, 2), (2, 2)]
