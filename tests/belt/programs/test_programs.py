"""Programs that are started, killed, started again and ended, and what they said."""

import os
import signal
import subprocess

import pytest

from checkout import PROGRAMS
from wool_tf import WoolError
from wool_tf.belt.programs.process import Program, has_said
from wool_tf.belt.programs.service import Service

TALKS = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
print("http://127.0.0.1:1/", flush=True)
print(json.dumps({"event": "start"}), flush=True)
print(json.dumps({"event": "note", "name": "ready"}), flush=True)
while True:
    time.sleep(0.05)
"""


def made(tmp_path, text: str) -> Program:
    path = tmp_path / "talks.py"
    path.write_text(text)
    return Program([path])


def test_a_program_that_is_killed_and_started_again_says_all_twice(tmp_path):
    with made(tmp_path, TALKS) as program:
        program.wait_for(bool)
        program.wait_for(has_said("ready"))
        program.sample()
        dead = program.kill()
        program.sample()
        program.start()
        program.wait_for(has_said("ready"))
        program.end(130)
    assert program.said == [{"event": "start"}, {"event": "note", "name": "ready"}] * 2
    assert [run[0] for run in program.runs] == ["http://127.0.0.1:1/"] * 2
    assert program.began[0] < dead < program.began[1]
    # Python takes some megabytes.
    assert 5 < program.peak_mb < 100 and [megabytes > 5 for _, megabytes in program.memory] == [True, True]


def test_what_a_program_says_while_it_dies_is_heard_but_no_torn_line(tmp_path):
    torn = 'import os, signal\nprint(\'{"event": "a"}\\n{"ev\', end=\'\', flush=True)\nos.kill(os.getpid(), 9)'
    with made(tmp_path, torn) as program:
        program.end(-signal.SIGKILL, None)
    assert program.said == [{"event": "a"}]


def test_a_program_that_does_not_begin_is_named_with_its_last_line(tmp_path):
    with pytest.raises(WoolError, match=r"^talks\.py: ended with status 1: no such model$"):
        with made(tmp_path, "import sys\nprint('{}')\nsys.exit('noise\\ntalks.py: no such model')") as program:
            program.wait_for(lambda run: len(run) > 1)


def test_another_status_than_the_one_that_is_due_is_an_error(tmp_path):
    with made(tmp_path, TALKS) as program, pytest.raises(WoolError, match="ended with status 130: it said nothing"):
        program.wait_for(has_said("ready"))
        program.end(0)


@pytest.mark.parametrize(
    ("name", "policy", "priority", "nice"),
    [("gate", os.SCHED_RR, 20, 0), ("inspect", os.SCHED_OTHER, 0, -5), ("record", os.SCHED_OTHER, 0, 10)],
)
def test_a_process_gets_the_priority_of_its_unit_where_the_user_may_give_it(name, policy, priority, nice):
    service, own = Service.named(PROGRAMS, name), os.getpriority(os.PRIO_PROCESS, 0)
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            is_scheduled = service.schedule(child.pid)
            found = os.sched_getscheduler(child.pid), os.sched_getparam(child.pid).sched_priority
            given = found, os.getpriority(os.PRIO_PROCESS, child.pid)
        finally:
            child.kill()
    # Niceness is none of a real-time policy, and stays as it was.
    wanted = (policy, priority), own if name == "gate" else nice
    assert given == wanted if is_scheduled else os.geteuid() != 0


def test_a_process_that_has_ended_needs_no_priority():
    with subprocess.Popen(["true"]) as child:
        child.wait()
        assert Service.named(PROGRAMS, "record").schedule(child.pid)
