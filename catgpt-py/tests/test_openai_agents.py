"""The session for the OpenAI Agents SDK: nothing is lost, and what can be shown is."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Runner, Session, SessionSettings, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call
from catgpt import BusyError, Engine, User
from catgpt.adapters.openai_agents import CatGptSession
from catgpt.testing import Scripted

from .helpers import run

CAT = "data:image/png;base64,iVBORw0KGgo="
ITEMS: list[Any] = [
    {"content": "Why do cats purr?", "role": "user"},
    {"role": "user", "content": "in another order"},
    {"role": "developer", "content": "be brief"},
    {"role": "system", "content": ""},
    {"role": "user", "content": [{"type": "input_text", "text": "and 🐈?"}, {"type": "input_image", "image_url": CAT}]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "x"},
    {"type": "reasoning", "id": "rs_2", "summary": []},
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"at":  1.0}'},
    {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "look", "arguments": "not JSON"},
    {"type": "function_call_output", "call_id": "c1", "output": "a cat\n\x00\ud800 half"},
    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "seen"}]},
    {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [
        {"type": "output_text", "text": "They like it.", "annotations": [{"type": "url_citation", "url": "a:b"}]}]},
    {"id": "m2", "type": "message", "role": "assistant", "status": "completed", "content": [
        {"type": "output_text", "text": "One.", "annotations": []}, {"type": "output_text", "text": "Two.", "annotations": []},
        {"type": "refusal", "refusal": "No."}]},
    {"type": "compaction", "encrypted_content": "…", "n": 12345678901234567890123, "deep": {"b": [None, True], "a": 0.1}},
    {"type": "message", "role": "critic", "content": {"odd": "\ud800"}},
]  # fmt: skip


def ours(name: str = "trip", **more: Any) -> CatGptSession:
    return CatGptSession(name, "alice", memory="memory:", **more)


@run
async def test_every_item_comes_back_as_it_was_given() -> None:
    session = ours()
    assert isinstance(session, Session) and await session.get_items() == []
    await session.add_items(ITEMS)
    items = await session.get_items()
    assert items == ITEMS
    for got, given in zip(items, ITEMS, strict=True):
        assert given == ITEMS[0] or given == ITEMS[1] or json.dumps(got) == json.dumps(given), "also the order of fields"
    assert await session.get_items(3) == ITEMS[-3:]
    for given in reversed(ITEMS):
        assert await session.pop_item() == given
    assert await session.pop_item() is None and await session.get_items() == []


@run
async def test_any_json_comes_back_in_any_batches() -> None:
    dice = random.Random(7)

    def value(depth: int) -> Any:
        match dice.randrange(8 if depth else 6):
            case 0:
                return dice.choice([None, True, False, -1, 2**70, 0.1, 1e300])
            case 1 | 2 | 3 | 4 | 5:
                return "".join(chr(dice.choice([0, 10, 34, 92, 0x20AC, 0x1F408, 0xD800, 97])) for _ in range(dice.randrange(5)))
            case 6:
                return [value(depth - 1) for _ in range(dice.randrange(3))]
            case _:
                names = ["text", "type", "content", "output", "summary", "é"]
                return {dice.choice(names): value(depth - 1) for _ in range(dice.randrange(4))}

    session, given = ours(), list[Any]()
    for _ in range(60):
        kind = {"type": dice.choice(["function_call", "function_call_output", "reasoning", "message", "else"])}
        fields = {name: value(3) for name in ("call_id", "name", "arguments", "output", "summary", "content")}
        some: list[Any] = [{**kind, "role": dice.choice(["user", "assistant", "x"]), **fields} for _ in range(dice.randrange(4))]
        await session.add_items(some)
        given += some
        if dice.random() < 0.2 and given:
            assert await session.pop_item() == given.pop()
        limit = dice.randrange(1, 9)
        assert await session.get_items(limit) == given[-limit:]
    assert await session.get_items() == given


@run
async def test_the_engine_shows_and_finds_what_was_said() -> None:
    engine = Engine(model=Scripted(["Meow", {"finish": "stop"}]), memory="memory:")
    alice = engine.user("alice")
    session = CatGptSession("trip", alice)
    await session.add_items(ITEMS[:1] + ITEMS[5:12])
    chat = alice.session("trip")
    rows = await chat.history()
    assert [(row.role, row.text) for row in rows if row.text] == [
        ("user", "Why do cats purr?"),
        ("assistant", "They like it."),
    ]
    kinds: list[str] = [part["type"] for row in rows for part in row.content]
    assert [kind for kind in kinds if kind != "provider"] == [
        "text", "reasoning", "tool_call", "tool_call", "tool_result", "tool_result", "text"]  # fmt: skip
    assert (await chat.info()).title == "Why do cats purr?"
    assert [hit.seq for hit in (await alice.search("purr")).hits if hit.seq] == [1]
    # And the other way: what the engine says is in the session.
    async for _ in await chat.send("And lions?"):
        pass
    items = await session.get_items(2)
    assert items == [{"content": "And lions?", "role": "user"}, {"content": "Meow", "role": "assistant"}]
    assert await session.pop_item() == items[1]
    await engine.close()


@run
async def test_long_texts_stand_once_and_simple_ones_alone() -> None:
    engine = Engine(model="offline", memory="memory:")
    session = CatGptSession("trip", engine.user("alice"))
    words = "purr" * 1000
    await session.add_items([{"role": "user", "content": words}, ITEMS[11] | {"content": [{"type": "output_text", "text": words}]}])
    plain, rest = [row.content for row in await engine.user("alice").session("trip").history()]
    assert plain == [{"type": "text", "text": words}]
    assert json.dumps(rest).count(words) == 1 and len(rest) == 2


@run
async def test_limits_are_those_of_the_call_or_of_the_settings() -> None:
    session = ours(session_settings=SessionSettings(limit=2))
    await session.add_items(ITEMS[:5])
    assert await session.get_items() == ITEMS[3:5] and await session.get_items(1) == ITEMS[4:5]
    assert await session.get_items(0) == [] and await session.get_items(-1) == ITEMS[:5]
    assert (ours(session_settings={"limit": 3}).session_settings or SessionSettings()).limit == 3


@run
async def test_popping_keeps_the_branch_and_clearing_keeps_nothing() -> None:
    engine = Engine(model="offline", memory="memory:")
    session, chat = CatGptSession("trip", engine.user("alice")), engine.user("alice").session("trip")
    await session.add_items(ITEMS[:2])
    await session.pop_item()
    await session.add_items(ITEMS[2:3])
    assert await session.get_items() == [ITEMS[0], ITEMS[2]] and len(await chat.branches()) == 2
    await session.clear_session()
    await session.clear_session()
    assert await session.get_items() == [] and not (await engine.user("alice").sessions()).sessions
    await session.add_items(ITEMS[:1])
    assert await session.get_items() == ITEMS[:1]


@run
async def test_it_does_not_meddle_with_a_running_turn() -> None:
    model = Scripted(["Mi", {"gate": "go"}, {"finish": "stop"}])
    engine = Engine(model=model, memory="memory:")
    alice = engine.user("alice")
    session = CatGptSession("trip", alice)
    reply = await alice.session("trip").send("Hi")
    with pytest.raises(BusyError):
        await session.add_items(ITEMS[:1])
    assert await session.get_items() == [{"content": "Hi", "role": "user"}]
    model.open("go")
    await reply.result()
    await session.add_items(ITEMS[:1])
    assert len(await session.get_items()) == 3


@run
async def test_an_agent_talks_with_tools_and_remembers() -> None:
    seen: list[str] = []

    @function_tool
    def weather(city: str) -> str:
        """Tells it."""
        seen.append(city)
        return "sunny"

    set_tracing_disabled(True)
    model = ScriptedModel([[function_call("weather", {"city": "Kyoto"}, call_id="c1")], [assistant_message("It is sunny.")], [assistant_message("Kyoto.")]])
    agent = Agent(name="cat", model=model, tools=[weather])
    session = ours()
    assert (await Runner.run(agent, "How is Kyoto?", session=session)).final_output == "It is sunny."
    assert (await Runner.run(agent, "Where?", session=session)).final_output == "Kyoto."
    kinds = [item.get("type", item.get("role")) for item in await session.get_items()]
    assert kinds == ["user", "function_call", "function_call_output", "message", "user", "message"] and seen == ["Kyoto"]


def test_two_owners_and_two_sessions_do_not_meet(tmp_path: Path) -> None:
    async def all_of() -> None:
        places = [(name, owner) for name in ("a", "b") for owner in ("ann", "bob")]
        sessions = [CatGptSession(name, owner, memory=f"sqlite:{tmp_path}/chat.db") for name, owner in places]
        for n, session in enumerate(sessions):
            await session.add_items([{"role": "user", "content": str(n)}])
        assert [[item["content"] for item in await session.get_items()] for session in sessions] == [[str(n)] for n in range(4)]  # type: ignore[typeddict-item]

    asyncio.run(all_of())


def test_what_is_missing_is_said() -> None:
    with pytest.raises(TypeError, match="where are the conversations kept"):
        CatGptSession("trip", "alice")
    with pytest.raises(TypeError, match="pass memory="):
        CatGptSession("trip", Engine(model="offline").local(), memory="memory:")
    hidden = "import sys; sys.modules[%r] = None\nimport catgpt.adapters.%s"
    for library, adapter in (("agents", "openai_agents"), ("pydantic_ai", "pydantic_ai")):
        done = subprocess.run([sys.executable, "-c", hidden % (library, adapter)], capture_output=True, text=True, check=False)
        assert "pip install 'catgpt-py[" in done.stderr.splitlines()[-1]
    done = subprocess.run(
        [sys.executable, "-c", "import sys, catgpt.adapters\nprint('agents' in sys.modules, 'pydantic_ai' in sys.modules)"],
        capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "False False\n"


def test_a_user_is_a_user() -> None:
    assert isinstance(Engine(model="offline").local(), User)


@run
async def test_what_is_exported_and_imported_elsewhere_is_the_same_conversation() -> None:
    engine = Engine(model="offline", memory="memory:")
    ann, bob = engine.user("ann"), engine.user("bob")
    await CatGptSession("trip", ann).add_items(ITEMS)
    text = "".join([piece async for piece in ann.session("trip").export("jsonl")])
    await bob.import_(text.encode())
    assert await CatGptSession("trip", bob).get_items() == ITEMS
