"""Two replicas on one PostgreSQL and one Redis, which share nothing else. Every request may go to either."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from chat_redis_kit import PATIENCE, Guest, Replica, free_port, replicas, run, server, settled, text
from scripted_openai import Model


@asynccontextmanager
async def two(folder: Path, model: Model, redis: str = "", **more: str) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two of them, with one model."""
    shared = {
        "DATABASE_URL": f"{server('CATGPT_TEST_POSTGRES')}/postgres",
        "REDIS_URL": redis or server("CATGPT_TEST_REDIS"),
        "OPENAI_BASE_URL": model.url,
        **more,
    }
    async with replicas(folder, shared, shared) as (a, b):
        yield a, b


@run
async def test_what_begins_at_one_is_watched_to_its_end_at_the_other(tmp_path: Path, model: Model) -> None:
    async with two(tmp_path, model) as (a, b):
        guest = await Guest.at(a)
        async with guest.socket(a) as here, guest.socket(b) as there, guest.http(b) as http:
            begun = await here.begin("one |two |#g|three |#h|four")
            task = begun["task_id"]
            assert (await http.get(f"/api/users/{guest.id}/chats")).json()[0]["task_id"] == task
            await there.send("attach", task_id=task)
            await there.text_until("two ")
            model.open("g")
            await there.text_until("three ", text(there.seen, task))
            # The page is reloaded: on from where it was, at the other replica.
            offset = [frame["offset"] for frame in there.seen if frame["type"] == "token"][-1]
            async with guest.socket(b) as again:
                await again.send("attach", task_id=task, offset=offset)
                model.open("h")
                assert (await again.until("generation_complete"))[-1]["stored"] == len("one two three four")
                assert text(again.seen, task) == "four"
            for socket in (here, there):
                assert (await socket.until("generation_complete"))[-1]["status"] == "complete"
                assert text(socket.seen, task) == "one two three four"
        assert [message["content"] for message in (await guest.chat(b, begun["chat_id"]))["messages"]][1] == "one two three four"


@run
async def test_what_runs_at_one_is_stopped_from_the_other(tmp_path: Path, model: Model) -> None:
    async with two(tmp_path, model) as (a, b):
        guest = await Guest.at(a)
        for words in ("some words |#never|", "#before the first|"):
            async with guest.socket(a) as here, guest.socket(b) as there:
                begun = await here.begin(words)
                said = await here.text_until("words ") if "some" in words else ""
                await there.send("stop", task_id=begun["task_id"])
                assert await there.next() == {"type": "done", "task_id": begun["task_id"]}
                complete = (await here.until("generation_complete"))[-1]
                assert (complete["status"], complete["stored"]) == ("cancelled", len(said))
                # The model's connection is closed, and what was said stays.
                assert await asyncio.to_thread(model.hung_up.acquire, timeout=PATIENCE)
                last = (await guest.chat(b, begun["chat_id"]))["messages"][-1]
                assert (last["content"], last["status"]) == (said, "cancelled")


@run
async def test_what_a_killed_one_leaves_is_interrupted_with_its_text(tmp_path: Path, model: Model) -> None:
    async with two(tmp_path, model) as (a, b):
        guest = await Guest.at(a)
        async with guest.socket(a) as here, guest.socket(b) as there:
            begun = await here.begin("what was said |#never|")
            await there.send("attach", task_id=begun["task_id"])
            assert await there.text_until("said ") == "what was said "
            a.end()
            # Nobody asks for anything: the lease runs out, and who watches is told.
            complete = (await there.until("generation_complete"))[-1]
            assert (complete["status"], complete["stored"]) == ("interrupted", len("what was said "))
            last = (await guest.chat(b, begun["chat_id"]))["messages"][-1]
            assert (last["content"], last["status"]) == ("what was said ", "interrupted")
            # And on it goes.
            await there.send("regenerate", chat_id=begun["chat_id"], message_id=int(complete["message_id"]))
            model.open("never")
            assert (await there.until("generation_complete"))[-1]["status"] == "complete"


@run
async def test_a_redis_that_dies_makes_answers_late_and_not_less(tmp_path: Path, model: Model) -> None:
    port, program = free_port(), shutil.which("redis-server")
    assert program, "redis-server is not there: sudo apt-get install -y redis-server"
    redis = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    try:
        async with two(tmp_path, model, f"redis://127.0.0.1:{port}") as (a, b):
            guest = await Guest.at(a)

            async def live() -> bool:
                async with httpx.AsyncClient(base_url=b.url) as http:
                    health = (await http.get("/health")).json()
                    assert health["healthy"]
                    return bool(health["live"]["ok"])

            await settled(live)
            async with guest.socket(a) as here, guest.socket(b) as there:
                begun = await here.begin("one |#g|two |#h|three")
                await there.send("attach", task_id=begun["task_id"])
                await there.text_until("one ")
                redis.kill()
                redis.wait()
                model.open("g")
                assert await there.text_until("two ", "one ") == "one two "
                assert not await live()
                async with guest.socket(b) as late:
                    await late.send("attach", task_id=begun["task_id"])
                    await late.text_until("two ")
                    model.open("h")
                    for socket in (here, there, late):
                        assert (await socket.until("generation_complete"))[-1]["status"] == "complete"
                        assert text(socket.seen, begun["task_id"]) == "one two three"
                # New ones work without it too.
                other = await there.begin("more")
                assert (await there.until("generation_complete"))[-1]["task_id"] == other["task_id"]
    finally:
        redis.kill()
        redis.wait()


@run
async def test_all_may_send_at_once_to_either(tmp_path: Path, model: Model) -> None:
    async with two(tmp_path, model) as (a, b):
        guest = await Guest.at(a)
        async with guest.socket(a) as here, guest.socket(b) as there:
            sent = await asyncio.gather(*(socket.begin("said once", key="k") for socket in (here, there)))
            chat = sent[0]["chat_id"]
            for socket in (here, there):
                await socket.until("generation_complete")
            assert len({frame["task_id"] for frame in sent}) == 1 and len(model.asked) == 1
            begun = await here.begin("#g|first", chat)
            await there.send("send_message", chat_id=chat, content="second", key="l")
            refused = (await there.until("error"))[-1]
            assert (refused["kind"], refused["turn"], refused["key"]) == ("busy", begun["task_id"], "l")
            model.open("g")
