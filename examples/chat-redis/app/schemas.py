"""What goes over HTTP and over the socket, as /docs shows it: the seed's four frames and more."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, WithJsonSchema

Status = Literal["running", "complete", "cancelled", "interrupted", "failed", "paused"]
Text = Annotated[str, BeforeValidator(str)]
MessageId = Annotated[int, WithJsonSchema({"type": "string"})]


class Guest(BaseModel):
    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
    user_id: str


class ChatMessage(BaseModel, validate_by_name=True):
    id: Text = Field(validation_alias="seq")
    content: str = Field(validation_alias="text")
    is_ai: Annotated[bool, BeforeValidator(lambda role: role in ("assistant", True))] = Field(validation_alias="role")
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


class Turn(BaseModel):
    key: str | None = Field(default=None, description="The same key is the same task, however often it is sent")
    response_model: bool = Field(default=False, description="The answer as one `message` at its end")


class SendMessage(Turn):
    action: Literal["send_message"]
    chat_id: str | None = Field(default=None, description="Without one, a new chat")
    content: str


class Edit(Turn):
    action: Literal["edit"]
    chat_id: str
    message_id: MessageId
    content: str


class Regenerate(Turn):
    action: Literal["regenerate"]
    chat_id: str
    message_id: MessageId


class Attach(BaseModel):
    action: Literal["attach"]
    task_id: str
    offset: int = 0


class Stop(BaseModel):
    action: Literal["stop"]
    task_id: str


class Ping(BaseModel):
    action: Literal["ping"]


class Failure(BaseModel):
    kind: str = Field(description="`busy`, `not_found`, …: stable")
    message: str
    retry_after_ms: int | None = None
    turn: str | None = Field(default=None, description="The task that keeps the chat busy")
    limit: dict[str, Any] | None = None


class Failed(BaseModel):
    error: Failure


class OfTask(BaseModel):
    task_id: str
    chat_id: str


class MessageFrame(OfTask):
    type: Literal["message"] = "message"
    message: ChatMessage
    key: str | None = None


class Token(OfTask):
    type: Literal["token"] = "token"
    token: str
    offset: int = Field(description="Where it ends: `attach` goes on from there")


class GenerationComplete(OfTask):
    type: Literal["generation_complete"] = "generation_complete"
    status: Status
    stored: int = Field(description="Who has more text than this cuts back to it")
    error: Failure | None = None
    usage: dict[str, Any] | None = None
    finish_reason: str | None = None
    cost: int | None = None
    message_id: Text | None = Field(default=None, description="Unknown where `attach` begins behind the start")


class EventFrame(OfTask):
    type: Literal["event"] = "event"
    event: dict[str, Any] = Field(description="`started`, `reasoning`, `part`, `retrying`, `title`")


class Refused(Failure):
    type: Literal["error"] = "error"
    task_id: str | None = None
    chat_id: str | None = None
    key: str | None = None


class Sign(BaseModel):
    type: Literal["pong", "done", "keep_alive"]
    task_id: str | None = None


ClientFrame = Annotated[SendMessage | Edit | Regenerate | Attach | Stop | Ping, Field(discriminator="action")]
Frame = MessageFrame | Token | GenerationComplete | EventFrame | Refused | Sign
ServerFrame = Annotated[Frame, Field(discriminator="type")]
CLIENT: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)
