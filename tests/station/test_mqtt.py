"""tflite/mqtt.py beside Mosquitto, a broker that dies meanwhile."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import fake_feed
import mqtt
import station_programs
from checkout import PROGRAMS, environment
from wool_board.belt.events import Alarms, Events
from wool_board.belt.feed import Feed, Position
from wool_tf.belt.station.broker import PROGRAM, Mosquitto, MqttSubscriber

TOPIC = "plant/line"
needs_broker = pytest.mark.skipif(PROGRAM is None, reason="needs mosquitto; apt-get install mosquitto")


def until(holds, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


class Nowhere:
    def write(self, text):
        pass

    def flush(self):
        pass


@pytest.fixture
def inspection(tmp_path):
    """A feed, and a way to tell events on it."""
    feed = Feed(tmp_path / "feed")
    events = Events(Nowhere(), feed=feed)
    start = fake_feed.start(pixel_mm=0.5, sha256="cd", threshold=0.25)
    events.tell(start.pop("event"), **start)
    with feed.serving(lambda: Position(1, 40, 8), 0.5, 0.2):
        yield events


def reject_told(inspection: Events, number: int) -> None:
    event = fake_feed.reject(number, 1.0, 2.0)[0]
    inspection.tell(event.pop("event"), **event)


@contextlib.contextmanager
def published(tmp_path, port: int, *options: str):
    """The program beside that feed."""
    command = [sys.executable, PROGRAMS / "mqtt.py", f"--feed={tmp_path / 'feed'}", f"--broker=127.0.0.1:{port}"]
    command += [f"--topic={TOPIC}", "--health_seconds=0.2", *options]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
    said: list[dict] = []

    def listen() -> None:
        for line in child.stdout:
            said.append(json.loads(line))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield child, said
    finally:
        child.kill()
        child.wait()
        thread.join()
        child.stdout.close()


@pytest.fixture
def broker(tmp_path):
    made = Mosquitto(tmp_path)
    yield made
    made.kill()


@needs_broker
def test_rejects_alarms_summaries_health_and_state(tmp_path, inspection, broker):
    subscriber = MqttSubscriber(broker.port, TOPIC)
    with published(tmp_path, broker.port) as (child, _):
        until(lambda: any(state["inspection"] for state in subscriber.of("state")))
        reject_told(inspection, 1)
        Alarms(inspection).set("stall", True, "no lines")
        inspection.tell("summary", final=False, lines=7)
        until(lambda: subscriber.of("summary") and len(subscriber.of("health")) > 2)
        (reject,), (alarm,) = subscriber.of("reject"), subscriber.of("alarm")
        assert reject == fake_feed.reject(1, 1.0, 2.0)[0]
        assert (alarm["alarm"], alarm["text"], alarm["on"]) == ("stall", "no lines", True)
        until(lambda: subscriber.of("state")[-1]["alarms"] == ["stall"])
        assert subscriber.of("health")[-1]["dropped"] == 0
        # Who comes later hears what is kept, and no more.
        late = MqttSubscriber(broker.port, TOPIC)
        until(lambda: len({topic for topic, _, _ in late.heard}) >= 4)
        kept = {topic.rpartition("/")[2] for topic, _, retain in late.heard if retain}
        assert kept == {"start", "summary", "state", "health"}
        assert late.of("state")[0]["sha256"] == "cd" and late.of("state")[0]["online"]
        late.end()
        child.terminate()
        assert child.wait(20) == 130
    until(lambda: subscriber.of("state")[-1] == {"online": False})
    subscriber.end()


@needs_broker
def test_the_last_will_tells_of_one_that_was_killed(tmp_path, inspection, broker):
    subscriber = MqttSubscriber(broker.port, TOPIC)
    with published(tmp_path, broker.port) as (child, _):
        until(lambda: any(state["online"] for state in subscriber.of("state")))
        child.kill()
        until(lambda: subscriber.of("state")[-1] == {"online": False})
    subscriber.end()


@needs_broker
def test_a_broker_that_is_killed_again_and_again_gets_every_reject(tmp_path, inspection):
    """It knows its subscribers after a restart: whoever connects later than the program misses nothing."""
    sessions = tmp_path / "mosquitto.db"
    kept = "persistence true", f"persistence_location {tmp_path}/", "autosave_on_changes true", "autosave_interval 1"
    broker = Mosquitto(tmp_path, "allow_anonymous true", *kept)
    subscriber = MqttSubscriber(broker.port, TOPIC, session="hearer")
    with broker, published(tmp_path, broker.port) as (_, said):
        until(lambda: subscriber.of("state") and sessions.exists() and b"hearer" in sessions.read_bytes())
        number = 0
        for _ in range(3):
            for _ in range(40):
                reject_told(inspection, number)
                number += 1
                time.sleep(0.005)
            broker.kill()
            for _ in range(60):
                reject_told(inspection, number)
                number += 1
            time.sleep(0.3)
            broker.start()
            until(lambda number=number: number - 1 in {one["reject"] for one in subscriber.of("reject")})
        found = [one["reject"] for one in subscriber.of("reject")]
        # What the broker had taken and not passed on died with it; what was told while it was away is not missing.
        missing = set(range(number)) - set(found)
        assert not {one for one in missing if one % 100 >= 40}
        until(lambda: any(state["online"] for state in subscriber.of("state")[-1:]))
        assert [one["text"] for one in said if one.get("name") == "broker"].count("connected") >= 3
    subscriber.end()


@needs_broker
def test_what_waits_is_bounded_and_what_is_dropped_is_counted(tmp_path, inspection, broker):
    with published(tmp_path, broker.port, "--most=50") as (_, said):
        until(lambda: any(one.get("text") == "connected" for one in said))
        broker.kill()
        until(lambda: said[-1].get("text", "").startswith("the connection was lost"))
        for number in range(500):
            reject_told(inspection, number)
            if number % 50 == 0:
                time.sleep(0.1)
        until(lambda: any(one.get("name") == "dropped" for one in said))
        broker.start()
        subscriber = MqttSubscriber(broker.port, TOPIC)
        until(lambda: any(one["reject"] == 499 for one in subscriber.of("reject")))
        until(lambda: any(one["dropped"] >= 400 for one in subscriber.of("health")[-1:]))
        found = [one["reject"] for one in subscriber.of("reject")]
        assert found == sorted(set(found)) and len(found) <= 50
        assert subscriber.of("health")[-1]["dropped"] == 500 - len(found)
    subscriber.end()


@needs_broker
def test_a_feed_that_is_lost_is_told(tmp_path, broker):
    subscriber = MqttSubscriber(broker.port, TOPIC)
    with published(tmp_path, broker.port):
        until(lambda: subscriber.of("state") and subscriber.of("state")[-1]["inspection"] is False)
    subscriber.end()


@needs_broker
def test_alarms_of_the_recorder_are_published(tmp_path, broker):
    feed, store = tmp_path / "feed", tmp_path / "store"
    # A test piece is due as soon as product passes.
    record = "record", f"--feed={feed}", f"--store={store}", "--challenge=ball-3mm:60"
    subscriber = MqttSubscriber(broker.port, TOPIC)
    with fake_feed.served(feed, [(fake_feed.start(), b""), *fake_feed.tile(1)]):
        with published(tmp_path, broker.port, f"--store={store}"):
            until(lambda: subscriber.of("state"))
            assert subscriber.of("state")[-1]["alarms"] == []
            with station_programs.running(*record):
                until(lambda: subscriber.of("state")[-1]["alarms"] == ["challenge_overdue"])
        (alarm,) = [one for one in subscriber.of("alarm") if one["alarm"] == "challenge_overdue"]
        assert (alarm["on"], alarm["source"]) == (True, "recorder") and "ball-3mm" in alarm["text"]
        told = len(subscriber.of("alarm"))
        # Whoever begins later says that it stands, and does not tell it again.
        with published(tmp_path, broker.port, f"--store={store}"):
            until(lambda: subscriber.of("state")[-1].get("alarms") == ["challenge_overdue"])
            time.sleep(1.5)
            assert len(subscriber.of("alarm")) == told
    with published(tmp_path, broker.port, f"--store={store}"), station_programs.running(*record):
        until(lambda: any(one["alarm"] == "feed_lost" for one in subscriber.of("alarm")))
    subscriber.end()


def certificates(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of 127.0.0.1, its own authority."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


@needs_broker
@pytest.mark.skipif(not shutil.which("openssl") or not shutil.which("mosquitto_passwd"), reason="needs openssl")
def test_tls_and_credentials(tmp_path, inspection):
    key, certificate = certificates(tmp_path)
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "board", "secret"], check=True)
    passwords.chmod(0o600)
    lines = ["allow_anonymous false", f"password_file {passwords}", f"certfile {certificate}", f"keyfile {key}"]
    broker = Mosquitto(tmp_path, *lines)
    credentials = tmp_path / "mqtt.conf"
    credentials.write_text("user=board\npassword=secret\n")
    credentials.chmod(0o640)
    given = [f"--credentials={credentials}", f"--ca={certificate}"]
    try:
        with published(tmp_path, broker.port, *given) as (_, said):
            until(lambda: any(one.get("text") == "connected" for one in said))
        credentials.write_text("user=board\npassword=wrong\n")
        with published(tmp_path, broker.port, *given) as (_, said):
            until(lambda: any("the broker refuses (Not authorized" in one.get("text", "") for one in said))
        other = tmp_path / "other"
        other.mkdir()
        _, foreign = certificates(other)
        with published(tmp_path, broker.port, given[0], f"--ca={foreign}") as (_, said):
            until(lambda: any("the broker does not answer" in one.get("text", "") for one in said))
            assert not any(one.get("text") == "connected" for one in said)
    finally:
        broker.kill()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--broker=host:x"], "argument --broker: must be HOST or HOST:PORT, got 'host:x'; --help tells more"),
        (["--topic=a/#"], "--topic=a/#: must be one or more words with / between them, without + and #"),
        (["--topic="], "--topic=: must be one or more words with / between them, without + and #"),
        (["--client="], "--client=: must not be empty"),
        (["--most=0"], "--most=0: must be at least 1"),
        (["--health_seconds=0"], "--health_seconds=0: must be above 0 and finite"),
        (["--ca=none.pem"], "--ca=none.pem: is no file; give the certificate of the plant's authority in PEM"),
    ],
)
def test_wrong_options_are_one_line(options, text, capsys):
    with contextlib.suppress(SystemExit):
        assert mqtt.PROGRAM.main(["--feed=feed", "--broker=host", *options]) == 64
    assert capsys.readouterr().err == f"mqtt.py: {text}\n"


@pytest.mark.parametrize(
    ("content", "mode", "status", "text"),
    [
        ("user=a\npassword=b\n", 0o644, 64, "anybody may read it; chmod o= {}"),
        ("password=b\n", 0o600, 64, "must have a line user=NAME, and may have one password=WORD"),
        ("user=a\nword=b\n", 0o600, 64, "must have a line user=NAME, and may have one password=WORD"),
        ("user=ü\n", 0o600, 64, "must be text in UTF-8"),
        (None, 0o600, 1, "cannot be read (No such file or directory)"),
    ],
)
def test_credentials_that_are_none_are_one_line(tmp_path, content, mode, status, text, capsys):
    path = tmp_path / "mqtt.conf"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
        path.chmod(mode)
    assert mqtt.PROGRAM.main(["--feed=feed", "--broker=host", f"--credentials={path}"]) == status
    assert capsys.readouterr().err == f"mqtt.py: --credentials={path}: {text.format(path)}\n"


def test_a_certificate_that_is_none_is_one_line(tmp_path, capsys):
    path = tmp_path / "ca.pem"
    path.write_text("none")
    assert mqtt.PROGRAM.main(["--feed=feed", "--broker=host", f"--ca={path}"]) == 64
    assert f"mqtt.py: --ca={path}: holds no certificates in PEM (" in capsys.readouterr().err
