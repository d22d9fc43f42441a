"""What is said: a text, or texts and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any, Literal, TypeAlias

from . import _native
from ._data import ImagePart, TextPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture, by reference. A model sees what is on the web and what travels in the message; an application's own
    reference (`ref:42`) is kept for the application, and the model reads `[image: alt]`."""

    url: str
    """`https:`, `http:`, `data:`, or a scheme of your own."""
    media_type: str | None = None
    """Its media type, such as `image/png`."""
    alt: str | None = None
    """What it shows, for those who do not see it."""
    detail: Literal["auto", "low", "high"] | None = None
    """How closely the model looks; the provider decides if nothing is said."""

    @classmethod
    def from_bytes(cls, data: bytes, *, alt: str | None = None) -> Image:
        """A picture that travels in the message: PNG, JPEG, GIF or WebP, told by its first bytes."""
        return cls(**json.loads(_native.image(data)), alt=alt)

    @classmethod
    def load(cls, path: str | PathLike[str], *, alt: str | None = None) -> Image:
        """The same from a file."""
        return cls(**json.loads(_native.image_from_file(path)), alt=alt)

    def to_dict(self) -> dict[str, Any]:
        """The part of a message that it is."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"type": "image", **{name: value for name, value in named.items() if value is not None}}


Piece: TypeAlias = str | Image | TextPart | ImagePart
"""A piece of what is said."""

Content: TypeAlias = str | Image | Sequence[Piece]
"""What is said: `"text"`, or `["What is this?", Image(url="https://…")]`."""


def content(given: Content) -> Any:
    """As a call wants it."""
    if isinstance(given, str):
        return given
    pieces = [given] if isinstance(given, Image) else given
    return [piece.to_dict() if isinstance(piece, Image) else piece for piece in pieces]
