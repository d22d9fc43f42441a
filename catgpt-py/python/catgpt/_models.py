"""Which model an engine has: one, or several by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

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


Model: TypeAlias = str | Images | ChatModel | Scripted
"""A model's name at the endpoint, `offline` for the built-in cat, one that draws, or a model of your own."""

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
            case Mapping():
                return {"by_name": [[name, self.named(each)] for name, each in model.items()]}
            case _:
                return model

    def _add(self, model: _native.Play | tuple[_native.Desk, str, str]) -> Any:
        self.models.append(model)
        return {"own": len(self.models) - 1}
