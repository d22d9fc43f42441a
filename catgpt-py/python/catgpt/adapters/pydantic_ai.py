"""A store for pydantic-ai's conversations: `store = CatGptConversationStore(engine)`, then `store.load` and `store.save` as
pydantic-ai has them.

Each conversation is a session of the engine's, and each of its messages a message there: what a person and a model said is
shown by `history`, the command line and the search. What the engine itself has said in a session is in the conversation too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from contextvars import ContextVar
from typing import Any

try:
    from pydantic_ai.conversation import Conversation
    from pydantic_ai.conversation_store import (
        ConversationConflict,
        ConversationEntry,
        ConversationRecord,
        ConversationStore,
    )
    from pydantic_ai.exceptions import UserError
except ImportError as error:
    sentence = "catgpt.adapters.pydantic_ai needs pydantic-ai 2.68 or newer: pip install 'catgpt-py[pydantic-ai]'"
    raise ImportError(sentence, name="pydantic_ai") from error

from .._append import After, NewMessage
from .._data import SessionInfo
from .._engine import Engine, Session, User
from .._errors import ConflictError, NotFoundError
from . import _pydantic_record as record_of
from ._pydantic_messages import PlacedId, entry_of, linked, message_of
from ._shared import engine_of, newest, settled

__all__ = ["CatGptConversationStore"]

_scope: ContextVar[str | None] = ContextVar("catgpt_scope", default=None)


class CatGptConversationStore(ConversationStore):
    """Conversations of pydantic-ai in the store of an engine, or in that of a URL (`"sqlite:chat.db"`).

    A scope is an owner, `engine.user(scope)`: each call names one, conversations of two scopes may have the same id, and what
    is another scope's is not there. With a user, `CatGptConversationStore(engine.user("alice"))`, all conversations are that
    owner's, and a scope is only what pydantic-ai makes of it.

    A fork has its own copy of what it begins with. Deleting a conversation deletes its messages, and no fork's. While a turn
    of the engine runs in a session, changing it is a `BusyError`."""

    def __init__(self, where: Engine | User | str) -> None:
        self._one = where if isinstance(where, User) else None
        self._engine = engine_of(where) if isinstance(where, str) else where if isinstance(where, Engine) else None

    async def load(
        self, conversation_id: str, *, limit: int | None = None, scope: str | None = None
    ) -> Conversation | None:
        with self._within(scope):
            return await super().load(conversation_id, limit=limit, scope=scope)

    async def load_entries(
        self, conversation_id: str, *, limit: int | None = None, scope: str | None = None
    ) -> list[ConversationEntry] | None:
        with self._within(scope):
            return await super().load_entries(conversation_id, limit=limit, scope=scope)

    async def save(self, conversation: Any, *, scope: str | None = None) -> list[ConversationEntry]:
        with self._within(scope):
            return await super().save(conversation, scope=scope)

    async def branch(
        self,
        conversation_id: str,
        *,
        at: int | None = None,
        from_entry: str | None = None,
        expected_revision: str | None,
        scope: str | None = None,
    ) -> Conversation:
        with self._within(scope):
            return await super().branch(
                conversation_id, at=at, from_entry=from_entry, expected_revision=expected_revision, scope=scope
            )

    async def fork(
        self,
        conversation_id: str,
        *,
        at: int | None = None,
        from_entry: str | None = None,
        new_conversation_id: str | None = None,
        scope: str | None = None,
        source_scope: str | None = None,
    ) -> Conversation:
        with self._within(scope if source_scope is None else source_scope):
            return await super().fork(
                conversation_id,
                at=at,
                from_entry=from_entry,
                new_conversation_id=new_conversation_id,
                scope=scope,
                source_scope=source_scope,
            )

    async def list_conversations(
        self, *, scope: str | None = None, limit: int | None = None
    ) -> list[ConversationRecord]:
        with self._within(scope):
            return await super().list_conversations(scope=scope, limit=limit)

    async def delete(self, conversation_id: str, *, scope: str | None = None) -> None:
        with self._within(scope):
            return await super().delete(conversation_id, scope=scope)

    @contextlib.contextmanager
    def _within(self, scope: str | None) -> Generator[None]:
        """The primitives below are not told the scope."""
        before = _scope.set(scope)
        try:
            yield
        finally:
            _scope.reset(before)

    def _user(self, scope: str | None) -> User:
        if self._one is not None:
            return self._one
        if scope is None or self._engine is None:
            raise UserError("name the scope: it is the owner of the conversation, and nobody finds what is another's")
        return self._engine.user(scope)

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        found = await self._look(self._user(_scope.get()).session(conversation_id))
        return found and found[1]

    async def read_records(
        self, *, scope: str | None = None, limit: int | None = None
    ) -> Sequence[ConversationRecord]:
        user = self._user(scope)
        records = [await self._record(user.session(info.id), info) for info in await _all(user)]
        chosen = [record for record in records if scope is None or record.scope == scope]
        return sorted(chosen, key=lambda record: record.updated_at, reverse=True)[:limit]

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        session = self._user(record.scope).session(record.conversation_id)
        while True:
            found = await self._look(session)
            info, there = found or (None, None)
            if (there and there.revision) != expected_revision:
                raise ConversationConflict(record.conversation_id)
            after, messages = await self._line(session, info, record, new_entries)
            if not messages and record.head_id is not None and record_of.grown(record, info, there):
                after, messages = await self._again(session, await self._place(record.head_id, session))
            facts, messages = record_of.metadata(record, info, after, messages)
            try:
                version = 0 if info is None else info.version
                await settled(session.append(messages, after=after, if_version=version, metadata=facts))
            except ConflictError:
                continue  # Changed meanwhile, perhaps only its title: look again.
            return

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        session = self._user(_scope.get()).session(conversation_id)
        while True:
            found = await self._look(session)
            if found is None or found[1].revision != expected_revision:
                raise ConversationConflict(conversation_id)
            try:
                await settled(session.delete(if_version=found[0].version))
            except ConflictError:
                continue  # Changed meanwhile: look again.
            except NotFoundError:
                raise ConversationConflict(conversation_id) from None
            return

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        return (await self.read_history(entry_id, limit=1))[-1]

    async def read_history(self, head_id: str | None, *, limit: int | None = None) -> list[ConversationEntry]:
        if head_id is None or limit == 0:
            return []
        place = await self._place(head_id)
        session = self._user(place.owner).session(place.conversation)
        # One more, since what somebody else has said does not know the id of what it follows.
        found = await newest(session, entry_of(place), None if limit is None else limit + 1, place.seq)
        if not found or found[-1][1].id != head_id:
            raise KeyError(head_id)
        return linked(found)[-limit if limit else None :]

    async def _look(self, session: Session) -> tuple[SessionInfo, ConversationRecord] | None:
        try:
            info = await session.info()
            return info, await self._record(session, info)
        except NotFoundError:
            return None

    async def _record(self, session: Session, info: SessionInfo) -> ConversationRecord:
        owner = self._owner(session)
        kept = record_of.kept(info)
        newest_id = record_of.head(info, owner)
        if newest_id is None and info.head is not None:
            found = await newest(session, entry_of(PlacedId("", owner, info.id, 0)), 1)
            newest_id = PlacedId.of(found[-1][1].id) if found else None
        deferred: int | None = None if kept is None else kept.get("deferred_at")
        late = None if deferred is None else await self._deferred(session, deferred)
        return record_of.record(info, newest_id, owner, None if self._one else owner, late)

    async def _deferred(self, session: Session, seq: int) -> Any:
        (message,) = (await session.page(seq, 1)).messages
        return record_of.deferred(message)

    def _owner(self, session: Session) -> str | None:
        return session._at.owner

    async def _line(
        self,
        session: Session,
        info: SessionInfo | None,
        record: ConversationRecord,
        new_entries: Sequence[ConversationEntry],
    ) -> tuple[After | None, list[NewMessage]]:
        """Where the entries go, and what goes there: what a fork begins with first."""
        new = [message_of(entry) for entry in new_entries]
        above = new_entries[0].parent_id if new_entries else record.head_id
        if (new_entries[-1].id if new_entries else above) != record.head_id:
            raise UserError("the head is the last of the new entries")
        if above is None:
            return ("start" if info is not None and info.messages else None), new
        try:
            place = await self._place(above, session if info is not None else None)
            if (place.owner, place.conversation) == (self._owner(session), session.id):
                return place.seq, new
            kept = [message_of(entry) for entry in await self.read_history(place)]
        except LookupError:
            raise ConversationConflict(record.conversation_id) from None
        return ("start" if info is not None and info.messages else None), kept + new

    async def _again(self, session: Session, place: PlacedId) -> tuple[After, list[NewMessage]]:
        """A message once more, beside itself, for what is too large for the metadata to stand by."""
        (row,) = (await session.page(place.seq, 1)).messages
        entry = entry_of(place)(row)
        if entry is None:
            raise KeyError(place)
        return row.parent or "start", [message_of(entry)]

    async def _place(self, entry_id: str, within: Session | None = None) -> PlacedId:
        """Where an entry is. Ids that this store gave know it; any other is looked for."""
        if isinstance(entry_id, PlacedId):
            return entry_id
        user = self._user(_scope.get() if within is None else self._owner(within))
        sessions = [user.session(info.id) for info in await _all(user)] if within is None else [within]
        for session in sessions:
            read = entry_of(PlacedId("", self._owner(session), session.id))
            messages = await session.tree(0, 500)
            while messages:
                for entry in map(read, messages):
                    if entry is not None and entry.id == entry_id:
                        return PlacedId.of(entry.id)
                messages = await session.tree(messages[-1].seq, 500)
        raise KeyError(entry_id)


async def _all(user: User) -> list[SessionInfo]:
    """All sessions, those that are put away too."""
    sessions: list[SessionInfo] = []
    for archived in (False, True):
        page = await user.sessions(archived=archived)
        sessions += page.sessions
        while page.next is not None:
            page = await user.sessions(page.next, archived=archived)
            sessions += page.sessions
    return sessions
