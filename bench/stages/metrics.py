"""The row of a cell: attack figures with intervals, the base-model control, and utility."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import FloatArray
from bench.stages.job import Job
from bench.stats.intervals import asr_interval, auc_interval, tpr_interval
from bench.stats.roc import best_threshold, null_tpr, tpr_quality, tpr_swapped
from bench.trust.permutation import permutation_gate

FPR = 0.01
FEWEST = 20
"""Members of a kind, below which their AUC is not told."""


def run(job: Job) -> dict[str, Any]:
    """Figures of the target; the same attack on the base; the utility of the target."""
    threshold, split = job.result_of("scores")["threshold"], job.result_of("split")
    canaries = [*split.get("canary_members", []), *split.get("canary_holdouts", [])]
    row: dict[str, Any] = {"attack": _figures(job.inputs["scores"], threshold, canaries)}
    if canaries:
        row["canaries"] = canary_figures(*_sides(job.inputs["scores"], canaries, inside=True))
    row["learned"] = job.result_of("scores")["learned"]
    if "control" in job.inputs:
        row["base_control"] = _figures(job.inputs["control"], threshold, canaries)
    if "utility" in job.inputs:
        row["utility"] = job.result_of("utility")
    if "model" in job.inputs:
        touched = json.loads((job.inputs["model"] / "touched.json").read_text(encoding="utf-8"))
        row["attack"] |= _by_touch(job.inputs["scores"], touched, canaries)
    row["queries"] = job.result_of("features")
    row["training"] = job.result_of("model") if "model" in job.inputs else None
    row["gates"] = _gates(job, canaries)
    row["split"] = split["digest"]
    return row


def _gates(job: Job, canaries: Sequence[str]) -> list[dict[str, Any]]:
    """The verdicts on the split, and on these scores under permuted labels."""
    found = [
        gate
        for role in ("blind", "duplicates")
        if role in job.inputs
        for gate in job.result_of(role)["gates"]
    ]
    ids, scores, is_member = _stored(job.inputs["scores"])
    usual = ~np.isin(ids, canaries)
    return [*found, permutation_gate(scores[usual], is_member[usual])._asdict()]


def _figures(folder: Path, threshold: float | None, canaries: Sequence[str]) -> dict[str, Any]:
    return attack_figures(*_sides(folder, canaries), threshold)


def _sides(
    folder: Path, canaries: Sequence[str], *, inside: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Scores of members (m,) and of hold-outs (n,): the usual pairs, or the canaries."""
    ids, scores, is_member = _stored(folder)
    wanted = np.isin(ids, canaries) == inside
    return scores[wanted & is_member], scores[wanted & ~is_member]


def attack_figures(
    members: FloatArray, holdouts: FloatArray, threshold: float | None
) -> dict[str, Any]:
    """ASR (threshold from the shadow), AUC and TPR@1%FPR, each with n and a 95 % interval.

    Of scores (m,) and (n,): those of the stage, or as an entry holds them. No ASR without a
    threshold. How far TPR@1%FPR is to be trusted depends on the hold-outs: they set its threshold.
    """
    quality = tpr_quality(len(holdouts), FPR)
    return {
        "members": len(members),
        "holdouts": len(holdouts),
        "asr": None if threshold is None else asr_interval(members, holdouts, threshold)._asdict(),
        "asr_oracle": _oracle(members, holdouts),
        "auc": auc_interval(members, holdouts)._asdict(),
        "tpr_quality": quality,
        "tpr": None if quality == "refused" else tpr_interval(members, holdouts, FPR)._asdict(),
        "tpr_null": null_tpr(len(holdouts), FPR),
        "tpr_swapped": tpr_swapped(members, holdouts, FPR),
    }


def canary_figures(members: FloatArray, holdouts: FloatArray) -> dict[str, Any]:
    """How the mislabelled pairs fare: those trained on (m,) against those that were not (n,).

    With so few hold-outs TPR@1%FPR is the share of members above every hold-out.
    """
    return {
        "members": len(members),
        "holdouts": len(holdouts),
        "auc": auc_interval(members, holdouts)._asdict(),
        "tpr": tpr_interval(members, holdouts, FPR)._asdict(),
        "tpr_null": null_tpr(len(holdouts), FPR),
    }


def _stored(folder: Path) -> tuple[NDArray[np.str_], FloatArray, NDArray[np.bool_]]:
    """Ids, scores and membership of every pair that was asked about, (n,) each."""
    with np.load(folder / "scores.npz", allow_pickle=False) as stored:
        return stored["ids"], stored["scores"], stored["is_member"]


def _by_touch(folder: Path, touched: list[str], canaries: Sequence[str]) -> dict[str, Any]:
    """AUC of members whose training caption the defense changed, and of the others.

    Each against all hold-outs; nothing where either are too few to say anything.
    """
    ids, scores, is_member = _stored(folder)
    usual = ~np.isin(ids, canaries)
    ids, scores, is_member = ids[usual], scores[usual], is_member[usual]
    changed = is_member & np.isin(ids, touched)
    kept = is_member & ~changed
    if min(changed.sum(), kept.sum()) < FEWEST:
        return {}
    holdouts = scores[~is_member]
    return {
        "touched": int(changed.sum()),
        "auc_touched": auc_interval(scores[changed], holdouts)._asdict(),
        "auc_untouched": auc_interval(scores[kept], holdouts)._asdict(),
    }


def _oracle(members: Any, holdouts: Any) -> float:
    """ASR with the threshold chosen on the target's own labels: biased upwards, never ranked."""
    return asr_interval(members, holdouts, best_threshold(members, holdouts)).value
