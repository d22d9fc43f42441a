"""Plain data: messages and their parts, sessions, changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from ._errors import CatgptError, from_dict
from ._persona import Params

Role: TypeAlias = Literal["system", "user", "assistant", "summary"]
ChangeKind: TypeAlias = Literal["created", "titled", "updated", "deleted", "turn_begun", "turn_ended", "renamed"]
TitleSource: TypeAlias = Literal["prompt", "model", "user"]
Status: TypeAlias = Literal["running", "complete", "cancelled", "interrupted", "failed", "paused"]


class TextPart(TypedDict):
    """Text."""

    type: Literal["text"]
    text: str


class ReasoningPart(TypedDict):
    """What the model thought before it spoke."""

    type: Literal["reasoning"]
    text: str


class Call(TypedDict):
    """A call that the model asks for."""

    id: str
    name: str
    arguments: Any


class ToolCallPart(Call):
    """A call, as a part of a message."""

    type: Literal["tool_call"]


class ToolResultPart(TypedDict):
    """What a call gave."""

    type: Literal["tool_result"]
    id: str
    output: Any
    is_error: NotRequired[bool]


class ImagePart(TypedDict):
    """A picture, by reference."""

    type: Literal["image"]
    url: str
    media_type: NotRequired[str]
    alt: NotRequired[str]
    detail: NotRequired[Literal["auto", "low", "high"]]


class CitationPart(TypedDict):
    """A source that the answer leans on."""

    type: Literal["citation"]
    url: str
    title: NotRequired[str]


class ProviderPart(TypedDict):
    """What a model's provider wants back when the reply goes on after a tool: a signature of its reasoning, an encrypted
    thought. Nobody else can read it: show nothing of it."""

    type: Literal["provider"]
    provider: str
    """Whose it is: `anthropic`, `openai`."""
    value: Any


Part: TypeAlias = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePart | CitationPart | ProviderPart


@dataclass(frozen=True, slots=True)
class Usage:
    """What a turn used, in tokens."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    """The provider sent no numbers; these are a guess."""

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        data = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        more = {"cached_tokens": self.cached_tokens, "reasoning_tokens": self.reasoning_tokens}
        return data | {k: n for k, n in more.items() if n} | ({"estimated": True} if self.estimated else {})


def usage(data: dict[str, Any] | None) -> Usage | None:
    """From its JSON form."""
    return None if data is None else Usage(**data)


@dataclass(frozen=True, slots=True)
class Message:
    """One node of a session's tree."""

    seq: int
    parent: int | None
    role: Role
    status: Status
    content: list[Part]
    created_ms: int
    turn: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    cost: int | None = None
    """What it cost, in millionths of the unit of the prices, if they knew its model."""
    error: CatgptError | None = None

    @property
    def text(self) -> str:
        """All text, without reasoning and tools."""
        return "".join(part["text"] for part in self.content if part["type"] == "text")

    @property
    def pending(self) -> list[Call]:
        """The calls that a paused reply waits with for a decision."""
        answered = {part["id"] for part in self.content if part["type"] == "tool_result"}
        calls = [part for part in self.content if part["type"] == "tool_call" and part["id"] not in answered]
        named: list[Call] = [{"id": it["id"], "name": it["name"], "arguments": it["arguments"]} for it in calls]
        return named if self.status == "paused" else []

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Message:
        """From its JSON form."""
        error = data.get("error")
        more: dict[str, Any] = {"usage": usage(data.get("usage")), "error": error and from_dict(error, data.get("turn"))}
        return cls(**(data | more))

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        data: dict[str, Any] = {"seq": self.seq, "parent": self.parent, "role": self.role, "status": self.status}
        data |= {"content": self.content, "created_ms": self.created_ms}
        more = {"turn": self.turn, "model": self.model, "finish_reason": self.finish_reason, "cost": self.cost}
        plain = {"usage": self.usage and self.usage.to_dict(), "error": self.error and self.error.to_dict()}
        return data | {k: v for k, v in (more | plain).items() if v is not None}


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is known about a session besides its messages."""

    id: str
    title: str | None
    persona: str | None
    head: int | None
    version: int
    messages: int
    running: str | None
    created_ms: int
    updated_ms: int
    pinned: bool = False
    """Whether it stands before the others in lists."""
    archived: bool = False
    """Whether it is put away."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the application keeps with it."""
    ttl_ms: int | None = None
    """How long after its last change it is deleted."""
    summary: int | None = None
    """The summary that stands for the beginning."""
    titled_by: TitleSource | None = None
    """Who gave the title: the beginning of the first prompt, a model, or a person."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SessionInfo:
        """From its JSON form."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands for the beginning of a conversation where a model is sent it. The messages themselves stay."""

    seq: int
    upto: int
    """The last message that it covers."""
    text: str
    model: str | None
    """The model that wrote it."""
    created_ms: int
    active: bool
    """Whether it is the one that is used, on branches that have the message `upto`."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of those that there are to choose from."""

    id: str
    """Its name, as `model=` takes it."""
    created: int | None = None
    """When it was made, in seconds since 1970, if that is known."""
    owned_by: str | None = None
    """Whose it is, if that is known."""


class Cursor(TypedDict):
    """Where a list of sessions goes on."""

    pinned: NotRequired[bool]
    updated_ms: int
    session: str


@dataclass(frozen=True, slots=True)
class SessionPage:
    """One page of an owner's sessions, the pinned ones first, then the latest changed."""

    sessions: list[SessionInfo]
    next: Cursor | None
    """Where to go on, if there are more."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SessionPage:
        """From its JSON form."""
        return cls([SessionInfo.from_dict(row) for row in data["sessions"]], data["next"])


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an owner's sessions, in the order of the commits."""

    n: int
    session: str
    kind: ChangeKind
    at_ms: int
    turn: str | None = None


class PromptMessage(TypedDict):
    """One message of a request."""

    role: Role
    content: list[Part]


class ToolSpec(TypedDict):
    """What a model is told of a tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked: the messages in order, the system prompt first."""

    messages: list[PromptMessage]
    params: Params
    model: str | None
    turn: str | None
    credentials: str | None = field(default=None, repr=False)
    tools: list[ToolSpec] = field(default_factory=list[ToolSpec])
    """What it may ask for, with a `tool_call` each."""


class Check(TypedDict):
    """What one look found."""

    ok: bool
    latency_ms: int
    error: dict[str, Any] | None
    """What went wrong; its `kind` is that of the exception that it would be."""


class Health(TypedDict):
    """How an engine is, as a `/health` tells it."""

    healthy: bool
    """Whether to send it requests: the store answers, and the engine is not closing."""
    closing: bool
    running: int
    """How many turns run in this engine."""
    schema: int | None
    """The version of the store's schema, if it has one."""
    encrypted: bool
    """Whether what is stored can be read with a key alone."""
    store: Check
    live: Check | None


class Point(TypedDict):
    """One number of a metric, or for a histogram many."""

    labels: dict[str, str]
    value: NotRequired[int]
    """Of a counter or a gauge."""
    count: NotRequired[int]
    """Of a histogram, as `sum` and `buckets`: pairs of an upper bound and how many were not above it."""
    sum: NotRequired[float]
    buckets: NotRequired[list[tuple[float, int]]]


class Metric(TypedDict):
    """A metric with its numbers: it says itself what it is."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    points: list[Point]


@dataclass(frozen=True, slots=True)
class ImportEntry:
    """What became of one conversation of an import."""

    session: str | None
    """Its id here; `None` where the source does not tell which conversation it was."""
    title: str | None
    messages: int
    """How many messages were written."""
    outcome: Literal["imported", "unchanged", "partly", "refused"]
    left_out: dict[str, int] = field(default_factory=dict[str, int])
    """What could not be kept, by reasons."""
    error: CatgptError | None = None
    """Why it was refused."""
    owner: str | None = None
    """Who owns it, where an import has several owners."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ImportEntry:
        """From its JSON form."""
        error = data.get("error")
        more: dict[str, Any] = {"error": error and from_dict(error)}
        return cls(**(data | more))


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the conversations of an import, one by one."""

    entries: list[ImportEntry]
    imported: int
    """How many are here now, whole."""
    unchanged: int
    """How many were here already."""
    partly: int
    """How many are here now, with something left out."""
    refused: int
    """How many are not here."""
    messages: int
    """How many messages were written."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ImportReport:
        """From its JSON form."""
        more: dict[str, Any] = {"entries": [ImportEntry.from_dict(entry) for entry in data["entries"]]}
        return cls(**(data | more))
