"""The hub of a trio run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from typing import Any, TypeVar

import trio

from ._hub import Hub

T = TypeVar("T")


class _Waiter:
    __slots__ = ("event", "outcome")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.outcome: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from self.event.wait().__await__()
        return self.outcome

    def done(self) -> bool:
        return self.event.is_set()

    def set_result(self, result: Any, /) -> None:
        self.outcome = result
        self.event.set()


class TrioHub(Hub):
    """For trio. Everything here runs in its thread."""

    __slots__ = ("_over",)

    def __init__(self) -> None:
        super().__init__()
        self._over = False
        trio.lowlevel.spawn_system_task(self._pump)

    async def _pump(self) -> None:
        try:
            while True:
                await trio.lowlevel.wait_readable(self.native.fileno())
                self.drain()
        finally:
            self._over = True

    def parked(self, number: int) -> Awaitable[Any]:
        waiter = self.waiters[number] = _Waiter()
        return waiter

    async def breathe(self) -> None:
        await trio.lowlevel.checkpoint()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], object]:
        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                await work

        trio.lowlevel.spawn_system_task(run)
        return scope.cancel

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work)

    def closed(self) -> bool:
        return self._over


def hub(known: MutableMapping[Any, Hub]) -> Hub:
    """The hub of the run that is going on."""
    token = trio.lowlevel.current_trio_token()
    if token not in known:
        known[token] = TrioHub()
    return known[token]
