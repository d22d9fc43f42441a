"""A headless Chromium, as far as a smoke test needs one: its own protocol over a web socket."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE = 40.0
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync --remote-debugging-port=0 --remote-allow-origins=*"


def until(condition: Callable[[], Any], what: Callable[[], str] = str) -> Any:
    """Waits until it says something true, and gives that."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"this never came to be: {what()}"
        time.sleep(0.05)
    return found


class Chromium:
    """A browser with a fresh profile."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        assert program, "chromium is not there: sudo apt-get install -y chromium"
        told = profile / "DevToolsActivePort"
        arguments = [program, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._open = ExitStack()
        self._port = until(lambda: told.exists() and told.read_text().partition("\n")[0])

    def tab(self, url: str) -> Tab:
        """A new tab at an address."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request) as answer:
            wire = connect(json.load(answer)["webSocketDebuggerUrl"], max_size=None)
        self._open.enter_context(wire)
        tab = Tab(wire)
        tab.go(url)
        return tab

    def close(self) -> None:
        """Ends it."""
        self._open.close()
        self._process.terminate()
        self._process.wait(PATIENCE)


class Tab:
    """A tab of it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv(PATIENCE))).get("id") != number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def go(self, url: str) -> None:
        """Opens an address."""
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return self.run("document.body ? document.body.innerText : ''") or ""

    @property
    def url(self) -> str:
        """Its address."""
        return str(self.run("location.href"))

    def shows(self, *words: str) -> None:
        """Waits until all of these can be read."""
        until(lambda: all(word in self.text for word in words), lambda: f"{words} in {self.text!r}")

    def hides(self, word: str) -> None:
        """Waits until it cannot be read any more."""
        until(lambda: word not in self.text, lambda: f"a page without {word!r}")

    def click(self, label: str) -> None:
        """Clicks the button with this label."""
        found = f"[...document.querySelectorAll('button')].find(b => b.innerText.trim().endsWith({json.dumps(label)}) && !b.disabled)"
        until(lambda: self.run(f"(b => b ? (b.click(), true) : false)({found})"), lambda: f"a button {label!r}")

    def type(self, selector: str, words: str) -> None:
        """Types into a field, and presses Enter."""
        ready = f"(e => e && !e.disabled ? (e.focus(), document.activeElement === e) : false)(document.querySelector({json.dumps(selector)}))"
        until(lambda: self.run(ready), lambda: f"a field {selector}")
        self._call("Input.insertText", text=words)
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            self._call("Input.dispatchKeyEvent", type=kind, **(key if kind == "keyDown" else {**key, "text": ""}))
