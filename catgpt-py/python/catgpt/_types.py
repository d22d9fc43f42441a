"""The types that a tool's parameters may have where there is no pydantic: their JSON Schema, and values that fit."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from ._errors import ToolError

_PLAIN: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", None: "null", type(None): "null"}


def schema(hint: Any) -> dict[str, Any] | None:
    """The JSON Schema of a type; `None` for one that is not known here."""
    if hint is Any:
        return {}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [each.value for each in hint]}
    origin, inner = _origin(hint), get_args(hint)
    if origin is Annotated:
        return schema(inner[0])
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        options = [schema(each) for each in inner]
        return None if None in options else {"anyOf": options}
    if origin is list:
        items = schema(inner[0]) if inner else {}
        return None if items is None else {"type": "array", "items": items}
    if origin is dict and (not inner or inner[0] is str):
        values = schema(inner[1]) if inner else {}
        return None if values is None else {"type": "object", "additionalProperties": values}
    return None


def fit(hint: Any, value: Any, where: str) -> Any:
    """The value as its type has it.

    Raises:
        ToolError: it does not fit; the model is told where.
    """
    if hint is Any:
        return value
    origin, inner = _origin(hint), get_args(hint)
    if origin is Annotated:
        return fit(inner[0], value, where)
    if origin is Literal and value in inner:
        return value
    if origin in (Union, types.UnionType):
        return _first(inner, value, where)
    if origin is list and isinstance(value, list):
        items = enumerate(cast("Sequence[Any]", value))
        return [fit(inner[0] if inner else Any, each, f"{where}.{at}") for at, each in items]
    if origin is dict and isinstance(value, dict):
        fields = cast("Mapping[str, Any]", value).items()
        return {key: fit(inner[1] if inner else Any, each, f"{where}.{key}") for key, each in fields}
    if isinstance(hint, type) and issubclass(hint, Enum) and value in [each.value for each in hint]:
        return hint(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint in (None, type(None)) and value is None:
        return None
    if hint in (str, int, bool) and type(value) is hint:
        return value
    raise ToolError(f"the arguments do not fit: {where}: it should be as {schema(hint)}")


def _origin(hint: Any) -> Any:
    return get_origin(hint) or hint


def _first(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    for hint in hints:
        try:
            return fit(hint, value, where)
        except ToolError:
            continue
    raise ToolError(f"the arguments do not fit: {where}: it is none of what it may be")
