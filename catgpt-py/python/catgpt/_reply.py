"""A live subscription to a turn. The turn does not depend on it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any

from . import _calls, _errors, _native
from ._calls import Format
from ._events import Event, Finished, Text, from_json
from ._hub import Hub

_BATCH = _native.Stream.BATCH


class Feed:
    """What an async and a blocking reply have in common: the batch that was polled, and how the turn ended."""

    __slots__ = ("__weakref__", "_batch", "_end", "_full", "_number", "_reading", "_stream")

    def __init__(self, stream: _native.Stream) -> None:
        self._stream = stream
        self._number = stream.id
        self._batch: list[_native.Text | _native.Reasoning | str] = []
        self._full = False
        self._reading = threading.Lock()
        self._end: tuple[str, Finished] | None = None

    @property
    def turn(self) -> str:
        """The turn's id, with which it can be attached to or cancelled from anywhere."""
        return self._stream.turn

    @property
    def session(self) -> str:
        """The id of the turn's session."""
        return self._stream.session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} turn={self.turn!r} session={self.session!r}>"

    def _claim(self) -> None:
        if not self._reading.acquire(blocking=False):
            raise _errors.StreamBusyError("another task reads from this reply; attach to its turn once more instead")

    def _take(self, batch: list[_native.Text | _native.Reasoning | str]) -> None:
        self._full = len(batch) == _BATCH
        batch.reverse()
        self._batch = batch

    def _event(self, text: str) -> Event:
        event = from_json(text, self.turn)
        if isinstance(event, Finished):
            self._end = (text, event)
        return event

    def _result(self) -> Finished:
        if self._end is None:
            raise _errors.ClosedError("this reply was closed before its end", turn=self.turn)
        text, finished = self._end
        failure = _native.failure(text)
        if failure is not None:
            raise _errors.from_json(failure, self.turn)
        return finished

    def _begin_bytes(self, format: Format | None, min_interval: float | None, keep_alive: float | None) -> None:
        if self._batch:
            raise _errors.InvalidInputError("events of this reply were read and not yet used; attach once more instead")
        self._stream.begin_bytes(_calls.text(_calls.encoding(format, min_interval, keep_alive)))


class Reply(Feed):
    """A turn as it happens: `async for event in reply`. The last event is always `Finished`; iterating never raises for
    a turn that failed. Letting go of it (`break`, `aclose`, cancellation) ends the subscription and not the turn, unless
    it was sent with `on_drop="cancel"`."""

    __slots__ = ("_cancel", "_hub")

    def __init__(self, stream: _native.Stream, hub: Hub, cancel: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(stream)
        self._hub = hub
        self._cancel = cancel

    def __aiter__(self) -> Reply:
        return self

    async def __anext__(self) -> Event:
        if not self._batch:
            await self._fill()
        event = self._batch.pop()
        return self._event(event) if isinstance(event, str) else event

    async def _fill(self) -> None:
        self._claim()
        try:
            if self._full:
                await self._hub.breathe()
            while (batch := self._stream.poll()) is None:
                await self._hub.parked(self._number)
        finally:
            self._hub.waiters.pop(self._number, None)
            self._reading.release()
        if not batch:
            raise StopAsyncIteration
        self._take(batch)

    async def text(self) -> str:
        """Reads to the end; all text from here on. Raises if the turn failed or was cut off."""
        pieces = [event.text async for event in self if isinstance(event, Text)]
        self._result()
        return "".join(pieces)

    async def result(self) -> Finished:
        """Reads to the end; how the turn ended. Raises if it failed or was cut off."""
        async for _ in self:
            pass
        return self._result()

    async def cancel(self) -> None:
        """Stops the turn, wherever it runs. The text so far is kept; the events go on to `Finished`."""
        await self._cancel()

    async def aclose(self) -> None:
        """Ends the subscription. A task that waits in it comes to its end."""
        self._batch = []
        self._stream.close()
        self._hub.wake(self._number)

    async def __aenter__(self) -> Reply:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def encoded(
        self, format: Format | None = None, *, min_interval: float | None = None, keep_alive: float | None = None
    ) -> Encoded:
        """The same as bytes of a format (`sse`), for a response: an async iterator. Two writes are `min_interval` seconds
        (0.02) apart at least; after `keep_alive` seconds (15) of silence there is a sign of life."""
        self._begin_bytes(format, min_interval, keep_alive)
        return self._frames()

    def _frames(self) -> Encoded:
        """The bytes of a reply that gives bytes already."""
        return Encoded(self, self._stream, self._hub)


class Encoded(AsyncIterator[bytes]):
    """A reply as the bytes of a format, each item one write."""

    __slots__ = ("_hub", "_reply", "_stream")

    def __init__(self, reply: Reply, stream: _native.Stream, hub: Hub) -> None:
        self._reply = reply
        self._stream = stream
        self._hub = hub

    async def __anext__(self) -> bytes:
        self._reply._claim()
        try:
            return await self._hub.bytes(self._stream)
        finally:
            self._reply._reading.release()

    async def aclose(self) -> None:
        """Ends the subscription."""
        await self._reply.aclose()


class Sending:
    """A reply on its way: `reply = await sending`, or `async with sending as reply`. Nothing is sent before; then it is
    there as soon as the message is committed."""

    __slots__ = ("_begin", "_reply")

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, Reply]]) -> None:
        self._begin = begin
        self._reply: Reply | None = None

    def __await__(self) -> Generator[Any, Any, Reply]:
        return self._begin().__await__()

    async def __aenter__(self) -> Reply:
        self._reply = await self
        return self._reply

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reply is not None:
            await self._reply.aclose()
