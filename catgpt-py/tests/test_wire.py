"""What goes over the wire: `spec/wire` byte by byte, the AI SDK's routes, and many turns on one web socket."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import websockets
from catgpt import Engine, Format, InvalidInputError, NotFoundError, Reply, _hub, sync
from catgpt.fastapi import (
    install,
    lifespan,
    ndjson_response,
    sse_response,
    text_response,
    ui_message_response,
    ui_resume,
    websocket,
)
from catgpt.testing import Scripted
from fastapi import FastAPI, Request, WebSocket
from starlette.responses import Response

from .helpers import run, serving, settled

SPEC = Path(__file__).parents[2] / "spec" / "wire"
TURNS = sorted(path.parent for path in SPEC.glob("*/turn.json"))
GATED: list[str | dict[str, Any]] = ["Hello ", {"gate": "g"}, "world", {"finish": "stop"}]
UI = "ui_message_stream"


def app_of(engine: Engine) -> FastAPI:
    app = FastAPI(lifespan=lifespan(engine))
    install(app)
    alice = engine.user("alice")

    @app.post("/api/chat")
    async def chat(request: Request) -> Response:
        return ui_message_response(await alice.chat(await request.body()))

    @app.get("/api/chat/{id}/stream")
    async def resume(id: str) -> Response:
        return await ui_resume(alice.session(id))

    @app.get("/turns/{turn}")
    async def watch(turn: str, format: Format) -> Response:
        reply = await alice.attach(turn)
        responses = {"sse": sse_response, UI: ui_message_response, "ndjson": ndjson_response, "text": text_response}
        return responses[format](reply)

    @app.websocket("/ws")
    async def socket(ws: WebSocket) -> None:
        await ws.accept()
        await websocket(ws, alice, keep_alive=0.05)

    return app


@contextlib.asynccontextmanager
async def client_of(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(app_of(engine)) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        yield client


def asking(text: str, id: str = "m1") -> dict[str, Any]:
    """What the AI SDK's transport posts."""
    message = {"id": id, "role": "user", "parts": [{"type": "text", "text": text}]}
    return {"id": "chat", "messages": [message], "trigger": "submit-message"}


async def written(reply: Reply, format: Format) -> str:
    end = "\n" if format == "ws" else ""
    return "".join([write.decode() + end async for write in reply.encoded(format)])


def test_there_are_turns_to_compare() -> None:
    assert TURNS


@pytest.mark.parametrize("folder", TURNS, ids=lambda folder: folder.name)
@run
async def test_a_turn_is_the_same_bytes_in_every_language(folder: Path) -> None:
    turn = json.loads((folder / "turn.json").read_text())
    engine = Engine(model=Scripted(turn["model"]), memory="memory:", retry_base=0)
    session = engine.user("alice").session("chat")
    reply = await session.send(turn["send"])
    async for _ in reply:
        pass
    for format in get_args(Format):
        got = (await written(await session.attach(reply.turn), format)).replace(reply.turn, "$turn")
        assert got == (folder / f"{format}.txt").read_text(), format


@run
async def test_a_response_is_those_bytes_with_the_headers_of_its_format() -> None:
    folder = SPEC / "complete"
    turn = json.loads((folder / "turn.json").read_text())
    types = {
        "sse": "text/event-stream; charset=utf-8",
        UI: "text/event-stream",
        "ndjson": "application/x-ndjson; charset=utf-8",
        "text": "text/plain; charset=utf-8",
    }
    async with client_of(Engine(model=Scripted(turn["model"]), retry_base=0)) as client:
        first = await client.post("/api/chat", json=asking(turn["send"]))
        ids = [json.loads(line[6:])["messageMetadata"]["turn"] for line in first.text.splitlines() if '"start"' in line]
        for format, content_type in types.items():
            response = await client.get(f"/turns/{ids[0]}", params={"format": format})
            assert response.text.replace(ids[0], "$turn") == (folder / f"{format}.txt").read_text()
            assert response.headers["content-type"] == content_type
            assert response.headers["cache-control"] == "no-store, no-transform"
            assert response.headers.get("x-vercel-ai-ui-message-stream") == ("v1" if format == UI else None)


@run
async def test_the_ai_sdks_routes_resume_and_refuse() -> None:
    model = Scripted(GATED)
    engine = Engine(model=model)
    async with client_of(engine) as client:
        assert (await client.get("/api/chat/chat/stream")).status_code == 204
        async with client.stream("POST", "/api/chat", json=asking("Hi")) as response:
            lines = response.aiter_lines()
            start = json.loads((await anext(lines)).removeprefix("data: "))
            assert start["messageId"] == f"{start['messageMetadata']['turn']}-2"
            busy = await client.post("/api/chat", json=asking("Hi again", "m2"))
            assert (busy.status_code, busy.json()["error"]["turn"]) == (409, start["messageMetadata"]["turn"])
            async with client.stream("GET", "/api/chat/chat/stream") as resumed:
                assert model.open("g")
                again = [line async for line in resumed.aiter_lines() if line]
        assert json.loads(again[0].removeprefix("data: ")) == start
        deltas = [json.loads(line[6:])["delta"] for line in again if "text-delta" in line]
        assert ("".join(deltas), again[-1]) == ("Hello world", "data: [DONE]")
        assert (await client.get("/api/chat/chat/stream")).status_code == 204
        assert (await client.post("/api/chat", content="{}")).status_code == 400
        stored = await engine.user("alice").session("chat").ui_messages()
        assert [message["role"] for message in stored] == ["user", "assistant"]
        assert stored[1]["id"] == start["messageId"]


@run
async def test_prompts_on_one_socket_never_mix_and_refusals_leave_it_open() -> None:
    model = Scripted(GATED)
    async with serving(app_of(Engine(model=model))) as host, websockets.connect(f"ws://{host}/ws") as ws:
        texts: dict[str, str] = {}
        ends: dict[str, str] = {}

        async def read(count: int) -> None:
            """Reads until so many requests have ended; opens the gate once both turns have begun to speak."""
            while len(ends) < count:
                frame = json.loads(await ws.recv())
                request = frame.get("request")
                texts[request] = texts.get(request, "") + frame.get("text", "")
                if frame["type"] in ("finished", "done", "pong", "error"):
                    ends[request] = frame.get("status") or frame.get("error", {}).get("kind") or frame["type"]
                if texts.get("a") == texts.get("b") == "Hello ":
                    assert model.open("g")

        for request, session in (("a", "s1"), ("b", "s2")):
            await ws.send(json.dumps({"type": "send", "request": request, "session": session, "text": "Hi"}))
        await read(2)
        assert texts["a"] == texts["b"] == "Hello world"
        await ws.send('{"type": "refresh", "request": "c", "token": "t"}')
        await ws.send('{"type": "ping", "request": "d"}')
        await ws.send(json.dumps({"type": "send", "request": "e", "session": "s1", "text": ""}))
        await read(5)
        assert ends == {"a": "complete", "b": "complete", "c": "unsupported", "d": "pong", "e": "invalid_input"}
    await settled(lambda: not _hub.current().waiters)


@run
async def test_a_turn_is_stopped_by_a_frame_and_outlives_its_socket() -> None:
    model = Scripted(["Hel", {"hang": True}])
    engine = Engine(model=model)
    async with serving(app_of(engine)) as host:
        async with websockets.connect(f"ws://{host}/ws") as ws:
            await ws.send('{"type": "send", "session": "chat", "text": "Hi"}')
            while (frame := json.loads(await ws.recv()))["type"] != "keep_alive":
                turn = frame["turn"]
        await settled(lambda: not _hub.current().waiters)
        assert [running for _, running in await engine.user("alice").turns()] == [turn]
        async with websockets.connect(f"ws://{host}/ws") as ws:
            await ws.send(json.dumps({"type": "cancel", "request": "stop", "turn": turn}))
            assert json.loads(await ws.recv()) == {"type": "done", "request": "stop"}
            await ws.send(json.dumps({"type": "attach", "turn": turn, "offset": 1}))
            frames = [json.loads(await ws.recv()) for _ in range(2)]
            assert (frames[0]["text"], frames[1]["status"]) == ("el", "cancelled")


@run
async def test_a_socket_with_frames_of_its_own_answers_no_more_at_once_than_is_read() -> None:
    app, now, peak = FastAPI(), 0, 0

    async def frames(text: str, open: int) -> AsyncGenerator[str, None]:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        try:
            yield text.upper() + " " * 65_536
        finally:
            now -= 1

    @app.websocket("/ws")
    async def socket(ws: WebSocket) -> None:
        await ws.accept()
        await websocket(ws, Engine(model="offline").user("alice"), frames=frames)

    async with serving(app) as host, websockets.connect(
        f"ws://{host}/ws", max_queue=1, compression=None
    ) as ws:
        for number in range(1_000):
            await ws.send(f"frame {number}")
        # The client reads nothing yet: what waits does not grow further.
        await settled(lambda: now == 512)
        said = {(await ws.recv())[:9].strip() for _ in range(1_000)}
        assert said == {f"FRAME {number}" for number in range(1_000)} and peak == 512
    await settled(lambda: now == 0)


@run
async def test_bytes_are_no_frame_and_leave_the_socket_open() -> None:
    async with serving(app_of(Engine(model=Scripted("Hello")))) as host, websockets.connect(f"ws://{host}/ws") as ws:
        await ws.send(b"bytes")
        assert json.loads(await ws.recv())["error"]["kind"] == "invalid_input"
        await ws.send('{"type": "ping"}')
        assert json.loads(await ws.recv()) == {"type": "pong"}


@run
async def test_what_cannot_be_is_refused() -> None:
    alice = Engine(model=Scripted("Hello")).user("alice")
    with pytest.raises(InvalidInputError):
        await alice.chat(b"\xff")
    with pytest.raises(NotFoundError):
        await alice.session("chat").ui_messages()
    reply = await alice.session("chat").send("Hi")
    with pytest.raises(InvalidInputError):
        reply.encoded("xml")  # type: ignore[arg-type]


def test_the_blocking_twin() -> None:
    model = Scripted("Hello", ["Hel", {"hang": True}])
    with sync.Engine(model=model) as engine:
        alice = engine.user("alice")
        with alice.chat(json.dumps(asking("Hi"))) as reply:
            assert b"".join(reply.encoded("ui_message_stream")).endswith(b"data: [DONE]\n\n")
        assert alice.session("chat").resume() is None
        frames = map(json.loads, alice.frames('{"type": "send", "session": "chat", "text": "Hi"}'))
        turn = next(frames)["turn"]
        with alice.session("chat").resume() or pytest.fail("it runs") as running:
            assert running.turn == turn
        assert [json.loads(frame) for frame in alice.frames(json.dumps({"type": "cancel", "turn": turn}))] == [{"type": "done"}]
        assert [frame["type"] for frame in frames][-1] == "finished"
        assert [message["role"] for message in alice.session("chat").ui_messages()] == ["user", "assistant"] * 2
