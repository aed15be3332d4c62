"""Numbers only: an attack learns from the shadow's features and scores the target's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, FloatArray
from bench.plugins import instantiate
from bench.specs import canonical
from bench.stages.held import held
from bench.stages.job import Job
from bench.stats.roc import best_threshold


def run(job: Job) -> dict[str, Any]:
    """`scores.npz` (ids, scores, is_member) and the threshold found on the shadow."""
    split = job.result_of("split")
    key = (canonical(job.params), job.inputs["shadow"])
    attack, threshold = held(key, lambda: _fitted(job, split["shadow_members"]))
    ids, features = _load(job.inputs["target"])
    scores = _scores(attack, features)
    # Labels are joined only here, after the scores are fixed.
    is_member = np.isin(ids, split["members"])
    np.savez(job.out / "scores.npz", ids=ids, scores=scores, is_member=is_member)
    given = job.params["attack"]["params"]
    learned = {
        k: v for k, v in vars(attack).items() if isinstance(v, float | int | str) and k not in given
    }
    return {"threshold": threshold, "learned": learned}


def _fitted(job: Job, members: Sequence[str]) -> tuple[Attack, float]:
    """The attack with what it learnt on the shadow, and its threshold from there."""
    attack: Attack = instantiate("attack", job.component("attack"))
    ids, features = _load(job.inputs["shadow"])
    is_member = np.isin(ids, members)
    attack = attack.fit(features, is_member)
    if attack.threshold is not None:
        return attack, attack.threshold
    scores = _scores(attack, features)
    return attack, float(best_threshold(scores[is_member], scores[~is_member]))


def _scores(attack: Attack, features: FloatArray) -> FloatArray:
    scores = np.asarray(attack.score(features), dtype=np.float64)
    if scores.shape != (len(features),) or not np.isfinite(scores).all():
        raise ValueError(f"{attack.name} must give one finite score a pair, got {scores.shape}")
    return scores


def _load(folder: Path) -> tuple[NDArray[np.str_], FloatArray]:
    with np.load(folder / "features.npz", allow_pickle=False) as stored:
        return stored["ids"], stored["features"]
