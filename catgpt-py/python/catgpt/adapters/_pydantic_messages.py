"""Messages of pydantic-ai as messages of the engine, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, cast

from pydantic_ai.conversation_store import ConversationEntry
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from .._append import NewMessage
from .._data import Message, Usage
from ._shared import Shown, arguments, cleaned, message, pack, text, unpack

PROVIDER = "pydantic-ai"


class PlacedId(str):
    """An entry's id that knows where the entry is: whose it is, in which conversation, and as which message."""

    owner: str | None
    conversation: str
    seq: int

    def __new__(cls, id: str, owner: str | None = None, conversation: str = "", seq: int = 0) -> PlacedId:
        made = super().__new__(cls, id)
        made.owner, made.conversation, made.seq = owner, conversation, seq
        return made

    def moved(self, id: str, seq: int) -> PlacedId:
        """Another of the same conversation."""
        return PlacedId(id, self.owner, self.conversation, seq)

    @staticmethod
    def of(id: str) -> PlacedId:
        """An id that this store gave."""
        return id if isinstance(id, PlacedId) else PlacedId(id)


def message_of(entry: ConversationEntry, **facts: Any) -> NewMessage:
    """An entry on its way into a session."""
    # pydantic does not read half a character back.
    (data,) = cleaned(ModelMessagesTypeAdapter.dump_python([entry.message], mode="json"))
    role, shown = _request(data["parts"]) if data["kind"] == "request" else ("assistant", _response(data["parts"]))
    content = pack(PROVIDER, data, shown, id=str(entry.id), parent=entry.parent_id and str(entry.parent_id), **facts)
    if data["kind"] == "request":
        return message(role, content)
    used = data["usage"]
    usage = Usage(used["input_tokens"], used["output_tokens"], used["cache_read_tokens"])
    status = "interrupted" if data.get("state") == "interrupted" else "complete"
    reason = "tool_calls" if data["finish_reason"] == "tool_call" else data["finish_reason"]
    return message(role, content, status=status, model=data["model_name"], finish_reason=reason, usage=usage)


def with_facts(given: NewMessage, **facts: Any) -> NewMessage:
    """The same with more beside it."""
    *parts, last = cast("list[Any]", given["content"])
    return {**given, "content": [*parts, {**last, "value": {**last["value"], **facts}}]}


def facts(of: Message) -> Any:
    """What stands beside an entry."""
    found = unpack(PROVIDER, of)
    return {} if found is None else found[1]


def entry_of(place: PlacedId) -> Callable[[Message], ConversationEntry | None]:
    """Reads messages of the conversation of this id; what nothing was said in is no entry."""

    def read(of: Message) -> ConversationEntry | None:
        found = unpack(PROVIDER, of)
        if found is None:
            said = _said(of)
            id = place.moved(f"{place.conversation}:{of.seq}", of.seq)
            return None if said is None else ConversationEntry(id=id, parent_id=None, message=said)
        data, facts = found
        (one,) = ModelMessagesTypeAdapter.validate_json(json.dumps([data]))
        parent = facts["parent"] and place.moved(facts["parent"], of.parent or 0)
        return ConversationEntry(id=place.moved(facts["id"], of.seq), parent_id=parent, message=one)

    return read


def linked(found: Sequence[tuple[Message, ConversationEntry]]) -> list[ConversationEntry]:
    """Entries, each after the one before."""
    entries = [entry for _, entry in found]
    pairs = zip(entries, entries[1:], strict=False)
    return [*entries[:1], *(replace(entry, parent_id=before.id) for before, entry in pairs)]


def _said(of: Message) -> ModelMessage | None:
    """What the engine has heard or said itself, without the steps of its own tools."""
    at = datetime.fromtimestamp(of.created_ms / 1000, timezone.utc)
    parts = [part for part in of.content if part["type"] in ("text", "image")]
    if not parts:
        return None
    if of.role == "user":
        pieces = [_piece(part) for part in parts]
        content = pieces[0] if len(pieces) == 1 and isinstance(pieces[0], str) else pieces
        return ModelRequest(parts=[UserPromptPart(content=content, timestamp=at)], timestamp=at)
    if of.role == "system":
        return ModelRequest(parts=[SystemPromptPart(content=of.text, timestamp=at)], timestamp=at)
    used = RequestUsage(input_tokens=of.usage.input_tokens, output_tokens=of.usage.output_tokens) if of.usage else RequestUsage()
    return ModelResponse(parts=[TextPart(content=of.text)], usage=used, model_name=of.model, timestamp=at)


def _piece(part: Any) -> UserContent:
    if part["type"] == "text":
        return str(part["text"])
    url = part["url"]
    return BinaryContent.from_data_uri(url) if url.startswith("data:") else ImageUrl(url=url)


def _request(parts: list[Any]) -> tuple[str, list[Shown]]:
    """Who speaks in a request, and what the engine can show of it."""
    shown: list[Shown] = []
    for i, part in enumerate(parts):
        match part:
            case {"part_kind": "user-prompt", "content": str(words)}:
                shown.append(text(words, ["parts", i, "content"]))
            case {"part_kind": "user-prompt", "content": pieces}:
                shown += [one for j, piece in enumerate(pieces) for one in _shown(piece, ["parts", i, "content", j])]
            case {"part_kind": "tool-return" | "retry-prompt", "tool_name": str(), "tool_call_id": id, "content": content}:
                path: list[str | int] | None = ["parts", i, "content"] if isinstance(content, str) else None
                failed = {"is_error": True} if part["part_kind"] == "retry-prompt" else {}
                shown.append(Shown({"type": "tool_result", "id": id, "output": content, **failed}, path))
            case _:
                pass
    asked = any(part["part_kind"] == "user-prompt" for part in parts)
    return "user" if asked else "assistant", shown


def _shown(piece: Any, path: list[str | int]) -> list[Shown]:
    match piece:
        case str():
            return [text(piece, path)]
        case {"kind": "image-url", "url": str(url)}:
            return [Shown({"type": "image", "url": url}, [*path, "url"])]
        case _:
            return []


def _response(parts: list[Any]) -> list[Shown]:
    shown: list[Shown] = []
    for i, part in enumerate(parts):
        match part:
            case {"part_kind": "text", "content": str(words)}:
                shown.append(text(words, ["parts", i, "content"]))
            case {"part_kind": "thinking", "content": str(words)}:
                shown.append(Shown({"type": "reasoning", "text": words}, ["parts", i, "content"]))
            case {"part_kind": "tool-call", "tool_call_id": id, "tool_name": name, "args": args}:
                shown.append(Shown({"type": "tool_call", "id": id, "name": name, "arguments": arguments(args)}))
            case _:
                pass
    return shown
