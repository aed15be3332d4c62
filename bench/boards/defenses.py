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
FURTHER = ("defense", "attackers", "ε ≥", "canary TPR", "seeds", "seed SD", "FD64", "CLIPScore",
           "held-out loss")  # fmt: skip
"""Columns of the second table of a page, the model's name first; they order nothing."""
TIERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Record = dict[str, Any]


def ranked(standings: Sequence[Standing]) -> list[Record]:
    """Rows in rank order; those that failed a gate last, without a rank."""
    able = [one for one in standings if not one.failed and one.at_end]
    points = [one for one in standings if one.undefended and not one.failed]
    draws = len(standings[0].worst.tpr.draws)
    leaks = np.array([one.worst.tpr.draws for one in able]).reshape(len(able), draws)
    costs = np.array([one.cost_draws(draws) for one in able]).reshape(len(able), draws)
    framed = len(points) >= FEWEST_POINTS
    gains = _gains(points, costs, leaks, "tpr") if framed else -leaks
    areas = np.array([one.worst.auc.draws for one in able]).reshape(len(able), draws)
    easier = _gains(points, costs, areas, "auc") if framed else gains
    places = shared_ranks(gains) if able else []
    layers = tiers(leaks, costs, LEAK_MARGIN, COST_MARGIN) if able else []
    usual = next((one for one in able if one.label == "none"), None)
    records = [
        {
            "rank": str(place),
            "tier": TIERS[min(layer, len(TIERS)) - 1],
            **_row(one),
            "frontier gain": _signed(*gain) if framed else "",
            "AUC gain": _signed(*milder) if framed else "",
            "remarks": _remarks(one, usual),
            "_order": (place, -gain[0], one.worst.tpr.value, one.entry.name),
        }
        for one, place, layer, gain, milder in zip(
            able,
            places,
            layers,
            zip(_observed(points, able, "tpr"), gains, strict=True),
            zip(_observed(points, able, "auc"), easier, strict=True),
            strict=True,
        )
    ]
    records.sort(key=lambda record: record.pop("_order"))
    greyed = [
        {
            "rank": "-",
            "tier": "-",
            **_row(one),
            "frontier gain": "",
            "AUC gain": "",
            "remarks": "not ranked: " + "; ".join(one.failed),
        }
        for one in standings
        if one.failed and one.at_end
    ]
    return records + greyed


def frontier_points(standings: Sequence[Standing]) -> list[Record]:
    """The undefended models, the best utility first, and which of them make the frontier."""
    points = [one for one in standings if one.undefended and not one.failed]
    places = [(one.cost().value, one.worst.tpr.value) for one in points]
    kept = {
        (float(cost), float(leak))
        for cost, leak in zip(*lower_frontier(*np.array(places).T), strict=True)
    } if points else set()  # fmt: skip
    return [
        {
            "undefended model": one.label,
            "epoch": one.epoch,
            "TPR@1%FPR": _percent(one),
            "worst attack": one.worst_attacks,
            "KID": _text(one.utility("kid_effnet"), 1, 4),
            "held-out loss": _text(one.utility("held_out_loss"), 1, 4),
            "on the frontier": "yes" if place in kept else "no",
        }
        for place, one in sorted(zip(places, points, strict=True), key=lambda pair: pair[0])
    ]


def _gains(points: Sequence[Standing], costs: Any, leaks: Any, what: str) -> Any:
    """Replicates of the gain (R, B), the frontier's own errors included."""
    there = np.stack([one.cost_draws(costs.shape[1]) for one in points])
    leaking = np.stack([getattr(one.worst, what).draws for one in points])
    return frontier_gains(there, leaking, costs, leaks)


def _observed(points: Sequence[Standing], able: Sequence[Standing], what: str) -> list[float]:
    """The gain as measured; 0 where there is no frontier to hold a model against."""
    if len(points) < FEWEST_POINTS:
        return [0.0 for _ in able]
    costs, own_costs = ([[one.cost().value] for one in found] for found in (points, able))
    leaks, own = ([[getattr(one.worst, what).value] for one in found] for found in (points, able))
    gains = frontier_gains(*map(np.array, (costs, leaks, own_costs, own)))
    return [float(gain) for gain in gains[:, 0]]


def _row(one: Standing) -> Record:
    return {
        "defense": one.label,
        "TPR@1%FPR": _percent(one),
        "worst attack": one.worst_attacks,
        "attackers": len(one.sound),
        "AUC": _interval(one.worst.auc.estimate(), 100, 1),
        "ε ≥": f"{one.epsilon:.1f}",
        "canary TPR": "-" if one.canary is None else _interval(one.canary, 100, 0),
        "KID": _text(one.utility("kid_effnet"), 1, 4),
        "FD64": f"{one.rows[0].mean('fd_effnet64'):.2f}",
        "CLIPScore": _text(one.utility("clip_score"), 1, 2),
        "held-out loss": _text(one.utility("held_out_loss"), 1, 4),
        "seeds": f"{len(one.entry.seeds)}",
        "seed SD": f"{100 * _spread(one):.1f}",
    }


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
    """No digit inside the band of attackers who know nothing."""
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
