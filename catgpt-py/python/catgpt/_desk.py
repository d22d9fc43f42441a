"""Models and stores that are written in Python: what they must offer, and how they, hooks and tools are asked."""

from __future__ import annotations

import inspect
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias, TypedDict

from . import _errors, _native
from ._content import Image
from ._data import Call, Part, Request, Usage
from ._hooks import Hooks
from ._hub import Hub
from ._tools import Tools, readable


class Delta(TypedDict, total=False):
    """Something that a model says, beside plain text. It has one of these."""

    text: str
    reasoning: str
    tool_call: Call
    part: Part
    """A picture, a citation, or a part of your own: `{"type": "chart", …}`."""
    usage: Mapping[str, int]
    finish: str


Said: TypeAlias = str | Image | Delta | Usage


class ChatModel(ABC):
    """A model of your own. Returning is finishing: code that has not said everything raises."""

    name: ClassVar[str] = "python"
    """Kept with each reply."""
    first_timeout: ClassVar[float | None] = None
    """Seconds until the first piece; `None`: as the core has it."""
    idle_timeout: ClassVar[float | None] = None
    """Seconds between two pieces; `None`: as the core has it."""

    @abstractmethod
    def stream(self, request: Request) -> AsyncIterator[Said] | Iterator[Said]:
        """Yields what it says: text as `str`, a picture as an `Image`, other things as a `Delta`. Async, or a plain generator, which is run in a
        thread. A turn that is stopped cancels it."""


class Memory(ABC):
    """A store of your own. Each method is `async def`, or `def`, which is run in a thread. Arguments and answers are JSON
    data; encoded bodies are strings to be kept as they are. The contract is `catgpt_core::Memory`'s."""

    durable: ClassVar[bool] = False
    """Whether it survives the process."""
    shared: ClassVar[bool] = False
    """Whether other processes use it at the same time."""
    lease: ClassVar[float | None] = None
    """Seconds that a running turn is believed alive without a checkpoint."""
    poll: ClassVar[float | None] = None
    """Seconds between two looks for news of a turn that runs elsewhere."""
    timeout: ClassVar[float | None] = None
    """Seconds that one call may take."""

    @abstractmethod
    def begin_turn(self, owner: str, begin: dict[str, Any]) -> Any:
        """Claims the session and commits the user's message and an empty running reply."""

    @abstractmethod
    def checkpoint(self, owner: str, checkpoint: dict[str, Any]) -> Any:
        """Adds a piece to a running reply and renews its lease."""

    @abstractmethod
    def finish_turn(self, owner: str, finish: dict[str, Any]) -> Any:
        """Ends a turn."""

    @abstractmethod
    def apply(self, owner: str, op_id: str, ops: list[Any]) -> Any:
        """Runs all of `ops`, or none."""

    @abstractmethod
    def read(self, owner: str, read: dict[str, Any]) -> Any:
        """Reads from one session or one turn."""

    @abstractmethod
    def query(self, owner: str, query: Any) -> Any:
        """Looks over all sessions of an owner."""

    @abstractmethod
    def sweep(self, limit: int) -> Any:
        """Lists turns whose lease has run out, and deletes what is due."""

    def close(self) -> Any:
        """Lets go of what it holds."""
        return None


_WHOLE = {"begin_turn", "checkpoint", "finish_turn"}
"""The methods whose arguments, beside the owner, are one object."""


class Server:
    """Answers at one desk with the application's code, on the loop of one hub."""

    def __init__(self, code: ChatModel | Memory | Hooks | Tools) -> None:
        self.desk = _native.Desk()
        self.code = code
        self.hub: Hub | None = None
        self._running: dict[int, Callable[[], object]] = {}

    def __del__(self) -> None:
        self.desk.leave()

    def serve(self, hub: Hub) -> None:
        """Answers on this hub's loop from now on, unless it does on another one that is alive."""
        if self.hub is not hub and (self.hub is None or self.hub.closed()):
            self.hub = hub
            hub.servers[self.desk.id] = self
            self.desk.serve(hub.native)

    def asked(self, hub: Hub, number: int, method: str, body: dict[str, Any]) -> None:
        """Begins to answer."""
        self._running[number] = hub.spawn(self._answer(hub, number, method, body))

    def forget(self, number: int) -> None:
        """Stops answering."""
        cancel = self._running.pop(number, None)
        if cancel is not None:
            cancel()

    async def _answer(self, hub: Hub, number: int, method: str, body: dict[str, Any]) -> None:
        try:
            if isinstance(self.code, ChatModel):
                await self._stream(hub, number, self.code.stream(Request(**body)))
            else:
                self.desk.say(number, await self._ask(hub, self.code, method, body))
            self.desk.end(number)
        except Exception as error:
            self._failed(number, method, body, error)
        except BaseException as error:
            self.desk.raised(number, type(error).__name__)
            raise
        finally:
            self._running.pop(number, None)

    def _failed(self, number: int, method: str, body: dict[str, Any], error: Exception) -> None:
        _errors.keep(number, error)
        # What fails by it is the turn, and not a call of its own.
        if method == "stream" or (isinstance(self.code, Hooks) and method != "after_turn"):
            _errors.keep(body["turn"] or number, error)
        if (told := _told(error)) is not None:
            self.desk.fail(number, told)
        else:
            self.desk.raised(number, type(error).__name__)

    async def _ask(self, hub: Hub, asked: Memory | Hooks | Tools, method: str, body: dict[str, Any]) -> str:
        if isinstance(asked, Tools):
            return asked.said(await _run(hub, *asked.question(body)))
        if isinstance(asked, Hooks):
            return asked.said(method, await _run(hub, *asked.question(method, body)))
        owner = [body.pop("owner")] if "owner" in body else []
        arguments = [*owner, body] if method in _WHOLE else [*owner, *body.values()]
        return json.dumps(await _run(hub, getattr(asked, method), arguments))

    async def _stream(self, hub: Hub, number: int, said: Any) -> None:
        if not hasattr(said, "__aiter__"):
            await hub.in_thread(lambda: self._say_all(hub, number, iter(said)))
            return
        try:
            async for piece in said:
                match self.desk.say(number, _piece(piece)):
                    case "wait":
                        await hub.parked(number)
                    case "gone":
                        return
                    case _:
                        pass
        finally:
            hub.waiters.pop(number, None)
            if hasattr(said, "aclose"):
                await said.aclose()

    def _say_all(self, hub: Hub, number: int, said: Any) -> None:
        """In a thread. Nobody can stop it in the middle of a piece; after one it hears that nobody listens."""
        more = _More()
        hub.waiters[number] = more
        try:
            for piece in said:
                heard = self.desk.say(number, _piece(piece))
                if heard == "gone":
                    return
                if heard == "wait":
                    more.wait()
        finally:
            hub.waiters.pop(number, None)
            if hasattr(said, "close"):
                said.close()


async def _run(hub: Hub, code: Callable[..., Any], arguments: list[Any]) -> Any:
    if inspect.iscoroutinefunction(code):
        return await code(*arguments)
    answer = await hub.in_thread(lambda: code(*arguments))
    return await answer if inspect.isawaitable(answer) else answer


class _More:
    """Where a thread waits until more is wanted."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def done(self) -> bool:
        return False

    def set_result(self, _: Any, /) -> None:
        self._event.set()

    def wait(self) -> None:
        # A turn that is stopped does not ask for more, so this looks up now and then.
        self._event.wait(0.5)
        self._event.clear()


def _piece(said: Said) -> str:
    if isinstance(said, str):
        return json.dumps({"text": said})
    if isinstance(said, Image):
        return json.dumps({"part": said.to_dict()})
    return json.dumps({"usage": said.to_dict()} if isinstance(said, Usage) else said)


def _told(error: Exception) -> str | None:
    """What an error says, if it is one to be told. One that holds something else than it should is not: it must not leave
    the question without an answer."""
    if not isinstance(error, _errors.CatgptError | _errors.ToolError):
        return None
    try:
        return readable(error.to_dict())
    except Exception:
        return None
