"""The same for blocking code: `with` and `for` instead of `async with` and `async for`.

Waiting leaves the interpreter to other threads, and Ctrl-C is heard. In a running event loop it would block the loop, so
there it refuses to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar, Unpack

from . import _background, _calls, _hub, _native, _process, _transfer
from ._calls import Ask, At, Format, OnDrop, OnProgress, SendOptions
from ._content import Content, content
from ._data import Change, Cursor, Health, ImportReport, Message, Metric, ModelInfo, SessionPage
from ._events import Event, Finished, Text
from ._organize_sync import AllSessions, OneSession
from ._process import EngineOptions, Parts
from ._reply import Feed
from ._tools import Decision
from ._transfer import ExportFormat, ImportFormat, Path

__all__ = ["Engine", "Reply", "Session", "User"]

T = TypeVar("T")


def _refuse_a_loop() -> None:
    if asyncio._get_running_loop() is not None or _hub.in_trio():
        raise RuntimeError("this would block the event loop that runs here; use `from catgpt import Engine`")


class Reply(Feed):
    """A turn as it happens: `for event in reply`. The last event is always `Finished`; iterating never raises for a turn
    that failed. Letting go of it ends the subscription and not the turn, unless it was sent with `on_drop="cancel"`."""

    __slots__ = ("_cancel", "_hub")

    def __init__(self, stream: _native.Stream, hub: _native.Hub, cancel: Callable[[], None]) -> None:
        super().__init__(stream)
        self._hub = hub
        self._cancel = cancel

    def __iter__(self) -> Reply:
        return self

    def __next__(self) -> Event:
        if not self._batch:
            self._fill()
        event = self._batch.pop()
        return self._event(event) if isinstance(event, str) else event

    def _fill(self) -> None:
        self._claim()
        try:
            while (batch := self._stream.poll()) is None:
                self._wait()
        finally:
            self._reading.release()
        if not batch:
            raise StopIteration
        self._take(batch)

    def _wait(self) -> None:
        _refuse_a_loop()
        # Another thread may close it, which nobody tells: so it is looked at again after each slice.
        _process.block(self._hub, self._stream.id, _process.SLICE_MS)

    def text(self) -> str:
        """Reads to the end; all text from here on. Raises if the turn failed or was cut off."""
        pieces = [event.text for event in self if isinstance(event, Text)]
        self._result()
        return "".join(pieces)

    def result(self) -> Finished:
        """Reads to the end; how the turn ended. Raises if it failed or was cut off."""
        for _ in self:
            pass
        return self._result()

    def cancel(self) -> None:
        """Stops the turn, wherever it runs. The text so far is kept; the events go on to `Finished`."""
        self._cancel()

    def close(self) -> None:
        """Ends the subscription."""
        self._batch = []
        self._stream.close()

    def __enter__(self) -> Reply:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def encoded(
        self, format: Format | None = None, *, min_interval: float | None = None, keep_alive: float | None = None
    ) -> Iterator[bytes]:
        """The same as bytes of a format (`sse`), each item one write. Two writes are `min_interval` seconds (0.02) apart at
        least; after `keep_alive` seconds (15) of silence there is a sign of life."""
        self._begin_bytes(format, min_interval, keep_alive)
        return self._frames()

    def _frames(self) -> Iterator[bytes]:
        while (data := self._stream.poll_bytes()) != b"":
            if data is None:
                self._wait()
            else:
                yield data


class Engine:
    """Model, store and persona put together. Making one does no I/O; the first call opens the store. What is left out is
    as the core has it; the parts are those of `catgpt.Engine`. A model or a store of your own runs in a thread of its
    own."""

    def __init__(self, **options: Unpack[EngineOptions]) -> None:
        self._parts = Parts(options)

    def user(self, owner: str) -> User:
        """The owner of this name. Every call belongs to one."""
        return User(self, At(_native.owner(owner)))

    def local(self) -> User:
        """The one owner of a single-user program."""
        return User(self, At(None))

    def open(self) -> None:
        """Opens the store now, to hear at once if it cannot be used."""
        self._call({"do": "open"})

    def models(self) -> list[ModelInfo]:
        """Which models there are to choose from, by id."""
        return self._ask(_calls.MODELS)

    def adopt(
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
        return self._ask(ask, on_progress)

    def backup(self, path: Path, *, on_progress: OnProgress | None = None) -> None:
        """Copies the SQLite store into a new file, while it is in use."""
        self._ask(_transfer.backup(path, on_progress is not None), on_progress)

    def sweep(self) -> None:
        """Ends turns whose process died, and deletes what is due. An engine does so by itself every 30 s."""
        self._call({"do": "sweep"})

    def reseal(self, *, on_progress: OnProgress | None = None) -> int:
        """Puts the whole store under the newest key of `encryption`, and says how many records were written. `on_progress`
        hears how many owners are done."""
        written: int = self._call({"do": "reseal_all", "watch": on_progress is not None}, on_progress)
        return written

    def health(self) -> Health:
        """How this engine is: looks at the store and the live log, within 3 s. It never raises for what is wrong there: that
        is what it tells."""
        health: Health = self._call({"do": "health"})
        return health

    def metrics(self) -> list[Metric]:
        """What this engine has counted since it was opened."""
        metrics: list[Metric] = self._call({"do": "metrics"})
        return metrics

    def prometheus(self) -> str:
        """The same as the text that Prometheus reads: what a `/metrics` answers with."""
        text: str = self._call({"do": "prometheus"})
        return text

    def close(self, deadline: float | None = None) -> None:
        """Refuses new sends, waits so many seconds for turns that run, and ends the rest with their text."""
        self._call({"do": "close", "deadline_ms": _calls.milliseconds(deadline)})
        _process.closed(self._parts)

    def __enter__(self) -> Engine:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(
        self, request: dict[str, Any], hear: OnProgress | None = None, *, hub: _native.Hub | None = None
    ) -> Any:
        _refuse_a_loop()
        hub = hub or _native.Hub.of_thread()
        ticket = self._parts.on(_background.hub).call(hub, _calls.text(request))

        def news(number: int) -> None:
            if hear is not None and number == ticket.watch and (progress := ticket.progress()) is not None:
                hear(*progress)

        try:
            return _hub.answer(_process.block(hub, ticket.id, hear=news))
        except BaseException:
            # If its answer is there, this does nothing.
            ticket.abandon()
            raise

    def _ask(self, ask: Ask[T], hear: OnProgress | None = None) -> T:
        return ask.read(self._call(ask.request, hear))

    def _pages(self, at: At, format: ExportFormat | None, listed: bool) -> Iterator[str]:
        mark: Any = None
        while True:
            text, mark = self._ask(_transfer.export_page(at, format, mark, listed))
            yield text
            if mark is None:
                return

    def _begin(self, at: At, do: str, **fields: Any) -> Reply:
        hub = _native.Hub.of_thread()
        return self._reply(at, self._call(at.call(do, **fields), hub=hub), hub)

    def _reply(self, at: At, stream: _native.Stream, hub: _native.Hub) -> Reply:
        return Reply(stream, hub, lambda: self._ask(_calls.do(At(at.owner), "cancel", turn=stream.turn)))


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

    def attach(self, turn: str, offset: int | None = None, *, on_drop: OnDrop | None = None) -> Reply:
        """Watches a turn from an offset on: one that runs, here or elsewhere, or one that has ended."""
        return self._engine._begin(self._at, "attach", turn=turn, offset=offset, on_drop=on_drop)

    def chat(self, body: str | bytes, **options: Unpack[SendOptions]) -> Reply:
        """Does what a request of the AI SDK (`useChat`) asks for; `body` is its body. The chat's id is the session's."""
        return self._engine._begin(self._at, "chat", body=_calls.body(body), options=_calls.options(options))

    def frames(
        self,
        frame: str,
        *,
        open: int | None = None,
        keep_alive: float | None = None,
        min_interval: float | None = None,
        **options: Unpack[SendOptions],
    ) -> Iterator[str]:
        """Does what a frame of a web socket asks for, and gives the frames of the answer. A frame that is refused is
        answered too. `open` is how many answers the socket is given already, of which there is a limit. Two frames of a
        turn are `min_interval` seconds (0.02) apart at least."""
        given = {"encoding": _calls.encoding(None, min_interval, keep_alive), "options": _calls.options(options)}
        hub = _native.Hub.of_thread()
        answer = self._engine._call(self._at.call("frame", frame=frame, open=open, **given), hub=hub)
        if isinstance(answer, str):
            yield answer
            return
        with self._engine._reply(self._at, answer, hub) as reply:
            for data in reply._frames():
                yield data.decode()

    def cancel(self, turn: str) -> None:
        """Stops a turn, wherever it runs. The text so far is kept."""
        self._engine._ask(_calls.do(self._at, "cancel", turn=turn))

    def sessions(
        self, after: Cursor | None = None, limit: int | None = None, *, archived: bool | None = None
    ) -> SessionPage:
        """A page of the sessions that are not put away, or of those that are: the pinned ones first, then the latest changed,
        after a page before."""
        return self._engine._ask(_calls.sessions(self._at, after, limit, archived))

    def turns(self) -> list[tuple[str, str]]:
        """The turns that run, in any process: pairs of session and turn."""
        return self._engine._ask(_calls.turns(self._at))

    def changes(self, after: int | None = None, limit: int | None = None) -> list[Change]:
        """Changes after a number, in order. They are kept for 24 hours."""
        return self._engine._ask(_calls.changes(self._at, after, limit))

    def import_(
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
        return self._engine._ask(ask, on_progress)

    def export(self, format: ExportFormat | None = None, *, on_progress: OnProgress | None = None) -> Iterator[str]:
        """All conversations, as text in pieces. `on_progress` hears how many sessions are written."""
        sessions = self._engine._ask(_transfer.export_list(self._at))
        for done, session in enumerate(sessions, 1):
            yield from self._engine._pages(At(self._at.owner, session), format, True)
            if on_progress is not None:
                on_progress(done, len(sessions))


class Session(OneSession):
    """One conversation. Making the handle costs nothing; the first send makes the session."""

    @property
    def id(self) -> str:
        """Its id."""
        return self._at.session or ""

    def send(self, words: Content, **options: Unpack[SendOptions]) -> Reply:
        """Says something, a text or texts and pictures; returns once the message is committed."""
        return self._engine._begin(self._at, "send", content=content(words), options=_calls.options(options))

    def edit(self, seq: int, words: Content, **options: Unpack[SendOptions]) -> Reply:
        """Says something else instead of an earlier message of the user, as a new branch beside it."""
        return self._engine._begin(self._at, "edit", seq=seq, content=content(words), options=_calls.options(options))

    def regenerate(self, seq: int | None = None, **options: Unpack[SendOptions]) -> Reply:
        """Asks for another answer beside an earlier one; `None` for the newest."""
        return self._engine._begin(self._at, "regenerate", seq=seq, options=_calls.options(options))

    def send_after(self, seq: int, words: Content, **options: Unpack[SendOptions]) -> Reply:
        """Says something after a message of the tree, as a new branch if that has been answered before."""
        given = {"content": content(words), "options": _calls.options(options)}
        return self._engine._begin(self._at, "send_after", seq=seq, **given)

    def continue_reply(self, seq: int | None = None, **options: Unpack[SendOptions]) -> Reply:
        """Goes on with a reply that was cut off, or with any other (`None`: the newest), as a new reply that follows it."""
        return self._engine._begin(self._at, "continue_reply", seq=seq, options=_calls.options(options))

    def decide(self, *decisions: Decision, **options: Unpack[SendOptions]) -> Reply:
        """Decides about all calls that the newest reply waits with (`finished.pending`), and goes on as a new turn: from any
        process, once."""
        made = [decision.to_dict() for decision in decisions]
        return self._engine._begin(self._at, "decide", decisions=made, options=_calls.options(options))

    def attach(self, turn: str, offset: int | None = None, *, on_drop: OnDrop | None = None) -> Reply:
        """Watches a turn of this session from an offset on."""
        return self._engine._begin(self._at, "attach", turn=turn, offset=offset, on_drop=on_drop)

    def resume(self, *, on_drop: OnDrop | None = None) -> Reply | None:
        """Watches the turn that runs here, from its beginning; `None` if there is none."""
        hub = _native.Hub.of_thread()
        stream = self._engine._call(self._at.call("resume", on_drop=on_drop), hub=hub)
        return None if stream is None else self._engine._reply(self._at, stream, hub)

    def ui_messages(self, last: int | None = None) -> list[dict[str, Any]]:
        """The newest messages of the active branch as the AI SDK's `UIMessage`s, to begin a chat with."""
        return self._engine._ask(_calls.ui_messages(self._at, last))

    def history(self, last: int | None = None) -> list[Message]:
        """The newest messages of the active branch, oldest first."""
        return self._engine._ask(_calls.history(self._at, last))

    def tree(self, after: int | None = None, limit: int | None = None) -> list[Message]:
        """Messages of all branches after a number, in order."""
        return self._engine._ask(_calls.tree(self._at, after, limit))

    def export(self, format: ExportFormat | None = None) -> Iterator[str]:
        """This conversation, as text in pieces."""
        return self._engine._pages(self._at, format, False)
