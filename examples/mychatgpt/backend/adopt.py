"""A `chat.db` of the program that this one takes the place of: its chats go into a store beside it, once. The old file is
only read."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from catgpt import Engine

log = logging.getLogger("uvicorn.error")


def _file(url: str) -> Path | None:
    """The file that a store's address names: `sqlite:PATH`, `sqlite:///RELATIVE`, `sqlite:////ABSOLUTE`."""
    kind, _, rest = url.partition(":")
    return Path(rest.removeprefix("///") if rest.startswith("///") else rest) if kind == "sqlite" else None


def _is_old(path: Path) -> bool:
    """Whether it has the tables `chats` and `messages`, and belongs to no program that says who it is."""
    if not path.is_file():
        return False
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        try:
            ((whose,),) = database.execute("PRAGMA application_id")
            tables = {name.lower() for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.DatabaseError:
            return False  # not a database: the engine says so in its own words
    return whose == 0 and {"chats", "messages"} <= tables


def store_beside(url: str) -> Path | None:
    """Where the chats of an old database are kept from now on, if this address is one's."""
    path = _file(url)
    return path.with_suffix(".catgpt.db") if path and _is_old(path) else None


async def adopt(url: str, owner: str) -> None:
    """Takes an old database over, if that has not been done. The new file appears when all is in it, so a start that was
    cut short is begun anew."""
    old, new = _file(url), store_beside(url)
    if old is None or new is None:
        return
    if new.exists():
        log.info("%s is a database of the old program and is left alone; its chats are in %s", old, new)
        return
    part = new.with_suffix(f".{os.getpid()}.part")
    async with Engine(model="offline", memory=f"sqlite:{part}") as engine:
        report = await engine.adopt(old, otherwise=owner)
        # The old program had no login: everybody saw all chats. So they are all this owner's.
        for other in sorted({entry.owner for entry in report.entries if entry.owner} - {owner}):
            await engine.user(owner).claim(other)
    if new.exists():
        part.unlink()  # another worker was faster
    else:
        part.rename(new)
    log.warning("%s is a database of the old program: it was only read, and from now on %s is used", old, new)
    log.warning("taken over: %d chats, %d messages", report.imported + report.partly, report.messages)
    for entry in report.entries:
        if entry.outcome in ("partly", "refused"):
            log.warning("chat %s: %s %s", entry.session, entry.outcome, entry.error or entry.left_out)
