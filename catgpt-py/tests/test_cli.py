"""One store in three languages: what Python wrote is read and continued by the command line, and back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from catgpt import Engine

from .helpers import run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cli() -> Path:
    """The command line, built from this tree."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "-p", "catgpt-cli"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "catgpt"


@run
async def test_a_file_is_shared_with_the_command_line(cli: Path, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path}/chat.db"

    def catgpt(*args: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        done = subprocess.run(
            [cli, "--memory", store, *args], env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async with Engine(model="offline", memory=store) as engine:
        said = await (await engine.local().session("trip").send("From Python")).text()
    assert said in catgpt("chats", "show", "trip")
    answer = catgpt("-s", "trip", "From the shell")
    async with Engine(model="offline", memory=store) as engine:
        session = engine.local().session("trip")
        texts = [message.text for message in await session.history()]
        assert texts == ["From Python", said, "From the shell", answer.strip()]
        await (await session.send("From Python again")).text()
    assert "From Python again" in catgpt("chats", "show", "trip")
