"""Answers that lean on a folder of Markdown, and say where they have it from: a hook looks the question up in an index of
SQLite, gives the model the best sections to read, and shows them as citations before the answer.

    python examples/retrieval/retrieval.py
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from catgpt import Engine, Hook, Message, PartAdded, Persona, Source, Text, TurnAt
from catgpt.testing import Scripted

DOCS = Path(__file__).parent / "docs"


def sections(file: Path) -> Iterator[tuple[str, str, str]]:
    """What stands under each heading: its address, its title, its text."""
    title = file.name
    for found in re.finditer(r"^(#+) (.*)\n((?:(?!#).*\n?)*)", file.read_text("utf-8"), re.MULTILINE):
        level, heading, text = found[1], found[2].strip(), found[3].strip()
        if level == "#":
            title, place = heading, (file.name, heading)
        else:
            place = (f"{file.name}#{heading.lower().replace(' ', '-')}", f"{title}: {heading}")
        if text:
            yield *place, text


class Retrieval(Hook):
    """Looks each question up. Plain methods run in a thread, so the index may be used from any."""

    def __init__(self, folder: Path, top: int = 3) -> None:
        self.top = top
        self.index = sqlite3.connect(":memory:", check_same_thread=False)
        columns = "url UNINDEXED, title, text, tokenize = 'porter unicode61'"
        self.index.execute(f"CREATE VIRTUAL TABLE sections USING fts5({columns})")
        for file in sorted(folder.glob("*.md")):
            self.index.executemany("INSERT INTO sections VALUES (?, ?, ?)", sections(file))

    def search(self, question: str) -> list[tuple[str, str, str]]:
        """The best sections, the best one first. Quoted, a word is a word, whatever it means in a query."""
        query = " OR ".join(f'"{word}"' for word in re.findall(r"\w{3,}", question))
        if not query:
            return []
        ranked = "SELECT url, title, text FROM sections WHERE sections MATCH ? ORDER BY bm25(sections, 0, 2, 1) LIMIT ?"
        return self.index.execute(ranked, (query, self.top)).fetchall()

    def before_prompt(self, at: TurnAt, branch: list[Message]) -> list[Source]:
        return [Source.cited(text, url, title) for url, title, text in self.search(branch[-1].text)]


async def main() -> None:
    """Asks one question. With a key, leave `model` out: the engine then reads `OPENAI_API_KEY` and `OPENAI_MODEL`."""
    model = Scripted([{"text": "When they are content, but also when they are hurt or afraid [1]."}, {"finish": "stop"}])
    async with Engine(model=model, persona=Persona.cat(), hooks=[Retrieval(DOCS)]) as engine:
        number, question = 0, "Why do cats purr?"
        print(f"> {question}\n")
        async with engine.user("alice").session("cats").send(question) as reply:
            async for event in reply:
                if isinstance(event, PartAdded) and event.part["type"] == "citation":
                    number += 1
                    print(f"[{number}] {event.part.get('title')} ({event.part['url']})")
                elif isinstance(event, Text):
                    print(f"\n{event.text}")


if __name__ == "__main__":
    asyncio.run(main())
