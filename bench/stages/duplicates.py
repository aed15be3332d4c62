"""Does a split keep near-duplicate pictures and equal captions on one side: its gate."""

from __future__ import annotations

from typing import Any

from bench.stages.job import Job
from bench.trust.duplicates import duplicate_gate


def run(job: Job) -> dict[str, Any]:
    """`gates`: the one verdict, with how much is shared."""
    return {"gates": [duplicate_gate(job.pairs(), job.result_of("split"))._asdict()]}
