"""The loop that runs an application's own code for engines of blocking code: a thread that begins when it is needed."""

from __future__ import annotations

import asyncio
import threading

from . import _hub

_lock = threading.Lock()
_running: _Loop | None = None


class _Loop:
    def __init__(self) -> None:
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="catgpt", daemon=True)
        self._thread.start()
        self._begun.wait()

    async def _main(self) -> None:
        self.hub = _hub.current()
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        await self._over.wait()

    def end(self, seconds: float) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(seconds)


def hub() -> _hub.Hub:
    """The hub of that loop."""
    global _running
    with _lock:
        if _running is None:
            _running = _Loop()
        return _running.hub


def end(seconds: float) -> None:
    """Ends it, at exit."""
    global _running
    if _running is not None:
        _running.end(seconds)
        _running = None


def forked() -> None:
    """The thread is the parent's."""
    global _lock, _running
    _lock, _running = threading.Lock(), None
