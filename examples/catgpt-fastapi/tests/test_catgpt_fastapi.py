"""The CatGPT service, over real sockets."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from catgpt.testing import FakeOpenAI

HI = {"sessionId": "trip", "message": "Hi"}


def events(body: str) -> list[dict[str, Any]]:
    """The events of a stream; each has its id and one line of data."""
    frames = [frame for frame in body.split("\n\n") if frame and not frame.startswith(":")]
    assert all(re.fullmatch(r"id: [0-9a-f-]{36}:\d+\ndata: \{.*\}", frame) for frame in frames), body
    return [json.loads(frame.partition("data: ")[2]) for frame in frames]


def said(client: httpx.Client, **more: Any) -> list[dict[str, Any]]:
    response = client.post("/chat", json={**HI, **more})
    assert response.status_code == 200, response.text
    return events(response.text)


def text(found: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in found if event["type"] == "text")


def served(model: FakeOpenAI, knobs: str = "n=40") -> dict[str, str]:
    return {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "sk-secret", "OPENAI_MODEL": f"mock,{knobs}"}


def test_without_a_key_the_offline_cat_answers(start: Callable[..., Any]) -> None:
    with start().browser() as client:
        first, *middle, last = said(client)
        assert (first["type"], first["session"], first["persona"]) == ("started", "trip", "cat")
        assert "offline cat" in text(middle) and last["status"] == "complete"
        told = client.get("/capabilities").json()
        assert (told["app"], told["transport"], told["api"], told["auth"]) == ("catgpt", "sse", "/api", "none")
        assert "sounds" in told["features"] and "images" not in told["features"] and "Meow" in told["greeting"]
        assert client.get("/health").json()["healthy"]


def test_the_answer_is_what_the_model_said_and_the_key_stays_here(start: Callable[..., Any], model: FakeOpenAI) -> None:
    application = start(**served(model))
    with application.browser() as client:
        found = said(client)
        (asked,) = model.requests
        assert asked["headers"].count(["authorization", "Bearer sk-secret"]) == 1
        assert [message["role"] for message in asked["body"]["messages"]] == ["system", "assistant", "user"], "with its greeting"
        assert "cat" in asked["body"]["messages"][0]["content"] and asked["body"]["model"] == "mock,n=40"
        assert "\n" in text(found) and "漢字" in text(found) and found[-1]["usage"]["output_tokens"] > 0
        again = said(client, message="And then?")
        assert [message["role"] for message in model.requests[1]["body"]["messages"]][2:] == ["user", "assistant", "user"]
        assert again[0]["user_seq"] == 3
        capabilities = client.get("/capabilities").text
    assert "sk-secret" not in capabilities + application.log + json.dumps(found)


def test_a_browser_is_known_by_its_cookie_alone(start: Callable[..., Any]) -> None:
    application = start()
    with application.browser() as alice, application.browser() as eve:
        response = alice.post("/chat", json=HI)
        cookie = response.headers["set-cookie"]
        assert re.match(r"catgpt=[0-9a-f]{32}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax$", cookie), cookie
        turn = events(response.text)[0]["turn"]
        assert "set-cookie" not in alice.get("/api/sessions").headers, "one cookie is enough"
        assert "set-cookie" in alice.get("/capabilities").headers, "a page that is opened again keeps its owner"
        for client, status in ((alice, 200), (eve, 404)):
            assert client.get("/api/sessions/trip/messages").status_code == status
            assert client.get(f"/api/turns/{turn}").status_code == status
            assert client.patch("/api/sessions/trip", json={"title": "Mine"}).status_code == status
        assert [one["id"] for one in alice.get("/api/sessions").json()["sessions"]] == ["trip"]
        assert eve.get("/api/sessions").json()["sessions"] == []
        assert said(eve)[0]["user_seq"] == 1, "the same name is another session of another owner"
    with application.browser(cookies={"catgpt": "guessable"}) as weak:
        assert "set-cookie" in weak.get("/health").headers
    with application.browser(headers={"x-forwarded-proto": "https"}) as secure:
        assert secure.get("/capabilities").headers["set-cookie"].endswith("; Secure")


def test_the_same_key_is_the_same_turn(start: Callable[..., Any], model: FakeOpenAI) -> None:
    with start(**served(model)).browser() as client:
        first, again = said(client, key="m1"), said(client, key="m1")
        assert first[0]["turn"] == again[0]["turn"] and text(first) == text(again)
        assert len(model.requests) == 1
        refused = client.post("/chat", json={**HI, "message": "Other", "key": "m1"})
        assert (refused.status_code, refused.json()["error"]["kind"]) == (409, "conflict")


def test_an_address_has_a_limit_and_is_told_when_to_come_back(start: Callable[..., Any]) -> None:
    application = start(RATE_LIMIT="2/day, 9/hour")
    with application.browser() as client:
        said(client), said(client)
        refused = client.post("/chat", json=HI)
        error = refused.json()["error"]
        assert (refused.status_code, error["kind"], error["limit"]["name"]) == (429, "limited", "messages a day")
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        turns = client.post("/api/sessions/trip/turns", json={"type": "regenerate"})
        assert turns.status_code == 429 and turns.headers["retry-after"], "the engine's API counts too"
    with application.browser() as other:
        assert other.post("/chat", json=HI).status_code == 429, "another cookie is no other address"
        far = {"x-forwarded-for": "2001:db8::1"}  # a proxy on this machine is believed
        assert other.post("/chat", json=HI, headers=far).status_code == 200
        near = {"x-forwarded-for": "2001:db8::2"}
        assert other.post("/chat", json=HI, headers=near).status_code == 200
        assert other.post("/chat", json=HI, headers=far).status_code == 429, "a customer's network is one"


def test_the_platforms_header_says_who_it_is(start: Callable[..., Any]) -> None:
    with start(RATE_LIMIT="1/day", CLIENT_IP_HEADER="fly-client-ip").browser() as client:
        statuses = [client.post("/chat", json=HI, headers={"fly-client-ip": ip}).status_code for ip in ("a", "a", "b")]
    assert statuses == [200, 429, 200]


def test_a_wrong_limit_is_told_at_the_start(start: Callable[..., Any], tmp_path: Path) -> None:
    try:
        start(RATE_LIMIT="many")
    except AssertionError as ended:
        assert "RATE_LIMIT: write a limit like `20/minute`" in str(ended)
    else:
        raise AssertionError("it started")


def test_only_offered_models_can_be_chosen(start: Callable[..., Any], model: FakeOpenAI) -> None:
    with start(**served(model), MODELS="mock,mock,n=3").browser() as client:
        assert client.get("/capabilities").json()["models"] == ["mock", "mock", "n=3"]
        said(client, model="mock")
        assert model.requests[0]["body"]["model"] == "mock"
        refused = client.post("/chat", json={**HI, "model": "dear"})
        assert (refused.status_code, refused.json()["error"]["kind"], len(model.requests)) == (400, "invalid_input", 1)


def test_pictures_take_a_key_and_have_a_limit(start: Callable[..., Any], model: FakeOpenAI) -> None:
    cat = {**HI, "message": "A cat on the moon", "image": True}
    with start(**served(model), IMAGE_RATE_LIMIT="1/day").browser() as client:
        assert "images" in client.get("/capabilities").json()["features"]
        (_, picture, last) = events(client.post("/chat", json=cat).text)
        assert picture["part"]["type"] == "image" and picture["part"]["url"].startswith("data:image/png;base64,")
        assert last["status"] == "complete" and model.requests[0]["path"].endswith("/images/generations")
        assert "漢字" in text(said(client, message="Lovely")), "and then it goes on in words"
        refused = client.post("/chat", json=cat)
        assert (refused.status_code, refused.json()["error"]["limit"]["name"]) == (429, "pictures a day")
    for env in ({}, {**served(model), "IMAGE_MODEL": "none"}):
        with start(**env).browser() as client:
            assert client.post("/chat", json=cat).json()["error"]["kind"] == "unsupported"
            assert "images" not in client.get("/capabilities").json()["features"]


def test_who_comes_back_hears_the_rest(start: Callable[..., Any], model: FakeOpenAI) -> None:
    with start(**served(model, "n=200,d=5")).browser() as client:
        got = b""
        with client.stream("POST", "/chat", json=HI) as response:
            for piece in response.iter_raw():
                got += piece
                if got.count(b'"text"') > 3:
                    break
        seen = events(got[: got.rindex(b"\n\n") + 2].decode())
        last = f"{seen[0]['turn']}:{seen[-1]['offset']}"
        rest = client.get(f"/api/turns/{seen[0]['turn']}", headers={"last-event-id": last})
        whole = client.get(f"/api/turns/{seen[0]['turn']}")
        assert text(seen) + text(events(rest.text)) == text(events(whole.text))
        assert events(rest.text)[-1]["status"] == "complete" and len(model.requests) == 1


def test_stop_keeps_the_text_and_ends_the_request(start: Callable[..., Any], model: FakeOpenAI) -> None:
    with start(**served(model, "n=9000,d=5")).browser() as client, client.stream("POST", "/chat", json=HI) as response:
        lines = response.iter_lines()
        turn = json.loads(next(line for line in lines if line.startswith("data: "))[6:])["turn"]
        next(line for line in lines if '"text"' in line)
        busy = client.post("/chat", json=HI)
        assert (busy.status_code, busy.json()["error"]["turn"]) == (409, turn)
        assert client.post(f"/api/turns/{turn}/cancel").status_code == 204
        *_, last = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
        assert last["status"] == "cancelled"
        assert [one["progress"] for one in model.requests] == ["hung_up"]
        (_, kept) = client.get("/api/sessions/trip/messages").json()["messages"]
        assert kept["status"] == "cancelled" and kept["content"]


def begin(client: httpx.Client) -> None:
    """Says something and looks away once the answer has begun."""
    with client.stream("POST", "/chat", json=HI) as response:
        assert any('"text"' in line for line in response.iter_lines())


def test_one_line_makes_chats_last(
    start: Callable[..., Any], model: FakeOpenAI, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/cat.db"}
    application = start(**served(model, "n=200,d=5"), **env)
    with application.browser() as client:
        begin(client)
        cookies = client.cookies
    application.stop()
    assert "shutdown complete" in application.log
    application = start(**served(model, "n=9000,d=5"), **env)
    with application.browser(cookies=cookies) as client:
        (_, whole) = client.get("/api/sessions/trip/messages").json()["messages"]
        assert whole["status"] == "complete", "a turn that runs at the end has time to end"
        begin(client)
    assert application.stop(signal.SIGKILL) == -signal.SIGKILL
    with start(**served(model, "n=5"), **env).browser(cookies=cookies) as client:
        (*_, cut) = client.get("/api/sessions/trip/messages").json()["messages"]
        assert cut["status"] in ("running", "interrupted")
        response = eventually(lambda: found if (found := client.post("/chat", json=HI)).status_code == 200 else None)
        assert events(response.text)[-1]["status"] == "complete"
        messages = client.get("/api/sessions/trip/messages").json()["messages"]
        assert [one["status"] for one in messages if one["role"] == "assistant"] == ["complete", "interrupted", "complete"]


def test_in_memory_chats_go_with_the_process(start: Callable[..., Any]) -> None:
    application = start()
    with application.browser() as client:
        said(client)
        cookies = client.cookies
    application.stop()
    with start().browser(cookies=cookies) as client:
        assert client.get("/api/sessions").json()["sessions"] == []


def test_a_page_on_another_host_may_ask_only_if_it_is_named(start: Callable[..., Any]) -> None:
    application, asked = start(ALLOWED_ORIGINS="https://cat.example.org"), {"access-control-request-method": "POST"}
    with application.browser() as client:
        for origin, allowed in (("https://cat.example.org", "https://cat.example.org"), ("https://evil.example.org", None)):
            response = client.options("/chat", headers={"origin": origin, **asked})
            assert response.headers.get("access-control-allow-origin") == allowed


def test_the_page_is_served_if_it_is_built(start: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>CatGPT</title>")
    with start(WEB_DIST=str(tmp_path)).browser() as client:
        page = client.get("/")
        assert "CatGPT" in page.text and "catgpt=" in page.headers["set-cookie"]
    with start(WEB_DIST=str(tmp_path / "none")).browser() as client:
        assert client.get("/").status_code == 404
