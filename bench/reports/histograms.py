"""How far members' scores stand from hold-outs' scores."""

from __future__ import annotations

import numpy as np

from bench.boards.rows import Row
from bench.reports.axes import Axis
from bench.reports.chart import Chart
from bench.reports.gather import Findings, Scored, Setting
from bench.reports.section import Figure, Key, Section, Table
from bench.stats._check import FloatArray

BINS = 32
INSIDE = 99.0
"""Per cent of all scores that the axis shows; the rest counts in the bins at its ends."""
MOST = 24
MEMBERS, HOLDOUTS = 0, 1


def section(found: Findings, setting: Setting) -> Section:
    """A histogram for each row, of its first seed: scores of two seeds have no common scale."""
    title = "Scores of members and of hold-outs"
    figures = []
    for row in setting.finished_first[:MOST]:
        seed = min(row.results)
        scored = found.scored(row, seed)
        if scored is not None:
            figures.append(_figure(setting, row, seed, scored))
    if not figures:
        return Section("scores", title, ["The scores are no longer in the store."])
    lead = [
        "What the attacker sees: where the two shapes lie over each other, the model keeps its "
        "members; what stands out to the right is found without accusing anybody. The line is "
        "the threshold found on the attacker's own shadow model, by which ASR judges. Scores have "
        "no unit and no common scale: compare shapes, not places."
    ]
    notes = [
        f"Shares of each class in at most {BINS} bins; the axis holds the middle {INSIDE:g} % of "
        "all scores, what lies beyond counts in the bins at the ends."
    ]
    if len(setting.rows) > MOST:
        notes.append(f"The first {MOST} of {len(setting.rows)} rows.")
    return Section("scores", title, lead, figures, notes=notes)


def edges_of(scored: Scored) -> FloatArray:
    """Edges that leave out the tails of both classes together: fewer bins for few scores."""
    both = np.concatenate([scored.members, scored.holdouts])
    tail = (100 - INSIDE) / 2
    low, high = (float(end) for end in np.percentile(both, [tail, 100 - tail]))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    fewest = min(len(scored.members), len(scored.holdouts))
    return np.linspace(low, high, min(BINS, max(8, int(np.sqrt(2 * fewest)))) + 1)


def shares_of(scores: FloatArray, edges: FloatArray) -> FloatArray:
    """Share of the scores in each bin; they sum to 1."""
    counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
    shares: FloatArray = counts / len(scores)
    return shares


def _figure(setting: Setting, row: Row, seed: int, scored: Scored) -> Figure:
    edges = edges_of(scored)
    sides = {MEMBERS: shares_of(scored.members, edges), HOLDOUTS: shares_of(scored.holdouts, edges)}
    most = float(max(side.max() for side in sides.values()))
    x = Axis("score (higher: more likely a member)", float(edges[0]), float(edges[-1]))
    chart = Chart(x, Axis("share of the class", 0.0, 1.06 * most, percent=True))
    for style, shares in reversed(sides.items()):
        chart.area(_outline(edges, shares), style)
    middles = (edges[1:] + edges[:-1]) / 2
    for middle, ours, theirs in zip(middles, sides[MEMBERS], sides[HOLDOUTS], strict=True):
        tip = f"near {middle:.3g}: {100 * ours:.1f} % of members, {100 * theirs:.1f} % of hold-outs"
        chart.touch((float(middle), float(max(ours, theirs))), tip)
    cut = scored.threshold
    if cut is not None and edges[0] < cut < edges[-1]:
        chart.upright(cut, "threshold")
    name = f"{setting.model(row)} under {row.attack}"
    auc = row.results[seed]["attack"]["auc"]["value"]
    quarters = [np.quantile(side, [0.25, 0.5, 0.75]) for side in (scored.members, scored.holdouts)]
    records = [
        {"class": kind, "n": str(len(side)), **_summary(side)}
        for kind, side in (("members", scored.members), ("hold-outs", scored.holdouts))
    ]
    return Figure(
        name,
        f"Histogram of scores at seed {seed}. Median of members {quarters[0][1]:.3g}, of hold-outs "
        f"{quarters[1][1]:.3g}; a member scores above a hold-out in {100 * auc:.1f} % of pairs.",
        chart.svg(),
        Table(f"Scores at seed {seed}: {name}", records),
        [Key(MEMBERS, f"members, seed {seed}", "area"), Key(HOLDOUTS, "hold-outs", "area")],
    )


def _summary(scores: FloatArray) -> dict[str, str]:
    names = ("lowest", "lower quarter", "median", "upper quarter", "highest")
    ends = np.quantile(scores, [0, 0.25, 0.5, 0.75, 1])
    return {name: f"{end:.4g}" for name, end in zip(names, ends, strict=True)}


def _outline(edges: FloatArray, shares: FloatArray) -> list[tuple[float, float]]:
    """The corners of the bins, from the ground to the ground."""
    points = [(float(edges[0]), 0.0)]
    for left, right, share in zip(edges, edges[1:], shares, strict=False):
        points += [(float(left), float(share)), (float(right), float(share))]
    return [*points, (float(edges[-1]), 0.0)]
