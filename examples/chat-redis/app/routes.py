"""The seed's five routes."""

from typing import Annotated

from catgpt import SessionInfo, User
from fastapi import APIRouter, Body, Depends, Query

from .identity import CurrentUser, named_user
from .schemas import Chat, ChatDetails, ChatMessage

router = APIRouter(prefix="/api", tags=["chats"])
NamedUser = Annotated[User, Depends(named_user)]


@router.post("/chats", status_code=201, response_model=Chat)
async def create(user: CurrentUser, title: Annotated[str | None, Body(embed=True)] = None) -> SessionInfo:
    """Before anything is said; `send_message` without a `chat_id` makes a chat too."""
    return await user.new_session().create(title=title)


@router.get("/chats/{chat_id}")
async def details(user: CurrentUser, chat_id: str, last: Annotated[int | None, Query(ge=1)] = None) -> ChatDetails:
    session = user.session(chat_id)
    chat = ChatDetails.model_validate(await session.info(), from_attributes=True)
    chat.messages = [ChatMessage.model_validate(said, from_attributes=True) for said in await session.history(last)]
    return chat


@router.get("/users/{user_id}/chats", response_model=list[Chat])
async def chats(user: NamedUser, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[SessionInfo]:
    """The pinned first, then the latest; /api/v1/sessions has them page by page."""
    return (await user.sessions(limit=limit)).sessions


@router.post("/chats/batch-delete")
async def batch_delete(user: CurrentUser, chat_ids: Annotated[list[str], Body(embed=True)]) -> dict[str, int]:
    """With all that was said; answers that are being written end."""
    return {"deleted": await user.delete(chat_ids)}


@router.delete("/users/{user_id}/chats/empty")
async def delete_empty(user: NamedUser) -> dict[str, int]:
    """Those in which nothing was ever said; none where an answer is being written."""
    return {"deleted": await user.delete_empty()}
