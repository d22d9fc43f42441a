"""What the adapters share: whose conversations they keep, and how what belongs to another library stands in a message.

A message shows what the engine has words for: texts, pictures, calls. Beside that it holds one part of the other library's,
with all that it gave, as JSON. A long string stands once: cut out of that JSON, it is put back from the part that shows it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from .._append import NewMessage
from .._data import Message
from .._engine import Engine, Session
from .._errors import NotFoundError

T = TypeVar("T")
Path = list[str | int]

ALL = 2**32 - 1
"""More messages than one look gives."""

_engines: dict[str, Engine] = {}


def engine_of(memory: str) -> Engine:
    """The engine on this store for those who have none. All of a process share it, but for a store that is only in memory;
    it is closed with the process."""
    if memory == "memory:":
        return Engine(model="offline", memory=memory)
    return _engines.setdefault(memory, Engine(model="offline", memory=memory))


class Shown(NamedTuple):
    """A part that shows something, and where its string stands in what it was made of; `None`: it is not one of those."""

    part: dict[str, Any]
    path: Path | None = None


STRINGS = {"text": "text", "reasoning": "text", "image": "url", "tool_result": "output"}
"""Where the string of a part is that shows one."""


def text(words: str, path: Path | None) -> Shown:
    """A text that is shown."""
    return Shown({"type": "text", "text": words}, path)


def arguments(given: Any) -> Any:
    """A call's arguments, as the engine has them: what they say in JSON, else as they are."""
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return given


def pack(provider: str, whole: Any, shown: list[Shown], **facts: Any) -> list[dict[str, Any]]:
    """The parts of a message for what another library gave."""
    kinds = [part["type"] for part, _ in shown]
    # The store puts neighbouring texts together, and keeps only what is Unicode.
    apart = all(one != other or one not in ("text", "reasoning") for one, other in zip(kinds, kinds[1:], strict=False))
    whole = json.loads(json.dumps(whole))
    cut: list[Path | None] = []
    for part, path in shown:
        string = part[STRINGS[part["type"]]] if path and apart else None
        if path and isinstance(string, str) and is_unicode(string):
            _place(whole, path)[path[-1]] = None
            cut.append(path)
        else:
            cut.append(None)
    rest = {"v": 1, "json": json.dumps(whole, separators=(",", ":")), "cut": cut, **facts}
    return [*(cleaned(part) for part, _ in shown), {"type": "provider", "provider": provider, "value": rest}]


def unpack(provider: str, message: Message) -> tuple[Any, Mapping[str, Any]] | None:
    """What was given, and the facts beside it; `None` for a message of somebody else's."""
    parts: list[Any] = list(message.content)
    if not parts or parts[-1]["type"] != "provider" or parts[-1]["provider"] != provider:
        return None
    facts = parts[-1]["value"]
    whole = json.loads(facts["json"])
    for part, path in zip(parts, facts["cut"], strict=False):
        if path:
            _place(whole, path)[path[-1]] = part[STRINGS[part["type"]]]
    return whole, facts


def _place(whole: Any, path: Path) -> Any:
    for step in path[:-1]:
        whole = whole[step]
    return whole


def is_unicode(string: str) -> bool:
    """Whether the store can keep it: half of a pair is no character."""
    return not any("\ud800" <= char <= "\udfff" for char in string)


def cleaned(part: Any) -> Any:
    """The same with a mark in the place of what is not Unicode."""
    if isinstance(part, str):
        return part.encode(errors="replace").decode()
    if isinstance(part, list):
        return [cleaned(one) for one in part]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(part, dict):
        return {cleaned(name): cleaned(one) for name, one in part.items()}  # pyright: ignore[reportUnknownVariableType]
    return part


async def settled(change: Coroutine[Any, Any, T]) -> T:
    """Waits for a change also where the caller is cancelled meanwhile: who is told so knows what became of it."""
    task = asyncio.ensure_future(change)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def message(role: Any, content: list[dict[str, Any]], **more: Any) -> NewMessage:
    """A message on its way into a session."""
    return cast(NewMessage, {"role": role, "content": content, **more})


async def newest(
    session: Session, read: Callable[[Message], T | None], count: int | None, head: int | None = None
) -> list[tuple[Message, T]]:
    """The newest of a branch (`None`: the one that is shown) that can be read so, oldest first: all of them, or `count`.
    Nothing where there is no session."""
    found: list[tuple[Message, T]] = []
    last = ALL if count is None else min(max(count, 1), ALL)
    try:
        rows = await session.history(last) if head is None else (await session.page(head, last)).messages
        while True:
            some = ((row, read(row)) for row in rows if row.status != "running")
            found = [(row, one) for row, one in some if one is not None] + found
            if (count is not None and len(found) >= count) or not rows or rows[0].parent is None:
                return found if count is None else found[len(found) - min(count, len(found)) :]
            rows = (await session.page(rows[0].parent, last)).messages
    except NotFoundError:
        return []
