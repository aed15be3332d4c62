"""Gates in words, each with the figure that failed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def told(name: str, figures: Mapping[str, Any]) -> str:
    """`blind captions: AUC 65.1 without any model (other labellings at most 56.4), ...`."""
    say = {
        "blind captions": _blind,
        "blind pictures": _blind,
        "duplicates": _duplicates,
        "base control": _control,
        "label permutation": _permutation,
    }
    return f"{name}: {say[name](figures)}" if name in say else name


def _blind(figures: Mapping[str, Any]) -> str:
    most = {"bound": "auc_high", "rank": "auc_others_highest"}[figures["rule"]]
    words = {"bound": "upper bound", "rank": "other labellings at most"}[figures["rule"]]
    said = f"AUC {100 * figures['auc']:.1f} without any model ({words} {100 * figures[most]:.1f})"
    if figures["tpr"] is not None:
        highest = 100 * figures["tpr_others_highest"]
        said += f", TPR@1%FPR {100 * figures['tpr']:.1f} (others at most {highest:.1f})"
    return said


def _duplicates(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['pictures']} near-duplicate pictures and {figures['captions']} equal captions "
        "in two parts of the split"
    )


def _control(figures: Mapping[str, Any]) -> str:
    low, high = 100 * figures["low"], 100 * figures["high"]
    return (
        f"the base, which saw no pair, gives AUC {100 * figures['auc']:.1f} "
        f"[{low:.1f}, {high:.1f}] at level {figures['level']:.4f}"
    )


def _permutation(figures: Mapping[str, Any]) -> str:
    return f"permuted labels give AUC {100 * figures['mean']:.2f} on average"
