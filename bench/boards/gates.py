"""Gates that rows failed, each in words with the figure that failed it, and lesser doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.boards.rows import Row


def suspicions(rows: Sequence[Row]) -> list[str]:
    """A line for each failed gate, with the rows that it fails, and for each odd control."""
    failing: dict[str, list[str]] = {}
    for row in rows:
        for line in row.failed:
            failing.setdefault(line, []).append(f"{row.defense}/{row.attack}")
    found = [
        f"GATE FAILED {'all rows' if len(names) == len(rows) > 1 else ', '.join(names)}: {line}."
        for line, names in failing.items()
    ]
    return found + [_odd(row) for row in rows if _is_odd(row)]


def _is_odd(row: Row) -> bool:
    """Whether the base's AUC is away from one half by itself, though not among all controls."""
    control, gate = row.figure("auc", "base_control"), row.control
    if control is None or gate is None or not gate.passed:
        return False
    return not control.estimate.low <= 0.5 <= control.estimate.high


def _odd(row: Row) -> str:
    control = row.figure("auc", "base_control")
    return (
        f"WARNING {row.defense}/{row.attack}: the base model, which saw no pair, gives AUC "
        f"{control.text(100, 1) if control else ''}: the split itself may separate members from "
        "hold-outs, or the base has seen them (one row in twenty does so by chance)."
    )


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
