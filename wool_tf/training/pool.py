"""Processes that work side by side: of this machine by joblib, of a cluster by Dask."""

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from wool_tf.errors import WoolError, first_line
from wool_tf.training import devices

CONNECT_SECONDS = 10
ENVIRONMENT = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_DETERMINISTIC_OPS",
               "TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")  # fmt: skip
"""What results depend on, and the machines of a cluster have to take over."""


class Died(Exception):
    """A worker process ended in the midst of its work; the others of its pool were ended too."""


def run(work: Callable, tasks: Sequence[tuple], jobs: int, folder: Path) -> None:
    """Calls `work(*task)` for every task, in processes other than the calling one.

    Arguments:
        work: function that can be pickled.
        tasks: its arguments.
        jobs: processes.
        folder: where processes agree on who has which GPU.

    Raises:
        Died: a process was killed.
        Exception: what `work` raised; the other processes are ended at once.
    """
    import joblib

    # joblib would do a single job in the calling process.
    options = {"backend": "loky", "initializer": functools.partial(_prepare, folder)}
    parallel = joblib.Parallel(max(2, jobs), return_as="generator_unordered", batch_size=1, **options)
    try:
        # Closing ends the workers at once, whatever they are at, when an error or Ctrl-C leaves from here.
        with contextlib.closing(parallel(joblib.delayed(work)(*task) for task in tasks)) as finished:
            for _ in finished:
                pass
    except BrokenProcessPool:
        raise Died from None


def _prepare(folder: Path) -> None:
    """Makes a worker process ready."""
    # Ctrl-C reaches the whole process group; the main process ends its workers itself, without their tracebacks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    devices.take(folder)


def run_on_cluster(work: Callable, tasks: Sequence[tuple], scheduler: str) -> list[int]:
    """Calls `work(*task)` for every task, on the workers of a Dask cluster.

    A worker that dies is replaced by another, which tries the task again, as often as the cluster is set up to.

    Arguments:
        work: function that can be pickled.
        tasks: its arguments.
        scheduler: address, such as `tcp://host:8786`.

    Returns:
        The numbers of the tasks that the cluster has given up.

    Raises:
        WoolError: Dask is not installed, or the cluster cannot be reached.
        Exception: what `work` raised.
    """
    try:
        import distributed
    except ImportError:
        raise WoolError(f"--scheduler={scheduler}: needs Dask; install wool_tf[cluster]") from None
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WoolError(f"--scheduler={scheduler}: no Dask scheduler there ({first_line(error)})") from None
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    given_up = []
    with client:
        futures = [client.submit(_on_worker, environment, work, task, pure=False) for task in tasks]
        number = {future.key: position for position, future in enumerate(futures)}
        for future in distributed.as_completed(futures):
            error = future.exception()
            if isinstance(error, distributed.KilledWorker):
                given_up.append(number[future.key])
            elif error is not None:
                client.cancel(futures)
                raise error
    return given_up


_one_at_a_time = threading.Lock()


def _on_worker(environment: dict[str, str], work: Callable, task: tuple) -> None:
    from wool_tf.training.driver import Orphaned

    # A worker with several threads would train several networks in one process, which shares models among them.
    with _one_at_a_time:
        other = [name for name, value in environment.items() if os.environ.get(name) != value]
        if other and "keras" in sys.modules:
            raise WoolError(f"--scheduler: a worker has worked with another {other[0]}; start the workers anew")
        os.environ |= environment
        # The run is gone, and with it whoever would be told.
        with contextlib.suppress(Orphaned):
            work(*task)
