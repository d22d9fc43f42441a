"""What an application on Starlette needs around the engine: how it refuses, who asks, whether it is well, and its page.
`catgpt.fastapi` has all of it under its name."""

from __future__ import annotations

import contextlib
import json
import os
import time
from asyncio import sleep
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from . import _native
from ._engine import Engine
from ._errors import CatgptError, InvalidInputError, UnauthorizedError

if TYPE_CHECKING:
    from fastapi import APIRouter

Who = TypeVar("Who")
_PROTOCOL = "catgpt"
"""What a socket speaks; the other subprotocol that it offers is a token."""
_EXPIRED = 4401
"""The close code of a socket without a token that holds."""
_REASON = 123
"""So many bytes of a reason fit into the frame that closes a socket."""
_NAP = 3600.0
"""A clock may be set: so many seconds are slept at once at most."""


def _refusals() -> dict[int | str, dict[str, Any]]:
    text, whole = {"type": "string"}, {"type": "integer"}
    error = {
        "kind": {**text, "description": "Stable: `busy`, `not_found`, …"},
        "message": {**text, "description": "A sentence for people"},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later"},
        "retry_after_ms": whole,
        "turn": {**text, "description": "Of a busy session: the turn that runs"},
        "limit": {"type": "object", "properties": {"name": text, "unit": text, "max": whole}},
    }
    described = {"type": "object", "required": ["kind", "message", "retryable"], "properties": error}
    schema = {"type": "object", "required": ["error"], "properties": {"error": described}}
    return {"4XX": {"description": "Refused", "content": {"application/json": {"schema": schema}}}}


REFUSALS = _refusals()
"""How an application with `install` refuses, for its OpenAPI document: `FastAPI(responses=REFUSALS)`."""


class SignInError(UnauthorizedError):
    """Who asks your application has shown no token that holds: 401. The engine's own `UnauthorizedError` is about the key of
    its model, which the client cannot help: 502."""

    @property
    def http_status(self) -> int:
        """401."""
        return 401


def error_response(error: CatgptError) -> Response:
    """An error as a response: 409 for a busy session, 404 for what is not there, and so on."""
    _, headers, body = _native.refusal(json.dumps(error.to_dict()))
    return Response(body, error.http_status, dict(headers))


def install(app: Starlette, *, origins: Sequence[str] = (), expose_headers: Sequence[str] = ()) -> None:
    """Lets an application answer with `error_response` wherever a `CatgptError` gets out of an endpoint, and where FastAPI
    finds that a request does not fit; what was sent is not told, as it may be a secret. `origins` are the pages of other
    hosts that may ask, with cookies and with any header, and `expose_headers` what they may read beside the body."""

    async def handle(_: Request, error: Exception) -> Response:
        if not isinstance(error, CatgptError):
            raise error
        return error_response(error)

    async def unfit(_: Request, error: Any) -> Response:
        return error_response(InvalidInputError("; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())))

    app.add_exception_handler(CatgptError, handle)
    with contextlib.suppress(ImportError):
        from fastapi.exceptions import RequestValidationError

        app.add_exception_handler(RequestValidationError, unfit)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
            expose_headers=expose_headers,
        )


def operations(engine: Engine, *, metrics: bool = True) -> APIRouter:
    """What an operator asks: `app.include_router(operations(engine))`. `GET /health` is 200, or 503 where no requests
    should be sent; `GET /metrics` is for Prometheus. They are open: keep them to yourself at the proxy."""
    from fastapi import APIRouter

    router = APIRouter(tags=["operations"])

    @router.get("/health", summary="Whether to send requests here")
    async def health() -> Response:
        found = await engine.health()
        return JSONResponse(found, 200 if found["healthy"] else 503)

    async def figures() -> Response:
        return PlainTextResponse(await engine.prometheus(), media_type="text/plain; version=0.0.4")

    if metrics:
        router.add_api_route("/metrics", figures, summary="Figures for Prometheus", response_model=None)
    return router


def page(app: Starlette, folder: str | os.PathLike[str]) -> None:
    """Serves a built page at `/`, if this folder is there. It answers what no route has answered, so it comes last."""
    if os.path.isdir(folder):
        app.mount("/", StaticFiles(directory=folder, html=True))


def address(asked: HTTPConnection, header: str | None = None) -> str:
    """By what a limit of an address counts: where the connection comes from, or what a header says that your platform sets.
    A customer of IPv6 has a whole /64, and so counts as one."""
    told = asked.headers.get(header) if header else None
    return _native.address_key(told or (asked.client.host if asked.client else ""))


class Guests:
    """Knows browsers without an account: `app.add_middleware(Guests)`. Each has a cookie of 128 random bits that no script can
    read, and `request.state.owner` is whose sessions are theirs. The store holds a hash of it. A page that is opened again,
    at one of the paths `renew`, keeps its cookie for another year."""

    def __init__(self, app: ASGIApp, *, cookie: str = "catgpt", renew: Sequence[str] = ("/",)) -> None:
        self._app = app
        self._cookie = cookie
        self._renew = frozenset(renew)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        cookies = "; ".join(Headers(scope=scope).getlist("cookie"))
        owner, fresh, line = _native.guest(self._cookie, cookies, scope["scheme"] in ("https", "wss"))
        scope.setdefault("state", {})["owner"] = owner

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and (fresh or scope["path"] in self._renew):
                MutableHeaders(scope=message).append("set-cookie", line)
            await send(message)

        await self._app(scope, receive, answer)


def token(asked: HTTPConnection) -> str:
    """The token that a request or a socket brings, or nothing: `Authorization: Bearer …`, or the subprotocol beside `catgpt`,
    as a browser's socket cannot send headers: `new WebSocket(url, ["catgpt", token])`. In an address it would be logged."""
    kind, _, given = asked.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip()
    return next((name for name in asked.scope.get("subprotocols", ()) if name != _PROTOCOL), "")


async def accept(ws: WebSocket, who: Callable[[str], Who], *, origins: Sequence[str] = ()) -> Who | None:
    """Accepts a socket, and gives what `who` says of its `token`; nothing if it is refused. The page of another host is, with
    403, unless `origins` names it. If `who` raises a `CatgptError`, as your `SignInError`, the socket closes with 4401: after
    the handshake, because a page sees no status of one that fails."""
    origin = ws.headers.get("origin")
    if origin and origin not in origins and origin.partition("://")[2] != ws.headers.get("host"):
        await ws.close()
        return None
    await ws.accept(_PROTOCOL if _PROTOCOL in ws.scope["subprotocols"] else None)
    try:
        return who(token(ws))
    except CatgptError as error:
        await ws.close(_EXPIRED, error.message.encode()[:_REASON].decode(errors="ignore"))
    return None


async def close_at(ws: WebSocket, expires: Callable[[], float]) -> None:
    """Closes a socket when its time has come."""
    while (left := expires() - time.time()) > 0:
        await sleep(min(left, _NAP))
    # Whoever reads it hears that it is closed, and ends.
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await ws.close(_EXPIRED, "the token has ended")
