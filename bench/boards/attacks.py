"""The board of attacks: what each finds on a fixed list of targets, and what it asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.boards.standing import Standing
from bench.entries.entry import Entry
from bench.stats._check import FloatArray
from bench.stats.bootstrap import resample, resampled_tpr
from bench.stats.intervals import REPLICATES, tpr_claim
from bench.stats.ranks import pareto, shared_ranks
from bench.stats.roc import auc, tpr_at_fpr
from bench.stats.worst import FPR

TARGETS = ("none", "reph-rule", "del1", "del3", "shuffle")
"""The paper's Table 5; fixed, so that a mean does not move when a defense is added."""
Record = dict[str, Any]


class Found(NamedTuple):
    """What an attack finds on the targets: mean TPR@1%FPR with replicates (B,), and AUC."""

    tpr: float
    auc: float
    draws: FloatArray


def ranked(standings: Sequence[Standing], targets: Sequence[str] = TARGETS) -> list[Record]:
    """By mean TPR@1%FPR within their access class; those not run on every target are left out.

    With the pictures' own captions and undefended shadows: what knows the defense is on some only.
    """
    on = measured(standings, targets)
    if not on:
        return []
    naive = dict.fromkeys(
        label for one in on for label, row in zip(one.entry.attackers, one.rows, strict=True)
        if row.card["view"] == "original" and not row.adaptive
    )  # fmt: skip
    whole = [label for label in naive if all(label in one.sound for one in on)]
    records = []
    known = {label: on[0].entry.attacker(label) for label in whole}
    for access in dict.fromkeys(known[label].access for label in whole):
        labels = [label for label in whole if known[label].access == access]
        found = [_found([one.entry for one in on], label) for label in labels]
        asked = [known[label].queries + known[label].reference_queries for label in labels]
        front = pareto([one.tpr for one in found], asked)
        places = shared_ranks(np.stack([one.draws for one in found]))
        some = [
            _record(label, place, known[label], one, best, on)
            for label, place, one, best in zip(labels, places, found, front, strict=True)
        ]
        order = sorted(range(len(some)), key=lambda i: -found[i].tpr)
        records += [some[i] for i in order]
    return records


def measured(standings: Sequence[Standing], targets: Sequence[str] = TARGETS) -> list[Standing]:
    """The targets that are there and failed no gate, in the order of the list."""
    by_label = {
        one.label: one for one in standings if one.at_end and one.shipped and not one.failed
    }
    return [by_label[label] for label in targets if label in by_label]


def _record(
    label: str, place: int, known: Any, one: Found, best: bool, on: Sequence[Standing]
) -> Record:
    low, high = np.quantile(one.draws, [0.025, 0.975])
    row = on[0].rows[on[0].entry.attackers.index(label)].figure("auc", "base_control")
    control = row.text(100, 1) if row else "-"
    own = f" + {known.reference_queries} own" if known.reference_queries else ""
    first = on[0].entry
    sure = min(tpr_claim(*first.scores(label, seed), FPR).low for seed in first.seeds)
    return {
        "rank": str(place),
        "attack": label,
        "access": known.access,
        "mean TPR@1%FPR": f"{100 * one.tpr:.1f} [{100 * low:.1f}, {100 * high:.1f}]",
        f"surely found on {on[0].label}": f"{100 * sure:.1f}",
        "mean AUC": f"{100 * one.auc:.1f}",
        "base AUC": control,
        "queries": f"{known.queries}{own}",
        "power-query front": "yes" if best else "no",
        "targets": len(on),
    }


def _found(entries: Sequence[Entry], attacker: str) -> Found:
    """Over all targets and seeds; a pair is drawn alike for all targets and attacks of a seed."""
    rates, areas, draws = [], [], []
    for entry in entries:
        for number, seed in enumerate(entry.seeds):
            members, holdouts = entry.scores(attacker, seed)
            rng = np.random.default_rng([1, number, len(members), len(holdouts)])
            drawn = [resample(len(side), REPLICATES, rng) for side in (members, holdouts)]
            rates.append(tpr_at_fpr(members, holdouts, FPR))
            areas.append(auc(members, holdouts))
            draws.append(resampled_tpr(members, holdouts, drawn[0], drawn[1], FPR))
    return Found(float(np.mean(rates)), float(np.mean(areas)), np.mean(draws, axis=0))
