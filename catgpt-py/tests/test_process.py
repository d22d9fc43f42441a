"""What concerns the process: its end, forks, signals."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from catgpt.sync import Engine
from catgpt.testing import Scripted

from .helpers import PATIENCE

ENDLESS = """
import asyncio
from catgpt import Engine
from catgpt.testing import Scripted

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no failure
    steps = [step for _ in range(2_000) for step in ({"delay_ms": 1}, "word ")]
    engine = Engine(model=Scripted(steps), memory=%r)
    began = asyncio.Semaphore(0)
    async def consume(n):
        async for event in await engine.user("alice").session(str(n)).send("Hi"):
            if event.type == "text":
                began.release()
    keep.extend(asyncio.create_task(consume(n)) for n in range(20))
    for _ in range(200):
        await began.acquire()
    print("begun", flush=True)

keep = []
%s(main())
"""


def python(code: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **more}, check=False)


@pytest.mark.parametrize("loop", ["asyncio.run", "__import__('uvloop').run"])
def test_the_interpreter_ends_well_with_running_replies(loop: str, tmp_path: Path) -> None:
    for round in range(3):
        done = python(ENDLESS % (f"sqlite:{tmp_path}/{round}.db", loop))
        assert (done.returncode, done.stdout, done.stderr) == (0, "begun\n", "")
    # What ran at the end was ended by it, not by the lease.
    with Engine(model="offline", memory=f"sqlite:{tmp_path}/0.db") as engine:
        assert [message.status for message in engine.user("alice").session("7").history()] == ["complete", "interrupted"]


def test_a_program_that_never_says_anything_starts_nothing() -> None:
    done = python("import catgpt, os; catgpt.Engine(model='offline'); print(os.listdir('/proc/self/task'))")
    assert done.stdout.count(",") == 0 and done.returncode == 0, done


FORK = """
import os, asyncio
from catgpt import ClosedError, Engine
from catgpt.testing import Scripted
engine = Engine(model=Scripted("Hello"), memory=%r)

async def talk():
    return await (await engine.user("alice").session(str(os.getpid())).send("Hi")).text()

async def open_one():
    return await engine.user("alice").session("open").send("Hi")

assert asyncio.run(talk()) == "Hello"
reply = asyncio.run(open_one())
child = os.fork()
if child == 0:
    try:
        reply._stream.poll()
        os._exit(2)
    except ClosedError:
        pass
    os._exit(0 if asyncio.run(talk()) == "Hello" else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert asyncio.run(talk()) == "Hello"
"""


def test_a_forked_child_serves(tmp_path: Path) -> None:
    done = python(FORK % f"sqlite:{tmp_path}/chat.db")
    assert (done.returncode, done.stderr) == (0, "")


INTERRUPTED = """
import signal, threading, time
from catgpt.sync import Engine
from catgpt.testing import Scripted
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
engine = Engine(model=Scripted(["Hello", {"hang": True}]))
reply = engine.local().session("chat").send("Hi")
try:
    for event in reply:
        if event.type == "text":
            threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_is_heard_while_waiting() -> None:
    done = python(INTERRUPTED)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_threads_of_a_blocking_program_may_be_killed_at_its_end() -> None:
    code = """
    import threading
    from catgpt.sync import Engine
    from catgpt.testing import Scripted
    engine = Engine(model=Scripted(["Hello", {"hang": True}]))
    begun = threading.Barrier(9)
    def consume(n):
        reply = engine.local().session(str(n)).send("Hi")
        begun.wait()
        reply.text()
    for n in range(8):
        threading.Thread(target=consume, args=[n], daemon=True).start()
    begun.wait()
    """
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_waiting_leaves_the_interpreter_to_other_threads() -> None:
    engine = Engine(model=Scripted(["Hello", {"gate": "go"}, {"finish": "stop"}]))
    reply = engine.local().session("chat").send("Hi")
    done = threading.Event()

    def read() -> None:
        reply.text()
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    end = time.monotonic() + PATIENCE
    while not reply._reading.locked():
        assert time.monotonic() < end
    turns = engine.local().turns()  # another thread's call goes through
    assert turns == [("chat", reply.turn)] and not done.is_set()
    engine.local().cancel(reply.turn)
    thread.join(PATIENCE)
    assert done.is_set()
