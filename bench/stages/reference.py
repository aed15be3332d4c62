"""What the attacker's own reference says of every pair: once for all targets of a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.api import ReferenceAttack
from bench.plugins import instantiate
from bench.stages.features import counted_target
from bench.stages.job import Job
from bench.stages.views import viewed_pairs


def run(job: Job) -> dict[str, Any]:
    """`observed.npz` (ids, observed)."""
    attack: ReferenceAttack = instantiate("attack", job.component("attack"))
    pairs = viewed_pairs(job)
    reference = counted_target(job, attack.reference_queries * len(pairs))
    before = reference.shared.made
    observed = np.asarray(attack.observe(reference, pairs))
    if len(observed) != len(pairs) or not np.isfinite(observed).all():
        raise ValueError(f"{attack.name}.observe must give finite rows, one a pair")
    if reference.queries != attack.reference_queries * len(pairs):
        raise ValueError(
            f"{attack.name} declares {attack.reference_queries} queries a pair of its reference "
            f"and made {reference.queries / len(pairs):g}"
        )
    np.savez(job.out / "observed.npz", ids=np.array(pairs.ids), observed=observed)
    job.provenance["evaluations"] = reference.shared.made - before
    return {"pairs": len(pairs), "queries": reference.queries}
