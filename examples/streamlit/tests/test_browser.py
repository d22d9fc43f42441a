"""In a real browser: an answer goes on through a reload, is stopped while it comes, and outlives the server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import PATIENCE, Chromium, Tab, until
from scripted_openai import Model

APP = Path(__file__).parents[1]
KEY = "sk-a-key-that-nobody-may-see"
PROMPT, PASSWORD = "textarea", "input[type=password]"


@pytest.fixture
def model() -> Iterator[Model]:
    served = Model()
    yield served
    served.close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    browser = Chromium(tmp_path / "profile")
    yield browser
    browser.close()


class Server:
    """`streamlit run app.py` on a port of its own, as often as it is started."""

    def __init__(self, folder: Path, model: Model) -> None:
        self.folder, self.log = folder, folder / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        names = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
        self.env = {name: os.environ[name] for name in names if name in os.environ} | {"HOME": str(folder)}
        self.env |= {"DATABASE_URL": f"sqlite:///{folder}/chat.db", "OPENAI_BASE_URL": model.url}

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=APP, env=self.env, stdout=log, stderr=log)
        until(self._healthy)

    def _healthy(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def end(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(PATIENCE)


@pytest.fixture
def server(tmp_path: Path, model: Model) -> Iterator[Server]:
    server = Server(tmp_path, model)
    server.start()
    yield server
    if server.process.poll() is None:
        server.end(signal.SIGKILL)


def begun(tab: Tab, words: str) -> None:
    tab.type(PASSWORD, KEY)
    until(lambda: tab.run(f"document.querySelector({json.dumps(PASSWORD)}).value") == KEY)
    tab.type(PROMPT, words)


def test_a_reload_in_the_middle_of_an_answer_goes_on_with_it(server: Server, browser: Chromium, model: Model) -> None:
    tab = browser.tab(server.url)
    begun(tab, "*2 miau |#half|*2 purr ")
    tab.shows("miau miau", "Stop")
    until(lambda: "?session=" in tab.url)
    other = browser.tab(tab.url)
    tab.go(tab.url)
    for each in (tab, other):
        each.shows("miau miau", "Stop")
        # The key is nowhere: not in the address, not in the page, not kept by the browser.
        assert KEY not in each.url
        kept = "document.documentElement.outerHTML + JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie"
        assert KEY not in each.run(kept)
    model.open("half")
    for each in (tab, other):
        each.shows("miau miau purr purr", "Try again")
        assert "Stop" not in each.text
    tab.go(tab.url)
    tab.shows("miau miau purr purr", "Try again")
    # The side bar is painted after the answer.
    until(lambda: tab.run(f"document.querySelector({json.dumps(PASSWORD)})?.value ?? null") == "")
    assert len(model.asked) == 1
    server.end()
    stored = b"".join(path.read_bytes() for path in server.folder.glob("chat.db*"))
    assert b"miau miau" in stored and KEY.encode() not in stored
    assert KEY not in server.log.read_text() and "miau miau" not in server.log.read_text()


@pytest.mark.parametrize("words", ["*2 miau |#never|", "#before-the-first|"])
def test_stop_works_while_it_comes_and_before(server: Server, browser: Chromium, model: Model, words: str) -> None:
    tab = browser.tab(server.url)
    begun(tab, words)
    tab.shows("miau miau" if "miau" in words else "…", "Stop")
    tab.click("Stop")
    tab.shows("Stopped.", "Try again")
    assert model.hung_up.acquire(timeout=PATIENCE)
    tab.go(tab.url)
    tab.shows("Stopped.", *(["miau miau"] if "miau" in words else []))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_answer_whose_server_ends_is_interrupted_with_its_text(
    server: Server, browser: Chromium, model: Model, how: int
) -> None:
    tab = browser.tab(server.url)
    begun(tab, "*2 miau |#never|*2 purr ")
    tab.shows("miau miau", "Stop")
    until(lambda: "?session=" in tab.url)
    stored: Callable[[], bool] = lambda: b"miau miau " in b"".join(p.read_bytes() for p in server.folder.glob("chat.db*"))
    until(stored)
    server.end(how)
    server.start()
    tab.go(tab.url)
    tab.shows("miau miau", "Interrupted.", "Try again")
    model.open("never")
    tab.click("Try again")
    tab.shows("miau miau purr purr")
