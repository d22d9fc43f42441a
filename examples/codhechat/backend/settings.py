"""What the environment and `.env` say: typed, read once. A mistake is a sentence that names the variable, never its value."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

HERE = Path(__file__).parent
PLACEHOLDER = "replace-me"
STORES = "sqlite:///./chat.db or postgresql://USER:PASSWORD@HOST/DATABASE"
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/*]+$")]
Words = BeforeValidator(lambda given: given.replace(",", " ").split() if isinstance(given, str) else given)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=HERE / ".env", env_ignore_empty=True, hide_input_in_errors=True, extra="ignore")
    environment: Literal["development", "staging", "production"] = "production"
    secret_key: SecretStr
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    model_name: str = "gpt-4o-mini"
    database_url: SecretStr = SecretStr("sqlite:///./chat.db")
    accounts_db: Path = Path("accounts.db")
    redis_url: SecretStr | None = None
    allowed_origins: Annotated[list[Origin], NoDecode, Words] = []
    token_minutes: float = Field(15, gt=0)
    refresh_days: float = Field(30, ge=0)
    turns_per_minute: int = Field(20, gt=0)
    tokens_per_day: int = Field(200_000, gt=0)
    login_tries: int = Field(10, gt=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_json: bool = True
    web_dist: Path = HERE.parents[1] / "web" / "dist"

    @model_validator(mode="after")
    def usable(self) -> Self:
        secret, store = self.secret_key.get_secret_value(), self.database_url.get_secret_value()
        if len(secret.encode()) < 32 and (secret, self.environment) != (PLACEHOLDER, "development"):
            raise ValueError("SECRET_KEY: must have at least 32 bytes, and is no placeholder: use `openssl rand -hex 32`")
        if not store.startswith(("sqlite:", "postgres://", "postgresql://", "memory:")):
            raise ValueError(f"DATABASE_URL: must be {STORES}. MySQL is not supported")
        return self


def load(**given: Any) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors(include_input=False)]
    raise SystemExit("\n".join(line.removeprefix(": Value error, ") for line in wrong))
