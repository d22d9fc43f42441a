"""The OpenAI Agents SDK's own tests of sessions, and of its runner with sessions, with ours in their place. They come with the
release that is installed: its source archive has them."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

SHIM = Path(__file__).parent / "upstream"
FILES = (
    "memory/test_session.py",
    "memory/test_session_limit.py",
    "memory/test_session_context_wrapper.py",
    "utils/test_simple_session.py",
    "test_agent_runner.py",
    "test_agent_runner_streamed.py",
    "test_soft_cancel.py",
    "test_max_turns.py",
)
SQLITES = {
    "its connections, or their threads and locks": (
        "close_closes_worker_thread_connections",
        "reaps_connections_from_exited_worker_threads",
        "closes_retired_connections_before_the_next_allocation",
        "keeps_connections_of_live_worker_threads",
        "file_lock_is_shared_across_instances",
        "failed_add_items_releases_write_lock",
        "failed_clear_session_rolls_back",
        "failed_pop_item_releases_write_lock",
        "rollback_failure_evicts_connection",
        "close_retries_quarantined_connection",
        "post_commit_cancellation_propagates_after_known_outcome",
    ),
    "rows that the test writes into its tables": (
        "pop_item_skips_corrupt_most_recent",
        "pop_item_returns_none_after_dropping_only_corrupt_rows",
        "get_items_limit_skips_corrupt_newest_rows",
        "get_items_session_settings_limit_skips_corrupt_rows",
    ),
    "its `close`, which a `Session` does not have": ("closed_rejects_empty_add_items",),
}
"""What looks into SQLite, and so is nobody else's: what is looked at, and the tests."""
AT_LEAST = 580
"""So many must pass: fewer would mean that they were not found."""


def source(of: str) -> Path:
    """The unpacked source of the release that is installed, kept with this environment."""
    version = importlib.metadata.version(of)
    home = Path(sys.prefix) / "upstream"
    name = f"{of.replace('-', '_')}-{version}"
    if not (home / name / "tests").exists():
        home.mkdir(exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--no-binary", of, f"{of}=={version}", "--dest", home], check=True, timeout=240)
        with tarfile.open(home / f"{name}.tar.gz") as archive:
            archive.extractall(home, filter="data")
    return home / name


def test_the_agents_sdks_own_tests_pass() -> None:
    root = source("openai-agents")
    nobody_elses = " or ".join(name for names in SQLITES.values() for name in names)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "catgpt_shim", "-p", "no:cacheprovider", "-o", "addopts="]
    given = [*command, "--color=no", "-k", f"not ({nobody_elses})", *(f"tests/{file}" for file in FILES)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    done = subprocess.run(
        given, cwd=root, env={**clean, "PYTHONPATH": str(SHIM)}, capture_output=True, text=True, timeout=400, check=False
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0 and passed is not None, done.stdout[-8_000:]
    assert int(passed[1]) >= AT_LEAST, passed[0]
