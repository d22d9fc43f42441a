"""One hub an event loop: the loop watches one socket, and whoever waits is woken by number."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from . import _calls, _native

if TYPE_CHECKING:
    from ._desk import Server

T = TypeVar("T")


class Waiter(Protocol):
    """What a task waits on."""

    def done(self) -> bool:
        """Whether it was woken, or does not wait any more."""
        ...

    def set_result(self, result: Any, /) -> None:
        """Wakes it."""
        ...


class Hub:
    """What all loops have in common. A subclass says how to wait, and how to run things, on its own."""

    __slots__ = ("__weakref__", "native", "servers", "waiters")

    def __init__(self) -> None:
        self.native = _native.Hub.of_loop()
        self.waiters: dict[int, Waiter] = {}
        self.servers: WeakValueDictionary[int, Server] = WeakValueDictionary()

    def parked(self, number: int) -> Awaitable[Any]:
        """What to await for news of this number: a call's outcome, or `None` for what can be polled. Whoever awaits it
        takes it out of `waiters` afterwards, however that ends."""
        raise NotImplementedError

    async def breathe(self) -> None:
        """Lets other tasks have their turn."""
        raise NotImplementedError

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], object]:
        """Runs it in the background; gives what cancels it."""
        raise NotImplementedError

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Runs what blocks."""
        raise NotImplementedError

    def closed(self) -> bool:
        """Whether the loop is gone."""
        raise NotImplementedError

    async def call(
        self, engine: _native.Engine, request: dict[str, Any], hear: _calls.OnProgress | None = None
    ) -> Any:
        """Makes a call: its answer as data, or a stream. One that watches is heard by `hear`."""
        ticket = engine.call(self.native, _calls.text(request))
        parked = self.parked(ticket.id)
        if hear is not None:
            self.waiters[ticket.watch] = Listener(ticket, hear, self.wake)
        try:
            return answer(await parked)
        finally:
            # If its answer is there, this does nothing.
            ticket.abandon()
            del self.waiters[ticket.id]
            self.waiters.pop(ticket.watch, None)

    async def bytes(self, source: _native.Stream | _native.Served) -> bytes:
        """The next bytes of a response; `StopAsyncIteration` where it has ended."""
        try:
            while (data := source.poll_bytes()) is None:
                await self.parked(source.id)
        finally:
            self.waiters.pop(source.id, None)
        if not data:
            raise StopAsyncIteration
        return data

    def wake(self, number: int, outcome: object = None) -> None:
        """Wakes whoever waits for this number."""
        waiter = self.waiters.get(number)
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    def drain(self) -> None:
        """Hands out what has come. The loop calls this."""
        for notice in self.native.drain():
            if isinstance(notice, int):
                # This is the hot path: `wake`, without the call.
                waiter = self.waiters.get(notice)
                if waiter is not None and not waiter.done():
                    waiter.set_result(None)
            elif len(notice) == 2:
                self.wake(*notice)
            elif len(notice) == 4:
                self._asked(*notice)
            else:
                self._forget(*notice)

    def _asked(self, number: int, desk: int, method: str, body: str) -> None:
        server = self.servers.get(desk)
        if server is not None:
            server.asked(self, number, method, json.loads(body))

    def _forget(self, number: int) -> None:
        for server in list(self.servers.values()):
            server.forget(number)


class Listener:
    """Stands among the waiters for as long as a call runs, and passes on how far it has come."""

    __slots__ = ("_fail", "_hear", "_ticket")

    def __init__(
        self, ticket: _native.Ticket, hear: _calls.OnProgress, fail: Callable[[int, object], None]
    ) -> None:
        self._ticket = ticket
        self._hear = hear
        self._fail = fail

    def done(self) -> bool:
        """It hears any number of times."""
        return False

    def set_result(self, _: Any, /) -> None:
        """There is news. If hearing it fails, so does the call."""
        if (progress := self._ticket.progress()) is None:
            return
        try:
            self._hear(*progress)
        except Exception as error:
            self._fail(self._ticket.id, error)


def answer(outcome: Any) -> Any:
    """A call's outcome: raises if it failed, else the stream or the data."""
    if isinstance(outcome, BaseException):
        raise outcome
    return json.loads(outcome) if isinstance(outcome, str) else outcome


class AsyncioHub(Hub):
    """For asyncio, uvloop and whatever else has `add_reader`; and for Windows' proactor, which has not."""

    __slots__ = ("_tasks", "_watch")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            loop.add_reader(self.native.fileno(), self.drain)
        except NotImplementedError:
            self.spawn(self.pump(loop))

    async def pump(self, loop: asyncio.AbstractEventLoop) -> None:
        """Does what `add_reader` would."""
        with socket.socket(fileno=socket.dup(self.native.fileno())) as watched:
            while True:
                await loop.sock_recv(watched, 64)
                self.drain()

    def parked(self, number: int) -> Awaitable[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiters[number] = future
        return future

    async def breathe(self) -> None:
        await asyncio.sleep(0)

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], object]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task.cancel

    async def in_thread(self, work: Callable[[], T]) -> T:
        def worked() -> T:
            try:
                return work()
            except StopIteration as error:
                # No future holds it, so nobody would ever hear of it. A coroutine says the same.
                raise RuntimeError("the function raised StopIteration") from error

        return await asyncio.to_thread(worked)

    def closed(self) -> bool:
        return not any(hub is self and not loop.is_closed() for loop, hub in _hubs.items())


_hubs: WeakKeyDictionary[Any, Hub] = WeakKeyDictionary()


def current() -> Hub:
    """The hub of the loop that runs here."""
    if in_trio():
        from ._trio import hub

        return hub(_hubs)
    loop = asyncio.get_running_loop()
    return _hubs.get(loop) or _hubs.setdefault(loop, AsyncioHub(loop))


def in_trio() -> bool:
    """Whether it is trio that runs here."""
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


def forked() -> None:
    """Lets go of the parent's hubs: their sockets are shared with it."""
    _hubs.clear()
