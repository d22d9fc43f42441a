"""Who asks: short-lived signed tokens for guests and accounts. Accounts are names and scrypt hashes in a SQLite file of their
own; the engine knows an account only as the owner of its id."""

import asyncio
import hashlib
import hmac
import secrets
import sqlite3
import time
from collections import Counter
from ipaddress import ip_network
from typing import Annotated, Any

import jwt
from catgpt import ConflictError, Engine, LimitedError, UnauthorizedError
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, SecretStr, StringConstraints
from settings import Settings
from starlette.requests import HTTPConnection

WINDOW = 300  # in how many seconds tries to sign in are counted
SCHEMA = "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, id TEXT, salt BLOB, hash BLOB)"


class SignInError(UnauthorizedError):
    http_status = 401  # that of the engine is about the key of its model


class Person(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=64)]
    password: Annotated[SecretStr, Field(min_length=8, max_length=256)]


def address(asked: HTTPConnection) -> str:
    """By what limits count. A customer of IPv6 has a whole /64. Behind a proxy it is what `--proxy-headers` believes."""
    host = (asked.client.host if asked.client else "").removeprefix("::ffff:")
    return str(ip_network((host, 64), strict=False)) if ":" in host else host


class Auth:
    def __init__(self, settings: Settings) -> None:
        self.key = hashlib.sha256(settings.secret_key.get_secret_value().encode()).digest()
        self.seconds, self.grace = settings.token_minutes * 60, settings.refresh_days * 86_400
        self.most, self.tries, self.window = settings.login_tries, Counter[str](), 0.0
        self.db = sqlite3.connect(settings.accounts_db, isolation_level=None, check_same_thread=False)
        self.db.execute(SCHEMA)

    def give(self, owner: str, name: str | None = None) -> dict[str, Any]:
        token = jwt.encode({"sub": owner, "name": name, "exp": int(time.time() + self.seconds) + 1}, self.key, "HS256")
        return {"access_token": token, "token_type": "bearer", "expires_in": self.seconds, "user_id": owner}

    def read(self, token: str, grace: float = 0) -> dict[str, Any]:
        try:
            return jwt.decode(token, self.key, ["HS256"], options={"require": ["sub", "exp"]}, leeway=grace)
        except jwt.PyJWTError as error:
            raise SignInError("a valid token is needed: /auth/guest and /auth/refresh give one") from error

    def caller(self, asked: Request) -> dict[str, Any]:
        """Of a token to be refreshed it is enough that it has not ended long ago: who slept is still the same guest."""
        late = asked.url.path.endswith("/auth/refresh")
        return self.read(asked.headers.get("authorization", "").removeprefix("Bearer "), self.grace if late else 0)

    def count(self, key: str, most: int) -> None:
        """Before the password is looked at, so that tries at the same time are all seen."""
        window, passed = divmod(time.time(), WINDOW)
        if window != self.window:
            self.window, self.tries = window, Counter()
        self.tries[key] += 1
        if self.tries[key] > most:
            raise LimitedError("too many tries to sign in: wait a little", retry_after=WINDOW - passed)

    def sign_in(self, name: str, password: str, new: bool) -> str:
        """The account's id; blocks. To register again with the same password is to sign in. A name that nobody has takes as
        long as a wrong password."""
        find, fresh = "SELECT id, salt, hash FROM accounts WHERE name = ?", secrets.token_bytes(16)
        _, salt, _ = self.db.execute(find, (name,)).fetchone() or ("", fresh, b"")
        hashed = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=5, maxmem=64 << 20)
        if new:
            insert = "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, ?)"
            self.db.execute(insert, (name, f"account:{secrets.token_hex(16)}", salt, hashed))
        id, _, known = self.db.execute(find, (name,)).fetchone() or ("", fresh, b"")
        if not hmac.compare_digest(hashed, known):
            raise ConflictError("this name is taken") if new else SignInError("the name or the password is wrong")
        return str(id)

    def routes(self, engine: Engine) -> APIRouter:
        router, caller = APIRouter(prefix="/auth"), Depends(self.caller)

        @router.post("/guest")
        async def guest() -> dict[str, Any]:
            return self.give(f"guest:{secrets.token_hex(16)}")

        @router.post("/refresh")
        async def refresh(claims: dict[str, Any] = caller) -> dict[str, Any]:
            return self.give(claims["sub"], claims["name"])

        @router.get("/me")
        async def me(claims: dict[str, Any] = caller) -> dict[str, Any]:
            return {"user_id": claims["sub"], "name": claims["name"]}

        @router.post("/login")
        @router.post("/register")
        async def sign_in(person: Person, asked: Request, claims: dict[str, Any] = caller) -> dict[str, Any]:
            self.count(f"address {address(asked)}", 5 * self.most)
            self.count(f"name {person.name}", self.most)
            new, password = asked.url.path.endswith("/register"), person.password.get_secret_value()
            id = await asyncio.to_thread(self.sign_in, person.name, password, new)
            if claims["sub"].startswith("guest:"):  # what one account has, another one never gets
                await engine.user(id).claim(claims["sub"])
            return self.give(id, person.name)

        return router
