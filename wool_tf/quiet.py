"""Keeps notes that native libraries write past Python off the screen."""

import contextlib
import gc
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

from wool_tf.errors import WoolError


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what C++ code writes to the standard error of the process off it; shows it if a defect leaves.

    Nothing less than the file descriptor stops it: other threads are silenced meanwhile.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except (WoolError, KeyboardInterrupt):  # Their messages say what is wrong.
            raise
        except BaseException:
            sys.stderr.flush()
            notes.seek(0)
            with open(kept, "wb", closefd=False) as standard_error:
                shutil.copyfileobj(notes, standard_error)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def start_tracker() -> None:
    """Starts the process by which joblib keeps track of semaphores, with its standard error off the screen.

    After Ctrl-C it tells of what it removes itself, and prints tracebacks of what it is told twice.
    """
    from joblib.externals.loky.backend import resource_tracker

    with quiet():
        resource_tracker.ensure_running()


def import_keras() -> None:
    """Imports Keras and its backend, unless that was done; TensorFlow prints a note that no setting suppresses.

    Raises:
        WoolError: there is no such backend, or it is not installed.
    """
    if "keras" in sys.modules:
        return
    # Its warnings, as that a function was traced often, are for those who write TensorFlow programs.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with quiet(), _uncollected():
            import_triton()
            import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        raise WoolError(f"KERAS_BACKEND={os.environ.get('KERAS_BACKEND', '')}: cannot be imported ({error})") from None


def import_triton() -> None:
    """Imports Triton, which CUDA builds of PyTorch bring, where it is installed.

    TensorFlow since 2.20 puts its LLVM into the symbols of the whole process, so that a Triton that is imported after
    it ends the process (tensorflow/tensorflow#124205); PyTorch imports it late, when it compiles or exports.
    """
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Holds the garbage collector back, and has it leave alone for good what is there in the end.

    Modules make hundreds of thousands of objects, which all stay. Looking through them for garbage takes a sixth of the
    time of the import, and time again whenever a network is built.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
