"""What goes over HTTP, as /docs shows it. The frames of the socket are in `frames.json`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

Status = Literal["running", "complete", "cancelled", "interrupted", "failed", "paused"]


class ChatMessage(BaseModel):
    id: Annotated[str, BeforeValidator(str)] = Field(validation_alias="seq")
    content: str = Field(validation_alias="text")
    is_ai: Annotated[bool, BeforeValidator(lambda role: role == "assistant")] = Field(validation_alias="role")
    timestamp: datetime = Field(validation_alias="created_ms")
    status: Status | None = None
    task_id: str | None = Field(default=None, validation_alias="turn")


class Chat(BaseModel):
    id: str
    title: str | None
    created_at: datetime = Field(validation_alias="created_ms")
    updated_at: datetime = Field(validation_alias="updated_ms")
    task_id: str | None = Field(validation_alias="running", description="The answer that is being written")


class ChatDetails(Chat):
    messages: list[ChatMessage] = Field(default=[], validation_alias="history")
