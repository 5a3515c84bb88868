"""The paper's methods on tiny networks, against what each of them promises.

Networks of few channels stand in for the full widths: everything else is as in a run.
"""

import dataclasses
import functools

import numpy as np
import pytest

from wool_tf import environment
from wool_tf.data.dataset import Dataset
from wool_tf.errors import BadSetting, Divergence
from wool_tf.networks import scoring
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import History, Result
from wool_tf.pruning import callbacks, importance
from wool_tf.training import batch_norms, methods, trainer
from wool_tf.training.config import TrainingConfig
from wool_tf.training.fold import Fold

FULL = ResNetSpec.full(18, 2, (32, 32, 1))
# Two rounds leave what oneDNN can train, and 30 % of it is a number of filters that neither 20 % nor 40 % would give.
SPEC = FULL.resized(dict.fromkeys(FULL.by_group(), 20))
SETTINGS = TrainingConfig(
    image_size=32, batch_size=16, epochs=2, finetune_epochs=1, asfp_epochs=3, rounds=2, asfp_rates=(0.3,), folds=2,
    controls=("random", "scratch"), final="baseline", adam_learning_rate=3e-3, finetune_factor=0.3, bn_images=0,
    asfp_finetune_epochs=0, recipe="paper-text", importance="l1",
)  # fmt: skip
IMAGES = 16
UNTRAINED = History((), (), ())


@pytest.fixture(scope="module", autouse=True)
def eagerly():
    """Tracing a network takes as long as a thousand of these steps."""
    compiled = trainer.compiled

    def eager(*network):
        model = compiled(*network)
        model.run_eagerly = True
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "compiled", eager)
        yield


class Narrow(TrainingConfig):
    """TrainingConfig of which the unpruned network has few channels."""

    @property
    def initial_spec(self):
        return SPEC


def narrow(**changes) -> Narrow:
    return Narrow(**dataclasses.asdict(SETTINGS) | changes)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng, labels = np.random.default_rng(0), np.arange(IMAGES) % 2
    pixels = rng.integers(0, 100, (IMAGES, 35, 35), np.uint8)
    pixels[labels == 1, 12:24, 12:24] += 120
    names = np.array([f"{number}.png" for number in range(IMAGES)])
    return Dataset(pixels, labels, names, np.full(IMAGES, ""), names, tuple(names), "x", "f", True)


def fold_of(dataset: Dataset, folder) -> Fold:
    held_out = np.arange(4)
    return Fold("narrow/repeat0/fold0", 0, dataset, np.setdiff1d(np.arange(IMAGES), held_out), held_out, folder)


def run(settings: TrainingConfig, fold: Fold, *names: str) -> dict[str, Result]:
    """The results of stages, in order."""
    stages = {stage.name: stage for stage in methods.stages(settings)}
    return {name: stages[name].run(fold, settings, lambda *_: None) for name in names}


zeroed = []
"""The weights of ASFP after each of its epochs, and when filters were zeroed."""


@pytest.fixture(scope="module")
def protocol(dataset, tmp_path_factory) -> tuple[Fold, dict[str, Result]]:
    """A fold with all of its stages, and their records."""
    fold, settings = fold_of(dataset, tmp_path_factory.mktemp("fold")), narrow()
    zero = callbacks.zero_filters

    def watched(model, plan):
        before = network_weights.read(model)
        zero(model, plan)
        zeroed.append((before, network_weights.read(model)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "zero_filters", watched)
        return fold, run(settings, fold, *settings.stages)


def loaded(fold: Fold, stage: str):
    return network_weights.load(fold.checkpoint(stage))


def test_every_stage_leaves_a_network_and_scores_of_the_held_out_images(protocol):
    fold, records = protocol
    assert list(records) == ["baseline", "hard1", "hard2", "asfp30", "random1", "random2", "scratch2"]
    for name, record in records.items():
        spec, arrays = loaded(fold, name)
        assert spec == ResNetSpec.from_config(record.spec)
        assert record.params == sum(a.size for key, a in arrays.items() if "running" not in key)
        scores = scoring.probabilities(trainer.logits(spec, arrays, fold.dataset.images, fold.held_out))
        assert record.scores == pytest.approx(scores.tolist())
        assert record.held_out == (0, 1, 2, 3)
        assert len(record.history.loss) == {"hard": 1, "rand": 1, "asfp": 3}.get(name[:4], 2)


def test_widths_are_those_that_thirty_percent_leave(protocol):
    """⌊0.3 · 20⌋ = 6 go in the first round and ⌊0.3 · 14⌋ = 4 in the second."""
    fold, _ = protocol
    widths = {"baseline": 20, "hard1": 14, "hard2": 10, "asfp30": 14, "random1": 14, "random2": 10, "scratch2": 10}
    for name, width in widths.items():
        assert set(loaded(fold, name)[0].by_group().values()) == {width}


def test_hard_pruning_removes_the_filters_of_the_smallest_l1_norms(dataset, protocol, monkeypatch):
    """Of every inner convolution; without training, what is left is a part of the baseline, in its order."""
    fold, _ = protocol
    monkeypatch.setattr(trainer, "train", lambda spec, weights, *_: (weights, UNTRAINED))
    _, before = loaded(fold, "baseline")
    stage = next(stage for stage in methods.stages(narrow()) if stage.name == "hard1")
    elsewhere = dataclasses.replace(fold, folder=fold.folder / "untrained")
    elsewhere.folder.mkdir(exist_ok=True)
    elsewhere.checkpoint("baseline").write_bytes(fold.checkpoint("baseline").read_bytes())
    stage.run(elsewhere, narrow(), lambda *_: None)
    _, after = loaded(elsewhere, "hard1")
    for name in ("layer1.0.conv1", "layer3.1.conv1"):
        norms = [sum(abs(float(value)) for value in kernel.ravel()) for kernel in before[f"{name}.weight"]]
        kept = sorted(sorted(range(20), key=lambda number: norms[number])[6:])
        norm = name.replace("conv", "bn")
        assert np.array_equal(after[f"{norm}.running_mean"], before[f"{norm}.running_mean"][kept])
        following = name.replace("conv1", "conv2")
        # Nothing of the trunk that it writes to is known here: every kept plane stands among the old ones.
        planes = before[f"{following}.weight"][:, kept].reshape(-1)
        assert np.isin(after[f"{following}.weight"].reshape(-1), planes).all()


def test_filters_are_ranked_by_the_measure_asked_for_and_taylor_sees_training_images_alone(
    dataset, protocol, tmp_path, monkeypatch
):
    fold, given = protocol[0], []
    scores = importance.scores

    def told(weights, spec, measure, seed, examples):
        given.append((measure, examples))
        return scores(weights, spec, measure, seed, examples)

    monkeypatch.setattr(importance, "scores", told)
    monkeypatch.setattr(trainer, "train", lambda spec, weights, *_: (weights, UNTRAINED))
    elsewhere = dataclasses.replace(fold, folder=tmp_path)
    elsewhere.checkpoint("baseline").write_bytes(fold.checkpoint("baseline").read_bytes())
    for measure in ("taylor", "bn_scale"):
        run(narrow(importance=measure), elsewhere, "hard1", "random1")
    assert [measure for measure, _ in given] == ["taylor", "random", "bn_scale", "random"]
    assert [examples is None for _, examples in given] == [False, True, True, True]
    images, labels = given[0][1]
    # The middle of each image, normalised by one scale and shift: brighter by a square where there is a defect.
    wanted = np.sort(dataset.images[fold.train, 1:33, 1:33].reshape(len(fold.train), -1).mean(axis=1))
    found = np.sort(images.reshape(len(images), -1).mean(axis=1))
    assert images.shape == (len(fold.train), 32, 32, 1)
    np.testing.assert_allclose(np.polyval(np.polyfit(found, wanted, 1), found), wanted, atol=1e-3)
    assert sorted(labels) == sorted(dataset.labels[fold.train])
    bright = images.reshape(len(images), -1).mean(axis=1)
    assert bright[labels == 1].min() > bright[labels == 0].max()


def test_what_was_removed_did_nothing_and_stays_away(protocol):
    """The second round starts from the first round's network: its filters are fewer, and none has come back."""
    fold, records = protocol
    assert all(records[name].mask_difference <= 1e-4 for name in records if name[:4] in ("hard", "asfp", "rand"))
    assert records["baseline"].mask_difference is None
    first, second = (loaded(fold, name)[0] for name in ("hard1", "hard2"))
    assert all(second.width(group) < first.width(group) for group in first.by_group())


def test_asfp_zeroes_more_after_every_epoch_and_the_goal_exactly_in_the_end(protocol):
    """Rates of three epochs: 0, then more than three quarters of the goal, then the goal: 0, 5 and 6 filters of 20."""
    fold, records = protocol
    convolutions = list(SPEC.convolutions())
    gone = [{conv.name: _zeros(after[f"{conv.name}.weight"]) for conv in convolutions} for _, after in zeroed]
    assert [{len(filters) for filters in epoch.values()} for epoch in gone] == [{0}, {5}, {6}]
    # They were trained on meanwhile, and grew.
    last, _ = zeroed[2]
    assert any(not filters <= _zeros(last[f"{name}.weight"]) for name, filters in gone[1].items())
    kernels = {f"{conv.name}.weight" for conv in convolutions}
    for before, after in zeroed:
        # Nothing but kernels is touched.
        assert all(np.array_equal(before[key], after[key]) for key in after if key not in kernels)
    # What is removed is what was zeroed last, and all of it.
    spec, arrays = loaded(fold, "asfp30")
    left = zeroed[2][1]
    for conv in convolutions:
        kept = sorted(set(range(20)) - gone[2][conv.name])
        assert np.array_equal(arrays[f"{conv.norm}.running_var"], left[f"{conv.norm}.running_var"][kept])
        assert not _zeros(arrays[f"{conv.name}.weight"])
    assert records["asfp30"].mask_difference <= 1e-4


@pytest.mark.parametrize("precision", ["float64"], indirect=True)
def test_fine_tuning_masked_or_compact_is_the_same_and_brings_nothing_back(dataset, tmp_path, precision, monkeypatch):
    """In float64, as rounding grows in training; of a width of their own, by which compiled networks are kept."""
    full = SPEC.resized(dict.fromkeys(SPEC.by_group(), 12))
    monkeypatch.setattr(Narrow, "initial_spec", full)
    train, masked = trainer.train, {}

    def watched(spec, weights, *given):
        trained, history = train(spec, weights, *given)
        if given[6] is not None:
            masked.update(plan=given[6], before=weights, after=trained)
        return trained, history

    monkeypatch.setattr(trainer, "train", watched)
    fold = fold_of(dataset, tmp_path)
    run(narrow(epochs=1), fold, "baseline")
    found = {}
    for finetune in ("masked", "compact"):
        record = run(narrow(finetune=finetune, batch_size=8), fold, "hard1")["hard1"]
        found[finetune] = loaded(fold, "hard1"), record.scores
    (one_spec, one), (other_spec, other) = found["masked"][0], found["compact"][0]
    assert one_spec == other_spec == full.resized(dict.fromkeys(SPEC.by_group(), 9))
    for key in one:
        # Checkpoints are float32.
        np.testing.assert_allclose(one[key], other[key], rtol=1e-6, atol=1e-7, err_msg=key)
    assert found["masked"][1] == pytest.approx(found["compact"][1], abs=1e-6)
    for conv in SPEC.convolutions():
        removed = np.setdiff1d(np.arange(12), masked["plan"].kept[conv.writes])
        assert len(removed) == 3
        # No gradient reaches them: their kernels are where they were.
        key = f"{conv.name}.weight"
        assert np.array_equal(masked["before"][key][removed], masked["after"][key][removed].astype(np.float32))


def _zeros(kernel: np.ndarray) -> set[int]:
    """The filters that are zero altogether."""
    return set(np.flatnonzero(~kernel.reshape(len(kernel), -1).any(axis=1)).tolist())


@pytest.mark.parametrize("recipe", ["paper-text", "paper-table3"])
@pytest.mark.parametrize("depth", [18, 34, 50])
def test_asfp_removes_of_every_group_what_its_rate_says(depth, recipe):
    """⌊w · rate⌋ of w channels, whatever the recipe of hard pruning does with the residual streams."""
    settings = TrainingConfig(depth=depth, recipe=recipe, asfp_rates=(0.1, 0.3), final="baseline")
    full = settings.initial_spec.by_group()
    for stage in methods.stages(settings):
        if stage.name.startswith("asfp"):
            rate = int(stage.name[4:])
            assert stage.spec.by_group() == {group: width - width * rate // 100 for group, width in full.items()}


def test_records_say_what_share_of_each_group_is_gone(protocol):
    _, records = protocol
    for name, share in {"baseline": 0, "hard1": 0.3, "hard2": 0.5, "asfp30": 0.3}.items():
        assert records[name].removed == pytest.approx(dict.fromkeys(SPEC.by_group(), share))


def test_batch_norms_are_reestimated_before_fine_tuning_and_at_the_end(dataset, tmp_path, monkeypatch):
    """Every network that leaves a stage has the statistics of its own inputs; fine-tuning starts with them too."""
    fold, settings = fold_of(dataset, tmp_path), narrow(bn_images=1000, asfp_finetune_epochs=2)
    train, started = trainer.train, []

    def watched(spec, weights, *given):
        started.append((spec, weights))
        return train(spec, weights, *given)

    monkeypatch.setattr(trainer, "train", watched)
    records = run(settings, fold, "baseline", "hard1", "asfp30")
    assert [len(record.history.loss) for record in records.values()] == [2, 1, 5]
    assert [spec.width("layer1") for spec, _ in started] == [20, 14, 20, 14]
    assert all(records[name].before_finetuning.confusion for name in ("hard1", "asfp30"))
    networks = [*(loaded(fold, name) for name in records), started[1], started[3]]
    for spec, arrays in networks:
        again = batch_norms.reestimated(
            spec, arrays, dataset.images, fold.train, 1000, fold.seed(settings, "batch norms")
        )
        for key in arrays:
            np.testing.assert_allclose(again[key], arrays[key], rtol=1e-5, atol=1e-6)


def test_controls_prune_by_lot_and_train_from_scratch(dataset, protocol, tmp_path, monkeypatch):
    fold, _ = protocol
    started = {}

    def watched(spec, weights, *given):
        started[spec] = weights
        return weights, UNTRAINED

    monkeypatch.setattr(trainer, "train", watched)
    chosen = []
    for repeat in (0, 1):
        elsewhere = dataclasses.replace(fold, folder=tmp_path / str(repeat), repeat=repeat)
        elsewhere.folder.mkdir()
        elsewhere.checkpoint("baseline").write_bytes(fold.checkpoint("baseline").read_bytes())
        run(narrow(), elsewhere, "random1")
        chosen.append(loaded(elsewhere, "random1")[1]["layer1.0.bn1.running_var"])
    assert not np.array_equal(*chosen)
    run(narrow(), dataclasses.replace(fold, folder=tmp_path), "scratch2")
    weights = started[SPEC.resized(dict.fromkeys(SPEC.by_group(), 10))]
    # As torchvision initialises: normal, variance 2 / (filters · 9).
    assert weights["layer3.0.conv2.weight"].std() == pytest.approx(np.sqrt(2 / 90), rel=0.15)
    assert not weights["layer3.0.bn1.bias"].any()


def test_of_the_best_epochs_the_first_is_reported(dataset, tmp_path, monkeypatch):
    """Told that the second of three epochs did best on the held-out images."""
    merits = iter([0.5, 0.75, 0.75])
    network, seen = network_weights.read, []
    monkeypatch.setattr(trainer.network_weights, "read", lambda model: seen.append(network(model)) or seen[-1])
    monkeypatch.setattr(trainer._Watch, "_compare", functools.partialmethod(_told, merits))
    fold = fold_of(dataset, tmp_path)
    run(narrow(select="best", epochs=3), fold, "baseline")
    _, arrays = loaded(fold, "baseline")
    assert all(np.array_equal(arrays[key], seen[1][key]) for key in arrays)


def _told(watch, merits, merit, weights) -> None:
    COMPARE(watch, lambda _: next(merits), weights)


COMPARE = trainer._Watch._compare


@pytest.mark.parametrize("consolidation", [0, 2])
def test_the_epoch_is_chosen_on_the_held_out_images_and_never_for_asfp(consolidation, dataset, tmp_path, monkeypatch):
    told, train = {}, trainer.train

    def watched(spec, *others):
        told[spec] = others[9]
        return train(spec, *others)

    monkeypatch.setattr(trainer, "train", watched)
    fold = fold_of(dataset, tmp_path)
    settings = narrow(select="best", asfp_epochs=1, asfp_finetune_epochs=consolidation)
    records = run(settings, fold, "baseline")
    assert told.pop(SPEC) is not None
    records |= run(settings, fold, "asfp30")
    assert len(told) == (2 if consolidation else 1) and set(told.values()) == {None}
    merits = records["baseline"].history.merit
    assert len(merits) == 2 and max(merits) == records["baseline"].metrics.accuracy
    assert records["asfp30"].history.merit == ()


def test_another_attempt_writes_curves_of_its_own(dataset, tmp_path):
    pytest.importorskip("tensorboard")
    fold = dataclasses.replace(fold_of(dataset, tmp_path), logs=tmp_path / "logs")
    for attempt in (0, 1):
        run(narrow(epochs=1), dataclasses.replace(fold, attempt=attempt), "baseline")
        written = [path for path in (tmp_path / "logs/baseline").rglob("*tfevents*")]
        assert len(written) == 1, written


def test_a_network_that_gives_no_number_is_no_result(dataset, tmp_path, monkeypatch):
    def broken(spec, weights, *_):
        return weights | {"fc.weight": np.full_like(weights["fc.weight"], 3e38)}, UNTRAINED

    monkeypatch.setattr(trainer, "train", broken)
    fold = fold_of(dataset, tmp_path)
    with pytest.raises(Divergence, match="not finite"):
        run(narrow(), fold, "baseline")
    assert not fold.checkpoint("baseline").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # The compact network of ASFP is trained in the epochs of consolidation alone.
        ({"asfp_rates": (0.7,), "asfp_finetune_epochs": 1}, "asfp_rates=0.7: asfp70 cannot be trained .conv1: has 6 "),
        ({"asfp_rates": (0.7,)}, None),
        ({"asfp_rates": (0.7,), "asfp_finetune_epochs": 1, "align": 8}, None),
        ({"rounds": 3}, "rounds=3: hard3 cannot be trained .conv1: has 7 "),
        ({"rounds": 3, "finetune": "masked", "controls": ()}, None),
        ({"rounds": 3, "finetune": "masked", "controls": ("scratch",)}, "controls=scratch: scratch3 cannot be trained"),
        ({"rounds": 4, "finetune": "masked", "controls": ()}, "rounds=4: hard4 cannot be trained .conv1: has 7 "),
    ],
)
def test_a_stage_that_cannot_be_trained_is_known_beforehand(changes, message, monkeypatch):
    """Of 20 channels 14, 10, 7 and 5 are left; oneDNN trains 8 or more."""
    settings = narrow(**changes)
    monkeypatch.setattr(environment, "onednn", lambda: False)
    methods.check(settings)
    monkeypatch.setattr(environment, "onednn", lambda: True)
    if message is None:
        methods.check(settings)
    else:
        with pytest.raises(BadSetting, match=f"^{message}.*; remove less"):
            methods.check(settings)
