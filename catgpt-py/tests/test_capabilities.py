"""The table of capabilities names nothing of Python that is not there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import catgpt
import pytest
from catgpt import sync

TEXT = re.sub(r"<!--.*?-->", "", (Path(__file__).parents[2] / "docs" / "capabilities.md").read_text(), flags=re.DOTALL)
CELLS = [row.split("|")[3] for row in TEXT.splitlines() if row.startswith("| ") and not row.startswith("| ---")]
NAMES = sorted({name for cell in CELLS for name in re.findall(r"`([^`]+)`", cell) if name != "logging"})


def there(name: str) -> bool:
    if option := re.fullmatch(r"(Engine|send)\((\w+)=\)", name):
        options = catgpt.EngineOptions if option[1] == "Engine" else catgpt.SendOptions
        return option[2] in options.__annotations__
    where, _, what = name.rpartition(".")
    if not where:
        return hasattr(catgpt, what)
    if where.startswith("catgpt."):
        return hasattr(importlib.import_module(where), what)
    if where in ("engine", "user", "session", "reply"):
        return all(hasattr(getattr(module, where.title()), what) for module in (catgpt, sync))
    return hasattr(getattr(catgpt, where), what)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_there(name: str) -> None:
    assert there(name), name


def test_the_table_was_read() -> None:
    assert len(NAMES) > 60 and not hasattr(catgpt.User, "nothing")
