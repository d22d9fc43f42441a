"""What the tests share: the application on a port of its own, and a client that speaks its frames."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from catgpt import ChatModel, Request
from catgpt.testing import Scripted
from main import create_app
from settings import Settings
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

PATIENCE = 10.0
"""Seconds that a test waits for what should happen at once."""
GATED: list[str | dict[str, Any]] = ["Hello ", {"gate": "g"}, "world", {"finish": "stop"}]
SECRET = "a secret that is longer than thirty-two bytes"

Frame = dict[str, Any]


class Echo(ChatModel):
    """Says the question again, a letter at a time, so that answers that mix are seen."""

    name = "echo"

    async def stream(self, request: Request) -> AsyncIterator[str]:
        for part in request.messages[-1]["content"]:
            for letter in part["text"] if part["type"] == "text" else "":
                yield letter
                await asyncio.sleep(0)


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes a test of a coroutine function, with an end."""

    @functools.wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 60))

    return wrapped


async def settled(condition: Callable[[], bool | Coroutine[Any, Any, bool]]) -> None:
    """Waits until it holds."""
    end = time.monotonic() + PATIENCE
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert time.monotonic() < end, "this never came to be"
        await asyncio.sleep(0.005)


def settings(folder: Path, **given: Any) -> Settings:
    """Those of a test: nothing is read from a file, and all is kept in the test's folder."""
    plain = {"secret_key": SECRET, "database_url": f"sqlite:{folder / 'chat.db'}", "accounts_db": folder / "accounts.db"}
    more: dict[str, Any] = {"redis_url": None, "openai_api_key": None, "openai_base_url": None, "allowed_origins": ""}
    more |= {"web_dist": folder / "dist", "log_level": "WARNING", "turns_per_minute": 1000, "tokens_per_day": 10**9}
    return Settings(_env_file=None, **{**plain, **more, **given})  # type: ignore[call-arg]


@contextlib.asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """Serves an application on a free port."""
    config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await settled(lambda: server.started)
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


class Browser:
    """A person's browser: HTTP with the token that it has, and sockets."""

    def __init__(self, host: str, http: httpx.AsyncClient) -> None:
        self.host, self.http, self.user = host, http, ""

    async def visit(self, path: str = "/auth/guest", **person: str) -> httpx.Response:
        """Asks for a token, and uses it from now on."""
        answer = await self.http.post(path, json=person or None)
        if answer.status_code == 200:
            self.user = answer.json()["user_id"]
            self.http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    @property
    def token(self) -> str:
        return self.http.headers["authorization"].removeprefix("Bearer ")

    @contextlib.asynccontextmanager
    async def socket(self, token: str | None = None, **options: Any) -> AsyncIterator[Chat]:
        protocols = [Subprotocol("catgpt"), Subprotocol(self.token if token is None else token)]
        async with connect(f"ws://{self.host}/ws", subprotocols=protocols, **options) as ws:
            yield Chat(ws)

    async def messages(self, conversation: str) -> list[tuple[str, str, str]]:
        """What is stored: role, status and text."""
        answer = (await self.http.get(f"/api/sessions/{conversation}/messages")).raise_for_status().json()
        return [(one["role"], one["status"], "".join(part["text"] for part in one["content"])) for one in answer["messages"]]


class Chat:
    """A socket, and all that came over it."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.came: list[Frame] = []

    async def say(self, type: str, request: str = "r", **fields: Any) -> None:
        """A frame with a `type` and a `requestId`."""
        await self.ws.send(json.dumps({"type": type, "requestId": request, **fields}))

    async def until(self, enough: Callable[[Frame], Any]) -> Frame:
        """Reads up to the first frame of which it holds."""
        while True:
            frame: Frame = json.loads(await asyncio.wait_for(self.ws.recv(), PATIENCE))
            if frame != {"keepAlive": True}:
                self.came.append(frame)
            if enough(frame):
                return frame

    async def hear(self, request: str = "r") -> Frame:
        """Reads up to the end of what a request is answered: `done`, `pong`, an error, or the event `finished`."""
        return await self.until(lambda frame: frame.get("requestId") == request and over(frame))

    async def ask(self, content: str, conversation: str | None = None, request: str = "r", **more: Any) -> Frame:
        """Says something, and reads to the end of its answer."""
        await self.say("message", request, conversationId=conversation, content=content, **more)
        return await self.hear(request)

    def text(self, request: str = "r") -> str:
        """What a request was told."""
        return "".join(frame.get("content", "") for frame in self.came if frame.get("requestId") == request)


def over(frame: Frame) -> bool:
    """Whether this is the end of an answer."""
    ended = frame.get("event", {}).get("type") == "finished"
    return ended or any(word in frame for word in ("done", "pong", "error"))


@contextlib.asynccontextmanager
async def browsing(folder: Path, model: ChatModel | Scripted, **given: Any) -> AsyncIterator[Browser]:
    """The application with this model, and a guest in his browser."""
    async with listening(create_app(settings(folder, **given), model)) as host, another(host) as browser:
        yield browser


@contextlib.asynccontextmanager
async def another(host: str) -> AsyncIterator[Browser]:
    """A guest in another browser."""
    async with httpx.AsyncClient(base_url=f"http://{host}", timeout=PATIENCE) as http:
        browser = Browser(host, http)
        await browser.visit()
        yield browser
