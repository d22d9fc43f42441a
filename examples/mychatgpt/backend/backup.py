"""`python backup.py FILE`: copies the store into a new file, while the service runs."""

from __future__ import annotations

import sys

from catgpt.sync import Engine

from config import settings


def main() -> None:
    """Copies it. What is there already is not overwritten."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with Engine(model="offline", memory=settings.store) as engine:
        engine.backup(sys.argv[1])


if __name__ == "__main__":
    main()
