"""One web socket: the frames of the seed in place of the engine's, and an end when the token ends. Turns go on without it."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from auth import Auth
from catgpt import CatgptError, SendOptions, User
from catgpt.fastapi import websocket
from starlette.websockets import WebSocket

SILENCE, PACE = 15, 0.05  # seconds between signs of life, and between two frames of a turn
TYPES = {"message": "send", "stop": "cancel"}
NAMES = {"requestId": "request", "conversationId": "session", "content": "text"}
TEXT = {'{"type":"text","text":': '{"content":', ',"session":': ',"conversationId":', ',"request":': ',"requestId":'}


def asked(frame: dict[str, Any], owner: str | None) -> str:
    """A client's frame as the engine's. A new conversation's id comes from the key, so that a client that never heard an
    answer and asks again makes no second one."""
    if frame["type"] == "message" and frame.get("conversationId") is None:
        key = frame.get("key")
        frame["conversationId"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner} {key}") if key else uuid.uuid4())
    frame["type"] = TYPES.get(frame["type"], frame["type"])
    return json.dumps({NAMES.get(name, name): value for name, value in frame.items()})


def answered(frame: str) -> str:
    """The engine's frame as the client's. A text, as most are, is not parsed: its quotes are escaped, so names are found."""
    if frame.startswith('{"type":"text",'):
        for theirs, ours in TEXT.items():
            frame = frame.replace(theirs, ours, 1)
        return frame
    event = json.loads(frame)
    request, kind = event.pop("request", None), event["type"]
    if kind in ("done", "pong", "error"):
        return json.dumps({"requestId": request, kind: event.get(kind, True)})
    return json.dumps({"requestId": request, "conversationId": event["session"], "turn": event["turn"], "event": event})


async def serve(ws: WebSocket, user: User, auth: Auth, claims: dict[str, Any], options: SendOptions) -> None:
    """Serves a socket that was accepted, as long as its token holds. A `refresh` frame brings another one of the same user."""

    async def frames(text: str, open: int) -> AsyncGenerator[str, None]:
        nonlocal claims
        request = None
        try:
            frame = json.loads(text)
            request = frame.get("requestId")
            if frame["type"] == "refresh":
                claims = auth.read(frame["token"], of=user.owner)
                yield json.dumps({"requestId": request, "done": True})
                return
            text = asked(frame, user.owner)
        except CatgptError as error:
            yield json.dumps({"requestId": request, "error": error.to_dict()})
            return
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # the engine says what is wrong with it
        async for answer in user.frames(text, open=open, keep_alive=0, min_interval=PACE, **options):
            yield answered(answer)

    async def signs() -> AsyncGenerator[str, None]:
        """Signs of life, and in the last fifth of the token's, when it ends."""
        while (left := claims["exp"] - time.time()) > 0:
            early = left - auth.seconds / 5
            yield json.dumps({"keepAlive": True} if early > 0 else {"expiring": round(left, 1)})
            await asyncio.sleep(min(SILENCE, early if early > 0 else left))

    await websocket(ws, user, frames=frames, unasked=signs(), expires=lambda: claims["exp"])
