"""Does a defense beat just stopping earlier, or learning more slowly?

The undefended model at its checkpoints and at other learning rates is a set of (utility, leak)
points; the best of them form a frontier. A defense that only slows learning lies on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.boards.rows import Row

UNDEFENDED = frozenset({"none", "learning_rate"})
COSTS = {"equal loss": "held_out_loss", "equal KID": "kid_effnet"}
"""What a utility is read from; lower is better in both."""


class Point(NamedTuple):
    """A model: what its utility is, and how well an attack finds its members."""

    cost: float
    auc: float
    half: float
    """Half of the AUC's 95 % interval."""
    name: str


def undefended(row: Row) -> bool:
    """Whether a row belongs to the frontier: no defense, at any checkpoint and learning rate."""
    return str(row.card["defense"]["name"]) in UNDEFENDED and not row.adaptive


def comparable(row: Row, path: Row) -> bool:
    """Whether an undefended row was met by the same attack.

    What an attacker who knows the defense is held against is the attack on original captions: of
    no defense there is nothing to know.
    """
    view = "original" if row.adaptive else row.card["view"]
    return undefended(path) and (path.card["attack"], path.card["view"]) == (
        row.card["attack"],
        view,
    )


def point(row: Row, cost: str) -> Point | None:
    """The row's place; None where a figure is missing."""
    auc, utility = row.figure("auc"), row.utility(cost)
    if auc is None or utility is None:
        return None
    half = (auc.estimate.high - auc.estimate.low) / 2
    name = f"{row.defense}, epoch {row.epoch}"
    return Point(utility.estimate.value, auc.estimate.value, half, name)


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points that no other one beats in both, the best utility first."""
    best: list[Point] = []
    for one in sorted(points):
        if not best or one.auc < best[-1].auc:
            best.append(one)
    return best


def at_cost(best: Sequence[Point], cost: float) -> tuple[float, float] | None:
    """AUC and half its interval that undefended training reaches at this cost.

    Between two points on the line between them; None where no undefended model is that good.
    """
    if not best or cost < best[0].cost:
        return None
    below = max(i for i, one in enumerate(best) if one.cost <= cost)
    left = best[below]
    if below + 1 == len(best):
        return left.auc, left.half
    right = best[below + 1]
    share = (cost - left.cost) / (right.cost - left.cost)
    auc = left.auc + share * (right.auc - left.auc)
    return auc, math.hypot((1 - share) * left.half, share * right.half)


def gains(row: Row, rows: Iterable[Row]) -> dict[str, str]:
    """By how many points of AUC a defense leaks less than undefended training of equal utility.

    With the normal 95 % interval of the two AUCs' own errors; 0 or less: stop earlier instead.
    """
    same = [r for r in rows if comparable(row, r)]
    told = {}
    for name, cost in COSTS.items():
        own = point(row, cost)
        known = [place for place in (point(r, cost) for r in same) if place]
        told[name] = _gain(own, frontier(known)) if own and len(known) > 1 else ""
    return told


def _gain(own: Point, best: Sequence[Point]) -> str:
    there = at_cost(best, own.cost)
    if there is None:
        return "no undefended model is as good"
    gain, half = there[0] - own.auc, math.hypot(there[1], own.half)
    return f"{100 * gain:+.1f} [{100 * (gain - half):+.1f}, {100 * (gain + half):+.1f}]"
