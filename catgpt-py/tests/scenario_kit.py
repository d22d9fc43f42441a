"""What the runner of the scenarios stands on: which there are, and how their JSON is compared."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from catgpt import CallAt, Decision, Limit, Tool, ToolError

from .helpers import Described

FILES = sorted((Path(__file__).parents[2] / "spec" / "scenarios").glob("*.json"))


def stores(file: Path) -> list[str]:
    """The kinds of store that Python has, and the scenario plays on."""
    return ["memory", "sqlite", *([] if json.loads(file.read_text()).get("built_in") else ["python"])]


CASES = [(file, store) for file in FILES for store in stores(file)]


def policy(scenario: dict[str, Any]) -> Any:
    """What an engine is told besides its model, its store and its persona."""
    given = {name: scenario.get(name) for name in ("cache", "prices", "titles", "encryption")}
    limits = [Limit(window=it.pop("window_ms") / 1000, **it) for it in scenario.get("limits", [])]
    more = {"tools": [_tool(**it) for it in scenario.get("tools", [])], "limits": limits}
    return {**given, **more, "hooks": [Described(**scenario["hook"])] if "hook" in scenario else []}


def _tool(name: str, gives: Any = None, fails: str | None = None, tells: bool = False, **rules: Any) -> Tool:
    def call(at: CallAt, arguments: dict[str, Any]) -> Any:
        if fails is not None:
            raise ToolError(fails)
        return at if tells else gives

    return Tool(name=name, parameters={"type": "object"}, call=call, **rules)


def scripts(scenario: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What the model plays, in the words of the scripted one."""

    def step(line: dict[str, Any]) -> dict[str, Any]:
        return {"tool_call": line["call"]} if "call" in line else line

    return [[step(line) for line in script] for script in scenario["models"]]


def decisions(given: list[dict[str, Any]]) -> list[Decision]:
    """What is decided about calls."""
    return [Decision(it.pop("id"), it) for it in map(dict, given)]


def same(names: dict[str, Any], want: Any, got: Any) -> bool:
    match want:
        case "*":
            return got is not None
        case str() if want.startswith("$"):
            return bool(names.setdefault(want, got) == got)
        case dict():
            return isinstance(got, dict) and all(same(names, value, got.get(key)) for key, value in want.items())
        case list():
            return isinstance(got, list) and len(want) == len(got) and all(same(names, *pair) for pair in zip(want, got))
    return bool(want == got)


def plain(data: Any) -> Any:
    """The JSON form of what a call gave; of a session that is its id."""

    def form(one: Any) -> Any:
        if is_dataclass(one) and not isinstance(one, type) and not hasattr(one, "to_dict"):
            return asdict(one)
        return one.to_dict() if hasattr(one, "to_dict") else {"id": one.id}

    return json.loads(json.dumps(data, default=form))
