"""The main job as a user runs it: a whole run in miniature, resumed, and refused."""

import dataclasses
import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scripts
from checkout import EXPERIMENTS, environment
from wool_tf import records
from wool_tf.deploy.trained_network import Held, NetworkSource, opened
from wool_tf.errors import WoolError
from wool_tf.evaluation import calibration
from wool_tf.networks import unit_records
from wool_tf.study import results, run
from wool_tf.study.request import Request
from wool_tf.study.results import Study
from wool_tf.training.config import TrainingConfig

SCRIPT = scripts.FOLDER / "reproduce.py"
TINY = ("--image_size=32", "--folds=2", "--epochs=1", "--finetune_epochs=1", "--asfp_epochs=1", "--batch_size=8",
        "--rounds=1", "--final=hard1")  # fmt: skip
STAGES = ["baseline", "hard1", "asfp30", "hard1-int8"]


reproduce = functools.partial(scripts.run, "reproduce.py")
refusal = functools.partial(scripts.refusal, "reproduce.py")


@pytest.fixture(scope="module")
def finished(crops, narrow, tmp_path_factory) -> tuple[Path, str]:
    """The folder of a whole run, and what it printed."""
    out = tmp_path_factory.mktemp("run")
    # One job, as each imports TensorFlow and traces every network; slow tests compare with what two jobs find.
    result = reproduce("--data", crops, "--out", out, narrow, "--jobs=1", *TINY)
    assert result.returncode == 0, result.stderr
    return out, result.stdout


def read(out: Path) -> Study:
    return results.read(out / "report.json")


def figures(out: Path) -> list:
    """What must not depend on how a run went; latencies do."""
    study = read(out)
    delivery = dataclasses.replace(study.delivery, latency=(), latency_warnings=())
    return [study.data, study.folds, study.baselines, study.sheets, study.configurations, delivery]


def test_a_run_leaves_report_model_and_results(finished):
    out, printed = finished
    assert [stage.name for stage in read(out).configurations[0].stages] == STAGES
    for name in ("report.html", "report.md", "model/compact-int8.tflite", "model/compact-float32.tflite",
                 "model/compact.keras", "model/compact.safetensors"):  # fmt: skip
        assert (out / name).stat().st_size > 0
    assert "left" in printed
    assert "report.html" in printed
    assert not list(out.rglob("*.progress"))


def judged_by_the_others(scores, labels, fold_of) -> int:
    """Images that are judged rightly where two folds decide at the threshold that the other one's calibration gives."""
    scores, labels, fold_of = map(np.array, (scores, labels, fold_of))
    total = 0
    for own in (fold_of == 0, fold_of == 1):
        least = calibration.fit(labels[~own], scores[~own]).threshold(1.0)
        total += int(((scores[own] >= least) == labels[own]).sum())
    return total


def test_the_card_of_the_unpruned_network_is_that_of_its_fold(finished):
    """It was trained without the images that the first fold held out."""
    out, _ = finished
    card = json.loads((out / "model/baseline-float32.json").read_text())
    study = read(out)
    assert card["training"]["images"] == study.data.images - study.folds[0][0].images
    assert card["metrics"]["of"].startswith("2 files, this one among them, one of each fold")


def test_the_model_carries_its_card(finished, crops):
    out, _ = finished
    with zipfile.ZipFile(out / "model/compact-int8.tflite") as archive:
        card = json.loads(archive.read("card.json"))
    assert card == json.loads((out / "model/compact-int8.json").read_text())
    study = read(out)
    scores = [one.scores["hard1-int8"] for one in study.delivery.judged]
    labels = [one.label for one in study.delivery.judged]
    fold_of = [one.fold for one in study.delivery.judged]
    expected = calibration.fit(np.array(labels), np.array(scores)).threshold(1.0)
    assert card["decision"]["threshold"] == pytest.approx(expected)
    assert card["metrics"]["accuracy"] == judged_by_the_others(scores, labels, fold_of) / len(labels)
    of = "2 other files, one of each fold, on the images that it held out, at a threshold chosen on the other folds"
    assert (card["metrics"]["of"], card["metrics"]["images"]) == (of, len(labels))
    assert card["training"]["images"] == len(labels)
    metrics = json.loads(json.dumps(records.plain(study.delivered.int8_stage.operating[0].figures.repeats[0])))
    assert metrics == {name: card["metrics"][name] for name in metrics}
    assert study.delivery.threshold == card["decision"]["threshold"]
    among = f"{len(labels)} held-out images of all folds"
    assert card["decision"]["rule"] == f"a miss costs as much as 1 false alarm, on {among}"
    with Image.open(next(crops.rglob("*.png"))) as crop:
        assert card["input"]["side"] == crop.width
    folds = json.loads((out / "folds.json").read_text())
    assert sorted(index for part in folds[0] for index in part) == list(range(len(labels)))


def test_the_delivered_network_is_known_to_have_seen_every_image(finished, crops, tmp_path):
    out, _ = finished
    for name in ("compact.safetensors", "compact.keras"):
        source = NetworkSource(out / "model" / name, crops, held=Held(out / "folds.json", 0, 0))
        with pytest.raises(WoolError, match="was trained on 8 of the 8 images of fold 0, as the record beside it"):
            opened(source, tmp_path)


def test_every_image_is_scored_once_by_a_network_that_had_not_seen_it(finished, crops):
    judged = read(finished[0]).delivery.judged
    images = [str(path.relative_to(crops)) for path in crops.rglob("*.png")]
    assert sorted(one.path for one in judged) == sorted(images)
    assert all(0 <= one.scores[stage] <= 1 for one in judged for stage in STAGES)


def test_pruned_networks_are_smaller_and_equal_their_masked_ones(finished):
    stages = {stage.name: stage for stage in read(finished[0]).configurations[0].stages}
    # By hand: the stem, convolutions of 3 by 3, projections, scales and shifts of batch norms, and the head.
    pairs = list(itertools.pairwise((16, 16, 32, 64, 128)))
    convolutions = 7 * 7 * 16 + sum(9 * (reads + 3 * width) * width for reads, width in pairs)
    projections = sum(reads * width for reads, width in pairs[1:])
    norms = 2 * (16 + sum(4 * width for _, width in pairs) + sum(width for _, width in pairs[1:]))
    assert stages["baseline"].params == convolutions + projections + norms + (128 + 1) * 2
    # A round of Table III's rates takes more than 30 % of every group once, which leaves 0.7² of most convolutions.
    assert stages["hard1"].params < stages["asfp30"].params < stages["baseline"].params / 2
    assert all(stages[name].mask_difference <= 1e-4 for name in ("hard1", "asfp30"))


def test_the_same_command_again_has_nothing_to_train(finished, crops, narrow):
    out, _ = finished
    before, started = figures(out), {path: path.stat().st_mtime for path in (out / "units").rglob("*.json")}
    assert reproduce("--data", crops, "--out", out, narrow, "--jobs=1", *TINY).returncode == 0
    assert figures(out) == before
    assert {path: path.stat().st_mtime for path in (out / "units").rglob("*.json")} == started


def test_what_the_model_does_not_need_may_fail(finished, crops, narrow, tmp_path):
    out, fold = tmp_path / "out", "units/resnet18-adam-narrow/repeat0/fold1"
    shutil.copytree(finished[0], out)
    command = "--data", crops, "--out", out, narrow, "--jobs=1", *TINY

    def diverge(stage):
        (out / f"{fold}/{stage}.json").unlink()
        attempts = (unit_records.Attempt("diverged", "the training loss became nan"),) * 2
        records.write(out / f"{fold}/{stage}.failed.json", {"unit": stage, "attempts": records.plain(attempts)})

    diverge("asfp30")
    (out / "report.json").unlink()
    result = reproduce(*command)
    assert result.returncode == 2, result.stderr
    assert f"failed: {fold.removeprefix('units/')}/asfp30: diverged: the training loss became nan" in result.stdout
    study = read(out)
    stages = {stage.name: stage for stage in study.configurations[0].stages}
    assert {name: stage.missing for name, stage in stages.items()} == dict.fromkeys(STAGES, 0) | {"asfp30": 1}
    assert set(study.delivery.judged[0].scores) == {"baseline", "hard1", "hard1-int8"}
    assert [row.stage for row in study.delivery.latency] == ["baseline", "hard1", "hard1-int8"]
    assert (out / "report.html").stat().st_mtime > (finished[0] / "report.html").stat().st_mtime
    diverge("hard1")
    line = refusal(*command)
    assert line.startswith(
        f"error: {fold.removeprefix('units/')}/hard1: the training loss became nan (2 attempts); no "
    )
    assert "deliver another stage with --final, or give another folder" in line


@pytest.mark.slow
def test_what_is_missing_is_made_again(finished, crops, narrow):
    """By two jobs; which units that are, `tests/study/test_unit_products.py` holds."""
    out, _ = finished
    before = figures(out)
    run = out / "units/resnet18-adam-narrow"
    (run / "final/hard1.safetensors").unlink()
    (run / "repeat0/fold1/asfp30.json").write_text('{"stage": ')
    assert reproduce("--data", crops, "--out", out, narrow, "--jobs=2", *TINY).returncode == 0
    assert figures(out) == before


def test_checkpoints_of_folds_are_kept_only_where_they_are_of_use(finished):
    kept = {str(path.parent.relative_to(finished[0] / "units")) for path in finished[0].rglob("units/**/*.safetensors")}
    assert kept == {"resnet18-adam-narrow/repeat0/fold0", "resnet18-adam-narrow/final"}


@pytest.mark.slow
def test_the_unpruned_network_is_delivered_and_bad_images_are_skipped_where_that_is_wanted(crops, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(crops, data)
    (data / "defective/3.png").write_bytes(b"")
    out = tmp_path / "out"
    result = reproduce("--data", data, "--out", out, *TINY, "--on_bad_image=skip", "--asfp_rates=", "--final=baseline")
    assert result.returncode == 0, result.stderr
    assert "skipped: defective/3.png is empty (0 bytes)" in result.stdout
    study = read(out)
    assert study.data.skipped == ("defective/3.png is empty (0 bytes)",)
    assert len(study.delivery.judged) == 15
    assert {file.name for file in (out / "model").glob("*.tflite")} == {
        f"{name}.tflite" for name in ("baseline-float32", "compact-float32", "compact-int8")
    }


def test_a_mistake_in_weights_leaves_the_folder_free(crops, tmp_path):
    refusal("--data", crops, "--out", tmp_path, *TINY, f"--weights={tmp_path / 'none.safetensors'}")
    assert not (tmp_path / "run.json").exists()


def test_other_settings_do_not_mix_with_old_results(finished, crops, narrow):
    out, _ = finished
    line = refusal("--data", crops, "--out", out, narrow, *TINY, "--epochs=2")
    assert line == f"error: --epochs=2: the run in {out} has 1; choose another folder"


def test_other_images_do_not_mix_with_old_results(finished, crops, narrow, tmp_path):
    out, _ = finished
    for path in crops.rglob("*.png"):
        copy = tmp_path / path.relative_to(crops)
        copy.parent.mkdir(exist_ok=True)
        Image.open(path).rotate(180).save(copy)
    assert "other images" in refusal("--data", tmp_path, "--out", out, narrow, *TINY)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_the_same_figures(finished, crops, narrow, tmp_path, how):
    command = [sys.executable, str(SCRIPT), f"--data={crops}", f"--out={tmp_path}", narrow, "--jobs=2", *TINY]
    # What runs the tests in the background may ignore Ctrl-C, and its children with it.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    while running.poll() is None and len(list(tmp_path.glob("units/*/repeat0/fold*/*.json"))) < 2:
        time.sleep(0.1)
    running.send_signal(how)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert errors.strip() in ("", "interrupted; the same command goes on from here")
    assert len(list(tmp_path.rglob("units/**/*.json"))) < 11
    assert reproduce(*command[2:]).returncode == 0
    assert figures(tmp_path) == figures(finished[0])


@pytest.mark.slow
def test_simulated_crops_where_there_are_no_others(tmp_path):
    result = reproduce(f"--flagfile={scripts.FOLDER / 'flagfiles' / 'smoke.cfg'}", f"--out={tmp_path / 'out'}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out/report.html").exists()
    study = read(tmp_path / "out")
    assert {sheet.kind.split(",")[0] for sheet in study.sheets} == {"defective", "non-defective"}


def test_help_does_not_wait_for_tensorflow():
    code = f"""
import runpy, sys
sys.argv = ["reproduce.py", "--help"]
try:
    runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
finally:
    print(sorted({{"tensorflow", "keras", "scipy", "sklearn", "matplotlib"}} & set(sys.modules)), file=sys.stderr)
"""
    env = environment(EXPERIMENTS)
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert finished.returncode == 0
    assert "--image_size" in finished.stdout
    assert finished.stderr.strip() == "[]"


class TestRefusals:
    """Each wrong use gets one line that says what to do."""

    def test_missing_folder(self, tmp_path):
        assert str(tmp_path / "none") in refusal("--data", tmp_path / "none", "--out", tmp_path / "out", *TINY)

    def test_empty_class(self, crops, tmp_path):
        (tmp_path / "data/defective").mkdir(parents=True)
        (tmp_path / "data/non_defective").symlink_to(crops / "non_defective")
        assert "no defective images" in refusal("--data", tmp_path / "data", "--out", tmp_path / "out", *TINY)

    @pytest.mark.parametrize("kept", [0, 30, 200])
    def test_damaged_image(self, crops, tmp_path, kept):
        data = tmp_path / "data"
        shutil.copytree(crops, data)
        bad = data / "defective" / "3.png"
        bad.write_bytes(bad.read_bytes()[:kept])
        assert "defective/3.png" in refusal("--data", data, "--out", tmp_path / "out", *TINY)

    def test_image_of_another_shape(self, tmp_path):
        data = tmp_path / "data"
        for name in ("defective", "non_defective"):
            (data / name).mkdir(parents=True)
            for number in range(2):
                Image.new("L", (40, 60), 10 * number + len(name)).save(data / name / f"{number}.png")
        assert "40x60 pixels" in refusal("--data", data, "--out", tmp_path / "out", *TINY)

    def test_more_folds_than_groups(self, crops, tmp_path):
        assert "--folds=17" in refusal("--data", crops, "--out", tmp_path / "out", *TINY, "--folds=17")

    def test_unknown_flag(self):
        assert "--epoch: this script has no such flag" in refusal("--epoch=3")

    def test_extra_argument(self, tmp_path):
        assert "'crops'" in refusal("crops", "--out", tmp_path)

    def test_missing_flagfile(self, tmp_path):
        assert str(tmp_path / "no.cfg") in refusal(f"--flagfile={tmp_path / 'no.cfg'}")

    def test_flagfile_that_is_an_image(self, crops):
        assert "--flagfile" in refusal(f"--flagfile={crops / 'defective' / '0.png'}")

    def test_no_out(self):
        assert "--out: is required" in refusal("--epochs=1")

    def test_other_backend(self, crops, tmp_path):
        environment = os.environ | {"KERAS_BACKEND": "numpy"}
        assert "KERAS_BACKEND" in refusal("--data", crops, "--out", tmp_path / "out", *TINY, env=environment)

    @pytest.mark.parametrize(
        ("flag", "rule"),
        [
            ("--epochs=0", "at least 1"),
            ("--epochs=many", "epochs"),
            ("--adam_learning_rate=-1", "above 0"),
            ("--depth=19", "18, 34, 50, 101, 152"),
            ("--optimizer=lion", "adam, sgd"),
            ("--recipe=mine", "paper-text"),
            ("--final=hard9", "baseline, hard1, asfp30"),
            ("--asfp_rates=1", "above 0 and below 1"),
            ("--asfp_rates=0.3,0.3", "occurs twice"),
            ("--asfp_rates=few", "numbers with commas"),
            ("--asfp_rates=0.9", "--asfp_rates=0.9: asfp90 cannot be trained (conv1: has 7 channels, and oneDNN"),
            ("--group_by=slab", "sample, scan, image"),
            ("--group_by=scan", "column scan"),
            ("--on_bad_image=ignore", "on_bad_image"),
            ("--select=best", "--select: this script has no such flag"),
            ("--cost_ratio=0", "--cost_ratio=0: must be above 0 and finite"),
            ("--required_recall=0", "--required_recall=0: must be above 0 and at most 1"),
            ("--plateau_factor=1", "below 1"),
            ("--threads=0", "at least 1"),
            ("--out=", "--out="),
            ("--weights=/nowhere.safetensors", "/nowhere.safetensors"),
            ("--jobs=0", "jobs"),
        ],
    )
    def test_bad_value(self, crops, tmp_path, flag, rule):
        assert rule in refusal("--data", crops, "--out", tmp_path / "out", *TINY, flag)

    def test_an_epoch_chosen_on_images_that_the_delivered_network_does_not_have(self, tmp_path):
        """Its card would be that of another recipe than its own."""
        request = Request([TrainingConfig(select="best")], [], "", "report", benchmark=Path("benchmark.py"))
        with pytest.raises(WoolError, match="^select=best: the delivered network is .*, or prune_kfold.py, which"):
            run.run(request, source=None, out=tmp_path / "out", team=None, show=None)
        assert not (tmp_path / "out").exists()

    def test_output_folder_that_is_a_file(self, crops, tmp_path):
        (tmp_path / "out").write_text("")
        assert f"--out={tmp_path / 'out'}" in refusal("--data", crops, "--out", tmp_path / "out", *TINY)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_read_only_output_folder(self, crops, tmp_path):
        tmp_path.chmod(0o500)
        assert "cannot be written" in refusal("--data", crops, "--out", tmp_path / "out", *TINY)
