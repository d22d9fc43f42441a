"""An agent of the OpenAI Agents SDK whose conversation lives in a store of catgpt."""

import asyncio
import os
import sys

from agents import Agent, Runner, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call

from catgpt import Engine
from catgpt.adapters.openai_agents import CatGptSession

MEMORY = sys.argv[1] if len(sys.argv) > 1 else "sqlite:chat.db"


@function_tool
def purring(hertz: int) -> str:
    """Tells what a cat means by purring at this frequency."""
    return "content" if hertz < 30 else "hungry"


def model() -> ScriptedModel | None:
    """Without a key a script answers; with one, the SDK's own model."""
    if os.environ.get("OPENAI_API_KEY"):
        return None
    set_tracing_disabled(True)
    call = function_call("purring", {"hertz": 25}, call_id="call_1")
    return ScriptedModel([[call], [assistant_message("It is content.")], [assistant_message("About 25 hertz.")]])


async def main() -> None:
    async with Engine(model="offline", memory=MEMORY) as engine:
        # `local()` is the one owner of the command line; a service takes `engine.user("alice")`.
        session = CatGptSession("purring", engine.local())
        agent = Agent(name="cat", instructions="Be brief.", tools=[purring], model=model())
        for prompt in ("My cat purrs at 25 hertz. How is it?", "How deep was that?"):
            print((await Runner.run(agent, prompt, session=session)).final_output)

        chat = engine.local().session("purring")
        print(f"-- {(await chat.info()).title}")
        for message in await chat.history():
            print(f"{message.seq} {message.role}: {message.text or [part['type'] for part in message.content]}")


asyncio.run(main())
