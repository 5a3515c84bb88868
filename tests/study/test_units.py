"""Which units a protocol has, and that their folds are those of a cross-validation."""

import dataclasses
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from wool_tf import devices, environment, records
from wool_tf.baselines.pytorch import protocol
from wool_tf.data import run_document
from wool_tf.data.dataset import Dataset
from wool_tf.data.imaging import Imaging
from wool_tf.data.native_crops import Crops
from wool_tf.errors import WoolError
from wool_tf.networks import complexity
from wool_tf.study import grid, run_binding
from wool_tf.training import methods
from wool_tf.training.config import TrainingConfig

SETTINGS = TrainingConfig(image_size=32, folds=3, repeats=2, asfp_rates=(0.1, 0.2, 0.3), controls=("random", "scratch"))
ALL = ("baseline", "hard1", "hard2", "hard3", "asfp10", "asfp20", "asfp30", "random1", "random2", "random3", "scratch3")


@pytest.fixture
def images(tmp_path) -> Dataset:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (24, 35, 35), np.uint8))
    pixels = np.load(tmp_path / "images.npy", mmap_mode="r")
    samples = np.array([f"S{number // 2}" for number in range(24)])
    paths = tuple(f"{number}.png" for number in range(24))
    return Dataset(pixels, np.arange(24) // 2 % 2, samples, np.full(24, ""), np.array(paths), paths, "x", "f", True)


def test_stages_are_those_that_the_settings_name():
    assert SETTINGS.stages == ALL
    assert tuple(stage.name for stage in methods.stages(SETTINGS)) == ALL


def test_what_comes_out_has_the_widths_that_pruning_leaves():
    by_name = {stage.name: stage for stage in methods.stages(SETTINGS)}
    assert by_name["random3"].spec == by_name["hard3"].spec == by_name["scratch3"].spec == by_name["scratch3"].trained
    assert by_name["hard2"].trained == by_name["hard2"].spec != by_name["hard1"].spec
    assert by_name["asfp30"].trained == by_name["baseline"].spec != by_name["asfp30"].spec
    masked = {stage.name: stage for stage in methods.stages(dataclasses.replace(SETTINGS, finetune="masked"))}
    assert masked["hard2"].trained == masked["hard1"].spec
    assert masked["random1"].trained == masked["baseline"].spec


def test_folds_of_every_repeat(images):
    parts = grid.split(SETTINGS, images)
    assert len(parts) == 2
    for held_out in parts:
        assert sorted(np.concatenate(held_out)) == list(range(24))
        for part in held_out:
            others = np.setdiff1d(np.arange(24), part)
            assert not set(images.groups[part]) & set(images.groups[others])
    assert any((one != other).any() for one, other in zip(*parts, strict=True))
    leaky = grid.split(dataclasses.replace(SETTINGS, group_by="image"), images)
    shared = [set(images.groups[part]) & set(np.delete(images.groups, part)) for part in leaky[0]]
    assert any(shared)


def test_chains_hold_every_stage_once_and_after_what_it_needs(images, tmp_path):
    parts = grid.split(SETTINGS, images)
    folds = grid.all_folds(SETTINGS, images, parts, tmp_path, None)
    assert [fold.name for fold in folds[:4]] == [
        *(f"resnet18-adam-none/repeat0/fold{number}" for number in range(3)), "resnet18-adam-none/repeat1/fold0"
    ]  # fmt: skip
    assert all(len(fold.train) + len(fold.held_out) == 24 for fold in folds)
    chains = grid.chains(SETTINGS, folds[3], keep=False)
    names = [[unit.name.rpartition("/")[2] for unit in chain] for chain in chains]
    assert sorted(sum(names, [])) == sorted(ALL)
    assert names[0] == ["baseline", "hard1", "hard2", "hard3", "random1", "random2", "random3"]
    for chain in chains:
        before = set()
        for unit in chain:
            assert set(unit.needs) <= before
            before.add(unit.name)


def test_what_learns_from_the_unpruned_network_needs_it_in_every_round(images, tmp_path):
    settings = dataclasses.replace(SETTINGS, distillation=0.5)
    fold = grid.all_folds(settings, images, grid.split(settings, images), tmp_path, None)[0]
    needs = {unit.name: unit.needs for chain in grid.chains(settings, fold, keep=False) for unit in chain}
    assert needs[f"{fold.name}/hard1"] == (f"{fold.name}/baseline",)
    assert needs[f"{fold.name}/hard3"] == (f"{fold.name}/hard2", f"{fold.name}/baseline")
    plain, taught = (methods.stages(each)[1].macs(100) for each in (SETTINGS, settings))
    epochs = settings.finetune_epochs
    assert taught - plain == 100 * epochs * complexity.macs(settings.initial_spec)


def test_seeds_differ_by_repeat_fold_purpose_and_attempt(images, tmp_path):
    folds = grid.all_folds(SETTINGS, images, grid.split(SETTINGS, images), tmp_path, None)
    folds += [dataclasses.replace(folds[0], attempt=1)]
    seeds = {fold.seed(SETTINGS, purpose) for fold in folds for purpose in ("initial", "baseline", "hard1")}
    assert len(seeds) == 7 * 3


def test_units_travel_without_the_pixels(images, tmp_path):
    (fold, *_) = grid.all_folds(SETTINGS, images, grid.split(SETTINGS, images), tmp_path, None)
    sent = pickle.dumps(grid.chains(SETTINGS, fold, keep=False)[0])
    assert images.images.tobytes() not in sent and len(sent) < 20_000
    received = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(received.images, images.images)
    assert isinstance(received.images, np.memmap)


def test_the_grid_is_in_the_order_of_the_paper():
    found = grid.grid(SETTINGS, (18, 34), ("adam", "sgd"), ("none", "imagenet"))
    assert [each.configuration for each in found][:5] == [
        "resnet18-adam-none", "resnet18-adam-imagenet", "resnet18-sgd-none", "resnet18-sgd-imagenet",
        "resnet34-adam-none",
    ]  # fmt: skip
    assert found[0].learning_rate == 1e-3
    assert found[2].learning_rate == 1e-2
    with pytest.raises(WoolError, match="resnet18-adam-none occurs twice"):
        grid.grid(SETTINGS, (18, 18), ("adam",), ("none",))


def claim(out, configs, images, crops=None, write=True, **others) -> str | None:
    crops = crops or Crops(images, Imaging(35), out)
    return run_binding.claim(out, run_binding.of(configs, images, crops, **others), write)


def test_a_folder_may_go_on_with_more_configurations_but_not_with_other_settings(images, tmp_path):
    claim(tmp_path, [SETTINGS], images)
    others = dataclasses.replace(SETTINGS, repeats=5, rounds=2, controls=(), final="baseline")
    more = grid.grid(others, (18, 50), ("sgd",), ("none",))
    claim(tmp_path, more, images)
    assert len(records.read(tmp_path / "run.json")["weights"]) == 3
    claim(tmp_path, [SETTINGS], images)
    for changed, what in (
        (dataclasses.replace(SETTINGS, seed=1), "^seed=1: the run in .* has 0; choose another folder$"),
        (
            dataclasses.replace(SETTINGS, weight_decay=0.1),
            "^weight_decay=0.1: the run in .* has 0;",
        ),
    ):
        with pytest.raises(WoolError, match=what):
            claim(tmp_path, [changed], images)
    with pytest.raises(WoolError, match="other images"):
        claim(tmp_path, [SETTINGS], dataclasses.replace(images, fingerprint="g"))


def test_a_folder_is_bound_to_what_its_crops_are_made_of(images, tmp_path):
    native, imaging = dataclasses.replace(images, fingerprint="n"), Imaging(40, (0.0, 1.5))
    claim(tmp_path, [SETTINGS], images, Crops(native, imaging, tmp_path))
    claim(tmp_path, [SETTINGS], images, Crops(native, imaging, tmp_path))
    for name, other in (
        ("native crops", Crops(images, imaging, tmp_path)),
        ("imaging", Crops(native, Imaging(40), tmp_path)),
    ):
        with pytest.raises(WoolError, match=f"holds a run with other {name}; choose another folder$"):
            claim(tmp_path, [SETTINGS], images, other)
    for name, others in (("protocol", {"protocol": "theirs"}), ("stage, first_folds, network", {"search": {}})):
        with pytest.raises(WoolError, match=f"holds a run with other {name}.*; choose another folder$"):
            claim(tmp_path, [SETTINGS], images, Crops(native, imaging, tmp_path), **others)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"processors": [1]}, r"Expected `str`, got `int` - at `\$.processors.*; it is damaged, or of another version"),
        ({"images": None}, r"Expected `str`, got `null` - at `\$.images`; it is damaged, or of another version"),
        ({"version": 3}, "is of version 3, not 2"),
    ],
)
def test_a_run_that_is_damaged_or_foreign_is_told_in_one_line(changes, message, images, tmp_path):
    claim(tmp_path, [SETTINGS], images)
    records.write(tmp_path / "run.json", records.read(tmp_path / "run.json") | changes)
    advice = "; restore it from a copy, or choose another folder$"
    with pytest.raises(WoolError, match=f"^.*/run.json: {message}.*{advice}"):
        claim(tmp_path, [SETTINGS], images)


def test_what_others_call_run_json_says_nothing_of_our_runs(images, tmp_path):
    records.write(tmp_path / "run.json", {"version": "2.3", "settings": {"shuffle": True}, "notes": "of my own script"})
    assert run_document.around(tmp_path / "network.safetensors") is None
    (tmp_path / "units").mkdir()
    with pytest.raises(
        WoolError, match="^out=.*: its run.json, which says .*, is missing or damaged; restore that file"
    ):
        claim(tmp_path, [SETTINGS], images)


def test_runs_of_before_there_was_a_version_go_on(images, tmp_path):
    claim(tmp_path, [SETTINGS], images)
    now = records.read(tmp_path / "run.json")
    before = {key: value for key, value in now.items() if key not in ("version", "protocol", "search")}
    before["native crops"], before["contents of weights"] = before.pop("native_crops"), before.pop("weights")
    before["imaging"] = {"side": 35, "window": None, "pixel_mm": None}
    records.write(tmp_path / "run.json", before)
    claim(tmp_path, [SETTINGS], images)
    assert records.read(tmp_path / "run.json") == before
    with pytest.raises(WoolError, match="other protocol"):
        claim(tmp_path, [SETTINGS], images, protocol="theirs")
    claim(tmp_path, [SETTINGS, dataclasses.replace(SETTINGS, depth=50)], images)
    assert records.read(tmp_path / "run.json") == now | {"weights": {**now["weights"], "resnet50-adam-none": None}}


def test_what_a_damaged_run_has_is_told_in_one_line(images, tmp_path):
    claim(tmp_path, [SETTINGS], images)
    found = records.read(tmp_path / "run.json")
    found["settings"]["seed"] = "a\nb" * 1000
    records.write(tmp_path / "run.json", found)
    with pytest.raises(WoolError, match="^seed=0: the run in .* has (a ba? ?)+; choose another folder$") as caught:
        claim(tmp_path, [SETTINGS], images)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_folds_that_cannot_be_written_again_count_as_none(tmp_path):
    parts = [[np.array([0, 3]), np.array([1, 2])]]
    (tmp_path / "folds.json").write_text("[[[0, 3], [1, 2]], [[NaN]]]")
    run_binding.claim_folds(tmp_path, parts)
    assert records.read(tmp_path / "folds.json") == [[[0, 3], [1, 2]]]


def test_another_way_to_compute_is_refused_and_another_processor_is_said(images, tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "onednn", lambda: True)
    monkeypatch.setattr(environment, "processor", lambda: "slow one (avx2)")
    assert claim(tmp_path, [SETTINGS], images) is None
    assert claim(tmp_path, [SETTINGS], images) is None
    monkeypatch.setattr(environment, "processor", lambda: "fast one (avx2, avx512f)")
    remark = claim(tmp_path, [SETTINGS], images)
    assert "slow one (avx2)" in remark and "fast one (avx2, avx512f)" in remark
    assert records.read(tmp_path / "run.json")["processors"] == ["slow one (avx2)", "fast one (avx2, avx512f)"]
    with monkeypatch.context() as patch, pytest.raises(WoolError, match="other arithmetic"):
        patch.setattr(environment, "onednn", lambda: False)
        claim(tmp_path, [SETTINGS], images)
    with monkeypatch.context() as patch, pytest.raises(WoolError, match="other arithmetic"):
        patch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
        claim(tmp_path, [SETTINGS], images)


@pytest.mark.parametrize("switched", ["0", "1"])
def test_onednn_is_recorded_as_tensorflow_has_it_whatever_the_variable_says_later(switched):
    code = (
        "import tensorflow, os; os.environ['TF_ENABLE_ONEDNN_OPTS'] = str(1 - int(os.environ['TF_ENABLE_ONEDNN_OPTS']))"
    )
    told = f"{code}; from wool_tf import environment; print(environment.arithmetic()['onednn'])"
    given = os.environ | {"TF_ENABLE_ONEDNN_OPTS": switched}
    result = subprocess.run([sys.executable, "-c", told], env=given, capture_output=True, text=True)
    assert result.stdout.strip() == str(switched == "1"), result.stderr


@pytest.mark.parametrize("package", ["keras", "numpy", "ai-edge-litert"])
def test_other_versions_of_what_results_depend_on_are_refused(package, images, tmp_path, monkeypatch):
    claim(tmp_path, [SETTINGS], images)
    installed = environment._version
    monkeypatch.setattr(environment, "_version", lambda name: "0.1" if name == package else installed(name))
    with pytest.raises(WoolError, match="other versions"):
        claim(tmp_path, [SETTINGS], images)


@pytest.mark.parametrize("package", ["torch", "torchvision", "torch-pruning"])
def test_versions_of_pytorch_bind_runs_of_its_protocol_alone(package, images, tmp_path, monkeypatch):
    there, installed = dict.fromkeys(protocol.PACKAGES, "2.0"), environment._version
    monkeypatch.setattr(environment, "_version", lambda name: there.get(name) or installed(name))
    theirs = {"protocol": protocol.stages.__module__}
    claim(tmp_path / "ours", [SETTINGS], images)
    claim(tmp_path / "theirs", [SETTINGS], images, **theirs)
    claim(tmp_path / "theirs", [SETTINGS], images, **theirs)
    there[package] = "2.1"
    with pytest.raises(WoolError, match="holds a run with other versions; choose another folder$"):
        claim(tmp_path / "theirs", [SETTINGS], images, **theirs)
    claim(tmp_path / "ours", [SETTINGS], images)
    assert not there.keys() & run_document.read(tmp_path / "ours").versions.keys()


def test_a_gpu_is_another_processor(tmp_path, monkeypatch):
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0/information").write_text("Model: \t\t NVIDIA H100 PCIe\nIRQ:   \t\t 16\n")
    monkeypatch.setattr(devices, "PROC", tmp_path)
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    with_gpu = environment.processor.__wrapped__()
    monkeypatch.setenv(devices.VISIBLE, "-1")
    assert with_gpu == f"{environment.processor.__wrapped__()}, NVIDIA H100 PCIe"


def test_weights_of_the_same_name_and_other_contents_do_not_mix(images, tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"one")
    settings = dataclasses.replace(SETTINGS, weights=str(tmp_path / "mine.pth"))
    assert settings.configuration == "resnet18-adam-mine"
    claim(tmp_path, [settings], images)
    (tmp_path / "mine.pth").write_bytes(b"two")
    with pytest.raises(WoolError, match="other contents of weights"):
        claim(tmp_path, [settings], images)


def test_initial_weights_of_a_run_with_these_images_are_refused(images, tmp_path):
    checkpoint = tmp_path / "run/units/resnet18-adam-none/final/baseline.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    settings = [SETTINGS, dataclasses.replace(SETTINGS, weights=str(checkpoint))]
    run_binding.check_initial(settings, "f")
    run_document.write(tmp_path / "run", run_binding.of([SETTINGS], images, Crops(images, Imaging(35), tmp_path)))
    run_binding.check_initial(settings, "g")
    run_binding.check_initial([SETTINGS], "f")
    with pytest.raises(WoolError, match="^weights=.*baseline.safetensors: was trained on these images, so that"):
        run_binding.check_initial(settings, "f")


def test_other_folds_do_not_mix_and_more_repeats_may_come(tmp_path):
    one, other = [np.array([0, 2]), np.array([1, 3])], [np.array([0, 1]), np.array([2, 3])]
    run_binding.claim_folds(tmp_path, [one])
    run_binding.claim_folds(tmp_path, [one, other])
    run_binding.claim_folds(tmp_path, [one])
    assert records.read(tmp_path / "folds.json") == [[[0, 2], [1, 3]], [[0, 1], [2, 3]]]
    with pytest.raises(WoolError, match="with other folds"):
        run_binding.claim_folds(tmp_path, [other])


BASELINE = dataclasses.replace(SETTINGS, rounds=0, asfp_rates=(), controls=(), final="baseline")


def test_a_baseline_is_not_bound_by_the_settings_of_pruning(images, tmp_path):
    pruning = {"finetune_epochs": 3, "finetune_factor": 0.5, "asfp_epochs": 7, "align": 8, "recipe": "paper-text"}
    claim(tmp_path, [dataclasses.replace(BASELINE, **pruning)], images)
    # Nothing was pruned yet, so that other settings of pruning may follow; then those bind, each of its own kind.
    claim(tmp_path, [dataclasses.replace(SETTINGS, asfp_rates=())], images)
    for name, value in pruning.items():
        changed = dataclasses.replace(SETTINGS, **{name: value})
        if name == "asfp_epochs":
            claim(tmp_path, [changed], images, write=False)
        else:
            with pytest.raises(WoolError, match=f"{name}="):
                claim(tmp_path, [changed], images)
    claim(tmp_path, [SETTINGS], images)
    with pytest.raises(WoolError, match="^asfp_epochs=7: the run in .* has 15;"):
        claim(tmp_path, [dataclasses.replace(SETTINGS, asfp_epochs=7)], images)
    # The baseline goes on whatever it says of pruning, and what binds stays.
    claim(tmp_path, [dataclasses.replace(BASELINE, **pruning)], images)
    with pytest.raises(WoolError, match="^asfp_epochs=7: the run in .* has 15;"):
        claim(tmp_path, [dataclasses.replace(SETTINGS, asfp_epochs=7)], images)
    with pytest.raises(WoolError, match="^epochs=2: the run in .* has 15;"):
        claim(tmp_path, [dataclasses.replace(BASELINE, epochs=2)], images)


def test_a_run_of_before_a_setting_came_is_not_mixed_with_one_of_after(images, tmp_path):
    claim(tmp_path, [SETTINGS], images)
    found = run_document.read(tmp_path)
    known = {name: value for name, value in found.settings.items() if name != "importance"}
    run_document.write(tmp_path, dataclasses.replace(found, settings=known))
    with pytest.raises(WoolError, match="^importance=taylor: the run in .* has l1; choose another folder"):
        claim(tmp_path, [SETTINGS], images)
    claim(tmp_path, [dataclasses.replace(SETTINGS, importance="l1")], images, write=False)
    # Without pruning there is nothing to mix.
    claim(tmp_path, [BASELINE], images)


def test_folders_of_earlier_runs_stay_theirs(images, tmp_path):
    """Every setting stood in `run.json` then, also those of pruning in a folder of baselines."""
    claim(tmp_path, [SETTINGS], images)
    document = records.read(tmp_path / "run.json")
    assert set(document["settings"]) == {
        field.name for field in dataclasses.fields(SETTINGS) if field.name not in run_binding.CHOICES
    }
    claim(tmp_path, [SETTINGS], images)
    assert records.read(tmp_path / "run.json") == document


def test_files_of_weights_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (found,) = grid.grid(SETTINGS, (18,), ("adam",), ("mine.pth",))
    assert found.weights == str(tmp_path / "mine.pth")
