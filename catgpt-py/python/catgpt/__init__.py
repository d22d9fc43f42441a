"""A session-aware streaming chat engine: a turn is a durable record, not a request.

    async with Engine(model="gpt-4o-mini", memory="sqlite:chat.db", persona=Persona.cat()) as engine:
        session = engine.user("alice").session("trip")
        async with session.send("Plan three days in Kyoto") as reply:
            async for event in reply:
                if isinstance(event, Text):
                    print(event.text, end="")

`catgpt.sync` has the same for blocking code, `catgpt.fastapi` helpers for web servers, `catgpt.testing` for tests.
"""

from ._calls import Cache, Format, OnDrop, SendOptions
from ._content import Content, Image
from ._data import (
    Call,
    Change,
    Check,
    CitationPart,
    Cursor,
    Health,
    ImagePart,
    Message,
    ModelInfo,
    Metric,
    Part,
    Point,
    PromptMessage,
    ReasoningPart,
    Request,
    Role,
    SessionInfo,
    SessionPage,
    Status,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from ._desk import ChatModel, Delta, Memory, Said
from ._engine import Engine, Session, User
from ._errors import (
    BusyError,
    CatgptError,
    ClosedError,
    ConflictError,
    ContextTooLongError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    LimitedError,
    RefusedError,
    StoreError,
    StoreFullError,
    StreamBusyError,
    TimeoutError,
    TruncatedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedError,
    UnsupportedError,
)
from ._events import (
    Event,
    Finished,
    PartAdded,
    Reasoning,
    Retrying,
    Started,
    Text,
    Title,
    ToolCall,
    ToolResult,
    event_from_dict,
)
from ._hooks import Hook, Source, TurnAt
from ._native import version as _version
from ._persona import Example, Params, Persona
from ._process import EngineOptions
from ._reply import Encoded, Reply, Sending

__version__ = _version()

__all__ = [
    "BusyError",
    "Cache",
    "Call",
    "CatgptError",
    "Change",
    "ChatModel",
    "Check",
    "CitationPart",
    "ClosedError",
    "ConflictError",
    "Content",
    "ContextTooLongError",
    "Cursor",
    "Delta",
    "Encoded",
    "Engine",
    "EngineOptions",
    "Event",
    "Example",
    "Finished",
    "Format",
    "Health",
    "Hook",
    "Image",
    "ImagePart",
    "InvalidInputError",
    "Memory",
    "Message",
    "ModelInfo",
    "Metric",
    "NotFoundError",
    "OnDrop",
    "Params",
    "Part",
    "PartAdded",
    "Persona",
    "Point",
    "PromptMessage",
    "RateLimitedError",
    "LimitedError",
    "Reasoning",
    "ReasoningPart",
    "RefusedError",
    "Reply",
    "Request",
    "Retrying",
    "Role",
    "Said",
    "SendOptions",
    "Sending",
    "Session",
    "SessionInfo",
    "SessionPage",
    "Source",
    "Started",
    "Status",
    "StoreError",
    "StoreFullError",
    "StreamBusyError",
    "Text",
    "TextPart",
    "TimeoutError",
    "Title",
    "ToolCall",
    "ToolCallPart",
    "ToolResult",
    "ToolResultPart",
    "TruncatedError",
    "TurnAt",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedError",
    "UnsupportedError",
    "Usage",
    "User",
    "event_from_dict",
]
