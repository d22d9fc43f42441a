"""Pictures in messages and replies, the list of models, and the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catgpt import ChatModel, Engine, Image, InvalidInputError, ModelInfo, PartAdded, RefusedError, Request, Said, sync
from catgpt.testing import FakeOpenAI, Scripted

from .helpers import run

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
CAT = Image(url="https://example.org/cat.png", alt="a cat", detail="low")


@run
async def test_a_message_holds_text_and_pictures(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    here = Image.load(tmp_path / "cat.png", alt="here")
    assert here == Image.from_bytes(PNG, alt="here") and here.media_type == "image/png"
    model = Scripted("A cat.")
    async with Engine(model=model) as engine:
        session = engine.local().session("chat")
        await (await session.send(["What is ", "this?", CAT, {"type": "image", "url": "ref:1"}, here])).text()
        (asked,) = [message for message in model.requests[0]["messages"] if message["role"] == "user"]
        assert asked == {"role": "user", "text": "What is this?\n[image]\n", "images": [CAT.url, here.url]}
        first = (await session.history())[0]
        assert first.content[1] == {"type": "image", "url": CAT.url, "alt": "a cat", "detail": "low"}
        await (await session.edit(1, here)).text()
        assert (await session.history())[0].content == [here.to_dict()]


@run
async def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        Image.from_bytes(b"<svg/>")
    with pytest.raises(InvalidInputError):
        Image.load(tmp_path / "nowhere.png")
    async with Engine(model="offline") as engine:
        session = engine.local().session("chat")
        wrong: Any
        for wrong in ([Image(url="cat.png")], [], ["look", {"type": "hologram"}], ["look", 3]):
            with pytest.raises(InvalidInputError):
                await session.send(wrong)


class Painter(ChatModel):
    def stream(self, request: Request) -> Iterator[Said]:
        yield "Here: "
        yield Image(url="ref:drawing", alt="a cat")
        yield {"part": {"type": "citation", "url": "https://example.org"}}


@run
async def test_a_model_of_ones_own_shows_pictures() -> None:
    async with Engine(model=Painter()) as engine:
        reply = await engine.local().session("chat").send("Draw a cat")
        shown = [event for event in [event async for event in reply] if isinstance(event, PartAdded)]
        assert [event.part["type"] for event in shown] == ["image", "citation"]
        assert [event.offset for event in shown] == [7, 8]


@run
async def test_models_are_listed_and_a_blind_one_is_told_apart() -> None:
    with FakeOpenAI() as server:
        async with Engine(model="mock,f=noimages", base_url=server.url, api_key="sk-test") as engine:
            assert [model.id for model in await engine.models()] == ["fake", "fake-mini"]
            with pytest.raises(RefusedError, match="takes no pictures"):
                await (await engine.local().session("chat").send([CAT])).text()


def test_blocking_code_has_the_same() -> None:
    model = Scripted("One.", "Two.")
    with sync.Engine(model=model, cache={"bytes": 10_000, "ttl": 60.0}) as engine:
        assert engine.models() == [ModelInfo("scripted")]
        for chat in ("a", "b"):
            reply = engine.local().session(chat).send(["What is this?", CAT])
            assert reply.text() == "One."
        assert engine.local().session("b").regenerate().text() == "Two."
        assert len(model.requests) == 2
