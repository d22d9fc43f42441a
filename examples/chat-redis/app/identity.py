"""Who asks: a guest, by a signed token. What a path says about it only has to agree."""

import time
from typing import Annotated
from uuid import uuid4

import jwt
from catgpt import NotFoundError, User
from catgpt.fastapi import SignInError
from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .settings import engine, key, settings

router = APIRouter(prefix="/auth", tags=["identity"])


def owner(token: str) -> tuple[User, float]:
    """Whose token this is, and when it ends."""
    try:
        claims = jwt.decode(token, key, ["HS256"], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError:
        raise SignInError("no token that holds; POST /auth/guest or /auth/refresh gives one") from None
    return engine.user(claims["sub"]), claims["exp"]


def current_user(given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]) -> User:
    return owner(given.credentials if given else "")[0]


CurrentUser = Annotated[User, Depends(current_user)]


def named_user(user_id: str, user: CurrentUser) -> User:
    if user_id != user.owner:
        raise NotFoundError("no such user")
    return user


@router.post("/guest")
async def guest() -> dict[str, str | int]:
    return refresh(engine.user(str(uuid4())))


@router.post("/refresh")
def refresh(user: CurrentUser) -> dict[str, str | int]:
    """Another token for the same guest."""
    seconds, name = settings.token_seconds, user.owner or ""
    token = jwt.encode({"sub": name, "exp": int(time.time()) + seconds}, key, "HS256")
    return {"access_token": token, "token_type": "bearer", "expires_in": seconds, "user_id": name}
