"""The core's log as records of the logger `catgpt`, whose level and handlers are the application's business.

A thread of Python's waits for the lines, so that no thread of the engine ever enters Python. It begins with the first call
of an engine in an application that has set up logging, and follows the logger's level from call to call.
"""

from __future__ import annotations

import json
import logging
import threading

from . import _native

logger = logging.getLogger("catgpt")
logger.addHandler(logging.NullHandler())

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_lock = threading.Lock()
_listener: _Listener | None = None


class _Listener:
    def __init__(self) -> None:
        self.native = _native.Log()
        self.level: str | None = None
        self.over = False
        self.thread = threading.Thread(target=self._run, name="catgpt-log", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        over = False
        while not over:
            # In this order nothing that came before the end is lost.
            over = self.over
            for level, _, message, facts in self.native.wait():
                _emit(_LEVELS[level], message, json.loads(facts))

    def end(self, seconds: float) -> None:
        self.native.listen(None)
        self.over = True
        self.native.ring()
        self.thread.join(seconds)


def _emit(level: int, message: str, facts: dict[str, object]) -> None:
    shown = " ".join(f"{name}={value}" for name, value in facts.items())
    logger.log(level, "%s %s", message, shown, extra={"catgpt": facts})


def _wanted() -> str | None:
    """The lowest level that anybody would see."""
    lowest = logger.getEffectiveLevel()
    return next((name for name, level in _LEVELS.items() if level >= lowest), None) if _handled() else None


def _handled() -> bool:
    at: logging.Logger | None = logger
    while at is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False


def follow() -> None:
    """Listens as the logger is set now."""
    global _listener
    level = _wanted()
    if level == (_listener and _listener.level):
        return
    with _lock:
        _listener = _listener or _Listener()
        _listener.level = level
        _listener.native.listen(level)


def end(seconds: float) -> None:
    """Ends it, at exit."""
    global _listener
    if _listener is not None:
        _listener.end(seconds)
        _listener = None


def forked() -> None:
    """The thread is the parent's."""
    global _lock, _listener
    _lock, _listener = threading.Lock(), None
