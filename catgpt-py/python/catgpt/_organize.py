"""What is done to sessions beside talking in them: to one as a thing in a list and as a tree, and to all of an owner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

from . import _append, _calls, _http, _hub
from ._append import After, NewMessage
from ._calls import At, NewSession, OnProgress, SendOptions
from ._data import SessionInfo, Summary
from ._feed import Feed
from ._found import Branch, MessagePage, Node, SearchPage
from ._http import Served
from ._limits import GroupBy, Limit, LimitState, Spent
from ._persona import Persona

if TYPE_CHECKING:
    from ._engine import Engine


class OneSession:
    """A session as a thing in a list, and as a tree."""

    def __init__(self, engine: Engine, at: At) -> None:
        self._engine = engine
        self._at = at

    async def create(self, **given: Unpack[NewSession]) -> SessionInfo:
        """Makes it before anything is said, and tells what is there then. One that is there already is left as it is."""
        return await self._engine._ask(_calls.create(self._at, given))

    async def info(self) -> SessionInfo:
        """What is known about it besides its messages."""
        return await self._engine._ask(_calls.info(self._at))

    async def append(
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
        return await self._engine._ask(_append.append(self._at, messages, after, if_version, metadata))

    async def rename(self, title: str) -> None:
        """Gives it a title."""
        await self._engine._ask(_calls.do(self._at, "rename", title=title))

    async def make_title(
        self, *, limits: Sequence[Limit] | None = None, limit_keys: Mapping[str, str] | None = None
    ) -> str:
        """Has a model make a title of the first message now, and tells it. One that a person gave stays: then this is a
        `ConflictError`. It counts as a turn, by the engine's limits or by these."""
        return await self._engine._ask(_calls.make_title(self._at, limits, limit_keys))

    async def summaries(self) -> list[Summary]:
        """All summaries that were ever made here."""
        return await self._engine._ask(_calls.summaries(self._at))

    async def summarize(
        self,
        upto: int | None = None,
        *,
        limits: Sequence[Limit] | None = None,
        limit_keys: Mapping[str, str] | None = None,
    ) -> Summary:
        """Has the conversation summed up now, up to the end of the turn of a message (else of the newest whole turn), and
        uses that from the next turn on. It counts as a turn, by the engine's limits or by these."""
        return await self._engine._ask(_calls.summarize(self._at, upto, limits, limit_keys))

    async def set_summary(self, summary: int | None) -> None:
        """Uses a former summary again, or none, from the next turn on."""
        await self._engine._ask(_calls.do(self._at, "set_summary", summary=summary))

    async def set_pinned(self, pinned: bool) -> None:
        """Lets it stand before the others in lists, or among them again."""
        await self._engine._ask(_calls.do(self._at, "set_pinned", pinned=pinned))

    async def set_archived(self, archived: bool) -> None:
        """Puts it away, or takes it out again: a list shows either those that are put away or those that are not."""
        await self._engine._ask(_calls.do(self._at, "set_archived", archived=archived))

    async def set_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Keeps this with it, in the place of what was kept; `{}` takes it away."""
        await self._engine._ask(_calls.do(self._at, "set_metadata", metadata=dict(metadata)))

    async def set_ttl(self, ttl: float | None) -> None:
        """Says how many seconds after its last change it is deleted with all that was said; `None`: never."""
        await self._engine._ask(_calls.do(self._at, "set_ttl", ttl_ms=_calls.milliseconds(ttl)))

    async def set_persona(self, persona: Persona | str) -> None:
        """Gives it another persona, from the next turn on."""
        await self._engine._ask(_calls.persona(self._at, persona))

    async def page(self, head: int | None = None, last: int | None = None) -> MessagePage:
        """The newest messages of the branch that ends at `head`, or of the one that is shown, with their siblings: what a
        chat's page shows. To go back, the first one's `parent` is the next `head`."""
        return await self._engine._ask(_calls.message_page(self._at, head, last))

    async def outline(self) -> list[Node]:
        """All messages without their words, by number."""
        return await self._engine._ask(_calls.outline(self._at))

    async def branches(self) -> list[Branch]:
        """Its branches, the oldest first."""
        return await self._engine._ask(_calls.branches(self._at))

    async def select(self, head: int, *, if_version: int | None = None) -> None:
        """Shows the branch that ends at `head`; with `if_version` only if nothing has changed since."""
        await self._engine._ask(_calls.do(self._at, "select", head=head, if_version=if_version))

    async def select_through(self, seq: int) -> None:
        """Shows the branch through a message that has grown last, as a branch switcher does."""
        await self._engine._ask(_calls.do(self._at, "select_through", seq=seq))

    async def fork(self, id: str | None = None, *, upto: int | None = None) -> Self:
        """Copies the active branch, or the one that ends at `upto`, into a new session: with this id, or a fresh one."""
        return type(self)(self._engine, await self._engine._ask(_calls.fork(self._at, id, upto)))

    async def delete(self, *, if_version: int | None = None) -> None:
        """Deletes it with all that was said. A turn that runs in it ends; with `if_version` only if nothing has changed
        since, and no turn runs."""
        await self._engine._ask(_calls.do(self._at, "delete", if_version=if_version))


class AllSessions:
    """What an owner has, as a whole."""

    def __init__(self, engine: Engine, at: At) -> None:
        self._engine = engine
        self._at = at

    async def delete(self, ids: Iterable[str]) -> int:
        """Deletes those of these sessions that are there, and says how many. Turns that run in them end."""
        return await self._engine._ask(_calls.count(self._at, "delete_many", sessions=list(ids)))

    async def delete_empty(self) -> int:
        """Deletes the sessions in which nothing was ever said, and says how many."""
        return await self._engine._ask(_calls.count(self._at, "delete_empty"))

    async def erase(self, *, on_progress: OnProgress | None = None) -> int:
        """Deletes all that the store has of this owner, and says how many sessions. `on_progress` hears how many are gone.
        If it fails, call it again to go on."""
        watch = on_progress is not None
        return await self._engine._ask(_calls.count(self._at, "erase", watch=watch), on_progress)

    async def claim(self, guest: str, *, wait: float | None = None) -> int:
        """Takes over all that another owner has, as when a guest signs in, and says how many sessions came. Turns that run
        there are waited for, 10 seconds or `wait`. That the two are one person is for you to know."""
        wait_ms = _calls.milliseconds(wait)
        return await self._engine._ask(_calls.count(self._at, "claim", wait_ms=wait_ms, **{"from": guest}))

    async def search(self, question: str, after: str | None = None, limit: int | None = None) -> SearchPage:
        """Messages and titles that have all words of `question`, the newest first; its last word may be a beginning. Case,
        accents and forms of letters make no difference."""
        return await self._engine._ask(_calls.search(self._at, question, after, limit))

    async def index(self, *, on_progress: OnProgress | None = None) -> None:
        """Makes all messages findable that are not yet: for after a large import, since searches and sweeps do it too.
        `on_progress` hears how many so far."""
        await self._engine._ask(_calls.do(self._at, "index", watch=on_progress is not None), on_progress)

    async def reseal(self, *, on_progress: OnProgress | None = None) -> int:
        """Puts all that the store has of this owner under the newest key of the engine's `encryption`, while it is in use,
        and says how many records were written. `on_progress` hears how many sessions are done. If it fails, call it again
        to go on."""
        watch = on_progress is not None
        return await self._engine._ask(_calls.count(self._at, "reseal", watch=watch), on_progress)

    def feed(self, after: int | None = None) -> Feed:
        """What happens to the sessions, in any process: `async for news in user.feed()`. What a list of sessions and a
        second tab listen to. It goes on after number `after`, or begins now. The numbers are dense: a gap says that changes
        older than 24 h were forgotten, and the sessions have to be listed again."""
        return Feed(self._engine, self._at, after)

    async def usage(
        self,
        by: Sequence[GroupBy] | None = None,
        *,
        session: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> list[Spent]:
        """What the owner's turns have used, however they ended, summed up by what `by` tells apart. Days are those of UTC;
        that of `to_ms` is not counted."""
        return await self._engine._ask(_calls.usage(self._at, by, session, from_ms, to_ms))

    async def limits(
        self, limits: Sequence[Limit] | None = None, *, limit_keys: Mapping[str, str] | None = None
    ) -> list[LimitState]:
        """How far the owner has come with these limits, or with the engine's. Those that count by a key are left out, but
        for the keys that are given."""
        return await self._engine._ask(_calls.limit_states(self._at, limits, limit_keys))

    async def serve(
        self,
        method: str,
        path: str,
        query: str = "",
        body: str | bytes = b"",
        *,
        last_event_id: str | None = None,
        accept: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Served:
        """Answers a request of the HTTP API that comes with the engine. `path` is what stands below where it is mounted, as
        it stands in the request line. `options` hold for every send. What goes wrong is in the response."""
        call = _http.request(self._at, method, path, query, body, last_event_id, accept, options)
        return Served(await self._engine._call(call), _hub.current())
