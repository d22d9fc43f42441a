"""The web helpers, over real sockets."""

from __future__ import annotations

import gc
import json

import httpx
import pytest
from catgpt import ClosedError, Engine, _hub
from catgpt.fastapi import install, last_event, lifespan, sse_response
from catgpt.testing import FakeOpenAI, Scripted
from fastapi import FastAPI, Request
from starlette.responses import Response

from .helpers import run, serving, settled


def app_of(engine: Engine) -> FastAPI:
    app = FastAPI(lifespan=lifespan(engine))
    install(app)

    @app.post("/chat/{session}")
    async def chat(session: str, request: Request) -> Response:
        text = (await request.body()).decode()
        cancel = "cancel" in request.query_params
        send = engine.user("alice").session(session).send(text, on_drop="cancel" if cancel else "detach")
        return sse_response(await send)

    @app.get("/turns/{turn}")
    async def watch(turn: str, request: Request) -> Response:
        turn, offset = last_event(request) or (turn, 0)
        return sse_response(await engine.user("alice").attach(turn, offset))

    return app


def events(body: str) -> list[dict[str, object]]:
    lines = body.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@run
async def test_a_reply_is_streamed_and_goes_on_where_a_client_was() -> None:
    async with serving(app_of(Engine(model=Scripted("Hello")))) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        response = await client.post("/chat/a", content="Hi")
        assert response.headers["content-type"].startswith("text/event-stream")
        first, text, last = events(response.text)
        assert (text["text"], last["status"]) == ("Hello", "complete")
        resumed = await client.get("/turns/lost", headers={"last-event-id": f"{first['turn']}:3"})
        assert [event.get("text") for event in events(resumed.text)] == ["lo", None]
        unknown = await client.get("/turns/00000000-0000-0000-0000-000000000000")
        assert (unknown.status_code, unknown.json()["error"]["kind"]) == (404, "not_found")


@run
async def test_a_busy_session_is_409_before_the_first_byte() -> None:
    engine = Engine(model=Scripted([{"hang": True}]))
    reply = await engine.user("alice").session("a").send("Hi")
    async with serving(app_of(engine)) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        response = await client.post("/chat/a", content="Hi")
        assert (response.status_code, response.json()["error"]["turn"]) == (409, reply.turn)
        await reply.cancel()


@run
async def test_a_client_that_goes_away_ends_the_subscription_and_not_the_turn() -> None:
    model = Scripted(["Hello ", {"gate": "go"}, "world", {"finish": "stop"}])
    engine = Engine(model=model)
    async with serving(app_of(engine)) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        async with client.stream("POST", "/chat/a", content="Hi") as response:
            async for line in response.aiter_lines():
                if "Hello" in line:
                    break
        await settled(lambda: not _hub.current().waiters)
        ((_, turn),) = await engine.user("alice").turns()
        assert model.open("go")
        assert await (await engine.user("alice").attach(turn)).text() == "Hello world"


@run
async def test_with_on_drop_cancel_the_request_to_the_model_ends() -> None:
    with FakeOpenAI() as server:
        engine = Engine(model="mock,f=silence,k=2", base_url=server.url, api_key="k")
        async with serving(app_of(engine)) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
            async with client.stream("POST", "/chat/a?cancel", content="Hi") as response:
                async for line in response.aiter_lines():
                    if '"text"' in line:
                        break
            await settled(lambda: server.requests[0]["progress"] == "hung_up")


@run
async def test_the_end_of_the_application_closes_the_engine() -> None:
    engine = Engine(model=Scripted("Hello"))
    async with serving(app_of(engine)):
        await (await engine.user("alice").session("a").send("Hi")).text()
    with pytest.raises(ClosedError):
        await engine.user("alice").session("a").send("Hi")


@run
async def test_whole_collections_are_rarer_for_as_long_as_an_application_runs() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    app = FastAPI()
    async with lifespan(Engine(model=Scripted("Hi")), rare_gc=True)(app):
        assert gc.get_threshold() == (*before[:2], 10 * before[2])
        assert gc.get_freeze_count() > frozen
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
    async with lifespan(Engine(model=Scripted("Hi")))(app):
        assert gc.get_threshold() == before
