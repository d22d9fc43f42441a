"""Puts our session in the place of the Agents SDK's own, and of its tests' own, before its tests are collected: `pytest -p
catgpt_shim`, where its `tests` are."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import agents
import agents.memory
from catgpt.adapters.openai_agents import CatGptSession
from tests.utils.simple_session import SimpleListSession  # type: ignore[import-not-found]


class SQLiteSession(CatGptSession):
    """Ours, made as theirs is."""

    def __init__(
        self, session_id: str, db_path: str | Path = ":memory:", *_: Any, session_settings: Any = None, **__: Any
    ) -> None:
        memory = "memory:" if str(db_path) == ":memory:" else f"sqlite:{db_path}"
        super().__init__(session_id, "user", memory=memory, session_settings=session_settings)

    def close(self) -> None:
        """The engine is closed with the process."""


agents.SQLiteSession = agents.memory.SQLiteSession = SQLiteSession  # type: ignore[misc, assignment]


class Listed:
    """What the tests' own session does, done by ours."""

    def __init__(self: Any, session_id: str = "test", history: list[Any] | None = None) -> None:
        CatGptSession.__init__(self, session_id, "user", memory="memory:")
        self._before = list(history or [])
        self._ignore_ids_for_matching = False

    async def get_items(self: Any, limit: int | None = None) -> list[Any]:
        await begun(self)
        return await CatGptSession.get_items(self, limit)

    async def add_items(self: Any, items: list[Any]) -> None:
        await begun(self)
        await CatGptSession.add_items(self, items)

    async def pop_item(self: Any) -> Any:
        await begun(self)
        return await CatGptSession.pop_item(self)

    async def clear_session(self: Any) -> None:
        self._before = []
        await CatGptSession.clear_session(self)


async def begun(session: Any) -> None:
    """Adds what was said before."""
    before, session._before = session._before, []
    await CatGptSession.add_items(session, before)


def items(session: Any) -> list[Any]:
    """What is in it, for tests that look without waiting."""
    with ThreadPoolExecutor(1) as pool:
        return list(pool.submit(lambda: asyncio.run(session.get_items())).result())


SimpleListSession.saved_items = SimpleListSession._items = property(items)
for name, method in vars(Listed).items():
    if callable(method):
        setattr(SimpleListSession, name, method)
