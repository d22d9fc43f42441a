"""What belongs to the process: the parts of its engines, forks, and the end."""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from . import _background, _calls, _hub, _native
from ._desk import ChatModel, Memory, Server
from ._persona import Persona, who
from .testing import Scripted

SLICE_MS = 50
"""How long a thread waits before it looks for Ctrl-C."""
_EXIT_MS = 2_000
"""How long the end of the process waits for each engine, and for the runtime."""


class Parts:
    """The native engine, and the application's own code that it asks."""

    def __init__(
        self,
        model: str | ChatModel | Scripted | None,
        memory: str | Memory | None,
        persona: Persona | str | None,
        *,
        retry_base: Any,
        lease: Any,
        **named: Any,
    ) -> None:
        times = {"retry_base_ms": _calls.milliseconds(retry_base), "lease_ms": _calls.milliseconds(lease)}
        own: dict[str, Any] = {}
        self.servers: list[Server] = []
        if isinstance(model, ChatModel):
            limits = {"first_ms": model.first_timeout, "idle_ms": model.idle_timeout}
            own["model"] = (self._desk(model), model.name, _times(limits))
        elif isinstance(model, Scripted):
            own["play"] = model._play
        else:
            named["model"] = model
        if isinstance(memory, Memory):
            own["memory"] = (self._desk(memory), _caps(memory))
        else:
            named["memory"] = memory
        self.native = _native.Engine(_calls.text({**named, **times, "persona": who(persona)}), **own)

    def _desk(self, code: ChatModel | Memory) -> _native.Desk:
        self.servers.append(Server(code))
        return self.servers[-1].desk

    def on(self, hub: Callable[[], _hub.Hub]) -> _native.Engine:
        """The engine, for a call; this hub's loop runs the application's own code, if there is some."""
        _open.add(self)
        for server in self.servers:
            server.serve(hub())
        return self.native


def _times(seconds: dict[str, float | None]) -> str:
    return _calls.text({name: _calls.milliseconds(value) for name, value in seconds.items()})


def _caps(memory: Memory) -> str:
    times = json.loads(_times({"lease_ms": memory.lease, "poll_ms": memory.poll, "timeout_ms": memory.timeout}))
    return json.dumps({"durable": memory.durable, "shared": memory.shared, **times})


_open: WeakSet[Parts] = WeakSet()
"""What may have to be closed at exit."""


def closed(parts: Parts) -> None:
    """This one need not."""
    _open.discard(parts)


def block(
    hub: _native.Hub, number: int, most_ms: int | None = None, hear: Callable[[int], None] | None = None
) -> Any:
    """Waits in this thread, free of the interpreter, for news of a number. Ctrl-C is heard between two slices. `hear` is
    told the other numbers that have news."""
    waited = 0
    while most_ms is None or waited < most_ms:
        hub.wait(SLICE_MS)
        waited += SLICE_MS
        for notice in hub.drain():
            if notice == number:
                return None
            if isinstance(notice, tuple) and len(notice) == 2 and notice[0] == number:
                return notice[1]
            if hear is not None and isinstance(notice, int):
                hear(notice)
    return None


@atexit.register
def _exit() -> None:
    for parts in list(_open):
        for server in parts.servers:
            if server.hub is None or server.hub.closed():
                server.desk.leave()
        hub = _native.Hub.of_thread()
        ticket = parts.native.call(hub, '{"do":"close","deadline_ms":0}')
        block(hub, ticket.id, _EXIT_MS)
    _background.end(_EXIT_MS / 1000)
    _native.shutdown(_EXIT_MS)


def _forked() -> None:
    _native.forked()
    _hub.forked()
    _background.forked()
    for parts in list(_open):
        for server in parts.servers:
            server.hub = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_native.before_fork, after_in_parent=_native.after_fork, after_in_child=_forked)
