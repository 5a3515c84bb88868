"""`station.py` in a process of its own, as a user starts it."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import checkout


def command(*arguments) -> list[str]:
    return [sys.executable, str(checkout.PROGRAMS / "station.py"), *map(str, arguments)]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, timeout=60, env=checkout.environment()
    )


def refusal(*arguments, status: int = 1) -> str:
    """The one line that a wrong use gets."""
    finished = run(*arguments)
    assert (finished.returncode, finished.stdout) == (status, ""), finished.stderr
    assert "Traceback" not in finished.stderr
    (line,) = finished.stderr.splitlines()
    return line


@contextlib.contextmanager
def running(*arguments, ends: int = 130) -> Iterator[subprocess.Popen]:
    """The program while the context lasts; it ends by SIGTERM with that status and nothing on its standard error."""
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command(*arguments), text=True, env=checkout.environment(), **pipes)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (ends, "")
    finally:
        process.kill()
        process.communicate()
