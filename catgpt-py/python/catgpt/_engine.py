"""What users hold: the engine, an owner, one conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, TypeVar, Unpack

from . import _calls, _hub, _native, _process
from ._calls import Ask, At, ExportFormat, ImportFormat, OnDrop, OnProgress, Path, SendOptions
from ._data import Change, Cursor, ImportReport, Message, SessionInfo, SessionPage
from ._desk import ChatModel, Memory
from ._persona import Persona
from ._process import Parts
from ._reply import Reply, Sending
from .testing import Scripted

T = TypeVar("T")


class Engine:
    """Model, store and persona put together. Making one does no I/O; the first call opens the store. What is left out is
    as the core has it. `memory` is a URL (`memory:`, `sqlite:chat.db`, `postgres://…`) or a store of your own; `live` the
    URL of a Redis (`redis://…`), where other processes see replies grow."""

    def __init__(
        self,
        *,
        model: str | ChatModel | Scripted | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        memory: str | Memory | None = None,
        live: str | None = None,
        persona: Persona | str | None = None,
        window_messages: int | None = None,
        window_tokens: int | None = None,
        attempts: int | None = None,
        retry_base: float | None = None,
        lease: float | None = None,
    ) -> None:
        named = {"base_url": base_url, "api_key": api_key, "live": live, "attempts": attempts, "retry_base": retry_base}
        window = {"window_messages": window_messages, "window_tokens": window_tokens, "lease": lease}
        self._parts = Parts(model, memory, persona, **named, **window)

    def user(self, owner: str) -> User:
        """The owner of this name. Every call belongs to one."""
        return User(self, At(_native.owner(owner)))

    def local(self) -> User:
        """The one owner of a single-user program."""
        return User(self, At(None))

    async def open(self) -> None:
        """Opens the store now, to hear at once if it cannot be used."""
        await self._call({"do": "open"})

    async def adopt(
        self,
        path: Path,
        *,
        otherwise: str | None = None,
        dry_run: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> ImportReport:
        """Brings in the chats of another program's SQLite database (tables `chats` and `messages`), each for the owner that
        its `user_id` names, and those without one for `otherwise`."""
        ask = _calls.adopted(path, otherwise, dry_run, on_progress is not None)
        return await self._ask(ask, on_progress)

    async def backup(self, path: Path, *, on_progress: OnProgress | None = None) -> None:
        """Copies the SQLite store into a new file, while it is in use."""
        await self._ask(_calls.backup(path, on_progress is not None), on_progress)

    async def sweep(self) -> None:
        """Ends turns whose process died, and deletes what is due. An engine does so by itself every 30 s."""
        await self._call({"do": "sweep"})

    async def close(self, deadline: float | None = None) -> None:
        """Refuses new sends, waits so many seconds for turns that run, and ends the rest with their text."""
        await self._call({"do": "close", "deadline_ms": _calls.milliseconds(deadline)})
        _process.closed(self._parts)

    async def __aenter__(self) -> Engine:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, request: dict[str, Any], hear: OnProgress | None = None) -> Any:
        hub = _hub.current()
        return await hub.call(self._parts.on(lambda: hub), request, hear)

    async def _ask(self, ask: Ask[T], hear: OnProgress | None = None) -> T:
        return ask.read(await self._call(ask.request, hear))

    async def _pages(self, at: At, format: ExportFormat | None, listed: bool) -> AsyncIterator[str]:
        mark: Any = None
        while True:
            text, mark = await self._ask(_calls.export_page(at, format, mark, listed))
            yield text
            if mark is None:
                return

    async def _begin(self, at: At, request: dict[str, Any]) -> Reply:
        hub = _hub.current()
        stream = await hub.call(self._parts.on(lambda: hub), request)
        return Reply(stream, hub, lambda: self._ask(_calls.do(At(at.owner), "cancel", turn=stream.turn)))

    def _sending(self, at: At, do: str, **fields: Any) -> Sending:
        return Sending(lambda: self._begin(at, at.call(do, **fields)))


class User:
    """An owner. What others own is not found through it."""

    def __init__(self, engine: Engine, at: At) -> None:
        self._engine = engine
        self._at = at

    @property
    def owner(self) -> str | None:
        """Who it is; `None` for the one of a single-user program."""
        return self._at.owner

    def session(self, id: str) -> Session:
        """The session of this id, there or not yet. Touches nothing."""
        return Session(self._engine, At(self._at.owner, _native.session(id)))

    def new_session(self) -> Session:
        """A session with a fresh id. Touches nothing."""
        return Session(self._engine, At(self._at.owner, _native.session()))

    def attach(self, turn: str, offset: int | None = None, *, on_drop: OnDrop | None = None) -> Sending:
        """Watches a turn from an offset on: one that runs, here or elsewhere, or one that has ended."""
        return self._engine._sending(self._at, "attach", turn=turn, offset=offset, on_drop=on_drop)

    async def cancel(self, turn: str) -> None:
        """Stops a turn, wherever it runs. The text so far is kept."""
        await self._engine._ask(_calls.do(self._at, "cancel", turn=turn))

    async def sessions(self, after: Cursor | None = None, limit: int | None = None) -> SessionPage:
        """A page of sessions, the latest changed first, after a page before."""
        return await self._engine._ask(_calls.sessions(self._at, after, limit))

    async def turns(self) -> list[tuple[str, str]]:
        """The turns that run, in any process: pairs of session and turn."""
        return await self._engine._ask(_calls.turns(self._at))

    async def changes(self, after: int | None = None, limit: int | None = None) -> list[Change]:
        """Changes after a number, in order. They are kept for 24 hours."""
        return await self._engine._ask(_calls.changes(self._at, after, limit))

    async def import_(
        self,
        source: Path | bytes,
        *,
        format: ImportFormat | None = None,
        dry_run: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> ImportReport:
        """Brings in conversations that were written elsewhere: those of a file or folder, or of a file's content (as bytes).
        The format is told from what is there. Importing the same again changes nothing."""
        ask = _calls.imported(self._at, source, format, dry_run, on_progress is not None)
        return await self._engine._ask(ask, on_progress)

    async def export(
        self, format: ExportFormat | None = None, *, on_progress: OnProgress | None = None
    ) -> AsyncIterator[str]:
        """All conversations, as text in pieces. `on_progress` hears how many sessions are written."""
        sessions = await self._engine._ask(_calls.export_list(self._at))
        for done, session in enumerate(sessions, 1):
            async for text in self._engine._pages(At(self._at.owner, session), format, True):
                yield text
            if on_progress is not None:
                on_progress(done, len(sessions))


class Session:
    """One conversation. Making the handle costs nothing; the first send makes the session."""

    def __init__(self, engine: Engine, at: At) -> None:
        self._engine = engine
        self._at = at

    @property
    def id(self) -> str:
        """Its id."""
        return self._at.session or ""

    def send(self, text: str, **options: Unpack[SendOptions]) -> Sending:
        """Says something: `reply = await session.send(…)`, or `async with session.send(…) as reply`."""
        return self._engine._sending(self._at, "send", text=text, options=_calls.options(options))

    def edit(self, seq: int, text: str, **options: Unpack[SendOptions]) -> Sending:
        """Says something else instead of an earlier message of the user, as a new branch beside it."""
        return self._engine._sending(self._at, "edit", seq=seq, text=text, options=_calls.options(options))

    def regenerate(self, seq: int | None = None, **options: Unpack[SendOptions]) -> Sending:
        """Asks for another answer beside an earlier one; `None` for the newest."""
        return self._engine._sending(self._at, "regenerate", seq=seq, options=_calls.options(options))

    def attach(self, turn: str, offset: int | None = None, *, on_drop: OnDrop | None = None) -> Sending:
        """Watches a turn of this session from an offset on."""
        return self._engine._sending(self._at, "attach", turn=turn, offset=offset, on_drop=on_drop)

    async def history(self, last: int | None = None) -> list[Message]:
        """The newest messages of the active branch, oldest first."""
        return await self._engine._ask(_calls.history(self._at, last))

    async def tree(self, after: int | None = None, limit: int | None = None) -> list[Message]:
        """Messages of all branches after a number, in order."""
        return await self._engine._ask(_calls.tree(self._at, after, limit))

    async def info(self) -> SessionInfo:
        """What is known about it besides its messages."""
        return await self._engine._ask(_calls.info(self._at))

    async def rename(self, title: str) -> None:
        """Gives it a title."""
        await self._engine._ask(_calls.do(self._at, "rename", title=title))

    async def pin(self, persona: Persona | str) -> None:
        """Gives it another persona, from the next turn on."""
        await self._engine._ask(_calls.pin(self._at, persona))

    def export(self, format: ExportFormat | None = None) -> AsyncIterator[str]:
        """This conversation, as text in pieces."""
        return self._engine._pages(self._at, format, False)

    async def select(self, head: int, *, if_version: int | None = None) -> None:
        """Shows the branch that ends at `head`; with `if_version` only if nothing has changed since."""
        await self._engine._ask(_calls.do(self._at, "select", head=head, if_version=if_version))

    async def delete(self) -> None:
        """Deletes it with all that was said. A turn that runs in it ends."""
        await self._engine._ask(_calls.do(self._at, "delete"))
