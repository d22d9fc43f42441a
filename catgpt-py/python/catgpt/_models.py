"""Which model an engine has: one, or several by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from . import _calls, _native
from ._desk import ChatModel
from .testing import Scripted


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Draws what the newest message says, with OpenAI's images endpoint, and answers with the picture alone. It uses the
    engine's `base_url` and `api_key`. What is left out is as the core has it."""

    model: str | None = None
    """Which model draws (`gpt-image-1`)."""
    size: str | None = None
    """How large, in the endpoint's words: `1024x1024`."""
    quality: str | None = None
    """How finely, and at what price, in the endpoint's words: `low`, `high`."""
    within: float | None = None
    """How many seconds it may take (300)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAi:
    """A model in Chat Completions with a key and an address of its own. What is left out is as the environment has it:
    `OPENAI_MODEL`, `OPENAI_API_KEY`, `OPENAI_BASE_URL`."""

    model: str | None = None
    """Its name."""
    api_key: str | None = field(default=None, repr=False)
    """The key."""
    base_url: str | None = None
    """The address under which the protocol's paths stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """A model in OpenAI's Responses. What is left out is as the environment has it: `OPENAI_MODEL`, `OPENAI_API_KEY`,
    `OPENAI_BASE_URL`."""

    model: str | None = None
    """Its name."""
    api_key: str | None = field(default=None, repr=False)
    """The key."""
    base_url: str | None = None
    """The address before `/responses`."""
    effort: str | None = None
    """How much it thinks, in the provider's words: `minimal`, `low`, `high`."""
    summary: str | None = None
    """What is told of its thoughts, in the provider's words: `auto`, `concise`, `detailed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anthropic:
    """A model in Anthropic's Messages. What is left out is as the environment has it: `ANTHROPIC_MODEL`,
    `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`."""

    model: str | None = None
    """Its name."""
    api_key: str | None = field(default=None, repr=False)
    """The key."""
    base_url: str | None = None
    """The address before `/v1/messages`."""
    max_tokens: int | None = None
    """The most tokens of an answer, thoughts included, where nobody says a number."""
    thinking: int | Literal["adaptive"] | None = None
    """How long it thinks before it speaks: so many tokens, at least 1024, or as long as it sees fit."""
    effort: str | None = None
    """How much work goes into an answer, in the provider's words: `low`, `medium`, `high`."""


Model: TypeAlias = str | Images | OpenAi | Responses | Anthropic | ChatModel | Scripted
"""A model's name (`gpt-4o-mini`, `anthropic:claude-sonnet-4-5`, `responses:gpt-5`, `offline` for the built-in cat), one with
settings of its own, one that draws, or a model of your own."""

_PROTOCOLS: dict[type, str] = {OpenAi: "openai", Responses: "responses", Anthropic: "anthropic"}

Desk: TypeAlias = Callable[[ChatModel], _native.Desk]
"""Where a model of the application's own is asked."""


class Own:
    """The models of the application's own, in order."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.models: list[_native.Play | tuple[_native.Desk, str, str]] = []

    def named(self, model: Model | Mapping[str, Model] | None) -> Any:
        """As the config of an engine names it."""
        match model:
            case ChatModel():
                timeouts = _calls.times(first_ms=model.first_timeout, idle_ms=model.idle_timeout)
                return self._add((self._desk(model), model.name, _calls.text(timeouts)))
            case Scripted():
                return self._add(model._play)
            case Images():
                within = _calls.times(within_ms=model.within)
                return {"images": {"model": model.model, "size": model.size, "quality": model.quality, **within}}
            case OpenAi() | Responses() | Anthropic():
                return {_PROTOCOLS[type(model)]: asdict(model)}
            case Mapping():
                return {"by_name": [[name, self.named(each)] for name, each in model.items()]}
            case _:
                return model

    def _add(self, model: _native.Play | tuple[_native.Desk, str, str]) -> Any:
        self.models.append(model)
        return {"own": len(self.models) - 1}
