"""Scripts in processes that are forked from one which has imported what they share.

Those imports are most of what a script does that ends with a line about its flags.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

SHARED = ("absl.app", "numpy", "PIL.Image", "wool_tf.data.dataset", "wool_tf.study.run", "wool_tf.training.config")
"""None of them defines flags, and none imports TensorFlow."""

PATIENCE_SECONDS = 600
"""After which a script hangs; on a busy machine an import of TensorFlow may take minutes."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(SHARED))


def run(script: Path, *arguments, cwd: Path | None = None, env: dict | None = None) -> subprocess.CompletedProcess:
    """What a script writes and how it ends; its standard input is empty.

    Arguments:
        cwd: the folder in which it runs. None: the current one.
        env: its environment. None: the current one.
    """
    command = [str(script), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, name) for name in ("stdout", "stderr")]
        settings = os.environ if env is None else env
        process = _CONTEXT.Process(target=_run, args=(command, outputs, cwd or Path.cwd(), dict(settings)))
        process.start()
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, PATIENCE_SECONDS)
        said = [output.read_text() for output in outputs]
    return subprocess.CompletedProcess(command, process.exitcode, *said)


def _run(command: list[str], outputs: list[Path], cwd: Path, env: dict[str, str]) -> None:
    """As `python SCRIPT ARGUMENTS` does."""
    for stream, output in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ |= env
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")
