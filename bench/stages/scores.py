"""Numbers only: an attack learns from the shadow's features and scores the target's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, FloatArray
from bench.plugins import instantiate
from bench.stages.job import Job
from bench.stats.roc import best_threshold


def run(job: Job) -> dict[str, Any]:
    """`scores.npz` (ids, scores, is_member) and the threshold found on the shadow."""
    attack: Attack = instantiate("attack", job.component("attack"))
    split = job.result_of("split")
    ids, shadow = _load(job.inputs["shadow"])
    in_shadow = np.isin(ids, split["shadow_members"])
    attack = attack.fit(shadow, in_shadow)
    shadow_scores = _scores(attack, shadow)
    threshold = best_threshold(shadow_scores[in_shadow], shadow_scores[~in_shadow])
    ids, features = _load(job.inputs["target"])
    scores = _scores(attack, features)
    # Labels are joined only here, after the scores are fixed.
    is_member = np.isin(ids, split["members"])
    np.savez(job.out / "scores.npz", ids=ids, scores=scores, is_member=is_member)
    learned = {k: v for k, v in vars(attack).items() if isinstance(v, float | int | str)}
    return {"threshold": float(threshold), "learned": learned}


def _scores(attack: Attack, features: FloatArray) -> FloatArray:
    scores = np.asarray(attack.score(features), dtype=np.float64)
    if scores.shape != (len(features),) or not np.isfinite(scores).all():
        raise ValueError(f"{attack.name} must give one finite score a pair, got {scores.shape}")
    return scores


def _load(folder: Path) -> tuple[NDArray[np.str_], FloatArray]:
    with np.load(folder / "features.npz", allow_pickle=False) as stored:
        return stored["ids"], stored["features"]
