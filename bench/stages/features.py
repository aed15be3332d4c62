"""What an attack's queries say of every pair: the only stage where an attack meets a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.api import Attack
from bench.models.target import ModelTarget
from bench.plugins import instantiate
from bench.stages.job import Job

PARTS = {"target": ("members", "holdouts"), "shadow": ("shadow_members", "shadow_holdouts")}


def run(job: Job) -> dict[str, Any]:
    """`features.npz` (ids, features); labels are not known here. Counts the queries made."""
    attack: Attack = instantiate("attack", job.component("attack"))
    pairs = job.part(*PARTS[job.params["part"]])
    expected = attack.queries and attack.queries * len(pairs)
    target = ModelTarget(
        job.model(),
        job.params["seed"],
        progress=lambda queries: job.progress(queries, expected or queries, "queries"),
    )
    features = np.asarray(attack.features(target, pairs), dtype=np.float64)
    if features.ndim != 2 or len(features) != len(pairs) or not features.size:
        raise ValueError(f"{attack.name} gave features of shape {features.shape}, not (n, F)")
    if not np.isfinite(features).all():
        raise ValueError(f"{attack.name} gave features that are not finite")
    if expected is not None and target.queries != expected:
        raise ValueError(
            f"{attack.name} declares {attack.queries} queries a pair and made "
            f"{target.queries / len(pairs):g}"
        )
    np.savez(job.out / "features.npz", ids=np.array(pairs.ids), features=features)
    return {"pairs": len(pairs), "queries": target.queries}
