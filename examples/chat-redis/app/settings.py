"""What the environment and `.env` say. Without either it is one process with SQLite and the offline cat."""

import contextlib
import secrets
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
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
    openai_api_key: SecretStr = SecretStr("")
    openai_base_url: str | None = None
    secret_key: SecretStr | None = Field(default=None, min_length=32)
    token_seconds: int = 30 * 24 * 3600
    shutdown_seconds: float = 10
    allowed_origins: str = ""
    web_dist: Path = Path(__file__).parents[2] / "web" / "dist"

    def live(self) -> str | None:
        """Where replicas see answers grow. Without it they look into the database."""
        return self.redis_url or (f"redis://{self.redis_host}:{self.redis_port}" if self.redis_host else None)

    def signing_key(self) -> str:
        """At home it is made once and kept, so that a restart forgets nobody."""
        if self.secret_key:
            return self.secret_key.get_secret_value()
        if self.environment == "production":
            raise SystemExit("SECRET_KEY is not set: the replicas of a production share one")
        kept = Path(".secret-key")
        with contextlib.suppress(FileExistsError):
            kept.touch(0o600, exist_ok=False)
            kept.write_text(secrets.token_urlsafe(48))
        # Empty: another replica is just writing it.
        return kept.read_text() or self.signing_key()
