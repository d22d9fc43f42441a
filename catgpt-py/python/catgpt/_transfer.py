"""Conversations in and out: each call as data, and how its answer is read. Async and sync code share it."""

from __future__ import annotations

import base64
import os
from typing import Any, Literal, TypeAlias

from ._calls import Ask, At, nothing
from ._data import ImportReport

ExportFormat: TypeAlias = Literal["jsonl", "markdown"]
ImportFormat: TypeAlias = Literal["jsonl", "markdown", "chatgpt", "chat_db"]
Path: TypeAlias = str | os.PathLike[str]


def imported(
    at: At, source: Path | bytes, format: ImportFormat | None, dry_run: bool | None, watch: bool
) -> Ask[ImportReport]:
    """Brings conversations in: those of a file or folder, or of a file's content."""
    given: dict[str, Any] = {"format": format, "dry_run": dry_run}
    if isinstance(source, bytes):
        given["content"] = base64.b64encode(source).decode()
    else:
        given["path"] = os.fspath(source)
    given = {name: value for name, value in given.items() if value is not None}
    return Ask({"do": "import", "owner": at.owner, "source": given, "watch": watch}, ImportReport.from_dict)


def adopted(path: Path, otherwise: str | None, dry_run: bool | None, watch: bool) -> Ask[ImportReport]:
    """Brings in another program's database."""
    request = {"do": "adopt", "path": os.fspath(path), "otherwise": otherwise, "dry_run": dry_run, "watch": watch}
    return Ask(request, ImportReport.from_dict)


def export_list(at: At) -> Ask[list[str]]:
    """The sessions of an export of all."""
    return Ask({"do": "export_list", "owner": at.owner}, list)


def export_page(at: At, format: ExportFormat | None, mark: Any, listed: bool) -> Ask[tuple[str, Any]]:
    """A piece of an export, and where the next begins."""
    request = at.call("export_page", format=format, mark=mark, listed=listed)
    return Ask(request, piece)


def piece(page: dict[str, Any]) -> tuple[str, Any]:
    """A piece of an export, and where the next begins."""
    return page["text"], page["next"]


def backup(path: Path, watch: bool) -> Ask[None]:
    """Copies the store."""
    return Ask({"do": "backup", "path": os.fspath(path), "watch": watch}, nothing)
