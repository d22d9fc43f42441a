"""Limits, prices and the ledger, as Python has them."""

from __future__ import annotations

import json
import pickle
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from catgpt import Engine, InvalidInputError, Limit, LimitedError, Price, sync
from catgpt.testing import Scripted

from .helpers import run
from .test_readme import program

AGE = 100 * 365 * 86_400
"""So many seconds that no test sees two windows."""


def hundred() -> Scripted:
    return Scripted(["ok", {"usage": {"input_tokens": 90, "output_tokens": 10}}, {"finish": "stop"}])


@run
async def test_a_refusal_says_what_and_when() -> None:
    prices: dict[str, Price] = {"scripted*": {"input": 1, "output": 10}}
    limits = [Limit("quota", "tokens", 100, window=AGE)]
    async with Engine(model=hundred(), memory="memory:", prices=prices, limits=limits) as engine:
        user = engine.user("alice")
        reply = await user.session("a").send("Hi")
        assert (await reply.result()).cost == 190
        with pytest.raises(LimitedError) as refused:
            await user.session("a").send("Hi")
        error = refused.value
        assert error.limit == {"name": "quota", "unit": "tokens", "max": 100}
        assert error.retry_after is not None and 0 < error.retry_after <= AGE and error.http_status == 429
        assert pickle.loads(pickle.dumps(error)) == error
        assert (await user.session("a").history())[1].cost == 190
        (state,) = await user.limits()
        assert (state.name, state.unit, state.per, state.used, state.max) == ("quota", "tokens", "owner", 100, 100)
        plan = [Limit("plus", "turns", 9, window=AGE, per={"key": "team"})]
        done = await user.session("b").send("Hi", limits=plan, limit_keys={"team": "red"}, max_running=1)
        await done.result()
        (state,) = await user.limits(plan, limit_keys={"team": "red"})
        assert (state.per, state.used, state.window_ms) == ({"key": "team"}, 1, AGE * 1000)
        with pytest.raises(InvalidInputError):
            await user.session("b").send("Hi", limits=plan)
        lines = await user.usage(["session", "purpose"])
        assert [(line.session, line.purpose, line.calls, line.cost) for line in lines] == [
            ("a", "turn", 1, 190),
            ("b", "turn", 1, 190),
        ]
        assert (await user.usage(session="b"))[0].usage.input_tokens == 90
        assert (await user.usage(to_ms=0))[0].calls == 0


@run
async def test_what_a_model_makes_when_asked_counts_as_a_turn() -> None:
    limits = [Limit("turns", "turns", 2, window=AGE), Limit("tokens", "tokens", 100_000, window=AGE)]
    async with Engine(model=hundred(), memory="memory:", limits=limits) as engine:
        user = engine.user("alice")
        session = user.session("a")
        await (await session.send("Hi")).result()
        assert await session.make_title() == "ok"
        assert [state.used for state in await user.limits()] == [2, 200], "what was used, not what was reserved"
        for making in (session.make_title, session.summarize):
            with pytest.raises(LimitedError):
                await making()
        plan = [Limit.rate("plan", "1/day", per={"key": "ip"})]
        with pytest.raises(InvalidInputError):
            await session.summarize(limits=plan)
        assert (await session.summarize(limits=plan, limit_keys={"ip": "192.0.2.1"})).text == "ok"
        with pytest.raises(LimitedError):
            await session.make_title(limits=plan, limit_keys={"ip": "192.0.2.1"})


def test_a_rate_is_read_as_people_write_it() -> None:
    table = json.loads((Path(__file__).parents[2] / "spec" / "rates.json").read_text())
    for text, name, unit, most, ms in table["good"]:
        assert Limit.rate("x", text) == Limit(name, unit, most, window=ms / 1000), text
    for text in table["bad"]:
        with pytest.raises(InvalidInputError, match="20/minute"):
            Limit.rate("x", text)
    assert Limit.rate("x", "1/day", per={"key": "ip"}).per == {"key": "ip"}


def test_the_same_without_an_event_loop() -> None:
    with sync.Engine(model=hundred(), memory="memory:", limits=[Limit("all", "turns", 1, AGE, "everyone")]) as engine:
        user = engine.user("alice")
        user.session("a").send("Hi").result()
        with pytest.raises(LimitedError):
            engine.user("ben").session("a").send("Hi")
        assert [(state.per, state.used) for state in user.limits()] == [("everyone", 1)]
        assert [line.calls for line in user.usage()] == [1]


@run
async def test_the_readmes_program_runs() -> None:
    code = program("limit_keys={")
    made: list[Engine] = []

    def engine(**options: Any) -> Engine:
        options["prices"] |= {"*": {"input": 1, "output": 10}}
        made.append(Engine(model=hundred(), memory="memory:", **options))
        return made[0]

    told: list[tuple[Any, ...]] = []
    request = SimpleNamespace(client=SimpleNamespace(host="192.0.2.1"))
    space = {"Engine": engine, "Limit": Limit, "LimitedError": LimitedError, "request": request}
    exec("async def main(print):\n" + textwrap.indent(code, "    "), space)
    main: Any = space["main"]
    await main(lambda *words: told.append(words))
    cost, line, limit = told
    assert (cost, line[1:3], line[4], limit[:3]) == ((190,), ("scripted", 1), 190, ("daily spend", 190, 500_000))
    await made[0].close()


def test_limits_that_cannot_be_kept_are_refused_at_once() -> None:
    twice = Limit("a", "turns", 1, window=60)
    with pytest.raises(InvalidInputError, match="same name"):
        Engine(model=hundred(), memory="memory:", limits=[twice, twice])
    with pytest.raises(InvalidInputError):
        Engine(model=hundred(), memory="memory:", prices={"a": {"input": -1, "output": 1}})
