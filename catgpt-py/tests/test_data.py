"""Data against the core: error kinds, the JSON of events, personas, names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from catgpt import (
    CatgptError,
    Engine,
    Event,
    InvalidInputError,
    NotFoundError,
    Persona,
    UnexpectedError,
    _errors,
    _native,
    event_from_dict,
)

from .helpers import run


def test_every_kind_of_the_core_has_its_class_and_no_other() -> None:
    kinds = {code: (retryable, status) for code, retryable, status in _native.kinds()}
    assert set(_errors.CLASSES) == set(kinds)
    for code, cls in _errors.CLASSES.items():
        error = cls("text")
        assert (error.code, error.retryable, error.http_status) == (code, *kinds[code])
        assert cls.__name__ == "".join(word.title() for word in code.split("_")) + "Error"
        assert _errors.from_json(json.dumps(error.to_dict())) == error
    assert kinds["busy"][1] == 409


def test_a_kind_of_a_later_version_is_still_an_error() -> None:
    error = _errors.from_dict({"kind": "novel", "message": "text", "retryable": True})
    assert type(error) is CatgptError and error.retryable


CALL = {"id": "1", "name": "weather", "arguments": {"city": "Kyoto"}}
ERROR = {"kind": "rate_limited", "message": "text", "retryable": True, "retry_after_ms": 1500, "turn": "t"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "cached_tokens": 3, "estimated": True}
STARTED = {"v": 1, "turn": "t", "session": "s", "user_seq": None, "reply_seq": 2, "persona": "cat", "model": "m"}
FINISHED = {"status": "failed", "finish_reason": None, "usage": None, "stored": 5, "offset": 5}
EVENTS: list[dict[str, Any]] = [
    {"type": "started", **STARTED, "offset": 0},
    {"type": "text", "text": "é", "offset": 2},
    {"type": "reasoning", "text": "hm", "offset": 4},
    {"type": "tool_call", **CALL, "offset": 5},
    {"type": "tool_result", "id": "1", "output": ["sun"], "offset": 6},
    {"type": "tool_result", "id": "1", "output": "no", "is_error": True, "offset": 6},
    {"type": "part", "part": {"type": "citation", "url": "a:b"}, "offset": 7},
    {"type": "retrying", "attempt": 2, "after_ms": 100, "error": ERROR, "offset": 0},
    {"type": "title", "title": "Kyoto", "offset": 0},
    {"type": "finished", **FINISHED, "error": ERROR},
    {"type": "finished", **FINISHED, "usage": USAGE, "pending": [CALL], "status": "paused"},
]


@pytest.mark.parametrize("data", EVENTS, ids=lambda data: data["type"])
def test_events_have_the_cores_json(data: dict[str, Any]) -> None:
    event: Event = event_from_dict(dict(data))
    assert event.to_dict() == data and event == event_from_dict(dict(data)) and event.type == data["type"]



def test_names_are_checked_at_once() -> None:
    engine = Engine(model="offline")
    with pytest.raises(InvalidInputError):
        engine.user("")
    with pytest.raises(InvalidInputError):
        engine.user("alice").session("a\nb")
    for half in (lambda: engine.user("\ud83d"), lambda: engine.local().session("\ud83d")):
        with pytest.raises(InvalidInputError, match="Unicode"):
            half()
    assert engine.local().owner is None and engine.user("alice").owner == "alice"
    fresh = engine.local().new_session().id
    assert fresh != engine.local().new_session().id and engine.local().session(fresh).id == fresh


def test_personas() -> None:
    assert Persona.cat().name == "cat" and Persona.plain() == Persona(**Persona.plain().to_dict())
    pirate = Persona.from_markdown('+++\nname = "pirate"\nversion = 2\n+++\nYou sail.')
    assert (pirate.name, pirate.version, pirate.system) == ("pirate", 2, "You sail.")
    with pytest.raises(NotFoundError):
        Persona.load("no such file")
    for persona in (Persona("No!", "x"), "dog"):
        with pytest.raises(CatgptError):
            Engine(model="offline", persona=persona)


@run
async def test_a_config_that_cannot_be_used_is_refused_at_once_and_keeps_secrets() -> None:
    with pytest.raises(InvalidInputError):
        Engine(model="offline", memory="mysql:x")
    with pytest.raises(InvalidInputError) as error:
        Engine(model="offline", attempts="hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(error.value)
    with pytest.raises(CatgptError):
        await Engine(model="offline", memory="sqlite:/no/such/folder/chat.db").open()
    assert UnexpectedError("x").code == "unexpected"


@run
async def test_the_tree_and_its_branches() -> None:
    async with Engine(model="offline", persona="cat") as engine:
        session = engine.user("alice").session("chat")
        await (await session.send("Hi")).text()
        await (await session.edit(1, "Hello", model="m")).text()
        await (await session.regenerate()).text()
        assert [message.seq for message in await session.history()] == [3, 5]
        assert [message.seq for message in await session.tree(after=2, limit=2)] == [3, 4]
        await session.select(2)
        assert [message.seq for message in await session.history(last=1)] == [2]
        await session.set_persona(Persona.plain())
        assert (await session.info()).persona == "plain"
        await engine.sweep()
        await session.delete()
        with pytest.raises(NotFoundError):
            await session.info()
