"""Two attacked models compared pair by pair, attacker by attacker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.entries.entry import Entry
from bench.errors import UsageError
from bench.stats.paired import (
    Difference,
    Scores,
    auc_difference,
    holm,
    mean_difference,
    tpr_difference,
)

Record = dict[str, Any]


def compared(first: Entry, second: Entry) -> list[Record]:
    """A line for every attacker that both met: first minus second, p-values after Holm.

    UsageError where the two were not attacked on the same pairs, or by no attacker in common.
    """
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    shared = [label for label in first.attackers if label in second.attackers]
    if not seeds or any(first.ids(seed) != second.ids(seed) for seed in seeds):
        raise UsageError(f"{first.name} and {second.name} were not attacked on the same pairs")
    if not shared:
        raise UsageError(f"{first.name} and {second.name} have no attacker in common")
    found = {
        name: [_over_seeds(by, first, second, label, seeds) for label in shared]
        for name, by in (("AUC", auc_difference), ("TPR@1%FPR", tpr_difference))
    }
    adjusted = {name: holm([one.p for one in some]) for name, some in found.items()}
    return [
        {"attacker": label, **_told(found, adjusted, number)} for number, label in enumerate(shared)
    ]


def _over_seeds(
    by: Callable[[Scores, Scores], Difference],
    first: Entry,
    second: Entry,
    label: str,
    seeds: Sequence[int],
) -> Difference:
    return mean_difference([by(*(one.scores(label, seed) for one in (first, second)))
                            for seed in seeds])  # fmt: skip


def _told(
    found: dict[str, list[Difference]], adjusted: dict[str, list[float]], number: int
) -> Record:
    told: Record = {}
    for name, some in found.items():
        value, low, high = (f"{100 * end:+.1f}" for end in some[number][:3])
        told |= {
            f"{name}, first - second": f"{value} [{low}, {high}]",
            f"p ({name})": f"{adjusted[name][number]:.2g}",
        }
    return told
