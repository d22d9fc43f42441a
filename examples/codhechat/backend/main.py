"""The application: one engine, who may use it and how much, and where it is reached: `uvicorn main:app`."""

import logging
from typing import Any

from auth import Auth
from catgpt import ChatModel, Engine, Limit, Persona, SendOptions, User
from catgpt.fastapi import accept, address, chat_api, configure_logs, install, lifespan, log_requests, operations, page
from catgpt.testing import Scripted
from fastapi import Depends, FastAPI, WebSocket
from settings import PLACEHOLDER, Settings, load
from starlette.requests import HTTPConnection
from ws import serve

logger = logging.getLogger("codhechat")
PERSONA = Persona("codhe", "You are CoDHeChat, a helpful assistant. Answer clearly and to the point, in Markdown.")
FEATURES = "edit regenerate branches rename pin delete delete-empty batch-delete search usage summary export accounts".split()


def engine_of(settings: Settings, model: ChatModel | Scripted | None) -> Engine:
    """Limits are counted in the store, and so for all replicas together; those of an address, because guests cost nothing."""
    key, redis, most = settings.openai_api_key, settings.redis_url, settings.turns_per_minute
    limits = [Limit("turns", "turns", most, window=60), Limit("tokens", "tokens", settings.tokens_per_day, window=86_400)]
    return Engine(
        model=model or (settings.model_name if key or settings.openai_base_url else "offline"),
        api_key=key.get_secret_value() if key else None,
        base_url=settings.openai_base_url,
        memory=settings.database_url.get_secret_value(),
        live=redis.get_secret_value() if redis else None,
        persona=PERSONA,
        limits=[*limits, Limit("turns of an address", "turns", 5 * most, window=60, per={"key": "address"})],
    )


def send_options(asked: HTTPConnection) -> SendOptions:
    return {"limit_keys": {"address": address(asked)}}


def create_app(settings: Settings, model: ChatModel | Scripted | None = None) -> FastAPI:
    """With a model of a test's own, nothing leaves the machine."""
    configure_logs(settings.log_level, logger.name, as_json=settings.log_json)
    if settings.secret_key.get_secret_value() == PLACEHOLDER:
        logger.warning("SECRET_KEY is the placeholder: anybody can make tokens")
    engine, auth = engine_of(settings, model), Auth(settings)
    app = FastAPI(title="CoDHeChat", lifespan=lifespan(engine, rare_gc=True))
    install(app, origins=settings.allowed_origins)
    log_requests(app)

    def current_user(claims: dict[str, Any] = Depends(auth.caller)) -> User:
        return engine.user(claims["sub"])

    app.include_router(operations(engine))
    app.include_router(auth.routes(engine))
    app.include_router(chat_api(user=current_user, options=send_options), prefix="/api")

    @app.get("/capabilities")
    async def capabilities() -> dict[str, Any]:
        speaks = {"transport": "ws-request", "api": "/api", "auth": "guest", "features": FEATURES}
        return {"app": "codhechat", "name": "CoDHeChat", "skin": "plain", **speaks}

    @app.websocket("/ws")
    async def socket(ws: WebSocket) -> None:
        if claims := await accept(ws, auth.read, origins=settings.allowed_origins):
            await serve(ws, engine.user(claims["sub"]), auth, claims, send_options(ws))

    page(app, settings.web_dist)
    return app


app = create_app(load())
