"""Models and stores that are written in Python."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from catgpt import (
    BusyError,
    CatgptError,
    ChatModel,
    Engine,
    Finished,
    LimitedError,
    RateLimitedError,
    Reasoning,
    RefusedError,
    Request,
    Said,
    Text,
    UnavailableError,
    UnexpectedError,
    Usage,
)

from .dict_memory import DictMemory
from .helpers import run, settled


class Async(ChatModel):
    name = "async"

    def __init__(self, *said: Said | Exception) -> None:
        self.said = said
        self.stopped = False
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> AsyncIterator[Said]:
        self.requests.append(request)
        try:
            for piece in self.said:
                await asyncio.sleep(0)
                if isinstance(piece, Exception):
                    raise piece
                yield piece
            if not self.said:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise


class InThread(ChatModel):
    def __init__(self, *said: Said) -> None:
        self.said = said
        self.thread: int | None = None

    def stream(self, request: Request) -> Iterator[Said]:
        self.thread = threading.get_ident()
        yield from self.said


def session_of(model: ChatModel | None = None, memory: Any = None) -> Any:
    return Engine(model=model or "offline", memory=memory, retry_base=0).user("alice").session("chat")


@run
async def test_an_async_model_streams_and_is_told_what_it_is_asked() -> None:
    model = Async("Hello ", {"reasoning": "hm"}, "world", Usage(3, 4))
    reply = await session_of(model).send("Hi", params={"temperature": 0.5}, credentials="mine")
    events = [event async for event in reply]
    assert "".join(event.text for event in events if isinstance(event, Text)) == "Hello world"
    assert any(isinstance(event, Reasoning) for event in events)
    assert isinstance(events[-1], Finished) and events[-1].usage == Usage(3, 4)
    (request,) = model.requests
    assert request.messages[-1] == {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    assert (request.params, request.turn, request.credentials) == ({"temperature": 0.5}, reply.turn, "mine")
    assert "mine" not in repr(request)


@run
async def test_a_plain_generator_runs_in_a_thread_and_waits_when_it_is_too_fast() -> None:
    model = InThread(*(["x"] * 5_000))
    assert await (await session_of(model).send("Hi")).text() == "x" * 5_000
    assert model.thread != threading.get_ident()


@run
async def test_a_failing_model_is_the_cause() -> None:
    session = session_of(Async("Hello", ValueError("what only I may know")))
    reply = await session.send("Hi")
    finished = [event async for event in reply][-1]
    assert isinstance(finished, Finished) and finished.error is not None
    assert isinstance(finished.error.__cause__, ValueError)
    with pytest.raises(UnexpectedError, match="ValueError") as raised:
        await reply.result()
    assert isinstance(raised.value.__cause__, ValueError) and "only I" not in str(raised.value)


@run
async def test_a_model_may_raise_this_librarys_errors() -> None:
    session = session_of(Async(RateLimitedError("slow down", retry_after=7, retryable=False)))
    with pytest.raises(RateLimitedError) as raised:
        await (await session.send("Hi")).text()
    assert (raised.value.retry_after, raised.value.message) == (7, "slow down")
    assert isinstance(raised.value.__cause__, RateLimitedError)


class OwnKindError(CatgptError):
    code = "nobodys"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BusyError("taken", turn="job-42"), "taken"),
        (LimitedError("enough", retry_after=-1, limit={"name": "mine"}), "enough"),
        (RefusedError("half: \ud83d"), r"half: \?"),
        (OwnKindError("mine", retryable=False), "an error that cannot be read"),
        (RateLimitedError("later", retry_after=math.inf), "RateLimitedError"),
        (UnavailableError(cast(str, OSError("no route"))), "UnavailableError"),
    ],
)
@run
async def test_an_error_with_facts_of_its_own_ends_the_turn_all_the_same(error: CatgptError, told: str) -> None:
    error.retryable = False
    with pytest.raises(CatgptError, match=told) as raised:
        await (await session_of(Async(error)).send("Hi")).text()
    assert raised.value.__cause__ is error


@run
async def test_a_stopped_turn_stops_the_model() -> None:
    model = Async()
    reply = await session_of(model).send("Hi")
    await settled(lambda: bool(model.requests))
    await reply.cancel()
    assert (await reply.result()).status == "cancelled"
    await settled(lambda: model.stopped)


@run
async def test_two_engines_on_one_loop_are_told_apart() -> None:
    one, two = session_of(Async("one")), session_of(Async("two"))
    replies = await asyncio.gather(one.send("Hi"), two.send("Hi"))
    assert await asyncio.gather(*(reply.text() for reply in replies)) == ["one", "two"]


def test_a_model_moves_to_the_next_loop_when_its_own_is_gone() -> None:
    session = session_of(Async("Hello"))

    async def talk() -> str:
        return str(await (await session.send("Hi")).text())

    assert [asyncio.run(talk()) for _ in range(3)] == ["Hello"] * 3


class Broken(DictMemory):
    async def begin_turn(self, owner: str, begin: dict[str, Any]) -> Any:
        raise ConnectionError("what only I may know")


@run
async def test_a_failing_store_is_the_cause() -> None:
    with pytest.raises(UnexpectedError, match="ConnectionError") as raised:
        await session_of(memory=Broken()).send("Hi")
    assert isinstance(raised.value.__cause__, ConnectionError) and "only I" not in str(raised.value)


@run
async def test_a_store_keeps_what_was_said_and_is_closed() -> None:
    closed = []

    class Kept(DictMemory):
        def close(self) -> None:
            closed.append(True)

    memory = Kept()
    async with Engine(model="offline", memory=memory) as engine:
        session = engine.user("alice").session("chat")
        await (await session.send("Hi", key="k")).text()
        again = await session.send("Hi", key="k")
        await again.text()
        assert [message.role for message in await session.history()] == ["user", "assistant"]
        await session.rename("A title")
        assert (await session.info()).title == "A title"
        page = await engine.user("alice").sessions(limit=1)
        assert [info.id for info in page.sessions] == ["chat"] and page.next is None
        assert [change.kind for change in await engine.user("alice").changes()][-1] == "renamed"
    assert closed == [True]
