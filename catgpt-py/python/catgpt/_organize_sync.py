"""The same as `_organize` for blocking code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

from . import _append, _calls, _http, _native
from ._append import After, NewMessage
from ._calls import At, NewSession, OnProgress, SendOptions
from ._data import SessionInfo, Summary
from ._found import Branch, MessagePage, News, Node, SearchPage
from ._http import ServedSync
from ._limits import GroupBy, Limit, LimitState, Spent
from ._persona import Persona

if TYPE_CHECKING:
    from .sync import Engine


class OneSession:
    """A session as a thing in a list, and as a tree."""

    def __init__(self, engine: Engine, at: At) -> None:
        self._engine = engine
        self._at = at

    def create(self, **given: Unpack[NewSession]) -> SessionInfo:
        """Makes it before anything is said, and tells what is there then. One that is there already is left as it is."""
        return self._engine._ask(_calls.create(self._at, given))

    def info(self) -> SessionInfo:
        """What is known about it besides its messages."""
        return self._engine._ask(_calls.info(self._at))

    def append(
        self,
        messages: Iterable[NewMessage],
        *,
        after: After | None = None,
        if_version: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> list[int]:
        """Adds finished messages that were written elsewhere, all of them or none, and tells their numbers: after the newest
        of the branch that is shown, or where `after` says, which is what is shown then. Makes the session if it is not there.
        Without messages it only moves to that place. With `if_version` only if nothing has changed since (0: only if it is
        not there). `metadata` is kept in the same step, in the place of what was kept."""
        return self._engine._ask(_append.append(self._at, messages, after, if_version, metadata))

    def rename(self, title: str) -> None:
        """Gives it a title."""
        self._engine._ask(_calls.do(self._at, "rename", title=title))

    def make_title(
        self, *, limits: Sequence[Limit] | None = None, limit_keys: Mapping[str, str] | None = None
    ) -> str:
        """Has a model make a title of the first message now, and tells it. One that a person gave stays: then this is a
        `ConflictError`. It counts as a turn, by the engine's limits or by these."""
        return self._engine._ask(_calls.make_title(self._at, limits, limit_keys))

    def summaries(self) -> list[Summary]:
        """All summaries that were ever made here."""
        return self._engine._ask(_calls.summaries(self._at))

    def summarize(
        self,
        upto: int | None = None,
        *,
        limits: Sequence[Limit] | None = None,
        limit_keys: Mapping[str, str] | None = None,
    ) -> Summary:
        """Has the conversation summed up now, up to the end of the turn of a message (else of the newest whole turn), and
        uses that from the next turn on. It counts as a turn, by the engine's limits or by these."""
        return self._engine._ask(_calls.summarize(self._at, upto, limits, limit_keys))

    def set_summary(self, summary: int | None) -> None:
        """Uses a former summary again, or none, from the next turn on."""
        self._engine._ask(_calls.do(self._at, "set_summary", summary=summary))

    def set_pinned(self, pinned: bool) -> None:
        """Lets it stand before the others in lists, or among them again."""
        self._engine._ask(_calls.do(self._at, "set_pinned", pinned=pinned))

    def set_archived(self, archived: bool) -> None:
        """Puts it away, or takes it out again: a list shows either those that are put away or those that are not."""
        self._engine._ask(_calls.do(self._at, "set_archived", archived=archived))

    def set_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Keeps this with it, in the place of what was kept; `{}` takes it away."""
        self._engine._ask(_calls.do(self._at, "set_metadata", metadata=dict(metadata)))

    def set_ttl(self, ttl: float | None) -> None:
        """Says how many seconds after its last change it is deleted with all that was said; `None`: never."""
        self._engine._ask(_calls.do(self._at, "set_ttl", ttl_ms=_calls.milliseconds(ttl)))

    def set_persona(self, persona: Persona | str) -> None:
        """Gives it another persona, from the next turn on."""
        self._engine._ask(_calls.persona(self._at, persona))

    def page(self, head: int | None = None, last: int | None = None) -> MessagePage:
        """The newest messages of the branch that ends at `head`, or of the one that is shown, with their siblings: what a
        chat's page shows. To go back, the first one's `parent` is the next `head`."""
        return self._engine._ask(_calls.message_page(self._at, head, last))

    def outline(self) -> list[Node]:
        """All messages without their words, by number."""
        return self._engine._ask(_calls.outline(self._at))

    def branches(self) -> list[Branch]:
        """Its branches, the oldest first."""
        return self._engine._ask(_calls.branches(self._at))

    def select(self, head: int, *, if_version: int | None = None) -> None:
        """Shows the branch that ends at `head`; with `if_version` only if nothing has changed since."""
        self._engine._ask(_calls.do(self._at, "select", head=head, if_version=if_version))

    def select_through(self, seq: int) -> None:
        """Shows the branch through a message that has grown last, as a branch switcher does."""
        self._engine._ask(_calls.do(self._at, "select_through", seq=seq))

    def fork(self, id: str | None = None, *, upto: int | None = None) -> Self:
        """Copies the active branch, or the one that ends at `upto`, into a new session: with this id, or a fresh one."""
        return type(self)(self._engine, self._engine._ask(_calls.fork(self._at, id, upto)))

    def delete(self, *, if_version: int | None = None) -> None:
        """Deletes it with all that was said. A turn that runs in it ends; with `if_version` only if nothing has changed
        since, and no turn runs."""
        self._engine._ask(_calls.do(self._at, "delete", if_version=if_version))


class AllSessions:
    """What an owner has, as a whole."""

    def __init__(self, engine: Engine, at: At) -> None:
        self._engine = engine
        self._at = at

    def delete(self, ids: Iterable[str]) -> int:
        """Deletes those of these sessions that are there, and says how many. Turns that run in them end."""
        return self._engine._ask(_calls.count(self._at, "delete_many", sessions=list(ids)))

    def delete_empty(self) -> int:
        """Deletes the sessions in which nothing was ever said, and says how many."""
        return self._engine._ask(_calls.count(self._at, "delete_empty"))

    def erase(self, *, on_progress: OnProgress | None = None) -> int:
        """Deletes all that the store has of this owner, and says how many sessions. `on_progress` hears how many are gone.
        If it fails, call it again to go on."""
        watch = on_progress is not None
        return self._engine._ask(_calls.count(self._at, "erase", watch=watch), on_progress)

    def claim(self, guest: str, *, wait: float | None = None) -> int:
        """Takes over all that another owner has, as when a guest signs in, and says how many sessions came. Turns that run
        there are waited for, 10 seconds or `wait`. That the two are one person is for you to know."""
        wait_ms = _calls.milliseconds(wait)
        return self._engine._ask(_calls.count(self._at, "claim", wait_ms=wait_ms, **{"from": guest}))

    def search(self, question: str, after: str | None = None, limit: int | None = None) -> SearchPage:
        """Messages and titles that have all words of `question`, the newest first; its last word may be a beginning. Case,
        accents and forms of letters make no difference."""
        return self._engine._ask(_calls.search(self._at, question, after, limit))

    def index(self, *, on_progress: OnProgress | None = None) -> None:
        """Makes all messages findable that are not yet: for after a large import, since searches and sweeps do it too.
        `on_progress` hears how many so far."""
        self._engine._ask(_calls.do(self._at, "index", watch=on_progress is not None), on_progress)

    def reseal(self, *, on_progress: OnProgress | None = None) -> int:
        """Puts all that the store has of this owner under the newest key of the engine's `encryption`, while it is in use,
        and says how many records were written. `on_progress` hears how many sessions are done. If it fails, call it again
        to go on."""
        watch = on_progress is not None
        return self._engine._ask(_calls.count(self._at, "reseal", watch=watch), on_progress)

    def feed(self, after: int | None = None) -> Iterator[News]:
        """What happens to the sessions, in any process: `for news in user.feed()`. It goes on after number `after`, or
        begins now. The numbers are dense: a gap says that changes older than 24 h were forgotten, and the sessions have to
        be listed again."""
        while True:
            after, news = _calls.page(self._engine._call(_calls.news(self._at, after)))
            yield from news

    def usage(
        self,
        by: Sequence[GroupBy] | None = None,
        *,
        session: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> list[Spent]:
        """What the owner's turns have used, however they ended, summed up by what `by` tells apart. Days are those of UTC;
        that of `to_ms` is not counted."""
        return self._engine._ask(_calls.usage(self._at, by, session, from_ms, to_ms))

    def limits(
        self, limits: Sequence[Limit] | None = None, *, limit_keys: Mapping[str, str] | None = None
    ) -> list[LimitState]:
        """How far the owner has come with these limits, or with the engine's. Those that count by a key are left out, but
        for the keys that are given."""
        return self._engine._ask(_calls.limit_states(self._at, limits, limit_keys))

    def serve(
        self,
        method: str,
        path: str,
        query: str = "",
        body: str | bytes = b"",
        *,
        last_event_id: str | None = None,
        accept: str | None = None,
        **options: Unpack[SendOptions],
    ) -> ServedSync:
        """Answers a request of the HTTP API that comes with the engine. `path` is what stands below where it is mounted, as
        it stands in the request line. `options` hold for every send. What goes wrong is in the response."""
        hub = _native.Hub.of_thread()
        call = _http.request(self._at, method, path, query, body, last_event_id, accept, options)
        return ServedSync(self._engine._call(call, hub=hub), hub)
