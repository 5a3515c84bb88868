"""A disk that is full in truth, not in a mock: what the recorder, the page and an operator's correction do then."""

import http.client
import json
import os
import subprocess
import time

import pytest

import fake_feed
import moving_belt
import station_programs
import stores

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a file system of its own"),
]


@pytest.fixture
def disk(tmp_path):
    """A file system of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(file) -> None:
    with open(file, "wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)) == 4096:
                pass
        except OSError:
            return


def ask(address: str, path: str, body: dict | None = None) -> tuple[int, dict]:
    connection = http.client.HTTPConnection(address.removeprefix("http://").strip("/"), timeout=30)
    headers = {"Content-Type": "application/json", "Origin": address.rstrip("/")}
    connection.request("POST" if body else "GET", path, body and json.dumps(body), headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def test_a_disk_that_fills_up_and_has_room_again(disk, tmp_path):
    feed, store = tmp_path / "feed", disk / "store"
    given = f"--feed={feed}", f"--store={store}"
    with moving_belt.moving(feed) as belt, station_programs.running("serve", *given, "--port=0") as page:
        address = page.stdout.readline().strip()
        command = station_programs.command("record", *given)
        recorder = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=station_programs.checkout.environment()
        )
        try:
            fake_feed.wait_until(lambda: stores.is_made(store) and ask(address, "/api/state")[1]["rejects"], 60)
            before = ask(address, "/api/state")[1]
            tile = before["rejects"][0]["id"]
            fill(disk / "full")
            fake_feed.wait_until(lambda: not ask(address, "/api/state")[1].get("recorded", True), 60)
            said = {"tile": tile, "verdict": "wrongly_rejected", "operator": "Anna"}
            assert ask(address, "/api/corrections", said) == (
                503,
                {"error": "the store cannot be read or written at present"},
            )
            told = belt.tiles
            time.sleep(10)
            assert belt.tiles > told
            (disk / "full").unlink()
            fake_feed.wait_until(lambda: ask(address, "/api/state")[1]["recorded"], 60)
            status, answer = ask(address, "/api/corrections", said)
            assert status == 201 and answer["id"] == 1
            fake_feed.wait_until(
                lambda: any(one["alarm"] == "store_unwritten" for one in stores.events(store, "alarm"))
            )
        finally:
            recorder.terminate()
            _, errors = recorder.communicate(timeout=30)
    full, again = errors.splitlines()
    # Whatever is written first, a picture or the database, says so in its own words.
    assert full in {
        f"station.py: --store={store}: cannot be written ({why}); trying again"
        for why in ("No space left on device", "database or disk is full")
    }
    assert again == f"station.py: --store={store}: is written again"
    (alarm,) = [one for one in stores.events(store, "alarm") if one["alarm"] == "store_unwritten"]
    assert (alarm["lost_events"], alarm["lost_pictures"]) == (0, 0)
    assert stores.rows(store, "PRAGMA integrity_check") == [("ok",)]
    # What passed while the disk was full is there; before the recorder began some of the belt had passed.
    assert stores.rows(store, "SELECT sum(tiles) FROM minutes")[0][0] > told
    assert stores.rows(store, "SELECT sum(untold_mm) FROM minutes")[0][0] == before["shift"]["untold_mm"]
