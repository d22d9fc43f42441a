"""The HTTP API: a request as the core reads it, and its response, whose body comes piece by piece."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any

from . import _calls, _hub, _native, _process
from ._calls import At, SendOptions

MAX_BODY = _native.MAX_BODY


def request(
    at: At,
    method: str,
    path: str,
    query: str,
    body: str | bytes,
    last_event_id: str | None,
    accept: str | None,
    options: SendOptions,
) -> dict[str, Any]:
    """A request, as a call."""
    told = {"method": method, "path": path, "query": query, "body": _calls.body(body)}
    told |= {name: value for name, value in {"last_event_id": last_event_id, "accept": accept}.items() if value is not None}
    return at.call("serve", request=told, options=_calls.options(options))


class Head:
    """What comes before the body."""

    __slots__ = ("_served", "headers", "status", "whole")

    def __init__(self, served: _native.Served) -> None:
        head: dict[str, Any] = json.loads(served.head)
        self._served = served
        self.status: int = head["status"]
        """The status."""
        self.headers: dict[str, str] = dict(head["headers"])
        """The headers, by names in lower case."""
        self.whole: bool = head["whole"]
        """Whether the body is there already, and not a stream."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} status={self.status}>"


class Served(Head, AsyncIterator[bytes]):
    """A response: `async for data in response`, or `await response.read()`. An error in between says that the rest is
    missing. Letting go of it ends a subscription, and never a turn."""

    __slots__ = ("_hub",)

    def __init__(self, served: _native.Served, hub: _hub.Hub) -> None:
        super().__init__(served)
        self._hub = hub

    async def __anext__(self) -> bytes:
        return await self._hub.bytes(self._served)

    async def read(self) -> bytes:
        """All of the body."""
        return b"".join([data async for data in self])

    async def aclose(self) -> None:
        """Ends it. A task that waits in it comes to its end."""
        self._served.close()
        self._hub.wake(self._served.id)

    async def __aenter__(self) -> Served:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class ServedSync(Head, Iterator[bytes]):
    """The same for blocking code: `for data in response`, as WSGI wants it."""

    __slots__ = ("_hub",)

    def __init__(self, served: _native.Served, hub: _native.Hub) -> None:
        super().__init__(served)
        self._hub = hub

    def __next__(self) -> bytes:
        while (data := self._served.poll_bytes()) is None:
            # Another thread may close it, which nobody tells: so it is looked at again after each slice.
            _process.block(self._hub, self._served.id, _process.SLICE_MS)
        if not data:
            raise StopIteration
        return data

    def read(self) -> bytes:
        """All of the body."""
        return b"".join(self)

    def close(self) -> None:
        """Ends it."""
        self._served.close()

    def __enter__(self) -> ServedSync:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
