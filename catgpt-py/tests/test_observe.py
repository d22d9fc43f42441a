"""What an operator sees: health, metrics, the log; and what he does not."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from catgpt import CatgptError, Engine, Metric
from catgpt.sync import Engine as SyncEngine
from catgpt.testing import Scripted

from .helpers import PATIENCE, run, settled
from .test_process import python

MARK = "xyzzy"


def number(metrics: list[Metric], name: str, **labels: str) -> int:
    points = next(metric["points"] for metric in metrics if metric["name"] == name)
    fitting = [point for point in points if labels.items() <= point["labels"].items()]
    return sum(point.get("value", point.get("count", 0)) for point in fitting)


@run
async def test_an_engine_is_well_or_says_what_is_wrong(tmp_path: Path) -> None:
    model = Scripted([{"gate": "g"}, {"finish": "stop"}])
    engine = Engine(model=model)
    await engine.user("alice").session("chat").send("Hi")
    health = await engine.health()
    assert (health["healthy"], health["closing"], health["running"], health["live"]) == (True, False, 1, None)
    assert health["store"]["ok"]
    await engine.close(0)
    assert not (await engine.health())["healthy"]
    broken = await Engine(model="offline", memory=f"sqlite:{tmp_path}").health()
    assert not broken["healthy"]
    assert broken["store"]["error"] is not None
    assert broken["store"]["error"]["kind"] == "store"
    assert json.loads(json.dumps(broken)) == broken


@run
async def test_what_happened_is_counted() -> None:
    model = Scripted(["Meow", {"usage": {"input_tokens": 3, "output_tokens": 2}}, {"finish": "stop"}])
    async with Engine(model=model) as engine:
        await (await engine.local().session("chat").send("Hi")).text()
        metrics = await engine.metrics()
        assert number(metrics, "catgpt.turns", status="complete") == 1
        assert number(metrics, "gen_ai.client.token.usage") == 2
        assert 'catgpt_turns_total{status="complete"} 1' in (await engine.prometheus()).splitlines()


def test_blocking_code_has_the_same(tmp_path: Path) -> None:
    with SyncEngine(model="offline", memory=f"sqlite:{tmp_path / 'chat.db'}") as engine:
        engine.local().session("chat").send("Hi").text()
        health = engine.health()
        assert (health["healthy"], health["schema"]) == (True, 2)
        assert number(engine.metrics(), "catgpt.turns") == 1
        assert "catgpt_turns_running 0" in engine.prometheus()


def turns(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    lines = [record for record in caplog.records if record.name == "catgpt"]
    return [(line.levelname, line.__dict__["catgpt"].get("status")) for line in lines]


@run
async def _two_turns() -> None:
    scripts: list[list[str | dict[str, Any]]] = [[MARK, {"error": "unavailable"}], [MARK, {"finish": "stop"}]]
    async with Engine(model=Scripted(*scripts), retry_base=0) as engine:
        session = engine.user(MARK).session("chat")
        with pytest.raises(CatgptError):
            await (await session.send(f"Say {MARK}", credentials=f"sk-{MARK}")).text()
        await (await session.send(f"Say {MARK}")).text()
        assert MARK not in json.dumps(await engine.metrics())


def test_the_log_follows_the_logger_and_has_nothing_that_was_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "catgpt"):
        _two_turns()
        end = time.monotonic() + PATIENCE
        while len(turns(caplog)) < 2 and time.monotonic() < end:
            time.sleep(0.001)
    assert turns(caplog) == [("WARNING", "failed"), ("DEBUG", "complete")]
    assert MARK not in caplog.text
    assert "error.type=unavailable" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "catgpt"):
        _two_turns()
        end = time.monotonic() + PATIENCE
        while not turns(caplog) and time.monotonic() < end:
            time.sleep(0.001)
    assert turns(caplog) == [("WARNING", "failed")]


@run
async def _with_content(caplog: pytest.LogCaptureFixture) -> None:
    async with Engine(model=Scripted(["Meow", {"finish": "stop"}]), record_content=True) as engine:
        await (await engine.local().session("chat").send("Hi")).text()
        await settled(lambda: "Meow" in caplog.text)


def test_messages_are_told_to_who_asks_for_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "catgpt"):
        _with_content(caplog)
    facts = [record.__dict__["catgpt"] for record in caplog.records if record.name == "catgpt"]
    assert any('"content":"Hi"' in fact.get("gen_ai.input.messages", "") for fact in facts)


QUIET = """
import os, threading
from catgpt.sync import Engine
from catgpt.testing import Scripted
%s
with Engine(model=Scripted(["Me", {"error": "unavailable"}])) as engine:
    try:
        engine.local().session("s").send("Hi").text()
    except Exception:
        pass
print([thread.name for thread in threading.enumerate() if thread.name == "catgpt-log"])
"""


@pytest.mark.parametrize(("setup", "threads"), [("", "[]"), ("import logging; logging.basicConfig()", "['catgpt-log']")])
def test_a_program_without_logging_pays_and_sees_nothing(setup: str, threads: str) -> None:
    done = python(QUIET % setup)
    assert (done.returncode, done.stdout.strip()) == (0, threads), done
    assert ("WARNING:catgpt:a turn failed" in done.stderr) == (threads != "[]"), done


FORKED = """
import logging, os
logging.basicConfig(level=logging.DEBUG)
from catgpt.sync import Engine
engine = Engine(model="offline")
engine.local().session("s").send("Hi").text()
child = os.fork()
if child == 0:
    own = Engine(model="offline")
    own.local().session("s").send("Hi").text()
    own.close()
    os._exit(0)
raise SystemExit(os.waitpid(child, 0)[1])
"""


def test_a_forked_child_has_a_log_of_its_own() -> None:
    for _ in range(5):
        done = python("import warnings; warnings.simplefilter('ignore')\n" + FORKED)
        assert done.returncode == 0, done


def test_no_thread_is_left_behind() -> None:
    assert sum(thread.name == "catgpt-log" for thread in threading.enumerate()) <= 1
