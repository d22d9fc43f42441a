"""The endpoints: `uvicorn apps:ours`, and `uvicorn apps:tutorial` with events and with plain text. All keep what was said in
SQLite."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from catgpt import Engine
from catgpt.fastapi import install, lifespan, sse_response
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL, MODEL, STORE = os.environ["BENCH_URL"], os.environ["BENCH_MODEL"], os.environ["BENCH_STORE"]


class Chat(BaseModel):
    session_id: str
    message: str


engine = Engine(model=MODEL, base_url=URL, api_key="k", memory=f"sqlite:{STORE}/ours.db")
ours = FastAPI(lifespan=lifespan(engine))
install(ours)


@ours.post("/chat")
async def ours_chat(body: Chat) -> StreamingResponse:
    return sse_response(await engine.user("alice").session(body.session_id).send(body.message))


class Base(DeclarativeBase):
    pass


class Message(Base):
    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    session: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]
    content: Mapped[str]


client = AsyncOpenAI(base_url=URL, api_key="k", max_retries=0)
store = create_async_engine(f"sqlite+aiosqlite:///{STORE}/tutorial.db")
sessions = async_sessionmaker(store, expire_on_commit=False)


@asynccontextmanager
async def tables(_: FastAPI) -> AsyncGenerator[None, None]:
    async with store.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


tutorial = FastAPI(lifespan=tables)


async def answer(body: Chat) -> AsyncIterator[str]:
    """What the model says, piece by piece, between what is stored before and after."""
    async with sessions() as db:
        db.add(Message(session=body.session_id, role="user", content=body.message))
        await db.commit()
        rows = await db.scalars(select(Message).where(Message.session == body.session_id).order_by(Message.id))
        messages = [{"role": row.role, "content": row.content} for row in rows]
    said = []
    async for chunk in await client.chat.completions.create(model=MODEL, messages=messages, stream=True):
        if chunk.choices and (text := chunk.choices[0].delta.content):
            said.append(text)
            yield text
    async with sessions() as db:
        db.add(Message(session=body.session_id, role="assistant", content="".join(said)))
        await db.commit()


@tutorial.post("/chat")
async def tutorial_chat(body: Chat) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        async for text in answer(body):
            yield f"data: {json.dumps({'type': 'text', 'text': text})}\n\n"
        yield f"data: {json.dumps({'type': 'finished'})}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@tutorial.post("/api/chat")
async def tutorial_text(body: Chat) -> StreamingResponse:
    return StreamingResponse(answer(body), media_type="text/plain")
