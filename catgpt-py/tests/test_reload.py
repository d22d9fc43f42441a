"""`uvicorn --reload` in the midst of a reply: the old worker ends its turns before it goes, the new one shows them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from .helpers import run

APP = """
from catgpt import Engine
from catgpt.fastapi import install, lifespan, sse_response
from catgpt.testing import Scripted
from fastapi import FastAPI

engine = Engine(model=Scripted(["Hello", {"hang": True}]), memory="sqlite:chat.db")
app = FastAPI(lifespan=lifespan(engine, deadline=0.1))
install(app)
user = engine.user("alice")

@app.get("/edition")
async def edition():
    return EDITION

@app.post("/chat")
async def chat():
    return sse_response(await user.session("a").send("Hi"))

@app.get("/turns/{turn}")
async def watch(turn: str):
    return sse_response(await user.attach(turn))
"""


def event(line: str) -> dict[str, Any]:
    return dict(json.loads(line.removeprefix("data: "))) if line.startswith("data: ") else {}


@contextlib.asynccontextmanager
async def reloading(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--reload", "--port", str(port), "--timeout-graceful-shutdown", "1", "--log-level", "critical"]
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "uvicorn", "app:app", *options, cwd=folder)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        server.send_signal(signal.SIGTERM)
        await server.wait()


async def until_edition(client: httpx.AsyncClient, edition: int) -> None:
    while True:
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/edition")).text == str(edition):
                return
        await asyncio.sleep(0.02)


@run
async def test_a_reload_ends_the_turns_that_run_and_their_text_is_there_after_it(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP.replace("EDITION", "1"))
    async with reloading(tmp_path) as client:
        await until_edition(client, 1)
        turn = ""
        with contextlib.suppress(httpx.TransportError):  # the old worker may cut what it was told to let go of
            async with client.stream("POST", "/chat") as response:
                async for line in response.aiter_lines():
                    turn = turn or event(line).get("turn", "")
                    if event(line).get("type") == "text":
                        app.write_text(APP.replace("EDITION", "2"))
        await until_edition(client, 2)
        seen = [e for line in (await client.get(f"/turns/{turn}")).text.splitlines() if (e := event(line))]
        assert [e["text"] for e in seen if e.get("type") == "text"] == ["Hello"]
        last = seen[-1]
        # Ended by who began it: one that was found dead has an error.
        assert (last["type"], last["status"], last.get("error")) == ("finished", "interrupted", None)
