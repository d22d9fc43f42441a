"""For tests: a model that plays scripts, and a model server that fails in every known way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from . import _native

Step: TypeAlias = str | dict[str, Any]
"""`"text"`, or an object with one key: `text`, `reasoning`, `tool_call`, `part`, `usage`, `finish`, `error` (a kind), `gate` (a
name), `delay_ms` or `hang`."""


class Scripted:
    """Plays scripts, one a call; the last one repeats. A script is a text, which is said and finished, or a list of steps,
    where a script that ends without `{"finish": "stop"}` is an answer that was cut off."""

    def __init__(self, *scripts: str | Sequence[Step]) -> None:
        self._play = _native.Play(json.dumps([_script(script) for script in scripts]))

    def open(self, gate: str) -> bool:
        """Lets a script go on; says whether there is such a gate."""
        return self._play.open(gate)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What it was asked, in order: the role and text (and `images`) of the messages, the parameters, the model."""
        requests: list[dict[str, Any]] = json.loads(self._play.requests())
        return requests

    @property
    def dropped(self) -> int:
        """How many of its answers were stopped before their end."""
        return self._play.dropped()


def _script(script: str | Sequence[Step]) -> list[dict[str, Any]]:
    if isinstance(script, str):
        return [{"text": script}, {"finish": "stop"}]
    return [{"text": step} if isinstance(step, str) else step for step in script]


class FakeOpenAI:
    """A Chat Completions server on a free port of the loopback, for tests of a whole client path: give its `url` as
    `base_url`. The model's name says how it answers: `mock,n=100` says a hundred words, `mock,f=cut,k=5` is cut off after
    five; the knobs are those of `catgpt_core::testkit`."""

    def __init__(self) -> None:
        self._server = _native.FakeServer()

    @property
    def url(self) -> str:
        """Its base URL."""
        return self._server.url

    def next(self, knobs: str) -> None:
        """Says how one of the next requests is answered: `f=cut,k=1`. Then the model's name decides."""
        self._server.next(knobs)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What came so far: path, headers, body, and how far the answer has come."""
        requests: list[dict[str, Any]] = json.loads(self._server.requests())
        return requests

    def close(self) -> None:
        """Ends it."""
        self._server.close()

    def __enter__(self) -> FakeOpenAI:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
