"""Logs of an application on Starlette: a line for each request and each socket, and all lines as JSON. Neither what is said nor
a query string is ever in one. `catgpt.fastapi` has all of it under its name."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_PLAIN = "%(asctime)s %(levelname)s %(name)s %(message)s"
_logger = logging.getLogger("catgpt.requests")
request_id: ContextVar[str | None] = ContextVar("catgpt_request_id", default=None)
"""The id of the request or the socket that is answered here, if there is `log_requests`."""


class _Json(logging.Formatter):
    """What happened, the request in which it did, and the facts of the engine's lines."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": when, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= {"request_id": request_id.get(), **getattr(record, "catgpt", {})}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logs(level: str = "INFO", *names: str, as_json: bool = True) -> None:
    """Logs to standard error, as lines of JSON or, for people, of words. The level is the engine's and that of the loggers with
    these names. All others are at `INFO` at least: the server's own `DEBUG` shows every frame. Its log of requests, which
    shows queries, gives way to `log_requests`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if as_json else logging.Formatter(_PLAIN))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    levels = {"uvicorn": "INFO", "uvicorn.error": "INFO", "uvicorn.access": "ERROR", **dict.fromkeys(("catgpt", *names), level)}
    for name, least in levels.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(least)


def log_requests(app: Starlette) -> None:
    """Logs how each request and each socket went, to `catgpt.requests`, with the facts in `record.catgpt` as the engine's lines
    have theirs: never the query, which holds what people search for. Each has an id, its caller's `x-request-id` or a new one,
    which the answer names. Call it after all other middleware is in."""
    app.add_middleware(_logged)


def _logged(app: ASGIApp) -> ASGIApp:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        given, began = Headers(scope=scope).get("x-request-id", ""), time.perf_counter()
        id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        request_id.set(id)
        facts: dict[str, Any] = {"method": scope.get("method", "SOCKET"), "path": scope["path"], "status": None, "request_id": id}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = id
                facts["status"] = message["status"]
            await send(message)

        try:
            await app(scope, receive, answer)
        finally:
            facts["ms"] = round((time.perf_counter() - began) * 1000, 1)
            _logger.info("%(method)s %(path)s %(status)s %(ms)s ms", facts, extra={"catgpt": facts})

    return run
