"""What the environment and `.env` say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from catgpt import EngineOptions, Titles
from dotenv import load_dotenv

from adopt import store_beside

HERE = Path(__file__).resolve().parent
load_dotenv(HERE / ".env")


def value(name: str) -> str | None:
    """A variable; one that is empty is not there."""
    return os.environ.get(name, "").strip() or None


def names(name: str) -> list[str]:
    """A variable that is a list, with commas."""
    return [one.strip() for one in (value(name) or "").split(",") if one.strip()]


@dataclass(frozen=True)
class Settings:
    """All of it."""

    key: str | None = field(default_factory=lambda: value("OPENAI_API_KEY"), repr=False)
    base_url: str | None = field(default_factory=lambda: value("OPENAI_BASE_URL"))
    model: str = field(default_factory=lambda: value("OPENAI_MODEL") or "gpt-4o")
    title_model: str | None = field(default_factory=lambda: value("TITLE_MODEL"))
    url: str = field(default_factory=lambda: value("SQLITE_URL") or "sqlite:///chat.db", repr=False)
    owner: str = field(default_factory=lambda: value("APP_USER") or "default")
    origins: list[str] = field(default_factory=lambda: names("ALLOWED_ORIGINS"))
    min_interval: float = field(default_factory=lambda: float(value("MIN_INTERVAL") or 0.06))
    page: Path = field(default_factory=lambda: Path(value("WEB_DIST") or HERE.parents[1] / "web" / "dist"))

    @property
    def store(self) -> str:
        """The address of the store: `SQLITE_URL`, or the file beside it if that is a database of the old program."""
        beside = store_beside(self.url)
        return f"sqlite:{beside}" if beside else self.url

    def engine(self) -> EngineOptions:
        """What the engine is made of. The offline cat makes no titles: there the first words are the title."""
        if not (self.key or self.base_url):
            return EngineOptions(model="offline", memory=self.store)
        titles = Titles(model=self.title_model) if self.title_model else True
        return EngineOptions(model=self.model, memory=self.store, titles=titles, summaries=True)


settings = Settings()
