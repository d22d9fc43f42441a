"""The five routes, with the columns of the tables `chats` and `messages`."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any

from catgpt import Message, SendOptions, SessionInfo, User
from catgpt.fastapi import text_response
from fastapi import APIRouter, Response
from pydantic import BaseModel

BITS = 53
"""So many fit into a number of JavaScript."""
LONGEST = 10_000
"""How many messages of a chat are shown at most, the newest."""


class Said(BaseModel):
    """A message; without a chat, it begins one."""

    message: str
    chat_id: int | None = None
    key: str | None = None


def routes(user: User, min_interval: float) -> APIRouter:
    """The routes, for the one owner that this application has. Two writes of an answer are `min_interval` seconds apart at
    least."""
    router = APIRouter(prefix="/api")

    @router.post("/chat")
    async def chat(said: Said) -> Response:
        session = user.session(str(_fresh(said.key) if said.chat_id is None else said.chat_id))
        if said.chat_id is not None:
            await session.info()  # one that is not there is 404, and not begun
        options: SendOptions = {"key": said.key} if said.key is not None else {}
        reply = await session.send(said.message, **options)
        ids = {"x-chat-id": session.id, "x-turn-id": reply.turn}
        return text_response(reply, min_interval=min_interval, headers=ids)

    @router.get("/chats")
    async def chats() -> list[dict[str, Any]]:
        found, page = [], await user.sessions(limit=200)
        found += page.sessions
        while page.next:
            page = await user.sessions(page.next, limit=200)
            found += page.sessions
        # A copy that was made by the engine's API may have a name that is no number.
        return [_chat(info, user) for info in found if info.id.isdecimal()]

    @router.get("/chats/{chat_id}")
    async def messages(chat_id: int) -> list[dict[str, Any]]:
        found = await user.session(str(chat_id)).history(LONGEST)
        return [_message(chat_id, message) for message in found]

    @router.put("/chats/{chat_id}")
    async def rename(chat_id: int, title: str) -> dict[str, Any]:
        session = user.session(str(chat_id))
        await session.rename(title)
        return _chat(await session.info(), user)

    @router.delete("/chats/{chat_id}")
    async def delete(chat_id: int) -> dict[str, Any]:
        await user.session(str(chat_id)).delete()
        return {"deleted": 1}

    return router


def _fresh(key: str | None) -> int:
    """The number of a new chat: not to be guessed, and with a key always the same, so that a first message which is sent
    again for want of an answer finds the chat that it began."""
    if key is None:
        return 1 + secrets.randbits(BITS - 1)
    return 1 + (int.from_bytes(hashlib.sha256(key.encode(errors="surrogatepass")).digest()[:8]) >> (65 - BITS))


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _chat(info: SessionInfo, user: User) -> dict[str, Any]:
    times = {"created_at": _time(info.created_ms), "updated_at": _time(info.updated_ms)}
    return {"id": int(info.id), "user_id": user.owner, "title": info.title, **times}


def _message(chat_id: int, message: Message) -> dict[str, Any]:
    said = {"role": message.role, "content": message.text, "created_at": _time(message.created_ms)}
    return {"id": message.seq, "chat_id": chat_id, **said}
