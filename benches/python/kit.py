"""What the benches share: the model server in a process of its own, CPU time, percentiles."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

SERVER = """
import sys, catgpt.testing
server = catgpt.testing.FakeOpenAI()
print(server.url, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def model_server() -> Iterator[str]:
    """Its base URL."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout and child.stdin
        yield child.stdout.readline().strip()
        child.stdin.close()


class Cpu:
    """CPU time since it was made, in µs: of this process, and of this thread."""

    def __init__(self) -> None:
        self.process, self.thread = time.process_time(), time.thread_time()

    def per(self, events: int) -> tuple[float, float]:
        """(thread, process) µs an event."""
        return (time.thread_time() - self.thread) / events * 1e6, (time.process_time() - self.process) / events * 1e6


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], part: float) -> float:
    """Of values in any order."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")
