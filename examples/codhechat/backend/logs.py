"""Logs: a line of JSON for each thing that happened, with the id of its request. Neither what is said nor a token, a key or a
query string is ever in one."""

import json
import logging
import re
import time
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
logger = logging.getLogger("codhechat")


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": when, "level": record.levelname, "logger": record.name}
        line |= {"message": record.getMessage(), "request_id": request_id.get()}
        line |= getattr(record, "catgpt", {}) | getattr(record, "facts", {})  # the core's facts, and ours
        return json.dumps(line | ({"exception": self.formatException(record.exc_info)} if record.exc_info else {}), default=str)


def configure(level: str, as_json: bool) -> None:
    """All logs, to stderr. The level is ours and the core's: at `DEBUG` the server's own would show every frame."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name, least in {"codhechat": level, "catgpt": level, "uvicorn": "INFO", "uvicorn.error": "INFO", "uvicorn.access": "ERROR"}.items():
        log = logging.getLogger(name)
        log.handlers, log.propagate = [], True
        log.setLevel(least)


class RequestLog:
    """Gives each request and socket an id, unless the caller gives it one, and logs how it went."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        id = given if re.fullmatch(r"[\w.-]{1,64}", given) else uuid.uuid4().hex
        facts: dict[str, Any] = {"method": scope.get("method", "SOCKET"), "path": scope["path"], "status": None}
        began, token = time.perf_counter(), request_id.set(id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = id
                facts["status"] = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, answer if scope["type"] == "http" else send)
        finally:
            facts["ms"] = round((time.perf_counter() - began) * 1000, 1)
            logger.info("%(method)s %(path)s %(status)s %(ms)s ms", facts, extra={"facts": facts})
            request_id.reset(token)
