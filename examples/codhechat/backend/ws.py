"""One web socket: any number of turns at once, each frame with the `requestId` that it answers. A socket never outlives its
token, and its turns outlive it."""

import asyncio
import contextlib
import json
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

from auth import Auth, SignInError
from catgpt import CatgptError, InvalidInputError, LimitedError, Reply, SendOptions, User
from starlette.websockets import WebSocket, WebSocketDisconnect

MAX_FRAME = 1 << 20  # characters of a client's frame
MAX_OPEN = 64  # turns that one socket watches
PACE = 0.05  # seconds between two frames of a turn: what comes meanwhile goes in one
SILENCE = 15  # seconds before a frame that says nothing else
TEXT = '{"type":"text","text":'


async def opened(ws: WebSocket, origins: list[str]) -> str | None:
    """Accepts the socket and gives its token, unless it comes from another's page. The token is a subprotocol: browsers set
    no headers here, and addresses end up in logs."""
    origin, said = ws.headers.get("origin"), ws.scope["subprotocols"]
    if origin and origin not in origins and urlsplit(origin).netloc != ws.headers.get("host"):
        await ws.close()
        return None
    await ws.accept("catgpt" if "catgpt" in said else None)
    return next((token for token in said if token != "catgpt"), "")


def parsed(text: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        if len(text) <= MAX_FRAME and isinstance(frame := json.loads(text), dict):
            if isinstance(request := frame.get("requestId"), str) and len(request) <= 128:
                return frame
    raise InvalidInputError(f"a frame is a JSON object of at most {MAX_FRAME} characters with a text as `requestId`")


async def begin(user: User, frame: dict[str, Any], options: SendOptions) -> Reply:
    key, id = frame.get("key"), frame.get("conversationId")
    if key:
        options = {**options, "key": key}
    if id is None:  # a client that never heard an answer asks again: the same key is the same new conversation
        id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{user.owner} {key}") if key else uuid.uuid4())
    match {**frame, "conversationId": id}:
        case {"type": "attach", "turn": str(turn), "offset": int(offset)}:
            return await user.attach(turn, offset)
        case {"type": "message", "conversationId": str(id), "content": str(content)}:
            return await user.session(id).send(content, **options)
        case {"type": "edit", "conversationId": str(id), "seq": int(seq), "content": str(content)}:
            return await user.session(id).edit(seq, content, **options)
        case {"type": "regenerate", "conversationId": str(id), "seq": int(seq)}:
            return await user.session(id).regenerate(seq, **options)
    raise InvalidInputError("this frame is not known, or a field of it is missing or of a wrong type")


class Socket:
    def __init__(self, ws: WebSocket, user: User, auth: Auth, expires: float, options: SendOptions) -> None:
        self.ws, self.user, self.auth, self.expires, self.options = ws, user, auth, expires, options
        self.turns, self.writing, self.wrote = set[asyncio.Task[None]](), asyncio.Lock(), time.time()

    async def serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self.watch())
            while (message := await self.ws.receive())["type"] != "websocket.disconnect":
                await self.hear(message.get("text") or "", group)
            for task in (watch, *self.turns):
                task.cancel()

    async def hear(self, text: str, group: asyncio.TaskGroup) -> None:
        """What begins no turn is answered before the next frame is read, so that nothing piles up."""
        request = None
        try:
            frame = parsed(text)
            request = frame["requestId"]
            match frame:
                case {"type": "ping"}:
                    return await self.say(requestId=request, pong=True)
                case {"type": "stop", "turn": str(turn)}:
                    await self.user.cancel(turn)
                case {"type": "refresh", "token": str(token)}:
                    if (claims := self.auth.read(token))["sub"] != self.user.owner:
                        raise SignInError("this token is another user's: open a socket of its own with it")
                    self.expires = claims["exp"]
                case _ if len(self.turns) < MAX_OPEN:
                    self.turns.add(task := group.create_task(self.turn(request, frame)))
                    return task.add_done_callback(self.turns.discard)
                case _:
                    raise LimitedError("this socket watches too many turns: wait for one to end", retry_after=1)
            await self.say(requestId=request, done=True)
        except CatgptError as error:
            await self.say(requestId=request, error=error.to_dict())

    async def turn(self, request: str, frame: dict[str, Any]) -> None:
        """Each event is a frame. Its JSON comes from the core, and is put into its frame as it is."""
        try:
            async with await begin(self.user, frame, self.options) as reply:
                place = {"requestId": request, "conversationId": reply.session, "turn": reply.turn}
                head = json.dumps(place)[:-1]
                async for lines in reply.encoded("ndjson", min_interval=PACE, keep_alive=0):
                    for line in lines.decode().removesuffix("\n").split("\n"):
                        text = line.startswith(TEXT)
                        await self.write(f'{head},"content":{line[len(TEXT):]}' if text else f'{head},"event":{line}}}')
        except CatgptError as error:
            await self.say(requestId=request, error=error.to_dict())

    async def watch(self) -> None:
        """Fills silence, tells that the token is about to end, and closes the socket when it has."""
        told = 0.0
        while (left := self.expires - time.time()) > 0:
            early = left - self.auth.seconds / 5
            if early <= 0 and told != self.expires:
                told = self.expires
                await self.say(expiring=round(left, 1))
            elif time.time() - self.wrote >= SILENCE:
                await self.say(keepAlive=True)
            await asyncio.sleep(min(SILENCE / 3, early if early > 0 else left))
        for task in self.turns:
            task.cancel()
        await self.ws.close(4401, "the token has ended")

    async def say(self, **frame: Any) -> None:
        await self.write(json.dumps(frame))

    async def write(self, text: str) -> None:
        """Waits for a slow client: what comes meanwhile is merged by the engine, and not kept here."""
        async with self.writing:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the reader hears of it, and ends all
                await self.ws.send_text(text)
                self.wrote = time.time()
