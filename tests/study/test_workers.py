"""What the workers of a cluster are told and asked, on one that lives in this process."""

import os

import pytest

from wool_tf import environment
from wool_tf.data import run_document
from wool_tf.data.imaging import Imaging
from wool_tf.data.run_document import RunBinding
from wool_tf.devices import VISIBLE
from wool_tf.errors import Divergence, WoolError
from wool_tf.study import gpu_locks, workers


@pytest.fixture
def scheduler():
    distributed = pytest.importorskip("distributed")
    options = {"processes": False, "threads_per_worker": 1, "dashboard_address": None, "protocol": "tcp"}
    with distributed.LocalCluster(n_workers=2, **options) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name in (*workers.ENVIRONMENT, "KERAS_BACKEND", VISIBLE):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")


def work(folder, number):
    (folder / str(number)).write_text(os.environ[VISIBLE])
    if number == 3:
        raise Divergence("three")


def test_every_task_is_done_by_a_worker_with_a_gpu_of_its_own(scheduler, monkeypatch, tmp_path):
    taken = []
    monkeypatch.setattr(gpu_locks, "take", lambda folder: taken.append(folder))
    assert workers.run_on_cluster(work, [(tmp_path, number) for number in range(3)], scheduler, tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
    assert taken == [tmp_path] * 3


def test_what_a_task_raises_is_raised(scheduler, tmp_path):
    with pytest.raises(Divergence, match="three"):
        workers.run_on_cluster(work, [(tmp_path, 3)], scheduler, tmp_path)


@pytest.mark.parametrize("name", ["keras", "numpy", "tensorflow", "wool_tf", "ai-edge-litert"])
def test_other_software_is_refused(scheduler, monkeypatch, tmp_path, name):
    ours, software = workers._software(tmp_path), workers._software
    first = iter([ours | {name: "0.1"}])
    # The process that asks is the first to say what it has.
    monkeypatch.setattr(workers, "_software", lambda folder: next(first, None) or software(folder))
    with pytest.raises(WoolError, match=rf"scheduler: a worker on \S+ has {name} {ours[name]}, not 0.1 as here"):
        workers.run_on_cluster(work, [(tmp_path, 0)], scheduler, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def of_pytorch(tmp_path):
    """Folder of the records of a run that is bound to PyTorch's version."""
    folder = tmp_path / "run/units"
    folder.mkdir(parents=True)
    bound = RunBinding(
        settings={}, images="", native_crops="", imaging=Imaging(35), backend="", versions={"torch": "2.0"},
        arithmetic={}, weights={}, processors=("x86",),
    )  # fmt: skip
    run_document.write(folder.parent, bound)
    return folder


def with_torch(monkeypatch, *versions):
    """Each time that it is asked for, another version of PyTorch is installed."""
    left, installed = iter(versions), environment._version
    monkeypatch.setattr(environment, "_version", lambda name: next(left) if name == "torch" else installed(name))


def test_packages_are_asked_for_that_the_run_is_bound_to(of_pytorch, monkeypatch, tmp_path):
    with_torch(monkeypatch, "2.0")
    assert "torch" not in workers._software(tmp_path)
    assert workers._software(of_pytorch) == workers._software(tmp_path) | {"torch": "2.0"}


def test_other_versions_of_packages_that_the_run_is_bound_to_are_refused(scheduler, of_pytorch, monkeypatch):
    with_torch(monkeypatch, "2.0", "2.1")
    with pytest.raises(WoolError, match=r"scheduler: a worker on \S+ has torch 2.1, not 2.0 as here"):
        workers.run_on_cluster(work, [(of_pytorch, 0)], scheduler, of_pytorch)
    assert not list(of_pytorch.iterdir())


def lacking(number):
    raise ModuleNotFoundError("No module named 'wool_tf'", name="wool_tf")


def test_a_worker_without_the_software_is_told(scheduler, tmp_path):
    with pytest.raises(WoolError, match="a worker cannot import wool_tf; install wool_tf there too"):
        workers.run_on_cluster(lacking, [(0,)], scheduler, tmp_path)


class Away:
    """Cannot be unpickled where its file is not, as images that a worker does not see."""

    def __reduce__(self):
        return open, ("/nowhere/images.npy",)


def test_a_worker_that_does_not_see_the_folder_is_told(scheduler, tmp_path):
    with pytest.raises(WoolError, match=f"does not see {tmp_path}/away; every machine of the cluster must see it"):
        workers.run_on_cluster(work, [(Away(), 0)], scheduler, tmp_path / "away")


def test_workers_are_counted(scheduler):
    assert workers.workers(scheduler) == 2


def test_no_cluster_is_one_line(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 1)
    with pytest.raises(WoolError, match="scheduler=tcp://127.0.0.1:9: no Dask scheduler there"):
        workers.workers("tcp://127.0.0.1:9")
