"""What pydantic-ai keeps of a conversation besides its messages: part of the metadata of its session.

It stands under `pydantic_ai`, beside what the application keeps there. Tool requests that are too large for that stand beside
the last message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from pydantic_ai.conversation import Conversation, ConversationTypeAdapter
from pydantic_ai.conversation_store import ConversationRecord

from .._append import After, NewMessage
from .._data import Message, SessionInfo
from ._pydantic_messages import PlacedId, facts, with_facts

KEY = "pydantic_ai"
LARGE = 16 << 10
"""From how many bytes on tool requests stand beside the last message."""


def kept(info: SessionInfo) -> Mapping[str, Any] | None:
    """What the session's metadata has of it; `None`: nothing was ever saved there."""
    found: Mapping[str, Any] | None = info.metadata.get(KEY)
    return found


def head(info: SessionInfo, owner: str | None) -> PlacedId | None:
    """The head that was saved, if it is still that of the session."""
    saved = (kept(info) or {}).get("head")
    return PlacedId(saved[0], owner, info.id, saved[1]) if saved and saved[1] == info.head else None


def metadata(
    record: ConversationRecord,
    info: SessionInfo | None,
    after: After | None,
    messages: list[NewMessage],
) -> tuple[dict[str, Any], list[NewMessage]]:
    """The metadata with this record in it, and the messages, the last perhaps with what is too large for it. A session
    numbers its messages one by one, and nobody can have added one, or the whole step is refused."""
    last = (info.messages if info else 0) + len(messages)
    seq = last if messages else after if isinstance(after, int) else None
    saved: dict[str, Any] = {
        "v": 1,
        "head": record.head_id and [str(record.head_id), seq],
        "branches": [[str(tip), tip.seq if isinstance(tip, PlacedId) else None] for tip in record.branches],
        "scope": record.scope,
        "forked_from": record.forked_from,
        "forked_at": record.forked_at and str(record.forked_at),
        "updated_at": record.updated_at.isoformat(),
        "state": _state(record),
    }
    deferred = saved["state"]["deferred_tool_requests"]
    if _is_large(deferred):
        before = kept(info) if info else None
        if messages:
            messages = [*messages[:-1], with_facts(messages[-1], deferred=deferred)]
        saved["deferred_at"] = last if messages else before and before.get("deferred_at")
        if saved["deferred_at"]:
            saved["state"]["deferred_tool_requests"] = None
    return {**(info.metadata if info else {}), KEY: saved}, messages


def grown(record: ConversationRecord, info: SessionInfo | None, there: ConversationRecord | None) -> bool:
    """Whether its tool requests are too large for the metadata, and stand beside no message yet."""
    if info is None or not _is_large(_state(record)["deferred_tool_requests"]):
        return False
    same = there is not None and there.deferred_tool_requests == record.deferred_tool_requests
    return not same or "deferred_at" not in (kept(info) or {})


def _is_large(deferred: Any) -> bool:
    return deferred is not None and len(json.dumps(deferred)) > LARGE


def deferred(message: Message) -> Any:
    """The tool requests that stand beside a message."""
    return facts(message)["deferred"]


def record(
    info: SessionInfo, newest: PlacedId | None, owner: str | None, scope: str | None, large: Any
) -> ConversationRecord:
    """The record of a session whose newest entry is this. What the engine has said since the last save is a change, so who
    has not seen it may not save."""
    saved = kept(info)
    seq = newest.seq if newest is not None else None
    updated_at = datetime.fromtimestamp(info.updated_ms / 1000, timezone.utc)
    if saved is None:
        revision = f"{info.created_ms}:{seq}"
        return ConversationRecord(
            conversation_id=info.id, head_id=newest, scope=scope, revision=revision, updated_at=updated_at
        )
    same = seq == (saved["head"] or [None, None])[1]
    given = saved["state"] | ({"deferred_tool_requests": large} if large else {})
    state = ConversationTypeAdapter.validate_json(json.dumps(given))
    return ConversationRecord(
        conversation_id=info.id,
        head_id=newest,
        usage=state.usage,
        deferred_tool_requests=state.deferred_tool_requests if same else None,
        scope=saved["scope"],
        forked_from=saved["forked_from"],
        forked_at=saved["forked_at"],
        branches=[_tip(id, seq, info, owner) for id, seq in saved["branches"]],
        revision=str(state.revision) if same else f"{state.revision}:{seq}",
        updated_at=datetime.fromisoformat(saved["updated_at"]) if same else updated_at,
    )


def _tip(id: str, seq: int | None, info: SessionInfo, owner: str | None) -> str:
    return id if seq is None else PlacedId(id, owner, info.id, seq)


def _state(record: ConversationRecord) -> dict[str, Any]:
    """What else is in it, as pydantic-ai writes it."""
    conversation = Conversation(
        conversation_id=record.conversation_id,
        usage=record.usage,
        deferred_tool_requests=record.deferred_tool_requests,
        revision=record.revision,
    )
    state: dict[str, Any] = ConversationTypeAdapter.dump_python(conversation, mode="json")
    return state
