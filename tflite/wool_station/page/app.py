"""The requests of the page and their answers."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from wool_board.errors import WoolError
from wool_board.json_text import parsed
from wool_station.challenge import records
from wool_station.page import access, state
from wool_station.page.access import READ, WRITE, Gatekeeper
from wool_station.page.live import Live, Subscriber
from wool_station.store import corrections
from wool_station.store.corrections import Statement, Subject
from wool_station.store.reader import StoreReader

COOKIE = "wool_station"
MOST_BODY = 4096
"""Bytes of a request."""

SECONDS = 0.1
"""From one message to a page to the next, which brings all that came meanwhile."""

QUIET_SECONDS = 15.0
"""After which a page gets a sign of life, and its right is looked at again."""

MOST_NUMBER = 2**63 - 1
FOLDER = Path(__file__).parent / "static"
STATIC = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/belt.js": ("belt.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Paths of requests, and the file that each is answered with."""

Answer = Callable[[Request], Awaitable[Response]]


class Page(NamedTuple):
    """What answers of the page are made of.

    Attributes:
        reader: of the store.
        live: follows the feed.
        gatekeeper: knows rights.
        machine: knows how the machine is.
        secure: whether the page is reached by TLS.
    """

    reader: StoreReader
    live: Live
    gatekeeper: Gatekeeper
    machine: state.Machine
    secure: bool

    def right(self, request: Request) -> str | None:
        """The right of a request, `READ` or `WRITE`, or None."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        return self.gatekeeper.right(request.cookies.get(COOKIE, ""), bearer, _address(request))

    def may(self, right: str, answer: Answer) -> Answer:
        """The answer, only for requests with that right."""

        async def checked(request: Request) -> Response:
            found = self.right(request)
            if found is None:
                return _refused(401, "log in with a token")
            if right == WRITE and found != WRITE:
                return _refused(403, "this token may read, not write")
            return await answer(request)

        return checked

    async def show_state(self, request: Request) -> Response:
        about = {"right": self.right(request), "asks": self.gatekeeper.asks, "live": self.live.state()}
        try:
            found = await run_in_threadpool(lambda: state.stored(self.reader) | {"machine": self.machine.state()})
        except (OSError, sqlite3.Error):
            return JSONResponse(about | {"error": "the store cannot be read"}, 503)
        return JSONResponse(about | found)

    async def show_picture(self, request: Request) -> Response:
        number = request.path_params["number"]
        content = await run_in_threadpool(self.reader.picture, number) if number <= MOST_NUMBER else None
        if content is None:
            return _refused(404, "there is no such picture, or no longer")
        return Response(content, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})

    async def show_events(self, request: Request) -> Response:
        subscriber = self.live.subscribe()
        if subscriber is None:
            return _refused(503, "too many pages are open; close one")
        return StreamingResponse(self._stream(request, subscriber), media_type="text/event-stream")

    async def _stream(self, request: Request, subscriber: Subscriber) -> AsyncIterator[str]:
        try:
            yield "retry: 2000\n\n"
            quiet = checked = 0.0
            while not self.live.is_ended:
                text = self.live.take(subscriber)
                quiet, checked = (0.0 if text else quiet + SECONDS), checked + SECONDS
                if checked >= QUIET_SECONDS:
                    checked = 0.0
                    if self.right(request) is None:
                        return
                if text or quiet >= QUIET_SECONDS:
                    quiet = 0.0
                    yield f"data: {text or '[]'}\n\n"
                await asyncio.sleep(SECONDS)
        finally:
            self.live.unsubscribe(subscriber)

    async def correct(self, request: Request) -> Response:
        said = await _body(request)
        text = {name: _text(said, name) for name in ("operator", "verdict", "defect")}
        statement = Statement(text["operator"].strip(), text["verdict"], text["defect"].strip())
        number = await run_in_threadpool(self._put, statement, said)
        return JSONResponse({"id": number}, 201)

    def _put(self, statement: Statement, said: dict) -> int:
        return corrections.put(self.reader.folder, statement, self._subject(said))

    def _subject(self, said: dict) -> Subject:
        if "tile" in said:
            number = said["tile"]
            if type(number) is not int or not 0 < number <= MOST_NUMBER:
                raise WoolError("tile: must be the number of a tile")
            tile = self.reader.tile(number)
            if tile is None:
                raise WoolError("tile: no tile in the store has this number; the oldest make room for new ones")
            where = tile.inspection, tile.start_mm, tile.stop_mm, tile.left_mm, tile.right_mm
            return Subject(tile.id, tile.time, *where, tile.score, tile.defective, self.reader.picture(number))
        inspection, along, across = said.get("inspection"), _number(said, "along_mm"), _number(said, "across_mm")
        if type(inspection) is not int:
            raise WoolError("inspection: must be the number of an inspection")
        found = self.live.find(inspection, along, across)
        if found is None:
            raise WoolError("along_mm: the belt that passed there is not kept any more; choose what passed just now")
        return found

    async def challenge(self, request: Request) -> Response:
        said = await _body(request)
        challenge = records.Challenge(_text(said, "operator").strip(), _text(said, "piece").strip())
        number = await run_in_threadpool(records.begin, self.reader.folder, challenge)
        return JSONResponse({"id": number, "seconds": challenge.seconds}, 201)

    async def log_in(self, request: Request) -> Response:
        token = _text(await _body(request), "token")
        if self.gatekeeper.is_locked(_address(request)):
            return _refused(429, "too many wrong tokens; wait a minute")
        session = self.gatekeeper.log_in(token, _address(request))
        if session is None:
            return _refused(401, "this is no token of this station")
        answer = JSONResponse({})
        answer.set_cookie(COOKIE, session, access.SESSION_SECONDS, httponly=True, samesite="strict", secure=self.secure)
        return answer

    async def log_out(self, request: Request) -> Response:
        self.gatekeeper.log_out(request.cookies.get(COOKIE, ""))
        answer = JSONResponse({})
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=self.secure)
        return answer


def application(page: Page) -> Starlette:
    """The page as an ASGI application."""
    routes = [Route(path, _static(*file), methods=["GET"]) for path, file in STATIC.items()]
    routes += [
        Route("/api/state", page.may(READ, page.show_state), methods=["GET"]),
        Route("/api/events", page.may(READ, page.show_events), methods=["GET"]),
        Route("/api/pictures/{number:int}", page.may(READ, page.show_picture), methods=["GET"]),
        Route("/api/corrections", page.may(WRITE, page.correct), methods=["POST"]),
        Route("/api/challenges", page.may(WRITE, page.challenge), methods=["POST"]),
        Route("/api/login", page.log_in, methods=["POST"]),
        Route("/api/logout", page.log_out, methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    # /page.js/ is no other name of /page.js.
    app.router.redirect_slashes = False
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(WoolError, _on_mistake)
    for kind in (OSError, sqlite3.OperationalError, sqlite3.DatabaseError):
        app.add_exception_handler(kind, _on_fault)
    return app


def _static(name: str, media_type: str) -> Answer:
    content = (FOLDER / name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return answer


async def _body(request: Request) -> dict:
    """The JSON object of a request."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body must be application/json")
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_BODY:
            raise HTTPException(413, f"the body must have at most {MOST_BODY} bytes")
    try:
        found = parsed(content)
    except ValueError:
        raise HTTPException(400, "the body must be JSON") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return found


def _text(said: dict, name: str) -> str:
    value = said.get(name, "")
    if not isinstance(value, str):
        raise WoolError(f"{name}: must be text")
    return value


def _number(said: dict, name: str) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise WoolError(f"{name}: must be a number")
    return float(value)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _refused(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _on_mistake(_: Request, error: Exception) -> Response:
    return _refused(400, str(error))


async def _on_fault(_: Request, error: Exception) -> Response:
    return _refused(503, "the store cannot be read or written at present")
