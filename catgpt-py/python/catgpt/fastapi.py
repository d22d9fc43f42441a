"""For FastAPI and everything else on Starlette: a reply as a response, in each of the formats, or over a web
socket; the engine's HTTP API; and what an application has around them.

A client that goes away ends the subscription and not the turn, unless it was sent with `on_drop="cancel"`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from . import _native
from ._asgi import REFUSALS, Guests, SignInError, accept, address, close_at, error_response, install, operations, page, token
from ._calls import Format, SendOptions
from ._engine import Engine, Session, User
from ._http import MAX_BODY, Served
from ._reply import Reply
from ._request_log import configure_logs, log_requests, request_id

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = [
    "REFUSALS",
    "Guests",
    "ReplyResponse",
    "ResponseOptions",
    "ServedResponse",
    "SignInError",
    "accept",
    "address",
    "chat_api",
    "configure_logs",
    "error_response",
    "install",
    "last_event",
    "last_news",
    "lifespan",
    "log_requests",
    "ndjson_response",
    "operations",
    "page",
    "request_id",
    "sse_feed",
    "sse_response",
    "text_response",
    "token",
    "ui_message_response",
    "ui_resume",
    "websocket",
]

_AT_ONCE = 512
"""How many frames of one socket are answered at the same time; some of them watch a turn, of which the core has a limit."""
_HEADERS = {name: dict(headers) for name, headers in _native.formats()}


class ReplyResponse(StreamingResponse):
    """A reply in one of the formats. However the response ends, the subscription ends with it. The core says what its
    headers are, and how often it writes."""

    def __init__(
        self,
        reply: Reply,
        format: Format = "sse",
        *,
        min_interval: float | None = None,
        keep_alive: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        content = reply.encoded(format, min_interval=min_interval, keep_alive=keep_alive)
        super().__init__(content, headers={**_HEADERS[format], **(headers or {})})
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._reply:
            await super().__call__(scope, receive, send)


class ResponseOptions(TypedDict, total=False):
    """How a reply is sent; what is left out is as the core has it."""

    min_interval: float
    """Seconds between two writes at least (0.02): what comes meanwhile goes in one. The first is never delayed."""
    keep_alive: float
    """Seconds of silence before a sign of life (15)."""
    headers: Mapping[str, str]
    """Headers beside the usual ones, or instead of them."""


def sse_response(reply: Reply, **options: Unpack[ResponseOptions]) -> ReplyResponse:
    """A reply as server-sent events. Their ids lead back to where a client was: see `last_event`."""
    return ReplyResponse(reply, "sse", **options)


def ndjson_response(reply: Reply, **options: Unpack[ResponseOptions]) -> ReplyResponse:
    """A reply as JSON lines."""
    return ReplyResponse(reply, "ndjson", **options)


def text_response(reply: Reply, **options: Unpack[ResponseOptions]) -> ReplyResponse:
    """The text of a reply and nothing else, as plain text. How it ended is asked for afterwards."""
    return ReplyResponse(reply, "text", **options)


def ui_message_response(reply: Reply, **options: Unpack[ResponseOptions]) -> ReplyResponse:
    """A reply as the AI SDK's UI message stream: `ui_message_response(await user.chat(await request.body()))`."""
    return ReplyResponse(reply, "ui_message_stream", **options)


async def ui_resume(session: Session, **options: Unpack[ResponseOptions]) -> Response:
    """What the AI SDK asks for to go on with a chat: all of the reply that is being written, or 204 if there is none."""
    reply = await session.resume()
    return Response(status_code=204) if reply is None else ui_message_response(reply, **options)


def last_event(request: Request) -> tuple[str, int] | None:
    """Where a client that comes back was, as its `Last-Event-ID` says: the turn and the offset, for `user.attach`."""
    return _native.position(request.headers.get("last-event-id", ""))


async def sse_feed(
    user: User,
    after: int | None = None,
    *,
    keep_alive: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> StreamingResponse:
    """An owner's feed as server-sent events, on after number `after`, or from now on. An `EventSource` that comes back says
    where it was: `await sse_feed(user, last_news(request))`. What cannot be read is raised before the response begins."""
    feed = user.feed(after).encoded("sse", keep_alive=keep_alive)
    first = await anext(feed) if after is None else b""

    async def content() -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(feed):
            if first:
                yield first
            async for data in feed:
                yield data

    return StreamingResponse(content(), headers={**_HEADERS["sse"], **(headers or {})})


def last_news(request: Request) -> int | None:
    """Where a client of a feed was, as its `Last-Event-ID` says."""
    return _native.news_position(request.headers.get("last-event-id", ""))


class ServedResponse(StreamingResponse):
    """What `user.serve` gave, as a response. However it ends, what it watches ends with it."""

    def __init__(self, served: Served) -> None:
        super().__init__(served, served.status, served.headers)
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._served:
            await super().__call__(scope, receive, send)


def chat_api(*, user: Callable[..., Any], options: Callable[..., Any] | None = None) -> APIRouter:
    """The engine's HTTP API: `app.include_router(chat_api(user=current_user), prefix="/api")`. `user` is a dependency that
    gives the `User` who asks, and `options` one that gives the options of each send, as a dictionary."""
    from fastapi import APIRouter

    router = APIRouter()
    for method, path, summary, query, body in _native.routes():
        shown = {"parameters": [_parameter(name, "query") for name in query]}
        shown["parameters"] += [_parameter(name, "path") for name in ("session", "turn") if f"{{{name}}}" in path]
        content: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
        router.add_api_route(
            path,
            _endpoint(path, user, options),
            methods=[method],
            summary=summary,
            tags=["chat"],
            response_model=None,
            openapi_extra=shown | content if body else shown,
        )
    return router


def _parameter(name: str, where: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}


def _endpoint(path: str, user: Callable[..., Any], options: Callable[..., Any] | None) -> Callable[..., Any]:
    from fastapi import Depends

    async def chat(request: Request, user: User = Depends(user), given: SendOptions = Depends(options or _nothing)) -> Response:
        at = path.format_map({name: quote(value, safe="") for name, value in request.path_params.items()})
        query, head = request.scope["query_string"].decode("latin-1"), request.headers
        served = await user.serve(
            request.method,
            at,
            query,
            await _body(request),
            last_event_id=head.get("last-event-id"),
            accept=head.get("accept"),
            **given,
        )
        if served.whole:
            return Response(await served.read(), served.status, served.headers)
        return ServedResponse(served)

    return chat


def _nothing() -> SendOptions:
    return {}


async def _body(request: Request) -> bytes:
    """The body, as far as the core looks at it: it refuses one that is longer."""
    body = bytearray()
    async for data in request.stream():
        body += data
        if len(body) > MAX_BODY:
            break
    return bytes(body)


def lifespan(
    engine: Engine, *, deadline: float | None = None, rare_gc: bool = False
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """For an application's `lifespan`: opens the engine at its start, and at its end, which SIGTERM is, closes it: turns
    that still run have `deadline` seconds to end, and then are stored as far as they came. `rare_gc` is for a process with
    many streams: whole garbage collections, which stop all of them at once, are ten times rarer meanwhile, and leave out
    what was there at the start."""

    @contextlib.asynccontextmanager
    async def run(_: Starlette) -> AsyncGenerator[None, None]:
        await engine.open()
        try:
            with _rare_gc() if rare_gc else contextlib.nullcontext():
                yield
        finally:
            await engine.close(deadline)

    return run


@contextlib.contextmanager
def _rare_gc() -> Generator[None, None, None]:
    young, middle, old = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, middle, 10 * old)
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)
        gc.unfreeze()


async def websocket(
    ws: WebSocket,
    user: User,
    *,
    frames: Callable[[str, int], AsyncGenerator[str, None]] | None = None,
    unasked: AsyncGenerator[str, None] | None = None,
    keep_alive: float | None = None,
    expires: Callable[[], float] | None = None,
    **options: Unpack[SendOptions],
) -> None:
    """Serves a web socket that was accepted, until it is closed: any number of turns at once, in the frames that the
    core's `wire::ws` describes. `options` hold for every send. A client that goes away stops nothing. With frames of your
    own, `frames` answers one that came, while so many are being answered already: with what `user.frames(…)` gives, in
    words of your own, and `unasked` is what you say by yourself. `expires` gives the Unix time at which the token ends, and
    is asked again when that has come, as a frame may have brought another token: then the socket is closed with 4401, and
    turns go on."""
    answers, writing, room = set[asyncio.Task[None]](), asyncio.Lock(), asyncio.Semaphore(_AT_ONCE)

    def engines(text: str, open: int) -> AsyncGenerator[str, None]:
        return user.frames(text, open=open, keep_alive=keep_alive, **options)

    async def tell(saying: AsyncGenerator[str, None]) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            async with contextlib.aclosing(saying) as given:
                async for frame in given:
                    async with writing:
                        # Another answer may have heard before that nobody is there.
                        if ws.application_state is not WebSocketState.CONNECTED:
                            return
                        await ws.send_text(frame)

    def answered(task: asyncio.Task[None]) -> None:
        answers.discard(task)
        room.release()

    async with asyncio.TaskGroup() as group:
        beside = [tell(unasked)] if unasked else []
        beside += [close_at(ws, expires)] if expires else []
        others = [group.create_task(task) for task in beside]
        while (message := await ws.receive())["type"] == "websocket.receive":
            # Who asks faster than it reads is not read either.
            await room.acquire()
            # What is not text is no command.
            task = group.create_task(tell((frames or engines)(message.get("text") or "", len(answers))))
            answers.add(task)
            task.add_done_callback(answered)
        for task in (*answers, *others):
            task.cancel()
