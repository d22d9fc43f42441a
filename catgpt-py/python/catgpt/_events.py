"""Events: what a reply yields. The set is closed, and `match` knows when nothing is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from ._data import Call, Part, Status, Usage, usage
from ._errors import CatgptError, from_dict
from ._native import Reasoning as Reasoning
from ._native import Text as Text


@dataclass(frozen=True, slots=True)
class Started:
    """The turn is committed and runs."""

    turn: str
    session: str
    user_seq: int | None
    reply_seq: int
    persona: str
    model: str
    offset: int = 0
    v: int = 1
    type: ClassVar[Literal["started"]] = "started"

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form."""
        data = {"type": self.type, "v": self.v, "turn": self.turn, "session": self.session, "user_seq": self.user_seq}
        more = {"reply_seq": self.reply_seq, "persona": self.persona, "model": self.model, "offset": self.offset}
        return data | more


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool."""

    id: str
    name: str
    arguments: Any
    offset: int
    type: ClassVar[Literal["tool_call"]] = "tool_call"

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form."""
        call = {"id": self.id, "name": self.name, "arguments": self.arguments}
        return {"type": self.type, **call, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool answered."""

    id: str
    output: Any
    offset: int
    is_error: bool = False
    type: ClassVar[Literal["tool_result"]] = "tool_result"

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form."""
        data = {"type": self.type, "id": self.id, "output": self.output, "offset": self.offset}
        return data | ({"is_error": True} if self.is_error else {})


@dataclass(frozen=True, slots=True)
class PartAdded:
    """Any other part: a citation, a picture. Its name in JSON is `part`."""

    part: Part
    offset: int
    type: ClassVar[Literal["part"]] = "part"

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form."""
        return {"type": self.type, "part": self.part, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class Retrying:
    """The model failed before anything was shown; it is asked again."""

    attempt: int
    after_ms: int
    error: CatgptError
    offset: int
    type: ClassVar[Literal["retrying"]] = "retrying"

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form."""
        data = {"type": self.type, "attempt": self.attempt, "after_ms": self.after_ms}
        return {**data, "error": self.error.to_dict(), "offset": self.offset}


@dataclass(frozen=True, slots=True)
class Title:
    """The session has a title now."""

    title: str
    offset: int
    type: ClassVar[Literal["title"]] = "title"

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form."""
        return {"type": self.type, "title": self.title, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class Finished:
    """The end. Always last, always there, sent after its commit."""

    status: Status
    finish_reason: str | None
    usage: Usage | None
    stored: int
    """The offset up to which the reply is stored. A client that holds more cuts back to it."""
    offset: int
    pending: tuple[Call, ...] = ()
    """Tool calls that wait for a decision."""
    cost: int | None = None
    """What it cost, in millionths of the unit of the engine's prices, if they know its model."""
    error: CatgptError | None = None
    """What went wrong. If the application's own model failed, its exception is the `__cause__`."""
    type: ClassVar[Literal["finished"]] = "finished"

    def to_dict(self) -> dict[str, Any]:
        """The event's JSON form."""
        data: dict[str, Any] = {"type": self.type, "status": self.status, "finish_reason": self.finish_reason}
        data |= {"usage": self.usage and self.usage.to_dict(), "stored": self.stored, "offset": self.offset}
        data |= {"pending": list(self.pending)} if self.pending else {}
        data |= {} if self.cost is None else {"cost": self.cost}
        return data | ({"error": self.error.to_dict()} if self.error else {})


Event: TypeAlias = Started | Text | Reasoning | ToolCall | ToolResult | PartAdded | Retrying | Title | Finished


def _retrying(error: dict[str, Any], **data: Any) -> Retrying:
    return Retrying(error=from_dict(error), **data)


def _finished(turn: str | None, **data: Any) -> Finished:
    error = data.get("error")
    more: dict[str, Any] = {"usage": usage(data["usage"]), "error": error and from_dict(error, turn)}
    more["pending"] = tuple(data.get("pending", ()))
    return Finished(**(data | more))


_MAKERS: dict[str, Callable[..., Event]] = {
    "started": Started,
    "text": Text,
    "reasoning": Reasoning,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
    "part": PartAdded,
    "retrying": _retrying,
    "title": Title,
}


def event_from_dict(data: dict[str, Any], turn: str | None = None) -> Event:
    """The event of a JSON form; `turn` is whose it is."""
    kind = data.pop("type")
    return _finished(turn, **data) if kind == "finished" else _MAKERS[kind](**data)


def from_json(text: str, turn: str | None = None) -> Event:
    """The same from text."""
    return event_from_dict(json.loads(text), turn)
