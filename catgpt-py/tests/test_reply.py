"""What iterating promises: nothing is lost, nothing hangs, and letting go ends the subscription and not the turn."""

from __future__ import annotations

import asyncio
import gc
import pickle
import weakref
from typing import Any

import pytest
from catgpt import BusyError, CatgptError, ClosedError, Engine, Finished, InvalidInputError, Reasoning, Reply, Started
from catgpt import StreamBusyError, Text, TruncatedError, UnavailableError, _hub
from catgpt.testing import Scripted, Step

from .helpers import run, settled

HANGS: list[Step] = ["Hello ", {"hang": True}]


def session_of(model: Scripted) -> Any:
    return Engine(model=model).user("alice").session("chat")


@run
async def test_events_match_by_their_class() -> None:
    session = session_of(Scripted([{"reasoning": "hm"}, "Hello", {"finish": "stop"}]))
    seen = []
    async with session.send("Hi") as reply:
        async for event in reply:
            match event:
                case Started(turn=turn, session="chat"):
                    assert turn == reply.turn
                case Text(text, offset):
                    seen.append((text, offset))
                case Reasoning(text):
                    seen.append((text, -1))
                case Finished(status="complete", finish_reason="stop", stored=7):
                    seen.append(("end", 0))
                case _:
                    raise AssertionError(event)
    assert seen == [("hm", -1), ("Hello", 7), ("end", 0)]


@run
async def test_text_and_result() -> None:
    session = session_of(Scripted("Hello"))
    assert await (await session.send("Hi")).text() == "Hello"
    finished = await (await session.send("Hi")).result()
    assert finished.status == "complete" and finished.usage is not None and finished.usage.estimated


@run
async def test_a_busy_session_is_a_typed_error_before_the_first_event() -> None:
    session = session_of(Scripted(HANGS))
    reply = await session.send("Hi")
    with pytest.raises(BusyError) as busy:
        await session.send("Hi again")
    assert (busy.value.turn, busy.value.retryable, busy.value.http_status) == (reply.turn, True, 409)
    await reply.cancel()
    assert (await reply.result()).status == "cancelled"


@run
async def test_iterating_a_failed_turn_never_raises_but_its_text_does() -> None:
    model = Scripted(["Hello ", {"error": "unavailable"}], ["cut"])
    session = session_of(model)
    reply = await session.send("Hi")
    events = [event async for event in reply]
    assert isinstance(events[-1], Finished) and isinstance(events[-1].error, UnavailableError)
    with pytest.raises(UnavailableError):
        await reply.result()
    with pytest.raises(TruncatedError):
        await (await session.send("Hi")).text()


@run
async def test_timeouts_lose_no_event() -> None:
    steps: list[Step] = [step for n in range(20) for step in ({"delay_ms": 10}, f"{n} ")]
    reply = await session_of(Scripted([*steps, {"finish": "stop"}])).send("Hi")
    text, timeouts = "", 0
    while True:
        try:
            event = await asyncio.wait_for(anext(reply), 0.003)
        except TimeoutError:
            timeouts += 1
        except StopAsyncIteration:
            break
        else:
            text += event.text if isinstance(event, Text) else ""
    assert text == "".join(f"{n} " for n in range(20)) and timeouts > 0


@run
async def test_a_second_consumer_is_told_and_the_first_goes_on() -> None:
    model = Scripted([{"gate": "go"}, "Hello", {"finish": "stop"}])
    reply = await session_of(model).send("Hi")
    assert isinstance(await anext(reply), Started)
    first = asyncio.create_task(reply.text())
    await settled(lambda: reply._stream.id in _hub.current().waiters)
    with pytest.raises(StreamBusyError):
        await anext(reply)
    assert model.open("go")
    assert await first == "Hello"


async def detached(model: Scripted, session: Any, reply: Reply) -> None:
    """The turn runs; it ends when it may, and is stored."""
    assert session.id == reply.session and model.dropped == 0
    assert await session._engine.user("alice").turns() == [("chat", reply.turn)]
    assert model.open("go")
    assert await (await session.attach(reply.turn)).text() == "Hello world"
    assert (await session.history())[-1].text == "Hello world"


@run
@pytest.mark.parametrize("how", ["break", "aclose", "with", "task", "drop"])
async def test_letting_go_ends_the_subscription_and_not_the_turn(how: str) -> None:
    model = Scripted(["Hello ", {"gate": "go"}, "world", {"finish": "stop"}])
    session = session_of(model)
    reply = await session.send("Hi")

    async def consume() -> None:
        async with reply:
            async for event in reply:
                if isinstance(event, Text) and how == "break":
                    break

    match how:
        case "break":
            await consume()
        case "task":
            task = asyncio.create_task(consume())
            await settled(lambda: bool(_hub.current().waiters))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        case "with":
            async with reply:
                await anext(reply)
        case "aclose":
            task = asyncio.create_task(consume())
            await settled(lambda: bool(_hub.current().waiters))
            await reply.aclose()
            await asyncio.wait_for(task, 5)
        case _:
            turn = reply.turn
            reply = await session.attach(turn)
            gc.collect()
    assert not _hub.current().waiters
    await detached(model, session, reply)


@run
async def test_on_drop_cancel_ends_the_turn() -> None:
    model = Scripted(HANGS)
    session = session_of(model)
    async with session.send("Hi", on_drop="cancel") as reply:
        await anext(reply)
    assert (await (await session.attach(reply.turn)).result()).status == "cancelled"
    await settled(lambda: model.dropped == 1)


@run
async def test_a_send_that_nobody_waits_for_leaves_nothing_or_a_turn() -> None:
    model = Scripted(HANGS)
    session = session_of(model)
    task = asyncio.create_task(session.send("Hi")._begin())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    turns = await session._engine.user("alice").turns()
    assert len(turns) <= 1 and not _hub.current().waiters
    for _, turn in turns:
        await session._engine.user("alice").cancel(turn)


@run
async def test_an_endless_reply_lets_other_tasks_have_their_turn() -> None:
    pieces: list[Step] = [step for _ in range(2_000) for step in ({"reasoning": "a"}, "b")]
    session = session_of(Scripted([*pieces, {"finish": "stop"}]))
    reply = await session.send("Hi")
    await (await session.attach(reply.turn)).result()  # now all of it is there
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    events = [event async for event in reply]
    ticker.cancel()
    assert len(events) > 4_000 and ticks > len(events) / 64 - 2


@run
async def test_closed_before_its_end_it_has_no_result() -> None:
    reply = await session_of(Scripted(HANGS)).send("Hi", on_drop="cancel")
    await reply.aclose()
    with pytest.raises(ClosedError):
        await reply.result()


@run
async def test_server_sent_events_are_bytes_and_exclude_events() -> None:
    session = session_of(Scripted("Hello"))
    reply = await session.send("Hi")
    data = b"".join([chunk async for chunk in reply.encoded()])
    assert data.startswith(b"id: " + reply.turn.encode() + b":0\ndata: {") and data.endswith(b"\n\n")
    reply = await session.send("Hi")
    reply.encoded()
    with pytest.raises(InvalidInputError):
        await anext(reply)
    with pytest.raises(InvalidInputError):
        reply.encoded()


@run
async def test_ten_thousand_abandoned_replies_leave_nothing() -> None:
    model = Scripted(["Hello ", {"gate": "go"}, {"finish": "stop"}])
    session = session_of(model)
    turn = (await session.send("Hi")).turn
    before = len(gc.get_objects())
    last = None
    for _ in range(10_000):
        reply = await session.attach(turn)
        assert isinstance(await anext(reply), Started)
        last = weakref.ref(reply)
    del reply
    gc.collect()
    assert last is not None and last() is None and not _hub.current().waiters
    assert len(gc.get_objects()) - before < 1_000
    assert model.open("go")


def test_events_are_values() -> None:
    text = Text("a", 1)
    assert text == Text("a", 1) != Text("b", 1) and text != Reasoning("a", 1) and hash(text) == hash(Text("a", 1))
    assert repr(text) == "Text(text='a', offset=1)" and text.to_dict() == {"type": "text", "text": "a", "offset": 1}
    assert pickle.loads(pickle.dumps(text)) == text
    with pytest.raises(AttributeError):
        text.text = "b"  # type: ignore[misc]
    error = BusyError("b", turn="t")
    assert pickle.loads(pickle.dumps(error)) == error and isinstance(error, CatgptError)
