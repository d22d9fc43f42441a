"""The socket: the seed's frames in, the engine's commands; the engine's events, the seed's frames out."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from catgpt import User
from catgpt.fastapi import websocket
from fastapi import APIRouter, WebSocket
from pydantic import ValidationError

from .identity import NoTokenError, owner
from .schemas import CLIENT, ChatMessage, EventFrame, Frame, GenerationComplete, MessageFrame, Refused, Sign, Token

COMMANDS = {"send_message": "send", "stop": "cancel"}
FIELDS = {"action": "type", "chat_id": "session", "content": "text", "message_id": "seq", "task_id": "turn"}
router = APIRouter()


def command(ask: dict[str, Any], user: User) -> str:
    """A frame in the engine's words. A new chat's id comes from the key, so that it is one chat however often it is sent."""
    words = {FIELDS.get(name, name): value for name, value in ask.items() if name != "response_model"}
    if words["type"] == "send_message" and "session" not in words:
        words["session"] = str(uuid5(NAMESPACE_OID, f"{user.owner} {words.get('key') or uuid4()}"))
    return json.dumps(words | {"type": COMMANDS.get(words["type"], words["type"])})


class Answer:
    """What the engine says to one frame, in the seed's frames."""

    def __init__(self, ask: dict[str, Any]) -> None:
        self.ask, self.whole, self.reply = ask, ask.get("response_model", False), ""
        self.text: list[str] = []

    def frames(self, event: dict[str, Any]) -> Iterator[Frame]:
        place: dict[str, Any] = {"task_id": event.get("turn"), "chat_id": event.get("session")}
        match event["type"]:
            case "error":
                yield Refused(**{**self.ask, **event["error"]})
            case "done" | "pong" | "keep_alive" as sign:
                yield Sign(type=sign, task_id=self.ask.get("task_id"))
            case "text" if self.whole:
                self.text.append(event["text"])
            case "text":
                yield Token(token=event["text"], offset=event["offset"], **place)
            case "finished":
                if self.whole:
                    yield self.message(self.reply, "".join(self.text), True, place)
                yield GenerationComplete(**{**event, **place, "type": "generation_complete"}, message_id=self.reply or None)
            case kind:
                if kind == "started":
                    self.reply = str(event["reply_seq"])
                    if "content" in self.ask:
                        yield self.message(event["user_seq"], self.ask["content"], False, place)
                yield EventFrame(event=event, **place)

    def message(self, id: object, content: str, is_ai: bool, place: dict[str, Any]) -> Frame:
        # A task's id begins with the millisecond in which it was made.
        said: dict[str, Any] = {"id": id, "content": content, "is_ai": is_ai, "timestamp": UUID(place["task_id"]).int >> 80}
        return MessageFrame(message=ChatMessage(**said), key=self.ask.get("key"), **place)


async def answered(user: User, text: str, open: int) -> AsyncGenerator[str, None]:
    try:
        ask = CLIENT.validate_json(text).model_dump(exclude_unset=True, exclude_none=True)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()[:3])
        yield Refused(kind="invalid_input", message=wrong).model_dump_json(exclude_none=True)
        return
    answer = Answer(ask)
    async with aclosing(user.frames(command(ask, user), open=open)) as given:
        async for data in given:
            for frame in answer.frames(json.loads(data)):
                yield frame.model_dump_json(exclude_none=True)


@router.websocket("/ws/{user_id}")
async def socket(ws: WebSocket, user_id: str) -> None:
    """The token says who it is: a browser's is the second protocol, because it cannot send headers."""
    offered: list[str] = ws.scope["subprotocols"]
    await ws.accept("catgpt" if "catgpt" in offered else None)
    token = offered[1] if offered[1:] else ws.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        user, seconds = owner(ws, token)
        if user_id != user.owner:
            return await ws.close(4403, "this token is somebody else's")
        async with asyncio.timeout(seconds):
            await websocket(ws, user, frames=lambda text, open: answered(user, text, open))
    except (NoTokenError, TimeoutError):
        await ws.close(4401, "no token that holds; POST /auth/guest or /auth/refresh gives one")
