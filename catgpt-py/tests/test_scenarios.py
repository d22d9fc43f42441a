"""Behaviour as data: every file of spec/scenarios, on every kind of store that Python has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from catgpt import CatgptError, Engine, Persona, Reply, _native
from catgpt.testing import Scripted

from .dict_memory import DictMemory
from .scenario_kit import CASES, decisions, plain, policy, same, scripts


class World:
    def __init__(self, scenario: dict[str, Any], store: Any) -> None:
        self.model, self.store, self.persona = Scripted(*scripts(scenario)), store, scenario.get("persona")
        self.replies, self.names = dict[str, Reply](), dict[str, Any]()
        self.more = policy(scenario)
        self.open(self.persona)

    def open(self, persona: dict[str, Any] | None) -> None:
        who = Persona(**persona) if persona else None
        self.engine = Engine(model=self.model, memory=self.store, persona=who, retry_base=0, lease=2, **self.more)

    def check(self, want: Any, got: Any) -> None:
        assert same(self.names, want, got), f"want {want}\n got {got}"

    async def step(self, do: str, reply: str = "reply", owner: str = "alice", session: str = "chat", **it: Any) -> None:
        user, turn = self.engine.user(owner), self.names.get(it.get("turn", ""), "")
        chat = user.session(session)
        match do:
            case "send" | "edit" | "regenerate" | "send_after" | "continue_reply" | "resume":
                words = [it.pop(name) for name in ("seq", "text", "content") if name in it]
                self.replies[reply] = await getattr(chat, do)(*words, **it)
            case "decide":
                self.replies[reply] = await chat.decide(*decisions(it.pop("decisions")), **it)
            case "attach":
                self.replies[reply] = await user.attach(turn, it["from"])
            case "expect":
                for want in it["events"]:
                    await self.expect(self.replies[reply], want)
            case "cancel":
                await user.cancel(turn)
            case "drop":
                await self.replies.pop(reply).aclose()
            case "open":
                assert self.model.open(it["gate"])
            case "history" | "tree":
                found = plain(await (chat.history(100) if do == "history" else chat.tree(0, 100)))
                self.check(it["messages"], found)
            case "models":
                self.check(it["models"], plain(await self.engine.models()))
            case "session" | "user":
                method = getattr(user if do == "user" else chat, it["call"])
                got = plain(await method(*it.get("with", []), **it.get("options", {})))
                self.check(it.get("gives", got), got)
            case "news":
                async with user.feed(it["after"]) as feed:
                    self.check(it["news"], [plain(await anext(feed)) for _ in it["news"]])
            case "import":
                self.check(it["report"], plain(await user.import_(it["text"].encode())))
            case "export":
                self.check(it.get("text"), "".join([text async for text in chat.export(it["format"])]))
            case "asked":
                asked = self.model.requests
                self.check(it, {"times": len(asked), "messages": asked[-1]["messages"] if asked else []})
            case "reopen" | "crash":
                await self.engine.close() if do == "reopen" else _native.shutdown(5_000)
                self.open(it.get("persona", self.persona))
            case _:
                raise AssertionError(do)

    async def expect(self, reply: Reply, want: dict[str, Any]) -> None:
        got = (await anext(reply)).to_dict()
        while "text" in want and got["offset"] < want["offset"]:
            more = (await anext(reply)).to_dict()
            assert more["type"] == want["type"], more
            got = {**more, "text": got["text"] + more["text"]}
        self.check(want, got)
        assert want["type"] != "finished" or await anext(reply, None) is None

    async def play(self, steps: list[dict[str, Any]]) -> None:
        for step in steps:
            error, failed = step.pop("error", None), None
            try:
                await asyncio.wait_for(self.step(**step), 10)
            except CatgptError as raised:
                failed = raised.to_dict()
            self.check(error, failed)
        await self.engine.close()


@pytest.mark.parametrize(("file", "store"), CASES, ids=lambda it: getattr(it, "stem", it))
def test_scenario(file: Path, store: str, tmp_path: Path) -> None:
    scenario = json.loads(file.read_text())
    lasting = store == "sqlite" or {"crash", "reopen"} & {step["do"] for step in scenario["steps"]}
    url = f"sqlite:{tmp_path}/chat.db" if lasting else "memory:"
    asyncio.run(World(scenario, DictMemory() if store == "python" else url).play(scenario["steps"]))
