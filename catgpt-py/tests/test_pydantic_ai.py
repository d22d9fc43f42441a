"""The conversation store for pydantic-ai: what its own store in memory does, and what it lasts through."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from catgpt import BusyError, Engine
from catgpt.adapters.pydantic_ai import CatGptConversationStore
from catgpt.testing import Scripted
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
    ConversationStore,
    InMemoryConversationStore,
)
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage, RunUsage

from .helpers import run

CAT = BinaryContent(data=b"\x89PNG\r\n\x1a\n", media_type="image/png")


def asked(*content: Any) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(content=content[0] if len(content) == 1 else list(content))])


def said(text: str) -> ModelResponse:
    return ModelResponse(parts=[TextPart(text)], usage=RequestUsage(input_tokens=3, output_tokens=2), model_name="m")


def step(number: int) -> list[ModelMessage]:
    call = ToolCallPart("look", {"at": [1, None, "x"]}, tool_call_id=f"c{number}")
    return [
        ModelRequest(parts=[SystemPromptPart("be brief"), UserPromptPart(f"Why {number}? 🐈")], instructions="purr"),
        ModelResponse(parts=[ThinkingPart("hm", signature="s"), TextPart(""), call], provider_details={"a": 1}),
        ModelRequest(parts=[ToolReturnPart("look", {"n": number}, tool_call_id=f"c{number}")], run_id="r"),
        ModelResponse(parts=[TextPart("one"), TextPart(f"two {number}")], finish_reason="stop"),
    ]


def paused(size: int) -> DeferredToolRequests:
    return DeferredToolRequests(approvals=[ToolCallPart("write", {"text": "x" * size}, tool_call_id="w")])


class Both:
    """Does each thing to both stores; ids of entries are told apart by the order in which they were given."""

    def __init__(self, engine: Engine, owner: bool) -> None:
        self.stores: list[ConversationStore] = [
            CatGptConversationStore(engine.user("one") if owner else engine),
            InMemoryConversationStore(),
        ]
        self.ids: list[dict[str, int]] = [{}, {}]
        self.loaded: list[dict[str, Any]] = [{}, {}]

    def number(self, side: int, id: str | None) -> int | None:
        return None if id is None else self.ids[side].setdefault(id, len(self.ids[side]))

    def entries(self, side: int, entries: Sequence[ConversationEntry] | None) -> Any:
        return entries and [(self.number(side, e.id), self.number(side, e.parent_id), e.message, e.kind) for e in entries]

    def record(self, side: int, record: ConversationRecord) -> Any:
        ids = [record.head_id, record.forked_at, *record.branches]
        named: Any = {"head_id": None, "forked_at": None, "branches": [], "revision": "", "updated_at": None}
        return replace(record, **named), [self.number(side, id) for id in ids]

    async def same(self, what: Any) -> Any:
        told: list[Any] = []
        for side, store in enumerate(self.stores):
            try:
                told.append(await what(side, store, self.loaded[side]))
            except (UserError, LookupError) as error:
                told.append((type(error), re.sub(r"'[0-9a-f-]{36}'", "an id", str(error))))
        assert told[0] == told[1]
        return told[0]


async def random_steps(both: Both, dice: random.Random, scopes: list[str | None], steps: int) -> None:
    for n in range(steps):
        scope = dice.choice(scopes)
        # Ids are one owner's where scopes are owners.
        name = f"{dice.choice('ab')}{'' if None in scopes else scope}"
        limit, at, pick = dice.choice([None, 0, 1, 3, 9]), dice.randrange(-1, 6), dice.random()
        choices: list[list[ModelMessage]] = [[], [asked(f"q{n}"), said(f"a{n}")], step(n)]
        more, other = dice.choice(choices), asked(f"new {n}")
        wrong = scope if None not in scopes or dice.random() < 0.7 else "other"

        async def act(side: int, store: ConversationStore, loaded: dict[str, Any]) -> Any:
            if pick < 0.15 or name not in loaded:
                loaded[name] = await store.load(name, limit=limit, scope=wrong)
                if loaded[name] is None:
                    loaded[name] = Conversation(conversation_id=name)
                return loaded[name].messages, loaded[name].usage, loaded[name].deferred_tool_requests
            conversation: Conversation = loaded[name]
            if pick < 0.5:
                conversation.messages = [*conversation.messages, *more]
                conversation.usage += RunUsage(requests=1, tool_calls=2)
                conversation.deferred_tool_requests = paused(n * 700) if n % 5 == 0 and conversation.messages else None
                return both.entries(side, await store.save(conversation, scope=wrong))
            if pick < 0.6:
                # A history that was rewritten, or serialized meanwhile.
                conversation.messages = [*conversation.messages[: max(at, 0)], other]
                conversation.new_message_index = None
                return both.entries(side, await store.save(conversation, scope=wrong))
            if pick < 0.75:
                known = {number: id for id, number in both.ids[side].items()}
                entry = known.get(n % 7) if at == -1 else None
                place: Any = {"from_entry": entry} if entry is not None else {"at": at}
                loaded[name] = await store.branch(name, **place, expected_revision=conversation.revision, scope=wrong)
                return loaded[name].messages, loaded[name].usage, loaded[name].deferred_tool_requests
            if pick < 0.85:
                fork = f"f{n}{'' if None in scopes else scope}"
                place = {"at": at} if at >= 0 else {}
                loaded[fork] = await store.fork(name, **place, new_conversation_id=fork, source_scope=wrong, scope=wrong)
                return loaded[fork].messages, loaded[fork].usage
            if pick < 0.9:
                return await store.delete(name, scope=wrong)
            if pick < 0.95:
                return both.entries(side, await store.load_entries(name, limit=limit, scope=wrong))
            records = await store.list_conversations(scope=wrong, limit=limit)
            return [both.record(side, record) for record in records]

        await both.same(act)

    async def all_of(side: int, store: ConversationStore, _: Any) -> Any:
        records = [record for scope in scopes for record in await store.list_conversations(scope=scope)]
        shown = [both.record(side, record) for record in records]
        for record in records:
            shown.append(both.entries(side, await store.load_entries(record.conversation_id, scope=record.scope)))
            for tip in record.branches:
                shown.append(both.entries(side, await store.read_history(tip)))
        return shown

    assert await both.same(all_of)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("owner", [True, False], ids=["one owner", "scopes are owners"])
def test_random_steps_give_what_they_give_in_memory(owner: bool, seed: int, tmp_path: Path) -> None:
    async def steps() -> None:
        url = f"sqlite:{tmp_path}/chat.db" if seed % 2 else "memory:"
        async with Engine(model="offline", memory=url) as engine:
            scopes: list[str | None] = [None, "ann", "bob"] if owner else ["ann", "bob"]
            await random_steps(Both(engine, owner), random.Random(seed), scopes, 120)

    asyncio.run(asyncio.wait_for(steps(), 120))


@run
async def test_every_field_lasts(tmp_path: Path) -> None:
    messages: list[ModelMessage] = [*step(1), asked("see", ImageUrl(url="https://a.example/cat.png"), CAT), said("half \ud800")]
    conversation = Conversation(
        conversation_id="trip", messages=messages, usage=RunUsage(requests=2, details={"x": 1}), deferred_tool_requests=paused(5)
    )
    url = f"sqlite:{tmp_path}/chat.db"
    await CatGptConversationStore(url).save(conversation, scope="alice")
    async with Engine(model="offline", memory=url) as engine:
        loaded = await CatGptConversationStore(engine).load("trip", scope="alice")
        assert loaded is not None and loaded.messages[-1].parts == [TextPart("half ?")]
        # As faithful as pydantic-ai's own JSON, which tells pictures from other files.
        adapter = ModelMessagesTypeAdapter
        lasting = adapter.validate_json(adapter.dump_json(messages[:-1]))
        assert replace(loaded, messages=loaded.messages[:-1]) == replace(conversation, messages=lasting)
        rows = await engine.user("alice").session("trip").history()
        assert [(row.role, row.text) for row in rows][-2:] == [("user", "see"), ("assistant", "half ?")]
        shown = [[part["type"] for part in row.content[:-1]] for row in rows]
        assert shown[:4] == [["text"], ["reasoning", "text", "tool_call"], ["tool_result"], ["text"]]
        assert (await engine.user("alice").session("trip").info()).title == "Why 1? 🐈"
        assert rows[3].finish_reason == "stop" and rows[-1].usage is not None and rows[-1].usage.input_tokens == 3


@run
async def test_an_agent_is_paused_and_goes_on_with_large_calls() -> None:
    async with Engine(model="offline", memory="memory:") as engine:
        store = CatGptConversationStore(engine)
        conversation = Conversation(conversation_id="c", messages=step(0), deferred_tool_requests=paused(200_000))
        for _ in range(3):
            await store.save(conversation, scope="a")
            conversation.usage += RunUsage(requests=1)
            loaded = await store.load("c", scope="a")
            assert loaded is not None and loaded.deferred_tool_requests == paused(200_000)
        session = engine.user("a").session("c")
        assert "pydantic_ai" in (await session.info()).metadata
        fork = await store.fork("c", scope="a", new_conversation_id="d")
        assert fork.deferred_tool_requests == (await store.load("d", scope="a") or fork).deferred_tool_requests != None  # noqa: E711


@run
async def test_an_agent_goes_on_where_it_was() -> None:
    async with Engine(model="offline", memory="memory:") as engine:
        store, agent = CatGptConversationStore(engine), Agent(TestModel())
        for n in (1, 2, 3):
            conversation = await store.load("trip", scope="alice") or Conversation(conversation_id="trip")
            result = await agent.run(f"Hello {n}", conversation=conversation)
            assert len(await store.save(result, scope="alice")) == 2
        loaded = await store.load("trip", scope="alice")
        assert loaded is not None and len(loaded.messages) == 6 and loaded.usage.requests == 3
        assert [row.role for row in await engine.user("alice").session("trip").history()] == ["user", "assistant"] * 3


@run
async def test_what_the_engine_said_is_in_the_conversation_and_a_change_of_it() -> None:
    async with Engine(model=Scripted(["Meow", {"gate": "go"}, {"finish": "stop"}]), memory="memory:") as engine:
        store, chat = CatGptConversationStore(engine), engine.user("alice").session("trip")
        conversation = Conversation(conversation_id="trip", messages=[asked("Hi"), said("Purr")])
        await store.save(conversation, scope="alice")
        await chat.rename("Cats")
        await chat.set_metadata({**(await chat.info()).metadata, "mine": 1})
        reply = await chat.send("And lions?")
        conversation.messages.append(asked("late"))
        with pytest.raises(ConversationConflict):
            await store.save(conversation, scope="alice")
        running = await store.load("trip", scope="alice")
        assert running is not None and len(running.messages) == 3
        running.messages.append(asked("too early"))
        with pytest.raises(BusyError):
            await store.save(running, scope="alice")
        await reply.cancel()
        async for _ in reply:
            pass
        loaded = await store.load("trip", scope="alice")
        assert loaded is not None
        texts = [part.content for message in loaded.messages for part in message.parts]  # type: ignore[union-attr]
        assert texts == ["Hi", "Purr", "And lions?", "Meow"]
        loaded.messages.append(asked("Thanks"))
        (entry,) = await store.save(loaded, scope="alice")
        entries = await store.load_entries("trip", limit=2, scope="alice")
        assert entries is not None and [entry.parent_id for entry in entries] == ["trip:3", "trip:4"]
        assert entry.id == entries[-1].id
        info = await chat.info()
        assert (info.title, info.metadata["mine"], info.messages) == ("Cats", 1, 5)


@run
async def test_of_many_who_save_at_once_one_wins() -> None:
    async with Engine(model="offline", memory="memory:") as engine:
        store = CatGptConversationStore(engine)
        await store.save(Conversation(conversation_id="c", messages=[asked("Hi")]), scope="a")
        copies = [await store.load("c", scope="a") for _ in range(16)]

        async def save(n: int, copy: Conversation | None) -> bool:
            assert copy is not None
            copy.messages.append(said(str(n)))
            try:
                await store.save(copy, scope="a")
            except ConversationConflict:
                return False
            return True

        won = await asyncio.gather(*(save(n, copy) for n, copy in enumerate(copies)))
        loaded = await store.load("c", scope="a")
        assert sum(won) == 1 and loaded is not None and len(loaded.messages) == 2


@run
async def test_a_change_of_the_title_is_no_conflict() -> None:
    async with Engine(model="offline", memory="memory:") as engine:
        store, chat = CatGptConversationStore(engine), engine.user("a").session("c")
        conversation = Conversation(conversation_id="c", messages=[asked("Hi")])
        await store.save(conversation, scope="a")

        async def rename() -> None:
            for n in range(20):
                await chat.rename(str(n))

        renaming = asyncio.create_task(rename())
        for n in range(20):
            conversation.messages.append(said(str(n)))
            await store.save(conversation, scope="a")
        await renaming
        assert (await chat.info()).messages == 21 and (await chat.info()).title == "19"


@run
async def test_scopes_are_owners_and_must_be_named() -> None:
    async with Engine(model="offline", memory="memory:") as engine:
        store = CatGptConversationStore(engine)
        for scope in ("ann", "bob"):
            await store.save(Conversation(conversation_id="c", messages=[asked(scope)]), scope=scope)
        for scope in ("ann", "bob"):
            loaded = await store.load("c", scope=scope)
            assert loaded is not None and loaded.messages == [asked(scope)] or loaded is not None
            (record,) = await store.list_conversations(scope=scope)
            assert record.scope == scope
        assert await store.load("c", scope="eve") is None
        for call in (store.load("c"), store.list_conversations(), store.delete("c"), store.read_entry("x")):
            with pytest.raises(UserError, match="name the scope"):
                await call
        await store.fork("c", source_scope="ann", scope="eve", new_conversation_id="d")
        forked = await store.load("d", scope="eve")
        assert forked is not None and len(forked.messages) == 1
        await store.delete("c", scope="ann")
        assert await store.load("c", scope="ann") is None and await store.load("c", scope="bob") is not None


@run
async def test_an_entry_is_found_by_its_plain_id() -> None:
    async with Engine(model="offline", memory="memory:") as engine:
        store = CatGptConversationStore(engine.user("a"))
        entries = await store.save(Conversation(conversation_id="c", messages=step(1)))
        assert (await store.read_entry(str(entries[2].id))).message == entries[2].message
        assert [e.id for e in await store.read_history(str(entries[2].id))] == [e.id for e in entries[:3]]
        with pytest.raises(LookupError):
            await store.read_entry("none")
        revision = (await store.read_record("c") or ConversationRecord(conversation_id="", head_id=None)).revision
        branched = await store.branch("c", from_entry=str(entries[1].id), expected_revision=revision)
        assert len(branched.messages) == 2
        with pytest.raises(ConversationConflict):
            await store.write_record(ConversationRecord(conversation_id="d", head_id="none"), expected_revision=None)
