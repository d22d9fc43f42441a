"""The owner's feed: what happens to the owner's sessions, as it happens."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _calls, _errors, _hub
from ._calls import At, Format
from ._found import News

if TYPE_CHECKING:
    from ._engine import Engine

_OVER = object()


class Feed:
    """What happens to an owner's sessions, in any process: `async for news in user.feed()`. Leaving it (`break`, `aclose`,
    cancellation) ends it, and so does closing the engine, with `ClosedError`. It goes on after number `after`, or begins
    when it is first asked."""

    __slots__ = ("_after", "_at", "_engine", "_news", "_over", "_waiting")

    def __init__(self, engine: Engine, at: At, after: int | None) -> None:
        self._engine = engine
        self._at = at
        self._after = after
        self._news = deque[News]()
        self._waiting: tuple[_hub.Hub, int] | None = None
        self._over = False

    @property
    def after(self) -> int | None:
        """The number of the last news that was given, or after which it began: where another feed goes on."""
        return self._after

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> News:
        while not self._news:
            page = _calls.page(await self._look(_calls.news(self._at, self._after)))
            self._news.extend(page.news)
            self._after = page.after if not page.news else self._after
        news = self._news.popleft()
        self._after = news.n
        return news

    async def _look(self, request: dict[str, Any]) -> Any:
        """One page, as data. An error ends the feed."""
        if self._over:
            raise StopAsyncIteration
        if self._waiting is not None:
            raise _errors.StreamBusyError("another task reads from this feed; open one more instead")
        hub = _hub.current()
        ticket = self._engine._parts.on(lambda: hub).call(hub.native, _calls.text(request))
        self._waiting = (hub, ticket.id)
        try:
            outcome = await hub.parked(ticket.id)
        finally:
            ticket.abandon()
            self._waiting = None
            hub.waiters.pop(ticket.id, None)
        if outcome is _OVER:
            raise StopAsyncIteration
        self._over = isinstance(outcome, BaseException)
        return _hub.answer(outcome)

    async def encoded(self, format: Format | None = None, *, keep_alive: float | None = None) -> AsyncGenerator[bytes, None]:
        """The same as bytes of a format (`sse`, `ndjson`), for a response. It ends when the engine closes; after
        `keep_alive` seconds (15) of silence there is a sign of life."""
        encoding = _calls.encoding(format, None, keep_alive)
        while True:
            try:
                page = await self._look(_calls.news(self._at, self._after, encoding))
            except (StopAsyncIteration, _errors.ClosedError):
                return
            self._after, data = _calls.sent(page)
            if data:
                yield data

    async def aclose(self) -> None:
        """Ends it. A task that waits in it comes to its end."""
        self._over = True
        self._news.clear()
        if self._waiting is not None:
            hub, number = self._waiting
            hub.wake(number, _OVER)

    async def __aenter__(self) -> Feed:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
