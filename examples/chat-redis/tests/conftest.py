"""The scripted model, and one line that sums up, for `cargo xtask test`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .model import Model


@pytest.fixture
def model() -> Iterator[Model]:
    served = Model()
    yield served
    served.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    stats = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    failed = stats["failed"] + stats["error"]
    terminalreporter.write_line(f"pytest summary: {stats['passed']} passed, {failed} failed, {stats['skipped']} skipped")
