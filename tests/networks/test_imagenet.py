"""The download of ImageNet weights, against a local server that behaves like the hub, or worse."""

import hashlib
import http.server
import io
import threading
import unittest.mock
import urllib.error
import urllib.request
import urllib.response
from email.message import Message
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wool_tf.errors import WoolError
from wool_tf.networks import imagenet, weights
from wool_tf.networks.initial_weights import resolve
from wool_tf.networks.spec import ResNetSpec

GREY = ResNetSpec.full(18, classes=2, input_shape=(64, 64, 1))


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does: a redirect that announces the SHA-256, to a storage that knows ranges."""

    protocol_version = "HTTP/1.1"
    content = b""
    announced: str | None = None
    cut: int | None = None
    ranges = True

    def do_GET(self):
        server = type(self)
        server.requests.append((self.path, self.headers.get("Range")))
        if self.path != "/storage":
            announcement = {"X-Linked-ETag": f'"{server.announced}"'} if server.announced else {}
            self._head(302, {"Location": "/storage", "Content-Length": 0} | announcement)
            return
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if server.ranges else 0
        body = server.content[start:]
        if not body:
            self._head(416, {"Content-Length": 0})
            return
        self._head(206 if server.ranges else 200, {"Content-Length": len(body), "ETag": '"not-a-digest"'})
        self.wfile.write(body if server.cut is None else body[: server.cut])
        self.close_connection = True

    def _head(self, status: int, headers: dict) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict[int, bytes]:
    """Files as they are published, by depth: whole networks with 1000 classes."""
    folder, files = tmp_path_factory.mktemp("published"), {}
    for depth in (18, 101):
        spec = ResNetSpec.full(depth, 1000, (224, 224, 3))
        arrays = {key: np.full(shape, 0.5, np.float16) for key, shape in weights.shapes(spec).items()}
        save_file(arrays, folder / "model.safetensors")
        files[depth] = (folder / "model.safetensors").read_bytes()
    return files


@pytest.fixture
def hub(published, monkeypatch, tmp_path):
    """A hub on this machine that publishes ResNet-18; its requests are in `hub.requests`."""
    handler = type("Handler", (Hub,), {"content": published[18], "announced": "0" * 64, "requests": []})
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(imagenet.SHA256, 18, hashlib.sha256(published[18]).hexdigest())
    monkeypatch.setattr(imagenet, "_TRANSPORT", urllib.request.HTTPHandler)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(imagenet, "_HUB", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield handler
        server.shutdown()
        thread.join()


class TestDownload:
    FILE = "resnet18.tv_in1k.safetensors"
    PART = "resnet18.tv_in1k.part"

    def fetch(self, cache: Path, spec: ResNetSpec = GREY, **arguments) -> dict:
        with unittest.mock.patch.object(imagenet, "_cache", return_value=cache):
            return resolve("imagenet", spec, 0, **arguments)

    def refusal(self, cache: Path, spec: ResNetSpec = GREY) -> str:
        with pytest.raises(WoolError) as caught:
            self.fetch(cache, spec)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_fetched_once_with_progress(self, hub, published, tmp_path):
        seen, size = [], len(published[18])
        first = self.fetch(tmp_path / "new" / "cache", progress=lambda done, total: seen.append((done, total)))
        weights.check(first, GREY, "fetched")
        assert np.all(first["conv1.weight"] == 1.5)
        assert {total for _, total in seen} == {size}
        assert [done for done, _ in seen] == sorted({done for done, _ in seen})
        assert seen[-1][0] == size
        assert [path.name for path in (tmp_path / "new" / "cache").iterdir()] == [self.FILE]
        assert hub.requests[0][0] == "/timm/resnet18.tv_in1k/resolve/main/model.safetensors"
        del hub.requests[:]
        again = self.fetch(tmp_path / "new" / "cache")
        assert not hub.requests
        assert all(np.array_equal(first[key], again[key]) for key in first)

    def test_cut_connection_leaves_a_part_that_the_next_run_continues(self, hub, published, tmp_path):
        hub.cut = 3_000_000
        message = self.refusal(tmp_path)
        assert f"broke after 3000000 of {len(published[18])} bytes" in message
        assert "run again to go on from where it stopped" in message
        assert (tmp_path / self.PART).read_bytes() == published[18][:3_000_000]
        assert not (tmp_path / self.FILE).exists()
        hub.cut = None
        seen = []
        self.fetch(tmp_path, progress=lambda done, total: seen.append((done, total)))
        assert hub.requests[-1] == ("/storage", "bytes=2999999-")
        assert seen[0][0] > 3_000_000
        assert seen[-1] == (len(published[18]),) * 2
        assert (tmp_path / self.FILE).read_bytes() == published[18]

    def test_complete_part_needs_one_byte(self, hub, published, tmp_path):
        (tmp_path / self.PART).write_bytes(published[18])
        seen = []
        self.fetch(tmp_path, progress=lambda done, total: seen.append((done, total)))
        assert seen == [(len(published[18]),) * 2]
        assert (tmp_path / self.FILE).read_bytes() == published[18]

    def test_server_without_ranges_starts_over(self, hub, published, tmp_path):
        hub.ranges = False
        (tmp_path / self.PART).write_bytes(b"x" * 1000)
        self.fetch(tmp_path)
        assert (tmp_path / self.FILE).read_bytes() == published[18]

    def test_part_longer_than_the_file_is_dropped(self, hub, published, tmp_path):
        (tmp_path / self.PART).write_bytes(published[18] + b"more")
        assert "416" in self.refusal(tmp_path)
        self.fetch(tmp_path)

    @pytest.mark.parametrize("start", [b"", b"not the same beginning"])
    def test_wrong_content_is_refused_and_removed(self, hub, published, tmp_path, start):
        (tmp_path / self.PART).write_bytes(start)
        if not start:
            hub.content = published[18][:-1] + b"?"
        assert "is not the published file" in self.refusal(tmp_path)
        assert not list(tmp_path.iterdir())
        hub.content = published[18]
        self.fetch(tmp_path)

    def test_damaged_cache_is_refused(self, hub, published, tmp_path):
        path = tmp_path / self.FILE
        path.write_bytes(published[18][:-1] + b"?")
        message = self.refusal(tmp_path)
        assert f"{path}: is not the published file" in message
        assert f"delete {path} and run again" in message
        assert not hub.requests

    def test_unknown_digest_is_announced_then_recorded(self, hub, published, tmp_path):
        digest = hashlib.sha256(published[101]).hexdigest()
        hub.content, hub.announced = published[101], digest
        spec = ResNetSpec.full(101, 1000, (64, 64, 3))
        self.fetch(tmp_path, spec)
        path = tmp_path / "resnet101.tv_in1k.safetensors"
        assert path.with_suffix(".sha256").read_text() == f"{digest}  {path.name}\n"
        path.write_bytes(published[101][:-1] + b"?")
        assert "is not the published file" in self.refusal(tmp_path, spec)

    def test_unknown_digest_needs_an_announcement_that_holds(self, hub, published, tmp_path):
        spec = ResNetSpec.full(101, 1000, (64, 64, 3))
        hub.content = published[101]
        assert "is not the published file" in self.refusal(tmp_path, spec)
        hub.announced = None
        assert "announces no SHA-256" in self.refusal(tmp_path, spec)
        hub.content, hub.announced = published[18], hashlib.sha256(published[18]).hexdigest()
        (tmp_path / "resnet101.tv_in1k.part").unlink()
        assert "the key layer1.0.conv3.weight of a ResNet-101 is missing" in self.refusal(tmp_path, spec)

    def test_file_put_there_by_hand(self, hub, published, tmp_path):
        (tmp_path / "resnet101.tv_in1k.safetensors").write_bytes(published[101])
        self.fetch(tmp_path, ResNetSpec.full(101, 1000, (64, 64, 3)))
        assert not hub.requests

    def test_no_network(self, monkeypatch, tmp_path):
        def unreachable(*_):
            raise urllib.error.URLError("Name or service not known")

        transport = type("Unreachable", (urllib.request.HTTPSHandler,), {"https_open": unreachable})
        monkeypatch.setattr(imagenet, "_TRANSPORT", transport)
        message = self.refusal(tmp_path)
        assert "cannot fetch https://huggingface.co/timm/resnet18.tv_in1k/resolve/main/model.safetensors" in message
        assert "Name or service not known" in message
        assert f"put that file at {tmp_path / self.FILE}, or give a file of weights or none" in message

    def test_silent_server_is_given_up(self, hub, monkeypatch, tmp_path):
        silence = threading.Event()
        monkeypatch.setattr(imagenet, "_TIMEOUT", 0.1)
        monkeypatch.setattr(hub, "do_GET", lambda self: silence.wait(5))
        assert "timed out" in self.refusal(tmp_path)
        silence.set()

    def test_unwritable_cache(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        assert "cannot be written" in self.refusal(tmp_path / "file")

    def test_plain_http_is_never_spoken(self, hub, monkeypatch, tmp_path):
        """Neither to the hub itself nor after a redirect: without the tests' transport the server hears nothing."""
        monkeypatch.setattr(imagenet, "_TRANSPORT", urllib.request.HTTPSHandler)
        assert "unknown url type: http" in self.refusal(tmp_path)
        headers = Message()
        headers["Location"] = f"{imagenet._HUB}/storage"

        def redirect(*_):
            response = urllib.response.addinfourl(io.BytesIO(), headers, "https://huggingface.co", 302)
            response.msg = "Found"
            return response

        monkeypatch.setattr(imagenet, "_HUB", "https://huggingface.co")
        transport = type("Redirecting", (urllib.request.HTTPSHandler,), {"https_open": redirect})
        monkeypatch.setattr(imagenet, "_TRANSPORT", transport)
        assert "unknown url type: http" in self.refusal(tmp_path)
        assert not hub.requests

    def test_default_cache(self, hub, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        resolve("imagenet", GREY, 0)
        assert (tmp_path / "xdg" / "wool_tf" / self.FILE).exists()
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        resolve("imagenet", GREY, 0)
        assert (tmp_path / ".cache" / "wool_tf" / self.FILE).exists()
