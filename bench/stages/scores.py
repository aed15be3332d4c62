"""Numbers only: an attack learns from the shadow's features and scores the target's."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, FloatArray
from bench.specs import Pool, canonical
from bench.stages.held import held
from bench.stages.job import Job
from bench.stats.roc import auc, best_threshold


def run(job: Job) -> dict[str, Any]:
    """`scores.npz` (ids, scores, is_member) and the threshold found on the shadow.

    An audit may have no shadow: the attack then is one that learns nothing, and has no threshold.
    """
    split = job.result_of("split")
    attack, threshold = _ready(job, split["shadow_members"])
    ids, features = _load(job.inputs["target"])
    scores = _scores(attack, features, job.params["pool"])
    # Labels are joined only here, after the scores are fixed.
    dealt = job.result_of("canaries") if "canaries" in job.inputs else split
    is_member = np.isin(ids, [*dealt["members"], *dealt.get("canary_members", [])])
    np.savez(job.out / "scores.npz", ids=ids, scores=scores, is_member=is_member)
    given = job.params["attack"]["params"]
    learned = {
        k: v for k, v in vars(attack).items() if isinstance(v, float | int | str) and k not in given
    }
    return {"threshold": threshold, "learned": learned}


def _ready(job: Job, members: Sequence[str]) -> tuple[Attack, float | None]:
    if "shadow" not in job.inputs:
        attack: Attack = job.attack()
        return attack, attack.threshold
    key = (canonical(job.params), job.inputs["shadow"])
    return held(key, lambda: _fitted(job, members))


def _fitted(job: Job, members: Sequence[str]) -> tuple[Attack, float]:
    """The attack with what it learnt on the shadow, and its threshold from there."""
    attack: Attack = job.attack()
    ids, features = _load(job.inputs["shadow"])
    is_member = np.isin(ids, members)
    attack, scores = _best_fit(job, attack, features, is_member)
    if attack.threshold is not None:
        return attack, attack.threshold
    return attack, float(best_threshold(scores[is_member], scores[~is_member]))


def _best_fit(
    job: Job, attack: Attack, replays: FloatArray, is_member: NDArray[np.bool_]
) -> tuple[Attack, FloatArray]:
    """The attack fitted on the shadow's replays, and the shadow's pooled scores.

    Every replay of a pair is an example with the pair's label; but where most of them say little,
    as other pairs' captions do, one alone teaches more. The shadow's own AUC decides.
    """
    fits = []
    for some in (replays, replays[:1])[: len(replays)]:
        fitted = copy.deepcopy(attack).fit(np.concatenate(some), np.tile(is_member, len(some)))
        scores = _scores(fitted, replays, job.params["pool"])
        fits.append((auc(scores[is_member], scores[~is_member]), fitted, scores))
    _, fitted, scores = max(fits, key=lambda fit: fit[0])
    return fitted, scores


def _scores(attack: Attack, replays: FloatArray, pool: Pool) -> FloatArray:
    """Each replay scored by itself, (replays, n, F) -> (n,) by mean or maximum."""
    found = [np.asarray(attack.score(features), dtype=np.float64) for features in replays]
    for scores in found:
        if scores.shape != replays.shape[1:2] or not np.isfinite(scores).all():
            raise ValueError(f"{attack.name} must give one finite score a pair, got {scores.shape}")
    together = np.stack(found)
    return np.asarray(together.max(axis=0) if pool == "max" else together.mean(axis=0))


def _load(folder: Path) -> tuple[NDArray[np.str_], FloatArray]:
    with np.load(folder / "features.npz", allow_pickle=False) as stored:
        ids, features = stored["ids"], stored["features"]
    features.flags.writeable = False  # an attack that writes into them must say so, not fit to it
    return ids, features
