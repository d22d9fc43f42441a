"""The socket: the seed's frames in, the engine's commands; the engine's events, the seed's frames out."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from catgpt import User
from catgpt.fastapi import accept, websocket
from fastapi import APIRouter, WebSocket

from .identity import owner
from .settings import settings

COMMANDS = {"send_message": "send", "stop": "cancel", **{same: same for same in ("edit", "regenerate", "attach", "ping")}}
FIELDS = {"chat_id": "session", "content": "text", "task_id": "turn", "key": "key", "offset": "offset"}
FRAMES = json.loads(Path(__file__).with_name("frames.json").read_text())
Frame = dict[str, Any]
router = APIRouter()


def command(ask: Frame, user: User) -> str:
    """A frame in the engine's words. A new chat's id comes from the key, so that it is one chat however often it is sent."""
    words = {theirs: ask[ours] for ours, theirs in FIELDS.items() if ask.get(ours) is not None}
    if ask.get("message_id") is not None:
        words["seq"] = int(ask["message_id"])
    if ask["action"] == "send_message" and "session" not in words:
        words["session"] = str(uuid5(NAMESPACE_OID, f"{user.owner} {words.get('key') or uuid4()}"))
    return json.dumps({"type": COMMANDS[ask["action"]], **words})


class Answer:
    """What the engine says to one frame, in the seed's frames."""

    def __init__(self, ask: Frame) -> None:
        self.echo: Frame = {name: ask[name] for name in ("task_id", "chat_id", "key") if name in ask}
        self.said, self.whole, self.reply, self.text = ask.get("content"), ask.get("response_model"), "", list[str]()

    def frames(self, event: Frame) -> Iterator[Frame]:
        place = {"task_id": event.get("turn"), "chat_id": event.get("session")}
        match event["type"]:
            case "error":
                yield {"type": "error", **self.echo, **event["error"]}
            case "done" | "pong" | "keep_alive" as sign:
                yield {"type": sign, **self.echo}
            case "text" if self.whole:
                self.text.append(event["text"])
            case "text":
                yield {"type": "token", "token": event["text"], "offset": event["offset"], **place}
            case "finished":
                if self.whole:
                    yield self.message(self.reply, "".join(self.text), True, place)
                ended = {name: value for name, value in event.items() if name not in ("turn", "session")}
                yield ended | place | {"type": "generation_complete"} | ({"message_id": self.reply} if self.reply else {})
            case kind:
                if kind == "started":
                    self.reply = str(event["reply_seq"])
                    if self.said is not None:
                        yield self.message(event["user_seq"], self.said, False, place)
                yield {"type": "event", "event": event, **place}

    def message(self, id: object, content: str, is_ai: bool, place: Frame) -> Frame:
        # A task's id begins with the millisecond in which it was made.
        made = datetime.fromtimestamp((UUID(place["task_id"]).int >> 80) / 1000, UTC).isoformat()
        said = {"id": str(id), "content": content, "is_ai": is_ai, "timestamp": made}
        return {"type": "message", "message": said, **self.echo, **place}


async def answered(user: User, text: str, open: int) -> AsyncGenerator[str, None]:
    try:
        ask = json.loads(text)
        told = command(ask, user)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        unread = {"kind": "invalid_input", "message": "this is no frame: see /docs, under Webhooks", "retryable": False}
        yield json.dumps({"type": "error", **unread})
        return
    answer = Answer(ask)
    async with aclosing(user.frames(told, open=open)) as events:
        async for event in events:
            for frame in answer.frames(json.loads(event)):
                yield json.dumps(frame, ensure_ascii=False)


@router.websocket("/ws/{user_id}")
async def socket(ws: WebSocket, user_id: str) -> None:
    if not (known := await accept(ws, owner, origins=settings.allowed_origins.split())):
        return
    user, expires = known
    if user_id != user.owner:
        return await ws.close(4403, "this token is somebody else's")
    await websocket(ws, user, frames=lambda text, open: answered(user, text, open), expires=lambda: expires)
