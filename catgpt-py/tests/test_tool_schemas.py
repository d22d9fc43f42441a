"""How a function's type hints become a schema, and what the model wrote becomes its arguments: with and without pydantic."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pydantic
import pytest
from catgpt import CallAt, InvalidInputError, Tool, ToolError, TurnAt, tool
from catgpt._tools import Tools

AT = CallAt("alice", "chat", "0199", "a", "k")


class Unit(Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


@dataclass
class Place:
    lat: float
    lon: float


def forecast(
    at: CallAt,
    city: Annotated[str, "which city"],
    unit: Unit = Unit.CELSIUS,
    days: int | None = None,
    kind: Literal["rain", "sun"] = "sun",
    schema: list[str] | None = None,
    limits: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Tells what the weather
    will be.

    It is never right."""
    return {"at": at, "city": city, "unit": unit, "days": days, "kind": kind, "schema": schema, "limits": limits}


@pytest.fixture(params=["pydantic", "alone"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], Tool]:
    """`tool`, where pydantic is installed and where it is not."""
    if request.param == "alone":
        monkeypatch.setitem(sys.modules, "pydantic", None)
        monkeypatch.delitem(sys.modules, "catgpt._pydantic", raising=False)
    return tool


def called(it: Tool, given: Any) -> Any:
    assert it.call is not None
    return it.call(AT, given)


def test_name_description_and_schema_are_the_functions(made: Callable[[Callable[..., Any]], Tool]) -> None:
    it = made(forecast)
    assert (it.name, it.description) == ("forecast", "Tells what the weather will be.")
    schema: Any = it.parameters
    assert schema["type"] == "object" and schema["required"] == ["city"]
    assert list(schema["properties"]) == ["city", "unit", "days", "kind", "schema", "limits"]
    assert schema["properties"]["city"] == {"type": "string", "description": "which city"}
    assert schema["properties"]["kind"]["enum"] == ["rain", "sun"]
    assert {"type": "integer"} in schema["properties"]["days"]["anyOf"]
    assert "title" not in str(schema)


def test_arguments_are_converted(made: Callable[[Callable[..., Any]], Tool]) -> None:
    given = {"city": "Rome", "unit": "f", "days": 2, "schema": ["a"], "limits": {"low": 1}}
    got = called(made(forecast), given)
    rest = {"days": 2, "kind": "sun", "schema": ["a"], "limits": {"low": 1.0}}
    assert got == {"at": AT, "city": "Rome", "unit": Unit.FAHRENHEIT, **rest}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "city"),
        (None, "city"),
        ({"city": 1}, "city"),
        ({"city": "Rome", "unit": "k"}, "unit"),
        ({"city": "Rome", "kind": "snow"}, "kind"),
        ({"city": "Rome", "days": "secret"}, "days"),
        ({"city": "Rome", "schema": ["a", 1]}, "schema.1"),
        ({"city": "Rome", "town": "secret"}, "town"),
        ("secret", "object"),
    ],
)
def test_what_does_not_fit_is_told_to_the_model(
    made: Callable[[Callable[..., Any]], Tool], given: Any, where: str
) -> None:
    with pytest.raises(ToolError) as told:
        called(made(forecast), given)
    assert "arguments" in str(told.value) and "secret" not in str(told.value)
    assert where in str(told.value) or where in ("object", "schema.1")


def test_what_has_no_schema_is_refused_at_once(made: Callable[[Callable[..., Any]], Tool]) -> None:
    def untyped(city) -> None:  # type: ignore[no-untyped-def]
        """No hint."""

    def loose(*cities: str) -> None:
        """No name."""

    def strange(it: Callable[[], int]) -> None:
        """No JSON."""

    for function in (untyped, loose, strange):
        with pytest.raises(InvalidInputError, match="parameters="):
            made(function)


def test_a_schema_of_ones_own_takes_the_place_of_hints(made: Callable[[Callable[..., Any]], Tool]) -> None:
    def loose(at: TurnAt, **given: Any) -> Any:
        """Takes anything."""
        return at.owner, given

    it = tool(parameters={"type": "object"}, name="any", description="")(loose)
    assert called(it, {"a": 1}) == ("alice", {"a": 1})
    assert it.to_dict() == {"name": "any", "description": "", "parameters": {"type": "object"}, "elsewhere": False}


def test_which_turn_it_is_may_be_all_that_a_tool_asks_for(made: Callable[[Callable[..., Any]], Tool]) -> None:
    def whose(at: TurnAt) -> str:
        """Tells whose it is."""
        return at.owner

    it = made(whose)
    assert (called(it, {}), dict(it.parameters or {})["properties"]) == ("alice", {})


def test_hints_that_name_what_is_not_there_say_so(made: Callable[[Callable[..., Any]], Tool]) -> None:
    class Local:
        pass

    def takes(it: Local) -> None:
        """Not at the top of a module."""

    with pytest.raises(InvalidInputError, match="Local"):
        made(takes)


def test_outputs_of_many_types_have_a_form(made: Callable[[Callable[..., Any]], Tool]) -> None:
    tools = Tools([made(forecast)])
    assert tools.said({"at": Place(1.5, 2.5), "unit": Unit.CELSIUS}) == '{"at": {"lat": 1.5, "lon": 2.5}, "unit": "c"}'
    with pytest.raises(Exception, match="object"):
        tools.said(object())


class Stay(pydantic.BaseModel):
    city: str
    since: date


def test_with_pydantic_any_type_will_do() -> None:
    def book(stay: Stay, nights: Annotated[int, pydantic.Field(ge=1)]) -> Stay:
        """Books."""
        return stay

    it = tool(book)
    schema: Any = it.parameters
    assert schema["properties"]["nights"] == {"minimum": 1, "type": "integer"}
    stay = called(it, {"stay": {"city": "Rome", "since": "2026-01-02"}, "nights": 1})
    assert stay == Stay(city="Rome", since=date(2026, 1, 2))
    assert Tools([it]).said(stay) == '{"city": "Rome", "since": "2026-01-02"}'
    with pytest.raises(ToolError, match=r"stay\.since: .*; nights: "):
        called(it, {"stay": {"city": "Rome", "since": "never"}, "nights": 0})
