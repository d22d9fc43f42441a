"""The adapters in several processes on one store: nothing is lost, and nothing is half there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from catgpt import Engine
from catgpt.adapters.openai_agents import CatGptSession
from catgpt.adapters.pydantic_ai import CatGptConversationStore

from .helpers import PATIENCE

AGENTS = """
import asyncio, sys
from catgpt.adapters.openai_agents import CatGptSession

async def main(memory, owner, who, batches):
    session = CatGptSession("trip", owner, memory=memory)
    for n in range(int(batches)):
        call = {"type": "function_call", "call_id": f"{who}-{n}", "name": "look", "arguments": "{}"}
        result = {"type": "function_call_output", "call_id": f"{who}-{n}", "output": "seen " * 50}
        await session.add_items([call, result])
        print(n, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""
PYDANTIC = """
import asyncio, sys
from catgpt.adapters.pydantic_ai import CatGptConversationStore
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

async def main(memory, owner, who, batches):
    store = CatGptConversationStore(memory)
    for n in range(int(batches)):
        while True:
            trip = await store.load("trip", limit=4, scope=owner) or Conversation(conversation_id="trip")
            trip.messages += [ModelRequest(parts=[UserPromptPart(f"{who}-{n}")]), ModelResponse(parts=[TextPart(f"{who}-{n}")])]
            try:
                await store.save(trip, scope=owner)
            except ConversationConflict:
                continue
            break
        print(n, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def memory(request: Any, tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/chat.db" if request.param == "sqlite" else os.environ["DATABASE_URL"]


def begun(code: str, memory: str, owner: str, who: str, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, memory, owner, who, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=PATIENCE * 6)
    assert process.returncode == 0


def pairs(items: list[Any]) -> list[str]:
    """The names of the batches, each of which must be whole."""
    assert len(items) % 2 == 0
    found = [(one["call_id"], other["call_id"]) for one, other in zip(items[::2], items[1::2], strict=True)]
    assert all(one == other for one, other in found)
    return [one for one, _ in found]


def test_two_processes_add_items_at_once(memory: str) -> None:
    owner = uuid.uuid4().hex
    for process in [begun(AGENTS, memory, owner, who, 40) for who in ("a", "b")]:
        ended(process)
    found = pairs(asyncio.run(CatGptSession("trip", owner, memory=memory).get_items()))
    for who in ("a", "b"):
        assert [name for name in found if name.startswith(who)] == [f"{who}-{n}" for n in range(40)]


def test_two_processes_save_conversations_at_once(memory: str) -> None:
    owner = uuid.uuid4().hex
    for process in [begun(PYDANTIC, memory, owner, who, 15) for who in ("a", "b")]:
        ended(process)

    async def texts() -> list[str]:
        loaded = await CatGptConversationStore(memory).load("trip", scope=owner)
        assert loaded is not None
        return [str(part.content) for message in loaded.messages for part in message.parts]  # type: ignore[union-attr]

    found = asyncio.run(texts())
    assert found[::2] == found[1::2] and len(found) == 60
    for who in ("a", "b"):
        assert [name for name in found[::2] if name.startswith(who)] == [f"{who}-{n}" for n in range(15)]


def test_a_killed_process_leaves_whole_batches(memory: str) -> None:
    owner = uuid.uuid4().hex
    told: list[int] = []
    for round in range(4):
        process = begun(AGENTS, memory, owner, f"k{round}", 100_000)
        assert process.stdout is not None
        # Somewhere in the middle: after some batches, while the next is on its way.
        told.append(max(int(process.stdout.readline()) for _ in range(5 + 7 * round)))
        process.send_signal(signal.SIGKILL)
        told[-1] = max([told[-1], *map(int, process.communicate()[0].split())])
    found = pairs(asyncio.run(CatGptSession("trip", owner, memory=memory).get_items()))
    for round, last in enumerate(told):
        mine = [name for name in found if name.startswith(f"k{round}-")]
        # What was told is there, and at most the one that nobody was told of.
        assert mine == [f"k{round}-{n}" for n in range(len(mine))] and last + 1 <= len(mine) <= last + 2


def test_what_processes_wrote_is_shown_by_the_engine(memory: str) -> None:
    owner = uuid.uuid4().hex
    ended(begun(PYDANTIC, memory, owner, "a", 1))

    async def look() -> None:
        async with Engine(model="offline", memory=memory) as engine:
            assert [row.text for row in await engine.user(owner).session("trip").history()] == ["a-0", "a-0"]

    asyncio.run(look())
