"""How far a stage is, for whoever watches."""

from __future__ import annotations

import json
import time
from pathlib import Path

from bench.files import write_atomic


class ProgressFile:
    """Progress that any process can read: a small file, rewritten at most twice a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = 0.0

    def __call__(self, done: int, total: int, unit: str) -> None:
        if time.monotonic() - self._written < 0.5:
            return
        self._written = time.monotonic()
        state = {"done": done, "total": total, "unit": unit}
        write_atomic(self.path, json.dumps(state).encode())
