"""What users hold: the engine, an owner, one conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Any, TypeVar, Unpack

from . import _calls, _hub, _native, _process, _transfer
from ._calls import Ask, At, OnDrop, OnProgress, SendOptions
from ._content import Content, content
from ._data import Change, Cursor, Health, ImportReport, Message, Metric, ModelInfo, SessionPage
from ._organize import AllSessions, OneSession
from ._process import EngineOptions, Parts
from ._reply import Reply, Sending
from ._tools import Decision
from ._transfer import ExportFormat, ImportFormat, Path

T = TypeVar("T")


class Engine:
    """Model, store and persona put together. Making one does no I/O; the first call opens the store. What it is made of is
    `EngineOptions`."""

    def __init__(self, **options: Unpack[EngineOptions]) -> None:
        self._parts = Parts(options)

    def user(self, owner: str) -> User:
        """The owner of this name. Every call belongs to one."""
        return User(self, At(_native.owner(owner)))

    def local(self) -> User:
        """The one owner of a single-user program."""
        return User(self, At(None))

    async def open(self) -> None:
        """Opens the store now, to hear at once if it cannot be used."""
        await self._call({"do": "open"})

    async def models(self) -> list[ModelInfo]:
        """Which models there are to choose from, by id: for a picker, whose choice goes into `send(…, model=…)`."""
        return await self._ask(_calls.MODELS)

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
        ask = _transfer.adopted(path, otherwise, dry_run, on_progress is not None)
        return await self._ask(ask, on_progress)

    async def backup(self, path: Path, *, on_progress: OnProgress | None = None) -> None:
        """Copies the SQLite store into a new file, while it is in use."""
        await self._ask(_transfer.backup(path, on_progress is not None), on_progress)

    async def sweep(self) -> None:
        """Ends turns whose process died, and deletes what is due. An engine does so by itself every 30 s."""
        await self._call({"do": "sweep"})

    async def reseal(self, *, on_progress: OnProgress | None = None) -> int:
        """Puts the whole store under the newest key of `encryption`, and says how many records were written. `on_progress`
        hears how many owners are done."""
        written: int = await self._call({"do": "reseal_all", "watch": on_progress is not None}, on_progress)
        return written

    async def health(self) -> Health:
        """How this engine is: looks at the store and the live log, within 3 s. It never raises for what is wrong there: that
        is what it tells."""
        health: Health = await self._call({"do": "health"})
        return health

    async def metrics(self) -> list[Metric]:
        """What this engine has counted since it was opened."""
        metrics: list[Metric] = await self._call({"do": "metrics"})
        return metrics

    async def prometheus(self) -> str:
        """The same as the text that Prometheus reads: what a `/metrics` answers with."""
        text: str = await self._call({"do": "prometheus"})
        return text

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
            text, mark = await self._ask(_transfer.export_page(at, format, mark, listed))
            yield text
            if mark is None:
                return

    async def _begin(self, at: At, request: dict[str, Any]) -> Reply:
        return self._reply(at, await self._call(request))

    def _reply(self, at: At, stream: _native.Stream) -> Reply:
        cancel = _calls.do(At(at.owner), "cancel", turn=stream.turn)
        return Reply(stream, _hub.current(), lambda: self._ask(cancel))

    def _sending(self, at: At, do: str, **fields: Any) -> Sending:
        return Sending(lambda: self._begin(at, at.call(do, **fields)))


class User(AllSessions):
    """An owner. What others own is not found through it."""

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

    def chat(self, body: str | bytes, **options: Unpack[SendOptions]) -> Sending:
        """Does what a request of the AI SDK (`useChat`) asks for; `body` is its body. The chat's id is the session's."""
        return self._engine._sending(self._at, "chat", body=_calls.body(body), options=_calls.options(options))

    async def frames(
        self,
        frame: str,
        *,
        open: int | None = None,
        keep_alive: float | None = None,
        min_interval: float | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncGenerator[str, None]:
        """Does what a frame of a web socket asks for, and gives the frames of the answer. A frame that is refused is
        answered too. `open` is how many answers the socket is given already, of which there is a limit. Two frames of a
        turn are `min_interval` seconds (0.02) apart at least."""
        given = {"encoding": _calls.encoding(None, min_interval, keep_alive), "options": _calls.options(options)}
        answer = await self._engine._call(self._at.call("frame", frame=frame, open=open, **given))
        if isinstance(answer, str):
            yield answer
            return
        async with self._engine._reply(self._at, answer) as reply:
            async for data in reply._frames():
                yield data.decode()

    async def cancel(self, turn: str) -> None:
        """Stops a turn, wherever it runs. The text so far is kept."""
        await self._engine._ask(_calls.do(self._at, "cancel", turn=turn))

    async def sessions(
        self, after: Cursor | None = None, limit: int | None = None, *, archived: bool | None = None
    ) -> SessionPage:
        """A page of the sessions that are not put away, or of those that are: the pinned ones first, then the latest changed,
        after a page before."""
        return await self._engine._ask(_calls.sessions(self._at, after, limit, archived))

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
        ask = _transfer.imported(self._at, source, format, dry_run, on_progress is not None)
        return await self._engine._ask(ask, on_progress)

    async def export(
        self, format: ExportFormat | None = None, *, on_progress: OnProgress | None = None
    ) -> AsyncIterator[str]:
        """All conversations, as text in pieces. `on_progress` hears how many sessions are written."""
        sessions = await self._engine._ask(_transfer.export_list(self._at))
        for done, session in enumerate(sessions, 1):
            async for text in self._engine._pages(At(self._at.owner, session), format, True):
                yield text
            if on_progress is not None:
                on_progress(done, len(sessions))


class Session(OneSession):
    """One conversation. Making the handle costs nothing; the first send makes the session."""

    @property
    def id(self) -> str:
        """Its id."""
        return self._at.session or ""

    def send(self, words: Content, **options: Unpack[SendOptions]) -> Sending:
        """Says something, a text or texts and pictures: `reply = await session.send(…)`, or `async with session.send(…) as
        reply`."""
        return self._engine._sending(self._at, "send", content=content(words), options=_calls.options(options))

    def edit(self, seq: int, words: Content, **options: Unpack[SendOptions]) -> Sending:
        """Says something else instead of an earlier message of the user, as a new branch beside it."""
        return self._engine._sending(self._at, "edit", seq=seq, content=content(words), options=_calls.options(options))

    def regenerate(self, seq: int | None = None, **options: Unpack[SendOptions]) -> Sending:
        """Asks for another answer beside an earlier one; `None` for the newest."""
        return self._engine._sending(self._at, "regenerate", seq=seq, options=_calls.options(options))

    def send_after(self, seq: int, words: Content, **options: Unpack[SendOptions]) -> Sending:
        """Says something after a message of the tree, as a new branch if that has been answered before."""
        given = {"content": content(words), "options": _calls.options(options)}
        return self._engine._sending(self._at, "send_after", seq=seq, **given)

    def continue_reply(self, seq: int | None = None, **options: Unpack[SendOptions]) -> Sending:
        """Goes on with a reply that was cut off, or with any other (`None`: the newest), as a new reply that follows it."""
        return self._engine._sending(self._at, "continue_reply", seq=seq, options=_calls.options(options))

    def decide(self, *decisions: Decision, **options: Unpack[SendOptions]) -> Sending:
        """Decides about all calls that the newest reply waits with (`finished.pending`), and goes on as a new turn: from any
        process, once."""
        made = [decision.to_dict() for decision in decisions]
        return self._engine._sending(self._at, "decide", decisions=made, options=_calls.options(options))

    def attach(self, turn: str, offset: int | None = None, *, on_drop: OnDrop | None = None) -> Sending:
        """Watches a turn of this session from an offset on."""
        return self._engine._sending(self._at, "attach", turn=turn, offset=offset, on_drop=on_drop)

    async def resume(self, *, on_drop: OnDrop | None = None) -> Reply | None:
        """Watches the turn that runs here, from its beginning; `None` if there is none."""
        stream = await self._engine._call(self._at.call("resume", on_drop=on_drop))
        return None if stream is None else self._engine._reply(self._at, stream)

    async def ui_messages(self, last: int | None = None) -> list[dict[str, Any]]:
        """The newest messages of the active branch as the AI SDK's `UIMessage`s, to begin a chat with."""
        return await self._engine._ask(_calls.ui_messages(self._at, last))

    async def history(self, last: int | None = None) -> list[Message]:
        """The newest messages of the active branch, oldest first."""
        return await self._engine._ask(_calls.history(self._at, last))

    async def tree(self, after: int | None = None, limit: int | None = None) -> list[Message]:
        """Messages of all branches after a number, in order."""
        return await self._engine._ask(_calls.tree(self._at, after, limit))

    def export(self, format: ExportFormat | None = None) -> AsyncIterator[str]:
        """This conversation, as text in pieces."""
        return self._engine._pages(self._at, format, False)
