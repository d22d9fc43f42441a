"""Hooks that are written in Python: what they may offer, and how they are asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from . import _calls
from ._data import CitationPart, Message, Part, Request


@dataclass(frozen=True, slots=True)
class TurnAt:
    """Which turn a hook is asked about."""

    owner: str
    session: str
    turn: str


@dataclass(frozen=True, slots=True)
class Source:
    """Something that the answer can lean on. Sources that are longer than the window's tokens allow are left out with
    their parts, so give the best one first."""

    text: str = ""
    """What the model reads, numbered from 1, after the persona's system prompt."""
    part: Part | None = None
    """What the reader sees: shown before the text of the reply, and stored with it."""

    @classmethod
    def cited(cls, text: str, url: str, title: str | None = None) -> Source:
        """A text, and where it is from."""
        part: CitationPart = {"type": "citation", "url": url}
        return cls(text, part if title is None else {**part, "title": title})


class Hook:
    """The application's own code at four places of a turn. Each method is `async def`, or `def`, which is run in a thread;
    one that is not overridden is never asked. Raising refuses the turn: it ends as `failed` with that error, and is not
    tried again. A turn that is stopped cancels what is asked."""

    timeout: ClassVar[float | None] = None
    """Seconds that one answer may take; `None`: as the core has it."""

    def before_prompt(self, at: TurnAt, branch: list[Message]) -> Any:
        """Once a turn: gives a list of `Source`s, or `None`. The last message of the branch is the user's, or the reply
        that is to be gone on with."""

    def before_model(self, at: TurnAt, attempt: int, request: Request) -> Any:
        """Each time the model is asked, so again for each retry: gives the `Request` to be sent instead, or `None`. Its
        key is not shown, but may be set."""

    def on_deltas(self, at: TurnAt, parts: list[Part]) -> Any:
        """With what was shown meanwhile, every half second or 4 KiB, and at the end: a turn is not complete before all of
        it has passed."""

    def after_turn(self, at: TurnAt, reply: Message) -> Any:
        """Once, after the end was committed. Nobody waits but `close`, and what is raised here changes nothing."""


_METHODS = ("before_prompt", "before_model", "on_deltas", "after_turn")


class Hooks:
    """The hooks of an engine."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = list(hooks)

    def asks(self) -> str:
        """What each wants to be asked, as JSON."""
        return json.dumps([_asks(hook) for hook in self._hooks])

    def question(self, method: str, body: dict[str, Any]) -> tuple[Callable[..., Any], list[Any]]:
        """The code that answers, and its arguments."""
        at = TurnAt(body["owner"], body["session"], body["turn"])
        arguments: list[Any]
        match method:
            case "before_prompt":
                arguments = [_calls.messages(body["branch"])]
            case "before_model":
                arguments = [body["attempt"], Request(**body["request"], turn=at.turn)]
            case "on_deltas":
                arguments = [body["parts"]]
            case _:
                arguments = [Message.from_dict(body["reply"])]
        hook = self._hooks[int(body["hook"])]
        return getattr(hook, method), [at, *arguments]

    def said(self, method: str, answer: Any) -> str:
        """An answer as JSON."""
        if method == "before_prompt" and answer is not None:
            sources: list[Source] = list(answer)
            return json.dumps([asdict(source) for source in sources])
        if method == "before_model" and answer is not None:
            request: Request = answer
            return json.dumps({name: value for name, value in asdict(request).items() if name != "turn"})
        return "null"


def _asks(hook: Hook) -> dict[str, Any]:
    written = {method: getattr(type(hook), method) is not getattr(Hook, method) for method in _METHODS}
    return {**written, "timeout_ms": _calls.milliseconds(hook.timeout)}
