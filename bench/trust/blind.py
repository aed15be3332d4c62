"""Blind gates: a classifier that never meets a model must not tell members from hold-outs.

Das, Zhang and Tramer 2024 (arXiv 2406.16201): on published sets such a classifier matches the best
attacks, since members and hold-outs differ in themselves. Here a logistic regression on captions or
pictures, cross-fitted in five folds, against 199 labellings that were equally likely (`crossfit`).

The rule has two parts; `null sd` is the spread of the AUC over those labellings.

- Where n is large enough for chance to pass it in all but 1 of 200 splits, that is, where the mean
  of the 199 + (2.58 + 1.96) null sd <= .53 (8,000 to 9,000 a class), the published rule: the gate
  fails when the upper 95 % bound of its AUC, AUC + 1.96 null sd, is above .53.
- Below that no random split could be told from a bad one by this bound. The gate fails when the AUC
  is above that of all 199 others: p = 1/200.

In both it also fails when its TPR@1%FPR is above that of all 199 others (from 437 a class on). So
a random split fails each of at most four looks with probability 1/200, and any of them in at most
2 %, whatever the data. DeLong's interval would be too narrow: the errors of cross-fitted scores
hang together, their AUC spreads 1.4 to 1.5 times as far as that of independent ones.

What it sees: an AUC of the classifier that lies 3.4 null sd above the others' mean in four of five
cases (the figure `seen_from`; .59 at 500 a class of `tiles`). A smaller shift may remain unseen.
What was simulated: docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bench.data.pairs import Pairs
from bench.data.splits import clusters
from bench.rng import generator
from bench.stats.roc import auc, null_tpr, tpr_at_fpr, tpr_quality
from bench.trust.crossfit import Floats, Labels, cross_fitted, folds, labellings
from bench.trust.gate import Gate

DRAWS = 199
LEVEL = 1 / (1 + DRAWS)
BOUND = 0.53
HALF_WIDTH = 1.96
REACH = 2.576
"""One-sided at 1/200."""
POWER = 0.842
"""Four of five."""
FPR = 0.01
ROUNDING = 1e-9


def blind_gates(
    pairs: Pairs, members: Collection[str], clues: Mapping[str, Floats]
) -> tuple[list[Gate], dict[str, Floats]]:
    """A verdict and cross-fitted scores for each of these clues (n, r) of all pairs of a split."""
    is_member = np.isin(pairs.ids, list(members))
    row = {id_: i for i, id_ in enumerate(pairs.ids)}
    groups = [[row[id_] for id_ in cluster] for cluster in clusters(pairs)]
    gates, scores = [], {}
    for name, told in clues.items():
        # The order of the pairs is that of their ids: the draws know nothing of membership.
        rng = generator("blind", name, *pairs.ids)
        gate, scores[name] = blind_gate(f"blind {name}", told, is_member, groups, rng)
        gates.append(gate)
    return gates, scores


def blind_gate(
    name: str,
    clues: Floats,
    is_member: Labels,
    groups: Sequence[Sequence[int]],
    rng: np.random.Generator,
) -> tuple[Gate, Floats]:
    """The verdict and the cross-fitted scores (n,) on `clues` (n, r); `groups`: rows of a cluster.

    Needs each class in at least FOLDS clusters, as every split has.
    """
    fold = folds(is_member, groups, rng)
    labels = labellings(is_member, groups, fold, DRAWS, rng)
    scores = cross_fitted(clues, labels, fold)
    areas = np.array([auc(*_sides(scores, labels, b)) for b in range(1 + DRAWS)])
    area, mean, spread = float(areas[0]), float(areas[1:].mean()), float(areas[1:].std(ddof=1))
    bounded = mean + (REACH + HALF_WIDTH) * spread <= BOUND
    p_auc, high = _rank(areas), min(1.0, area + HALF_WIDTH * spread)
    rates = _tpr(scores, labels)
    figures = {
        "members": int(is_member.sum()),
        "holdouts": int((~is_member).sum()),
        "auc": area,
        "auc_low": max(0.0, area - HALF_WIDTH * spread),
        "auc_high": high,
        "auc_p": p_auc,
        "auc_others_highest": float(areas[1:].max()),
        "auc_others_mean": mean,
        "auc_others_sd": spread,
        "seen_from": mean + (REACH + POWER) * spread,
        "rule": "bound" if bounded else "rank",
        **rates,
    }
    return Gate(name, passes(figures), figures), scores[:, 0]


def passes(figures: Mapping[str, Any]) -> bool:
    """The rule, from the figures alone: so that what a row says can be held against them."""
    above = figures["auc_high"] > BOUND if figures["rule"] == "bound" else figures["auc_p"] <= LEVEL
    p_tpr = figures["tpr_p"]
    return bool(not above and (p_tpr is None or p_tpr > LEVEL))


def consistent(figures: Mapping[str, Any]) -> bool:
    """Whether these figures can come from one classifier and its 199 other labellings."""
    spread = figures["auc_others_sd"]
    reach = figures["auc_others_mean"] + (REACH + HALF_WIDTH) * spread
    high = min(1.0, figures["auc"] + HALF_WIDTH * spread)
    best = figures["auc"] > figures["auc_others_highest"]
    found = (
        (figures["rule"] == "bound") == (reach <= BOUND)
        and abs(figures["auc_high"] - high) <= ROUNDING
        and best == (figures["auc_p"] <= LEVEL)
    )
    if figures["tpr_p"] is None:
        return bool(found)
    rate, highest = figures["tpr"], figures["tpr_others_highest"]
    known = rate is not None and highest is not None
    return bool(found and known and (rate > highest) == (figures["tpr_p"] <= LEVEL))


def _tpr(scores: Floats, labels: Labels) -> dict[str, float | None]:
    """TPR@1%FPR beside its null value and the highest of the others; nothing where refused."""
    holdouts = int((~labels[:, 0]).sum())
    if tpr_quality(min(holdouts, len(labels) - holdouts), FPR) == "refused":
        return dict.fromkeys(("tpr", "tpr_null", "tpr_p", "tpr_others_highest"))
    rates = np.array([tpr_at_fpr(*_sides(scores, labels, b), FPR) for b in range(1 + DRAWS)])
    return {
        "tpr": float(rates[0]),
        "tpr_null": null_tpr(holdouts, FPR),
        "tpr_p": _rank(rates),
        "tpr_others_highest": float(rates[1:].max()),
    }


def _sides(scores: Floats, labels: Labels, column: int) -> tuple[Floats, Floats]:
    chosen = labels[:, column]
    return scores[chosen, column], scores[~chosen, column]


def _rank(values: Floats) -> float:
    """Share of labellings, the given one among them, that reach the given one's figure."""
    return float(np.mean(values >= values[0]))
