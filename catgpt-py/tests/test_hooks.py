"""Hooks that are written in Python."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from catgpt import (
    Engine,
    Finished,
    Hook,
    Message,
    Part,
    PartAdded,
    RefusedError,
    Request,
    Source,
    Text,
    TimeoutError,
    TurnAt,
    UnexpectedError,
    sync,
)
from catgpt.testing import Scripted

from .helpers import run, settled

SO_IT_IS: list[dict[str, Any]] = [{"text": "So "}, {"text": "it is"}, {"finish": "stop"}]


class Everything(Hook):
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.thread: int | None = None

    async def before_prompt(self, at: TurnAt, branch: list[Message]) -> list[Source]:
        self.asked.append((at.owner, at.session, branch[-1].text))
        return [Source.cited("Cats purr.", "cats.md#purr", "Cats"), Source("Dogs bark.")]

    def before_model(self, at: TurnAt, attempt: int, request: Request) -> Request:
        self.thread = threading.get_ident()
        self.asked.append((attempt, request.turn == at.turn, request.credentials))
        return replace(request, messages=[*request.messages[:-1], {"role": "user", "content": [TEXT]}])

    async def on_deltas(self, at: TurnAt, parts: list[Part]) -> None:
        self.asked.append(parts)

    def after_turn(self, at: TurnAt, reply: Message) -> None:
        self.asked.append((reply.status, reply.text, reply.seq))


TEXT: Part = {"type": "text", "text": "***"}


def session_of(model: Scripted, *hooks: Hook) -> Any:
    return Engine(model=model, hooks=hooks, retry_base=0).user("alice").session("chat")


@run
async def test_a_hook_is_asked_at_each_place() -> None:
    model, hook = Scripted(SO_IT_IS), Everything()
    async with Engine(model=model, hooks=[hook]) as engine:
        session = engine.user("alice").session("chat")
        reply = await session.send("a secret", credentials="mine")
        events = [event async for event in reply]
        history = await session.history()
    cited = {"type": "citation", "url": "cats.md#purr", "title": "Cats"}
    parts = [event for event in events if isinstance(event, PartAdded)]
    assert [(event.part, event.offset) for event in parts] == [(cited, 1)]
    assert history[1].content == [cited, {"type": "text", "text": "So it is"}]
    system, user = model.requests[0]["messages"]
    assert system["text"].endswith("[1] Cats purr.\n\n[2] Dogs bark.") and user["text"] == "***"
    assert hook.asked == [
        ("alice", "chat", "a secret"),
        (1, True, None),
        [{"type": "text", "text": "So it is"}],
        ("complete", "So it is", 2),
    ]
    assert hook.thread != threading.get_ident()


@run
async def test_what_is_not_written_is_not_asked() -> None:
    class Nothing(Hook):
        def __getattribute__(self, name: str) -> Any:
            assert name == "timeout", f"{name} was asked"
            return super().__getattribute__(name)

    assert await (await session_of(Scripted(SO_IT_IS), Nothing()).send("Hi")).text() == "So it is"


class Refusing(Hook):
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def before_prompt(self, at: TurnAt, branch: list[Message]) -> None:
        raise self.error


@run
async def test_a_hook_refuses_by_raising() -> None:
    model = Scripted(SO_IT_IS)
    with pytest.raises(RefusedError, match="not here") as refused:
        await (await session_of(model, Refusing(RefusedError("not here"))).send("Hi")).text()
    assert isinstance(refused.value.__cause__, RefusedError)
    with pytest.raises(UnexpectedError, match="ValueError") as raised:
        await (await session_of(model, Refusing(ValueError("what only I may know"))).send("Hi")).text()
    assert isinstance(raised.value.__cause__, ValueError) and "only I" not in str(raised.value)
    assert model.requests == []


@run
async def test_hooks_are_asked_in_order_and_the_first_refusal_is_the_last_question() -> None:
    class After(Everything):
        async def before_prompt(self, at: TurnAt, branch: list[Message]) -> list[Source]:
            raise AssertionError("the first hook has refused")

    later = After()
    reply = await session_of(Scripted(SO_IT_IS), Refusing(RefusedError("no")), later).send("Hi")
    finished = [event async for event in reply][-1]
    assert isinstance(finished, Finished) and isinstance(finished.error, RefusedError)
    await settled(lambda: later.asked == [("failed", "", 2)])


@run
async def test_a_look_at_the_deltas_stops_a_running_turn() -> None:
    class Moderator(Hook):
        async def on_deltas(self, at: TurnAt, parts: list[Part]) -> None:
            if any(part["type"] == "text" and "bad" in part["text"] for part in parts):
                raise RefusedError("moderated")

    reply = await session_of(Scripted([{"text": "so bad"}, {"hang": True}]), Moderator()).send("Hi")
    events = [event async for event in reply]
    assert "".join(event.text for event in events if isinstance(event, Text)) == "so bad"
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.status, finished.stored, str(finished.error)) == ("failed", 6, "moderated")


@run
async def test_a_stopped_turn_cancels_its_hook_and_a_slow_hook_is_too_late() -> None:
    class Patient(Hook):
        begun = stopped = False

        async def before_prompt(self, at: TurnAt, branch: list[Message]) -> None:
            self.begun = True
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.stopped = True
                raise

    class Slow(Patient):
        timeout = 0.05

    patient, slow = Patient(), Slow()
    reply = await session_of(Scripted(SO_IT_IS), patient).send("Hi")
    await settled(lambda: patient.begun)
    await reply.cancel()
    assert (await reply.result()).status == "cancelled"
    await settled(lambda: patient.stopped)
    with pytest.raises(TimeoutError):
        await (await session_of(Scripted(SO_IT_IS), slow).send("Hi")).text()
    await settled(lambda: slow.stopped)


def test_blocking_code_has_hooks_too() -> None:
    hook = Everything()
    with sync.Engine(model=Scripted(SO_IT_IS), hooks=[hook]) as engine:
        reply = engine.user("alice").session("chat").send("Hi")
        assert reply.text() == "So it is"
    assert len(hook.asked) == 4
