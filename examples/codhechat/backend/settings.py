"""What the environment and `.env` say: typed, read once. A mistake is a sentence that names the variable, never its value."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

HERE = Path(__file__).parent
PLACEHOLDER = "replace-me"
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/*]+$")]


def words(given: Any) -> Any:
    return [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else given


class Settings(BaseSettings):
    """Each field is the variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=HERE / ".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    environment: Literal["development", "staging", "production"] = "production"
    secret_key: SecretStr
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    model_name: str = "gpt-4o-mini"
    database_url: SecretStr = SecretStr("sqlite:///./chat.db")
    accounts_db: Path = Path("accounts.db")
    redis_url: SecretStr | None = None
    allowed_origins: Annotated[list[Origin], NoDecode, BeforeValidator(words)] = []
    token_minutes: float = Field(15, gt=0)
    refresh_days: float = Field(30, ge=0)
    turns_per_minute: int = Field(20, gt=0)
    tokens_per_day: int = Field(200_000, gt=0)
    login_tries: int = Field(10, gt=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_json: bool = True
    web_dist: Path = HERE.parents[1] / "web" / "dist"

    @field_validator("secret_key")
    @classmethod
    def hard_to_guess(cls, given: SecretStr, info: ValidationInfo) -> SecretStr:
        placeholder = given.get_secret_value() == PLACEHOLDER and info.data.get("environment") == "development"
        if len(given.get_secret_value().encode()) < 32 and not placeholder:
            raise ValueError("must have at least 32 bytes, and is no placeholder: make one with `openssl rand -hex 32`")
        return given

    @field_validator("database_url")
    @classmethod
    def known_store(cls, given: SecretStr) -> SecretStr:
        scheme = given.get_secret_value().partition(":")[0]
        if scheme.startswith(("mysql", "mariadb")):
            raise ValueError("MySQL is not supported: use postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///./chat.db")
        if scheme not in ("sqlite", "postgres", "postgresql", "memory"):
            raise ValueError("must begin with sqlite:///, postgresql:// or memory:")
        return given


def load(**given: Any) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors(include_input=False)]
    raise SystemExit("\n".join(wrong))
