"""What the tests share."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import uvicorn
from catgpt import Hook, Message, Part, RefusedError, Source, TurnAt
from starlette.applications import Starlette

PATIENCE = 10.0
"""Seconds that a test waits for what should happen at once."""


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes a test of a coroutine function, with an end."""

    @functools.wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 60))

    return wrapped


async def settled(condition: Callable[[], bool]) -> None:
    """Waits until it holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "this never came to be"
        await asyncio.sleep(0.001)


class Described(Hook):
    """The hook that a scenario describes."""

    def __init__(self, sources: list[dict[str, Any]] | None = None, forbidden: str | None = None) -> None:
        self.sources, self.forbidden = [Source(**source) for source in sources or []], forbidden

    def _judge(self, parts: list[Part]) -> None:
        if self.forbidden and any(part["type"] == "text" and self.forbidden in part["text"] for part in parts):
            raise RefusedError("a hook refuses this")

    async def before_prompt(self, at: TurnAt, branch: list[Message]) -> list[Source]:
        self._judge(branch[-1].content)
        return self.sources

    async def on_deltas(self, at: TurnAt, parts: list[Part]) -> None:
        self._judge(parts)


@contextlib.asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Serves an application on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    running = asyncio.create_task(server.serve())
    await settled(lambda: server.started)
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
