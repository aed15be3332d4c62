"""What is found of a set of pairs, whole or a shard of it, and how shards are joined."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.splits import ids_of
from bench.specs import SHARD_ROLE
from bench.stages.job import Job
from bench.stages.views import PARTS


def save(
    job: Job, name: str, ids: Sequence[str], found: NDArray[Any], queries: int = 0
) -> dict[str, Any]:
    """`NAME.npz`: ids (n,) and what was found of them (replays, n, ...); the stage's result."""
    arrays: dict[str, Any] = {"ids": np.array(ids, dtype=np.str_), name: found}
    np.savez(job.out / f"{name}.npz", **arrays)
    return {"pairs": len(ids), "queries": queries}


def joined(job: Job) -> dict[str, Any] | None:
    """`features.npz` of all shards in their order, the bits of one stage; None if there are none.

    ValueError if they are not the pairs of the part, each once.
    """
    number = len([role for role in job.inputs if role.startswith(SHARD_ROLE)])
    if not number:
        return None
    roles = [f"{SHARD_ROLE}{k}" for k in range(number)]
    ids: list[str] = []
    parts = []
    for role in roles:
        with np.load(job.inputs[role] / "features.npz", allow_pickle=False) as stored:
            ids += stored["ids"].tolist()
            parts += [stored["features"]] if len(stored["ids"]) else []
    split = job.result_of("split")
    if ids != sorted({id_ for part in PARTS[job.params["part"]] for id_ in ids_of(split, part)}):
        raise ValueError(f"the {number} shards are not the pairs of {job.params['part']}")
    records = [json.loads((job.inputs[r] / "record.json").read_text("utf-8")) for r in roles]
    job.provenance["evaluations"] = sum(r["made"].get("evaluations", 0) for r in records)
    queries = sum(record["result"]["queries"] for record in records)
    return save(job, "features", ids, np.concatenate(parts, axis=1), queries)
