"""How scripts end when they are told to, whatever they are at."""

import signal
import subprocess
import sys
import time

import pytest

from checkout import EXPERIMENTS, environment

SWALLOWS = """
import sys, time
import console

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
                               env=environment(EXPERIMENTS), preexec_fn=heed)  # fmt: skip
    assert running.stdout.readline() == "ready\n"
    started = time.monotonic()
    running.send_signal(how)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert time.monotonic() - started < 10
    assert said in errors
