"""How scripts end when they are told to, whatever they are at, and which paths they take."""

import os
import signal
import subprocess
import sys
import time

import pytest

from checkout import environment
from wool_tf.command_line import console, flag_values
from wool_tf.errors import WoolError
from wool_tf.study import workers

SWALLOWS = """
import sys, time
from wool_tf.command_line import console

class Finalizer:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(30)

def main():
    # Whatever is raised in a finalizer is lost.
    Finalizer()
    while True:
        time.sleep(0.1)

console.GRACE_SECONDS = 1.0
console.run(main, resumes={resumes})
"""


@pytest.mark.parametrize(("resumes", "said"), [(True, "goes on from here"), (False, "starts again")])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_cannot_be_lost(how, resumes, said):
    code = SWALLOWS.format(resumes=resumes)
    heed = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(), preexec_fn=heed)  # fmt: skip
    assert running.stdout.readline() == "ready\n"
    started = time.monotonic()
    running.send_signal(how)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert time.monotonic() - started < 10
    assert said in errors


def test_what_an_output_cannot_encode_is_told_by_escapes():
    code = "from wool_tf.command_line import console\nconsole.run(lambda: print('caf\\xe9 \\udce9'))"
    given = environment() | {"PYTHONIOENCODING": "ascii:strict"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=given, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "caf\\xe9 \\udce9\n", "")


FAILS = """
import threading, time
from wool_tf.command_line import console

def thread():
    while not ended:
        time.sleep(0.05)
    {}["a worker"]

def main():
    other = threading.Thread(target=thread)
    other.start()
    print("ready", flush=True)
    try:
        time.sleep(30)
    finally:
        ended.append(True)
        other.join()
        {}["another"]

ended = []
console.run(main)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_fails_on_the_way_out_prints_no_traceback(how):
    heed = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    running = subprocess.Popen([sys.executable, "-c", FAILS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(), preexec_fn=heed)  # fmt: skip
    assert running.stdout.readline() == "ready\n"
    running.send_signal(how)
    _, errors = running.communicate(timeout=20)
    assert (running.returncode, errors) == (130, "\ninterrupted; the same command starts again\n")


BROKEN = """
import os
from wool_tf.command_line import console

def main():
    {}

console.run(main)
"""


def test_a_pipe_that_is_not_the_output_is_no_end():
    code = BROKEN.format("reads, writes = os.pipe(); os.close(reads); os.write(writes, b'to a process that has died')")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(),
                         check=False)  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.endswith("BrokenPipeError: [Errno 32] Broken pipe\n")


def test_an_output_that_nobody_reads_any_more_is_an_end():
    code = BROKEN.format("print('x' * 1_000_000, flush=True)")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment()) as running:  # fmt: skip
        running.stdout.close()
        assert (running.wait(timeout=20), running.stderr.read()) == (0, "")


def test_what_joblib_keeps_track_of_is_not_told():
    code = (
        "import os\nfrom wool_tf import quiet\nquiet.start_tracker()\n"
        "from joblib.externals.loky.backend import resource_tracker\n"
        "resource_tracker.unregister('/unknown', 'semlock')\nresource_tracker.register('/left', 'semlock')\n"
        "os.write(2, b'heard')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False)
    assert (ran.returncode, ran.stderr) == (0, "heard")


def test_paths_that_are_read_are_there(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    for look, name, said in (
        (flag_values.file, "no", "no such file; give a file"),
        (flag_values.file, ".", "is a folder; give a file"),
        (flag_values.folder, "no", "no such folder; give one that exists"),
        (flag_values.folder, "a.txt", "is not a folder; give one that exists"),
        (flag_values.existing, "no", "no such file or folder; give one that exists"),
    ):
        with pytest.raises(WoolError, match=f"^--x={tmp_path / name}: {said}$"):
            look("x", str(tmp_path / name))
    with pytest.raises(WoolError, match="^--x=.*caf\udce9: has a name that is not text; rename it$"):
        flag_values.path("x", str(tmp_path / os.fsdecode(b"caf\xe9")))
    assert flag_values.file("x", str(tmp_path / "a.txt")) == flag_values.existing("x", str(tmp_path / "a.txt"))
    assert flag_values.folder("x", str(tmp_path)) == tmp_path


@pytest.mark.parametrize("place", ["crops", "crops/out", "link/out", "other/../crops/x/y"])
def test_nothing_is_written_into_a_folder_that_is_read(tmp_path, place):
    crops = tmp_path / "crops"
    crops.mkdir()
    (tmp_path / "link").symlink_to(crops)
    with pytest.raises(
        WoolError, match="^--out=.*: must not lie in --data=.*crops, which is read; give another place$"
    ):
        flag_values.output("out", str(tmp_path / place), data=crops)
    for sound in ("crops-2", "other", "crops/../out"):
        assert flag_values.output("out", str(tmp_path / sound), data=crops, scans=None) == tmp_path / sound


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_what_results_depend_on_is_set_here_and_on_a_cluster(backend, monkeypatch):
    monkeypatch.setattr(os, "environ", {"KERAS_BACKEND": backend, "XLA_FLAGS": "--mine"})
    console.set_computing_environment(1)
    found = dict(os.environ)
    # By TF32 a masked and a compact ResNet-18 differed by 0.0001 to 0.012 in a logit, on an H100.
    assert found["NVIDIA_TF32_OVERRIDE"] == "0"
    assert found.get("JAX_DEFAULT_MATMUL_PRECISION") == {"jax": "float32"}.get(backend)
    assert found["XLA_FLAGS"] == {"jax": "--mine --xla_gpu_deterministic_ops=true"}.get(backend, "--mine")
    memory = {"TF_FORCE_GPU_ALLOW_GROWTH", "XLA_PYTHON_CLIENT_PREALLOCATE"}
    assert set(found) - memory - {"KERAS_BACKEND"} <= set(workers.ENVIRONMENT)


def test_a_command_can_be_given_again(tmp_path, monkeypatch):
    """By the Python of the folder it is given in, if that ran it; where that is elsewhere, a path says nothing."""
    monkeypatch.setattr(sys, "argv", ["experiments/reproduce.py", "--data=my crops"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.chdir(tmp_path)
    assert console.command() == ".venv/bin/python experiments/reproduce.py '--data=my crops'"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert console.command() == "python experiments/reproduce.py '--data=my crops'"


def test_memory_of_a_gpu_may_be_taken_as_the_user_says(monkeypatch):
    monkeypatch.setattr(os, "environ", {"XLA_PYTHON_CLIENT_PREALLOCATE": "true"})
    console.set_computing_environment(1)
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
