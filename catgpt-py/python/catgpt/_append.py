"""Messages that were written elsewhere, on their way into a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Required, TypeAlias, TypedDict, cast

from ._calls import Ask, At
from ._content import Content, content
from ._data import Part, Status, Usage


class NewMessage(TypedDict, total=False):
    """A finished message that was written elsewhere. What is left out is as the core has it."""

    role: Required[Literal["system", "user", "assistant"]]
    """Who speaks."""
    content: Required[Content | Sequence[Part | Mapping[str, Any]]]
    """What it says; parts of kinds that nobody here knows are kept as they are."""
    status: Status
    """How it ended; left out: whole."""
    model: str | None
    """The model that was asked."""
    finish_reason: str | None
    """Why the model stopped."""
    usage: Usage | None
    """What it used. The owner's ledger does not mention it."""


After: TypeAlias = int | Literal["start"]
"""Where messages go: after the message of this number, or before all as another beginning."""


def append(
    at: At,
    messages: Iterable[NewMessage],
    after: After | None,
    if_version: int | None,
    metadata: Mapping[str, Any] | None,
) -> Ask[list[int]]:
    """Adds messages, and gives their numbers."""
    more = {"after": after, "if_version": if_version, "metadata": metadata if metadata is None else dict(metadata)}
    return Ask(at.call("append", messages=[_plain(message) for message in messages], **more), list)


def _plain(message: NewMessage) -> dict[str, Any]:
    given: dict[str, Any] = {**message, "content": content(cast(Content, message["content"]))}
    if isinstance(usage := given.get("usage"), Usage):
        given["usage"] = usage.to_dict()
    return {name: value for name, value in given.items() if value is not None}
