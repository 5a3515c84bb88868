"""What pages hear of the belt, and the tile that an operator means by a place on it."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

import fake_feed
from wool_station.page import live as lives
from wool_station.page.live import Live


@pytest.fixture
def live(tmp_path):
    """A page's ear that hears what a test tells it."""
    heard = Live(tmp_path / "feed")
    heard._hear(fake_feed.start(), b"")
    return heard


def tell(live, *messages):
    for message in messages:
        live._hear(*message)


def taken(live, page):
    return json.loads(live.take(page) or "[]")


def test_a_page_hears_each_tile_with_a_quarter_of_its_pixels_and_its_heatmap(live):
    page = live.subscribe()
    tell(live, *fake_feed.tile(3, defective=True))
    event, shown = taken(live, page)
    assert event["event"] == "tile" and shown["event"] == "pixels"
    grey = np.frombuffer(base64.b64decode(shown["grey"]), np.uint8).reshape(shown["rows"], shown["columns"])
    means = fake_feed.pixels(3).astype(float).reshape(12, 4, 12, 4).mean(axis=(1, 3))
    assert grey.shape == (12, 12) and np.abs(grey - means).max() <= 0.5
    assert base64.b64decode(shown["cells"]) == fake_feed.heatmap(3)
    assert shown["corner_mm"] == [58.0, -2.0] and shown["inspection"] == round(1e3 * fake_feed.STARTED)


def test_of_many_clocks_a_page_hears_the_last_and_hears_it_first(live):
    page = live.subscribe()
    for line in range(50):
        tell(live, (fake_feed.clock(line, line / 2, line), b""))
    tell(live, fake_feed.air(0, 10))
    assert [event["event"] for event in taken(live, page)] == ["clock", "air"]


def test_a_page_that_takes_nothing_loses_pixels_before_rejects_and_is_told(live, monkeypatch):
    monkeypatch.setattr(lives, "PAGE_BYTES", 20000)
    page = live.subscribe()
    for number in range(200):
        tell(live, *fake_feed.tile(number), fake_feed.reject(number, 0, 10))
    found = taken(live, page)
    kinds = [event["event"] for event in found]
    assert kinds[-1] == "page_dropped"
    assert sum(map(len, map(json.dumps, found))) < 21000
    assert found[-1]["messages"] == 600 - (len(kinds) - 1)
    assert kinds.count("reject") > kinds.count("pixels") > 0
    # It goes on as soon as it takes something.
    tell(live, *fake_feed.tile(7))
    assert [event["event"] for event in taken(live, page)] == ["tile", "pixels"]


def test_there_are_only_so_many_pages(live):
    pages = [live.subscribe() for _ in range(lives.MOST_PAGES)]
    assert live.subscribe() is None
    live.unsubscribe(pages[0])
    assert live.subscribe() is not None


def test_alarms_stand_until_they_are_over(live):
    tell(live, fake_feed.alarm("beam_drift", True), fake_feed.alarm("late"), fake_feed.alarm("stall", True))
    tell(live, fake_feed.alarm("stall", False))
    assert [alarm["alarm"] for alarm in live.state()["standing"]] == ["beam_drift"]
    tell(live, ({"event": "feed_lost", "text": "gone"}, b""))
    assert not live.state()["connected"]


def test_a_place_means_the_tile_in_whose_middle_it_is(live):
    # Tiles of 20 by 20 mm every 10 mm along and across.
    for along in range(0, 60, 10):
        for left in range(0, 40, 10):
            tell(live, *fake_feed.tile(along * 100 + left, along=float(along), left=float(left)))
    inspection = round(1e3 * fake_feed.STARTED)
    found = live.find(inspection, 41.0, 22.0)
    assert (found.start_mm, found.left_mm) == (30.0, 10.0)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(found.png))), fake_feed.pixels(3010))
    assert live.find(inspection, 500.0, 20.0) is None and live.find(inspection + 1, 41.0, 22.0) is None


def test_only_so_many_bytes_of_tiles_are_kept(live, monkeypatch):
    size = 48 * 48 + 25
    monkeypatch.setattr(lives, "RECENT_BYTES", 10 * size)
    for number in range(30):
        tell(live, *fake_feed.tile(number))
    inspection = round(1e3 * fake_feed.STARTED)
    assert live.find(inspection, 20 * 19 + 10, 10) is None and live.find(inspection, 20 * 20 + 10, 10) is not None
