"""The owner's feed: on every loop, left in every way, and over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import httpx
import pytest
import trio
from catgpt import ClosedError, Engine, NotFoundError, StreamBusyError, UnsupportedError
from catgpt.fastapi import install, last_news, lifespan, sse_feed
from catgpt.testing import Scripted
from fastapi import FastAPI, Request
from starlette.responses import Response

from .dict_memory import DictMemory
from .helpers import run, serving, settled


async def kinds(engine: Engine, count: int) -> list[str]:
    async with engine.user("alice").feed(0) as feed:
        return [(await anext(feed)).kind for _ in range(count)]


@run
async def test_a_feed_begins_now_and_hears_what_comes() -> None:
    async with Engine(model=Scripted("Hello")) as engine:
        alice = engine.user("alice")
        await alice.session("old").create()
        feed = alice.feed()
        waiting = asyncio.create_task(anext(feed))
        await settled(lambda: feed.after == 1)
        await alice.session("new").create(title="New")
        news = await waiting
        assert (news.session, news.kind, news.n, feed.after) == ("new", "created", 2, 2)
        assert news.info is not None and news.info.title == "New"
        await alice.session("new").delete()
        assert (await anext(feed)).info is None


@run
async def test_leaving_a_feed_ends_it() -> None:
    async with Engine(model=Scripted("Hello")) as engine:
        feed = engine.user("alice").feed()
        waiting = asyncio.create_task(anext(feed, None))
        await settled(lambda: feed._waiting is not None and feed.after is not None)
        with pytest.raises(StreamBusyError):
            await anext(feed)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        # Cancellation ends the wait and loses nothing: another may go on.
        waiting = asyncio.create_task(anext(feed, None))
        await settled(lambda: feed._waiting is not None)
        await feed.aclose()
        assert await waiting is None
        assert [news async for news in feed] == []


@run
async def test_closing_the_engine_ends_its_feeds() -> None:
    engine = Engine(model=Scripted("Hello"))
    feed = engine.user("alice").feed()
    waiting = asyncio.create_task(anext(feed))
    await settled(lambda: feed.after is not None and feed._waiting is not None)
    await engine.close()
    with pytest.raises(ClosedError):
        await waiting
    assert [news async for news in feed] == []


def test_two_loops_and_trio_hear_the_same() -> None:
    engine, heard = Engine(model=Scripted("Hello"), memory=DictMemory()), list[list[str]]()

    async def listen() -> None:
        heard.append(await kinds(engine, 3))

    loops = [threading.Thread(target=lambda: asyncio.run(listen())) for _ in range(2)]
    loops.append(threading.Thread(target=lambda: trio.run(listen)))

    async def talk() -> None:
        await (await engine.user("alice").session("chat").send("Hi")).text()
        for loop in loops:
            loop.start()
        for loop in loops:
            await asyncio.to_thread(loop.join, 20)
        await engine.close()

    asyncio.run(talk())
    assert heard == [["created", "turn_begun", "turn_ended"]] * 3


@run
async def test_what_a_store_lacks_is_said() -> None:
    async with Engine(model=Scripted("Hello"), memory=DictMemory()) as engine:
        alice = engine.user("alice")
        await alice.session("chat").create()
        with pytest.raises(UnsupportedError):
            await alice.session("chat").set_pinned(True)
        with pytest.raises(UnsupportedError):
            await alice.search("hello")


@run
async def test_a_failing_ear_fails_the_call() -> None:
    async with Engine(model=Scripted("Hello")) as engine:
        await engine.user("alice").session("chat").create()

        def hear(done: int, total: int | None) -> None:
            raise ZeroDivisionError(done)

        with pytest.raises(ZeroDivisionError):
            await engine.user("alice").erase(on_progress=hear)
        with pytest.raises(NotFoundError):
            await engine.user("alice").session("chat").info()


def app_of(engine: Engine) -> FastAPI:
    app = FastAPI(lifespan=lifespan(engine))
    install(app)

    @app.get("/feed")
    async def feed(request: Request) -> Response:
        return await sse_feed(engine.user("alice"), last_news(request), keep_alive=0.05)

    return app


@run
async def test_a_feed_over_http_goes_on_where_a_client_was() -> None:
    engine = Engine(model=Scripted("Hello"))
    alice = engine.user("alice")
    await alice.session("a").create()
    async with serving(app_of(engine)) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        async with client.stream("GET", "/feed") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = response.aiter_lines()
            assert await anext(lines) == "id: 1"
            await alice.session("b").create()
            heard = [line async for line in _until(lines, "data: ")]
        assert "id: 2" in heard and '"session":"b"' in heard[-1]
        async with client.stream("GET", "/feed", headers={"last-event-id": "1"}) as response:
            heard = [line async for line in _until(response.aiter_lines(), ": keep-alive")]
        assert heard[0] == "id: 2"


async def _until(lines: AsyncIterator[str], begin: str) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith(begin):
            return
