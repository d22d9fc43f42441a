"""For FastAPI and everything else on Starlette: a reply as a response, over server-sent events or a web socket.

A client that goes away ends the subscription and not the turn, unless it was sent with `on_drop="cancel"`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from . import _native
from ._engine import Engine
from ._errors import CatgptError
from ._reply import Reply

__all__ = ["SseResponse", "error_response", "install", "last_event", "lifespan", "sse_response", "websocket"]


class SseResponse(StreamingResponse):
    """A reply as server-sent events. However the response ends, the subscription ends with it."""

    media_type = "text/event-stream"

    def __init__(self, reply: Reply, *, min_interval: float, keep_alive: float | None, headers: Mapping[str, str]) -> None:
        super().__init__(reply.sse(min_interval=min_interval, keep_alive=keep_alive), headers=headers)
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._reply:
            await super().__call__(scope, receive, send)


def sse_response(
    reply: Reply,
    *,
    min_interval: float = 0.02,
    keep_alive: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> SseResponse:
    """The response. What comes within `min_interval` seconds goes in one write, which saves most of a server's work; the
    first write is never delayed. The ids of the events lead back to where a client was: see `last_event`."""
    usual = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return SseResponse(reply, min_interval=min_interval, keep_alive=keep_alive, headers={**usual, **(headers or {})})


def last_event(request: Request) -> tuple[str, int] | None:
    """Where a client that comes back was, as its `Last-Event-ID` says: the turn and the offset, for `user.attach`."""
    return _native.position(request.headers.get("last-event-id", ""))


def error_response(error: CatgptError) -> Response:
    """An error as a response: 409 for a busy session, 404 for what is not there, and so on."""
    wait = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
    return JSONResponse({"error": error.to_dict()}, error.http_status, headers=wait)


def install(app: Starlette) -> None:
    """Lets an application answer with `error_response` wherever a `CatgptError` gets out of an endpoint."""

    async def handle(_: Request, error: Exception) -> Response:
        if not isinstance(error, CatgptError):
            raise error
        return error_response(error)

    app.add_exception_handler(CatgptError, handle)


def lifespan(
    engine: Engine, *, deadline: float | None = None
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """For an application's `lifespan`: opens the engine at its start, and at its end, which SIGTERM is, closes it: turns
    that still run have `deadline` seconds to end, and then are stored as far as they came."""

    @contextlib.asynccontextmanager
    async def run(_: Starlette) -> AsyncGenerator[None, None]:
        await engine.open()
        try:
            yield
        finally:
            await engine.close(deadline)

    return run


async def websocket(ws: WebSocket, reply: Reply) -> None:
    """Sends each event of a reply as JSON over a web socket that was accepted. Meanwhile a client may send
    `{"type": "cancel"}` to stop the turn."""
    async with reply:
        listening = asyncio.ensure_future(_listen(ws, reply))
        try:
            async for event in reply:
                await ws.send_text(json.dumps(event.to_dict()))
        except WebSocketDisconnect:
            pass
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening


async def _listen(ws: WebSocket, reply: Reply) -> None:
    async for text in ws.iter_text():
        with contextlib.suppress(ValueError):
            if json.loads(text) == {"type": "cancel"}:
                await reply.cancel()
    await reply.aclose()
