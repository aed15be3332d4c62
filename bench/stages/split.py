"""Members, hold-outs, the shadow's own two, auxiliary and reference pairs of one seed.

Dealt from one data set, or as they were given for an audit.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from bench.data.canaries import split_canaries
from bench.data.given import Given, given_split
from bench.data.splits import digest, make_split
from bench.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Ordered id lists by part, their digest, and what canaries are made of."""
    source, params = job.source(job.params["data"]), job.params
    if isinstance(source, Given):
        dealt = given_split(source, params["seed"])
        return {**dealt, "digest": digest(dealt)}
    pairs = source.pairs()
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
