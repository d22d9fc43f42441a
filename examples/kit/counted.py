"""A plugin of pytest: one line that sums up, for `cargo xtask test`."""

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    stats = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    failed = stats["failed"] + stats["error"]
    terminalreporter.write_line(f"pytest summary: {stats['passed']} passed, {failed} failed, {stats['skipped']} skipped")
