"""Who answers: a persona, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any, TypedDict

from . import _native


class Params(TypedDict, total=False):
    """Sampling parameters; what is left out is the model's default."""

    temperature: float
    top_p: float
    max_tokens: int
    stop: list[str]
    seed: int


class Example(TypedDict):
    """An exchange that shows a model how to answer."""

    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class Persona:
    """Who answers. What is left out is as the core has it; a session keeps a copy of the one it uses."""

    name: str
    """1 to 64 of `a-z`, `0-9`, `_` and `-`."""
    system: str
    """The system prompt: a template in which `{{ name }}` is a variable."""
    version: int | None = None
    variables: Mapping[str, str] | None = None
    params: Params | None = None
    greeting: str | None = None
    examples: Sequence[Example] | None = None

    @classmethod
    def cat(cls) -> Persona:
        """A helpful assistant that answers in a playful feline voice."""
        return cls(**json.loads(_native.persona("cat")))

    @classmethod
    def plain(cls) -> Persona:
        """A helpful assistant without a voice of its own."""
        return cls(**json.loads(_native.persona("plain")))

    @classmethod
    def from_markdown(cls, text: str) -> Persona:
        """From the text of a persona file: TOML between two `+++` lines, then the system prompt."""
        return cls(**json.loads(_native.persona_from_markdown(text)))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Persona:
        """From a persona file."""
        return cls(**json.loads(_native.persona_from_file(path)))

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None}


def who(persona: Persona | str | None) -> dict[str, Any] | str | None:
    """As a call wants it: the fields, or the name of a built-in one."""
    return persona.to_dict() if isinstance(persona, Persona) else persona
