"""Who somebody is without an account: a cookie for what is theirs."""

from __future__ import annotations

import hashlib
import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE, YEAR = "catgpt", 365 * 86_400
_OURS = re.compile(r"[\w-]{22}", re.ASCII)


class Guests:
    """Knows browsers by a cookie of 128 random bits that no script can read, and gives one to those who have none. The
    browser's `sessionId` only names a session of that owner, so a foreign one is not found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        shown = HTTPConnection(scope).cookies.get(COOKIE, "")
        cookie = shown if _OURS.fullmatch(shown) else secrets.token_urlsafe(16)
        # The store holds a hash: who reads a backup cannot act as its owners.
        scope.setdefault("state", {})["owner"] = "guest:" + hashlib.sha256(cookie.encode()).hexdigest()[:32]
        # A page that is opened again keeps its owner for another year.
        renew = cookie != shown or scope["path"] == "/capabilities"

        async def answer(message: Message) -> None:
            if renew and message["type"] == "http.response.start":
                secure = "; Secure" if scope["scheme"] == "https" else ""
                line = f"{COOKIE}={cookie}; Path=/; Max-Age={YEAR}; HttpOnly; SameSite=Lax{secure}"
                MutableHeaders(scope=message).append("set-cookie", line)
            await send(message)

        await self._app(scope, receive, answer)
