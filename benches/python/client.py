"""What an event costs on its way to `async for`."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import uvloop
from catgpt import Engine, Reply, Text
from catgpt.testing import Scripted
from kit import Cpu, model_server, percentile
from openai import AsyncOpenAI

BURST, PARTS, SOCKET, REPEATS = 102_400, 256, 20_000, 5
REPLIES, RATE, SECONDS = 200, 50, 5


@dataclass(slots=True)
class Piece:
    """What a queue of one's own would carry."""

    text: str
    offset: int


async def burst() -> tuple[float, float]:
    """A reply all of whose events are there, again and again. Text and reasoning alternate, so that nothing is merged."""
    words = [{"reasoning": "ab"} if n % 2 else "word " for n in range(PARTS)]
    model = Scripted([*words, {"gate": "end"}, {"finish": "stop"}])
    session = Engine(model=model).user("alice").session("chat")
    async with session.send("Hi") as reply:
        await read(reply)
        thread = process = 0.0
        for _ in range(BURST // PARTS):
            async with session.attach(reply.turn) as again:
                cpu = Cpu()
                await read(again)
                cost = cpu.per(BURST)
                thread, process = thread + cost[0], process + cost[1]
    model.open("end")
    return thread, process


async def read(reply: Reply) -> None:
    """All that there is for now: `started` and the words."""
    left = PARTS + 1
    async for _ in reply:
        left -= 1
        if not left:
            return


async def queue() -> tuple[float, float]:
    """The same through an `asyncio.Queue` and an async generator, filled by a task of the same loop."""
    pieces: asyncio.Queue[Piece | None] = asyncio.Queue(256)

    async def produce() -> None:
        for n in range(BURST):
            await pieces.put(Piece("word ", n))
        await pieces.put(None)

    async def consume() -> AsyncIterator[Piece]:
        while (piece := await pieces.get()) is not None:
            yield piece

    cpu, task = Cpu(), asyncio.create_task(produce())
    async for _ in consume():
        pass
    await task
    return cpu.per(BURST)


async def socket_catgpt(url: str) -> tuple[float, float]:
    """From the socket to `async for`, counted by what the model said."""
    session = Engine(model=f"mock,n={SOCKET}", base_url=url, api_key="k").user("alice").session("chat")
    cpu = Cpu()
    async for _ in await session.send("Hi"):
        pass
    return cpu.per(SOCKET)


async def socket_openai(url: str) -> tuple[float, float]:
    """The same with the `openai` package."""
    client = AsyncOpenAI(base_url=url, api_key="k")
    cpu = Cpu()
    chat = [{"role": "user", "content": "Hi"}]
    async for _ in await client.chat.completions.create(model=f"mock,n={SOCKET}", messages=chat, stream=True):
        pass
    return cpu.per(SOCKET)


async def paced(consume: Callable[[str, str, list[float]], Awaitable[int]], url: str) -> tuple[float, float, list[float]]:
    """Many replies at the pace of models; the text is the time of its writing."""
    late: list[float] = []
    cpu, model = Cpu(), f"mock,n={RATE * SECONDS},d={1000 // RATE},ts=1"
    counts = await asyncio.gather(*(consume(url, model, late) for _ in range(REPLIES)))
    return *cpu.per(sum(counts)), late


async def paced_catgpt(url: str, model: str, late: list[float]) -> int:
    engine = _engines.setdefault((url, model), Engine(model=model, base_url=url, api_key="k"))
    async for event in await engine.user("alice").new_session().send("Hi"):
        if isinstance(event, Text):
            late.append(time.time() * 1e6 - int(event.text[-16:]))
    return RATE * SECONDS


async def paced_openai(url: str, model: str, late: list[float]) -> int:
    client = _clients.setdefault(url, AsyncOpenAI(base_url=url, api_key="k", max_retries=0))
    chat = [{"role": "user", "content": "Hi"}]
    async for chunk in await client.chat.completions.create(model=model, messages=chat, stream=True):
        if chunk.choices and (text := chunk.choices[0].delta.content):
            late.append(time.time() * 1e6 - int(text[-16:]))
    return RATE * SECONDS


async def paced_scripted() -> tuple[float, float]:
    """Without a socket to a model: the engine's own timers speak."""
    steps = [step for _ in range(RATE * SECONDS) for step in ({"delay_ms": 1000 // RATE}, "word ")]
    user = Engine(model=Scripted([*steps, {"finish": "stop"}])).user("alice")

    async def one() -> int:
        return len([event async for event in await user.new_session().send("Hi")])

    cpu = Cpu()
    counts = await asyncio.gather(*(one() for _ in range(REPLIES)))
    return cpu.per(sum(counts))


async def paced_queues() -> tuple[float, float]:
    """The floor: as many queues, fed by timers of the loop itself."""
    total = RATE * SECONDS

    async def one() -> None:
        pieces: asyncio.Queue[Piece] = asyncio.Queue()

        async def produce() -> None:
            for n in range(total):
                await asyncio.sleep(1 / RATE)
                pieces.put_nowait(Piece("word ", n))

        task = asyncio.create_task(produce())
        for _ in range(total):
            await pieces.get()
        await task

    cpu = Cpu()
    await asyncio.gather(*(one() for _ in range(REPLIES)))
    return cpu.per(total * REPLIES)


_engines: dict[tuple[str, str], Engine] = {}
_clients: dict[str, AsyncOpenAI] = {}


async def median(measure: Callable[[], Awaitable[tuple[float, float]]]) -> tuple[float, float]:
    costs = [await measure() for _ in range(REPEATS)]
    return statistics.median(cost[0] for cost in costs), statistics.median(cost[1] for cost in costs)


def line(name: str, cost: tuple[float, float], late: list[float] = []) -> None:  # noqa: B006
    delay = f"  p50 {percentile(late, 0.5) / 1e3:7.2f} ms  p99 {percentile(late, 0.99) / 1e3:7.2f} ms" if late else ""
    print(f"{name:34} {cost[0]:8.2f} {cost[1]:8.2f}{delay}")


async def main() -> None:
    """Everything, or what is named: burst, socket, paced."""
    wanted = [name for name in sys.argv[1:] if name[0] != "-"] or ["burst", "socket", "paced"]
    print(f"{'µs CPU an event':34} {'loop':>8} {'process':>8}")
    with model_server() as url:
        if "burst" in wanted:
            line("burst, catgpt", await median(burst))
            line("burst, asyncio.Queue", await median(queue))
        if "socket" in wanted:
            ours = await median(lambda: socket_catgpt(url))
            line("from the socket, catgpt", ours)
            theirs = await median(lambda: socket_openai(url))
            line("from the socket, openai", theirs)
            print(f"{'':34} {theirs[0] / ours[0]:7.0f}x {theirs[1] / ours[1]:7.0f}x")
        if "paced" in wanted:
            line(f"{REPLIES} x {RATE}/s, catgpt, scripted", await paced_scripted())
            *cost, late = await paced(paced_catgpt, url)
            line(f"{REPLIES} x {RATE}/s, catgpt", (cost[0], cost[1]), late)
            line(f"{REPLIES} x {RATE}/s, asyncio.Queue", await paced_queues())
            *cost, late = await paced(paced_openai, url)
            line(f"{REPLIES} x {RATE}/s, openai", (cost[0], cost[1]), late)


if __name__ == "__main__":
    uvloop.run(main()) if "--uvloop" in sys.argv else asyncio.run(main())
