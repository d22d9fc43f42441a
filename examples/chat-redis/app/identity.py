"""Who asks: a guest, by a signed token. What a path says about it only has to agree."""

import time
from typing import Annotated
from uuid import uuid4

import jwt
from catgpt import NotFoundError, UnauthorizedError, User
from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from .schemas import Guest

router = APIRouter(prefix="/auth", tags=["identity"])


class NoTokenError(UnauthorizedError):
    """Of the engine's form, but not about the model's key."""

    @property
    def http_status(self) -> int:
        return 401


def owner(here: HTTPConnection, token: str) -> tuple[User, float]:
    """Whose token this is, and for how many seconds more."""
    try:
        claims = jwt.decode(token, here.app.state.key, ["HS256"], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError:
        raise NoTokenError("no token that holds; POST /auth/guest gives one") from None
    return here.app.state.engine.user(claims["sub"]), claims["exp"] - time.time()


Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def current_user(here: HTTPConnection, given: Bearer) -> User:
    return owner(here, given.credentials if given else "")[0]


CurrentUser = Annotated[User, Depends(current_user)]


def named_user(user_id: str, user: CurrentUser) -> User:
    if user_id != user.owner:
        raise NotFoundError("no such user")
    return user


@router.post("/guest")
async def guest(here: HTTPConnection) -> Guest:
    return refresh(here, here.app.state.engine.user(str(uuid4())))


@router.post("/refresh")
def refresh(here: HTTPConnection, user: CurrentUser) -> Guest:
    """Another token for the same guest."""
    seconds, name = here.app.state.settings.token_seconds, user.owner or ""
    token = jwt.encode({"sub": name, "exp": int(time.time()) + seconds}, here.app.state.key, "HS256")
    return Guest(access_token=token, expires_in=seconds, user_id=name)
