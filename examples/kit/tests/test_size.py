"""An application is glue: whatever more it would need is a feature that the engine lacks. So each is small, and stays so."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2]
MOST = {
    "catgpt-fastapi": ("backend/**/*.py", 300),
    "mychatgpt": ("backend/**/*.py", 300),
    "codhechat": ("backend/**/*.py", 300),
    "chat-redis": ("app/**/*.py", 300),
    "streamlit": ("*.py", 200),
    "node-express": ("*.js", 300),
    # Rust spells out more; this one may only shrink.
    "axum": ("src/**/*.rs", 371),
}
"""Where the code of each is, without its tests, and how many lines it has at most: all lines, as `wc -l` counts them."""


@pytest.mark.parametrize("name", MOST)
def test_a_back_end_is_small(name: str) -> None:
    pattern, most = MOST[name]
    files = [file for file in (EXAMPLES / name).glob(pattern) if file.name != "tests.rs" and "node_modules" not in file.parts]
    lines = {file.name: len(file.read_text().splitlines()) for file in files}
    assert lines and sum(lines.values()) <= most, lines
