"""The JSON Schema of a function's parameters, and its arguments from JSON: by pydantic, if it is there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Annotated, Any, NamedTuple, TypeAlias, cast, get_args, get_origin, get_type_hints

from . import _types
from ._errors import InvalidInputError, ToolError


REQUIRED = inspect.Parameter.empty
"""In the place of a default that is not there."""

Known: TypeAlias = tuple[dict[str, Any], Callable[[Any], dict[str, Any]]]
"""A schema, and what makes arguments of what the model wrote."""


class Parameter(NamedTuple):
    """A parameter that the model fills."""

    name: str
    hint: Any
    default: Any
    about: str | None
    """What it is, for the model."""


class Arguments(NamedTuple):
    """What a function takes."""

    schema: dict[str, Any]
    read: Callable[[Any], dict[str, Any]]
    """The arguments by their names, of what the model wrote."""
    wants_call: bool
    """Whether the first parameter is given which call is served."""


def arguments(function: Callable[..., Any], call: tuple[type, ...], given: Mapping[str, Any] | None) -> Arguments:
    """What `function` takes, beside a first parameter of a type in `call`."""
    parameters = list(inspect.signature(function).parameters.values())
    hints = _hints(function, given is None)
    wants_call = bool(parameters) and hints.get(parameters[0].name) in (*call, *(each.__name__ for each in call))
    parameters = parameters[1:] if wants_call else parameters
    if given is not None:
        return Arguments(dict(given), _as_written, wants_call)
    for each in parameters:
        if each.kind is not each.POSITIONAL_OR_KEYWORD and each.kind is not each.KEYWORD_ONLY:
            raise _unknown(function, each.name, "is not one argument with a name")
        if each.name not in hints:
            raise _unknown(function, each.name, "has no type hint")
    takes = [Parameter(each.name, hints[each.name], each.default, _about(hints[each.name])) for each in parameters]
    try:
        from ._pydantic import known
    except ImportError:  # It is not one of our dependencies, and takes a while to import.
        known = _known
    schema, read = known(getattr(function, "__name__", "tool"), takes)
    return Arguments(schema, read, wants_call)


def plain(value: Any) -> Any:
    """What JSON has no form for, as something that it has one for."""
    try:
        from ._pydantic import plain
    except ImportError:
        return _plain(value)
    return plain(value)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def _hints(function: Callable[..., Any], all_of_them: bool) -> dict[str, Any]:
    if not all_of_them:
        return dict(getattr(function, "__annotations__", {}))
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        name, advice = getattr(function, "__name__", "tool"), "define it in the module, or give parameters="
        raise InvalidInputError(f"a type hint of {name} names what is not there: {error.name}; {advice}") from error


def _unknown(function: Callable[..., Any], parameter: str, what: str) -> InvalidInputError:
    name = getattr(function, "__name__", "tool")
    return InvalidInputError(f"the parameter {parameter} of {name} {what}; give the tool its parameters=")


def _as_written(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ToolError("the arguments are a JSON object")
    return {**cast("Mapping[str, Any]", given)}


def _about(hint: Any) -> str | None:
    """The words in `Annotated[str, "which city"]`."""
    if get_origin(hint) is not Annotated:
        return None
    return next((word for word in get_args(hint)[1:] if isinstance(word, str)), None)


def _known(name: str, takes: list[Parameter]) -> Known:
    properties: dict[str, Any] = {}
    for each in takes:
        schema = _types.schema(each.hint)
        if schema is None:
            what = f"the parameter {each.name} of {name} has a type that takes pydantic"
            raise InvalidInputError(what + ": install it, or give the tool its parameters=")
        properties[each.name] = schema | ({} if each.about is None else {"description": each.about})
    required = [each.name for each in takes if each.default is REQUIRED]
    hints = {each.name: each.hint for each in takes}

    def read(given: Any) -> dict[str, Any]:
        written = _as_written(given)
        wrong = [f"{name}: it is missing" for name in required if name not in written]
        wrong += [f"{name}: there is no such argument" for name in written if name not in hints]
        if wrong:
            raise ToolError("the arguments do not fit: " + "; ".join(wrong))
        return {name: _types.fit(hints[name], value, name) for name, value in written.items()}

    return {"type": "object", "properties": properties, "required": required}, read
