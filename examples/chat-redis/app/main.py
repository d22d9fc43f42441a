"""A chat over one web socket, on any number of replicas: `python -m app.main`."""

import uvicorn
from catgpt.fastapi import REFUSALS, chat_api, install, lifespan, operations, page
from fastapi import FastAPI

from . import identity, routes, socket
from .settings import engine, settings

FEATURES = "edit regenerate branches rename pin delete delete-empty batch-delete search usage summary export"
TOLD = {"app": "chat-redis", "name": "Chat", "skin": "plain", "transport": "ws-task", "api": "/api/v1", "auth": "guest"}

app = FastAPI(title="Chat", lifespan=lifespan(engine, deadline=settings.shutdown_seconds, rare_gc=True), responses=REFUSALS)
install(app, origins=settings.allowed_origins.split())
for part in (identity, routes, socket):
    app.include_router(part.router)
app.include_router(operations(engine, metrics=False))
app.include_router(chat_api(user=identity.current_user), prefix="/api/v1")
app.webhooks.add_api_route("/ws/{user_id}", lambda: None, methods=["POST"], openapi_extra=socket.FRAMES)


@app.get("/capabilities")
async def capabilities() -> dict[str, object]:
    return {**TOLD, "features": FEATURES.split()}


page(app, settings.web_dist)
if __name__ == "__main__":
    # Sockets that are cut lose nothing: a client goes on at the next replica. Frames are small, and dear to compress.
    host, port, most = settings.host, settings.port, 1 << 20
    uvicorn.run(app, host=host, port=port, timeout_graceful_shutdown=2, ws_max_size=most, ws_per_message_deflate=False)
