"""For those who come from other libraries: their own interfaces for keeping conversations, on a store of this one.

`catgpt.adapters.openai_agents` is a session for the OpenAI Agents SDK, `catgpt.adapters.pydantic_ai` a conversation store
for pydantic-ai. Each needs its library: `pip install "catgpt-py[openai-agents]"`, `pip install "catgpt-py[pydantic-ai]"`.
"""
