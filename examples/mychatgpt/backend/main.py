"""The service: the five routes, the engine's own HTTP API for all the rest, and the page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from catgpt import Engine, User
from catgpt.fastapi import chat_api, install, lifespan, operations, page
from fastapi import FastAPI

from adopt import adopt
from chats import routes
from config import settings

API = "/api/v1"
FEATURES = ["edit", "regenerate", "branches", "rename", "pin", "delete", "delete-empty", "batch-delete", "search"]
FEATURES += ["usage", "summary", "export"]

engine = Engine(**settings.engine())


@asynccontextmanager
async def life(app: FastAPI) -> AsyncGenerator[None, None]:
    """Takes an old database over if there is one, and then has the engine open."""
    await adopt(settings.url, settings.owner)
    async with lifespan(engine, rare_gc=True)(app):
        yield


app = FastAPI(title="myChatGPT", lifespan=life)
install(app, origins=settings.origins, expose_headers=["x-chat-id", "x-turn-id"])


def current_user() -> User:
    """The one owner that this application has."""
    return engine.user(settings.owner)


@app.get("/capabilities")
async def capabilities() -> dict[str, Any]:
    """What the page shows, and how it talks."""
    words = {"app": "mychatgpt", "name": "myChatGPT", "skin": "plain", "greeting": "What can I help with?"}
    return {**words, "transport": "text", "api": API, "auth": "none", "features": FEATURES}


app.include_router(operations(engine, metrics=False))
app.include_router(routes(current_user(), settings.min_interval))
app.include_router(chat_api(user=current_user), prefix=API)
page(app, settings.page)
