"""A test piece is put through on the page, which shows what is due and what was found."""

import contextlib
import http.client
import json
import time

import pytest

import browser
import fake_feed
import station_programs
import stores

BALL = "ball 3 mm"


@contextlib.contextmanager
def station(folder, *options):
    """Recorder and page beside an inspection that rejects something each half a minute; host and port of the page."""
    now, feed, store = time.time(), folder / "feed", folder / "store"
    messages = [(fake_feed.start(now), b""), fake_feed.air(0, 500, now), *fake_feed.tile(1, along=500.0, moment=now)]
    # However slow this machine is, one of them is told within the time of a piece.
    messages += [fake_feed.reject(number, 600 + 40 * number, 620, now + 30 * number) for number in range(20)]
    with fake_feed.served(feed, messages):
        with station_programs.running("record", f"--feed={feed}", f"--store={store}", f"--challenge={BALL}:60"):
            # The alarm and, 5 seconds after the first message, the shift are in the store.
            fake_feed.wait_until(lambda: stores.is_made(store) and stores.events(store, "alarm"), 60)
            with station_programs.running("serve", f"--feed={feed}", f"--store={store}", "--port=0", *options) as page:
                yield page.stdout.readline().strip().removeprefix("http://").rstrip("/")


def ask(host, path, body=None, token=None):
    """Status and JSON of an answer."""
    headers = {"Origin": f"http://{host}"} | ({"Authorization": f"Bearer {token}"} if token else {})
    content = None if body is None else json.dumps(body)
    if content:
        headers["Content-Type"] = "application/json"
    with contextlib.closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        connection.request("POST" if content else "GET", path, content, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_who_may_write_may_put_a_piece_through_and_the_state_says_what_became_of_it(tmp_path):
    reader, writer = "reader-token-0001", "writer-token-0002"
    (tmp_path / "tokens").write_text(f"read {reader}\nwrite {writer}\n")
    (tmp_path / "tokens").chmod(0o600)
    order = {"operator": "Anna", "piece": BALL}
    with station(tmp_path, f"--tokens={tmp_path / 'tokens'}") as host:
        state = ask(host, "/api/state", token=reader)[1]
        assert [alarm["alarm"] for alarm in state["standing"]] == ["challenge_overdue"]
        assert [(piece["name"], piece["found"], piece["due"]) for piece in state["pieces"]] == [(BALL, None, 0)]
        assert state["watch"]["text"].startswith("the card has no figures")
        assert ask(host, "/api/challenges", order)[0] == 401
        assert ask(host, "/api/challenges", order, reader)[0] == 403
        for wrong in ({"piece": "<b>"}, {"piece": "cube"}, {"piece": 5}, {"operator": "=1"}, {"operator": ""}):
            assert ask(host, "/api/challenges", order | wrong, writer)[0] == 400
        assert ask(host, "/api/challenges", order, writer) == (201, {"id": 1, "seconds": 60.0})
        assert ask(host, "/api/challenges", order, writer) == (
            400, {"error": f"piece: {BALL} is still awaited; put the next one through after it"}
        )  # fmt: skip
        fake_feed.wait_until(lambda: stores.rows(tmp_path / "store", "SELECT outcome FROM challenges") == [("found",)])
        fake_feed.wait_until(lambda: not ask(host, "/api/state", token=reader)[1]["standing"])
        state = ask(host, "/api/state", token=reader)[1]
        ((piece, outcome, start),) = [(one["piece"], one["outcome"], one["start_mm"]) for one in state["challenges"]]
        assert (piece, outcome) == (BALL, "found") and start >= 600 and (start - 600) % 40 == 0
        assert state["pieces"][0]["due"] == pytest.approx(time.time() + 3600, abs=120)


@pytest.mark.skipif(browser.PROGRAM is None, reason="needs Chromium")
def test_a_piece_is_put_through_on_the_page(tmp_path):
    with station(tmp_path) as host, browser.browser() as page:
        page.show(f"http://{host}/")
        page.wait("document.getElementById('pieces').textContent.includes('ball 3 mmdue, never found')", 60)
        assert "challenge_overdue" in page.run("document.getElementById('standing').textContent")
        page.run("document.getElementById('challenge').click()")
        assert page.run("document.getElementById('ask-piece').value") == BALL
        page.run("document.getElementById('ask-operator').value = 'Anna'")
        page.run("document.getElementById('ask-ok').click()")
        page.wait("document.getElementById('challenges').textContent.includes('Anna: ball 3 mm, found')", 60)
        page.wait("document.getElementById('pieces').textContent.includes('due in')", 60)
        page.save(tmp_path / "page.png")
        # The dialog of a correction has no field for a piece.
        page.run("ask('defect', {tile: 1}, '')")
        assert page.run("document.getElementById('ask-piece-label').hidden")
        assert not [one for one in page.messages if "exceptionDetails" in one["params"]]
