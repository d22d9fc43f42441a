"""What is kept under keys: nothing readable in the files, and everything there for who has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from catgpt import CatgptError, sync

KEYS = "2026-11 r1RUsX0b7pDkjIh0BHzWCG2CIPfBLpZ6XMKnGMKVtEk=\n"


def test_a_store_from_before_is_sealed_while_somebody_hears_how_far_it_is(tmp_path: Path) -> None:
    memory = f"sqlite:{tmp_path / 'chat.db'}"
    with sync.Engine(model="offline", memory=memory) as engine:
        engine.user("alice").session("box").send("a jar of marmalade").text()
    heard: list[object] = []
    with sync.Engine(model="offline", memory=memory, encryption=KEYS) as engine:
        assert engine.reseal(on_progress=lambda *done: heard.append(done)) > 0
        assert engine.reseal() == 0
        assert engine.user("alice").session("box").history()[0].text == "a jar of marmalade"
    assert heard
    assert not any(b"marmalade" in path.read_bytes() for path in tmp_path.iterdir())
    with sync.Engine(model="offline", memory=memory) as engine, pytest.raises(CatgptError, match="encrypted"):
        engine.user("alice").session("box").history()
