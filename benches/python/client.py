"""What an event costs on its way to `async for`."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from catgpt import Engine, Text
from catgpt.testing import Scripted
from kit import Cpu, model_server, percentile
from openai import AsyncOpenAI

BURST, SOCKET, REPEATS = 100_000, 20_000, 5
REPLIES, RATE, SECONDS = 200, 50, 5


@dataclass(slots=True)
class Piece:
    """What a queue of one's own would carry."""

    text: str
    offset: int


async def burst() -> tuple[float, float]:
    """A reply all of whose events are there. Text and reasoning alternate, so that nothing is merged."""
    script = [*({"reasoning": "ab"} if n % 2 else "word " for n in range(BURST)), {"gate": "end"}, {"finish": "stop"}]
    model = Scripted(script)
    session = Engine(model=model).user("alice").session("chat")
    first = await session.send("Hi")
    seen = 0
    async for _ in first:
        seen += 1
        if seen == BURST + 1:
            break
    async with session.attach(first.turn) as reply:
        cpu, seen = Cpu(), 0
        async for _ in reply:
            seen += 1
            if seen == BURST:
                break
        cost = cpu.per(BURST)
    model.open("end")
    return cost


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
    wanted = sys.argv[1:] or ["burst", "socket", "paced"]
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
            *cost, late = await paced(paced_catgpt, url)
            line(f"{REPLIES} x {RATE}/s, catgpt", (cost[0], cost[1]), late)
            line(f"{REPLIES} x {RATE}/s, asyncio.Queue", await paced_queues())
            *cost, late = await paced(paced_openai, url)
            line(f"{REPLIES} x {RATE}/s, openai", (cost[0], cost[1]), late)


if __name__ == "__main__":
    asyncio.run(main())
