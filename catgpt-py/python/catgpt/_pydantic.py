"""What pydantic does for tools where it is installed: any type that it knows, and arguments that are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model

from ._errors import InvalidInputError, ToolError
from ._schema import REQUIRED, Known, Parameter


def known(name: str, takes: list[Parameter]) -> Known:
    """The schema of a function's parameters, and what reads them."""
    # The fields have numbers for names: `schema` or `json` would hide what a model has.
    fields: dict[str, Any] = {}
    for number, each in enumerate(takes):
        default = ... if each.default is REQUIRED else each.default
        fields[f"p{number}"] = (each.hint, Field(default, alias=each.name, description=each.about))
    try:
        model = create_model("arguments", __config__=ConfigDict(extra="forbid"), **fields)
        schema = _untitled(model.model_json_schema(), False)
    except Exception as error:
        raise InvalidInputError(f"pydantic cannot describe the parameters of {name}; give parameters=") from error

    def read(given: Any) -> dict[str, Any]:
        try:
            values = model.model_validate(given)
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)]
            raise ToolError("the arguments do not fit: " + "; ".join(wrong)) from None
        return {each.name: getattr(values, f"p{number}") for number, each in enumerate(takes)}

    return schema, read


def plain(value: Any) -> Any:
    """What JSON has no form for, as something that it has one for."""
    return TypeAdapter[Any](cast("Any", type(value))).dump_python(value, mode="json")


def _untitled(node: Any, named: bool) -> Any:
    """Without the titles that pydantic makes of names: the model reads the names. `named`: its keys are names."""
    if isinstance(node, list):
        return [_untitled(each, False) for each in cast("Sequence[Any]", node)]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in cast("Mapping[str, Any]", node).items() if named or key != "title"}
    return {key: _untitled(value, not named and key in ("properties", "$defs")) for key, value in kept.items()}
