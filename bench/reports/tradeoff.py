"""What privacy costs: leak against picture quality, beside undefended training stopped early."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.boards.rows import Figure as Measured
from bench.boards.rows import Row
from bench.boards.standing import UNDEFENDED
from bench.reports.axes import around
from bench.reports.chart import Chart
from bench.reports.gather import Setting
from bench.reports.section import Figure, Key, Section, Table
from bench.stats.estimate import Estimate
from bench.stats.ranks import lower_frontier

CHECKPOINTS = 0
"""Style of undefended training before its end."""


class Place(NamedTuple):
    """A model by its cost and by the leak that the strongest of its attacks finds."""

    label: str
    defense: str
    epoch: int
    undefended: bool
    attack: str
    cost: Estimate
    leak: Estimate


def section(setting: Setting) -> Section:
    """One plot of all models, and the frontier where there are undefended ones."""
    title, figure = "Privacy against utility", leak_of(setting)
    places = [place for place in _places(setting, figure) if place is not None]
    if not places:
        return Section("tradeoff", title, ["No model here has both a leak and a KID."])
    front = frontier(places)
    lead = [
        "Lower left is better on both. A defense earns its keep only below the line: what "
        "undefended training, stopped earlier or at another learning rate, leaks at the same "
        "picture quality. Whoever lies on it or above could have had the same by training less; "
        "the whiskers tell how sure that is."
    ]
    if len(front) < 2:
        lead = [
            "Lower left is better on both. There is no frontier to hold a defense against: that "
            "takes undefended training at several checkpoints (add a run with --defense none "
            "--at 5,10,20,40,80), since stopping early lowers the leak as well."
        ]
    notes = [
        f"Leak: {'TPR@1%FPR' if figure == 'tpr' else 'AUC'} under whichever of these attacks "
        "finds most; that it was picked for that makes it a little high. Boards correct for it "
        "(bench leaderboard --from-store) and rank by the gain over the frontier. Whiskers: 95 %, "
        "within seeds."
    ]
    return Section("tradeoff", title, lead, [_drawn(places, front, figure)], notes=notes)


def leak_of(setting: Setting) -> str:
    """`tpr`, or `auc` where the sets are too small for the former."""
    return "tpr" if all(row.figure("tpr") for row in setting.rows) else "auc"


def frontier(places: list[Place]) -> list[tuple[float, float]]:
    """(cost, leak) of the undefended models that no other undefended one beats in both."""
    points = [(place.cost.value, place.leak.value) for place in places if place.undefended]
    if not points:
        return []
    return [points[i] for i in lower_frontier(*np.array(points).T)]


def _places(setting: Setting, figure: str) -> list[Place | None]:
    by_model: dict[tuple[str, int], list[Row]] = {}
    for row in setting.rows:
        by_model.setdefault((row.defense, row.epoch), []).append(row)
    return [_place(setting, rows, figure) for rows in by_model.values()]


def _place(setting: Setting, rows: list[Row], figure: str) -> Place | None:
    leaks = [(found, row) for row in rows if (found := row.figure(figure))]
    cost: Measured | None = rows[0].utility("kid_effnet")
    if not leaks or cost is None:
        return None
    worst, row = max(leaks, key=lambda pair: pair[0].estimate.value)
    defense = row.card["defense"]
    parts = {part["name"] for part in defense.get("parts", [defense])}
    return Place(
        setting.model(row),
        row.defense,
        row.epoch,
        not row.epoch or parts <= UNDEFENDED,
        row.attack,
        cost.estimate,
        worst.estimate,
    )


def _drawn(places: list[Place], front: list[tuple[float, float]], figure: str) -> Figure:
    what = "members found at 1% FPR" if figure == "tpr" else "AUC"
    ends = [end for place in places for end in place.leak[:3]]
    costs = [end for place in places for end in place.cost[:3]]
    leaks = around(f"leak: {what}", ends, percent=True, least=0.0 if figure == "tpr" else None)
    chart = Chart(around("KID of samples (lower: better pictures)", costs), leaks)
    if len(front) > 1:
        # Beyond its ends the frontier goes on at the leak of its ends, as boards have it.
        chart.dashed([(chart.x.low, front[0][1]), *front, (chart.x.high, front[-1][1])])
    names = dict.fromkeys(place.defense for place in places if not place.undefended)
    styles = {name: 1 + i for i, name in enumerate(names)}
    for place in places:
        style, at = styles.get(place.defense, CHECKPOINTS), (place.cost.value, place.leak.value)
        chart.whiskers(at, place.cost[1:3], place.leak[1:3], style)
    for place in places:
        style, at = styles.get(place.defense, CHECKPOINTS), (place.cost.value, place.leak.value)
        chart.mark(at, style, f"{place.label}: {what} {_percent(place.leak)} ({place.attack}), "
                   f"KID {_plain(place.cost)}", hollow=place.undefended)  # fmt: skip
    records = [
        {
            "model": place.label,
            "undefended": "yes" if place.undefended else "no",
            "leak (95 %)": _percent(place.leak),
            "strongest attack": place.attack,
            "KID (95 %)": _plain(place.cost),
            "against the frontier": _against(place, front),
        }
        for place in places
    ]
    keys = [Key(style, name, "mark") for name, style in styles.items()]
    if any(place.undefended for place in places):
        keys.insert(
            0, Key(CHECKPOINTS, "undefended training (none, other rates and epochs)", "hollow")
        )
    title = "Leak against KID"
    least, most = (pick(places, key=lambda p: p.leak.value) for pick in (min, max))
    alt = (
        f"Scatter of {len(places)} models. {most.label} leaks most, {_percent(most.leak)} at KID "
        f"{most.cost.value:.4f}; {least.label} least, {_percent(least.leak)} at KID "
        f"{least.cost.value:.4f}."
    )
    return Figure(title, alt, chart.svg(), Table(title, records), keys)


def _against(place: Place, front: list[tuple[float, float]]) -> str:
    """How much less it leaks than undefended training at its KID, in points."""
    if len(front) < 2:
        return "-"
    if place.undefended:
        at = (place.cost.value, place.leak.value)
        return "on it" if at in front else "undefended"
    there = float(np.interp(place.cost.value, *np.array(front).T))
    gain = 100 * (there - place.leak.value)
    return f"{abs(gain):.1f} points {'below' if gain >= 0 else 'above'}"


def _percent(figure: Estimate) -> str:
    return f"{100 * figure.value:.1f} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _plain(figure: Estimate) -> str:
    return f"{figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]"
