"""What the tests of the Python applications share: each is started as its user starts it, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from catgpt.testing import FakeOpenAI

PATIENCE = 20.0
"""Seconds that a test waits for what should happen at once."""
OURS = re.compile("OPENAI_|DATABASE_URL|SQLITE_URL|REDIS_URL|FORWARDED_ALLOW_IPS|WEB_CONCURRENCY|RATE_LIMIT|IMAGE_|MODELS|SESSION_TTL")


def until(condition: Callable[[], Any]) -> Any:
    """Waits until it says something true, and gives that."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "this never came to be"
        time.sleep(0.005)
    return found


class Application:
    """A running application."""

    def __init__(self, backend: Path, log: Path, env: dict[str, str]) -> None:
        self.log_file = log
        clean = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        command = [sys.executable, "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0"]
        command += ["--timeout-graceful-shutdown", "2"]
        # A developer's own `.env` is no part of a test.
        more = {"PYTHON_DOTENV_DISABLED": "1", "PYTHONUNBUFFERED": "1", **env}
        with log.open("ab") as out:
            from_byte = out.tell()
            self.process = subprocess.Popen(command, cwd=backend, env=clean | more, stdout=out, stderr=out)
        self._from = from_byte
        self.url = until(self._listening)

    def _listening(self) -> str | None:
        assert self.process.poll() is None, self.log
        found = re.search(r"running on (http://127\.0\.0\.1:\d+)", self.log)
        return found and found[1]

    @property
    def log(self) -> str:
        """What it has printed."""
        return self.log_file.read_bytes()[self._from :].decode()

    def browser(self, **options: Any) -> httpx.Client:
        """A client with cookies of its own."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, **options)

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Ends it, and gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE)


Start = Callable[..., Application]


@pytest.fixture
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts the application that the test stands beside, with these variables."""
    backend, running = request.path.parents[1] / "backend", list[Application]()

    def begin(**env: str) -> Application:
        running.append(Application(backend, tmp_path / "server.log", env))
        return running[-1]

    yield begin
    for application in running:
        application.stop(signal.SIGKILL)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Waits until a condition says something true, and gives that."""
    return until


@pytest.fixture
def model() -> Iterator[FakeOpenAI]:
    """A model server: what is asked of it is in `model.requests`."""
    with FakeOpenAI() as server:
        yield server
