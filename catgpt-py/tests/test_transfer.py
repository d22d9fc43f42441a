"""Conversations in and out, and copies of a store: async and blocking."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from catgpt import Engine, InvalidInputError, NotFoundError, UnsupportedError, sync
from catgpt.testing import Scripted


def model() -> Scripted:
    return Scripted([{"text": "Hello"}, {"finish": "stop"}])


def chat_db(path: Path) -> Path:
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE chats (id INTEGER PRIMARY KEY, user_id TEXT, title TEXT, created_at, updated_at)")
        conn.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, chat_id INTEGER, role TEXT, content TEXT, created_at)")
        conn.execute("INSERT INTO chats VALUES (7, 'alice', 'Kyoto', 1, 2), (8, NULL, 'Nobody', 1, 2)")
        conn.execute("INSERT INTO messages VALUES (1, 7, 'user', 'Hi', 1)")
    return path


def test_conversations_go_out_and_in(tmp_path: Path) -> None:
    async def run() -> None:
        async with Engine(model=model(), memory=f"sqlite:{tmp_path}/a.db") as engine:
            alice, bob = engine.user("alice"), engine.user("bob")
            await (await alice.session("trip").send("Hi")).text()
            heard: list[tuple[int, int | None]] = []
            pieces = [text async for text in alice.export(on_progress=lambda *far: heard.append(far))]
            assert heard == [(1, 1)]
            content = "".join(pieces).encode()
            assert content.decode() == "".join([text async for text in alice.session("trip").export("jsonl")])
            report = await bob.import_(content, dry_run=True, on_progress=lambda *far: heard.append(far))
            assert (report.imported, report.messages, heard[-1]) == (1, 2, (len(content), len(content)))
            assert not (await bob.sessions()).sessions
            path = tmp_path / "trip.jsonl"
            path.write_bytes(content)
            assert (await bob.import_(path)).entries[0].outcome == "imported"
            assert (await bob.import_(str(path), format="jsonl")).unchanged == 1
            refused = (await bob.import_(b"# Milk\n")).entries[0]
            assert isinstance(refused.error, InvalidInputError) and refused.session is None
            with pytest.raises(NotFoundError):
                async for _ in engine.user("eve").session("trip").export():
                    pass
            with pytest.raises(NotFoundError):
                await bob.import_(tmp_path / "none.json")

    asyncio.run(run())


def test_hearing_that_fails_ends_the_import(tmp_path: Path) -> None:
    def fail(done: int, total: int | None) -> None:
        raise ZeroDivisionError

    async def run() -> None:
        async with Engine(model=model()) as engine:
            with pytest.raises(ZeroDivisionError):
                await engine.local().import_(b"## User\nHi\n", on_progress=fail)
            assert (await engine.local().import_(b"## User\nHo\n")).imported == 1

    asyncio.run(run())
    with sync.Engine(model=model()) as engine, pytest.raises(ZeroDivisionError):
        engine.local().import_(b"## User\nHi\n", on_progress=fail)


def test_a_database_is_adopted_and_a_store_is_copied(tmp_path: Path) -> None:
    async def run() -> None:
        async with Engine(model=model(), memory=f"sqlite:{tmp_path}/a.db") as engine:
            path = chat_db(tmp_path / "chat.db")
            report = await engine.adopt(path)
            assert [(entry.owner, entry.outcome) for entry in report.entries] == [("alice", "imported"), (None, "refused")]
            assert (await engine.adopt(path, otherwise="bob")).imported == 1
            heard: list[tuple[int, int | None]] = []
            await engine.backup(tmp_path / "copy.db", on_progress=lambda *far: heard.append(far))
            assert heard[-1][0] == heard[-1][1]
            with pytest.raises(InvalidInputError):
                await engine.backup(tmp_path / "copy.db")
        async with Engine(model=model(), memory=f"sqlite:{tmp_path}/copy.db") as copy:
            assert [message.text for message in await copy.user("alice").session("7").history()] == ["Hi"]
        async with Engine(model=model()) as engine:
            with pytest.raises(UnsupportedError):
                await engine.backup(tmp_path / "other.db")

    asyncio.run(run())


def test_blocking_code_has_the_same(tmp_path: Path) -> None:
    with sync.Engine(model=model(), memory=f"sqlite:{tmp_path}/a.db") as engine:
        alice, heard = engine.user("alice"), list[tuple[int, int | None]]()
        alice.session("trip").send("Hi").text()
        content = "".join(alice.export("markdown", on_progress=lambda *far: heard.append(far))).encode()
        assert heard == [(1, 1)]
        assert b"Hello" in content and "".join(alice.session("trip").export("markdown")).encode() == content
        assert engine.user("bob").import_(content, on_progress=lambda *far: heard.append(far)).imported == 1
        assert heard[-1] == (len(content), len(content))
        assert engine.adopt(chat_db(tmp_path / "chat.db"), dry_run=True).imported == 1
        engine.backup(tmp_path / "copy.db")
        assert (tmp_path / "copy.db").exists()
