"""Fetches torchvision's ImageNet weights once, and makes sure that they are those.

They are IMAGENET1K_V1 as safetensors, in the repositories `timm/resnet*.tv_in1k` of the Hugging Face hub.
"""

import contextlib
import fcntl
import os
import re
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, BinaryIO
from urllib.error import HTTPError
from urllib.request import Request

from wool_tf import files
from wool_tf.errors import BadSetting, WoolError, in_one_line
from wool_tf.networks import weight_files, weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.progress import Count

CLASSES = 1000
SHA256 = {
    18: "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81",
    50: "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
    152: "15897077afdf4d6334dc0c3f8e6fb483afb3faa9298c139f3c6eb29bca6ae5b2",
}
"""Of the published files, by depth. Those of 34 and 101 are not known here: see `resolve`."""

_HUB = "https://huggingface.co"
# Without a handler for http, neither a URL nor a redirect can leave https. Tests put another transport here.
_TRANSPORT = urllib.request.HTTPSHandler
_TIMEOUT = 30
_BLOCK = 1 << 20


def spec(depth: int) -> ResNetSpec:
    """The network that the published weights of a depth belong to."""
    return ResNetSpec.full(depth, CLASSES, (224, 224, 3))


def fetch(depth: int, progress: Count | None = None) -> Path:
    """The published file of a depth, from the cache (`wool_tf` in `$XDG_CACHE_HOME` or `~/.cache`) or from the hub.

    A download goes on where an earlier try stopped, and is checked against the file's known SHA-256, as is the cached
    file at every use. For ResNet-34 and 101 none is known here: a download is checked against the SHA-256 that the hub
    itself announces (the ETag of its large files); the SHA-256 is recorded beside the file and later uses are checked
    against that. Keys, shapes and values are checked in any case.

    Arguments:
        depth: int. 18, 34, 50, 101 or 152.
        progress: told of the bytes.

    Raises:
        WoolError: the file is not as published, or there is no network or no room; the line says which file to put
            where.
    """
    cache = _cache()
    path = cache / f"resnet{depth}.tv_in1k.safetensors"
    if not path.exists():
        with _alone(cache):
            if not path.exists():
                _publish(depth, path, progress)
            return path
    record = path.with_suffix(".sha256")
    expected = SHA256.get(depth) or (record.read_text()[:64] if record.exists() else None)
    _check_content(path, depth, expected, f"delete {path} and run again")
    return path


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other processes from fetching into a folder meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise WoolError(f"{folder}: cannot be written ({error.strerror}); set XDG_CACHE_HOME elsewhere") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _publish(depth: int, path: Path, progress: Count | None) -> None:
    """Fetches a file to a path where it appears whole and checked."""
    part = path.with_suffix(".part")
    announced = _download(f"{_HUB}/timm/resnet{depth}.tv_in1k/resolve/main/model.safetensors", part, path, progress)
    try:
        _check_content(part, depth, SHA256.get(depth, announced), "the download was deleted, so run again")
    except WoolError:
        part.unlink()
        raise
    if depth not in SHA256:
        # The format of `sha256sum --check`. Written first, so that no fetched file is ever without its record.
        path.with_suffix(".sha256").write_text(f"{announced}  {path.name}\n")
    os.replace(part, path)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wool_tf"


def _check_content(file: Path, depth: int, expected: str | None, remedy: str) -> None:
    if expected and (found := files.sha256(file)) != expected:
        raise WoolError(f"{file}: is not the published file (SHA-256 {found}, not {expected}); {remedy}")
    weights.check(weight_files.read_safetensors(file)[1], spec(depth), str(file))


def _download(url: str, part: Path, path: Path, progress: Count | None) -> str:
    """Fetches a URL into a partial file, and gives the SHA-256 that the hub announces for it."""
    redirects = _Redirects()
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        redirects,
        _TRANSPORT(),
    ):
        opener.add_handler(handler)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            # The last byte is asked for again, since no server can give the range behind the end of a file.
            done = max(0, file.tell() - 1)
            request = Request(url, headers={"User-Agent": "wool_tf", "Range": f"bytes={done}-"})
            with opener.open(request, timeout=_TIMEOUT) as response:
                done = done if response.status == 206 else 0
                file.truncate(done)
                _copy(response, file, done, progress)
        announced = redirects.announced or _announced(response.headers)
        if not announced:
            raise ConnectionError("the server announces no SHA-256, as the hub would")
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
            if error.code == 416:
                # The partial file is longer than the whole.
                part.unlink()
        rule = (
            f"cannot fetch {url} ({in_one_line(error)}); run again to go on from where it stopped, put that file at "
            f"{path}, or give a file of weights or none"
        )
        raise BadSetting("weights", "imagenet", rule) from None
    return announced


def _copy(response: HTTPResponse, file: BinaryIO, done: int, progress: Count | None) -> None:
    total = done + int(response.headers.get("Content-Length", -done))
    while block := response.read(_BLOCK):
        file.write(block)
        done += len(block)
        if progress:
            progress(done, total)
    if done < total:
        raise ConnectionError(f"the connection broke after {done} of {total} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects and remembers the SHA-256 that the hub announces on the way to its storage."""

    announced: str | None = None

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        self.announced = self.announced or _announced(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _announced(headers: HTTPMessage) -> str | None:
    etag = headers.get("X-Linked-ETag") or headers.get("ETag") or ""
    return match[0] if (match := re.search(r"\b[0-9a-f]{64}\b", etag)) else None
