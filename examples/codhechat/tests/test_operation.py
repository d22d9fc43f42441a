"""What an operator relies on: settings, limits, logs, health, and the way in from a browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from catgpt.fastapi import address
from catgpt.testing import FakeOpenAI, Scripted
from settings import load
from starlette.requests import HTTPConnection

from .helpers import GATED, SECRET, another, browsing, run, settled

BACKEND = Path(__file__).parents[1] / "backend"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SECRET_KEY", None, "use `openssl rand -hex 32`"),
        ("SECRET_KEY", "replace-me", "is no placeholder: use `openssl rand -hex 32`"),
        ("SECRET_KEY", "thirty-one bytes, and not more.", "at least 32 bytes"),
        ("DATABASE_URL", "mysql://user:hunter2@host/db", "postgresql://USER:PASSWORD@HOST/DATABASE. MySQL is not supported"),
        ("DATABASE_URL", "mysql+pymysql://user:hunter2@host/db", "MySQL is not supported"),
        ("DATABASE_URL", "chat.db", "must be sqlite:///"),
        ("ENVIRONMENT", "live", "'production'"),
        ("LOG_LEVEL", "LOUD", "'DEBUG'"),
        ("LOG_JSON", "perhaps", "boolean"),
        ("TOKEN_MINUTES", "-7", "greater than 0"),
        ("ALLOWED_ORIGINS", "https://a.example, *", "pattern"),
        ("ALLOWED_ORIGINS", "https://a.example/path", "pattern"),
    ],
)
def test_a_wrong_setting_is_a_sentence_that_names_the_variable(
    variable: str, value: str | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.delenv(variable) if value is None else monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        load(_env_file=None)
    (line,) = str(ended.value).splitlines()
    assert line.startswith(variable) and says in line
    assert value is None or value in ("replace-me", "chat.db") or value not in line, "a value may be a secret"


def test_settings_come_from_the_environment_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://a.example, http://b.example:8080")
    monkeypatch.setenv("SECRET_KEY", "")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = load(_env_file=BACKEND / ".env.example")
    assert found.allowed_origins == ["https://a.example", "http://b.example:8080"]
    assert (found.environment, found.model_name, found.openai_api_key) == ("development", "gpt-4o-mini", None)
    assert SECRET not in repr(load(_env_file=None, secret_key=SECRET, database_url=f"postgres://u:{SECRET}@h/d"))


@run
async def test_limits_are_typed_and_say_when_they_open(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello"), turns_per_minute=2) as browser, browser.socket() as chat:
        # Its minute is the clock's: one that ends in between would let the third turn through.
        async with asyncio.timeout(30):
            while time.time() % 60 > 40:
                await asyncio.sleep(0.1)
        ends = [await chat.ask("Hi", request=f"r{number}") for number in range(3)]
        error = ends[2]["error"]
        assert (error["kind"], error["limit"]["name"], error["limit"]["max"]) == ("limited", "turns", 2)
        assert 0 < error["retry_after_ms"] <= 60_000
        over_http = await browser.http.post("/api/sessions/a/turns", json={"text": "Hi"})
        assert (over_http.status_code, over_http.json()["error"]["limit"]["name"]) == (429, "turns")
        # A guest costs nothing, so an address has a limit too.
        for _ in range(4):
            async with another(browser.host) as more, more.socket() as his:
                last = [await his.ask("Hi", request=f"r{number}") for number in range(2)][-1]
        async with another(browser.host) as more, more.socket() as his:
            assert (await his.ask("Hi"))["error"]["limit"]["name"] == "turns of an address"
        assert last["event"]["status"] == "complete"


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_customer_of_ipv6_counts_as_one(host: str, counted: str) -> None:
    assert address(HTTPConnection({"type": "http", "client": (host, 1)})) == counted


@run
async def test_the_quota_of_tokens_holds_before_money_is_spent(tmp_path: Path) -> None:
    model = Scripted(GATED)
    async with browsing(tmp_path, model, tokens_per_day=1000) as browser, browser.socket() as chat:
        await chat.say("message", conversationId=None, content="Hi")
        await chat.until(lambda frame: "content" in frame)
        # What the running turn may use is reserved.
        error = (await chat.ask("Hi", request="second"))["error"]
        assert (error["kind"], error["limit"]["name"]) == ("limited", "tokens")
        assert len(model.requests) == 1
        assert model.open("g")
        await chat.hear()
        assert (await chat.ask("Hi", request="third"))["event"]["status"] == "complete"


@run
async def test_health_tells_when_the_store_is_gone(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello")) as browser, browser.socket() as chat:
        await chat.ask("Hi")
        well = await browser.http.get("/health")
        assert (well.status_code, well.json()["healthy"]) == (200, True)
        for file in tmp_path.glob("chat.db*"):
            file.write_bytes(b"not a database any more" * 10_000)
        ill = await browser.http.get("/health")
        assert (ill.status_code, ill.json()["healthy"], ill.json()["store"]["ok"]) == (503, False, False)
        assert (await chat.ask("Hi", request="second"))["error"]["kind"] == "store"
        await chat.say("ping")
        assert "pong" in await chat.hear()


@run
async def test_the_page_of_another_host_may_ask_if_it_is_allowed(tmp_path: Path) -> None:
    async with browsing(tmp_path, Scripted("Hello"), allowed_origins="https://chat.example.org") as browser:
        asking = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
        for origin, allowed in (("https://chat.example.org", True), ("https://evil.example", False)):
            answer = await browser.http.options("/api/sessions", headers={"origin": origin, **asking})
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


@run
async def test_it_serves_the_page_if_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_text("<title>CoDHeChat</title>")
    async with browsing(tmp_path, Scripted("Hello")) as browser:
        assert "CoDHeChat" in (await browser.http.get("/")).text
        found = (await browser.http.get("/capabilities")).json()
        assert (found["app"], found["transport"], found["auth"], found["api"]) == ("codhechat", "ws-request", "guest", "/api")
        assert "catgpt_turns" in (await browser.http.get("/metrics")).text


@contextlib.asynccontextmanager
async def process(folder: Path, *options: str, **environment: str) -> AsyncIterator[tuple[str, list[str]]]:
    """The application as it is started by hand, and the lines that it logs."""
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", "0", *options]
    none = dict.fromkeys(("REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"), "")
    mine = {**none, "DATABASE_URL": f"sqlite:{folder / 'chat.db'}", "ACCOUNTS_DB": str(folder / "accounts.db"), **environment}
    err = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, cwd=BACKEND, env={**os.environ, **mine}, stderr=err, stdout=err)
    lines: list[str] = []

    async def read() -> None:
        assert running.stderr is not None
        async for line in running.stderr:
            lines.append(line.decode().rstrip())

    reading = asyncio.create_task(read())
    try:
        await settled(lambda: any("Uvicorn running on" in line for line in lines))
        address = next(line for line in lines if "Uvicorn running on" in line)
        yield address.split("http://")[1].split(" ")[0], lines
    finally:
        running.terminate()
        await running.wait()
        await reading


@run
async def test_logs_are_json_with_request_ids_and_hold_no_secret(tmp_path: Path) -> None:
    key, said, password = "sk-the-key-of-the-model", "the words of a person", "correct horse battery"
    with FakeOpenAI() as server:
        environment = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.url, "MODEL_NAME": "mock,n=3", "LOG_LEVEL": "DEBUG"}
        async with process(tmp_path, SECRET_KEY=SECRET, **environment) as (host, lines):
            async with another(host) as browser:
                guest = browser.token
                async with browser.socket() as chat:
                    assert (await chat.ask(said))["event"]["status"] == "complete"
                    await chat.say("refresh", token=guest)
                    await chat.hear()
                await browser.visit("/auth/register", name="ada", password=password)
                await browser.http.get("/api/search", params={"q": said}, headers={"x-request-id": "mine-1"})
                server.next("f=status,status=500")
                answer = await browser.http.get("/health")
                assert answer.headers["x-request-id"]
        assert dict(server.requests[0]["headers"])["authorization"] == f"Bearer {key}"
    logged = [json.loads(line) for line in lines]
    ours = [line for line in logged if line["logger"] == "catgpt.requests"]
    assert [line["path"] for line in ours] == ["/auth/guest", "/ws", "/auth/register", "/api/search", "/health"]
    assert ours[3]["request_id"] == "mine-1" and ours[4]["request_id"] == answer.headers["x-request-id"]
    assert len({line["request_id"] for line in ours}) == 5
    assert any(line["logger"] == "catgpt" and line.get("turn") for line in logged), "the core's facts are data"
    for secret in (key, said, "words of", password, guest, browser.token, SECRET):
        assert secret not in "\n".join(lines)


@run
async def test_logs_are_plain_where_a_person_reads_them(tmp_path: Path) -> None:
    plain = {"LOG_JSON": "false", "SECRET_KEY": "replace-me"}
    async with process(tmp_path, "--env-file", ".env.example", **plain) as (host, lines), another(host) as browser:
        await browser.http.get("/capabilities")
    assert any(line.endswith("GET /capabilities 200") or " GET /capabilities 200 " in line for line in lines)
    assert any("SECRET_KEY is the placeholder" in line for line in lines)


def test_a_wrong_environment_ends_with_the_sentence_and_no_traceback(tmp_path: Path) -> None:
    import subprocess

    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", "0"]
    environment = {**os.environ, "SECRET_KEY": "replace-me", "ENVIRONMENT": "production"}
    done = subprocess.run(command, cwd=BACKEND, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "SECRET_KEY: " in done.stderr and "Traceback" not in done.stderr


def test_every_test_that_the_guide_names_is_there() -> None:
    guide = (BACKEND.parent / "docs" / "PRODUCTION_GUIDE.md").read_text()
    rows = [row for row in guide.splitlines() if row.startswith("| ") and re.search(r"(socket|auth|operation) `", row)]
    for row in rows:
        kind, names = re.findall(r"(socket|auth|operation) (`.*) \|$", row)[0]
        for name in re.findall(r"`(\w+)`", names):
            assert f"def test_{name}(" in (BACKEND.parent / "tests" / f"test_{kind}.py").read_text(), name
    assert len(rows) > 20
