"""A store whose answers get lost after it has written: whatever is repeated has no second effect."""

from __future__ import annotations

from typing import Any

from catgpt import Engine, StoreError
from catgpt.testing import Scripted

from .dict_memory import Data, DictMemory
from .helpers import run


class Forgetful(DictMemory):
    """Does what it is asked, and the first answer to each thing is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = set[str]()

    def lose(self, name: str) -> None:
        if name not in self.lost:
            self.lost.add(name)
            raise StoreError("the answer was lost")

    async def begin_turn(self, owner: str, begin: Data) -> Any:
        begun = await super().begin_turn(owner, begin)
        self.lose(f"begin {begin['turn']}")
        return begun

    async def checkpoint(self, owner: str, checkpoint: Data) -> Any:
        kept = await super().checkpoint(owner, checkpoint)
        self.lose(f"checkpoint {checkpoint['turn']} {checkpoint['to']}")
        return kept

    def finish_turn(self, owner: str, finish: Data) -> Any:
        sealed = super().finish_turn(owner, finish)
        self.lose(f"finish {finish['turn']}")
        return sealed

    async def apply(self, owner: str, op_id: str, ops: list[Any]) -> Any:
        done = await super().apply(owner, op_id, ops)
        self.lose(f"apply {op_id}")
        return done


@run
async def test_what_is_repeated_after_a_lost_answer_is_done_once() -> None:
    store = Forgetful()
    async with Engine(model=Scripted("Hello"), memory=store, retry_base=0) as engine:
        alice = engine.user("alice")
        session = alice.session("chat")
        await session.create()
        await session.rename("Title")
        await session.set_persona("cat")
        assert await (await session.send("Hi", key="k")).text() == "Hello"
        assert await (await session.send("Hi", key="k")).text() == "Hello"
        await session.select(2)
        assert len(await session.history()) == 2
        await session.delete()
        done = [change.kind for change in await alice.changes()]
    told = ["created", "renamed", "updated", "turn_begun", "turn_ended", "updated", "deleted"]
    assert done == told
    assert len(store.lost) >= len(told)
