"""What belongs to the process: the parts of its engines, forks, and the end."""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict
from weakref import WeakSet

from . import _background, _calls, _hub, _log, _native
from ._calls import Cache, Encryption, Summaries, Titles
from ._desk import ChatModel, Memory, Server
from ._hooks import Hook, Hooks
from ._limits import Limit, Price
from ._models import Model, Own
from ._persona import Persona, who
from ._tools import Given, Tools

SLICE_MS = 50
"""How long a thread waits before it looks for Ctrl-C."""
_EXIT_MS = 2_000
"""How long the end of the process waits for each engine, and for the runtime."""


class EngineOptions(TypedDict, total=False):
    """What an engine is made of. What is left out is as the core has it."""

    model: Model | Mapping[str, Model] | None
    """A model's name (`gpt-4o-mini`, `anthropic:claude-sonnet-4-5`, `responses:gpt-5`, `offline` for the built-in cat), one with
    settings of its own (`Anthropic(thinking=4096)`), or a model of your own; or several, `{"image": Images(), "*": "gpt-4o"}`,
    of which `send(model=…)` chooses one by its name or the beginning of it (`gpt-*`). Left out: `OPENAI_MODEL`."""
    base_url: str | None
    """The model's endpoint. Left out: `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL`, else the provider's own. Of several models it
    is OpenAI's."""
    api_key: str | None
    """Left out: `OPENAI_API_KEY`, or `ANTHROPIC_API_KEY`. Of several models it is OpenAI's."""
    memory: str | Memory | None
    """A URL (`memory:`, `sqlite:chat.db`, `postgres://…`) or a store of your own."""
    live: str | None
    """The URL of a Redis (`redis://…`), where other processes see replies grow."""
    hooks: Sequence[Hook] | None
    """The application's own code at four places of each turn, asked in this order."""
    tools: Sequence[Given] | None
    """What the model may ask for: functions with type hints and a docstring, or a `Tool` each."""
    max_steps: int | None
    """How often the model is asked at most in one turn: once, and once more after each round of tools."""
    persona: Persona | str | None
    """Who answers, in sessions that have no persona of their own."""
    window_messages: int | None
    """How many messages the model is sent at most."""
    window_tokens: int | None
    """How many tokens the model is sent at most."""
    window_keep: int | None
    """How much of that stays filled, in percent, when older turns are let go of. They go in chunks, so that most prompts
    begin as the one before did, and the provider's cache serves them."""
    titles: Titles | bool | None
    """With `True`, or with what is to be otherwise, a model makes a title of each session's first message, beside the turn.
    Left out: the beginning of the message is the title, which costs nothing."""
    summaries: Summaries | bool | None
    """With `True`, or with what is to be otherwise, a model sums up the beginning of conversations that grow out of the
    window, beside the turns. Left out: what is too far back is not sent."""
    attempts: int | None
    """How often the model is asked at most before anything was shown."""
    retry_base: float | None
    """The first pause between two attempts, in seconds."""
    lease: float | None
    """For how many seconds a turn is believed alive after its last checkpoint."""
    session_ttl: float | None
    """After how many seconds without a change new sessions are deleted. Left out: never."""
    encryption: str | Path | Encryption | None
    """Encrypts what is stored, with these keys: the path of a file of keys, or a text of them. Left out: it is stored as it
    is. There is no search then."""
    search: bool | None
    """Whether messages are made findable. Left out: yes."""
    cache: Cache | None
    """With one (`{}` is one) the same request is answered again for nothing. For demos and tests: owners share it, and a
    conversation seldom asks the same thing twice."""
    prices: Mapping[str, Price] | None
    """What models cost, by name (`gpt-4o*` stands for all that begin so). None is built in. With it replies and the ledger
    tell their cost."""
    limits: Sequence[Limit] | None
    """How much may be used."""
    max_running: int | None
    """How many turns of one owner may run at once, in all processes. Left out: any number."""
    record_content: bool | None
    """Whether messages are told to the log, at the level of `logging.INFO`. Left out: no."""


class Parts:
    """The native engine, and the application's own code that it asks."""

    def __init__(self, options: EngineOptions) -> None:
        named: dict[str, Any] = dict(options)
        own: dict[str, Any] = {}
        self.servers: list[Server] = []
        models, memory = Own(self._desk), options.get("memory")
        named["model"] = models.named(options.get("model"))
        own["models"] = models.models
        if isinstance(memory, Memory):
            own["memory"] = (self._desk(memory), _caps(memory))
            del named["memory"]
        if hooks := named.pop("hooks", None):
            code = Hooks(hooks)
            own["hooks"] = (self._desk(code), code.asks())
        if tools := named.pop("tools", None):
            able = Tools(tools)
            own["tools"] = (self._desk(able), able.specs())
        for name in ("retry_base", "lease", "session_ttl"):
            named[name + "_ms"] = _calls.milliseconds(named.pop(name, None))
        named |= {"persona": who(options.get("persona")), "cache": _calls.cache(options.get("cache"))}
        titles, summaries = _calls.job(options.get("titles")), _calls.job(options.get("summaries"))
        named |= {"titles": titles, "summaries": summaries}
        if isinstance(keys := options.get("encryption"), Path):
            named["encryption"] = str(keys)
        named["limits"] = _calls.limits(options.get("limits"))
        self.native = _native.Engine(_calls.text(named), **own)

    def _desk(self, code: ChatModel | Memory | Hooks | Tools) -> _native.Desk:
        self.servers.append(Server(code))
        return self.servers[-1].desk

    def on(self, hub: Callable[[], _hub.Hub]) -> _native.Engine:
        """The engine, for a call; this hub's loop runs the application's own code, if there is some."""
        _open.add(self)
        _log.follow()
        for server in self.servers:
            server.serve(hub())
        return self.native


def _caps(memory: Memory) -> str:
    times = _calls.times(lease_ms=memory.lease, poll_ms=memory.poll, timeout_ms=memory.timeout)
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
    _log.end(_EXIT_MS / 1000)
    _native.shutdown(_EXIT_MS)


def _forked() -> None:
    _native.forked()
    _hub.forked()
    _background.forked()
    _log.forked()
    for parts in list(_open):
        for server in parts.servers:
            server.hub = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_native.before_fork, after_in_parent=_native.after_fork, after_in_child=_forked)
