"""Who asks: short-lived signed tokens for guests and accounts. Accounts are names and Argon2 hashes in a SQLite file of their
own; the engine knows an account only as the owner of its id."""

import asyncio
import hashlib
import secrets
import sqlite3
import time
from typing import Annotated, Any

import jwt
from catgpt import ConflictError, Engine, LimitedError
from catgpt.fastapi import SignInError, address, token
from fastapi import APIRouter, Depends, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from pwdlib import PasswordHash
from pydantic import BaseModel, Field, SecretStr, StringConstraints
from settings import Settings

SCHEMA = "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, id TEXT, hash TEXT)"
PASSWORDS = PasswordHash.recommended()
NOBODY = PASSWORDS.hash(secrets.token_hex())  # a name that nobody has takes as long as a wrong password


class Person(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=64)]
    password: Annotated[SecretStr, Field(min_length=8, max_length=256)]


class Auth:
    def __init__(self, settings: Settings) -> None:
        self.key = hashlib.sha256(settings.secret_key.get_secret_value().encode()).digest()
        self.seconds, self.grace = settings.token_minutes * 60, settings.refresh_days * 86_400
        self.most, self.tries = settings.login_tries, FixedWindowRateLimiter(MemoryStorage())
        self.db = sqlite3.connect(settings.accounts_db, isolation_level=None, check_same_thread=False)
        self.db.execute(SCHEMA)

    def give(self, owner: str, name: str | None = None) -> dict[str, Any]:
        signed = jwt.encode({"sub": owner, "name": name, "exp": int(time.time() + self.seconds) + 1}, self.key, "HS256")
        return {"access_token": signed, "token_type": "bearer", "expires_in": self.seconds, "user_id": owner}

    def read(self, token: str, grace: float = 0, of: str | None = None) -> dict[str, Any]:
        """What a token says, if it holds; `of` is whose it has to be."""
        try:
            return jwt.decode(token, self.key, ["HS256"], options={"require": ["sub", "exp"]}, leeway=grace, subject=of)
        except jwt.PyJWTError as error:
            raise SignInError("a valid token is needed, on a socket always the same user's: see /auth/guest and /auth/refresh") from error

    def caller(self, asked: Request) -> dict[str, Any]:
        """Of a token to be refreshed it is enough that it has not ended long ago: who slept is still the same guest."""
        late = asked.url.path.endswith("/auth/refresh")
        return self.read(token(asked), self.grace if late else 0)

    def count(self, key: str, most: int) -> None:
        """Before the password is looked at, so that tries at the same time are all seen."""
        rate = RateLimitItemPerMinute(most, 5)
        if not self.tries.hit(rate, key):
            opens = self.tries.get_window_stats(rate, key).reset_time - time.time()
            raise LimitedError("too many tries to sign in: wait a little", retry_after=opens)

    def sign_in(self, name: str, password: bytes, new: bool) -> str:
        """The account's id; blocks. To register again with the same password is to sign in."""
        if new:
            account = name, f"account:{secrets.token_hex(16)}", PASSWORDS.hash(password)
            self.db.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)", account)
        found = self.db.execute("SELECT id, hash FROM accounts WHERE name = ?", (name,)).fetchone()
        id, known = found or ("", NOBODY)
        if not PASSWORDS.verify(password, known):
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
            new = asked.url.path.endswith("/register")
            password = person.password.get_secret_value().encode(errors="surrogatepass")
            id = await asyncio.to_thread(self.sign_in, person.name, password, new)
            if claims["sub"].startswith("guest:"):  # what one account has, another one never gets
                await engine.user(id).claim(claims["sub"])
            return self.give(id, person.name)

        return router
