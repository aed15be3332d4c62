"""The board of defenses: by how much each leaks less than undefended training as good as it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.boards.rows import Figure
from bench.boards.standing import Standing
from bench.stats.ranks import frontier_gains, lower_frontier, shared_ranks, tiers

FEWEST_POINTS = 3
"""Undefended models that make a frontier."""
LEAK_MARGIN = 0.01
COST_MARGIN = 0.005
"""TPR and KID by which a model may be worse in one and still dominate by the other."""
CLIP_MARGIN = 1.0
FURTHER = ("defense", "parameters", "attackers", "ε ≥", "canary TPR", "seeds", "seed SD", "FD64",
           "CLIPScore", "held-out loss")  # fmt: skip
"""Columns of the second table of a page, the model's name first; they order nothing."""
TIERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Record = dict[str, Any]


def ranked(standings: Sequence[Standing]) -> list[Record]:
    """By measured gain, the highest first; those that may not be ranked last, without a rank.

    Not by rank: who is surely better than whom is no order, and one that enters can be surely
    better than the one of two that stood first.
    """
    usual = next((one for one in standings if one.usual and not one.failed), None)
    barred = {one.entry.name: _barred(one, usual) for one in standings if one.at_end}
    able = [one for one in standings if one.at_end and not barred[one.entry.name]]
    points = [one for one in standings if one.undefended and not one.failed]
    draws = len(standings[0].worst.tpr.draws)
    leaks = np.array([one.worst.tpr.draws for one in able]).reshape(len(able), draws)
    costs = np.array([one.cost_draws(draws) for one in able]).reshape(len(able), draws)
    framed = len(points) >= FEWEST_POINTS
    measured, gains = _gains(points, able, "tpr") if framed else (np.zeros(len(able)), -leaks)
    milder, easier = _gains(points, able, "auc") if framed else (measured, gains)
    places = shared_ranks(gains) if able else []
    layers = tiers(leaks, costs, LEAK_MARGIN, COST_MARGIN) if able else []
    records = [
        {
            "rank": str(place),
            "tier": TIERS[min(layer, len(TIERS)) - 1],
            **_row(one),
            "frontier gain": _signed(measured[i], gains[i]) if framed else "",
            "AUC gain": _signed(milder[i], easier[i]) if framed else "",
            "remarks": _remarks(one, usual),
            "_order": (-measured[i], one.worst.tpr.value, one.entry.name),
        }
        for i, (one, place, layer) in enumerate(zip(able, places, layers, strict=True))
    ]
    records.sort(key=lambda record: record.pop("_order"))
    greyed = [
        {
            "rank": "-",
            "tier": "-",
            **_row(one),
            "frontier gain": "",
            "AUC gain": "",
            "remarks": "not ranked: " + "; ".join(barred[one.entry.name]),
        }
        for one in standings
        if one.at_end and barred[one.entry.name]
    ]
    return records + greyed


def _barred(one: Standing, usual: Standing | None) -> list[str]:
    """Why it may not be ranked; also where the attack that is worst on no defense was left out."""
    if one.failed or usual is None:
        return one.failed
    lacking = [label for label in usual.strongest if label not in one.sound]
    return [f"not attacked by {label}, the worst on no defense" for label in lacking]


def frontier_points(standings: Sequence[Standing]) -> list[Record]:
    """The undefended models, the best utility first, and which of them make the frontier."""
    points = [one for one in standings if one.undefended and not one.failed]
    kept = {one.entry.name for one in _frontier(points, "tpr")}
    return [
        {
            "undefended model": one.label,
            "epoch": one.epoch,
            "TPR@1%FPR": _percent(one),
            "worst attack": one.worst_attacks,
            "attackers": len(one.sound),
            "KID": _text(one.utility("kid_effnet"), 1, 4),
            "held-out loss": _text(one.utility("held_out_loss"), 1, 4),
            "on the frontier": "yes" if one.entry.name in kept else "no",
        }
        for one in sorted(points, key=lambda one: (one.cost().value, one.worst.tpr.value))
    ]


def _frontier(points: Sequence[Standing], what: str) -> list[Standing]:
    """The undefended models that no other beats in KID and this figure, as measured."""
    if not points:
        return []
    costs = np.array([one.cost().value for one in points])
    leaks = np.array([getattr(one.worst, what).value for one in points])
    return [points[i] for i in lower_frontier(costs, leaks)]


def _gains(points: Sequence[Standing], able: Sequence[Standing], what: str) -> tuple[Any, Any]:
    """Gains as measured (R,) and their replicates (R, B), the frontier's own errors included."""
    sides = (_frontier(points, what), able)
    worst = [[getattr(one.worst, what) for one in side] for side in sides]
    costs = [np.array([[one.cost().value] for one in side]) for side in sides]
    leaks = [np.array([[figure.value] for figure in side]) for side in worst]
    measured = frontier_gains(costs[0], leaks[0], costs[1], leaks[1])[:, 0]
    draws = len(points[0].worst.tpr.draws)
    costs = [np.array([one.cost_draws(draws) for one in side]) for side in sides]
    leaks = [np.array([figure.draws for figure in side]) for side in worst]
    return measured, frontier_gains(costs[0], leaks[0], costs[1], leaks[1])


def _row(one: Standing) -> Record:
    return {
        "defense": one.label,
        "TPR@1%FPR": _percent(one),
        "worst attack": one.worst_attacks,
        "parameters": one.parameters,
        "attackers": len(one.sound),
        "AUC": _interval(one.worst.auc.estimate(), 100, 1),
        "ε ≥": f"{one.epsilon:.1f}",
        "canary TPR": _canary(one),
        "KID": _text(one.utility("kid_effnet"), 1, 4),
        "FD64": f"{one.rows[0].mean('fd_effnet64'):.2f}",
        "CLIPScore": _text(one.utility("clip_score"), 1, 2),
        "held-out loss": _text(one.utility("held_out_loss"), 1, 4),
        "seeds": f"{len(one.entry.seeds)}",
        "seed SD": f"{100 * _spread(one):.1f}",
    }


def _canary(one: Standing) -> str:
    if one.canary is None:
        return "-"
    found, members = one.canary
    return f"{100 * found / members:.0f} ({found} of {members})"


def _spread(one: Standing) -> float:
    """SD between seeds of the TPR@1%FPR of the attack found worst on the first half."""
    figure = one.rows[one.entry.attackers.index(one.sound[one.worst.tpr.chosen[0]])].figure("tpr")
    return (figure and figure.seed_sd) or 0.0


def _remarks(one: Standing, usual: Standing | None) -> str:
    """What a reader must know of this row beside its figures."""
    told = []
    own, due = one.utility("clip_score"), usual and usual.utility("clip_score")
    if own and due and own.estimate.value < due.estimate.value - CLIP_MARGIN:
        told.append(f"CLIPScore more than {CLIP_MARGIN:.0f} below no defense")
    left = len(one.entry.attackers) - len(one.sound)
    if left:
        told.append(f"{left} attackers left out: their own gate failed")
    if one.entry.about.provisional:
        told.append("provisional: fewer seeds")
    if not any(row.adaptive for row in one.rows) and not one.undefended:
        told.append("no attacker who knows the defense")
    return "; ".join(told)


def _around(value: float, draws: Any) -> tuple[float, float, float]:
    low, high = (float(end) for end in np.quantile(draws, [0.025, 0.975]))
    return value, min(value, low), max(value, high)


def _percent(one: Standing) -> str:
    """No digit inside the band of attackers who know nothing, or of too few pairs."""
    if one.quality == "refused":
        return "refused"
    if one.worst.tpr.value <= one.chance.high:
        return "≤ chance"
    return _interval(one.worst.tpr.estimate(), 100, 1)


def _interval(estimate: Any, scale: float, digits: int) -> str:
    value, low, high = (f"{scale * x:.{digits}f}" for x in estimate[:3])
    return f"{value} [{low}, {high}]"


def _signed(value: float, draws: Any) -> str:
    _, low, high = _around(value, draws)
    return f"{100 * value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _text(figure: Figure | None, scale: float, digits: int) -> str:
    return figure.text(scale, digits) if figure else "-"
