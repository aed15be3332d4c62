"""Two attacked models compared pair by pair, attacker by attacker."""

from __future__ import annotations

from collections import Counter
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
ALPHA = 0.05
RULE = (
    "Verdict: leaks less or more where AUC or TPR@1%FPR differs with p at most .05 after Holm over "
    "all attackers and both figures; mixed where the two differ in opposite directions. That no "
    "difference is seen does not show there is none: the interval says how large it may be."
)


def compared(first: Entry, second: Entry) -> list[Record]:
    """A line for every attacker that both met: first minus second, p-values after Holm, a verdict.

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
    joint = holm([one.p for some in found.values() for one in some])
    members, holdouts = map(len, first.ids(seeds[0]))
    n = f"n = {members} + {holdouts}, {len(seeds)} seed{'s' * (len(seeds) > 1)}"
    name = first.about.title if first.about.title != second.about.title else "the first"
    return [
        {
            "attacker": label,
            **_told(found, adjusted, number),
            "verdict": verdict(
                [
                    (some[number].value, joint[number + i * len(shared)])
                    for i, some in enumerate(found.values())
                ],
                name,
                n,
            ),
        }
        for number, label in enumerate(shared)
    ]


def verdict(differences: Sequence[tuple[float, float]], name: str, n: str) -> str:
    """The word by `RULE`, from (first minus second, adjusted p) of every figure."""
    surely = {value > 0 for value, p in differences if p <= ALPHA and value}
    if not surely:
        return f"no difference seen at {n}"
    if len(surely) > 1:
        return "mixed: AUC and TPR@1%FPR disagree"
    return f"{name} leaks {'more' if surely.pop() else 'less'}"


def summary(records: Sequence[Record]) -> str:
    """How often each verdict was reached, over all attackers."""
    counted = Counter(record["verdict"] for record in records)
    of = f"{len(records)} attacker{'s' * (len(records) > 1)}"
    return f"Of {of}: " + "; ".join(f"{word} ({count})" for word, count in counted.items()) + "."


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
