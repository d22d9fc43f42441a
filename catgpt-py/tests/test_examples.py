"""The examples that are written in Python run, as they stand there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
RETRIEVAL = EXAMPLES / "retrieval" / "retrieval.py"


def test_the_retrieval_example_cites_what_it_found() -> None:
    done = subprocess.run([sys.executable, RETRIEVAL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[1] Purring: Why cats purr (purring.md#why-cats-purr)" in done.stdout
    assert done.stdout.count("[3]") == 1 and "hurt or afraid [1]." in done.stdout
    assert len(RETRIEVAL.read_text().splitlines()) <= 100


@pytest.mark.parametrize(
    ("name", "first", "shown"),
    [
        ("openai-agents", "It is content.", "4 assistant: It is content."),
        ("pydantic-ai", '{"naps":16}', "7 user: And tomorrow?"),
    ],
)
def test_the_examples_of_other_libraries_keep_their_conversations(
    name: str, first: str, shown: str, tmp_path: Path
) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OPENAI_")}
    command = [sys.executable, "-W", "error", str(EXAMPLES / name / "chat.py")]
    runs: list[list[str]] = []
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done
        runs.append(done.stdout.splitlines())
    assert runs[0][0] == first and shown in runs[0]
    assert len(runs[1]) > len(runs[0]), "it goes on where it was"


def test_the_retrieval_examples_index_takes_any_question() -> None:
    spec = importlib.util.spec_from_file_location("retrieval", RETRIEVAL)
    assert spec is not None and spec.loader is not None
    example: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    hook = example.Retrieval(example.DOCS)
    assert hook.search("may my cat eat onions?")[0][0] == "food.md#what-cats-must-not-eat"
    assert hook.search('"milk" NEAR( OR * -')[0][0] == "food.md#milk"
    assert [hook.search(nothing) for nothing in ("", "?!", '"', "xylophone", "a b")] == [[]] * 5
