"""The myChatGPT service, over real sockets."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from catgpt.testing import FakeOpenAI

BACKEND = Path(__file__).resolve().parents[1] / "backend"
OLD = """
CREATE TABLE chats (
    id INTEGER NOT NULL, user_id VARCHAR, title VARCHAR, created_at DATETIME, updated_at DATETIME, PRIMARY KEY (id)
);
CREATE TABLE messages (
    id INTEGER NOT NULL, chat_id INTEGER, role VARCHAR, content TEXT, created_at DATETIME, PRIMARY KEY (id),
    FOREIGN KEY(chat_id) REFERENCES chats (id)
);
INSERT INTO chats VALUES
    (1, 'user_1', 'Kyoto', '2026-01-02 03:04:05.678900', '2026-01-02 04:00:00.000000'),
    (2, NULL, 'Nobody''s', '2026-01-03 03:04:05.000000', '2026-01-03 03:04:05.000000'),
    (7, 'default', NULL, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000');
INSERT INTO messages VALUES
    (1, 1, 'system', 'You are a guide.', '2026-01-02 03:04:05.678900'),
    (2, 1, 'user', 'Which temple?', '2026-01-02 03:04:06.000000'),
    (3, 1, 'assistant', 'The **golden** one.' || char(10) || '漢字', '2026-01-02 03:04:07.000000'),
    (4, 2, 'user', 'Hi', '2026-01-03 03:04:05.000000');
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A store of its own."""
    return {"SQLITE_URL": f"sqlite:///{tmp_path}/chat.db"}


def served(model: FakeOpenAI, knobs: str = "n=40", **more: str) -> dict[str, str]:
    key = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "sk-secret"}
    return {**key, "OPENAI_MODEL": f"mock,{knobs}", "TITLE_MODEL": "mock,n=4", **more}


def say(client: httpx.Client, message: str = "Hi", **more: Any) -> tuple[int, str]:
    """Says something; the chat's number, and the answer."""
    response = client.post("/api/chat", json={"message": message, **more})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/plain; charset=utf-8" and response.headers["x-turn-id"]
    return int(response.headers["x-chat-id"]), response.text


def test_the_five_routes_have_the_columns(start: Callable[..., Any], model: FakeOpenAI, env: dict[str, str]) -> None:
    with start(**env, **served(model)).browser() as client:
        chat, text = say(client, "Which temple?")
        assert 0 < chat < 2**53 and "漢字" in text and "\n" in text
        assert say(client, "And then?", chat_id=chat)[0] == chat
        (row,) = client.get("/api/chats").json()
        assert sorted(row) == ["created_at", "id", "title", "updated_at", "user_id"]
        assert (row["id"], row["user_id"]) == (chat, "default")
        messages = client.get(f"/api/chats/{chat}").json()
        assert all(sorted(one) == ["chat_id", "content", "created_at", "id", "role"] for one in messages)
        assert [one["role"] for one in messages] == ["user", "assistant"] * 2
        assert (messages[0]["content"], messages[1]["content"], messages[0]["chat_id"]) == ("Which temple?", text, chat)
        assert datetime.fromisoformat(row["created_at"]) <= datetime.fromisoformat(messages[-1]["created_at"])
        assert client.put(f"/api/chats/{chat}", params={"title": "Temples"}).json()["title"] == "Temples"
        assert client.get("/api/chats").json()[0]["title"] == "Temples"
        assert client.delete(f"/api/chats/{chat}").status_code == 200
        assert client.get("/api/chats").json() == [] and client.get(f"/api/chats/{chat}").status_code == 404


def test_what_is_not_there_is_404_and_is_not_begun(start: Callable[..., Any], env: dict[str, str]) -> None:
    with start(**env).browser() as client:
        assert client.post("/api/chat", json={"message": "Hi", "chat_id": 5}).status_code == 404
        answers = [client.get("/api/chats/5"), client.put("/api/chats/5?title=x"), client.delete("/api/chats/5")]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert answers[0].json()["error"]["kind"] == "not_found"
        half = client.post("/api/chat", content=rb'{"message": "Hi", "key": "\ud83d"}', headers={"content-type": "application/json"})
        assert (half.status_code, half.json()["error"]["kind"]) == (400, "invalid_input")
        assert client.get("/api/chats").json() == []


def test_without_a_key_the_offline_cat_answers(start: Callable[..., Any], env: dict[str, str]) -> None:
    with start(**env).browser() as client:
        chat, text = say(client, "How do I get to Kyoto?")
        assert "offline cat" in text
        assert client.get("/api/chats").json()[0]["title"] == "How do I get to Kyoto?"
        told = client.get("/capabilities").json()
        assert (told["app"], told["transport"], told["api"], told["skin"]) == ("mychatgpt", "text", "/api/v1", "plain")
        assert client.get("/health").json()["healthy"]


def test_a_model_makes_the_title_and_the_feed_tells(start: Callable[..., Any], model: FakeOpenAI, env: dict[str, str]) -> None:
    with start(**env, **served(model)).browser() as client, client.stream("GET", "/api/v1/feed") as feed:
        lines = feed.iter_lines()
        assert next(line for line in lines)
        chat, _ = say(client)
        news = (json.loads(line[6:]) for line in lines if line.startswith("data: {"))
        titled = next(one for one in news if one["kind"] == "titled")
        assert (titled["session"], titled["info"]["title"]) == (str(chat), "the quick brown")
        assert client.get("/api/chats").json()[0]["title"] == "the quick brown"
        assert sorted(one["body"]["model"] for one in model.requests) == ["mock,n=4", "mock,n=40"]


def test_a_persons_title_stays(start: Callable[..., Any], model: FakeOpenAI, env: dict[str, str]) -> None:
    with start(**env, **served(model, TITLE_MODEL="mock,n=4,d=200")).browser() as client:
        chat, _ = say(client)
        client.put(f"/api/chats/{chat}", params={"title": "Mine"})
        with client.stream("GET", "/api/v1/feed", params={"after": 0}) as feed:
            kinds = (json.loads(line[6:])["kind"] for line in feed.iter_lines() if line.startswith("data: {"))
            assert next(kind for kind in kinds if kind == "renamed")
        say(client, "Again", chat_id=chat)
        assert client.get("/api/chats").json()[0]["title"] == "Mine"


def test_a_first_message_that_is_sent_again_finds_its_chat(
    start: Callable[..., Any], model: FakeOpenAI, env: dict[str, str]
) -> None:
    with start(**env, **served(model)).browser() as client:
        assert say(client, key="a-key") == say(client, key="a-key")
        assert say(client, key="another")[0] != say(client)[0]
        assert len(client.get("/api/chats").json()) == 3
        assert [one["body"]["model"] for one in model.requests].count("mock,n=40") == 3


def test_a_reload_goes_on_reading(start: Callable[..., Any], model: FakeOpenAI, env: dict[str, str]) -> None:
    with start(**env, **served(model, "n=200,d=5")).browser() as client:
        with client.stream("POST", "/api/chat", json={"message": "Hi"}) as response:
            turn, chat = response.headers["x-turn-id"], response.headers["x-chat-id"]
            assert next(response.iter_text())
        assert client.post("/api/chat", json={"message": "Hi", "chat_id": int(chat)}).status_code == 409
        body = client.get(f"/api/v1/turns/{turn}").text
        events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: ")]
        text = "".join(event.get("text", "") for event in events)
        assert events[-1]["status"] == "complete"
        assert client.get(f"/api/chats/{chat}").json()[-1]["content"] == text


def test_what_the_old_program_only_planned(start: Callable[..., Any], model: FakeOpenAI, env: dict[str, str]) -> None:
    with start(**env, **served(model)).browser() as client:
        first, text = say(client, "Temples, please")
        second, _ = say(client, "Trains")
        assert client.patch(f"/api/v1/sessions/{first}", json={"pinned": True}).json()["pinned"]
        assert [row["id"] for row in client.get("/api/chats").json()] == [first, second]
        (hit,) = client.get("/api/v1/search", params={"q": "temples"}).json()["hits"]
        assert hit["session"]["id"] == str(first)
        assert client.post(f"/api/v1/sessions/{first}/summary").json()["text"]
        lines = client.get("/api/v1/usage", params={"by": "purpose"}).json()["usage"]
        assert {line["purpose"] for line in lines} >= {"turn", "summary"}
        exported = client.get(f"/api/v1/sessions/{first}/export", params={"format": "markdown"})
        assert "Temples, please" in exported.text and text.splitlines()[0] in exported.text
        again = client.post(f"/api/v1/sessions/{first}/turns", json={"type": "edit", "seq": 1, "text": "Gardens"})
        assert again.status_code == 200 and client.get(f"/api/chats/{first}").json()[0]["content"] == "Gardens"


def test_a_restart_keeps_all(start: Callable[..., Any], env: dict[str, str]) -> None:
    application = start(**env)
    with application.browser() as client:
        say(client)
        before = client.get("/api/chats").json()
    application.stop(signal.SIGKILL)
    with start(**env).browser() as client:
        assert client.get("/api/chats").json() == before


def test_an_old_database_is_taken_over_and_not_touched(start: Callable[..., Any], env: dict[str, str], tmp_path: Path) -> None:
    old = tmp_path / "chat.db"
    with closing(sqlite3.connect(old)) as database:
        database.executescript(OLD)
    content = old.read_bytes()
    application = start(**env)
    assert "is a database of the old program: it was only read" in application.log
    assert "taken over: 3 chats, 4 messages" in application.log
    with application.browser() as client:
        rows = {row["id"]: row for row in client.get("/api/chats").json()}
        assert sorted(rows) == [1, 2, 7] and {row["user_id"] for row in rows.values()} == {"default"}
        assert rows[1]["title"] == "Kyoto" and rows[1]["created_at"].startswith("2026-01-02T03:04:05.67")
        messages = client.get("/api/chats/1").json()
        assert [one["role"] for one in messages] == ["system", "user", "assistant"]
        assert messages[2]["content"] == "The **golden** one.\n漢字"
        say(client, "And then?", chat_id=1)
    application.stop()
    assert old.read_bytes() == content
    assert sorted(path.name for path in tmp_path.glob("chat*")) == ["chat.catgpt.db", "chat.db"]
    application = start(**env)
    assert "is left alone; its chats are in" in application.log
    with application.browser() as client:
        assert len(client.get("/api/chats/1").json()) == 5 and len(client.get("/api/chats").json()) == 3


def test_what_cannot_be_taken_over_is_told(start: Callable[..., Any], env: dict[str, str], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "chat.db")) as database:
        database.executescript(OLD + "INSERT INTO messages VALUES (9, 2, 'tool', '?', NULL);")
    assert re.search("chat 2: partly .*messages of an unknown role", start(**env).log)


def test_a_foreign_database_is_refused(start: Callable[..., Any], env: dict[str, str], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "chat.db")) as database:
        database.execute("CREATE TABLE bills (id)")
    with pytest.raises(AssertionError, match="the file belongs to another application"):
        start(**env)


def test_a_backup_is_taken_while_it_runs(start: Callable[..., Any], env: dict[str, str], tmp_path: Path) -> None:
    with start(**env).browser() as client:
        chat, _ = say(client)
        copy = tmp_path / "copy.db"
        script = [sys.executable, "backup.py", str(copy)]
        subprocess.run(script, cwd=BACKEND, env={"PYTHON_DOTENV_DISABLED": "1", **env}, check=True, timeout=60)
        with start(SQLITE_URL=f"sqlite:///{copy}").browser() as other:
            assert [row["id"] for row in other.get("/api/chats").json()] == [chat]


def test_the_key_stays_here(start: Callable[..., Any], model: FakeOpenAI, env: dict[str, str]) -> None:
    application = start(**env, **served(model, "f=500"))
    with application.browser() as client:
        response = client.post("/api/chat", json={"message": "Hi"})
        shown = response.text + str(response.headers) + client.get("/capabilities").text
    assert "sk-secret" not in shown + application.log


def test_a_page_on_another_host_reads_where_the_answer_belongs(start: Callable[..., Any], env: dict[str, str]) -> None:
    page = "http://localhost:5173"
    with start(**env, ALLOWED_ORIGINS=page).browser(headers={"origin": page}) as client:
        headers = client.post("/api/chat", json={"message": "Hi"}).headers
        assert headers["access-control-allow-origin"] == page and headers["access-control-allow-credentials"] == "true"
        assert {"x-chat-id", "x-turn-id"} == set(headers["access-control-expose-headers"].lower().split(", "))
