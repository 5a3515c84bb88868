"""What the doctor says of machines, settings, models, references and rights that are known to be well or not."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fake_feed
import gate
import inspect_line
from checkout import PROGRAMS, ROOT, environment
from wool_board.errors import BadFile
from wool_station.doctor import inspection_checks, machine, memory, services, settings
from wool_station.store import lock, shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder

EXAMPLE = ROOT / "installer/root/opt/wool/station.conf.example"


def test_the_clock_is_well_only_if_something_sets_it():
    assert not machine.clock(0).advice
    assert machine.clock(5).advice


@pytest.mark.parametrize(("name", "well"), [("performance", True), ("ondemand", False), (None, True)])
def test_the_governor(name, well):
    assert (machine.governor(name).advice == "") is well


def test_throttling_of_now_and_of_before():
    assert machine.throttling(0).advice == ""
    # Bits as the firmware documents them: 0 and 16 are under-voltage, 2 and 18 throttling.
    now, before = machine.throttling(0x50005), machine.throttling(0x10000)
    assert "under-voltage, throttling now" in now.text and now.advice
    assert "under-voltage since the start" in before.text and before.advice


def test_heat_and_disk(tmp_path, monkeypatch):
    assert machine.temperature(79.9).advice == "" and machine.temperature(80.0).advice
    assert machine.disk(tmp_path / "not" / "there").text.endswith(f"free at {tmp_path / 'not' / 'there'}")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 499_999_999})())
    assert machine.disk(tmp_path).advice


def test_settings_are_read_as_systemd_reads_them(tmp_path):
    file = tmp_path / "station.conf"
    file.write_text('# a comment\n\n A = 1 \nB="two words"\nC=--x=1 --y\n')
    with pytest.raises(BadFile, match="cannot be read"):
        settings.read(tmp_path / "none")
    assert settings.read(file) == {"A": "1", "B": "two words", "C": "--x=1 --y"}
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(BadFile, match="line 2 is not NAME=VALUE"):
        settings.read(file)


def test_a_unit_gets_its_settings_and_wrong_ones_are_told():
    found = settings.read(EXAMPLE)
    words = settings.arguments("inspect", found)
    assert words[:2] == ["models/current.tflite", "/run/wool/lines"] and "--threads=2" in words
    with pytest.raises(BadFile, match="--nonsense"):
        settings.options(inspect_line.PROGRAM.parse, [*words, "--nonsense"])


def inspection_options(model: Path, folder: Path):
    names = {"MODEL": str(model), "INPUT": "-", "DARK": str(folder / "dark.png"), "BRIGHT": str(folder / "bright.png")}
    return settings.options(inspect_line.PROGRAM.parse, settings.arguments("inspect", names))


def test_references_that_are_well_old_and_missing(tmp_path):
    options = inspection_options(tmp_path / "none.tflite", tmp_path)
    (missing,) = inspection_checks.references(options)
    assert "dark.png: no such file" in missing.text and missing.advice
    rng = np.random.default_rng(0)
    for name, level in (("dark", 1000), ("bright", 40000)):
        counts = rng.normal(level, 30, (64, 640)).astype(np.uint16)
        Image.fromarray(counts).save(tmp_path / f"{name}.png")
    assert [finding.advice for finding in inspection_checks.references(options)] == ["", ""]
    fifteen_days = options.dark.stat().st_mtime - 15 * 86400
    os.utime(options.dark, (fifteen_days, fifteen_days))
    used, age = inspection_checks.references(options)
    assert used.advice == "" and "15 days" in age.text and age.advice
    (model,) = inspection_checks.model(options)
    assert "none.tflite" in model.text and model.advice


@pytest.mark.parametrize(
    ("alarms", "text"),
    [
        ([], "none stands"),
        ([fake_feed.alarm("stall", True), fake_feed.alarm("late"), fake_feed.alarm("no_air", True)], "no_air, stall"),
        ([fake_feed.alarm("stall", True), fake_feed.alarm("stall", False)], "none stands"),
    ],
)
def test_the_feed_says_which_alarms_stand(tmp_path, alarms, text):
    heard = [(fake_feed.start(), b""), *alarms, (fake_feed.clock(0), b"")]
    with fake_feed.served(tmp_path / "feed", heard):
        answers, stand = inspection_checks.feed(tmp_path / "feed")
    assert (answers.advice, stand.text, stand.advice == "") == ("", text, text == "none stands")


def test_a_feed_that_is_silent_full_or_not_there_is_not_well(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection_checks, "FEED_SECONDS", 0.1)
    for said, text in ([], "nothing came"), ([({"event": "refused", "text": "full"}, b"")], "eight readers"):
        with fake_feed.served(tmp_path / "feed", said):
            (found,) = inspection_checks.feed(tmp_path / "feed")
        assert text in found.text and found.advice
    (found,) = inspection_checks.feed(tmp_path / "feed")
    assert "no inspection listens there" in found.text and found.advice


def test_a_memory_that_nobody_writes_to_and_one_whose_alarms_stand(tmp_path):
    (found,) = memory.check(tmp_path / "none")
    assert "nobody writes" in found.text and found.advice
    recorder = Recorder(tmp_path, 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e9))
    recorder.tell("feed_lost", True, "of the feed")
    recorder.tell("challenge_failed", True, "a test piece was not found")
    recorder.commit()
    written, alarm = memory.check(tmp_path)
    assert written.advice == "" and alarm.advice
    assert alarm.text == "challenge_failed: a test piece was not found"
    recorder.tell("challenge_failed", False, "a test piece was not found")
    recorder.commit()
    assert [finding.advice for finding in memory.check(tmp_path)] == [""]
    recorder.close()
    assert ["nobody writes" in finding.text for finding in memory.check(tmp_path)] == [True]


def test_a_memory_that_is_damaged(tmp_path):
    (tmp_path / "station.sqlite").write_bytes(b"no database" * 1000)
    taken = lock.take(tmp_path)
    (found,) = memory.check(tmp_path)
    assert "cannot be read" in found.text and found.advice
    os.close(taken)


def test_the_users_rights(tmp_path, monkeypatch):
    # The one who runs this, as somebody else than the owner, and in no group.
    somebody = type("User", (), {"pw_uid": 54321, "pw_gid": 54321})()
    monkeypatch.setattr(services.pwd, "getpwnam", lambda _: somebody)
    monkeypatch.setattr(services.grp, "getgrall", list)
    programs, token = tmp_path / "programs", tmp_path / "token"
    programs.mkdir(mode=0o755)
    token.write_text("secret")
    model = programs / "model"
    model.write_text("model")
    model.chmod(0o644)
    token.chmod(0o640)
    (found,) = services.permissions([model], [token], programs)
    assert found.advice == ""
    model.chmod(0o600)
    token.chmod(0o644)
    programs.chmod(0o777)
    texts = " ".join(finding.text for finding in services.permissions([model], [token], programs))
    assert f"wool cannot read {model}" in texts
    assert f"everybody can read {token}" in texts
    assert f"wool can change {programs}" in texts


def gate_options(*words: str):
    return gate.PROGRAM.parse(["--feed=x", "--distance_mm=1500", "--width_mm=100", *words])


def test_a_gate_that_is_too_near_or_does_not_answer():
    with socket.socket() as coupler:
        coupler.bind(("127.0.0.1", 0))
        address = f"--modbus=127.0.0.1:{coupler.getsockname()[1]}"
        (deaf,) = services.gate(gate_options(address), 1200)
        assert "cannot be reached" in deaf.text and deaf.advice
        coupler.listen()
        (heard,) = services.gate(gate_options(address), 1450)
        assert heard.advice == ""
    near, _ = services.gate(gate_options("--dry_run"), 1451)
    assert "1501" in near.text and near.advice


def test_a_line_for_each_and_the_status(tmp_path):
    command = [sys.executable, PROGRAMS / "station.py", "doctor", f"--config={tmp_path / 'none.conf'}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (1, "")
    *lines, last = done.stdout.splitlines()
    assert all(re.match(r"(ok    |NOT OK)  \w+ +\S", line) for line in lines)
    assert last == f"{sum(line.startswith('NOT OK') for line in lines)} not ok"
    assert any("none.conf: cannot be read" in line for line in lines)
    # Whether there is a gate nobody knows.
    assert not any(line.split()[1:2] == ["gate"] for line in lines)


def test_a_gate_with_wrong_options_is_not_called_unwanted(tmp_path):
    config = tmp_path / "station.conf"
    for options, unwanted in ("", True), ("--distance_mm=far", False):
        config.write_text(EXAMPLE.read_text() + f"GATE_OPTIONS={options}\n")
        command = [sys.executable, PROGRAMS / "station.py", "doctor", f"--config={config}"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        assert done.stderr == "" and ("is not wanted" in done.stdout) is unwanted
        assert ("wool-gate: gate.py: argument --distance_mm" in done.stdout) is not unwanted
