"""Plain data about sessions and their trees: nodes, branches, news, finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._data import ChangeKind, Message, Role, SessionInfo, Status


@dataclass(frozen=True, slots=True)
class Node:
    """A message without its words."""

    seq: int
    parent: int | None
    role: Role
    status: Status
    created_ms: int


@dataclass(frozen=True, slots=True)
class MessagePage:
    """The newest messages of a branch, and what a screen needs to know beside them."""

    messages: list[Message]
    """Oldest first; a running reply with the text that is stored."""
    siblings: dict[int, list[int]]
    """For each of these messages that others stand beside: all of them, itself too, by number."""
    running: str | None
    """The turn that runs in the session."""
    more: bool
    """Whether there are older ones: ask again with the first one's `parent` as `head`."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MessagePage:
        """From its JSON form."""
        siblings = {int(seq): family for seq, family in data["siblings"].items()}
        return cls([Message.from_dict(row) for row in data["messages"]], siblings, data["running"], data["more"])


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch: the way from the first message to one that nothing follows."""

    head: int
    """Its newest message: what `select` takes."""
    fork: int | None
    """The newest message that it shares with an older branch."""
    messages: int
    """How many messages it has."""
    updated_ms: int
    active: bool
    """Whether it is the one that is shown."""


@dataclass(frozen=True, slots=True)
class News:
    """A change, and the session as it stood when the change was told."""

    n: int
    """Its number in the owner's journal: where a feed goes on."""
    session: str
    kind: ChangeKind
    at_ms: int
    info: SessionInfo | None
    """The session; `None` if it is gone."""
    turn: str | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> News:
        """From its JSON form."""
        info: dict[str, Any] = {"info": _info(data["info"])}
        return cls(**(data | info))


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of what is shown of a find."""

    text: str
    hit: bool
    """Whether it is what was looked for."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message, or a session by its title, that has all the words."""

    session: SessionInfo
    seq: int | None
    """The message; `None`: the title."""
    role: Role | None
    at_ms: int
    """When it was said; of a title, when the session was made."""
    snippet: list[Piece]
    """The part of it where the words are."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SearchHit:
        """From its JSON form."""
        snippet = [Piece(**piece) for piece in data["snippet"]]
        more: dict[str, Any] = {"session": SessionInfo.from_dict(data["session"]), "snippet": snippet}
        return cls(**(data | more))


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What a search found, the newest first."""

    hits: list[SearchHit]
    next: str | None
    """Where to go on, if there is more."""
    complete: bool
    """Whether everything could be looked at. A large import takes a while to become findable: search again, or call
    `index` once."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SearchPage:
        """From its JSON form."""
        return cls([SearchHit.from_dict(hit) for hit in data["hits"]], data["next"], data["complete"])


def _info(data: dict[str, Any] | None) -> SessionInfo | None:
    return None if data is None else SessionInfo.from_dict(data)
