"""Errors: one class a kind. The kinds, and what they mean, are the core's."""

from __future__ import annotations

import builtins
import json
from collections import OrderedDict
from typing import Any, ClassVar

from . import _native

_KINDS = {code: (retryable, status) for code, retryable, status in _native.kinds()}


class CatgptError(Exception):
    """What every failing call raises. Neither a key nor the text of a message ever stands in it."""

    code: ClassVar[str] = "unexpected"
    """The kind's stable name, the same in every language."""

    message: str
    """A sentence for people."""
    retryable: bool
    """Whether the same call may succeed later."""
    retry_after: float | None
    """Seconds that the other side asked to wait."""
    turn: str | None
    """The turn that this is about: of a busy session, the one that runs."""
    limit: dict[str, Any] | None
    """The limit that is reached: its `name`, its `unit` and its `max`."""

    def __init__(
        self,
        message: str = "",
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        turn: str | None = None,
        limit: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = _KINDS[self.code][0] if retryable is None else retryable
        self.retry_after = retry_after
        self.turn = turn
        self.limit = limit

    @property
    def http_status(self) -> int:
        """The HTTP status with which a server tells its client."""
        return _KINDS[self.code][1]

    def to_dict(self) -> dict[str, Any]:
        """The error's JSON form."""
        data: dict[str, Any] = {"kind": self.code, "message": self.message, "retryable": self.retryable}
        if self.retry_after is not None:
            data["retry_after_ms"] = round(self.retry_after * 1000)
        if self.turn is not None:
            data["turn"] = self.turn
        if self.limit is not None:
            data["limit"] = self.limit
        return data

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, CatgptError) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.code, self.message, self.turn))

    def __reduce__(self) -> tuple[Any, ...]:
        return from_dict, (self.to_dict(),)


class InvalidInputError(CatgptError, ValueError):
    """Something was given that cannot be used: a bad id, an empty prompt, a message that is too large."""

    code = "invalid_input"


class StreamBusyError(InvalidInputError, RuntimeError):
    """Two tasks read from one reply. Attach to the turn once more instead."""


class NotFoundError(CatgptError, LookupError):
    """No such session, turn, message or persona for this owner."""

    code = "not_found"


class BusyError(CatgptError):
    """Another turn runs in the session; `turn` names it."""

    code = "busy"


class ConflictError(CatgptError):
    """The session changed meanwhile, or an idempotency key was used for other content."""

    code = "conflict"


class UnauthorizedError(CatgptError):
    """The model refused the credentials, or none were given."""

    code = "unauthorized"


class RateLimitedError(CatgptError):
    """The model's rate limit or quota; see `retry_after`."""

    code = "rate_limited"


class LimitedError(CatgptError):
    """A limit of this engine's own is reached: `limit` says which, `retry_after` when it opens at the latest."""

    code = "limited"


class TimeoutError(CatgptError, builtins.TimeoutError):
    """Nothing arrived in time."""

    code = "timeout"


class UnavailableError(CatgptError, ConnectionError):
    """The model could not be reached, or failed on its side."""

    code = "unavailable"


class TruncatedError(CatgptError):
    """The answer ended before it was whole."""

    code = "truncated"


class RefusedError(CatgptError):
    """The model or its provider refused to answer this."""

    code = "refused"


class ContextTooLongError(CatgptError):
    """The conversation does not fit into the model's context."""

    code = "context_too_long"


class StoreError(CatgptError):
    """The durable store cannot be reached, is locked, or is damaged."""

    code = "store"


class StoreFullError(CatgptError):
    """The durable store has no room left, or may not be written."""

    code = "store_full"


class UnsupportedError(CatgptError, NotImplementedError):
    """The backend cannot do this at all."""

    code = "unsupported"


class ClosedError(CatgptError):
    """The engine is closing."""

    code = "closed"


class UnexpectedError(CatgptError):
    """A defect or a state that should not exist; worth a report."""


class ToolError(Exception):
    """What a tool raises to tell the model what went wrong. Of any other exception the model hears the type's name
    alone: what it says may be secret."""

    def to_dict(self) -> dict[str, Any]:
        """As the core is told."""
        return RefusedError(str(self)).to_dict()


CLASSES: dict[str, type[CatgptError]] = {cls.code: cls for cls in CatgptError.__subclasses__()}

_raised: OrderedDict[int | str, BaseException] = OrderedDict()
"""What the application's own code raised, by question and by turn; the newest few."""


def keep(key: int | str, error: BaseException) -> None:
    """Keeps an exception until the failure that it caused comes back."""
    _raised[key] = error
    while len(_raised) > 64:
        _raised.popitem(last=False)


def from_dict(info: dict[str, Any], cause: int | str | None = None) -> CatgptError:
    """The exception of an error's JSON form. A kind that is newer than this code is the base class."""
    after = info.get("retry_after_ms")
    error = CLASSES.get(info["kind"], CatgptError)(
        info["message"],
        retryable=info["retryable"],
        retry_after=None if after is None else after / 1000,
        turn=info.get("turn"),
        limit=info.get("limit"),
    )
    if cause is not None:
        error.__cause__ = _raised.get(cause)
    return error


def from_json(info: str, cause: int | str | None = None) -> CatgptError:
    """The same from text; the native module calls this."""
    return from_dict(json.loads(info), cause)
