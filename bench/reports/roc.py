"""How many members are found at which price: ROC curves on logarithmic axes, with bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.boards.rows import Row
from bench.reports.axes import Axis
from bench.reports.chart import Chart
from bench.reports.gather import Findings, Scored, Setting
from bench.reports.section import Figure, Key, Section, Table
from bench.stats import mean_over_seeds, tpr_interval, tpr_quality
from bench.stats.estimate import Estimate
from bench.stats.intervals import REPLICATES

POINTS = 20
"""False-positive rates at which a curve and its band are computed."""
CURVES = 5
"""Curves on one plot, beyond which bands hide each other."""
FPR = 0.01
TOLD = (0.01, 0.1)
DRAWN = 500
"""Replicates of a band, but for 1 %, where it is the interval of the table."""


class Curve(NamedTuple):
    """A row's curve, averaged over its seeds at fixed false-positive rates."""

    label: str
    rates: Sequence[float]
    points: Sequence[Estimate]


def section(found: Findings, setting: Setting) -> Section:
    """A plot for each attack; where many models met it, several."""
    name, title = "roc", "Members found against hold-outs accused"
    lead = [
        "Each point is a threshold: of the hold-outs, who were never trained on, at most the share "
        "on the x axis is accused; of the members the share on the y axis is found. Both axes are "
        "logarithmic, because an attack that is sure of a few people already does harm. On the "
        "dashed diagonal lies guessing; the vertical line, where TPR@1%FPR is not refused, is at "
        "that figure of the table above."
    ]
    by_attack: dict[str, list[Row]] = {}
    for row in setting.finished_first:
        by_attack.setdefault(row.attack, []).append(row)
    figures, missing = [], []
    for attack, rows in by_attack.items():
        curves = []
        for row in rows:
            curve = curve_of(found, setting, row)
            if curve is None:
                missing.append(f"{setting.model(row)}/{attack}")
            else:
                curves.append(curve)
        figures += _figures(attack, curves)
    notes = [
        f"Bands: 95 %, members and hold-outs resampled separately ({DRAWN} times), never narrower "
        "than Clopper-Pearson at the observed threshold, and averaged over seeds as in the table. "
        "Each rate by itself, not the curve as a whole."
    ]
    gone = [f"Scores are no longer in the store: {', '.join(missing)}."] if missing else []
    if not figures:
        return Section(name, title, gone)
    return Section(name, title, lead, figures, notes=notes + gone)


def curve_of(found: Findings, setting: Setting, row: Row) -> Curve | None:
    """Mean over seeds with its interval at each rate; None where a seed's scores are gone."""
    seeds = [found.scored(row, seed) for seed in sorted(row.results)]
    whole = [one for one in seeds if one is not None]
    if not whole or len(whole) < len(seeds):
        return None
    fewest = min(len(one.holdouts) for one in whole)
    rates = rates_of(fewest)
    points = [mean_over_seeds([_interval(one, rate) for one in whole]).estimate for rate in rates]
    return Curve(setting.model(row), rates, points)


def _interval(one: Scored, rate: float) -> Estimate:
    replicates = REPLICATES if rate == FPR else DRAWN
    return tpr_interval(one.members, one.holdouts, rate, replicates=replicates)


def rates_of(holdouts: int) -> list[float]:
    """Rates at which a whole number of hold-outs is accused, even on a logarithmic axis.

    With 1 % among them, so that the curve passes through the table's figure, where that has one.
    """
    counts = np.unique(np.geomspace(1, holdouts - 1, POINTS).round().astype(int))
    told = () if tpr_quality(holdouts, FPR) == "refused" else (FPR,)
    return sorted({*(int(k) / holdouts for k in counts), *told})


def _figures(attack: str, curves: Sequence[Curve]) -> list[Figure]:
    groups = [curves[i : i + CURVES] for i in range(0, len(curves), CURVES)]
    return [
        _figure(attack + (f" ({number} of {len(groups)})" if len(groups) > 1 else ""), some)
        for number, some in enumerate(groups, 1)
    ]


def _figure(title: str, curves: Sequence[Curve]) -> Figure:
    low = min(rate for curve in curves for rate in curve.rates)
    # A curve of zero lies on the lower edge.
    floor = min(low, 0.5 * min((p.value for c in curves for p in c.points if p.value), default=low))
    x = Axis("hold-outs accused (FPR)", low, 1.0, log=True, percent=True)
    chart = Chart(x, Axis("members found (TPR)", floor, 1.0, log=True, percent=True))
    chart.dashed((rate, rate) for rate in (low, 1.0))
    if low < FPR:
        chart.upright(FPR, "1% FPR")
    for style, curve in enumerate(curves):
        ends = [(r, p.low, p.high) for r, p in zip(curve.rates, curve.points, strict=True)]
        chart.band(ends, style)
    for style, curve in enumerate(curves):
        pairs = list(zip(curve.rates, curve.points, strict=True))
        chart.line([(rate, point.value) for rate, point in pairs] + [(1.0, 1.0)], style)
        for rate, point in pairs:
            tip = f"{curve.label}: {_told(point)} found, {100 * rate:.3g} % accused"
            if rate == FPR:
                chart.mark((rate, point.value), style, tip)
            else:
                chart.touch((rate, point.value), tip)
    records = [
        {"model": curve.label, "hold-outs accused": f"{100 * rate:.3g} %",
         "members found (95 %)": f"{_told(point)} %"}
        for curve in curves
        for rate, point in _tabled(curve)
    ]  # fmt: skip
    read = FPR if all(FPR in curve.rates for curve in curves) else min(curves[0].rates)
    at = "; ".join(f"{c.label} {_told(_nearest(c, read))} %" for c in curves)
    return Figure(
        f"ROC under {title}",
        f"ROC curves on logarithmic axes. Members found at {100 * read:.3g} % of hold-outs "
        f"accused: {at}; the diagonal of guessing is at {100 * read:.3g} %.",
        chart.svg(),
        Table(f"ROC under {title}", records),
        [Key(style, curve.label) for style, curve in enumerate(curves)],
    )


def _pairs(curve: Curve) -> list[tuple[float, Estimate]]:
    return list(zip(curve.rates, curve.points, strict=True))


def _nearest(curve: Curve, rate: float) -> Estimate:
    return min(_pairs(curve), key=lambda pair: abs(pair[0] - rate))[1]


def _tabled(curve: Curve) -> list[tuple[float, Estimate]]:
    """A few of the points: the first, and the nearest to 1 and 10 %."""
    pairs = _pairs(curve)
    told = [pairs[0][1], *(_nearest(curve, rate) for rate in TOLD)]
    return [pair for pair in pairs if pair[1] in told]


def _told(point: Estimate) -> str:
    return f"{100 * point.value:.1f} [{100 * point.low:.1f}, {100 * point.high:.1f}]"
