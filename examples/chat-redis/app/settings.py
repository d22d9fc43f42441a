"""What the environment and `.env` say, or nothing: SQLite and the offline cat. And the engine that follows from it."""

import contextlib
import secrets
from pathlib import Path
from typing import Literal

from catgpt import Engine
from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings, env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True):
    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str = "sqlite:///./chat.db"
    redis_url: str = ""
    redis_host: str = ""
    redis_port: int = 6379
    model_name: str = "gpt-4o-mini"
    openai_api_key: str = Field(default="", repr=False)
    openai_base_url: str | None = None
    secret_key: str | None = Field(default=None, min_length=32, repr=False)
    token_seconds: int = 30 * 24 * 3600
    shutdown_seconds: float = 10
    allowed_origins: str = ""
    web_dist: Path = Path(__file__).parents[2] / "web" / "dist"

    def engine(self) -> Engine:
        """`live` is where replicas see answers grow. Without it they look into the database."""
        redis = self.redis_url or (f"redis://{self.redis_host}:{self.redis_port}" if self.redis_host else None)
        model = self.model_name if self.openai_api_key or self.openai_base_url else "offline"
        key, url = self.openai_api_key or None, self.openai_base_url
        return Engine(model=model, base_url=url, api_key=key, memory=self.database_url, live=redis, persona="plain")

    def signing_key(self) -> str:
        """At home it is made once and kept, so that a restart forgets nobody. While another process writes it, it is empty."""
        if self.environment == "production":
            raise SystemExit("SECRET_KEY is not set: the replicas of a production share one")
        kept = Path(".secret-key")
        with contextlib.suppress(FileExistsError):
            kept.touch(0o600, exist_ok=False)
            kept.write_text(secrets.token_urlsafe(48))
        return kept.read_text() or self.signing_key()


settings = Settings()
engine = settings.engine()
key = settings.secret_key or settings.signing_key()
