"""What verbs that compute share: the store, what is said on the way, and the work itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.errors import BenchError
    from bench.specs import Stage
    from bench.store import Store


def open_store(folder: Path | None) -> Store:
    """The store in this folder; by default the user's."""
    from bench.store import Store, default_root

    return Store((folder or default_root()).expanduser().resolve())


def tell(line: str) -> None:
    """Says something beside the results."""
    print(line, file=sys.stderr)


def compute(store: Store, ends: list[Stage], workers: int) -> list[tuple[str, BenchError]]:
    """Computes what is missing; what failed in words, and why."""
    from bench.cli.progress import Display
    from bench.executors.local import run as run_stages
    from bench.pipeline import label
    from bench.plan import missing

    stages = missing(store, ends, tell)
    if not stages:
        return []
    with Display(store, stages) as display:
        errors = run_stages(stages, store, workers, display)
    return [(label(stage), errors[stage.key]) for stage in stages if stage.key in errors]
