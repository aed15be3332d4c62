"""Members, hold-outs, the shadow's own two, auxiliary and reference pairs of one seed."""

from __future__ import annotations

import dataclasses
from typing import Any

from bench.data.canaries import split_canaries
from bench.data.sources import open_source
from bench.data.splits import make_split
from bench.errors import ValidationError
from bench.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Ordered id lists by part, their digest, and what canaries are made of."""
    source = open_source(job.hints["data"])
    if source.identity != job.params["data"]:
        raise ValidationError(f"{source.name} changed while the run was going on; run again")
    pairs, params = source.pairs(), job.params
    split = make_split(
        pairs, source.identity, params["seed"], source.sizes, shadow=params["shadow"]
    )
    parts = {**dataclasses.asdict(split), "digest": split.digest}
    if n := params.get("canaries"):
        canaries = split_canaries(split, pairs, source.identity, params["seed"], n)
        pictures = {picture for picture, _ in canaries.made_of.values()}
        parts |= {
            "canary_members": canaries.members,
            "canary_holdouts": canaries.holdouts,
            "canaries": canaries.made_of,
            "auxiliary": [id_ for id_ in split.auxiliary if id_ not in pictures],
        }
    return parts
