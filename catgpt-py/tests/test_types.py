"""What type checkers must see: this file is checked by mypy and pyright, and run."""

from __future__ import annotations

from typing import Literal, assert_never, assert_type

from catgpt import (
    Branch,
    BusyError,
    CallAt,
    CatgptError,
    Engine,
    Event,
    Feed,
    Finished,
    Message,
    News,
    Part,
    PartAdded,
    Reasoning,
    Reply,
    Retrying,
    SearchPage,
    Sending,
    Session,
    SessionInfo,
    Started,
    Text,
    Title,
    ToolCall,
    ToolResult,
    sync,
    tool,
)


def name(event: Event) -> str:
    """Nothing is left out, and a checker knows it."""
    match event:
        case Started(turn=turn):
            return turn
        case Text(text, offset):
            assert_type(text, str)
            assert_type(offset, int)
            return text
        case Reasoning(text):
            return text
        case ToolCall() | ToolResult() | PartAdded() | Title():
            return event.type
        case Retrying(error=error):
            assert_type(error, CatgptError)
            return error.code
        case Finished(status=status):
            return status
        case _:
            assert_never(event)


def words(part: Part) -> str:
    """Nor of the parts of a message."""
    if part["type"] == "text" or part["type"] == "reasoning":
        return part["text"]
    if part["type"] == "tool_call":
        return part["name"]
    if part["type"] == "tool_result":
        return str(part["output"])
    if part["type"] == "image" or part["type"] == "citation":
        return part["url"]
    if part["type"] == "provider":
        return part["provider"]
    assert_never(part)


@tool
def booked(at: CallAt, train: str) -> list[str]:
    """Books seats."""
    assert_type(at.key, str)
    return [train, at.owner, at.session, at.turn, at.id, at.key]


def kind(event: Event) -> Literal["more"] | Literal["end"]:
    """The literal tells them apart as well."""
    if event.type == "finished":
        assert_type(event, Finished)
        return "end"
    return "more"


async def asynchronous(engine: Engine) -> None:
    """What the calls give."""
    session = engine.user("alice").session("chat")
    assert_type(session.send("Hi", key="k", busy="queue", queue_for=1.5), Sending)
    reply = await session.send("Hi")
    assert_type(reply, Reply)
    assert_type(await session.history(), list[Message])
    async for event in reply:
        name(event)
    alice = engine.user("alice")
    async for news in alice.feed():
        assert_type(news, News)
    assert_type(alice.feed(7), Feed)
    assert_type(await alice.search("kyoto"), SearchPage)
    assert_type(await alice.erase(on_progress=lambda done, total: None), int)
    assert_type(await session.fork(), Session)
    assert_type(await session.create(title="T", persona="cat", metadata={}, ttl=1.5), SessionInfo)
    assert_type(await session.branches(), list[Branch])
    assert_type(session.continue_reply(2, model="m"), Sending)
    async with session.send("Hi") as reply:
        assert_type(await reply.text(), str)


def blocking(engine: sync.Engine) -> None:
    """The same without waiting."""
    with engine.user("alice").session("chat").send("Hi") as reply:
        assert_type(reply, sync.Reply)
        assert_type([event for event in reply], list[Event])
    for news in engine.user("alice").feed(7):
        assert_type(news, News)
    assert_type(engine.user("alice").session("chat").fork(), sync.Session)


def test_the_names_are_right_at_run_time_too() -> None:
    finished = Finished("complete", "stop", None, 1, 1)
    assert [name(event) for event in (Text("a", 1), finished)] == ["a", "complete"]
    assert (kind(Text("a", 1)), kind(finished)) == ("more", "end")
    assert issubclass(BusyError, CatgptError)
    assert words({"type": "provider", "provider": "openai", "value": 1}) == "openai"
    assert booked.parameters is not None and list(booked.parameters["properties"]) == ["train"]
