"""A chat over one web socket, on any number of replicas: `python -m app.main`."""

from functools import partial
from typing import Any

import uvicorn
from catgpt import Engine
from catgpt.fastapi import chat_api, install, lifespan
from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles

from . import identity, routes, socket
from .schemas import ClientFrame, Failed, ServerFrame
from .settings import Settings

settings = Settings()
engine = Engine(
    model=settings.model_name if settings.openai_api_key or settings.openai_base_url else "offline",
    base_url=settings.openai_base_url,
    api_key=settings.openai_api_key.get_secret_value() or None,
    memory=settings.database_url,
    live=settings.live(),
    persona="plain",
)
refusals: dict[int | str, dict[str, Any]] = {status: {"model": Failed} for status in (401, 404)}
app = FastAPI(title="Chat", lifespan=lifespan(engine, deadline=settings.shutdown_seconds), responses=refusals)
app.state.settings, app.state.engine, app.state.key = settings, engine, settings.signing_key()
install(app)
app.add_middleware(CORSMiddleware, allow_origins=settings.allowed_origins.split(), allow_methods=["*"], allow_headers=["*"])
for part in (identity, routes, socket):
    app.include_router(part.router)
app.include_router(chat_api(user=identity.current_user), prefix="/api/v1")


@app.webhooks.post("/ws/{user_id}", summary="The frames of the web socket")
def frames(body: ClientFrame) -> ServerFrame:  # type: ignore[empty-body]
    """`new WebSocket("/ws/" + user_id, ["catgpt", access_token])`, or with `Authorization: Bearer …`; any number of tasks at
    once. It closes with 4401 without a token that holds, 4403 for somebody else's path, 1012 when the replica restarts:
    then come back and `attach`."""


@app.get("/health")
async def health(response: Response) -> dict[str, Any]:
    found = await engine.health()
    response.status_code = 200 if found["healthy"] else 503
    return {**found}


FEATURES = "edit regenerate branches rename pin delete delete-empty batch-delete search usage summary export"
TOLD = {"app": "chat-redis", "name": "Chat", "skin": "plain", "transport": "ws-task", "api": "/api/v1", "auth": "guest"}


@app.get("/capabilities")
async def capabilities() -> dict[str, Any]:
    return {**TOLD, "features": FEATURES.split()}


if settings.web_dist.is_dir():
    app.mount("/", StaticFiles(directory=settings.web_dist, html=True))
if __name__ == "__main__":
    # Sockets that are cut lose nothing: a client goes on at the next replica. Frames are small, and dear to compress.
    serve = partial(uvicorn.run, app, host=settings.host, port=settings.port, timeout_graceful_shutdown=2)
    serve(ws_max_size=1 << 20, ws_per_message_deflate=False)
