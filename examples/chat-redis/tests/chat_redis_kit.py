"""What the tests share: replicas as processes of their own, guests, and their sockets."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import websockets

FOLDER = Path(__file__).parents[1]
PATIENCE = 30.0
SECRET = "not-a-secret-but-long-enough-for-a-test"


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes a test of a coroutine function, with an end."""

    @functools.wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 90))

    return wrapped


async def settled(condition: Callable[[], Coroutine[Any, Any, Any]], patience: float = PATIENCE) -> Any:
    """Waits until it gives something, and gives that."""
    async with asyncio.timeout(patience):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


def server(name: str) -> str:
    """Where a server of `cargo xtask servers` is."""
    url = os.environ.get(name)
    assert url, f"{name} is not set: run `cargo xtask servers` and your command"
    return url


def free_port() -> int:
    """One that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Replica:
    """The application, as `python -m app.main` starts it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port, self.log = free_port(), folder / "log"
        names = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
        inherited = {name: value for name in names if (value := os.environ.get(name))}
        path = {"PYTHONPATH": os.pathsep.join([str(FOLDER), inherited.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
        given = {"PORT": str(self.port), "SECRET_KEY": SECRET, "WEB_DIST": str(folder / "none"), "HOME": str(folder)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.main"],
                cwd=folder, env={**inherited, **path, **given, **environment}, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """Waits until it answers."""

        async def healthy() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            try:
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{self.url}/health")).status_code == 200
            except httpx.TransportError:
                return False

        await settled(healthy)

    def end(self, with_signal: int = signal.SIGKILL) -> None:
        """Ends it, and waits for that."""
        self.process.send_signal(with_signal)
        self.process.wait(PATIENCE)


@asynccontextmanager
async def replicas(folder: Path, *each: dict[str, str]) -> AsyncIterator[list[Replica]]:
    """Some of them, at the same time."""
    started = []
    try:
        for number, environment in enumerate(each):
            place = folder / str(number)
            place.mkdir(exist_ok=True)
            started.append(Replica(place, **environment))
        await asyncio.gather(*(replica.ready() for replica in started))
        yield started
    finally:
        for replica in started:
            replica.end()


class Guest:
    """Somebody with a token, at any replica."""

    def __init__(self, issued: dict[str, Any]) -> None:
        self.id, self.token = issued["user_id"], issued["access_token"]

    @classmethod
    async def at(cls, replica: Replica) -> Guest:
        """A new one."""
        async with httpx.AsyncClient(base_url=replica.url) as client:
            return cls((await client.post("/auth/guest")).json())

    def http(self, replica: Replica) -> httpx.AsyncClient:
        """For requests."""
        return httpx.AsyncClient(base_url=replica.url, headers={"authorization": f"Bearer {self.token}"}, timeout=PATIENCE)

    def socket(self, replica: Replica, path: str | None = None, **options: Any) -> Socket:
        """For frames, as a browser opens it."""
        url = f"ws://127.0.0.1:{replica.port}/ws/{self.id if path is None else path}"
        subprotocols = [websockets.Subprotocol(name) for name in ("catgpt", self.token)]
        return Socket(websockets.connect(url, subprotocols=subprotocols, **options))

    async def chat(self, replica: Replica, chat: str) -> dict[str, Any]:
        """A chat, as `GET /api/chats/{chat_id}` tells it."""
        async with self.http(replica) as http:
            found: dict[str, Any] = (await http.get(f"/api/chats/{chat}")).raise_for_status().json()
            return found


class Socket:
    """A socket, and all frames that came over it."""

    def __init__(self, connecting: websockets.connect) -> None:
        self._connecting = connecting
        self.seen: list[dict[str, Any]] = []

    async def __aenter__(self) -> Socket:
        self.ws = await self._connecting
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ws.close()

    async def send(self, action: str, **fields: Any) -> None:
        """Sends a frame."""
        await self.ws.send(json.dumps({"action": action, **fields}))

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        frame: dict[str, Any] = json.loads(await asyncio.wait_for(self.ws.recv(), PATIENCE))
        self.seen.append(frame)
        return frame

    async def until(self, type: str, task: str | None = None) -> list[dict[str, Any]]:
        """All frames up to the first of a type, and of a task."""
        frames = [await self.next()]
        while frames[-1]["type"] != type or (task and frames[-1]["task_id"] != task):
            frames.append(await self.next())
        return frames

    async def begin(self, content: str, chat: str | None = None, **more: Any) -> dict[str, Any]:
        """Says something; the frame that says it is stored."""
        await self.send("send_message", chat_id=chat, content=content, **more)
        return (await self.until("message"))[-1]

    async def text_until(self, end: str, text: str = "") -> str:
        """Reads tokens until the text ends so."""
        while not text.endswith(end):
            text += (await self.until("token"))[-1]["token"]
        return text


def text(frames: list[dict[str, Any]], task: str) -> str:
    """The text of a task's tokens, whose offsets must fit."""
    said, end = "", None
    for frame in frames:
        if frame["type"] == "token" and frame["task_id"] == task:
            size = len(frame["token"].encode())
            assert end is None or frame["offset"] == end + size, "a gap or a repetition"
            said, end = said + frame["token"], frame["offset"]
    return said
