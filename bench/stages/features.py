"""What an attack's queries say of every pair: the only stage where an attack meets the target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, FloatArray, Pairs, ReferenceAttack
from bench.models.target import ModelTarget
from bench.stages.job import Job
from bench.stages.shards import joined, save
from bench.stages.views import evaluations, note_rows, viewed_pairs


def run(job: Job) -> dict[str, Any]:
    """`features.npz`: ids (n,) and features (replays, n, F); labels are not known here.

    Counts the queries. Of a large set this joins what was found of its shards.
    """
    made = joined(job) or _asked(job)
    # A shard of the shadow reads all references, which were not asked for it alone.
    roles = [] if "shard" in job.params else [r for r in job.inputs if r.startswith("reference")]
    own = {"reference_queries": sum(job.result_of(role)["queries"] for role in roles)}
    return made | (own if roles else {})


def _asked(job: Job) -> dict[str, Any]:
    """The attack meets the model; ValueError for features or queries that it did not declare."""
    attack: Attack = job.attack()
    replays = viewed_pairs(job)
    ids, asked_for = replays[0].ids, len(replays) * len(replays[0])
    if not ids:  # a split that holds fewer pairs than its data set let expect
        return save(job, "features", ids, np.empty((len(replays), 0, 0)))
    target = counted_target(job, attack.queries and attack.queries * asked_for)
    before = target.shared.made
    found = []
    for number, pairs in enumerate(replays):
        features = np.asarray(_features(job, attack, target, pairs, number), dtype=np.float64)
        _check(attack, features, pairs)
        found.append(features)
    _check_queries(attack, target, len(ids), len(replays))
    job.provenance["evaluations"] = target.shared.made - before
    note_rows(job, target.shared)
    return save(job, "features", ids, np.stack(found), target.queries)


def counted_target(job: Job, expected: int | None) -> ModelTarget:
    """The job's model with the evaluations it shares, telling how far it is."""
    shared = evaluations(job)
    before = shared.made
    shared.progress = lambda made: job.progress(made - before, expected or made, "evaluations")
    return ModelTarget(shared.base, shared.seed, shared=shared)


def _features(
    job: Job, attack: Attack, target: ModelTarget, pairs: Pairs, replay: int
) -> FloatArray:
    if isinstance(attack, ReferenceAttack) and attack.reads_reference:
        return attack.compare(target, pairs, _observed(job, pairs, replay))
    return attack.features(target, pairs)


def _observed(job: Job, pairs: Pairs, replay: int) -> NDArray[Any]:
    """What the reference said of these pairs, or the two halves' references of their halves."""
    rows: dict[str, NDArray[Any]] = {}
    wanted = set(pairs.ids)
    for role in job.inputs:
        if role.startswith("reference"):
            with np.load(job.inputs[role] / "observed.npz", allow_pickle=False) as stored:
                said = zip(stored["ids"].tolist(), stored["observed"][replay], strict=True)
                # Copies: a view would keep all that the file holds, most of it of other shards.
                rows |= {id_: row.copy() for id_, row in said if id_ in wanted}
    return np.stack([rows[id_] for id_ in pairs.ids])


def _check(attack: Attack, features: FloatArray, pairs: Pairs) -> None:
    if features.ndim != 2 or len(features) != len(pairs) or not features.size:
        raise ValueError(f"{attack.name} gave features of shape {features.shape}, "
                         f"not ({len(pairs)}, F)")  # fmt: skip
    if not np.isfinite(features).all():
        raise ValueError(f"{attack.name} gave features that are not finite")


def _check_queries(attack: Attack, target: ModelTarget, pairs: int, replays: int) -> None:
    """As many as declared; fewer only where two replays asked the same."""
    most = None if attack.queries is None else attack.queries * pairs * replays
    if most is None or target.queries == most or (replays > 1 and target.queries < most):
        return
    raise ValueError(
        f"{attack.name} declares {attack.queries} queries a pair and made "
        f"{target.queries / pairs / replays:g}"
    )
