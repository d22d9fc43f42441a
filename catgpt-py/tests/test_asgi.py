"""What an application has around the engine: refusals, logs, health, its page, who a socket is and when its time is over."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import httpx
import pytest
import websockets
from catgpt import BusyError, Engine
from catgpt.fastapi import (
    REFUSALS,
    SignInError,
    accept,
    address,
    configure_logs,
    error_response,
    install,
    lifespan,
    log_requests,
    operations,
    page,
    request_id,
    token,
    websocket,
)
from catgpt.testing import Scripted
from fastapi import FastAPI, WebSocket
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from .helpers import run, serving

FRIEND = "https://friend.example"
TURN = "01890a5d-ac96-774b-bcce-b302099a8057"


class Said(BaseModel):
    text: str
    password: str = ""


def app_of(engine: Engine, folder: Path, life: float = 60) -> FastAPI:
    app = FastAPI(lifespan=lifespan(engine), responses=REFUSALS)
    install(app, origins=[FRIEND], expose_headers=["x-turn"])
    log_requests(app)
    app.include_router(operations(engine))

    @app.post("/said")
    async def said(said: Said) -> str:
        raise SignInError("who are you?") if said.text == "who" else BusyError("busy", turn=TURN, retry_after=2.5)

    def who(given: str) -> list[float]:
        if not given.startswith("friend"):
            raise SignInError("no token that holds " + "é" * 200)
        return [time.time() + life]

    @app.websocket("/ws")
    async def socket(ws: WebSocket) -> None:
        if not (ends := await accept(ws, who, origins=[FRIEND])):
            return

        async def frames(text: str, open: int) -> AsyncGenerator[str, None]:
            ends[0] += 1e12 if text == "longer" else 0
            yield f"{open} {text} {request_id.get()}"

        async def unasked() -> AsyncGenerator[str, None]:
            yield "welcome"
            await asyncio.Event().wait()

        await websocket(ws, engine.user("alice"), frames=frames, unasked=unasked(), expires=lambda: ends[0])

    page(app, folder / "none")
    page(app, folder)
    return app


def asked(client: str = "192.0.2.7", protocols: tuple[str, ...] = (), **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "websocket", "client": (client, 1), "headers": raw, "subprotocols": list(protocols)})


@run
async def test_every_refusal_has_one_form_and_quotes_nothing(tmp_path: Path) -> None:
    app = app_of(Engine(model=Scripted("Hello")), tmp_path)
    async with serving(app) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        busy, unknown = [await client.post("/said", json={"text": text}) for text in ("Hi", "who")]
        assert (busy.status_code, busy.json()["error"]["turn"], busy.headers["retry-after"]) == (409, TURN, "3")
        assert (unknown.status_code, unknown.json()["error"]["kind"]) == (401, "unauthorized")
        unfit = await client.post("/said", json={"text": 7, "password": ["hunter2"]})
        assert (unfit.status_code, unfit.json()["error"]["kind"]) == (400, "invalid_input")
        assert "text: " in unfit.text and "password: " in unfit.text and "hunter2" not in unfit.text
        told = (await client.get("/openapi.json")).json()["paths"]["/said"]["post"]["responses"]
        assert set(told) == {"200", "4XX"}
        assert set(told["4XX"]["content"]["application/json"]["schema"]["properties"]["error"]["properties"]) >= set(busy.json()["error"])
        allowed = await client.post("/said", json={"text": "who"}, headers={"origin": FRIEND})
        assert allowed.headers["access-control-allow-origin"] == FRIEND
        assert allowed.headers["access-control-expose-headers"] == "x-turn"
        foreign = await client.post("/said", json={"text": "who"}, headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in foreign.headers


def test_an_error_of_ones_own_is_answered_too() -> None:
    said = error_response(BusyError("taken", turn="job-42", retry_after=-1, limit={"name": "mine"}))
    assert (said.status_code, json.loads(bytes(said.body))) == (409, {"error": {"kind": "busy", "message": "taken", "retryable": True}})
    named = error_response(BusyError(f"a turn runs (turn: {TURN})", turn=TURN))
    assert json.loads(bytes(named.body))["error"]["message"] == f"a turn runs (turn: {TURN})"


@run
async def test_operators_ask_and_pages_are_shown(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>Cat</title>")
    app = app_of(Engine(model=Scripted("Hello"), memory=f"sqlite:{tmp_path / 'chat.db'}"), tmp_path)
    async with serving(app) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        well = await client.get("/health")
        assert (well.status_code, well.json()["healthy"]) == (200, True)
        metrics = await client.get("/metrics")
        assert "catgpt_turns" in metrics.text and metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "Cat" in (await client.get("/")).text
        for file in tmp_path.glob("chat.db*"):
            file.write_bytes(b"not a database any more" * 10_000)
        assert (await client.get("/health")).status_code == 503
    assert [route.path for route in operations(Engine(model="offline"), metrics=False).routes] == ["/health"]  # type: ignore[attr-defined]


@run
async def test_a_socket_ends_with_its_token_unless_a_frame_brought_another(tmp_path: Path) -> None:
    async with serving(app_of(Engine(model=Scripted("Hello")), tmp_path, life=1)) as host:

        def connected(*protocols: str, origin: str | None = None) -> websockets.connect:
            names = [websockets.Subprotocol(name) for name in protocols]
            return websockets.connect(f"ws://{host}/ws", subprotocols=names, origin=origin and websockets.Origin(origin))  # type: ignore[arg-type]

        async with connected("catgpt", "friend") as short, connected("catgpt", "friend") as long:
            assert (await short.recv(), await long.recv(), long.subprotocol) == ("welcome", "welcome", "catgpt")
            await long.send("longer")
            assert str(await long.recv()).startswith("0 longer ")
            with pytest.raises(websockets.ConnectionClosed):
                await short.recv()
            assert short.close_code == 4401
            await long.send("still")
            assert "still" in str(await long.recv())
        async with connected("catgpt", "foe") as foe:
            with pytest.raises(websockets.ConnectionClosed):
                await foe.recv()
            assert foe.close_code == 4401 and (foe.close_reason or "").startswith("no token")
        for origin in ("https://evil.example", "null", f"http://evil.example/{host}"):
            with pytest.raises(websockets.InvalidStatus):
                async with connected("catgpt", "friend", origin=origin):
                    pass
        for origin in (FRIEND, f"http://{host}"):
            async with connected("catgpt", "friend", origin=origin) as same:
                assert await same.recv() == "welcome"


def test_a_token_comes_in_a_header_or_as_a_subprotocol() -> None:
    for connection, given in (
        (asked(authorization="Bearer  a.b.c "), "a.b.c"),
        (asked(authorization="Basic eDp5"), ""),
        (asked(protocols=("catgpt", "a.b.c")), "a.b.c"),
        (asked(protocols=("catgpt",)), ""),
        (asked(), ""),
    ):
        assert token(connection) == given


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        ("", "unknown"),
    ],
)
def test_a_limit_counts_by_customer(host: str, counted: str) -> None:
    assert address(asked(host)) == address(asked("x", fly_client_ip=host or "x"), "fly-client-ip").replace("x", "unknown") == counted


@pytest.fixture
def logs() -> Iterator[None]:
    """Logging as it was, afterwards."""
    names = ("", "catgpt", "ours", "uvicorn", "uvicorn.error", "uvicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@run
async def _requests(folder: Path) -> None:
    async with serving(app_of(Engine(model=Scripted("Hello")), folder)) as host, httpx.AsyncClient() as client:
        await client.get(f"http://{host}/health?q=secret", headers={"x-request-id": "not an id"})
        async with websockets.connect(f"ws://{host}/ws", subprotocols=[websockets.Subprotocol("friend")]) as ws:
            await ws.recv()
        await client.get(f"http://{host}/health?q=secret", headers={"x-request-id": "mine-1"})


def test_logs_name_requests_and_never_what_was_asked(tmp_path: Path, logs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    configure_logs("DEBUG", "ours")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("ours").exception("it is")
    _requests(tmp_path)
    # The client of this test logs, too.
    lines = [line for line in map(json.loads, out.getvalue().splitlines()) if line["logger"] != "httpx"]
    assert "ValueError: broken" in lines[0]["exception"] and lines[0]["request_id"] is None
    requests = [line for line in lines if line["logger"] == "catgpt.requests"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        ("GET", "/health", 200),
        ("SOCKET", "/ws", None),
        ("GET", "/health", 200),
    ]
    assert len({line["request_id"] for line in requests}) == 3 and requests[2]["request_id"] == "mine-1"
    assert "secret" not in json.dumps(lines) and "not an id" not in json.dumps(lines)


def test_logs_are_words_for_people(logs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    configure_logs(as_json=False)
    logging.getLogger("ours").info("it is %s", "here")
    logging.getLogger("ours").debug("hidden")
    assert out.getvalue().endswith(" INFO ours it is here\n") and "hidden" not in out.getvalue()
