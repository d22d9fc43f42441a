"""An agent of pydantic-ai whose conversations live in a store of catgpt: said, branched, forked, found."""

import asyncio
import sys

from pydantic_ai import Agent
from pydantic_ai.conversation import Conversation
from pydantic_ai.models.test import TestModel

from catgpt import Engine
from catgpt.adapters.pydantic_ai import CatGptConversationStore

MEMORY = sys.argv[1] if len(sys.argv) > 1 else "sqlite:chat.db"

# In the place of this: Agent("openai:gpt-4o-mini").
agent = Agent(TestModel())


@agent.tool_plain
def naps(day: str) -> int:
    """How often the cat slept."""
    return 16


async def main() -> None:
    async with Engine(model="offline", memory=MEMORY) as engine:
        store = CatGptConversationStore(engine)  # a scope is an owner: engine.user("alice")
        for prompt in ("How often did the cat sleep today?", "And yesterday?"):
            trip = await store.load("naps", scope="alice") or Conversation(conversation_id="naps")
            result = await agent.run(prompt, conversation=trip)
            await store.save(result, scope="alice")
            print(result.output)

        # Another second question, as a branch beside the first: both stay.
        loaded = await store.load("naps", scope="alice")
        assert loaded is not None
        at = len(loaded.messages) - 2
        branch = await store.branch("naps", at=at, expected_revision=loaded.revision, scope="alice")
        await store.save(await agent.run("And tomorrow?", conversation=branch), scope="alice")

        chat = engine.user("alice").session("naps")
        print(f"-- {(await chat.info()).title}: {len(await chat.branches())} branches")
        for message in await chat.history():
            print(f"{message.seq} {message.role}: {message.text or [part['type'] for part in message.content]}")


asyncio.run(main())
