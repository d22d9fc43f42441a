"""The README's programs run, as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import agents
import httpx
import pydantic_ai
import pytest
from agents import set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message
from catgpt import Engine, User
from catgpt.testing import Scripted
from fastapi import FastAPI, Request
from pydantic_ai.conversation import Conversation
from pydantic_ai.models.test import TestModel

from .helpers import run

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def program(holding: str) -> str:
    (found,) = [text for text in PROGRAMS if holding in text]
    return str(found)


def test_the_first_example_streams_offline(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    command = [sys.executable, "-c", program("asyncio.run(main())")]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Kyoto" in done.stdout, done.stderr
    assert (tmp_path / "chat.db").exists()


@run
async def test_the_fastapi_example_serves_and_resumes(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    exec(program("sse_response").replace("sqlite:chat.db", f"sqlite:{tmp_path}/chat.db"), space)
    exec(program("await websocket(ws, engine") + program("ui_resume(engine"), space)
    transport = httpx.ASGITransport(app=space["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/chat/a", content="Hi")
        assert answer.status_code == 200 and '"finished"' in answer.text
        turn = answer.text.split("id: ")[1].split(":")[0]
        resumed = await client.get(f"/turns/{turn}", headers={"last-event-id": f"{turn}:3"})
        assert '"started"' not in resumed.text and '"finished"' in resumed.text
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
        chat = await client.post("/api/chat", json={"id": "chat", "messages": [message]})
        assert chat.headers["x-vercel-ai-ui-message-stream"] == "v1" and chat.text.endswith("data: [DONE]\n\n")
        assert (await client.get("/api/chat/chat/stream")).status_code == 204
        assert (await client.post("/api/chat/chat/stop")).status_code == 200
    await space["engine"].close()


@run
async def test_the_http_api_is_mounted(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    exec(program("sse_response").replace("sqlite:chat.db", f"sqlite:{tmp_path}/chat.db"), space)
    exec(program("chat_api("), space)
    transport = httpx.ASGITransport(app=space["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={"x-user": "ann"}) as client:
        said = await client.post("/api/sessions/trip/turns", json={"text": "Hi"})
        assert said.status_code == 200 and '"finished"' in said.text
        assert (await client.get("/api/sessions")).json()["sessions"][0]["id"] == "trip"
    await space["engine"].close()


@run
async def test_the_operators_example_tells(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    exec(program("sse_response").replace("sqlite:chat.db", f"sqlite:{tmp_path}/chat.db"), space)
    exec(program("import operations\n"), space)
    transport = httpx.ASGITransport(app=space["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/health")
        assert (answer.status_code, answer.json()["healthy"]) == (200, True)
        metrics = await client.get("/metrics")
        assert "catgpt_turns_running 0" in metrics.text.splitlines()
        await space["engine"].close()
        assert (await client.get("/health")).status_code == 503


def test_the_example_of_what_is_around_the_engine_knows_who_asks(tmp_path: Path) -> None:
    space: dict[str, Any] = {"User": User}
    exec(program("sse_response").replace("sqlite:chat.db", f"sqlite:{tmp_path}/chat.db"), space)
    exec(program("configure_logs(").replace('configure_logs("INFO")', ""), space)
    assert space["who"]("the token of alice").owner == "alice"
    with pytest.raises(space["SignInError"]):
        space["who"]("")
    assert "/own" in {getattr(route, "path", "") for route in space["app"].routes}
    assert "/health" in space["app"].openapi()["paths"]


def test_the_models_example_answers() -> None:
    space: dict[str, Any] = {}
    exec("from catgpt import *\n" + program("class Echo"), space)

    async def talk() -> str:
        return str(await (await space["engine"].local().session("chat").send("Hi")).text())

    assert asyncio.run(talk()) == "Hi"


@run
async def test_the_titles_example_makes_an_engine_that_sums_up() -> None:
    space: dict[str, Any] = {}
    exec("from catgpt import *\n" + program("summaries=True"), space)
    chat = space["engine"].local().session("chat")
    assert (await answered(chat, "Why do cats purr?")).status == "complete"
    summary = await chat.summarize()
    assert [it.active for it in await chat.summaries()] == [True] and summary.upto == 2 and summary.text
    await chat.set_summary(None)
    assert [it.active for it in await chat.summaries()] == [False]
    await space["engine"].close(0)


@run
async def test_the_tools_example_answers_and_somebody_agrees() -> None:
    calls = [("1", "stock", {"fish": "tuna"}), ("2", "stock", {"fish": "carp"}), ("3", "order", {"fish": "salmon"})]
    asked = [{"tool_call": {"id": id, "name": name, "arguments": given}} for id, name, given in calls]
    model = Scripted([*asked, {"finish": "tool_calls"}], "Ordered.")
    space: dict[str, Any] = {"model": model}
    exec("from __future__ import annotations\n" + program("STOCK").replace('"gpt-4o-mini"', "model"), space)
    chat = space["session"] = space["engine"].user("alice").session("chat")
    exec("async def decide():\n" + textwrap.indent(program("session.decide("), "    ") + "    return reply", space)
    reply = await space["decide"]()
    paused = (await chat.history())[1]
    assert [call["id"] for call in paused.pending] == ["3"]
    told = [(part["output"], part.get("is_error")) for part in paused.content if part["type"] == "tool_result"]
    assert told[0] == (3, None) and told[1][1] and told[1][0].startswith("the arguments do not fit: fish: ")
    assert await reply.text() == "Ordered."
    results = [part for part in (await chat.history())[-1].content if part["type"] == "tool_result"]
    output: Any = results[0]["output"]
    assert len(output.pop("key")) == 36 and output == {"ordered": "salmon", "for": "alice"} and len(results) == 1


@run
async def test_the_hooks_example_cites_and_refuses() -> None:
    space: dict[str, Any] = {}
    exec("from catgpt import *\n" + program("class House"), space)
    chat = space["engine"].local().session("chat")
    kept = [part["type"] for part in (await answered(chat, "Hi")).content]
    assert kept == ["citation", "text"]
    # The offline cat repeats what it is asked.
    assert (await answered(chat, "my password")).status == "failed"


async def answered(chat: Any, text: str) -> Any:
    async with chat.send(text) as reply:
        async for _ in reply:
            pass
    return (await chat.history(1))[0]


async def perform(text: str, space: dict[str, Any]) -> None:
    """Runs what stands inside a coroutine."""
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    exec(f"async def main():\n{lines}", space)
    await space["main"]()


class Enough(Exception):
    """The feed was heard."""


@run
async def test_the_examples_of_sessions_run() -> None:
    async with Engine(model=Scripted(["Kyo"], "to")) as engine:
        user = engine.user("alice")
        session = user.session("trip")
        async for _ in await session.send("Plan three days"):
            pass
        heard: list[Any] = []

        def show(*words: Any) -> None:
            heard.append(words)
            if words[-1] == "Kyoto":
                raise Enough

        space = {"user": user, "session": session, "after": 0, "print": lambda *words: None}
        await session.rename("Kyoto")
        await perform(program("session.continue_reply()"), space)
        with pytest.raises(Enough):
            await perform(program("user.feed(after)"), {**space, "print": show})
        assert heard[0][:3] == (1, "created", "trip")
        roles = [message.role for message in await session.history()]
        assert roles == ["user", "assistant", "assistant"]
        app = FastAPI()
        exec(program("sse_feed("), {"app": app, "engine": engine, "Request": Request})
        assert "/feed" in [getattr(route, "path", "") for route in app.routes]


@run
async def test_the_examples_of_other_libraries_keep_what_was_said() -> None:
    set_tracing_disabled(True)
    async with Engine(model="offline") as engine:
        agent: Any = agents.Agent(name="cat", model=ScriptedModel([[assistant_message("Purr")]]))
        await perform(program("CatGptSession"), {"engine": engine, "agent": agent, "Runner": agents.Runner})
        agent = pydantic_ai.Agent(TestModel())
        await perform(program("CatGptConversationStore"), {"engine": engine, "agent": agent, "Conversation": Conversation})
        texts = [message.text for message in await engine.user("alice").session("trip").history()]
        assert texts == ["Plan three days in Kyoto", "Purr", "Plan three days in Kyoto", "success (no tool calls)"]
