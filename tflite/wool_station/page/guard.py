"""What every request must keep to before anything else looks at it, and what every answer says to browsers."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wool_station.page.access import Hosts

MOST_ADDRESS = 1024
"""Bytes of path and query; the page's own have a few dozen."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Refuses requests that come by another name (DNS rebinding) or from a page of another origin (CSRF).

    Arguments:
        app: what answers the others.
        hosts: by which this server may be called.
        secure: whether it is reached by TLS.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, secure: bool):
        self._app, self._hosts, self._scheme = app, hosts, "https" if secure else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        answer = JSONResponse({"error": refusal[1]}, refusal[0]) if refusal else self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        method = scope["method"]
        if len(scope["path"]) + len(scope["query_string"]) > MOST_ADDRESS:
            return 414, f"the address must have at most {MOST_ADDRESS} bytes"
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._hosts.knows(hosts[0]):
            return 421, "this is not a name of this server; station.py serve --name=NAME makes it one"
        if len(origins) > 1 or (origins and not self._is_own(origins[0], hosts[0])):
            return 403, "requests from pages of other sites are refused"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return 403, "requests from pages of other sites are refused"
        if method not in ("GET", "HEAD", "POST"):
            return 405, "only GET, HEAD and POST"
        # Browsers send it with every POST; programs have a token, which browsers do not send by themselves.
        if method == "POST" and not origins and "authorization" not in headers:
            return 403, "a POST needs the header Origin, or Authorization: Bearer TOKEN"
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return (parts.scheme, parts.netloc.lower()) == (self._scheme, host.lower())
