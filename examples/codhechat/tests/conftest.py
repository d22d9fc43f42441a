"""The back end is a folder of modules, as `uvicorn main:app` sees it there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What `main:app` is made of when it is imported; the tests make applications of their own.
os.environ.update(SECRET_KEY="for the import alone, as long as it has to be", ACCOUNTS_DB=":memory:")
sys.path.insert(0, str(Path(__file__).parents[1] / "backend"))
