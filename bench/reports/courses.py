"""Figures along something: epochs of training (Figure 2 of the paper), queries (its Figure 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.boards.rows import Figure as Measured
from bench.boards.rows import Row
from bench.reports.axes import Axis, around, widened
from bench.reports.chart import STYLES, Chart
from bench.reports.gather import Setting
from bench.reports.section import Figure, Key, Section, Table
from bench.specs import canonical
from bench.stats.estimate import Estimate

LINES = STYLES
COUNTS = ("n", "m", "count", "timesteps", "first", "step")
"""Parameters of attacks by which they ask more or less often."""


class Kind(NamedTuple):
    """A figure of a row that can be drawn along something."""

    title: str
    axis: str
    percent: bool
    of: Callable[[Row], Estimate | None]
    chance: float | None = None


class Stop(NamedTuple):
    """A place along the way."""

    at: float
    row: Row


def _attack(name: str) -> Callable[[Row], Estimate | None]:
    return lambda row: _estimate(row.figure(name))


def _utility(name: str) -> Callable[[Row], Estimate | None]:
    return lambda row: _estimate(row.utility(name))


def _estimate(figure: Measured | None) -> Estimate | None:
    return figure.estimate if figure else None


AUC = Kind("AUC", "AUC", True, _attack("auc"), 0.5)
TPR = Kind("Members found at 1 % FPR", "TPR at 1% FPR", True, _attack("tpr"), 0.01)
KID = Kind("KID", "KID of samples (lower: better)", False, _utility("kid_effnet"))


def trajectory(setting: Setting) -> Section:
    """Leak and picture quality against the epochs of training, where `--at` was asked."""
    title = "Along the training"
    ways = _ways(setting.rows, lambda row: (row.defense, row.attack), lambda row: row.epoch)
    if not ways:
        return Section(
            "trajectory", title,
            ["Every model here was attacked at one moment only; bench run --at 0,10,20,40,80 "
             "attacks along the training."],
        )  # fmt: skip
    lead = [
        "The leak grows with every epoch, pictures improve at first: where the leak still rises "
        "and KID no longer falls, training only memorises (the paper's Figure 2). Epoch 0 "
        "is the base, which has seen nothing: attacks must be at chance there."
    ]
    named = {f"{defense}, {attack}": way for (defense, attack), way in ways.items()}
    models = _ways(setting.rows, lambda row: (row.defense,), lambda row: row.epoch)
    quality = {defense: way for (defense,), way in models.items()}
    figures = [
        *_drawn(named, AUC, "epochs of training", "along the training"),
        *_drawn(named, TPR, "epochs of training", "along the training"),
        *_drawn(quality, KID, "epochs of training", "along the training"),
    ]
    return Section("trajectory", title, lead, figures, notes=["Whiskers: 95 %, within seeds."])


def ablation(setting: Setting) -> Section:
    """An attack's figure against its queries, where several settings of it met one model."""
    title = "What more queries buy"
    ended = [row for row in setting.rows if row.card["at"] is None]
    ways = _ways(
        ended or setting.rows,
        lambda row: (setting.model(row), row.card["attack"]["name"], _fixed(row)),
        lambda row: row.asked("queries") + row.asked("reference_queries"),
    )
    if not ways:
        return Section(
            "queries", title,
            ["No attack was run here with several numbers of queries; name it several times, as "
             "--attack 'clid_th[m=1]' --attack 'clid_th[m=3]'."],
        )  # fmt: skip
    named: dict[str, list[Stop]] = {}
    for (model, attack, _), way in ways.items():
        name = f"{attack} on {model}"
        others = sum(key == name or key.startswith(f"{name} (") for key in named)
        named[name + (f" ({others + 1})" if others else "")] = way
    lead = [
        "Noise averages out over more evaluations a pair: where a line is flat, an attacker gains "
        "nothing by asking more (the paper's Figure 3). Points of one line differ in nothing but "
        "how often the model is asked."
    ]
    figures = [
        figure
        for kind in (AUC, TPR)
        for figure in _drawn(named, kind, "U-Net rows asked a pair", "against queries", log=True)
    ]
    return Section("queries", title, lead, figures, notes=["Whiskers: 95 %, within seeds."])


def _fixed(row: Row) -> str:
    """What two points of one line must have in common besides the attack's name."""
    params = row.card["attack"]["params"]
    known = {name: row.card[name] for name in ("view", "replays", "pool", "shadow_defense")}
    return canonical({k: v for k, v in params.items() if k not in COUNTS} | known)


def _ways(
    rows: Sequence[Row], line: Callable[[Row], tuple[str, ...]], at: Callable[[Row], float]
) -> dict[tuple[str, ...], list[Stop]]:
    """Rows by line, each at different places, in order; lines of one place are left out."""
    found: dict[tuple[str, ...], dict[float, Row]] = {}
    for row in rows:
        found.setdefault(line(row), {}).setdefault(at(row), row)
    return {
        key: [Stop(place, stops[place]) for place in sorted(stops)]
        for key, stops in found.items()
        if len(stops) > 1
    }


def _drawn(
    ways: dict[str, list[Stop]], kind: Kind, axis: str, along: str, *, log: bool = False
) -> list[Figure]:
    """The lines on as many plots as styles allow; none where the figure was refused."""
    told = {
        name: [(stop, found) for stop in way if (found := kind.of(stop.row))]
        for name, way in ways.items()
    }
    whole = [(name, way) for name, way in told.items() if len(way) > 1]
    groups = [dict(whole[i : i + LINES]) for i in range(0, len(whole), LINES)]
    title = f"{kind.title} {along}"
    many = len(groups) > 1
    return [
        _figure(f"{title} ({i} of {len(groups)})" if many else title, kind, axis, some, log)
        for i, some in enumerate(groups, 1)
    ]


def _figure(
    title: str, kind: Kind, axis: str, ways: dict[str, list[tuple[Stop, Estimate]]], log: bool
) -> Figure:
    points = [pair for way in ways.values() for pair in way]
    places = [stop.at for stop, _ in points]
    x: Axis = widened(axis, places) if log else around(axis, places, least=0.0)
    ends = [end for _, found in points for end in found[:3]]
    chart = Chart(x, around(kind.axis, ends, percent=kind.percent, least=kind.chance))
    if kind.chance is not None:
        chart.dashed([(x.low, kind.chance), (x.high, kind.chance)])
    for style, way in enumerate(ways.values()):
        for stop, found in way:
            chart.whiskers((stop.at, found.value), (), found[1:3], style)
        chart.line([(stop.at, found.value) for stop, found in way], style)
    records = []
    for style, (name, way) in enumerate(ways.items()):
        for stop, found in way:
            said = _told(found, kind)
            chart.mark((stop.at, found.value), style, f"{name}: {said} at {stop.at:g}")
            records.append({"line": name, "row": stop.row.attack, axis: f"{stop.at:g}",
                            f"{kind.title} (95 %)": said})  # fmt: skip
    ways_told = "; ".join(
        f"{name} from {_told(way[0][1], kind)} at {way[0][0].at:g} to {_told(way[-1][1], kind)} at "
        f"{way[-1][0].at:g}"
        for name, way in ways.items()
    )
    keys = [Key(style, name) for style, name in enumerate(ways)]
    return Figure(title, f"Lines: {ways_told}.", chart.svg(), Table(title, records), keys)


def _told(found: Estimate, kind: Kind) -> str:
    scale, digits = (100, 1) if kind.percent else (1, 4)
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(*(scale * x for x in found[:3]), d=digits)
