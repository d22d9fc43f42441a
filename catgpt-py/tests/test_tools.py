"""Tools that are written in Python, in turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from catgpt import (
    CallAt,
    ChatModel,
    ConflictError,
    Decision,
    Engine,
    Finished,
    InvalidInputError,
    Request,
    Tool,
    ToolCall,
    ToolError,
    ToolResult,
    sync,
    tool,
)
from catgpt._tools import Given
from catgpt.testing import Scripted

from .helpers import run, settled


def wants(*calls: tuple[str, str, Any]) -> list[dict[str, Any]]:
    """A step of a model that asks for tools."""
    asked = [{"tool_call": {"id": id, "name": name, "arguments": given}} for id, name, given in calls]
    return [*asked, {"finish": "tool_calls"}]


DONE: list[dict[str, Any]] = [{"text": "done"}, {"finish": "stop"}]


def engine_of(*steps: list[dict[str, Any]], tools: Sequence[Given], **more: Any) -> Engine:
    return Engine(model=Scripted(*steps), tools=tools, retry_base=0, **more)


async def results(engine: Engine, **options: Any) -> list[tuple[Any, bool]]:
    """What the tools of a turn gave."""
    reply = await engine.user("alice").session("chat").send("Hi", **options)
    return [(event.output, event.is_error) async for event in reply if isinstance(event, ToolResult)]


@tool
async def weather(at: CallAt, city: str, days: int = 1) -> dict[str, Any]:
    """Tells the weather
    of a city.

    It never rains."""
    return {"city": city, "days": days, "for": at.owner}


@run
async def test_a_call_runs_and_its_result_goes_back_to_the_model() -> None:
    model = Scripted(wants(("1", "weather", {"city": "Kyoto", "days": "2"})), DONE)
    async with Engine(model=model, tools=[weather]) as engine:
        session = engine.user("alice").session("chat")
        events = [event async for event in await session.send("Hi")]
        reply = (await session.history())[-1]
    output = {"city": "Kyoto", "days": 2, "for": "alice"}
    call, result = (event for event in events if isinstance(event, ToolCall | ToolResult))
    assert call == ToolCall("1", "weather", {"city": "Kyoto", "days": "2"}, 1)
    assert result == ToolResult("1", output, 2)
    assert [part["type"] for part in reply.content] == ["tool_call", "tool_result", "text"]
    assert (reply.text, reply.status, len(model.requests)) == ("done", "complete", 2)


@run
async def test_blocking_functions_run_in_a_thread_and_stay_functions() -> None:
    threads: list[int] = []

    def add(a: int, b: int) -> int:
        """Adds."""
        threads.append(threading.get_ident())
        return a + b

    engine = engine_of(wants(("1", "add", {"a": 1, "b": 2})), DONE, tools=[add])
    assert await results(engine) == [(3, False)]
    assert threads and threads[0] != threading.get_ident()
    assert tool(add)(3, 4) == 7


@run
async def test_a_tool_fails_with_its_words_or_with_its_type_alone() -> None:
    async def known() -> None:
        """Fails."""
        raise ToolError("there is no such city")

    def other() -> None:
        """Fails too."""
        raise ValueError("hunter2")

    calls = wants(("1", "known", {}), ("2", "other", None), ("3", "weather", {"town": "Kyoto"}))
    first, second, third = await results(engine_of(calls, DONE, tools=[known, other, weather]))
    assert first == ("there is no such city", True)
    assert second == ("the application's own code failed with ValueError", True)
    assert third[1] and "city" in third[0] and "town" in third[0] and "Kyoto" not in third[0]


@run
async def test_what_has_no_form_in_json_is_a_failure_of_the_tool() -> None:
    def nan() -> float:
        """Gives nothing of use."""
        return float("nan")

    assert await results(engine_of(wants(("1", "nan", {})), DONE, tools=[nan])) == [
        ("the application's own code failed with ValueError", True)
    ]


@run
async def test_what_no_encoding_knows_is_told_all_the_same() -> None:
    name = b"notes \xff.txt".decode(errors="surrogateescape")

    def files() -> dict[str, list[str]]:
        """Lists files."""
        return {name: [name, "é"]}

    def reads() -> None:
        """Reads one."""
        raise ToolError(f"cannot read {name}")

    def wrong() -> None:
        """Says what went wrong with something that is no text."""
        raise InvalidInputError(ValueError("hunter2"))  # type: ignore[arg-type]

    calls = wants(("1", "files", {}), ("2", "reads", {}), ("3", "wrong", {}))
    assert await results(engine_of(calls, DONE, tools=[files, reads, wrong])) == [
        ({"notes ?.txt": ["notes ?.txt", "é"]}, False),
        ("cannot read notes ?.txt", True),
        ("the application's own code failed with InvalidInputError", True),
    ]


@run
async def test_a_tool_that_finds_nothing_next_fails_at_once() -> None:
    def first() -> str:
        """Finds the first."""
        return next(iter(()))

    assert await results(engine_of(wants(("1", "first", {})), DONE, tools=[first])) == [
        ("the application's own code failed with RuntimeError", True)
    ]


class Hanging:
    def __init__(self) -> None:
        self.begun = self.stopped = False

    async def __call__(self) -> None:
        self.begun = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise


def hanging(timeout: float | None = None) -> tuple[Hanging, Tool]:
    code = Hanging()

    async def hang() -> None:
        """Never answers."""
        await code()

    return code, tool(timeout=timeout)(hang)


@run
async def test_a_tool_that_is_too_slow_is_cancelled_and_the_turn_goes_on() -> None:
    code, slow = hanging(timeout=0.05)
    [(said, failed)] = await results(engine_of(wants(("1", "hang", {})), DONE, tools=[slow]))
    assert failed and "in time" in said
    await settled(lambda: code.stopped)


@run
async def test_a_stopped_turn_cancels_its_tool() -> None:
    code, hang = hanging()
    engine = engine_of(wants(("1", "hang", {})), DONE, tools=[hang])
    reply = await engine.user("alice").session("chat").send("Hi")
    await settled(lambda: code.begun)
    await reply.cancel()
    assert (await reply.result()).status == "cancelled"
    await settled(lambda: code.stopped)
    again = await engine.user("alice").session("chat").send("Still there?")
    assert await again.text() == "done", "the session is usable"


@run
async def test_tools_run_beside_each_other_only_if_they_say_so() -> None:
    meet = asyncio.Barrier(2)

    @tool(parallel=True)
    async def one() -> str:
        """Waits for the other."""
        await meet.wait()
        return "met"

    @tool(parallel=True, name="other")
    async def two() -> str:
        """Waits for the one."""
        await meet.wait()
        return "met"

    engine = engine_of(wants(("1", "one", {}), ("2", "other", {})), DONE, tools=[one, two])
    assert await results(engine) == [("met", False)] * 2


@run
async def test_a_send_says_which_tools_there_are_and_an_engine_how_many_steps() -> None:
    class Model(ChatModel):
        asked: list[list[str]] = []

        async def stream(self, request: Request) -> Any:
            self.asked.append([spec["name"] for spec in request.tools])
            yield {"tool_call": {"id": str(len(self.asked)), "name": "weather", "arguments": {"city": "Kyoto"}}}
            yield {"finish": "tool_calls"}

    model = Model()
    engine = Engine(model=model, tools=[weather, tool(name="other")(lambda: None)], max_steps=2)
    assert [failed for _, failed in await results(engine)] == [False]
    assert [failed for _, failed in await results(engine, tools=["other"])] == [True]
    assert model.asked == [["weather", "other"]] * 2 + [["other"]] * 2
    with pytest.raises(InvalidInputError, match="no tool of this name"):
        await engine.user("alice").session("chat").send("Hi", tools=["nothing"])


@run
async def test_an_approval_comes_from_another_engine_on_the_same_store(tmp_path: Path) -> None:
    paid: list[int] = []

    @tool(approval=True)
    def pay(amount: int) -> str:
        """Pays."""
        paid.append(amount)
        return "paid"

    memory = f"sqlite:{tmp_path}/chat.db"
    asking = wants(("1", "pay", {"amount": 3}), ("2", "pay", {"amount": 900}))
    async with engine_of(asking, tools=[pay], memory=memory) as engine:
        reply = await engine.user("alice").session("chat").send("Pay all")
        finished = await reply.result()
    assert (finished.status, [call["id"] for call in finished.pending], paid) == ("paused", ["1", "2"], [])
    async with engine_of(DONE, tools=[pay], memory=memory) as engine:
        session = engine.user("alice").session("chat")
        small, large = (await session.history())[-1].pending
        with pytest.raises(InvalidInputError, match="decide about all"):
            await session.decide(Decision.approve(small))
        reply = await session.decide(Decision.approve(small), Decision.deny(large, "too much"))
        said = [(event.output, event.is_error) async for event in reply if isinstance(event, ToolResult)]
        newest = (await session.history())[-1]
        with pytest.raises(ConflictError):
            await session.decide(Decision.approve(small), Decision.approve(large))
    assert sorted(said) == [("paid", False), ("the call was denied: too much", True)] and paid == [3]
    assert (newest.text, newest.status, newest.pending) == ("done", "complete", [])


@run
async def test_of_two_decisions_at_once_one_is_too_late(tmp_path: Path) -> None:
    count: list[int] = []

    @tool(approval=True)
    def once() -> None:
        """Must not be called twice."""
        count.append(1)

    memory = f"sqlite:{tmp_path}/chat.db"
    engines = [engine_of(wants(("1", "once", {})), DONE, tools=[once], memory=memory) for _ in range(2)]
    sessions = [engine.user("alice").session("chat") for engine in engines]
    await (await sessions[0].send("Hi")).result()

    async def decide(at: int) -> str:
        reply = await sessions[at].decide(Decision.approve("1"))
        return (await reply.result()).status

    outcomes = await asyncio.gather(decide(0), decide(1), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert len(refused) == 1 and len(count) == 1, outcomes
    assert getattr(refused[0], "code", None) in ("conflict", "busy"), refused
    for engine in engines:
        await engine.close()


@run
async def test_a_tool_of_the_clients_waits_for_its_output() -> None:
    place = Tool(name="place", description="Where the user is.")
    engine = engine_of(wants(("1", "place", {}), ("2", "place", {})), DONE, tools=[place])
    session = engine.user("alice").session("chat")
    finished = await (await session.send("Where am I?")).result()
    first, second = finished.pending
    reply = await session.decide(Decision.output(first, {"lat": 35}), Decision.error(second, "not allowed"))
    told = [event async for event in reply]
    outputs = [(event.output, event.is_error) for event in told if isinstance(event, ToolResult)]
    assert outputs == [({"lat": 35}, False), ("not allowed", True)]
    assert isinstance(told[-1], Finished) and told[-1].status == "complete"


@run
async def test_approving_what_is_done_elsewhere_tells_the_model_that_nobody_did_it() -> None:
    engine = engine_of(wants(("1", "place", {})), DONE, tools=[Tool(name="place")])
    session = engine.user("alice").session("chat")
    await (await session.send("Where am I?")).result()
    reply = await session.decide(Decision.approve("1"))
    [result] = [event async for event in reply if isinstance(event, ToolResult)]
    assert result.is_error and "not called here" in result.output


def test_blocking_code_has_tools_and_decisions_too() -> None:
    @tool(approval=True)
    def pay(amount: int) -> int:
        """Pays."""
        return amount

    model = Scripted(wants(("1", "pay", {"amount": 3}), ("2", "weather", {"city": "Rome"})), DONE)
    with sync.Engine(model=model, tools=[pay, weather]) as engine:
        session = engine.user("alice").session("chat")
        finished = session.send("Pay").result()
        reply = session.decide(*[Decision.approve(call) for call in finished.pending])
        outputs = [event.output for event in reply if isinstance(event, ToolResult)]
        assert outputs == [3] and session.history()[-1].text == "done"


def test_an_engine_refuses_tools_that_a_model_could_not_name() -> None:
    for bad in ([Tool(name="no spaces")], [Tool(name="a"), Tool(name="a")], [Tool(name="a", parameters={"type": "x"})]):
        with pytest.raises(InvalidInputError, match="tool"):
            Engine(model=Scripted(DONE), tools=bad)
