"""One replica on SQLite: the seed's frames and routes, and what goes wrong on a socket."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import websockets
from jsonschema import Draft202012Validator  # type: ignore[import-untyped, unused-ignore]

from chat_redis_kit import SECRET, Guest, Replica, Socket, replicas, run, text
from scripted_openai import Model

KEY = "sk-a-key-that-nobody-may-see"


@asynccontextmanager
async def one(folder: Path, model: Model, **more: str) -> AsyncIterator[tuple[Replica, Guest]]:
    """A replica and a guest."""
    asked = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": model.url, "MODEL_NAME": "scripted", **more}
    async with replicas(folder, asked) as (replica,):
        yield replica, await Guest.at(replica)


async def closed(socket: Socket) -> int | None:
    """With which code it is closed."""
    with pytest.raises(websockets.ConnectionClosed) as caught:
        await socket.until("never")
    return caught.value.rcvd.code if caught.value.rcvd else None


@run
async def test_the_frames_of_the_seed_as_it_writes_them(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest), guest.socket(replica) as socket:
        await socket.ws.send(
            '{"action": "send_message", "chat_id": "123", "content": "Your| wörld|\\n```py\\n", "response_model": false}'
        )
        await socket.until("generation_complete")
        shown = [frame for frame in socket.seen if frame["type"] != "event"]
        assert [frame["type"] for frame in shown] == ["message", *["token"] * (len(shown) - 2), "generation_complete"]
        message, task = shown[0]["message"], shown[0]["task_id"]
        assert (message["id"], message["is_ai"], shown[0]["chat_id"]) == ("1", False, "123")
        assert datetime.fromisoformat(message["timestamp"]).tzinfo is not None
        assert text(socket.seen, task) == "Your wörld\n```py\n"
        assert shown[-1]["task_id"] == task and shown[-1]["stored"] == len("Your wörld\n```py\n".encode())
        unplaced = '{"action": "edit", "chat_id": "123", "message_id": 1e999, "content": "x"}'
        for wrong in ("not json", '{"action": "dance"}', '{"action": "send_message"}', "[]", unplaced):
            await socket.ws.send(wrong)
            refused = await socket.next()
            assert refused["type"] == "error" and refused["kind"] == "invalid_input" and refused["message"]
        await socket.send("ping")
        assert await socket.next() == {"type": "pong"}
        found = await guest.chat(replica, "123")
        said = [(message["id"], message["content"], message["is_ai"]) for message in found["messages"]]
        assert said == [("1", message["content"], False), (shown[-1]["message_id"], "Your wörld\n```py\n", True)]


@run
async def test_a_whole_answer_comes_as_one_message(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest), guest.socket(replica) as socket:
        await socket.begin("one|two", response_model=True)
        *_, message, complete = await socket.until("generation_complete")
        assert (message["type"], message["message"]["content"], message["message"]["is_ai"]) == ("message", "onetwo", True)
        assert message["message"]["id"] == complete["message_id"] == "2"
        assert not [frame for frame in socket.seen if frame["type"] == "token"]


@run
async def test_real_frames_and_answers_are_what_the_documents_say(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest), guest.socket(replica) as socket, guest.http(replica) as http:
        begun = await socket.begin("a|#g", key="k")
        await socket.send("send_message", chat_id=begun["chat_id"], content="b")
        await socket.until("error")
        assert (socket.seen[-1]["kind"], socket.seen[-1]["turn"]) == ("busy", begun["task_id"])
        await socket.send("ping")
        model.open("g")
        await socket.until("generation_complete")
        await socket.send("attach", task_id=begun["task_id"], offset=1)
        await socket.until("generation_complete")
        openapi = (await http.get("/openapi.json")).json()
        webhook = openapi["webhooks"]["/ws/{user_id}"]["post"]

        def check(schema: dict[str, Any], value: Any) -> None:
            Draft202012Validator({**schema, "components": openapi["components"]}).validate(value)

        server = webhook["responses"]["200"]["content"]["application/json"]["schema"]
        assert {frame["type"] for frame in socket.seen} >= {"message", "token", "generation_complete", "error", "event", "pong"}
        for frame in socket.seen:
            check(server, frame)
        client = webhook["requestBody"]["content"]["application/json"]["schema"]
        check(client, {"action": "send_message", "chat_id": None, "content": "Hi", "response_model": False})
        assert not Draft202012Validator({**client, "components": openapi["components"]}).is_valid({"action": "dance"})

        paths = openapi["paths"]

        def answer(path: str, method: str, status: str) -> dict[str, Any]:
            schema: dict[str, Any] = paths[path][method]["responses"][status]["content"]["application/json"]["schema"]
            return schema

        check(answer("/api/chats", "post", "201"), (await http.post("/api/chats", json={"title": "T"})).json())
        check(answer("/api/chats/{chat_id}", "get", "200"), await guest.chat(replica, begun["chat_id"]))
        check(answer("/api/chats/{chat_id}", "get", "4XX"), (await http.get("/api/chats/none")).json())
        listed = (await http.get(f"/api/users/{guest.id}/chats")).json()
        assert len(listed) == 2
        check(answer("/api/users/{user_id}/chats", "get", "200"), listed)
        check(answer("/auth/refresh", "post", "200"), (await http.post("/auth/refresh")).json())
        for page in ("/docs", "/redoc"):
            assert "openapi.json" in (await http.get(page)).text


@run
async def test_what_is_sent_twice_is_said_once(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest):
        async with guest.socket(replica) as first, guest.socket(replica) as second:
            begun, again = await first.begin("a|b", key="k"), await second.begin("a|b", key="k")
            assert (again["chat_id"], again["task_id"], again["key"]) == (begun["chat_id"], begun["task_id"], "k")
            assert again["message"] == begun["message"]
            assert text(await second.until("generation_complete"), begun["task_id"]) == "ab"
            other = await second.begin("a|b", key="l")
            assert other["chat_id"] != begun["chat_id"]
            await second.until("generation_complete", other["task_id"])
        assert len(model.asked) == 2


@run
async def test_edits_and_other_answers_are_branches(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest), guest.socket(replica) as socket:
        chat = (await socket.begin("first"))["chat_id"]
        await socket.until("generation_complete")
        await socket.send("regenerate", chat_id=chat, message_id="2")
        assert (await socket.until("generation_complete"))[-1]["message_id"] == "3"
        await socket.send("edit", chat_id=chat, message_id="1", content="second", key="e")
        edited = await socket.until("generation_complete")
        assert edited[0]["message"]["content"] == "second" and edited[0]["key"] == "e"
        found = await guest.chat(replica, chat)
        assert [message["content"] for message in found["messages"]] == ["second", "second"]
        await socket.send("edit", chat_id=chat, message_id=99, content="third", key="f")
        refused = await socket.next()
        assert (refused["kind"], refused["key"], refused["chat_id"]) == ("not_found", "f", chat)


@run
async def test_who_it_is_says_the_token_alone(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, alice):
        bob = await Guest.at(replica)
        async with alice.socket(replica) as socket, bob.http(replica) as http, bob.socket(replica) as foreign:
            begun = await socket.begin("hers|#g")
            await socket.until("token")
            for action in ("stop", "attach"):
                await foreign.send(action, task_id=begun["task_id"])
                assert (await foreign.next())["kind"] == "not_found"
            assert (await http.get(f"/api/chats/{begun['chat_id']}")).status_code == 404
            assert (await http.get(f"/api/users/{alice.id}/chats")).status_code == 404
            assert (await http.delete(f"/api/users/{alice.id}/chats/empty")).status_code == 404
            deleted = await http.post("/api/chats/batch-delete", json={"chat_ids": [begun["chat_id"]]})
            assert deleted.json() == {"deleted": 0}
            # A chat of the same name is one's own.
            own = await foreign.begin("his", begun["chat_id"])
            assert own["message"]["id"] == "1" and own["task_id"] != begun["task_id"]
            model.open("g")
            assert (await socket.until("generation_complete"))[-1]["status"] == "complete"
        for path in (alice.id, "anything", alice.token):
            async with bob.socket(replica, path) as foreign:
                assert await closed(foreign) == 4403
        forged = jwt.encode({"sub": alice.id, "exp": 9_999_999_999}, "another-secret-that-is-long-enough-too", "HS256")
        endless = jwt.encode({"sub": alice.id}, SECRET, "HS256")
        none = jwt.encode({"sub": alice.id, "exp": 9_999_999_999}, "", "none")
        for token in (forged, endless, none, "x", alice.token[:-2]):
            thief = Guest({"user_id": alice.id, "access_token": token})
            async with thief.socket(replica) as foreign:
                assert await closed(foreign) == 4401
            async with thief.http(replica) as http:
                answer = await http.get(f"/api/users/{alice.id}/chats")
                assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "unauthorized")
        async with httpx.AsyncClient(base_url=replica.url) as http:
            assert (await http.get(f"/api/users/{alice.id}/chats?token={alice.token}")).status_code == 401


@run
async def test_a_token_that_runs_out_ends_the_socket_and_no_task(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model, TOKEN_SECONDS="2") as (replica, guest):
        async with guest.socket(replica) as socket:
            begun = await socket.begin("before |#g|after")
            async with guest.http(replica) as http:
                fresh = Guest((await http.post("/auth/refresh")).json())
            assert fresh.id == guest.id
            assert await closed(socket) == 4401
        # The fresh one is made from the same guest, with time of its own.
        again = jwt.encode({"sub": guest.id, "exp": 9_999_999_999}, SECRET, "HS256")
        fresh = Guest({"user_id": guest.id, "access_token": again})
        async with fresh.socket(replica) as socket:
            await socket.send("attach", task_id=begun["task_id"])
            assert await socket.text_until("before ") == "before "
            model.open("g")
            assert (await socket.until("generation_complete"))[-1]["status"] == "complete"
            assert text(socket.seen, begun["task_id"]) == "before after"


@run
async def test_chats_are_deleted_but_not_one_where_an_answer_is_written(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest), guest.socket(replica) as socket, guest.http(replica) as http:
        empty = [(await http.post("/api/chats")).json()["id"] for _ in range(3)]
        running = await socket.begin("#g|done", empty[0])
        assert (await http.delete(f"/api/users/{guest.id}/chats/empty")).json() == {"deleted": 2}
        listed = (await http.get(f"/api/users/{guest.id}/chats")).json()
        assert [(chat["id"], chat["task_id"]) for chat in listed] == [(empty[0], running["task_id"])]
        model.open("g")
        assert (await socket.until("generation_complete"))[-1]["status"] == "complete"
        other = await socket.begin("word|#h")
        gone = await http.post("/api/chats/batch-delete", json={"chat_ids": [empty[0], other["chat_id"], "none"]})
        assert gone.json() == {"deleted": 2}
        # Whoever watches a deleted chat hears the end all the same, and the model is let go of.
        assert (await socket.until("generation_complete", other["task_id"]))[-1]["status"] != "complete"
        assert await asyncio.to_thread(model.hung_up.acquire, timeout=30)
        assert (await http.get(f"/api/users/{guest.id}/chats")).json() == []


@run
async def test_many_tasks_on_one_socket_never_mix(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest), guest.socket(replica) as socket:
        for number in range(20):
            await socket.send("send_message", content=f"a{number} |#g|b{number}", key=str(number))
        tasks: dict[str, str] = {}
        while len(tasks) < 20:
            frame = (await socket.until("message"))[-1]
            tasks[frame["key"]] = frame["task_id"]
        model.open("g")
        while sum(frame["type"] == "generation_complete" for frame in socket.seen) < 20:
            await socket.until("generation_complete")
        for number in range(20):
            assert text(socket.seen, tasks[str(number)]) == f"a{number} b{number}"


@run
async def test_a_client_that_does_not_read_holds_nobody_up(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest):
        async with guest.socket(replica, max_queue=1) as slow, guest.socket(replica) as quick:
            begun = await slow.begin("*20000 " + "w" * 99 + " ")
            await quick.send("attach", task_id=begun["task_id"])
            assert (await quick.until("generation_complete"))[-1]["stored"] == 2_000_000
            assert text(quick.seen, begun["task_id"]) == ("w" * 99 + " ") * 20_000
            await slow.until("generation_complete")
            assert text(slow.seen, begun["task_id"]) == text(quick.seen, begun["task_id"])


@run
async def test_a_frame_that_is_too_large_ends_the_socket_alone(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest), guest.socket(replica) as other:
        async with guest.socket(replica) as socket:
            await socket.begin("x|" * 10 + "y" * 500_000)
            await socket.until("generation_complete")
            await socket.send("send_message", content="y" * (1 << 20))
            assert await closed(socket) == 1009
        await other.send("ping")
        assert await other.next() == {"type": "pong"}


@run
async def test_sigterm_closes_sockets_and_gives_tasks_until_the_deadline(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model, SHUTDOWN_SECONDS="3") as (replica, guest):
        async with guest.socket(replica) as socket:
            ends = await socket.begin("ends |#soon|whole")
            cut = await socket.begin("stays |#never|")
            assert await socket.text_until("stays ", text(socket.seen, cut["task_id"]))
            replica.process.send_signal(signal.SIGTERM)
            assert await closed(socket) in (1001, 1012)
        model.open("soon")
        assert await asyncio.to_thread(replica.process.wait, 30) in (0, -signal.SIGTERM)
        asked = {"DATABASE_URL": f"sqlite:///{tmp_path}/0/chat.db"}
        (tmp_path / "next").mkdir()
        async with replicas(tmp_path / "next", asked) as (fresh,):
            last = [(await guest.chat(fresh, begun["chat_id"]))["messages"][-1] for begun in (ends, cut)]
            told = [(message["content"], message["status"]) for message in last]
            assert told == [("ends whole", "complete"), ("stays ", "interrupted")]
            async with guest.socket(fresh) as socket:
                await socket.send("attach", task_id=cut["task_id"], offset=2)
                complete = (await socket.until("generation_complete"))[-1]
                assert (text(socket.seen, cut["task_id"]), complete["status"]) == ("ays ", "interrupted")


@run
async def test_neither_keys_nor_tokens_nor_words_are_logged(tmp_path: Path, model: Model) -> None:
    async with one(tmp_path, model) as (replica, guest):
        async with guest.socket(replica) as socket, guest.http(replica) as http:
            await socket.begin("a secret wish")
            await socket.until("generation_complete")
            await socket.ws.send('{"action": "send_message", "content": ["a secret wish"], "offset": "a secret wish"}')
            assert "secret" not in json.dumps(await socket.next())
            model.close()
            await socket.begin("another secret wish")
            assert (await socket.until("generation_complete"))[-1]["error"]["kind"] == "unavailable"
            assert (await http.get("/health")).json()["healthy"]
        replica.end(signal.SIGTERM)
        log = replica.log.read_text()
        assert "Application startup complete" in log
        for secret in (KEY, SECRET, guest.token, "secret wish"):
            assert secret not in log


@run
async def test_a_restart_at_home_forgets_no_guest(tmp_path: Path) -> None:
    async with replicas(tmp_path, {"SECRET_KEY": ""}) as (replica,):
        guest = await Guest.at(replica)
        async with guest.socket(replica) as socket:
            begun = await socket.begin("Hello")
            assert (await socket.until("generation_complete"))[-1]["status"] == "complete"
    assert (tmp_path / "0" / ".secret-key").stat().st_mode & 0o777 == 0o600
    async with replicas(tmp_path, {"SECRET_KEY": ""}) as (replica,):
        assert len((await guest.chat(replica, begun["chat_id"]))["messages"]) == 2


@pytest.mark.parametrize("given", [{"SECRET_KEY": ""}, {"SECRET_KEY": "short"}, {"SECRET_KEY": SECRET, "PORT": "cat"}])
def test_a_production_that_is_not_configured_does_not_begin(tmp_path: Path, given: dict[str, str]) -> None:
    replica = Replica(tmp_path, ENVIRONMENT="production", **given)
    assert replica.process.wait(30) != 0
    assert ("port" if "PORT" in given else "secret_key") in replica.log.read_text().lower()
    assert "short" not in replica.log.read_text().replace("too_short", "")


@run
async def test_without_anything_the_offline_cat_answers(tmp_path: Path) -> None:
    async with replicas(tmp_path, {}) as (replica,):
        guest = await Guest.at(replica)
        async with guest.socket(replica) as socket, guest.http(replica) as http:
            begun = await socket.begin("Hello")
            assert "offline cat" in text(await socket.until("generation_complete"), begun["task_id"])
            told = (await http.get("/capabilities")).json()
            assert (told["app"], told["transport"], told["auth"]) == ("chat-redis", "ws-task", "guest")
