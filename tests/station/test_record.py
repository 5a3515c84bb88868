"""`station.py record`, from the socket to the folder."""

import contextlib

import numpy as np
import pytest

import fake_feed
import station_programs
import stores


def test_it_records_what_the_feed_says_until_it_is_told_to_end(tmp_path):
    messages = [(fake_feed.start(), b""), *fake_feed.tile(1, defective=True), fake_feed.reject(1, 20, 40)]
    folder = tmp_path / "store"
    with fake_feed.served(tmp_path / "feed", messages):
        with station_programs.running("record", f"--feed={tmp_path / 'feed'}", f"--store={folder}"):
            fake_feed.wait_until(lambda: stores.is_made(folder))
            # Nothing is asked for at once, and all of it is there at the end.
            fake_feed.wait_until(lambda: stores.rows(folder, "SELECT count(*) FROM tiles") == [(1,)])
    assert np.array_equal(stores.pictures(folder)[20.0], fake_feed.pixels(1))
    assert [event["reject"] for event in stores.events(folder, "reject")] == [1]
    assert len(stores.rows(folder, "SELECT name FROM shifts")) == 1


def test_it_waits_for_an_inspection_and_says_so_in_the_store(tmp_path):
    folder = tmp_path / "store"
    with station_programs.running("record", f"--feed={tmp_path / 'feed'}", f"--store={folder}"):
        fake_feed.wait_until(lambda: stores.is_made(folder))
        fake_feed.wait_until(lambda: stores.events(folder, "alarm"))
        with fake_feed.served(tmp_path / "feed", [(fake_feed.start(), b"")]):
            fake_feed.wait_until(lambda: len(stores.events(folder, "alarm")) == 2)
    began, ended, *_ = stores.events(folder, "alarm")
    assert [began["alarm"], began["on"], ended["on"]] == ["feed_lost", True, False]
    assert "no inspection listens there" in began["why"] and ended["seconds"] > 0


def test_that_an_inspection_was_not_heard_of_ends_though_the_recorder_was_killed_meanwhile(tmp_path):
    folder, options = tmp_path / "store", (f"--feed={tmp_path / 'feed'}", f"--store={tmp_path / 'store'}")
    with contextlib.suppress(AssertionError), station_programs.running("record", *options) as process:
        fake_feed.wait_until(lambda: stores.is_made(folder) and stores.events(folder, "alarm"))
        process.kill()
    with fake_feed.served(tmp_path / "feed", [(fake_feed.start(), b"")]):
        with station_programs.running("record", *options):
            fake_feed.wait_until(lambda: len(stores.events(folder, "alarm")) == 2)
    assert [(event["alarm"], event["on"]) for event in stores.events(folder, "alarm")][:2] == [
        ("feed_lost", True), ("feed_lost", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        ("--budget_mb=10", "--budget_mb=10: must be at least 64"),
        ("--budget_mb=nan", "--budget_mb=nan: must be at least 64"),
        ("--sample=-1", "--sample=-1: must be at least 0"),
        ("--shifts=noon", "--shifts=noon: must be times of day"),
        ("--picture_mb_per_hour=0", "--picture_mb_per_hour=0: must be above 0"),
        ("--store=", "argument --store: is empty; give a path"),
        ("--budgt_mb=100", "unrecognized arguments: --budgt_mb=100"),
    ],
)
def test_wrong_options_are_one_line_and_status_64(tmp_path, option, rule):
    line = station_programs.refusal("record", f"--feed={tmp_path}/feed", f"--store={tmp_path}/s", option, status=64)
    assert rule in line and line.startswith("station.py")
    assert not (tmp_path / "s").exists()
