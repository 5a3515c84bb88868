"""Who may read and write, and what bad requests get: through `station.py serve` as it runs, over plain sockets."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

import checkout
import fake_feed
import station_programs
import stores
from wool_board.errors import WoolError
from wool_station.page.access import Hosts, Tokens
from wool_station.store import shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder

READER, WRITER = "reader-token-0001", "writer-token-0002"
JSON = {"Content-Type": "application/json"}
MOST_SECONDS = 10


class Server:
    """A page that is served, and requests to it."""

    def __init__(self, folder: Path, port: int):
        self.folder, self.port = folder, port
        self.host = f"127.0.0.1:{port}"

    def ask(self, method="GET", path="/", body=None, token=None, drop=(), **headers):
        """Answer to a request that is right but for what is given: status, headers, body."""
        given = {"Host": self.host, "Origin": f"http://{self.host}"} | {
            name.replace("_", "-"): value for name, value in headers.items() if value is not None
        }
        if token:
            given["Authorization"] = f"Bearer {token}"
        for name in drop:
            given.pop(name, None)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=MOST_SECONDS)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            content = json.dumps(body).encode() if isinstance(body, dict | list) else body
            if content is not None:
                given = JSON | {"Content-Length": str(len(content))} | given
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers.items()), answer.read()

    def send(self, request: bytes) -> bytes:
        """What comes back for bytes that need not be HTTP."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=MOST_SECONDS) as connection:
            connection.sendall(request)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(OSError):
                while piece := connection.recv(65536):
                    answer += piece
            return answer

    @property
    def statements(self) -> int:
        return stores.rows(self.folder, "SELECT count(*) FROM corrections")[0][0]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    recorder = Recorder(folder / "store", 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e9))
    for message in [(fake_feed.start(), b""), *fake_feed.tile(1, defective=True), *fake_feed.tile(2)]:
        recorder.take(*message)
    recorder.close()
    tokens = folder / "tokens"
    tokens.write_text(f"# Of this station.\nread {READER}\nwrite {WRITER}\n")
    tokens.chmod(0o640)
    options = [f"--feed={folder}/feed", f"--store={folder}/store", f"--tokens={tokens}", "--port=0"]
    with fake_feed.served(folder / "feed", [(fake_feed.start(), b"")]):
        with station_programs.running("serve", *options) as process:
            address = process.stdout.readline()
            yield Server(folder / "store", int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", address)[1]))


RIGHT = {"tile": 1, "verdict": "wrongly_rejected", "operator": "Anna"}
CORRECT = {"method": "POST", "path": "/api/corrections", "token": WRITER}


def correction(**changes):
    return CORRECT | {"body": RIGHT | changes}


BAD = {
    "no token": ({"path": "/api/state"}, 401),
    "a wrong token": ({"path": "/api/state", "token": "reader-token-0002"}, 401),
    "a token that another begins with": ({"path": "/api/state", "token": READER[:-1]}, 401),
    "an empty token": ({"path": "/api/state", "Authorization": "Bearer "}, 401),
    "a token as a password": ({"path": "/api/state", "Authorization": f"Basic {READER}"}, 401),
    "a token in the address": ({"path": f"/api/state?token={READER}"}, 401),
    "a session that nobody has": ({"path": "/api/state", "Cookie": "wool_station=abc"}, 401),
    "events without a token": ({"path": "/api/events"}, 401),
    "a picture without a token": ({"path": "/api/pictures/1"}, 401),
    "a correction without a token": (correction() | {"token": None}, 401),
    "a correction by who may read": (correction() | {"token": READER}, 403),
    "another host, as DNS rebinding sends": ({"Host": "evil.example"}, 421),
    "another host with this port": ({"Host": "evil.example:8080", "path": "/page.js"}, 421),
    "a host that begins like an address": ({"Host": "127.0.0.1.evil.example"}, 421),
    "no host": ({"drop": ["Host"]}, 400),
    "a host with a path": ({"Host": "localhost/evil"}, 421),
    "a host with a user": ({"Host": "evil@127.0.0.1"}, 421),
    "a page of another site": ({"Origin": "http://evil.example", "path": "/api/state", "token": READER}, 403),
    "a correction by a page of another site": (correction() | {"Origin": "http://evil.example"}, 403),
    "a page without an origin": (correction() | {"Origin": "null"}, 403),
    "a page of another port": (correction() | {"Origin": "http://127.0.0.1:1"}, 403),
    "a page of another scheme": (correction() | {"Origin": "https://127.0.0.1"}, 403),
    "a log-in without an origin": (
        {"method": "POST", "path": "/api/login", "body": {"token": WRITER}, "drop": ["Origin"]},
        403,
    ),
    "a picture in a page of another site": (
        {"path": "/api/pictures/1", "token": READER, "Sec_Fetch_Site": "cross-site", "drop": ["Origin"]},
        403,
    ),
    "a method to delete": ({"method": "DELETE", "path": "/api/pictures/1", "token": WRITER}, 405),
    "a method to write": ({"method": "PUT", "path": "/page.js", "token": WRITER}, 405),
    "a method to trace": ({"method": "TRACE"}, 405),
    "a method to post where there is none": ({"method": "POST", "path": "/api/state", "token": WRITER}, 405),
    "a log-in in the address": ({"path": f"/api/login?token={WRITER}"}, 405),
    "a path out of the folder": ({"path": "/../tokens"}, 404),
    "an encoded path out of the folder": ({"path": "/%2e%2e/%2e%2e/etc/passwd"}, 404),
    "a path with a zero byte": ({"path": "/page.js%00.html"}, 404),
    "a path with a slash more": ({"path": "/page.js/"}, 404),
    "the database": ({"path": "/station.sqlite", "token": WRITER}, 404),
    "a picture by a path": ({"path": "/api/pictures/..%2f..%2ftokens", "token": READER}, 404),
    "a picture with a sign": ({"path": "/api/pictures/-1", "token": READER}, 404),
    "a picture that is none": ({"path": "/api/pictures/999999", "token": READER}, 404),
    "a picture with a number of 30 digits": ({"path": f"/api/pictures/{'9' * 30}", "token": READER}, 404),
    # Python reads no number of more than 4300 digits.
    "a picture with a number of 5000 digits": ({"path": f"/api/pictures/{'9' * 5000}", "token": READER}, 414),
    "a query of 2000 bytes": ({"path": f"/api/state?{'a' * 2000}", "token": READER}, 414),
    "a picture with SQL": ({"path": "/api/pictures/1%20OR%201=1", "token": READER}, 404),
    "a form instead of JSON": (
        CORRECT | {"body": b"tile=1&verdict=wrongly_rejected", "Content_Type": "application/x-www-form-urlencoded"},
        415,
    ),
    "JSON as plain text, which needs no permission": (correction() | {"Content_Type": "text/plain"}, 415),
    "what is no JSON": (CORRECT | {"body": b"{"}, 400),
    "bytes that are no text": (CORRECT | {"body": b"\xff\xfe\x00"}, 400),
    "a list": (CORRECT | {"body": [RIGHT]}, 400),
    "JSON nested without end": (CORRECT | {"body": b"[" * 4000}, 400),
    "too long a body": (correction(operator="A" * 5000), 413),
    "a body of a megabyte": (CORRECT | {"body": b" " * 1_000_000}, 413),
    "a verdict that there is not": (correction(verdict="perfect"), 400),
    "a verdict that is no text": (correction(verdict=["wrongly_rejected"]), 400),
    "nobody's name": (correction(operator=""), 400),
    "a name that is HTML": (correction(operator="<script>alert(1)</script>"), 400),
    "a name that is a formula": (correction(operator="=cmd|' /C calc'!A0"), 400),
    "a name of two lines": (correction(operator="Anna\nBert"), 400),
    "a defect that is HTML": (correction(verdict="defect", defect="<img src=x onerror=alert(1)>"), 400),
    "a defect that joins two": (correction(verdict="defect", defect="D1+D2"), 400),
    "a defect without its type": (correction(verdict="defect"), 400),
    "a tile that there is not": (correction(tile=999), 400),
    "a tile that is no number": (correction(tile="1; DROP TABLE tiles"), 400),
    "a tile that is a truth": (correction(tile=True), 400),
    "a tile beyond all numbers": (correction(tile=10**30), 400),
    "a rejected tile that is called missed": (correction(verdict="missed"), 400),
    "a place that is no number": (
        CORRECT | {"body": b'{"verdict":"missed","operator":"A","inspection":1,"along_mm":NaN,"across_mm":1}'},
        400,
    ),
    "a place that was never seen": (
        CORRECT | {"body": {"verdict": "missed", "operator": "A", "inspection": 1, "along_mm": 1, "across_mm": 1}},
        400,
    ),
}


def test_the_request_that_bad_ones_are_made_of_is_right(server):
    before = server.statements
    status, _, content = server.ask(**correction())
    assert status == 201 and server.statements == before + 1
    assert json.loads(content)["id"] > 0


@pytest.mark.parametrize(("request_", "status"), BAD.values(), ids=BAD)
def test_a_bad_request_changes_nothing_and_tells_nothing(server, request_, status):
    before = server.statements
    found, headers, content = server.ask(**request_)
    assert found == status, content
    assert server.statements == before
    said = content.decode()
    assert "Traceback" not in said and "sqlite" not in said and str(server.folder) not in said
    assert "<" not in said
    if status != 400 or "Host" not in request_.get("drop", ()):
        assert (
            headers["x-content-type-options"] == "nosniff"
            and "default-src 'none'" in headers["content-security-policy"]
        )


def test_there_are_at_least_forty_bad_requests():
    assert len(BAD) >= 40


@pytest.mark.parametrize(
    "request_",
    [b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
     b"POST /api/corrections HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
     b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n"],
    ids=["half a line", "TLS", "a version to come", "two hosts", "a negative length", "two lengths", "a long header"],
)  # fmt: skip
def test_what_is_hardly_http_is_refused_and_the_next_request_is_answered(server, request_):
    answer = server.send(request_)
    assert answer == b"" or re.match(rb"HTTP/1\.1 4\d\d ", answer), answer[:200]
    assert server.ask()[0] == 200


def test_a_token_gives_a_session_that_scripts_cannot_read_and_other_sites_do_not_get(server):
    status, headers, _ = server.ask("POST", "/api/login", {"token": READER})
    assert status == 200
    cookie = headers["set-cookie"]
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    session = cookie.split(";")[0]
    assert READER not in cookie
    assert server.ask(path="/api/state", Cookie=session)[0] == 200
    assert server.ask("POST", "/api/corrections", RIGHT, Cookie=session)[0] == 403
    assert server.ask("POST", "/api/logout", {}, Cookie=session)[0] == 200
    assert server.ask(path="/api/state", Cookie=session)[0] == 401


def test_a_picture_is_the_one_that_was_kept(server):
    status, headers, content = server.ask(path="/api/pictures/1", token=READER)
    assert (status, headers["content-type"]) == (200, "image/png")
    select = "SELECT volume, place, bytes FROM tiles WHERE id = 1"
    ((volume, place, count),) = stores.rows(server.folder, select)
    kept = (server.folder / "pictures" / f"{volume:08d}.pack").read_bytes()[place : place + count]
    assert content == kept


def test_the_page_loads_nothing_from_elsewhere_and_has_no_script_in_it(server):
    _, headers, content = server.ask()
    page = content.decode()
    assert "unsafe" not in headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\ssrc=)", page) and not re.search(r"\son\w+=", page) and "<style" not in page
    named = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert named and all(name.startswith("/") and not name.startswith("//") for name in named)
    for name in ("/page.js", "/belt.js", "/page.css", "/icon.svg"):
        text = server.ask(path=name)[2].decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
        assert "innerHTML" not in text and "eval(" not in text and "insertAdjacentHTML" not in text


# Behind all others: from this address nobody can log in for a minute.
def test_too_many_wrong_tokens_lock_the_log_in_but_nobody_out(server):
    session = server.ask("POST", "/api/login", {"token": READER})[1]["set-cookie"].split(";")[0]
    found = [server.ask("POST", "/api/login", {"token": f"wrong-token-{number:04d}"})[0] for number in range(12)]
    assert set(found) == {401, 429} and found[-1] == 429
    assert server.ask("POST", "/api/login", {"token": READER})[0] == 429
    assert server.ask(path="/api/state", Cookie=session)[0] == 200


@pytest.mark.parametrize(
    ("options", "status", "rule"),
    [(["--listen=0.0.0.0"], 64, "--listen=0.0.0.0: others may reach the page, so --tokens=FILE is needed"),
     (["--listen=nowhere", "--tokens=TOKENS"], 64, "--listen=nowhere: must be an address of this machine"),
     (["--port=70000"], 64, "--port=70000: must be at least 0 and at most 65535"),
     (["--certificate=x.pem"], 64, "--certificate and --key: go together"),
     (["--tokens=missing"], 1, "--tokens=missing: cannot be read (No such file or directory)"),
     (["--tokens=OPEN"], 1, "every user of this machine may use it; chmod o="),
     (["--tokens=SHORT"], 1, "line 1 must be `read TOKEN` or `write TOKEN`"),
     (["--tokens=EMPTY"], 1, "has no token; add a line such as: write ")],
)  # fmt: skip
def test_wrong_options_are_one_line(tmp_path, options, status, rule):
    for name, text, mode in (("TOKENS", f"read {READER}", 0o600), ("OPEN", f"read {READER}", 0o604),
                             ("SHORT", "read secret", 0o600), ("EMPTY", "# nothing\n", 0o600)):  # fmt: skip
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
        options = [option.replace(f"={name}", f"={tmp_path / name}") for option in options]
    assert rule in station_programs.refusal("serve", "--feed=f", "--store=s", *options, status=status)


def test_a_port_that_is_taken_is_one_line(server):
    line = station_programs.refusal("serve", "--feed=f", "--store=s", f"--port={server.port}")
    assert line == f"station.py: --port={server.port}: cannot listen there (Address already in use)"


def test_a_token_is_compared_whole(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"write {WRITER}\nread {READER}\n")
    file.chmod(0o600)
    tokens = Tokens(file)
    assert (tokens.right(WRITER), tokens.right(READER)) == ("write", "read")
    for token in ("", WRITER[:-1], WRITER + "x", WRITER.upper(), f"write {WRITER}", "\udcff"):
        assert tokens.right(token) is None


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "[::1]:8080", "192.168.1.7", "wool.plant"]
)
def test_hosts_of_this_machine(host):
    assert Hosts(["wool.plant"]).knows(host)


OTHERS = [
    "",
    "plant",
    "wool.plant.evil",
    "[::1",
    "[localhost]",
    "::1:x",
    "localhost:",
    "localhost:x",
    "localhost:80:80",
]


@pytest.mark.parametrize("host", [*OTHERS, "1.2.3", "[::1]x", " localhost", "127.0.0.1.evil.example", "localhost\n"])
def test_hosts_of_others(host):
    assert not Hosts(["wool.plant"]).knows(host)


def test_help_needs_neither_server_nor_pictures():
    code = "import sys, station; station.parse(['record', '--feed=f', '--store=s']); print(sorted(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=checkout.environment(checkout.PROGRAMS),
        check=True,
    )
    assert not {"uvicorn", "starlette", "PIL", "numpy"} & set(re.findall(r"'(\w+)'", found.stdout))


@pytest.mark.parametrize(
    ("command", "package"), [("serve", "uvicorn"), ("serve", "starlette"), ("report", "jinja2"), ("compare", "jinja2")]
)
def test_a_package_that_is_missing_is_one_line(tmp_path, command, package):
    others = {"serve": ["--feed=f"], "report": ["out.html"], "compare": ["a.tflite", "b.tflite", "out.html"]}
    arguments = [f"--store={tmp_path}", *others[command]]
    code = (
        f"import sys; sys.modules[{package!r}] = None; import station; sys.exit(station.main({[command, *arguments]}))"
    )
    here = checkout.environment(checkout.PROGRAMS)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=here, check=False)
    line = f"station.py: {command}: this Python, {sys.executable}, has no {package}; install the extra `station`"
    assert (found.returncode, found.stdout) == (1, "") and found.stderr.startswith(line), found.stderr
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_with_a_certificate_the_page_is_reached_by_tls_alone(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost".split()
    make = ["openssl", *words, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(make, check=True, capture_output=True)
    (tmp_path / "tokens").write_text(f"read {READER}")
    (tmp_path / "tokens").chmod(0o600)
    options = [f"--feed={tmp_path}/feed", f"--store={tmp_path}", f"--tokens={tmp_path}/tokens", "--port=0"]
    with station_programs.running("serve", *options, f"--certificate={certificate}", f"--key={key}") as process:
        port = int(re.fullmatch(r"https://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())[1])
        trusting = ssl.create_default_context(cafile=certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=MOST_SECONDS)
        with contextlib.closing(connection):
            headers = JSON | {"Origin": f"https://127.0.0.1:{port}"}
            connection.request("POST", "/api/login", json.dumps({"token": READER}), headers)
            answer = connection.getresponse()
            assert answer.status == 200 and "secure" in answer.headers["set-cookie"].lower()
        plain = Server(tmp_path, port).send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in plain


@pytest.mark.parametrize("text", ["nonsense", ""])
def test_a_certificate_that_is_none_is_one_line(tmp_path, text):
    (tmp_path / "pem").write_text(text)
    files = [f"--certificate={tmp_path}/pem", f"--key={tmp_path}/pem", "--port=0"]
    line = station_programs.refusal("serve", "--feed=f", "--store=s", *files)
    assert line.startswith(f"station.py: --certificate={tmp_path}/pem: cannot be used (")


def test_a_wrong_right_in_the_file_of_tokens_is_named_by_its_line(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"read {READER}\nadmin {WRITER}\n")
    file.chmod(0o600)
    with pytest.raises(WoolError, match="line 2 must be"):
        Tokens(file)
