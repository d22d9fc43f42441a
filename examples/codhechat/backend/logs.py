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
        line: dict[str, Any] = {"time": when, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= {"request_id": request_id.get(), **getattr(record, "catgpt", {}), **getattr(record, "facts", {})}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(level: str, as_json: bool) -> None:
    """The level is ours and the engine's: at `DEBUG` the server's own would show every frame."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    levels = {"codhechat": level, "catgpt": level, "uvicorn": "INFO", "uvicorn.error": "INFO", "uvicorn.access": "ERROR"}
    for name, least in levels.items():
        logging.getLogger(name).handlers, logging.getLogger(name).propagate = [], True
        logging.getLogger(name).setLevel(least)


def logged(app: ASGIApp) -> ASGIApp:
    """Gives each request and socket an id, unless the caller gives it one, and logs how it went."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        given, began = Headers(scope=scope).get("x-request-id", ""), time.perf_counter()
        request_id.set(id := given if re.fullmatch(r"[\w.-]{1,64}", given) else uuid.uuid4().hex)
        facts: dict[str, Any] = {"method": scope.get("method", "SOCKET"), "path": scope["path"], "status": None}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = id
                facts["status"] = message["status"]
            await send(message)

        try:
            await app(scope, receive, answer if scope["type"] == "http" else send)
        finally:
            facts["ms"] = round((time.perf_counter() - began) * 1000, 1)
            logger.info("%(method)s %(path)s %(status)s %(ms)s ms", facts, extra={"facts": facts})

    return run
