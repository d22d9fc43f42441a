"""The back end is a folder of modules, as `uvicorn main:app` sees it there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "backend"))
