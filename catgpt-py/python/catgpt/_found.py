"""Plain data about sessions and their trees: nodes, branches, news, finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._data import ChangeKind, Role, SessionInfo, Status


@dataclass(frozen=True, slots=True)
class Node:
    """A message without its words."""

    seq: int
    parent: int | None
    role: Role
    status: Status
    created_ms: int


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
