"""A session-aware streaming chat engine: a turn is a durable record, not a request.

    async with Engine(model="gpt-4o-mini", memory="sqlite:chat.db", persona=Persona.cat()) as engine:
        session = engine.user("alice").session("trip")
        async with session.send("Plan three days in Kyoto") as reply:
            async for event in reply:
                if isinstance(event, Text):
                    print(event.text, end="")

`catgpt.sync` has the same for blocking code, `catgpt.fastapi` helpers for web servers, `catgpt.testing` for tests.
"""

from ._calls import ExportFormat, ImportFormat, OnDrop, OnProgress, SendOptions
from ._data import (
    Call,
    Change,
    CitationPart,
    Cursor,
    ImagePart,
    ImportEntry,
    ImportReport,
    Message,
    Part,
    ReasoningPart,
    Role,
    SessionInfo,
    SessionPage,
    Status,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from ._desk import ChatModel, Delta, Memory, PromptMessage, Request, Said
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
from ._native import version as _version
from ._persona import Example, Params, Persona
from ._reply import Reply, Sending, Sse

__version__ = _version()

__all__ = [
    "BusyError",
    "Call",
    "CatgptError",
    "Change",
    "ChatModel",
    "CitationPart",
    "ClosedError",
    "ConflictError",
    "ContextTooLongError",
    "Cursor",
    "Delta",
    "Engine",
    "Event",
    "Example",
    "ExportFormat",
    "Finished",
    "ImagePart",
    "ImportEntry",
    "ImportFormat",
    "ImportReport",
    "InvalidInputError",
    "LimitedError",
    "Memory",
    "Message",
    "NotFoundError",
    "OnDrop",
    "OnProgress",
    "Params",
    "Part",
    "PartAdded",
    "Persona",
    "PromptMessage",
    "RateLimitedError",
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
    "Sse",
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
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedError",
    "UnsupportedError",
    "Usage",
    "User",
    "event_from_dict",
]
