"""Units that only sleep, fail or die, and how a test drives them."""

import functools
import os
import signal
import time

from wool_tf.networks.unit_records import Result
from wool_tf.study import progress
from wool_tf.study.units import Unit


def result(name="", attempt=0) -> Result:
    """A result that says the name of its unit, and the number of the attempt in place of a seed."""
    return Result(stage=name, seed=attempt, images="", environment={})


def work(name, log, progress, attempt):
    progress(0.5, "half")
    with open(log, "a") as file:
        file.write(f"{name}\n")
    return result(name, attempt)


def fail(log, error, times, progress, attempt):
    """Fails so many times, counted in a file: another process may be the next to try."""
    with open(log, "a") as file:
        file.write("x")
    if len(log.read_text()) <= times:
        raise error
    return result(attempt=attempt)


def die(log, times, progress, attempt):
    """The process of the work is killed so many times."""
    progress(0.1, "about to die")
    with open(log, "a") as file:
        file.write("x")
    if len(log.read_text()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return result(attempt=attempt)


def look(data, progress, attempt):
    """Needs the images of a Dataset."""
    return result(str(data.images.shape), attempt)


def linger(work, report, attempt):
    time.sleep(progress.BEAT_SECONDS + 0.1)  # What is said before is not passed on.
    report(0.5, "half")
    time.sleep(0.3)
    return work(report, attempt)


def leave(path, progress, attempt):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{path.name}")
    return result()


def silent(status):
    pass


def units(log, *names) -> list[Unit]:
    return [Unit(name, functools.partial(work, name, log), 1.0) for name in names]


def failing(log, error, times, name="a/2", **options) -> Unit:
    return Unit(name, functools.partial(fail, log, error, times), 1.0, **options)


def products(folder, keep) -> list[Unit]:
    return [
        Unit(f"a/{number}", functools.partial(leave, folder / f"{number}.bin"), 1.0, folder / f"{number}.bin",
             (f"a/{number - 1}",) if number > 1 else (), keep)
        for number in (1, 2, 3)
    ]  # fmt: skip
