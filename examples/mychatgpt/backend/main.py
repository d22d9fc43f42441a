"""The service: the five routes, the engine's own HTTP API for all the rest, and the page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from catgpt import Engine, User
from catgpt.fastapi import chat_api, install, lifespan
from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

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
    async with lifespan(engine)(app):
        yield


app = FastAPI(title="myChatGPT", lifespan=life)
install(app)
if settings.origins:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=True,
        expose_headers=["x-chat-id", "x-turn-id"],
    )


def current_user() -> User:
    """The one owner that this application has."""
    return engine.user(settings.owner)


@app.get("/capabilities")
async def capabilities() -> dict[str, Any]:
    """What the page shows, and how it talks."""
    words = {"app": "mychatgpt", "name": "myChatGPT", "skin": "plain", "greeting": "What can I help with?"}
    return {**words, "transport": "text", "api": API, "auth": "none", "features": FEATURES}


@app.get("/health")
async def health() -> Response:
    """Whether to send requests here."""
    found = await engine.health()
    return JSONResponse(found, 200 if found["healthy"] else 503)


app.include_router(routes(current_user(), settings.min_interval))
app.include_router(chat_api(user=current_user), prefix=API)
if settings.page.is_dir():
    app.mount("/", StaticFiles(directory=settings.page, html=True))
