"""The service: `POST /chat`, what the page asks first, and the engine's own HTTP API for all the rest."""

from __future__ import annotations

from typing import Annotated, Any

from catgpt import Engine, SendOptions, User
from catgpt.fastapi import Guests, address, chat_api, install, lifespan, operations, page, sse_response
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, Field

from config import CAT, settings

engine = Engine(**settings.engine())
app = FastAPI(title="CatGPT", lifespan=lifespan(engine, rare_gc=True))
app.add_middleware(Guests, renew=["/capabilities"])
install(app, origins=settings.origins)


class Said(BaseModel):
    """What the browser sends: its session, and the newest message."""

    session: str = Field(alias="sessionId")
    message: str
    key: str | None = None
    image: bool = False
    model: str | None = None


def current_user(request: Request) -> User:
    """Who asks. What others own is not found."""
    return engine.user(request.state.owner)


def send_options(request: Request) -> SendOptions:
    """By what the limits count."""
    return {"limit_keys": {"ip": address(request, settings.address_header)}}


Caller = Annotated[User, Depends(current_user)]
Options = Annotated[SendOptions, Depends(send_options)]


@app.post("/chat")
async def chat(said: Said, user: Caller, options: Options) -> Response:
    """Says something, and streams the answer as server-sent events."""
    options |= settings.choice(said.model, said.image)
    if said.key is not None:
        options["key"] = said.key
    reply = await user.session(said.session).send(said.message, **options)
    return sse_response(reply, min_interval=settings.min_interval)


@app.get("/capabilities")
async def capabilities() -> dict[str, Any]:
    """What the page shows, and how it talks."""
    return {
        "app": "catgpt",
        "name": "CatGPT",
        "skin": "cat",
        "transport": "sse",
        "api": "/api",
        "auth": "none",
        "greeting": CAT.greeting,
        "features": settings.features(),
        "models": settings.models,
    }


app.include_router(operations(engine, metrics=False))
app.include_router(chat_api(user=current_user, options=send_options), prefix="/api")
page(app, settings.page)
