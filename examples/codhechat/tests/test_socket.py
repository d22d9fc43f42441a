"""The socket: frames that never mix, and answers that outlive it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catgpt.testing import Scripted
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .helpers import GATED, Browser, Echo, browsing, run, settled


async def idle(browser: Browser) -> bool:
    """Whether nothing runs."""
    running: list[object] = (await browser.http.get("/api/turns")).json()["turns"]
    return running == []


@run
async def test_prompts_at_the_same_time_never_mix(tmp_path: Path) -> None:
    prompts = {f"r{number}": f"{number}: " + chr(97 + number) * 200 for number in range(20)}
    async with browsing(tmp_path, Echo()) as browser, browser.socket() as chat:
        for request, prompt in prompts.items():
            await chat.say("message", request, conversationId=None, content=prompt)
        ended = 0
        while ended < len(prompts):
            ended += (await chat.until(lambda frame: "event" in frame))["event"]["type"] == "finished"
        conversations = {}
        for request, prompt in prompts.items():
            assert chat.text(request) == prompt
            (place,) = {(frame["conversationId"], frame["turn"]) for frame in chat.came if frame["requestId"] == request}
            conversations[place[0]] = prompt
        assert len(conversations) == len(prompts)
        for conversation, prompt in conversations.items():
            assert (await browser.messages(conversation))[1] == ("assistant", "complete", prompt)


@run
async def test_the_first_frame_names_the_conversation_that_is_there(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello")) as browser, browser.socket() as chat:
        end = await chat.ask("Hi", key="k1")
        first = chat.came[0]
        assert (first["event"]["type"], first["event"]["session"]) == ("started", first["conversationId"])
        assert (end["event"]["status"], chat.text()) == ("complete", "Hello")
        assert [text for _, _, text in await browser.messages(first["conversationId"])] == ["Hi", "Hello"]
        # Who never heard the answer asks again, with the same key and without an id: it is the same turn.
        again = await chat.ask("Hi", key="k1", request="again")
        assert (again["conversationId"], again["turn"]) == (first["conversationId"], first["turn"])
        await chat.ask("Hi", key="k2", request="other")
        assert len((await browser.http.get("/api/sessions")).json()["sessions"]) == 2


@run
async def test_frames_of_text_are_those_of_the_tutorial_and_any_text_comes_whole(tmp_path: Path) -> None:
    said = 'a "b"\n```py\nx = 1\n```\n\u2028\u0085\x0b שלום 🐱 ,"session":"x","type":"text"'
    async with browsing(tmp_path, Scripted(said)) as browser, browser.socket() as chat:
        await chat.ask("Hi")
        frame = next(frame for frame in chat.came if "content" in frame)
        assert set(frame) == {"requestId", "conversationId", "content", "turn", "offset"}
        assert (chat.text(), frame["offset"]) == (said, len(said.encode()))


@run
async def test_a_cut_socket_loses_and_repeats_nothing(tmp_path: Path) -> None:
    model = Scripted(GATED)
    async with browsing(tmp_path, model) as browser:
        async with browser.socket() as chat:
            await chat.say("message", conversationId=None, content="Hi")
            before = await chat.until(lambda frame: "content" in frame)
            chat.ws.transport.abort()
        assert model.open("g")
        async with browser.socket() as chat:
            await chat.say("attach", turn=before["turn"], offset=before["offset"])
            end = await chat.hear()
            assert before["content"] + chat.text() == "Hello world"
            assert (end["event"]["status"], end["event"]["stored"]) == ("complete", 11)
            await chat.say("attach", "all", turn=before["turn"], offset=0)
            await chat.hear("all")
            assert chat.text("all") == "Hello world"
        assert len(model.requests) == 1


@run
async def test_stop_keeps_what_was_said_and_ends_the_request_to_the_model(tmp_path: Path) -> None:
    model = Scripted(["Hel", {"hang": True}])
    async with browsing(tmp_path, model) as browser, browser.socket() as chat:
        await chat.say("message", conversationId=None, content="Hi")
        spoken = await chat.until(lambda frame: "content" in frame)
        await chat.say("stop", "s", turn=spoken["turn"])
        ends = [await chat.until(lambda frame: "done" in frame or "event" in frame) for _ in range(2)]
        assert {"requestId": "s", "done": True} in ends
        assert [end["event"]["status"] for end in ends if "event" in end] == ["cancelled"]
        await settled(lambda: model.dropped == 1)
        assert (await browser.messages(spoken["conversationId"]))[1] == ("assistant", "cancelled", "Hel")


@run
async def test_edit_and_regenerate_are_branches_beside_what_was_said(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("One", "Two", "Three")) as browser, browser.socket() as chat:
        conversation = (await chat.ask("Hi"))["conversationId"]
        await chat.say("regenerate", "b", conversationId=conversation, seq=2, key="b")
        await chat.hear("b")
        await chat.say("edit", "c", conversationId=conversation, seq=1, content="Hello", key="c")
        await chat.hear("c")
        assert [chat.text(request) for request in "rbc"] == ["One", "Two", "Three"]
        page = (await browser.http.get(f"/api/sessions/{conversation}/messages")).json()
        assert [message["seq"] for message in page["messages"]] == [4, 5]
        assert page["siblings"] == {"4": [1, 4]}


@run
async def test_a_refusal_is_typed_and_leaves_the_socket_open(tmp_path: Path) -> None:
    model = Scripted(GATED)
    async with browsing(tmp_path, model) as browser, browser.socket() as chat:
        await chat.say("message", conversationId=None, content="Hi")
        begun = await chat.until(lambda frame: "event" in frame)
        busy = await chat.ask("Hi", begun["conversationId"], "busy")
        assert (busy["error"]["kind"], busy["error"]["turn"], busy["error"]["retryable"]) == ("busy", begun["turn"], True)
        for wrong in ("", "7", "[]", "{", "[" * 100_000, '{"type": "ping", "requestId": 7}'):
            await chat.ws.send(wrong)
            refused = await chat.until(lambda frame: "error" in frame)
            assert (refused["requestId"], refused["error"]["kind"]) == (None, "invalid_input"), wrong[:40]
        await chat.ws.send(b"bytes")
        assert (await chat.until(lambda frame: "error" in frame))["error"]["kind"] == "invalid_input"
        for fields in (
            {"type": "message", "conversationId": 7, "content": "Hi"},
            {"type": "message", "conversationId": None},
            {"type": "message", "conversationId": None, "content": ""},
            {"type": "message", "conversationId": None, "content": "Hi", "key": 7},
            {"type": "edit", "conversationId": begun["conversationId"], "seq": "1", "content": "Hi"},
            {"type": "stop", "turn": "nonsense"},
            {"type": "attach", "turn": begun["turn"], "offset": -1},
        ):
            await chat.ws.send(json.dumps({"requestId": "w", **fields}))
            assert (await chat.hear("w"))["error"]["kind"] in ("invalid_input", "not_found"), fields
        await chat.say("dance", "d")
        assert (await chat.hear("d"))["error"]["kind"] == "unsupported"
        await chat.say("ping", "p")
        assert await chat.hear("p") == {"requestId": "p", "pong": True}
        assert model.open("g")
        assert (await chat.hear())["event"]["status"] == "complete"


@run
async def test_a_socket_watches_only_so_many_turns_and_can_still_stop_them(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted([{"hang": True}])) as browser, browser.socket() as chat:
        begun: dict[str, str] = {}
        for number in range(256):
            await chat.say("message", f"r{number}", conversationId=None, content="Hi")
        while len(begun) < 256:
            frame = await chat.until(lambda frame: "event" in frame)
            begun[frame["requestId"]] = frame["turn"]
        refused = await chat.ask("Hi", request="more")
        assert (refused["error"]["kind"], refused["error"]["retryable"]) == ("rate_limited", True)
        for request, turn in begun.items():
            await chat.say("stop", f"stop {request}", turn=turn)
            await chat.until(lambda frame: "done" in frame)
        await settled(lambda: idle(browser))


@run
async def test_a_client_that_does_not_read_gets_the_rest_in_one(tmp_path: Path) -> None:
    lines: list[str | dict[str, object]] = [*("x" * 4000 for _ in range(2000)), {"finish": "stop"}]
    async with browsing(tmp_path, Scripted(lines)) as browser, browser.socket(max_queue=1, max_size=None) as chat:
        await chat.say("message", conversationId=None, content="Hi")
        begun = await chat.until(lambda frame: "event" in frame)
        await settled(lambda: idle(browser))
        assert (await chat.hear())["event"]["stored"] == 8_000_000
        assert chat.text() == "x" * 8_000_000
        assert len(chat.came) < 2000, "what it did not read was kept for it frame by frame"
        assert begun["turn"] == chat.came[-1]["turn"]


@run
async def test_a_page_of_somebody_else_gets_no_socket(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello"), allowed_origins="https://chat.example.org") as browser:
        for origin in ("https://evil.example", "null", f"http://evil.example/{browser.host}"):
            with pytest.raises(InvalidStatus) as refused:
                async with browser.socket(origin=origin):
                    pass
            assert refused.value.response.status_code == 403
        for allowed in ("https://chat.example.org", f"http://{browser.host}", None):
            async with browser.socket(origin=allowed) as chat:
                assert chat.ws.subprotocol == "catgpt"
                await chat.say("ping")
                assert "pong" in await chat.hear()


@run
async def test_a_server_that_ends_keeps_what_was_said(tmp_path: Path) -> None:
    model = Scripted(["Hel", {"hang": True}], "Hello again")
    async with browsing(tmp_path, model) as browser, browser.socket() as chat:
        await chat.say("message", conversationId=None, content="Hi")
        spoken = await chat.until(lambda frame: "content" in frame)
    # The application is closed here, with the turn running: it is ended with its text.
    with pytest.raises(ConnectionClosed):
        await chat.until(lambda frame: False)
    async with browsing(tmp_path, model) as after:
        after.http.headers["authorization"] = browser.http.headers["authorization"]
        assert (await after.messages(spoken["conversationId"]))[1] == ("assistant", "interrupted", "Hel")
