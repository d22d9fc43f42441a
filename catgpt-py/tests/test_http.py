"""The HTTP API, mounted in FastAPI and served over real sockets, and called by hand."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from catgpt import CatgptError, Engine, SendOptions, User, _hub, _native, sync
from catgpt.fastapi import chat_api, lifespan
from catgpt.testing import Scripted
from fastapi import Depends, FastAPI, Header, HTTPException

from .helpers import run, serving, settled

GATED = Scripted(["Hello ", {"gate": "go"}, "world", {"finish": "stop"}])


def app_of(engine: Engine) -> FastAPI:
    app = FastAPI(lifespan=lifespan(engine))

    async def current_user(x_user: str = Header()) -> User:
        if x_user == "nobody":
            raise HTTPException(401)
        return engine.user(x_user)

    def options(x_model: str = Header("theirs"), user: User = Depends(current_user)) -> SendOptions:
        return {"model": x_model, "vars": {"who": user.owner or ""}}

    app.include_router(chat_api(user=current_user, options=options), prefix="/api/v1")
    return app


def client(host: str, user: str = "alice") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://{host}/api/v1", headers={"x-user": user})


def events(body: str) -> list[dict[str, Any]]:
    lines = body.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def until(lines: AsyncIterator[str], what: str) -> None:
    async for line in lines:
        if what in line:
            return
    raise AssertionError(f"{what} never came")


@run
async def test_a_chat_over_http() -> None:
    model = Scripted("Meow")
    async with serving(app_of(Engine(model=model))) as host, client(host) as http:
        response = await http.post("/sessions/a%20b/turns", json={"text": "Hi"}, headers={"x-model": "mine"})
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        started, text, finished = events(response.text)
        assert (started["session"], text["text"], finished["status"]) == ("a b", "Meow", "complete")
        assert model.requests[0]["model"] == "mine"
        page = (await http.get("/sessions/a%20b/messages", params={"last": 1})).json()
        assert ([row["seq"] for row in page["messages"]], page["more"], page["running"]) == ([2], True, None)
        resumed = await http.get(
            f"/turns/{started['turn']}",
            headers={"last-event-id": f"{started['turn']}:3", "accept": "application/x-ndjson"},
        )
        assert [json.loads(line).get("text") for line in resumed.text.splitlines()] == ["w", None]
        changed = await http.patch("/sessions/a%20b", json={"title": "Cats", "pinned": True})
        assert (changed.json()["title"], changed.headers["cache-control"]) == ("Cats", "no-store")
        assert (await http.get("/search", params={"q": "mêow"})).json()["hits"][0]["seq"] == 2
        deleted = await http.delete("/sessions/a%20b")
        assert (deleted.status_code, deleted.content) == (204, b"")


@run
async def test_a_client_that_goes_away_ends_the_subscription_and_not_the_turn() -> None:
    engine = Engine(model=GATED)
    async with serving(app_of(engine)) as host, client(host) as http:
        async with http.stream("POST", "/sessions/s/turns", json={"text": "Hi"}) as response:
            await until(response.aiter_lines(), "Hello")
        await settled(lambda: not _hub.current().waiters)
        ((_, turn),) = await engine.user("alice").turns()
        busy = await http.post("/sessions/s/turns", json={"text": "Hi again"})
        assert (busy.status_code, busy.json()["error"]["turn"]) == (409, turn)
        assert (await http.post(f"/turns/{turn}/cancel")).status_code == 204
        ended = events((await http.get(f"/turns/{turn}", params={"offset": 6})).text)
        assert [event["status"] for event in ended] == ["cancelled"]


@run
async def test_a_feed_goes_on_where_a_client_was_and_ends_with_the_engine() -> None:
    engine = Engine(model=Scripted("Meow"))
    async with serving(app_of(engine)) as host, client(host) as http:
        async with http.stream("GET", "/feed") as feed:
            lines = feed.aiter_lines()
            await until(lines, "id: 0")
            await http.post("/sessions", json={"id": "s", "title": "T"})
            await until(lines, '"title":"T"')
        await http.patch("/sessions/s", json={"title": "U"})
        async with http.stream("GET", "/feed", headers={"last-event-id": "1"}) as feed:
            lines = feed.aiter_lines()
            await until(lines, "id: 2")
            await engine.close(0)
            assert not [line async for line in lines if line.startswith("id:")]


@run
async def test_all_can_be_taken_out() -> None:
    async with serving(app_of(Engine(model=Scripted("Meow")))) as host, client(host) as http:
        for session in ("a", "b"):
            await http.post(f"/sessions/{session}/turns", json={"text": "Hi"})
        everything = await http.get("/export")
        assert everything.headers["content-disposition"] == 'attachment; filename="chats.jsonl"'
        assert [json.loads(line)["type"] for line in everything.text.splitlines()].count("session") == 2
        one = await http.get("/sessions/a/export", params={"format": "markdown"})
        assert one.headers["content-type"] == "text/markdown; charset=utf-8" and "## Assistant" in one.text


@run
async def test_what_is_refused() -> None:
    async with serving(app_of(Engine(model=Scripted("Meow")))) as host, client(host) as http, client(host, "bob") as bob:
        await http.post("/sessions/s/turns", json={"text": "Hi"})
        foreign = await bob.get("/sessions/s")
        assert (foreign.status_code, foreign.json()["error"]["kind"]) == (404, "not_found")
        wrong = await http.post("/sessions/s/turns", content='{"text": "secret')
        assert wrong.status_code == 400 and "secret" not in wrong.text
        large = await http.post("/sessions/s/turns", content=b" " * (_native.MAX_BODY + 1))
        assert (large.status_code, large.json()["error"]["kind"]) == (413, "invalid_input")
        assert (await http.get("/feed", headers={"x-user": "nobody"})).status_code == 401
        assert (await http.put("/feed")).status_code == 405


def test_every_route_is_in_the_openapi_document() -> None:
    engine = Engine(model=Scripted("Meow"))
    paths: dict[str, Any] = app_of(engine).openapi()["paths"]
    shown = {(method.upper(), path, row["summary"]) for path, rows in paths.items() for method, row in rows.items()}
    assert shown == {(method, f"/api/v1{path}", summary) for method, path, summary, *_ in _native.routes()}
    rows = [row for rows in paths.values() for row in rows.values()]
    assert all(row["tags"] == ["chat"] for row in rows) and len({row["operationId"] for row in rows}) == len(rows)
    turn = paths["/api/v1/turns/{turn}"]["get"]["parameters"]
    assert {(one["name"], one["in"]) for one in turn} >= {("turn", "path"), ("offset", "query")}


@run
async def test_it_is_called_without_a_server() -> None:
    user = Engine(model=Scripted("Meow")).user("alice")
    async with await user.serve("POST", "/sessions/s/turns", body=b'{"text": "Hi"}') as response:
        assert (response.status, response.whole) == (200, False)
        assert b"".join([piece async for piece in response]).count(b"\n\n") == 3
    refused = await user.serve("GET", "/turns/7")
    assert (refused.status, refused.whole) == (400, True)
    assert re.search(rb'"kind":"invalid_input"', await refused.read())
    with pytest.raises(CatgptError):
        await user.serve("GET", "/sessions", busy="maybe")  # type: ignore[arg-type]


def test_the_same_for_blocking_code() -> None:
    with sync.Engine(model=Scripted("Meow")) as engine:
        user = engine.user("alice")
        with user.serve("POST", "/sessions/s/turns", body='{"text": "Hi"}', accept="application/x-ndjson") as response:
            assert [json.loads(line)["type"] for line in b"".join(response).splitlines()] == ["started", "text", "finished"]
        listed = json.loads(user.serve("GET", "/sessions", "limit=1").read())
        assert [session["id"] for session in listed["sessions"]] == ["s"]
