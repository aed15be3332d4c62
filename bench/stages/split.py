"""Members, hold-outs, the shadow's own two, auxiliary and reference pairs of one seed."""

from __future__ import annotations

import dataclasses
from typing import Any

from bench.data.sources import open_source
from bench.data.splits import make_split
from bench.errors import ValidationError
from bench.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Ordered id lists by part, and their digest."""
    source = open_source(job.hints["data"])
    if source.identity != job.params["data"]:
        raise ValidationError(f"{source.name} changed while the run was going on; run again")
    pairs, params = source.pairs(), job.params
    split = make_split(pairs, source.identity, params["seed"], shadow=params["shadow"])
    return {**dataclasses.asdict(split), "digest": split.digest}
