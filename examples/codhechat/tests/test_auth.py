"""Who asks: tokens on every way in, sockets that end with them, and accounts that take a guest's chats over."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import jwt
import pytest
from auth import Auth
from catgpt.fastapi import SignInError
from catgpt.testing import Scripted
from main import create_app
from settings import Settings
from websockets.exceptions import ConnectionClosed

from .helpers import GATED, Browser, another, browsing, run, settings

OPEN = {"/auth/guest", "/capabilities", "/health", "/metrics"}
"""What anybody may ask."""
SHORT = 0.02
"""A token's life in minutes, where a test waits for its end."""
ADA = {"name": "Ada", "password": "correct horse"}


def forged(given: Settings) -> list[str]:
    """What is no token of ours."""
    auth, claims = Auth(given), {"sub": "guest:1", "name": None, "exp": 2**40}
    whole = jwt.encode(claims, auth.key, "HS256")
    ended = jwt.encode({**claims, "exp": 1}, auth.key, "HS256")
    endless = jwt.encode({"sub": "guest:1", "name": None}, auth.key, "HS256")
    unsigned = jwt.encode(claims, "", "none")
    foreign = jwt.encode(claims, "another key that is thirty-two bytes", "HS256")
    longer = jwt.encode(claims, auth.key + auth.key, "HS512")
    changed = whole.rsplit(".", 1)[0] + "." + "A" * 43
    return ["", "x", "a.b.c", ended, endless, unsigned, foreign, longer, changed]


@run
async def test_every_route_needs_a_token(tmp_path: Path) -> None:
    app = create_app(settings(tmp_path), Scripted("Hello"))
    asked = 0
    async with browsing(tmp_path, Scripted("Hello")) as browser:
        wrong = ["Bearer", "Basic eDp5", *(f"Bearer {token}" for token in forged(settings(tmp_path))[1:])]
        routes = [(path, method) for path, methods in app.openapi()["paths"].items() for method in methods if path not in OPEN]
        for shown, method in routes:
            path = shown.replace("{session}", "a").replace("{turn}", "00000000-0000-0000-0000-000000000000")
            for header in wrong:
                browser.http.headers["authorization"] = header
                answer = await browser.http.request(method, path, json=ADA if "auth" in path else {})
                told = answer.status_code, answer.json()["error"]["kind"]
                assert told == (401, "unauthorized"), (method, path, header)
                asked += 1
    assert asked > 20 * len(wrong)


@run
async def test_a_socket_needs_a_token(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello")) as browser:
        for token in forged(settings(tmp_path))[1:]:
            async with browser.socket(token) as chat:
                with pytest.raises(ConnectionClosed):
                    await chat.until(lambda frame: frame)
                assert chat.ws.close_code == 4401
        async with browser.socket() as chat:
            assert (await chat.ask("Hi"))["event"]["status"] == "complete"


@run
async def test_what_is_anothers_is_not_found(tmp_path: Path) -> None:
    model = Scripted(GATED)
    async with browsing(tmp_path, model) as alice, another(alice.host) as bob:
        async with alice.socket() as hers, bob.socket() as his:
            await hers.say("message", conversationId=None, content="Hi")
            begun = await hers.until(lambda frame: "event" in frame)
            place, turn = begun["conversationId"], begun["turn"]
            for fields in (
                {"type": "edit", "conversationId": place, "seq": 1, "content": "Hi"},
                {"type": "regenerate", "conversationId": place, "seq": 2},
                {"type": "attach", "turn": turn, "offset": 0},
                {"type": "stop", "turn": turn},
            ):
                await his.say(request="f", **fields)
                assert (await his.hear("f"))["error"]["kind"] == "not_found", fields
            for asked in (f"GET sessions/{place}/messages", f"DELETE sessions/{place}", f"GET turns/{turn}"):
                method, path = asked.split(" ")
                answer = await bob.http.request(method, f"/api/{path}")
                assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not_found"), path
            # Who says something under an id that is another's begins a conversation of his own.
            assert model.open("g")
            await hers.hear()
            await his.ask("Mine", place)
            assert [text for _, _, text in await alice.messages(place)] == ["Hi", "Hello world"]
            assert [text for _, _, text in await bob.messages(place)] == ["Mine", "Hello world"]


@run
async def test_a_token_that_ends_closes_its_socket_and_not_its_turns(tmp_path: Path) -> None:
    model = Scripted(GATED)
    async with browsing(tmp_path, model, token_minutes=SHORT) as browser:
        async with browser.socket() as chat:
            await chat.say("message", conversationId=None, content="Hi")
            spoken = await chat.until(lambda frame: "content" in frame)
            with pytest.raises(ConnectionClosed):
                await chat.until(lambda frame: False)
            assert chat.ws.close_code == 4401
            assert any(0 < frame.get("expiring", 0) <= 1 for frame in chat.came)
        assert (await browser.http.get("/auth/me")).status_code == 401
        assert (await browser.visit("/auth/refresh")).status_code == 200
        async with browser.socket() as chat:
            assert model.open("g")
            await chat.say("attach", turn=spoken["turn"], offset=spoken["offset"])
            assert (await chat.hear())["event"]["status"] == "complete"
            assert spoken["content"] + chat.text() == "Hello world"


@run
async def test_a_refresh_frame_keeps_a_socket_alive(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello"), token_minutes=SHORT) as browser, browser.socket() as chat:
        user = browser.user
        for number in range(3):
            await chat.until(lambda frame: "expiring" in frame)
            await browser.visit("/auth/refresh")
            await chat.say("refresh", f"r{number}", token=browser.token)
            assert await chat.hear(f"r{number}") == {"requestId": f"r{number}", "done": True}
        assert (await chat.ask("Hi", request="after"))["event"]["status"] == "complete"
        assert browser.user == user


@run
async def test_a_socket_stays_one_persons(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello")) as alice, another(alice.host) as bob, alice.socket() as chat:
        for token in (bob.token, "nonsense"):
            await chat.say("refresh", token=token)
            assert (await chat.hear())["error"]["kind"] == "unauthorized"
        await chat.say("ping")
        assert "pong" in await chat.hear()


@run
async def test_a_token_is_refreshed_only_so_long_after_its_end(tmp_path: Path) -> None:
    auth = Auth(settings(tmp_path, refresh_days=0.5))
    for hours, taken in ((11, True), (13, False)):
        claims = {"sub": "guest:1", "name": None, "exp": time.time() - hours * 3600}
        token = jwt.encode(claims, auth.key, "HS256")
        with pytest.raises(SignInError):
            auth.read(token)
        if taken:
            assert auth.read(token, auth.grace)["sub"] == "guest:1"
        else:
            with pytest.raises(SignInError):
                auth.read(token, auth.grace)


async def conversations(browser: Browser) -> set[str]:
    return {one["id"] for one in (await browser.http.get("/api/sessions")).json()["sessions"]}


@run
async def test_an_account_takes_a_guests_chats_over_from_any_browser(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello")) as desk, another(desk.host) as phone:
        async with desk.socket() as chat:
            first = (await chat.ask("From the desk"))["conversationId"]
        async with phone.socket() as chat:
            second = (await chat.ask("From the phone"))["conversationId"]
        assert (await desk.http.get("/auth/me")).json() == {"user_id": desk.user, "name": None}
        assert (await desk.visit("/auth/register", **ADA)).status_code == 200
        assert desk.user.startswith("account:")
        assert (await phone.visit("/auth/login", name=" ADA ", password=ADA["password"])).status_code == 200
        assert phone.user == desk.user
        assert await conversations(desk) == await conversations(phone) == {first, second}
        assert (await phone.http.get("/auth/me")).json() == {"user_id": desk.user, "name": "ada"}
        assert (await phone.visit("/auth/refresh")).json()["user_id"] == desk.user
        assert [text for _, _, text in await phone.messages(first)] == ["From the desk", "Hello"]
        # What one account has, another one never gets, though its token signs in.
        assert (await phone.visit("/auth/register", name="bob", password="battery staple")).status_code == 200
        assert await conversations(phone) == set()
        assert await conversations(desk) == {first, second}


@run
async def test_a_guest_who_signs_in_while_an_answer_comes_loses_none_of_it(tmp_path: Path) -> None:
    model = Scripted(GATED)
    async with browsing(tmp_path, model) as browser, browser.socket() as chat:
        await chat.say("message", conversationId=None, content="Hi")
        place = (await chat.until(lambda frame: "content" in frame))["conversationId"]
        signing = asyncio.create_task(browser.visit("/auth/register", **ADA))
        assert model.open("g")
        assert (await chat.hear())["event"]["status"] == "complete"
        assert (await signing).status_code == 200
        assert (await browser.messages(place))[1] == ("assistant", "complete", "Hello world")


@run
async def test_passwords_are_checked_and_not_told(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello")) as browser, another(browser.host) as other:
        await browser.visit("/auth/register", **ADA)
        account = browser.user
        assert (await browser.visit("/auth/register", **ADA)).json()["user_id"] == account
        refusals = [
            (await other.visit("/auth/login", name="ada", password="wrong horse"), 401, "unauthorized"),
            (await other.visit("/auth/login", name="nobody", password="wrong horse"), 401, "unauthorized"),
            (await other.visit("/auth/register", name="ada", password="wrong horse"), 409, "conflict"),
            (await other.visit("/auth/register", name="ada", password="short"), 400, "invalid_input"),
            (await other.visit("/auth/register", name=" ", password="long enough"), 400, "invalid_input"),
        ]
        for answer, status, kind in refusals:
            assert (answer.status_code, answer.json()["error"]["kind"]) == (status, kind)
            assert "horse" not in answer.text and "short" not in answer.text.replace("shorter", "")
        assert refusals[0][0].json() == refusals[1][0].json(), "whether there is such a name is not told"
        odd, kind = rb'{"name": "odd", "password": "half a character \ud83d"}', {"content-type": "application/json"}
        assert (await other.http.post("/auth/register", content=odd, headers=kind)).status_code == 200
        stored = (tmp_path / "accounts.db").read_bytes()
        assert b"ada" in stored and b"horse" not in stored


@run
async def test_tries_to_sign_in_are_counted_before_they_are_judged(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello"), login_tries=3) as browser, another(browser.host) as other:
        await browser.visit("/auth/register", **ADA)
        guesses = [other.visit("/auth/login", name="ada", password=f"wrong horse {number}") for number in range(6)]
        statuses = [answer.status_code for answer in await asyncio.gather(*guesses)]
        assert sorted(statuses) == [401, 401, 429, 429, 429, 429]
        refused = await other.visit("/auth/login", **ADA)
        assert refused.json()["error"]["kind"] == "limited"
        assert 0 < int(refused.headers["retry-after"]) <= 300
        # An address has its own count, of all names.
        names = [await other.visit("/auth/login", name=f"n{number}", password="wrong horse") for number in range(16)]
        assert [answer.status_code for answer in names][-1] == 429
