"""What can be asked of an engine: each call as data, and how its answer is read. Async and sync code share it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

from ._data import Change, Cursor, Message, ModelInfo, SessionInfo, SessionPage, Summary
from ._found import Branch, MessagePage, News, Node, SearchPage
from ._limits import GroupBy, Limit, LimitState, Spent
from ._persona import Params, Persona, who

T = TypeVar("T")

OnDrop: TypeAlias = Literal["detach", "cancel"]
OnProgress: TypeAlias = Callable[[int, int | None], object]
"""Hears how much is done, and of how much, as far as that is known."""

Format: TypeAlias = Literal["sse", "ui_message_stream", "ndjson", "ws", "text"]
"""What a reply can be sent as: server-sent events, the AI SDK's stream, JSON lines, frames of a web socket, its text
alone."""


class SendOptions(TypedDict, total=False):
    """How to send, beside what. What is left out is as the core has it."""

    key: str
    """Makes it repeatable: the same key with the same message is the same turn."""
    busy: Literal["reject", "queue", "interrupt"]
    """What to do if another turn runs in the session."""
    queue_for: float
    """For `queue`: how many seconds to wait."""
    persona: Persona | str
    """Who answers, from this turn on."""
    vars: Mapping[str, str]
    """Values for variables of the persona's prompt."""
    params: Params
    """Sampling parameters for this turn, before the persona's."""
    model: str
    """The model for this turn."""
    credentials: str
    """The key for this turn. It is not stored."""
    if_version: int
    """Only if the session is still at this version."""
    on_drop: OnDrop
    """What letting go of the reply does to the turn: nothing (`detach`), or end it (`cancel`)."""
    tools: Sequence[str]
    """The names of the engine's tools that the model may ask for. Left out: all."""
    limit_keys: Mapping[str, str]
    """Values of the keys that limits count by: `{"ip": address}`."""
    limits: Sequence[Limit]
    """These limits instead of the engine's: the owner's plan."""
    max_running: int
    """How many turns of the owner may run, this one counted, instead of what the engine says."""


class Cache(TypedDict, total=False):
    """How much of its answers an engine keeps, to give them to the same request again. What is left out is as the core
    has it."""

    bytes: int
    """The most bytes that are kept."""
    ttl: float
    """For how many seconds an answer may be given again."""


class Encryption(TypedDict, total=False):
    """With which keys what is stored is encrypted."""

    keys: str
    """The path of a file of keys, or a text of them."""
    refuse_plaintext: bool
    """Whether records that are not encrypted are refused. Left out: they are read as they are."""


class NewSession(TypedDict, total=False):
    """What a new session is given; all of it may be left out."""

    title: str | None
    """Left out: the beginning of the first message."""
    persona: Persona | str | None
    """Who answers; left out: the engine's."""
    metadata: Mapping[str, Any] | None
    """What the application keeps with it: at most 64 KiB of JSON."""
    ttl: float | None
    """How many seconds after its last change it is deleted; left out: as the engine has it."""


class Titles(TypedDict, total=False):
    """How a model makes titles of first messages. What is left out is as the core has it."""

    model: str
    """A model's name at the engine's endpoint; take a small one. Left out: the engine's own."""
    deadline: float
    """How many seconds it may take. Then the beginning of the first message stays the title."""
    prompt: str
    """What the model is told."""
    max_chars: int
    """The longest title, in characters."""


class Summaries(TypedDict, total=False):
    """How a model sums up conversations that grow out of the window. What is left out is as the core has it."""

    model: str
    """A model's name at the engine's endpoint. Left out: the engine's own."""
    at: int
    """When one is due: once what stands beyond the last one is more than so many percent of the window."""
    keep: int
    """How much stays beyond a new one, in percent of the window."""
    deadline: float
    """How many seconds it may take. Then it is tried again after a later turn."""
    prompt: str
    """What the model is told."""
    max_tokens: int
    """The most tokens of an answer."""


class Ask(NamedTuple, Generic[T]):
    """A call whose answer is data."""

    request: dict[str, Any]
    read: Callable[[Any], T]


class At(NamedTuple):
    """Where a call belongs: an owner (`None` is the one of a single-user program), and perhaps a session of his."""

    owner: str | None
    session: str | None = None

    def call(self, do: str, **fields: Any) -> dict[str, Any]:
        """The call's data."""
        return {"do": do, "owner": self.owner, "session": self.session, **fields}


def milliseconds(seconds: float | None) -> int | None:
    """Python counts in seconds, the core in milliseconds."""
    return None if seconds is None else round(seconds * 1000)


def times(**seconds: float | None) -> dict[str, int]:
    """The same of those that are given."""
    return {name: round(value * 1000) for name, value in seconds.items() if value is not None}


def text(request: Mapping[str, Any]) -> str:
    """The JSON of a call or a config. What is `None` is left out, so that the core's default holds."""
    return json.dumps({name: value for name, value in request.items() if value is not None})


def cache(given: Cache | None) -> dict[str, Any] | None:
    """A cache, as a config wants it."""
    if given is None:
        return None
    named = {"bytes": given.get("bytes"), "ttl_ms": milliseconds(given.get("ttl"))}
    return {name: value for name, value in named.items() if value is not None}


def job(given: Titles | Summaries | bool | None) -> dict[str, Any] | bool | None:
    """Titles or summaries, as a config wants them."""
    if given is None or isinstance(given, bool):
        return given
    plain: dict[str, Any] = {**given}
    if "deadline" in plain:
        plain["deadline_ms"] = milliseconds(plain.pop("deadline"))
    return plain


def limits(given: Sequence[Limit] | None) -> list[dict[str, Any]] | None:
    """Limits, as the core wants them."""
    return None if given is None else [limit.to_dict() for limit in given]


def options(given: SendOptions) -> dict[str, Any]:
    """The options of a send."""
    plain: dict[str, Any] = {**given}
    if "queue_for" in plain:
        plain["queue_ms"] = milliseconds(plain.pop("queue_for"))
    if "persona" in plain:
        plain["persona"] = who(plain["persona"])
    if plain.get("tools") is not None:
        plain["tools"] = list(plain["tools"])
    if "limits" in plain:
        plain["limits"] = limits(plain["limits"])
    return {name: value for name, value in plain.items() if value is not None}


def encoding(format: Format | None, min_interval: float | None, keep_alive: float | None) -> dict[str, Any]:
    """How a reply becomes bytes."""
    pace = {"min_interval_ms": milliseconds(min_interval), "keep_alive_ms": milliseconds(keep_alive)}
    return {name: value for name, value in {"format": format, **pace}.items() if value is not None}


def body(given: str | bytes) -> str:
    """What a client sent, as text."""
    return given if isinstance(given, str) else given.decode(errors="replace")


def nothing(_: Any) -> None:
    """The answer of a call that only does something."""


def messages(rows: list[dict[str, Any]]) -> list[Message]:
    """A list of messages."""
    return [Message.from_dict(row) for row in rows]


def pairs(rows: list[list[str]]) -> list[tuple[str, str]]:
    """Sessions and turns."""
    return [(session, turn) for session, turn in rows]


def journal(rows: list[dict[str, Any]]) -> list[Change]:
    """A list of changes."""
    return [Change(**row) for row in rows]


def history(at: At, last: int | None) -> Ask[list[Message]]:
    """The newest messages of the active branch."""
    return Ask(at.call("history", last=last), messages)


def message_page(at: At, head: int | None, last: int | None) -> Ask[MessagePage]:
    """A page of a branch."""
    return Ask(at.call("page", head=head, last=last), MessagePage.from_dict)


def tree(at: At, after: int | None, limit: int | None) -> Ask[list[Message]]:
    """Messages of all branches."""
    return Ask(at.call("tree", after=after, limit=limit), messages)


def ui_messages(at: At, last: int | None) -> Ask[list[dict[str, Any]]]:
    """The newest messages, for the AI SDK."""
    return Ask(at.call("ui_messages", last=last), list)


def info(at: At) -> Ask[SessionInfo]:
    """What is known about a session."""
    return Ask(at.call("info"), SessionInfo.from_dict)


def make_title(at: At, given: Sequence[Limit] | None, keys: Mapping[str, str] | None) -> Ask[str]:
    """A title that a model makes now."""
    return Ask(at.call("make_title", limits=limits(given), limit_keys=keys and dict(keys)), str)


def summaries(at: At) -> Ask[list[Summary]]:
    """All summaries of a session."""

    def found(rows: list[dict[str, Any]]) -> list[Summary]:
        return [Summary(**row) for row in rows]

    return Ask(at.call("summaries"), found)


def summarize(
    at: At, upto: int | None, given: Sequence[Limit] | None, keys: Mapping[str, str] | None
) -> Ask[Summary]:
    """A summary that a model makes now."""

    def made(row: dict[str, Any]) -> Summary:
        return Summary(**row)

    return Ask(at.call("summarize", upto=upto, limits=limits(given), limit_keys=keys and dict(keys)), made)


def sessions(at: At, after: Cursor | None, limit: int | None, archived: bool | None) -> Ask[SessionPage]:
    """A page of sessions."""
    return Ask(at.call("sessions", after=after, limit=limit, archived=archived), SessionPage.from_dict)


def turns(at: At) -> Ask[list[tuple[str, str]]]:
    """The turns that run, with their sessions."""
    return Ask(at.call("turns"), pairs)


def changes(at: At, after: int | None, limit: int | None) -> Ask[list[Change]]:
    """What happened."""
    return Ask(at.call("changes", after=after, limit=limit), journal)


def spent(rows: list[dict[str, Any]]) -> list[Spent]:
    """Lines of the ledger."""
    return [Spent.from_dict(row) for row in rows]


def states(rows: list[dict[str, Any]]) -> list[LimitState]:
    """A list of limits and how far they have come."""
    return [LimitState(**row) for row in rows]


def usage(
    at: At, by: Sequence[GroupBy] | None, session: str | None, from_ms: int | None, to_ms: int | None
) -> Ask[list[Spent]]:
    """What the owner has used."""
    return Ask(At(at.owner, session).call("usage", by=by and list(by), from_ms=from_ms, to_ms=to_ms), spent)


def limit_states(at: At, given: Sequence[Limit] | None, keys: Mapping[str, str] | None) -> Ask[list[LimitState]]:
    """How far the owner has come."""
    return Ask(at.call("limits", limits=limits(given), limit_keys=keys and dict(keys)), states)


def models(rows: list[dict[str, Any]]) -> list[ModelInfo]:
    """A list of models."""
    return [ModelInfo(**row) for row in rows]


MODELS: Ask[list[ModelInfo]] = Ask({"do": "models"}, models)
"""Which models there are to choose from."""


def do(at: At, name: str, **fields: Any) -> Ask[None]:
    """A call that only does something."""
    return Ask(at.call(name, **fields), nothing)


def persona(at: At, given: Persona | str) -> Ask[None]:
    """Gives a session another persona."""
    return Ask(at.call("set_persona", persona=who(given)), nothing)


def create(at: At, given: NewSession) -> Ask[SessionInfo]:
    """Makes a session."""
    plain: dict[str, Any] = {**given, "ttl_ms": milliseconds(given.get("ttl")), "persona": who(given.get("persona"))}
    plain.pop("ttl", None)
    return Ask(at.call("create", **plain), SessionInfo.from_dict)


def outline(at: At) -> Ask[list[Node]]:
    """All messages without their words."""

    def nodes(rows: list[dict[str, Any]]) -> list[Node]:
        return [Node(**row) for row in rows]

    return Ask(at.call("outline"), nodes)


def branches(at: At) -> Ask[list[Branch]]:
    """The branches of a session."""

    def found(rows: list[dict[str, Any]]) -> list[Branch]:
        return [Branch(**row) for row in rows]

    return Ask(at.call("branches"), found)


def fork(at: At, id: str | None, upto: int | None) -> Ask[At]:
    """Copies a branch; gives where the copy is."""

    def place(copy: str) -> At:
        return At(at.owner, copy)

    return Ask(at.call("fork", into=id, upto=upto), place)


def count(at: At, name: str, **fields: Any) -> Ask[int]:
    """A call that says how many sessions it was done to."""
    return Ask(at.call(name, **fields), int)


def search(at: At, question: str, after: str | None, limit: int | None) -> Ask[SearchPage]:
    """Messages and titles with these words."""
    return Ask(at.call("search", question=question, after=after, limit=limit), SearchPage.from_dict)


class Page(NamedTuple):
    """A page of a feed, and the number after which the next begins."""

    after: int
    news: list[News]


def page(data: dict[str, Any]) -> Page:
    """A page from its JSON form."""
    return Page(data["after"], [News.from_dict(row) for row in data["news"]])


def news(at: At, after: int | None, encoding: dict[str, Any] | None = None) -> dict[str, Any]:
    """Asks for the next page of a feed; without a number, for where it begins."""
    return at.call("news", after=after, encoding=encoding)


class Sent(NamedTuple):
    """A page as the bytes of a format, which may be none, and the number after which the next begins."""

    after: int
    data: bytes


def sent(data: dict[str, Any]) -> Sent:
    """Bytes from their JSON form."""
    return Sent(data["after"], data["text"].encode())
