"""How much owners may use, what they have used, and what models cost: plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from . import _native
from ._data import Usage


class Price(TypedDict):
    """What a million tokens of a model cost, in the unit that you choose."""

    input: float
    """Of the prompt."""
    output: float
    """Of the answer; reasoning is part of it."""
    cached: NotRequired[float]
    """Of the part of the prompt that came from the provider's cache; as the rest of it if nothing is said."""


Unit: TypeAlias = Literal["turns", "tokens", "cost"]
GroupBy: TypeAlias = Literal["day", "session", "model", "purpose"]
"""By what the ledger is summed up."""


class LimitKey(TypedDict):
    """A limit counts by this key, whose value each send says: `send(…, limit_keys={…})`."""

    key: str


Per: TypeAlias = Literal["owner", "everyone"] | LimitKey


@dataclass(frozen=True, slots=True)
class Limit:
    """So much may be used in a window of time: `Limit("rate", "turns", 10, window=60, per={"key": "ip"})`. Windows begin at
    multiples of their length since 1970 (a day's at midnight, UTC). Each limit has its own name."""

    name: str
    unit: Unit
    """What is counted: `turns`, `tokens`, or `cost` in millionths of the unit of the prices."""
    max: int
    window: float
    """In how many seconds."""
    per: Per = "owner"
    """Whose use is counted together."""

    @classmethod
    def rate(cls, thing: str, text: str, *, per: Per = "owner") -> Limit:
        """So much of a thing in a time, as people write it: `Limit.rate("messages", "20/minute", per={"key": "ip"})`. Also
        `10 per hour` and `200000 tokens a day`; turns are counted if it says nothing else. The name is `messages a minute`."""
        read = json.loads(_native.rate(thing, text))
        return cls(read["name"], read["unit"], read["max"], read["window_ms"] / 1000, per)

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        window = round(self.window * 1000)
        return {"name": self.name, "unit": self.unit, "max": self.max, "window_ms": window, "per": self.per}


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit and how far it has come."""

    name: str
    per: Per
    unit: Unit
    used: int
    """What is used in this window, and reserved by turns that run."""
    max: int
    window_ms: int
    resets_ms: int
    """When the next window begins, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used, of one group of the ledger; what the groups do not tell apart is `None`."""

    calls: int
    """How often a model was asked: turns, titles, summaries."""
    usage: Usage
    cost: int
    """In millionths of the unit of the prices."""
    day_ms: int | None = None
    """When the day began (UTC), in milliseconds since 1970."""
    session: str | None = None
    model: str | None = None
    purpose: Literal["turn", "title", "summary"] | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Spent:
        """From its JSON form."""
        line: dict[str, Any] = {**data, "usage": Usage(**data["usage"])}
        return cls(**line)
