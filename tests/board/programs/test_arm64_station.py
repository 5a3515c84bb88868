"""The station as a Raspberry Pi would run it, in an emulator: from the lines to gate, memory, page and report."""

import contextlib
import http.client
import importlib.util
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import fake_feed
import rig
import stores
from checkout import PROGRAMS, ROOT

EMULATOR = ROOT.parent / "shared" / "tools" / "arm64_python"
PACKAGES = (
    "anyio",
    "click",
    "colorzero",
    "gpiozero",
    "h11",
    "idna",
    "jinja2",
    "markupsafe",
    "paho",
    "starlette",
    "uvicorn",
)
"""What the station needs besides the inspection: Python alone, the same on every processor."""

WIDTH, LINES_PER_SECOND = 300, 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not EMULATOR.exists(), reason="needs ../shared/tools/arm64_python"),
]


@pytest.fixture
def settings(tmp_path) -> dict[str, str]:
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        assert found and found.submodule_search_locations
        folder = Path(found.submodule_search_locations[0])
        # With what it says of itself: gpiozero looks for its pins there.
        for path in (folder, *folder.parent.glob(f"{name}-*.dist-info")):
            (packages / path.name).symlink_to(path)
    return os.environ | {"PYTHONPATH": str(packages), "GPIOZERO_PIN_FACTORY": "mock", "PYTHONDONTWRITEBYTECODE": "1"}


def command(program: str, *arguments) -> list[str]:
    return [str(EMULATOR), str(PROGRAMS / program), *map(str, arguments)]


@contextlib.contextmanager
def running(settings, log: Path, *words) -> Iterator[subprocess.Popen]:
    """A program until the context ends, which ends it by SIGTERM; what it says goes to a file."""
    with open(log, "wb") as said, open(f"{log}.errors", "wb") as errors:
        process = subprocess.Popen(command(*words), stdout=said, stderr=errors, env=settings)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130 and Path(f"{log}.errors").read_text() == ""
    finally:
        process.kill()
        process.wait()


def told(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]


def lines() -> tuple[rig.Detector, bytes]:
    """A piece of patchy wool with a dense spot, between air."""
    detector, rng = rig.Detector(width=WIDTH), np.random.default_rng(5)
    attenuation = np.zeros((1200, WIDTH))
    attenuation[100:400, 30:270] = np.kron(rng.uniform(0.2, 0.7, (30, 24)), np.ones((10, 10)))
    attenuation[180:192, 80:92] += 0.5
    return detector, detector.expose(attenuation).tobytes()


def state(port: int) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/api/state")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_a_reject_comes_to_the_gate_the_memory_the_page_and_the_report(board_models, settings, tmp_path):
    detector, content = lines()
    feed, store, fifo = tmp_path / "feed", tmp_path / "store", tmp_path / "lines"
    os.mkfifo(fifo)
    about = *detector.references(tmp_path), f"--lines_per_second={LINES_PER_SECOND:g}", f"--feed={feed}", "--reopen"
    given = f"--feed={feed}", f"--store={store}"
    logs = {name: tmp_path / f"{name}.log" for name in ("inspect", "gate", "record", "page")}
    place = "--distance_mm=300", "--width_mm=20", "--gpio=17", "--heartbeat_gpio=22"
    with contextlib.ExitStack() as stack:
        for name, *words in (
            ("inspect", "inspect_line.py", board_models["int8-heatmap"], fifo, *about),
            ("gate", "gate.py", f"--feed={feed}", *place),
            ("record", "station.py", "record", *given),
            ("page", "station.py", "serve", *given, "--port=0"),
        ):
            stack.enter_context(running(settings, logs[name], *words))
        fake_feed.wait_until(lambda: "feed_heard" in logs["gate"].read_text() and stores.is_made(store), 300)
        fake_feed.wait_until(lambda: logs["page"].read_text().endswith("/\n"), 300)
        port = int(re.search(r":(\d+)/", logs["page"].read_text())[1])
        with open(fifo, "wb", buffering=0) as stream:
            for number in range(0, len(content), 2 * WIDTH):
                stream.write(content[number : number + 2 * WIDTH])
                time.sleep(1 / LINES_PER_SECOND)
            fake_feed.wait_until(lambda: state(port)["rejects"], 300)
            shown = state(port)
    rejects = [event for event in told(logs["inspect"]) if event["event"] == "reject"]
    assert rejects and [one["reject"] for one in stores.events(store, "reject")] == [one["reject"] for one in rejects]
    defective = [event for event in told(logs["inspect"]) if event["event"] == "tile" and event["defective"]]
    with_picture = "SELECT start_mm, left_mm FROM tiles WHERE defective AND volume IS NOT NULL"
    places = {(event["along_mm"][0], event["across_mm"][0]) for event in defective}
    assert set(stores.rows(store, with_picture)) == places and shown["recorded"]
    assert {(tile["start_mm"], tile["left_mm"]) for tile in shown["rejects"]} <= places
    outputs = [event for event in told(logs["gate"]) if event["event"] == "output"]
    assert "reject" in {why for output in outputs for why in output["why"]}
    assert [True] in [output["passing"] for output in outputs]
    report = command("station.py", "report", f"--store={store}", "--shift=current", tmp_path / "report.html")
    done = subprocess.run(report, capture_output=True, text=True, env=settings, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "report.html").read_text().count("data:image/png") > 0


def test_the_doctor_and_mqtt_begin(settings, tmp_path):
    done = subprocess.run(command("station.py", "doctor"), capture_output=True, text=True, env=settings, check=False)
    assert done.stderr == "" and re.search(r"\d not ok$", done.stdout)
    log = tmp_path / "mqtt.log"
    with running(settings, log, "mqtt.py", f"--feed={tmp_path / 'feed'}", "--broker=127.0.0.1:9"):
        fake_feed.wait_until(lambda: log.read_text().count("\n") > 0, 60)
