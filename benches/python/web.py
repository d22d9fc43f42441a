"""FastAPI applications that stream and store, against those of the tutorials: CPU of the server an event."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop
from kit import cpu_of, model_server, percentile

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"


@dataclass(frozen=True)
class App:
    """An application, and how it is asked."""

    name: str
    folder: Path
    target: str
    path: str
    session: str | None
    """The field of a request that names the conversation."""
    events: bool
    """Whether it sends events; else plain text."""
    against: str | None = None
    """With what it is compared: one that is measured before it."""


APPS = [
    App("tutorial, SSE", HERE, "apps:tutorial", "/chat", "session_id", True),
    App("endpoint", HERE, "apps:ours", "/chat", "session_id", True, "tutorial, SSE"),
    App("catgpt-fastapi", EXAMPLES / "catgpt-fastapi/backend", "main:app", "/chat", "sessionId", True, "tutorial, SSE"),
    App("tutorial, text", HERE, "apps:tutorial", "/api/chat", "session_id", False),
    App("mychatgpt", EXAMPLES / "mychatgpt/backend", "main:app", "/api/chat", None, False, "tutorial, text"),
]


@dataclass(frozen=True)
class Shape:
    """What is asked of an application."""

    name: str
    clients: int
    turns: int
    events: int
    """Of a turn."""
    pause: int
    """Milliseconds between two."""
    apart: float | None = None
    """Seconds between two writes at least, where that is not as usual. Only our applications can do this."""
    within: float = 0
    """Seconds in which the clients arrive, one after another."""


SHAPES = [
    Shape("burst", 1, 40, 2_000, 0),
    Shape("100 x 50/s", 100, 1, 500, 20),
    Shape("1000 x 50/s", 1_000, 1, 500, 20, apart=0.06, within=3),
]
STAMPS = {True: re.compile(rb'"text":\s*"((?:\d{16})+)"'), False: re.compile(rb"\r\n((?:\d{16})+)\r\n")}
END = b"\r\n0\r\n\r\n"


class Client(asyncio.Protocol):
    """Sends turns one after another over one connection. It shares the machine with the server, so it does little."""

    def __init__(self, app: App, shape: Shape, number: int) -> None:
        self.app, self.shape, self.number = app, shape, number
        self.late: list[float] = []
        self.whole = 0

    async def run(self, port: int) -> None:
        """All its turns."""
        await asyncio.sleep(self.shape.within * self.number / self.shape.clients)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", port)
        for turn in range(self.shape.turns):
            self.answered = loop.create_future()
            self.tail, self.found, self.finished, self.stamps = b"", False, not self.app.events, 0
            transport.write(self.request(turn))
            self.whole += await self.answered
        transport.close()

    def request(self, turn: int) -> bytes:
        said = {"message": "Hi", self.app.session or "key": f"{self.number}-{turn}"}
        body = json.dumps(said).encode()
        head = f"POST {self.app.path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    def data_received(self, more: bytes) -> None:
        """Some of an answer, and perhaps its end."""
        now = time.time() * 1e6
        self.found = self.found or more.startswith(b"HTTP/1.1 200")
        self.finished = self.finished or b'"finished"' in self.tail + more
        for run in STAMPS[self.app.events].findall(more) if self.shape.pause else ():
            self.stamps += len(run) // 16
            self.late.extend(now - int(run[at : at + 16]) for at in range(0, len(run), 16))
        self.tail = (self.tail + more)[-64:]
        if self.tail.endswith(END):
            self.over()

    def connection_lost(self, exc: Exception | None) -> None:
        """The rest will not come."""
        self.over()

    def over(self) -> None:
        """Whether it was whole. A stamp that two reads share is not looked at, which is seldom."""
        enough = not self.shape.pause or self.stamps > self.shape.events * 0.9
        if not self.answered.done():
            self.answered.set_result(self.found and self.finished and enough and self.tail.endswith(END))


def environment(shape: Shape, url: str, store: str) -> dict[str, str]:
    """What the applications are told: the same model, a store each, no limit that this load reaches."""
    model = f"mock,n={shape.events},d={shape.pause}" + (",ts=1" if shape.pause else "")
    bench = {"BENCH_URL": url, "BENCH_MODEL": model, "BENCH_STORE": store, "PYTHON_DOTENV_DISABLED": "1"}
    openai = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k", "OPENAI_MODEL": model, "TITLE_MODEL": "mock,n=4"}
    stores = {"DATABASE_URL": f"sqlite:{store}/cat.db", "SQLITE_URL": f"sqlite:{store}/chat.db"}
    pace = {} if shape.apart is None else {"MIN_INTERVAL": str(shape.apart)}
    return {**os.environ, **bench, **openai, **stores, **pace, "RATE_LIMIT": "1000000/day"}


def measure(app: App, shape: Shape, url: str) -> float:
    """µs an event; also told on a line, with what the clients saw."""
    with tempfile.TemporaryDirectory() as store:
        command = [sys.executable, "-W", "ignore", "-m", "uvicorn", app.target, "--port", "8765", "--loop", "uvloop"]
        command += ["--log-level", "critical", "--timeout-graceful-shutdown", "2"]
        clients = [Client(app, shape, number) for number in range(shape.clients)]
        with subprocess.Popen(command, cwd=app.folder, env=environment(shape, url, store)) as server:
            try:
                uvloop.run(up(8765))
                before, begun = cpu_of(server.pid), time.monotonic()
                uvloop.run(load(clients, 8765))
                used, took = cpu_of(server.pid) - before, time.monotonic() - begun
            finally:
                server.terminate()
    cost = used / (shape.clients * shape.turns * shape.events) * 1e6
    late = [delay / 1e3 for client in clients for delay in client.late]
    delay = f"  p50 {percentile(late, 0.5):6.1f} ms  p99 {percentile(late, 0.99):6.1f} ms" if late else ""
    whole = f"{sum(client.whole for client in clients)} of {shape.clients * shape.turns} turns whole"
    print(f"  {app.name:15} {cost:8.2f} µs  {whole} in {took:5.1f} s{delay}", flush=True)
    return cost


async def load(clients: list[Client], port: int) -> None:
    """All clients at once; one that fails is told by its turns."""
    await asyncio.gather(*(client.run(port) for client in clients), return_exceptions=True)


async def up(port: int) -> None:
    """Waits until it listens."""
    for _ in range(1_000):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            return writer.close()
        except OSError:
            await asyncio.sleep(0.02)
    raise SystemExit("the server does not start")


def main() -> None:
    """All shapes, or those that are named."""
    with model_server() as url:
        for shape in SHAPES:
            if len(sys.argv) > 1 and shape.name not in sys.argv[1:]:
                continue
            print(f"{shape.name}: CPU of the server an event")
            costs: dict[str, float] = {}
            for app in APPS if shape.apart is None else [app for app in APPS if app.folder != HERE]:
                costs[app.name] = measure(app, shape, url)
                if app.against in costs:
                    print(f"  {'':15} {costs[app.against] / costs[app.name]:8.1f} times less than {app.against}")


if __name__ == "__main__":
    main()
