"""The row of a cell: attack figures with intervals, the base-model control, and utility."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bench.stages.job import Job
from bench.stats.intervals import asr_interval, auc_interval, tpr_interval
from bench.stats.roc import best_threshold, null_tpr, tpr_quality, tpr_swapped
from bench.trust.permutation import permutation_gate

FPR = 0.01
FEWEST = 20
"""Members of a kind, below which their AUC is not told."""


def run(job: Job) -> dict[str, Any]:
    """Figures of the target; the same attack on the base; the utility of the target."""
    threshold = job.result_of("scores")["threshold"]
    row: dict[str, Any] = {"attack": attack_figures(job.inputs["scores"], threshold)}
    row["learned"] = job.result_of("scores")["learned"]
    if "control" in job.inputs:
        row["base_control"] = attack_figures(job.inputs["control"], threshold)
    if "utility" in job.inputs:
        row["utility"] = job.result_of("utility")
    if "model" in job.inputs:
        touched = json.loads((job.inputs["model"] / "touched.json").read_text(encoding="utf-8"))
        row["attack"] |= _by_touch(job.inputs["scores"], touched)
    row["queries"] = job.result_of("features")
    row["training"] = job.result_of("model") if "model" in job.inputs else None
    row["gates"] = _gates(job)
    row["split"] = job.result_of("split")["digest"]
    return row


def _gates(job: Job) -> list[dict[str, Any]]:
    """The verdicts on the split, and on these scores under permuted labels."""
    found = [gate for role in ("blind", "duplicates") if role in job.inputs
             for gate in job.result_of(role)["gates"]]  # fmt: skip
    with np.load(job.inputs["scores"] / "scores.npz", allow_pickle=False) as stored:
        return [*found, permutation_gate(stored["scores"], stored["is_member"])._asdict()]


def attack_figures(folder: Path, threshold: float) -> dict[str, Any]:
    """ASR (threshold from the shadow), AUC and TPR@1%FPR, each with n and a 95 % interval."""
    with np.load(folder / "scores.npz", allow_pickle=False) as stored:
        scores, is_member = stored["scores"], stored["is_member"]
    members, holdouts = scores[is_member], scores[~is_member]
    n = min(len(members), len(holdouts))
    quality = tpr_quality(n, FPR)
    return {
        "members": len(members),
        "holdouts": len(holdouts),
        "asr": asr_interval(members, holdouts, threshold)._asdict(),
        "asr_oracle": _oracle(members, holdouts),
        "auc": auc_interval(members, holdouts)._asdict(),
        "tpr_quality": quality,
        "tpr": None if quality == "refused" else tpr_interval(members, holdouts, FPR)._asdict(),
        "tpr_null": null_tpr(len(holdouts), FPR),
        "tpr_swapped": tpr_swapped(members, holdouts, FPR),
    }


def _by_touch(folder: Path, touched: list[str]) -> dict[str, Any]:
    """AUC of members whose training caption the defense changed, and of the others.

    Each against all hold-outs; nothing where either are too few to say anything.
    """
    with np.load(folder / "scores.npz", allow_pickle=False) as stored:
        scores, is_member, ids = stored["scores"], stored["is_member"], stored["ids"]
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
