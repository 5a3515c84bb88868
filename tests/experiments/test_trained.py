"""Which network and which images the scripts take, and which of them the network saw."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import trained_networks
from PIL import Image
from trained_networks import HELD_OUT, OTHERS, SIDE

from wool_tf import records
from wool_tf.data import run_document
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.imaging import Imaging
from wool_tf.data.run_document import RunBinding
from wool_tf.deploy.trained_network import Held, NetworkSource, opened
from wool_tf.errors import WoolError
from wool_tf.networks import unit_records, weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import UnitRecord

LOADED = 35
"""Side at which training loads images for a network of 32 pixels, 32 · 244 / 224."""


@pytest.fixture
def source(trained, crops, tmp_path):
    """A copy of the network, with nothing beside it, and folds."""
    shutil.copy(trained, tmp_path)
    trained_networks.write_folds(tmp_path / "folds.json")
    return NetworkSource(tmp_path / "net.safetensors", crops, held=Held(tmp_path / "folds.json", 0, 0))


def looked_at(source):
    return opened(source, source.network.parent / "cache")


def test_a_fold_is_held_out_and_the_rest_trains(source):
    found = looked_at(source)
    assert (found.held_out.tolist(), found.train.tolist()) == (HELD_OUT, OTHERS)
    found = looked_at(dataclasses.replace(source, held=dataclasses.replace(source.held, fold=1)))
    assert (found.held_out.tolist(), found.train.tolist()) == (OTHERS, HELD_OUT)
    found = looked_at(dataclasses.replace(source, held=None))
    assert (found.held_out.tolist(), found.train.tolist()) == ([], list(range(16)))


def test_images_are_as_in_training_and_of_any_other_size(source, crops):
    found = looked_at(source)
    assert found.images.images.shape == (16, LOADED, LOADED)
    pixels, labels = trained_networks.labelled(crops)
    np.testing.assert_array_equal(found.load(SIDE).native.images, pixels)
    np.testing.assert_array_equal(found.images.labels, labels)


def test_scores_are_those_of_the_network(source):
    from wool_tf.data import pixels
    from wool_tf.networks import resnet

    found = looked_at(source)
    # load 35, middle 32
    middle = found.images.images[OTHERS][:, 1:33, 1:33]
    logits = np.asarray(resnet.restored(found.spec, found.arrays)(pixels.normalise(middle), training=False), np.float64)
    expected = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    np.testing.assert_allclose(found.scores(np.array(OTHERS)), expected, rtol=1e-5)


def test_keras_files_are_networks_too(source, tmp_path):
    from wool_tf.networks import resnet

    spec, arrays = weights.load(source.network)
    resnet.restored(spec, arrays).save(tmp_path / "net.keras")
    found = looked_at(dataclasses.replace(source, network=tmp_path / "net.keras"))
    assert found.spec == spec
    assert all(np.array_equal(found.arrays[key], arrays[key]) for key in arrays)


def test_other_networks_are_refused(source, tmp_path):
    for shape, classes in (((32, 32, 3), 2), ((32, 64, 1), 2), ((32, 32, 1), 3)):
        spec = ResNetSpec.full(18, classes, shape)
        spec = spec.resized({group: 1 for group in spec.by_group()})
        weights.save(tmp_path / "other.safetensors", spec, weights.initial(spec, 0))
        with pytest.raises(WoolError, match="^network=.*: must read square grey images and know 2 classes, but has"):
            looked_at(dataclasses.replace(source, network=tmp_path / "other.safetensors"))


def test_what_is_no_network_is_refused(source, tmp_path):
    from safetensors.numpy import save_file

    save_file({"fc.bias": np.zeros(2, np.float32)}, tmp_path / "bare.safetensors")
    for name, message in (
        ("none.safetensors", "none.safetensors: cannot be read as safetensors"),
        ("net.pth", "^network=.*net.pth: must be a checkpoint, and end in .safetensors or .keras$"),
        ("bare.safetensors", "^network=.*: no spec in its header, so it is no checkpoint of wool_tf$"),
    ):
        with pytest.raises(WoolError, match=message):
            looked_at(dataclasses.replace(source, network=tmp_path / name))


def recorded(source, **others):
    """With a record of the training beside the network."""
    said = {"stage": "hard3", "images": looked_at(dataclasses.replace(source, held=None)).images.fingerprint, "seed": 0}
    made = {"environment": {}, "started": 0.0, "seconds": 1.0, "attempts": (), "kept": True}
    unit_records.write(source.network.with_suffix(".json"), UnitRecord(**said | made | others))
    return source


def test_a_network_that_saw_the_held_out_images_is_refused(source):
    for others, message in (
        ({}, "^network=.*: was trained on 8 of the 8 images of fold 0, as the record beside it says$"),
        ({"held_out": HELD_OUT[1:]}, "^network=.*: was trained on 1 of the 8 images of fold 0, as the record"),
        ({"held_out": HELD_OUT, "images": "0" * 64}, "^network=.*: was trained on other images than those of"),
    ):
        with pytest.raises(WoolError, match=message):
            looked_at(recorded(source, **others))
    assert looked_at(recorded(source, held_out=HELD_OUT))
    assert looked_at(dataclasses.replace(recorded(source), held=None))


def test_a_foreign_record_beside_the_network_is_one_line(source):
    beside = source.network.with_suffix(".json")
    beside.write_text(json.dumps({"version": 7, "stage": "baseline", "images": "0" * 64}))
    with pytest.raises(WoolError, match=r"^[^\n]*/net.json: is of version 7, not 1; [^\n]*, or remove it$"):
        looked_at(source)
    beside.write_text(json.dumps({"version": "2.3", "notes": "of my own script"}))
    assert looked_at(source)


@pytest.mark.parametrize("text", ["", "[", "{}", "[[0, 1]]", '[[[0, "1"]]]', "[[[0.5]]]", "[[[true]]]"])
def test_damaged_folds_are_refused(text, source):
    source.held.folds_file.write_text(text)
    with pytest.raises(WoolError, match=r"^folds_file=.*: (cannot be read as JSON|must be a list of repeats)[^\n]*$"):
        looked_at(source)


@pytest.mark.parametrize(
    ("repeats", "repeat", "fold", "message"),
    [
        ([[HELD_OUT, OTHERS]], 1, 0, r"^repeat=1: .*folds.json has 1, counted from 0$"),
        ([[HELD_OUT, OTHERS]], 0, 2, r"^fold=2: .*folds.json has 2, counted from 0$"),
        ([[HELD_OUT, OTHERS[:-1]]], 0, 0, r"^folds_file=.*: is no partition of the 16 images of .*; give their run's$"),
        ([[HELD_OUT, [*OTHERS, 0]]], 0, 0, r"^folds_file=.*: is no partition of"),
        ([[list(range(8)), list(range(8, 16))]], 0, 0, r"^fold=0: in .* its held-out images are not of both"),
        ([[[0, 1, *range(8, 16)], list(range(2, 8))]], 0, 0, r"^fold=0: in .* its training images are not of both"),
    ],
)
def test_folds_that_do_not_fit_are_refused(repeats, repeat, fold, message, source):
    source.held.folds_file.write_text(json.dumps(repeats))
    with pytest.raises(WoolError, match=message):
        looked_at(dataclasses.replace(source, held=Held(source.held.folds_file, repeat, fold)))


def test_folds_of_a_run_with_other_images_are_refused(source):
    # Whatever size the networks of that run read.
    for said, fits in (("0" * 64, False), (looked_at(source).load(None).native.fingerprint, True)):
        run_document.write(source.held.folds_file.parent, run(native_crops=said))
        if fits:
            assert looked_at(source)
        else:
            with pytest.raises(WoolError, match="^folds_file=.*: is of a run with other images than .*`sample_from`"):
                looked_at(source)


def run(**others) -> RunBinding:
    of = {"settings": {"image_size": 64}, "images": "1" * 64, "native_crops": "0" * 64, "imaging": Imaging(SIDE)}
    made = {"backend": "tensorflow", "versions": {}, "arithmetic": {}, "weights": {}, "processors": ()}
    return RunBinding(**of | made | others)


@pytest.fixture
def clipped(crops, source, tmp_path) -> NetworkSource:
    """A source whose crops have 16 bits and saturate at 3900."""
    for path in crops.glob("*/*.png"):
        copy = tmp_path / "clipped" / path.relative_to(crops)
        copy.parent.mkdir(parents=True, exist_ok=True)
        counts = np.asarray(Image.open(path)).astype(np.uint32) * 3900 // 150
        Image.fromarray(counts.clip(0, 3900).astype(np.uint16)).save(copy)
    return dataclasses.replace(source, data=tmp_path / "clipped")


@pytest.mark.parametrize("beside", ["net.json", "run.json"])
def test_the_images_of_the_training_read_in_another_range_are_refused(beside, clipped, tmp_path):
    trained = dataclasses.replace(clipped, reading=CropReading(white=3900), held=None)
    crops = looked_at(recorded(trained)).load(None)
    bound = {"native_crops": crops.native.fingerprint, "imaging": crops.imaging}
    if beside == "run.json":
        run_document.write(tmp_path, run(**bound))
    else:
        recorded(trained, **bound)
    assert looked_at(trained)
    for white, now in ((None, 4095), (4000, 4000)):
        with pytest.raises(WoolError) as refused:
            looked_at(dataclasses.replace(trained, reading=CropReading(white=white)))
        rule = f"in training, the highest value of {clipped.data} was 3900, and {now} is now; give `white`=3900"
        assert str(refused.value) == f"white: {rule}"


def test_other_images_may_have_another_range(clipped, tmp_path):
    crops = looked_at(dataclasses.replace(clipped, reading=CropReading(white=3900), held=None)).load(None)
    for said in ({"native_crops": "0" * 64}, {"imaging": Imaging(SIDE)}, {"imaging": Imaging(SIDE, white=5)}):
        bound = {"native_crops": crops.native.fingerprint, "imaging": crops.imaging}
        run_document.write(tmp_path, run(**bound | said))
        assert looked_at(dataclasses.replace(clipped, held=None)), said


def test_a_damaged_run_around_the_network_is_one_line(clipped, tmp_path):
    document = records.plain(run()) | {"imaging": {"white": "3900"}}
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(WoolError, match=r"^[^\n]*/run.json: [^\n]*; it is damaged, [^\n]*; restore it from a copy, or"):
        looked_at(dataclasses.replace(clipped, held=None))


def test_other_images_than_those_of_the_training_are_told(source, caplog):
    with caplog.at_level("INFO"):
        looked_at(dataclasses.replace(recorded(source), held=None))
        assert "other images" not in caplog.text
        looked_at(dataclasses.replace(recorded(source, images="0" * 64), held=None))
    told = f"was trained on other images than those of {source.data}, as the record beside it says"
    assert f"{source.network} {told}" in caplog.text
