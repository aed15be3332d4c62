"""What the attacker's own reference says of every pair: once for all targets of a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.api import ReferenceAttack
from bench.stages.features import counted_target
from bench.stages.job import Job
from bench.stages.shards import save
from bench.stages.views import note_rows, viewed_pairs


def run(job: Job) -> dict[str, Any]:
    """`observed.npz`: ids (n,) and observed (replays, n, ...)."""
    attack: ReferenceAttack = job.attack()
    replays = viewed_pairs(job)
    ids, most = replays[0].ids, attack.reference_queries * len(replays) * len(replays[0])
    if not ids:  # as in features
        return save(job, "observed", ids, np.empty((len(replays), 0)))
    reference = counted_target(job, most)
    before = reference.shared.made
    observed = np.stack([np.asarray(attack.observe(reference, pairs)) for pairs in replays])
    if observed.shape[1] != len(ids) or not np.isfinite(observed).all():
        raise ValueError(f"{attack.name}.observe must give finite rows, one a pair")
    if reference.queries != most and not (len(replays) > 1 and reference.queries < most):
        raise ValueError(
            f"{attack.name} declares {attack.reference_queries} queries a pair of its reference "
            f"and made {reference.queries / len(ids) / len(replays):g}"
        )
    job.provenance["evaluations"] = reference.shared.made - before
    note_rows(job, reference.shared)
    return save(job, "observed", ids, observed, reference.queries)
