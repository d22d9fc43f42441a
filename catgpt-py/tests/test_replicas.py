"""Two engines on one PostgreSQL and one Redis, which share nothing else."""

from __future__ import annotations

import asyncio
import os
import uuid

import pytest
from catgpt import Engine, InvalidInputError, sync
from catgpt.testing import Scripted

from .helpers import run


def server(name: str) -> str:
    url = os.environ.get(name)
    assert url, f"{name} is not set: run `cargo xtask test python`, or `cargo xtask servers` and your command"
    return url


async def ask_redis(command: str) -> bytes:
    host, port = server("CATGPT_TEST_REDIS").removeprefix("redis://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{command}\r\n".encode())
    line = await reader.readline()
    writer.close()
    return line.strip()


@run
async def test_what_one_begins_another_watches_and_stops() -> None:
    memory, live = f"{server('CATGPT_TEST_POSTGRES')}/postgres", server("CATGPT_TEST_REDIS")
    model = Scripted(["Hello", {"hang": True}])
    id = str(uuid.uuid4())
    async with Engine(model=model, memory=memory, live=live) as a, Engine(model="offline", memory=memory, live=live) as b:
        reply = await a.user("alice").session(id).send("Hi")
        there, seen = b.user("alice"), []
        async for event in await there.attach(reply.turn):
            seen.append(event.type)
            if event.type == "text":
                assert event.text == "Hello"
                await there.cancel(reply.turn)
        assert seen == ["started", "text", "finished"]
        assert (await reply.result()).status == "cancelled"
        said = [(message.text, message.status) for message in await there.session(id).history()]
        assert said == [("Hi", "complete"), ("Hello", "cancelled")]
        # The stream was in Redis, and its last frame too.
        while await ask_redis(f"XLEN catgpt:{reply.turn}") in (b":0", b":1"):
            await asyncio.sleep(0.01)


@run
async def test_a_wrong_url_is_told_at_once_and_not_shown() -> None:
    for engine in (Engine, sync.Engine):
        with pytest.raises(InvalidInputError) as caught:
            engine(model="offline", live="http://me:hunter2@host")
        assert "redis://" in str(caught.value) and "hunter2" not in str(caught.value)
