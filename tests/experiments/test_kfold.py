"""The protocol as a user runs it: Tables I and II in miniature, in several steps, with failures."""

import csv
import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import scripts
from wool_tf.study import results

TINY = ("--image_size=32", "--folds=2", "--repeats=2", "--epochs=1", "--batch_size=8", "--optimizers=adam")
PRUNE = (*TINY, "--rounds=1", "--finetune_epochs=1", "--asfp_epochs=1", "--asfp_rates=0.3", "--controls=random,scratch")
STAGES = ["baseline", "hard1", "asfp30", "random1", "scratch1"]
TABLES = ("prune_kfold-table1.csv", "prune_kfold-table2.csv")


@pytest.fixture(scope="module")
def finished(crops, narrow, tmp_path_factory) -> tuple[Path, str]:
    """The folder of a whole run of prune_kfold.py, and what it printed."""
    out = tmp_path_factory.mktemp("run")
    # One job, as each imports TensorFlow and traces every network; slow tests compare with what two jobs find.
    result = scripts.run("prune_kfold.py", "--data", crops, "--out", out, narrow, "--jobs=1", *PRUNE)
    assert result.returncode == 0, result.stderr
    return out, result.stdout


def figures(out: Path) -> tuple:
    """What must not depend on how a run went."""
    study = results.read(out / "prune_kfold.json")
    return study.configurations, study.baselines, *((out / name).read_text() for name in TABLES)


def test_a_run_leaves_tables_and_report(finished):
    out, printed = finished
    (configuration,), _, *tables = figures(out)
    assert [stage.name for stage in configuration.stages] == STAGES
    assert all(len(stage.figures.complete) == 2 and stage.missing == 0 for stage in configuration.stages)
    assert "Table I" in printed and "Table II" in printed
    for name in ("prune_kfold.html", "prune_kfold.md"):
        assert (out / name).stat().st_size > 0
    assert "prune_kfold.html" in printed
    (row,) = csv.DictReader(tables[1].splitlines())
    for stage, column in (("baseline", "baseline"), ("hard1", "hard_round1"), ("asfp30", "asfp_0.3")):
        means = {each.name: each.figures.mean("accuracy") for each in configuration.stages}
        assert float(row[column]) == pytest.approx(100 * means[stage], abs=0.00501)


def test_no_network_is_kept_unless_that_is_wanted(finished):
    assert not list(finished[0].rglob("*.safetensors"))
    left = {path.suffix for path in (finished[0] / "units").rglob("*") if path.is_file()}
    assert left == {".json"}


def test_every_repeat_has_folds_of_its_own_and_holds_every_image_out_once(finished):
    repeats = json.loads((finished[0] / "folds.json").read_text())
    assert all(sorted(sum(folds, [])) == list(range(16)) for folds in repeats)
    assert repeats[0] != repeats[1]
    for repeat, folds in enumerate(repeats):
        for fold, part in enumerate(folds):
            unit = finished[0] / f"units/resnet18-adam-narrow/repeat{repeat}/fold{fold}/hard1.json"
            assert json.loads(unit.read_text())["held_out"] == part


def test_pooled_accuracy_is_that_of_the_records(finished, crops):
    (configuration,), *_ = figures(finished[0])
    for stage in configuration.stages:
        for repeat, measured in enumerate(stage.figures.repeats):
            right = 0
            for fold in (0, 1):
                name = f"units/resnet18-adam-narrow/repeat{repeat}/fold{fold}/{stage.name}.json"
                record = json.loads((finished[0] / name).read_text())
                # Class folders in alphabetical order: the first eight are defective.
                truth = np.array(record["held_out"]) < 8
                right += ((np.array(record["scores"]) >= 0.5) == truth).sum()
            assert measured.accuracy == pytest.approx(right / 16)


@pytest.mark.slow
def test_table_one_first_and_table_two_from_its_networks(finished, crops, narrow, tmp_path):
    """What train_kfold.py is told of pruning binds nobody, and its report stays beside that of prune_kfold.py."""
    flags = ("--data", crops, "--out", tmp_path, narrow, "--jobs=1", *TINY)
    train = scripts.run("train_kfold.py", *flags, "--keep_checkpoints", "--finetune_epochs=7")
    assert train.returncode == 0, train.stderr
    names = ("train_kfold.html", "train_kfold.md", "train_kfold.json", "train_kfold-table1.csv")
    report = {name: (tmp_path / name).read_bytes() for name in names}
    assert not list(tmp_path.glob("*table2*"))
    times = {path: path.stat().st_mtime for path in tmp_path.rglob("baseline.*")}
    assert len(times) == 8
    plan = scripts.check("prune_kfold.py", "--data", crops, "--out", tmp_path, narrow, *PRUNE, "--plan")
    assert "resnet18-adam-narrow: 16 networks to train" in plan.stdout
    assert "20 networks, 4 of them done; about" in plan.stdout
    prune = scripts.run("prune_kfold.py", "--data", crops, "--out", tmp_path, narrow, "--jobs=1", *PRUNE)
    assert prune.returncode == 0, prune.stderr
    assert {path: path.stat().st_mtime for path in times if path.suffix == ".json"} == {
        path: when for path, when in times.items() if path.suffix == ".json"
    }
    assert figures(tmp_path) == figures(finished[0])
    assert {path.stem for path in tmp_path.rglob("*.safetensors")} == {"baseline"}
    assert {name: (tmp_path / name).read_bytes() for name in names} == report
    tables = [(tmp_path / name).read_bytes() for name in TABLES]
    assert scripts.run("train_kfold.py", *flags).returncode == 0
    assert [(tmp_path / name).read_bytes() for name in TABLES] == tables


@pytest.mark.slow
def test_the_best_epoch_and_curves(crops, tmp_path):
    pytest.importorskip("tensorboard")
    flags = ("--image_size=32", "--folds=2", "--epochs=2", "--batch_size=8", "--optimizers=adam", "--jobs=1")
    result = scripts.run("train_kfold.py", "--data", crops, "--out", tmp_path, *flags, "--select=best", "--tensorboard")
    assert result.returncode == 0, result.stderr
    assert "Note: Run with --select=best" in result.stdout
    assert (tmp_path / "train_kfold-table1-optimistic.csv").exists()
    assert not (tmp_path / "train_kfold-table1.csv").exists()
    for fold in (0, 1):
        name = f"resnet18-adam-none/repeat0/fold{fold}"
        record = json.loads((tmp_path / f"units/{name}/baseline.json").read_text())
        merits = record["history"]["merit"]
        assert len(merits) == 2 and max(merits) == record["metrics"]["accuracy"]
        assert len(list((tmp_path / f"tensorboard/{name}/baseline").rglob("*tfevents*"))) == 1


@pytest.mark.parametrize("script", ["train_kfold.py", "prune_kfold.py"])
@pytest.mark.parametrize("name", ["paper", "reduced"])
def test_one_flagfile_serves_both_scripts(script, name):
    flagfile = scripts.FOLDER / "flagfiles" / f"{name}.cfg"
    checked = scripts.check(script, f"--flagfile={flagfile}", "--only_check_args")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("backend", ["theano", "numpi"])
def test_another_backend_is_one_line(crops, tmp_path, backend):
    environment = os.environ | {"KERAS_BACKEND": backend}
    line = scripts.refusal("train_kfold.py", "--data", crops, "--out", tmp_path, *TINY, env=environment)
    assert line.startswith(f"error: KERAS_BACKEND={backend}: cannot be imported")


def test_a_plan_binds_the_folder_to_nothing(crops, narrow, tmp_path):
    out = tmp_path / "out"
    plan = scripts.check("train_kfold.py", "--data", crops, "--out", out, narrow, *TINY, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "resnet18-adam-narrow: 4 networks to train" in plan.stdout
    assert "4 networks, 0 of them done; about" in plan.stdout
    assert {path.name for path in out.iterdir()} <= {".lock", "cache"}


def test_a_network_that_cannot_be_trained_is_reported_and_the_others_go_on(crops, narrow, tmp_path):
    """A step of SGD multiplies kernels by 1 − 9.9 · 0.9 = −7.9: they overflow within 46. One of Adam's does not."""
    result = scripts.run("train_kfold.py", "--data", crops, "--out", tmp_path, narrow, "--image_size=32", "--folds=2",
                         "--epochs=50", "--batch_size=8", "--sgd_learning_rate=9.9", "--weight_decay=0.9",
                         "--schedule=plateau", "--plateau_patience=50", "--jobs=1")  # fmt: skip
    assert result.returncode == 2, result.stdout + result.stderr
    assert "failed: resnet18-sgd-narrow/repeat0/fold" in result.stdout
    study = results.read(tmp_path / "train_kfold.json")
    adam, sgd = (each.baseline for each in study.configurations)
    assert adam.missing == 0 < sgd.missing
    assert adam.figures.mean("accuracy") is not None and sgd.figures.mean("accuracy") is None
    assert all("diverged" in failure.reason and failure.attempts == 2 for failure in study.failures)


def test_other_settings_do_not_mix_with_old_results(finished, crops):
    line = scripts.refusal("prune_kfold.py", "--data", crops, "--out", finished[0], *PRUNE, "--epochs=2")
    assert line == f"error: --epochs=2: the run in {finished[0]} has 1; choose another folder"


@pytest.mark.parametrize(
    ("flag", "rule"),
    [
        ("--depths=18,19", "--depths=18,19: each must be one of 18, 34, 50, 101, 152"),
        ("--depths=deep", "numbers with commas"),
        ("--depths=", "at least one value"),
        ("--depths=18,18", "occurs twice"),
        ("--optimizers=lion", "--optimizers=lion: each must be one of adam, sgd"),
        ("--weights=/nowhere.pth", "/nowhere.pth"),
        ("--controls=luck", "random, scratch"),
        ("--required_recall=1.2", "at most 1"),
        ("--cost_ratio=0", "above 0"),
        ("--cost_ratio=inf", "finite"),
        ("--repeats=0", "at least 1"),
        ("--scheduler=tcp://127.0.0.1:9", "--scheduler=tcp://127.0.0.1:9"),
    ],
)
def test_bad_value(crops, tmp_path, flag, rule):
    assert rule in scripts.refusal("prune_kfold.py", "--data", crops, "--out", tmp_path / "out", *PRUNE, flag)


@pytest.mark.slow
def test_killed_at_random_moments_the_tables_are_the_same(finished, crops, narrow, tmp_path):
    """Twenty kills, each a moment after some units are done; a few may come after the end."""
    rng, command = random.Random(0), [sys.executable, str(scripts.FOLDER / "prune_kfold.py"), f"--data={crops}",
                                      f"--out={tmp_path}", "--jobs=2", narrow, *PRUNE]  # fmt: skip
    done = [0]
    for _ in range(20):
        started, wanted = time.time(), done[-1] + rng.choice((0, 0, 1, 1, 2))
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while running.poll() is None and not (_works(tmp_path, started) and _records(tmp_path) >= wanted):
            time.sleep(0.1)
        time.sleep(rng.uniform(0, 4))
        running.send_signal(signal.SIGKILL)
        running.wait()
        done.append(_records(tmp_path))
    print(f"finished units at each kill: {done[1:]}")
    assert scripts.run("prune_kfold.py", *command[2:]).returncode == 0
    assert figures(tmp_path) == figures(finished[0])
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in (".json", ".npy", ".csv")]
    assert {path.name for path in left} == {".lock", "prune_kfold.html", "prune_kfold.md"}


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(finished, crops, narrow, tmp_path):
    command = [sys.executable, str(scripts.FOLDER / "prune_kfold.py"), f"--data={crops}", f"--out={tmp_path}",
               "--jobs=2", narrow, *PRUNE]  # fmt: skip
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.rglob("*.progress"))) < 2:
        time.sleep(0.1)
    workers = [pid for pid in _children(running.pid) if "--process-name LokyProcess" in _command(pid)]
    os.kill(workers[0], signal.SIGKILL)
    assert running.wait(timeout=600) == 0
    assert figures(tmp_path) == figures(finished[0])


@pytest.mark.slow
def test_two_workers_of_a_cluster_of_which_one_is_killed(finished, crops, narrow, tmp_path):
    pytest.importorskip("distributed")
    address = "tcp://127.0.0.1:18786"
    start = functools.partial(subprocess.Popen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    python = [sys.executable, "-m"]
    cluster = [start([*python, "distributed.cli.dask_scheduler", "--port=18786", "--dashboard-address=:0"])]
    cluster += [
        start([*python, "distributed.cli.dask_worker", address, "--nthreads=1", "--no-dashboard", "--memory-limit=0",
               f"--local-directory={tmp_path}"], env=os.environ | {"PYTHONPATH": str(scripts.FOLDER.parent)})
        for _ in range(2)
    ]  # fmt: skip
    out = tmp_path / "out"
    try:
        time.sleep(5)
        command = [
            sys.executable,
            str(scripts.FOLDER / "prune_kfold.py"),
            f"--data={crops}",
            f"--out={out}",
            narrow,
            *PRUNE,
        ]
        running = start([*command, f"--scheduler={address}"])
        while len(list(out.rglob("repeat*/fold*/*.json"))) < 2:
            assert running.poll() is None
            time.sleep(0.1)
        cluster[1].kill()
        for pid in _children(cluster[1].pid):
            os.kill(pid, signal.SIGKILL)
        assert running.wait(timeout=600) == 0
    finally:
        for process in cluster:
            for pid in _children(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait()
    assert figures(out) == figures(finished[0])


def _records(out: Path) -> int:
    return len(list(out.rglob("repeat*/fold*/*.json")))


def _works(out: Path, since: float) -> bool:
    """Whether a unit has told of its progress since then."""
    try:
        return any(path.stat().st_mtime > since for path in out.rglob("*.progress"))
    except FileNotFoundError:
        return False


def _children(parent: int) -> list[int]:
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(status[1]) == parent:
            found += [pid, *_children(pid)]
    return found


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
