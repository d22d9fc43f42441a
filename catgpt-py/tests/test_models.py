"""Several models in one engine, and pictures that are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from catgpt import (
    Anthropic,
    ChatModel,
    Engine,
    Images,
    InvalidInputError,
    OpenAi,
    PartAdded,
    RefusedError,
    Request,
    Responses,
    Said,
    UnauthorizedError,
    sync,
)
from catgpt.testing import FakeOpenAI, Scripted

from .helpers import run


class Echo(ChatModel):
    """Says which model it was asked for."""

    def __init__(self, who: str) -> None:
        self.who = who

    def stream(self, request: Request) -> Iterator[Said]:
        yield f"{self.who} {request.model}"


@run
async def test_the_name_chooses_among_models_of_every_kind() -> None:
    models: dict[str, Any] = {"one": Echo("1"), "two-*": Echo("2"), "play": Scripted("played"), "*": "offline"}
    async with Engine(model=models) as engine:
        session = engine.user("alice").session("chat")
        said = {name: await (await session.send("Hi", model=name)).text() for name in ("one", "two-b", "play")}
        assert said == {"one": "1 None", "two-b": "2 two-b", "play": "played"}
        assert "Meow" in await (await session.send("Hi")).text()
        assert [model.id for model in await engine.models()] == ["offline-cat", "one", "play"]
        assert [message.model for message in await session.history()][1::2] == ["one", "two-b", "play", "offline-cat"]


@run
async def test_an_unknown_name_is_refused_before_anything_is_kept() -> None:
    async with Engine(model={"good": Scripted("Yes"), "fast": Scripted("Y")}) as engine:
        session = engine.user("alice").session("chat")
        assert await (await session.send("Hi")).text() == "Yes"
        with pytest.raises(InvalidInputError, match="no model answers to this name; there are: good, fast"):
            await session.send("Hi", model="best")
        assert len(await session.history()) == 2


@run
async def test_a_picture_is_drawn_by_one_of_them() -> None:
    with FakeOpenAI() as server:
        models: dict[str, Any] = {"image": Images(size="1024x1024", quality="low"), "*": "mock,n=2"}
        async with Engine(model=models, base_url=server.url, api_key="sk-test") as engine:
            session = engine.user("alice").session("chat")
            reply = await session.send("A cat on the moon", model="image")
            (shown,) = [event.part async for event in reply if isinstance(event, PartAdded)]
            assert shown["type"] == "image" and shown["alt"] == "A cat on the moon"
            assert shown["url"].startswith("data:image/png;base64,")
            assert await (await session.send("Thanks")).text() == " the qui"
            with pytest.raises(RefusedError):
                await session.send([{"type": "image", "url": "https://example.org/cat.png"}], model="image")
        drawn, thanked = server.requests
        asked = {"model": "gpt-image-1", "prompt": "A cat on the moon", "size": "1024x1024", "quality": "low"}
        assert (drawn["path"], drawn["body"]) == ("/v1/images/generations", asked)
        assert (thanked["path"], thanked["body"]["model"]) == ("/v1/chat/completions", "mock,n=2")


@run
async def test_a_session_goes_from_one_protocol_to_another() -> None:
    with FakeOpenAI() as server:
        models: dict[str, Any] = {
            "claude": Anthropic(model="mock,n=1", base_url=server.url, api_key="sk-ant", thinking=2048, effort="low"),
            "gpt": Responses(model="mock,n=2", base_url=server.url, api_key="sk-two", effort="low", summary="auto"),
            "*": OpenAi(model="mock,n=3", base_url=server.url, api_key="sk-one"),
        }
        async with Engine(model=models) as engine:
            session = engine.user("alice").session("chat")
            said = [await (await session.send("Hi")).text()]
            said += [await (await session.send("Hi", model=name)).text() for name in ("claude", "gpt")]
        assert said == [" the quick b", " the", " the qui"]
        paths = [request["path"] for request in server.requests]
        assert paths == ["/v1/chat/completions", "/v1/messages", "/v1/responses"]
        claude, gpt = (request["body"] for request in server.requests[1:])
        assert (claude["thinking"], claude["output_config"]) == ({"type": "enabled", "budget_tokens": 2048}, {"effort": "low"})
        assert (gpt["reasoning"], gpt["store"]) == ({"effort": "low", "summary": "auto"}, False)
        assert [message["role"] for message in claude["messages"]] == ["user", "assistant", "user"]
        keys = [dict(request["headers"]).get("x-api-key") for request in server.requests]
        assert keys == [None, "sk-ant", None]
    assert "sk-ant" not in repr(models["claude"])


@run
async def test_a_name_says_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI() as server:
        for name, path in [("anthropic:mock,n=1", "messages"), ("responses:mock,n=1", "responses")]:
            async with Engine(model=name, base_url=server.url, api_key="sk-test") as engine:
                assert await (await engine.local().session("chat").send("Hi")).text() == " the"
            assert server.requests[-1]["path"] == f"/v1/{path}"
    for variable in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UnauthorizedError, match="ANTHROPIC_API_KEY"):
        # The engine's key is OpenAI's where there are several: nobody else is shown it.
        Engine(model={"claude": "anthropic:claude-sonnet-4-5", "*": "gpt-4o"}, api_key="sk-test")


def test_blocking_code_has_the_same() -> None:
    with FakeOpenAI() as server:
        server.next("f=filter")
        with sync.Engine(model=Images(model="dall-e-3"), base_url=server.url, api_key="sk-test") as engine:
            session = engine.local().session("chat")
            with pytest.raises(RefusedError):
                session.send("A dog").text()
            assert session.send("A cat").result().stored == 1
            (part,) = session.history()[-1].content
            assert part["type"] == "image" and part["url"].startswith("data:image/png;base64,")
