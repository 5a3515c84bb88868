"""Processes that work side by side: of this machine by joblib, of a cluster by Dask."""

import contextlib
import dataclasses
import logging
import os
import platform
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

from wool_tf import environment, quiet
from wool_tf.data import run_document
from wool_tf.errors import BadSetting, extra, in_one_line
from wool_tf.settings import check, setting
from wool_tf.study import gpu_locks
from wool_tf.study.progress import OrphanedRun

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10
ENVIRONMENT = (*environment.computing(1, "jax"), "TF_ENABLE_ONEDNN_OPTS")
"""What results depend on, and the machines of a cluster have to take over."""


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who does the work.

    Raises:
        BadSetting: a value breaks its rule.
    """

    jobs: int = setting(
        None,
        "Processes that work at a time; default: as many as there are GPUs, or cores for their threads.",
        at_least=1,
    )
    scheduler: str | None = setting(None, "Address of a Dask cluster that does the work instead.")
    keep_checkpoints: bool = setting(False, "Keep the networks of all folds, not only their records.")
    tensorboard: bool = setting(False, "Write training curves for TensorBoard.")

    def __post_init__(self) -> None:
        check(self)


class WorkerDeath(Exception):
    """A worker process ended before its work was done; the others of its pool were ended too."""


def run(work: Callable, tasks: Sequence[tuple], jobs: int, folder: Path) -> None:
    """Calls `work(*task)` for every task, in processes other than the calling one.

    Arguments:
        work: function that can be pickled.
        tasks: its arguments.
        jobs: tasks at the same time.
        folder: where processes agree on who has which GPU.

    Raises:
        WorkerDeath: a process was killed.
        Exception: what `work` raised; the other processes are ended at once.
    """
    # Not joblib.Parallel, which does the work of a single process in the calling one.
    from joblib.externals import loky

    _keep_quiet()
    executor = loky.ProcessPoolExecutor(jobs, initializer=_prepare, initargs=(folder,))
    try:
        for finished in as_completed([executor.submit(work, *task) for task in tasks]):
            finished.result()
    except BaseException as error:
        # Ends the workers in the middle of their tasks.
        executor.shutdown(kill_workers=True)
        if isinstance(error, BrokenProcessPool):
            raise WorkerDeath from None
        raise
    # Idle workers would keep the memory of their GPUs from what comes next.
    executor.shutdown()


def _keep_quiet() -> None:
    """Silences warnings of joblib about what it does by design; after hours of training they would look like faults."""
    # It replaces workers that have grown by some hundred megabytes, between two tasks.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    quiet.start_tracker()


def _prepare(folder: Path) -> None:
    """Makes a worker process ready."""
    # Ctrl-C reaches the whole process group; the main process ends its workers itself, without their tracebacks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gpu_locks.take(folder)


def run_on_cluster(work: Callable, tasks: Sequence[tuple], scheduler: str, folder: Path) -> list[int]:
    """Calls `work(*task)` for every task, on the workers of a Dask cluster.

    A worker that dies is replaced by another, which tries the task again, as often as the cluster is set up to.

    Arguments:
        work: function that can be pickled.
        tasks: its arguments.
        scheduler: address, such as `tcp://host:8786`.
        folder: where processes agree on who has which GPU.

    Returns:
        The numbers of the tasks that the cluster has given up.

    Raises:
        WoolError: Dask is not installed, the cluster cannot be reached or is lost, or its workers have other software.
        Exception: what `work` raised.
    """
    variables, software = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}, _software(folder)
    variables["KERAS_BACKEND"] = software["KERAS_BACKEND"]
    finished, given_up = 0, []
    with _connected(scheduler) as client:
        import distributed
        from distributed.protocol import pickle

        # As bytes: a task names files of the run's folder, which the scheduler, who unpickles what it can, may not see.
        given = (variables, software, folder)
        futures = [client.submit(_on_worker, *given, pickle.dumps((work, task)), pure=False) for task in tasks]
        number = {future.key: position for position, future in enumerate(futures)}
        for future in distributed.as_completed(futures, loop=client.loop):
            if future.status not in ("finished", "error"):
                break
            finished += 1
            error = future.exception()
            if isinstance(error, distributed.KilledWorker):
                given_up.append(number[future.key])
            elif error is not None:
                client.cancel(futures)
                raise _explained(error, scheduler)
    if finished < len(tasks):
        raise BadSetting("scheduler", scheduler, "the cluster was lost; restart it, and then run the same command")
    return given_up


def workers(scheduler: str) -> int:
    """How many workers a Dask cluster has at the moment.

    Raises:
        WoolError: Dask is not installed, or the cluster cannot be reached.
    """
    with _connected(scheduler) as client:
        return len(client.nthreads())


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator["Client"]:
    # What it has to say when a scheduler is gone is a traceback; here it becomes one line.
    logger = logging.getLogger("distributed.client")
    logger.disabled = True
    try:
        with _client(scheduler) as client:
            yield client
    finally:
        logger.disabled = False


def _client(scheduler: str) -> "Client":
    try:
        import distributed
    except ImportError:
        raise BadSetting("scheduler", scheduler, f"needs Dask; {extra('cluster')}") from None
    try:
        return distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadSetting("scheduler", scheduler, f"no Dask scheduler there ({in_one_line(error)})") from None


def _explained(error: Exception, scheduler: str) -> Exception:
    if isinstance(error, ImportError):
        return BadSetting("scheduler", scheduler, f"a worker cannot import {error.name}; install wool_tf there too")
    if isinstance(error, RuntimeError) and "deserialization" in str(error):
        return BadSetting("scheduler", scheduler, "the scheduler cannot read the work; install wool_tf there too")
    return error


_one_at_a_time = threading.Lock()


def _on_worker(variables: dict[str, str], software: dict[str, str], folder: Path, pickled: bytes) -> None:
    # A worker with several threads would train several networks in one process, which shares models among them.
    with _one_at_a_time:
        other = [name for name, value in variables.items() if os.environ.get(name) != value]
        if other and "keras" in sys.modules:
            raise BadSetting("scheduler", None, f"a worker has worked with another {other[0]}; restart the workers")
        if not folder.is_dir():
            rule = (
                f"a worker on {platform.node()} does not see {folder}; every machine of the cluster must see it under "
                "this path; then the same command goes on"
            )
            raise BadSetting("scheduler", None, rule)
        os.environ |= variables
        gpu_locks.take(folder)
        _compare(software, _software(folder))
        from distributed.protocol import pickle

        work, task = pickle.loads(pickled)
        # The run has ended, so there is nothing left to report to.
        with contextlib.suppress(OrphanedRun):
            work(*task)


def _software(folder: Path) -> dict[str, str]:
    """Keras' backend, and the versions of what results depend on, as the run around a folder says."""
    quiet.import_keras()
    import keras

    run = run_document.around(folder)
    return {"KERAS_BACKEND": keras.backend.backend()} | environment.binding(run.versions if run else ())


def _compare(wanted: dict[str, str], found: dict[str, str]) -> None:
    """Raises WoolError where a worker has other software than the process that it works for."""
    for name, version in wanted.items():
        if found.get(name) != version:
            here = f"not {version} as here; install the same there"
            raise BadSetting("scheduler", None, f"a worker on {platform.node()} has {name} {found.get(name)}, {here}")
