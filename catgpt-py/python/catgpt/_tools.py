"""Tools that are written in Python: how a function becomes one, and how it is asked."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from . import _calls
from ._data import Call
from ._hooks import TurnAt
from ._schema import Arguments, arguments, plain

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CallAt(TurnAt):
    """Which call a tool serves. `turn` is the one that runs it; of a call that was approved, not the one that asked for it."""

    id: str
    """The call's id, as in its `ToolCall` and `ToolResult`. Models count anew: it is unique in its turn only."""
    key: str
    """An idempotency key for what must not happen twice: the text of a UUID that no other call of the store has. It stays
    the same whoever runs the call, however often somebody decides about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that a model may ask for. `tool` makes one of a function; this is for those who have a schema already."""

    name: str
    """1 to 64 letters, digits, `_` and `-`."""
    description: str = ""
    """What it does and when to call it, for the model."""
    parameters: Mapping[str, Any] | None = None
    """A JSON Schema of an object; left out: it takes no arguments."""
    call: Callable[[CallAt, dict[str, Any]], Any] | None = field(default=None, repr=False)
    """Does it: `async def`, or `def`, which is run in a thread. It is given which call it serves, and the arguments as the model
    wrote them. `None`: it is done elsewhere, as by the client, so each call waits for a decision, which brings its
    output."""
    approval: bool | None = None
    """Whether somebody has to agree to each call: the turn ends as `paused`, and `session.decide` goes on."""
    parallel: bool | None = None
    """Whether it may run beside other calls of the same step."""
    timeout: float | None = None
    """Seconds that one call may take; `None`: as the core has it."""

    def to_dict(self) -> dict[str, Any]:
        """What it is like, as an engine is told."""
        given = {"approval": self.approval, "parallel": self.parallel, "timeout_ms": _calls.milliseconds(self.timeout)}
        schema = None if self.parameters is None else dict(self.parameters)
        data = {"name": self.name, "description": self.description, "parameters": schema, **given}
        return {**{name: value for name, value in data.items() if value is not None}, "elsewhere": self.call is None}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTool(Tool, Generic[P, R]):
    """A function that is a tool. Called by yourself it is the function that it was."""

    function: Callable[P, R] = field(repr=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)


@overload
def tool(function: Callable[P, R], /) -> FunctionTool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    approval: bool | None = None,
    parallel: bool | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    approval: bool | None = None,
    parallel: bool | None = None,
    timeout: float | None = None,
) -> FunctionTool[P, R] | Callable[[Callable[P, R]], FunctionTool[P, R]]:
    """Makes a tool of a function: `@tool`, or `@tool(approval=True)`. Its name, the first paragraph of its docstring and its
    type hints are what the model is told; a first parameter of the type `CallAt` (or `TurnAt`) is given which call it
    serves.

    With pydantic installed any type that it knows will do, and arguments are checked and converted. Without it the types
    are `str`, `int`, `float`, `bool`, `list`, `dict`, `Literal`, enums and unions of them. `parameters` is a JSON Schema in
    the place of the type hints: then arguments come as the model wrote them."""

    def made(function: Callable[P, R]) -> FunctionTool[P, R]:
        known = arguments(function, (CallAt, TurnAt), parameters)
        return FunctionTool(
            name=name or function.__name__,
            description=_paragraph(function) if description is None else description,
            parameters=known.schema,
            call=_caller(function, known),
            approval=approval,
            parallel=parallel,
            timeout=timeout,
            function=function,
        )

    return made if function is None else made(function)


def _paragraph(function: Callable[..., Any]) -> str:
    """The first paragraph of the docstring, on one line."""
    paragraph = (inspect.getdoc(function) or "").split("\n\n", 1)[0]
    return " ".join(paragraph.split())


def _caller(function: Callable[..., Any], known: Arguments) -> Callable[[CallAt, dict[str, Any]], Any]:
    def bound(at: CallAt, given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        # A model that has nothing to say may say nothing at all.
        return [at] if known.wants_call else [], known.read({} if cast("Any", given) is None else given)

    async def awaited(at: CallAt, given: dict[str, Any]) -> Any:
        args, named = bound(at, given)
        return await function(*args, **named)

    def called(at: CallAt, given: dict[str, Any]) -> Any:
        args, named = bound(at, given)
        return function(*args, **named)

    return awaited if inspect.iscoroutinefunction(function) else called


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one call that a paused turn waits with. `Decision.approve(call)` and the others make one: of a call in
    `finished.pending`, or of its id."""

    id: str
    verdict: Mapping[str, Any] = field(repr=False)

    @classmethod
    def approve(cls, call: Call | str) -> Decision:
        """Call it."""
        return cls(_id(call), {"approve": True})

    @classmethod
    def deny(cls, call: Call | str, why: str | None = None) -> Decision:
        """Do not, and tell the model that it was denied, and why."""
        return cls(_id(call), {"approve": False} if why is None else {"deny": why})

    @classmethod
    def output(cls, call: Call | str, value: Any) -> Decision:
        """It was done elsewhere, and gave this."""
        return cls(_id(call), {"output": value})

    @classmethod
    def error(cls, call: Call | str, message: str) -> Decision:
        """It was tried elsewhere, and failed so."""
        return cls(_id(call), {"error": message})

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        return {"id": self.id, **self.verdict}


def _id(call: Call | str) -> str:
    return call if isinstance(call, str) else call["id"]


Given: TypeAlias = Tool | Callable[..., Any]
"""A tool, or a function to make one of."""


class Tools:
    """The tools of an engine."""

    def __init__(self, tools: Sequence[Given]) -> None:
        self._tools = [each if isinstance(each, Tool) else tool(each) for each in tools]

    def specs(self) -> str:
        """What they are like, as JSON."""
        return json.dumps([each.to_dict() for each in self._tools])

    def question(self, body: dict[str, Any]) -> tuple[Callable[..., Any], list[Any]]:
        """The code that answers, and its arguments."""
        call = self._tools[int(body["tool"])].call
        assert call is not None, "the core asks only for those that have one"
        at = CallAt(body["owner"], body["session"], body["turn"], body["id"], body["key"])
        return call, [at, body["arguments"]]

    def said(self, answer: Any) -> str:
        """An answer as JSON."""
        return readable(answer)


def readable(data: Any) -> str:
    """Data as JSON that all can read. The name of a file whose bytes are no text has characters that no encoding knows."""
    text = json.dumps(data, default=plain, allow_nan=False, ensure_ascii=False)
    return text.encode(errors="replace").decode()
