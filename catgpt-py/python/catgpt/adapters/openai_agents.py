"""A session for the OpenAI Agents SDK: `Runner.run(agent, "Hi", session=CatGptSession(…))`.

Each item is a message of a session of the engine's: what a person and a model said is shown by `history`, the command line
and the search, and every field of every item comes back as it was given. What the engine itself has said in the session are
items too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

try:
    from agents.memory import SessionSettings
except ImportError as error:
    sentence = "catgpt.adapters.openai_agents needs the OpenAI Agents SDK: pip install 'catgpt-py[openai-agents]'"
    raise ImportError(sentence, name="agents") from error

from .._append import NewMessage
from .._data import Message
from .._engine import Session, User
from .._errors import ConflictError, NotFoundError
from ._shared import Shown, arguments, engine_of, is_unicode, message, newest, pack, settled, text, unpack

if TYPE_CHECKING:
    from agents import TResponseInputItem

__all__ = ["CatGptSession"]

PROVIDER = "openai-agents"
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


class CatGptSession:
    """A conversation of the OpenAI Agents SDK, kept in a session of an owner's: `CatGptSession("trip", engine.user("alice"))`.
    Without an engine of your own: `CatGptSession("trip", "alice", memory="sqlite:chat.db")`."""

    session_id: str
    """The session's id."""
    session_settings: SessionSettings | None
    """How many items are given where nobody says."""

    def __init__(
        self,
        session_id: str,
        user: User | str,
        *,
        memory: str | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        if isinstance(user, str):
            if memory is None:
                raise TypeError("where are the conversations kept? Pass a user of an engine, or memory='sqlite:chat.db'")
            user = engine_of(memory).user(user)
        elif memory is not None:
            raise TypeError("a user of an engine has a store: pass memory= with the name of a user only")
        self.session_id = session_id
        self.session_settings = SessionSettings().resolve(session_settings)
        self._session: Session = user.session(session_id)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first; all of them without a limit, or with a negative one."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        if limit == 0:
            return []
        found = await newest(self._session, _item, None if limit is None or limit < 0 else limit)
        return [item for _, item in found]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Adds items, all of them or none."""
        if items:
            await settled(self._session.append([_message(cast("dict[str, Any]", item)) for item in items]))

    async def pop_item(self) -> TResponseInputItem | None:
        """Takes the newest item off the conversation, and gives it. The engine keeps it beside the branch that is shown."""
        while True:
            try:
                info = await self._session.info()
                found = await newest(self._session, _item, 1)
                if not found:
                    return None
                at, item = found[0]
                await settled(self._session.append([], after=at.parent or "start", if_version=info.version))
            except ConflictError:
                continue  # Somebody else added an item, or took one.
            except NotFoundError:
                return None
            popped: TResponseInputItem = item
            return popped

    async def clear_session(self) -> None:
        """Deletes the session with all that is in it."""
        try:
            await settled(self._session.delete())
        except NotFoundError:
            return


def _message(item: dict[str, Any]) -> NewMessage:
    role, shown = _shown(item)
    parts = [part for part, _ in shown]
    if _plain(role, parts) == item and is_unicode(json.dumps(item, ensure_ascii=False)):
        return message(role, parts)
    return message(role, pack(PROVIDER, item, shown))


def _item(message: Message) -> Any:
    found = unpack(PROVIDER, message)
    return _plain(message.role, cast("list[dict[str, Any]]", message.content)) if found is None else found[0]


def _plain(role: str, parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the engine has said and heard, as an item; the steps of its own tools are its own."""
    pieces = [part for part in parts if part["type"] == "text" or (part["type"] == "image" and role == "user")]
    if any(part["type"] == "image" for part in pieces):
        return {"content": [_piece(part) for part in pieces], "role": role}
    words = "".join(part["text"] for part in pieces)
    return {"content": words, "role": role} if words else None


def _piece(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    return {"type": "input_image", "image_url": part["url"], "detail": part.get("detail", "auto")}


def _shown(item: dict[str, Any]) -> tuple[str, list[Shown]]:
    """Who speaks in an item, and what the engine can show of it."""
    match item:
        case {"role": str(role), "content": content} if role in ROLES:
            return ROLES[role], _words(content)
        case {"type": "function_call", "call_id": id, "name": name, "arguments": given}:
            return "assistant", [Shown({"type": "tool_call", "id": id, "name": name, "arguments": arguments(given)})]
        case {"type": "function_call_output", "call_id": id, "output": output}:
            if isinstance(output, str):
                return "assistant", [Shown({"type": "tool_result", "id": id, "output": output}, ["output"])]
            texts = [shown.part["text"] for shown in _words(output) if shown.part["type"] == "text"]
            return "assistant", [Shown({"type": "tool_result", "id": id, "output": "".join(texts)})]
        case {"type": "reasoning", "summary": summary}:
            return "assistant", _thoughts(summary)
        case _:
            return "assistant", []


def _thoughts(summary: Any) -> list[Shown]:
    shown: list[Shown] = []
    for i, piece in enumerate(_listed(summary)):
        match piece:
            case {"text": str(words)}:
                shown.append(Shown({"type": "reasoning", "text": words}, ["summary", i, "text"]))
            case _:
                pass
    return shown


def _words(content: Any) -> list[Shown]:
    if isinstance(content, str):
        return [text(content, ["content"])]
    shown: list[Shown] = []
    for i, piece in enumerate(_listed(content)):
        match piece:
            case {"text": str(words)}:
                shown.append(text(words, ["content", i, "text"]))
            case {"refusal": str(words)}:
                shown.append(text(words, ["content", i, "refusal"]))
            case {"image_url": str(url)}:
                shown.append(Shown({"type": "image", "url": url}, ["content", i, "image_url"]))
            case _:
                pass
    return shown


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []  # pyright: ignore[reportUnknownVariableType]
