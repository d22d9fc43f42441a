"""A model that says what it is told to, piece by piece, and waits at gates: over HTTP, as OpenAI's."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 30.0


class Model:
    """The newest message is the script: `one|two|#gate|three`. A piece after `*` comes so often: `*1000 word`."""

    def __init__(self) -> None:
        self.gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self.asked: list[dict[str, Any]] = []
        self.hung_up = threading.Semaphore(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def open(self, gate: str) -> None:
        """Lets what waits there go on."""
        self.gates[gate].set()

    def close(self) -> None:
        """Hangs up, and answers nobody any more."""
        for gate in list(self.gates.values()):
            gate.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(model: Model) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            model.asked.append(body)
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            try:
                for piece in body["messages"][-1]["content"].split("|"):
                    self._say(piece)
                self._write({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                model.hung_up.release()

        def _say(self, piece: str) -> None:
            if piece.startswith("#"):
                gate = model.gates[piece[1:]]
                # A client that hangs up is noticed here, and not only at the next write.
                for _ in range(int(PATIENCE * 50)):
                    if gate.wait(0.02):
                        return
                    self.wfile.write(b": waiting\n\n")
                raise OSError(f"nobody opened {piece}")
            times, _, text = piece[1:].partition(" ") if piece.startswith("*") else ("1", "", piece)
            for _ in range(int(times)):
                self._write({"choices": [{"index": 0, "delta": {"content": text}}]})

        def _write(self, data: dict[str, Any]) -> None:
            self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")

    return Handler
