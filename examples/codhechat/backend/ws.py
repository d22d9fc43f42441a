"""One web socket: the frames of the seed in place of the engine's, and an end when the token ends. Turns go on without it."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from auth import Auth, SignInError
from catgpt import CatgptError, SendOptions, User
from catgpt.fastapi import websocket
from starlette.websockets import WebSocket, WebSocketDisconnect

SILENCE, PACE = 15, 0.05  # seconds between signs of life, and between two frames of a turn
TYPES = {"message": "send", "stop": "cancel"}
NAMES = {"requestId": "request", "conversationId": "session", "content": "text"}
TEXT = {'{"type":"text","text":': '{"content":', ',"session":': ',"conversationId":', ',"request":': ',"requestId":'}


async def accepted(ws: WebSocket, auth: Auth, origins: list[str]) -> dict[str, Any] | None:
    """The claims of the socket's token, unless it is refused. The token is a subprotocol: browsers set no headers here, and
    addresses end up in logs. It is refused after the handshake, because a page sees no status of one that fails."""
    origin, said = ws.headers.get("origin"), ws.scope["subprotocols"]
    if origin and origin not in origins and urlsplit(origin).netloc != ws.headers.get("host"):
        await ws.close()
        return None
    await ws.accept("catgpt" if "catgpt" in said else None)
    try:
        return auth.read(next((token for token in said if token != "catgpt"), ""))
    except SignInError as error:
        await ws.close(4401, error.message)
    return None


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


async def serve(ws: WebSocket, user: User, auth: Auth, expires: float, options: SendOptions) -> None:
    async def frames(text: str, open: int) -> AsyncGenerator[str, None]:
        nonlocal expires
        request, said = None, dict[str, Any]()
        try:
            frame = json.loads(text)
            request = frame.get("requestId")
            if frame["type"] == "refresh":
                if (claims := auth.read(frame["token"]))["sub"] != user.owner:
                    raise SignInError("this token is another user's: open a socket of its own with it")
                expires, said = claims["exp"], {"done": True}
            text = asked(frame, user.owner)
        except CatgptError as error:
            said = {"error": error.to_dict()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # the engine says what is wrong with it
        if said:
            yield json.dumps({"requestId": request, **said})
            return
        async for answer in user.frames(text, open=open, keep_alive=0, min_interval=PACE, **options):
            yield answered(answer)

    async def guard() -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it is closed, and the reader ends all
            while (left := expires - time.time()) > 0:
                early = left - auth.seconds / 5
                await ws.send_json({"keepAlive": True} if early > 0 else {"expiring": round(left, 1)})
                await asyncio.sleep(min(SILENCE, early if early > 0 else left))
            await ws.close(4401, "the token has ended")

    async with asyncio.TaskGroup() as group:
        guarding = group.create_task(guard())
        await websocket(ws, user, frames=frames)
        guarding.cancel()
