"""A FastAPI endpoint that streams and stores, against the one of the tutorials: CPU of the server an event."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kit import cpu_of, model_server, percentile

RUNS = [
    # name, clients, turns of each, events of a turn, milliseconds between two
    ("burst", 1, 20, 2_000, 0),
    ("100 x 50/s", 100, 1, 500, 20),
    ("400 x 50/s", 400, 1, 500, 20),
]
STAMP = re.compile(rb'"text":\s*"((?:\d{16})+)"')


async def client(port: int, number: int, turns: int, late: list[float]) -> int:
    """Sends turns one after another over one connection; how many of them came to their end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    whole = 0
    for turn in range(turns):
        body = json.dumps({"session_id": f"{number}-{turn}", "message": "Hi"}).encode()
        head = f"POST /chat HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        seen = b""
        while b"0\r\n\r\n" not in seen[-7:] and (more := await reader.read(1 << 16)):
            now = time.time() * 1e6
            for stamps in STAMP.findall(more):
                late.extend(now - int(stamps[at : at + 16]) for at in range(0, len(stamps), 16))
            seen = seen[-64:] + more
            whole += b'"finished"' in more
    writer.close()
    return whole


async def load(port: int, clients: int, turns: int) -> tuple[int, list[float]]:
    late: list[float] = []
    work = (client(port, number, turns, late) for number in range(clients))
    done = await asyncio.gather(*work, return_exceptions=True)
    return sum(whole for whole in done if isinstance(whole, int)), late


def measure(app: str, clients: int, turns: int, events: int, pause: int, url: str) -> None:
    stamps = ",ts=1" if pause else ""
    with tempfile.TemporaryDirectory() as store:
        model = f"mock,n={events},d={pause}{stamps}"
        env = {**os.environ, "BENCH_URL": url, "BENCH_MODEL": model, "BENCH_STORE": store}
        port = "8765" if app == "ours" else "8766"
        command = [sys.executable, "-W", "ignore", "-m", "uvicorn", f"apps:{app}", "--port", port]
        command += ["--log-level", "critical", "--loop", "uvloop"]
        with subprocess.Popen(command, cwd=Path(__file__).parent, env=env) as server:
            try:
                asyncio.run(up(int(port)))
                before, begun = cpu_of(server.pid), time.monotonic()
                whole, late = asyncio.run(load(int(port), clients, turns))
                used, took = cpu_of(server.pid) - before, time.monotonic() - begun
            finally:
                server.terminate()
    cost = used / (clients * turns * events) * 1e6
    delay = f"  p50 {percentile(late, 0.5) / 1e3:6.1f} ms  p99 {percentile(late, 0.99) / 1e3:6.1f} ms" if late else ""
    print(f"  {app:10} {cost:8.2f} µs  {whole} of {clients * turns} turns whole in {took:5.1f} s{delay}", flush=True)


async def up(port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            return writer.close()
        except OSError:
            await asyncio.sleep(0.02)
    raise SystemExit("the server does not start")


def main() -> None:
    """All runs, or those that are named."""
    with model_server() as url:
        for name, *shape in RUNS:
            if len(sys.argv) < 2 or name in sys.argv[1:]:
                print(f"{name}: CPU of the server an event")
                for app in ("ours", "tutorial"):
                    measure(app, *shape, url)


if __name__ == "__main__":
    main()
