"""The loops on which it runs, and the blocking twin."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from collections.abc import AsyncIterator

import pytest
import trio
import uvloop
from catgpt import BusyError, ChatModel, Engine, Finished, Persona, Request, StreamBusyError, Text, _hub, sync
from catgpt.testing import FakeOpenAI, Scripted

from .dict_memory import DictMemory
from .helpers import run
from .test_own_code import Async, InThread


async def talk(engine: Engine, session: str = "chat") -> str:
    async with engine.user("alice").session(session).send("Hi") as reply:
        return "".join([event.text async for event in reply if isinstance(event, Text)])


def paced() -> Scripted:
    return Scripted(["Hel", {"delay_ms": 1}, "lo", {"delay_ms": 1}, {"finish": "stop"}])


def test_asyncio_uvloop_and_one_loop_after_the_other() -> None:
    engine = Engine(model=paced())
    # The loop of blocking code, and those that the tracebacks of kept failures hold, are other tests'.
    before = len(_hub._hubs)
    assert asyncio.run(talk(engine)) == uvloop.run(talk(engine)) == asyncio.run(talk(engine)) == "Hello"
    gc.collect()
    assert len(_hub._hubs) <= before


def test_two_loops_at_once_have_a_hub_each() -> None:
    engine, said = Engine(model=paced()), []
    work = [threading.Thread(target=lambda n=n: said.append(asyncio.run(talk(engine, n)))) for n in "ab"]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(10)
    assert said == ["Hello", "Hello"]


def test_trio() -> None:
    async def main() -> None:
        engine = Engine(model=paced(), memory=DictMemory())
        assert await talk(engine) == "Hello"
        with trio.move_on_after(0.05) as scope:
            reply = await Engine(model=Scripted([{"hang": True}])).local().session("chat").send("Hi")
            async for _ in reply:
                pass
        assert scope.cancelled_caught
        assert await (await Engine(model=InThread("a", "b")).local().session("chat").send("Hi")).text() == "ab"
        await engine.close()

    trio.run(main)


@run
async def test_a_loop_without_add_reader_is_pumped() -> None:
    loop = asyncio.get_running_loop()
    hub = _hub.AsyncioHub(loop)
    loop.remove_reader(hub.native.fileno())
    stop = hub.spawn(hub.pump(loop))
    _hub._hubs[loop] = hub
    assert await talk(Engine(model=paced())) == "Hello"
    stop()


def test_the_blocking_twin() -> None:
    with sync.Engine(model=Scripted("Hello", ["Hel", {"hang": True}], "lo"), persona=Persona.cat()) as engine:
        alice = engine.user("alice")
        session = alice.session("chat")
        with session.send("Hi") as reply:
            events = list(reply)
        assert [event.text for event in events if isinstance(event, Text)] == ["Hello"]
        assert isinstance(events[-1], Finished) and events[-1].status == "complete"
        assert b"".join(session.attach(reply.turn).encoded()).count(b"id: ") == 3
        reply = session.send("Hi")
        with pytest.raises(BusyError):
            session.send("Hi again")
        reply.cancel()
        assert reply.result().status == "cancelled"
        assert [message.text for message in session.history()] == ["Hi", "Hello", "Hi", "Hel"]
        session.rename("A title")
        assert session.info().title == "A title" and session.info().persona == "cat"
        assert [info.id for info in alice.sessions().sessions] == ["chat"] and alice.turns() == []
        assert [node.seq for node in session.outline()] == [1, 2, 3, 4]
        assert session.continue_reply().text() and session.send_after(2, "And?").text()
        assert session.fork("copy", upto=2).info().messages == 2
        assert alice.search("title").hits[0].session.id in ("chat", "copy")
        session.delete()
        assert alice.delete(["copy", "none"]) == 1
        assert alice.sessions().sessions == [] and alice.changes()[-1].kind == "deleted"
        assert [news.kind for news in itertools.islice(alice.feed(0), 3)] == ["created", "turn_begun", "turn_ended"]
        gone: list[tuple[int, int | None]] = []
        bob = engine.user("bob")
        bob.session("s").create(title="T", metadata={"a": [1]}, ttl=60)
        assert bob.session("s").info().ttl_ms == 60_000
        assert bob.erase(on_progress=lambda done, total: gone.append((done, total))) == 1 and gone == [(1, None)]


@pytest.mark.parametrize("model", [Async("Hello"), InThread("Hello")], ids=["async", "thread"])
def test_the_blocking_twin_asks_the_applications_own_code_in_a_thread_of_its_own(model: ChatModel) -> None:
    with sync.Engine(model=model, memory=DictMemory()) as engine:
        reply = engine.local().session("chat").send("Hi")
        assert reply.text() == "Hello"


def test_two_threads_on_one_reply() -> None:
    engine = sync.Engine(model=Scripted([{"hang": True}]))
    reply = engine.local().session("chat").send("Hi")
    next(reply)
    reply._claim()
    with pytest.raises(StreamBusyError):
        next(reply)
    reply._reading.release()
    threading.Timer(0.05, reply.close).start()
    assert list(reply) == []


@run
async def test_the_blocking_twin_refuses_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="from catgpt import Engine"):
        sync.Engine(model="offline").local().session("chat").send("Hi")


class CallsBlocking(ChatModel):
    """What would block the very loop that runs it."""

    async def stream(self, request: Request) -> AsyncIterator[str]:
        yield sync.Engine(model="offline").local().session("other").send("Hi").text()


def test_blocking_code_in_an_async_model_is_an_error_and_no_deadlock() -> None:
    reply = sync.Engine(model=CallsBlocking()).local().session("chat").send("Hi")
    finished = list(reply)[-1]
    assert isinstance(finished, Finished) and finished.error is not None
    assert isinstance(finished.error.__cause__, RuntimeError)


@run
async def test_a_whole_client_path() -> None:
    with FakeOpenAI() as server:
        engine = Engine(model="mock,n=50", base_url=server.url, api_key="k")
        assert len((await talk(engine)).split()) > 1
        assert server.requests[0]["path"] == "/v1/chat/completions"
        await engine.close()
