"""What the environment and `.env` say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from catgpt import EngineOptions, Images, InvalidInputError, Limit, Persona, SendOptions, UnsupportedError
from dotenv import load_dotenv

HERE = Path(__file__).resolve().parent
load_dotenv(HERE / ".env")
CAT = Persona.load(HERE / "cat.md")
FEATURES = ["edit", "regenerate", "branches", "rename", "pin", "delete", "delete-empty", "batch-delete", "search"]
FEATURES += ["usage", "summary", "export", "sounds"]
DAY = 86_400


def value(name: str) -> str | None:
    """A variable; one that is empty is not there."""
    return os.environ.get(name, "").strip() or None


def names(name: str) -> list[str]:
    """A variable that is a list, with commas."""
    return [one.strip() for one in (value(name) or "").split(",") if one.strip()]


def rates(name: str, what: str, usual: str) -> list[Limit]:
    """`20/minute, 500/day`: how many of these each address may have."""
    try:
        return [Limit.rate(what, rate, per={"key": "ip"}) for rate in names(name) or [usual]]
    except InvalidInputError as error:
        raise SystemExit(f"{name}: {error}") from None


@dataclass(frozen=True)
class Settings:
    """All of it."""

    key: str | None = field(default_factory=lambda: value("OPENAI_API_KEY"), repr=False)
    base_url: str | None = field(default_factory=lambda: value("OPENAI_BASE_URL"))
    model: str = field(default_factory=lambda: value("OPENAI_MODEL") or "gpt-4o-mini")
    models: list[str] = field(default_factory=lambda: names("MODELS"))
    store: str | None = field(default_factory=lambda: value("DATABASE_URL"), repr=False)
    session_ttl: str | None = field(default_factory=lambda: value("SESSION_TTL"))
    image_model: str = field(default_factory=lambda: value("IMAGE_MODEL") or "gpt-image-1")
    rates: list[Limit] = field(default_factory=lambda: rates("RATE_LIMIT", "messages", "20/minute"))
    image_rates: list[Limit] = field(default_factory=lambda: rates("IMAGE_RATE_LIMIT", "pictures", "10/hour"))
    address_header: str | None = field(default_factory=lambda: value("CLIENT_IP_HEADER"))
    origins: list[str] = field(default_factory=lambda: names("ALLOWED_ORIGINS"))
    min_interval: float = field(default_factory=lambda: float(value("MIN_INTERVAL") or 0.06))
    page: Path = field(default_factory=lambda: Path(value("WEB_DIST") or HERE.parents[1] / "web" / "dist"))

    def engine(self) -> EngineOptions:
        """What the engine is made of. Without a store's address all is in memory: bounded, and a session that nobody
        uses for a day goes."""
        ttl = float(self.session_ttl) if self.session_ttl else None if self.store else DAY
        model = self.model if self.key or self.base_url else "offline"
        models: dict[str, str | Images] = {"*": model, "image": Images(model=self.image_model)}
        shown = models if self.draws else model
        return EngineOptions(model=shown, memory=self.store or "memory:", persona=CAT, limits=self.rates, session_ttl=ttl)

    @property
    def draws(self) -> bool:
        """Whether there are pictures: they need a key."""
        return self.key is not None and self.image_model != "none"

    def features(self) -> list[str]:
        """What the page may offer."""
        return [*FEATURES, "images"] if self.draws else FEATURES

    def choice(self, model: str | None, image: bool) -> SendOptions:
        """Who answers, and how often: the bill is not the visitor's, so it is one of those that are offered."""
        if image and not self.draws:
            raise UnsupportedError("there are no pictures here: that takes a key")
        if image:
            return SendOptions(model="image", limits=[*self.rates, *self.image_rates])
        if model is not None and model not in self.models:
            raise InvalidInputError("this model is not offered here: see `models` of /capabilities")
        return SendOptions() if model is None else SendOptions(model=model)


settings = Settings()
