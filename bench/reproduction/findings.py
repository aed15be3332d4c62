"""What was found, line by line beside what is printed, and whether the order is the paper's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from bench.boards.rows import Figure, Row
from bench.reproduction.experiments import Claim, Point, Setting
from bench.reproduction.paper import Column, Printed

Labels = Mapping[str, str]
"""What a row calls an attack or a defense, by how it is asked for."""


@dataclass(frozen=True)
class Line:
    """One row of a setting with the paper's, if it prints one."""

    point: Point
    row: Row
    printed: Printed | None

    @property
    def auc(self) -> Figure:
        figure = self.row.figure("auc")
        if figure is None:
            raise ValueError(f"the row of {self.point.name} has no AUC")
        return figure

    def told(self, several: bool) -> str:
        """The row in a few words, as it is named in sentences."""
        return f"{self.point.name} at epoch {self.row.epoch}" if several else self.point.name


def lines(setting: Setting, rows: Sequence[Row], labels: Labels, data: str) -> list[Line]:
    """The rows in the paper's order; those of other settings are passed over."""
    column, found = setting.column(data), []
    for name in setting.names:
        mine = [row for row in rows if labels[name] in (row.defense, row.card["attack"]["label"])]
        for row in sorted(mine, key=lambda row: row.epoch):
            share = row.epoch / (row.card["recipe"]["epochs"] or 1)
            printed = column.get(name) if len(mine) == 1 else None
            found.append(Line(Point(name, share if row.epoch else 1.0), row, printed))
    return found


def records(found: Sequence[Line], by: str) -> list[dict[str, Any]]:
    """A table: ours with intervals, the paper's, and the difference of the two AUCs."""
    several = len({line.row.epoch for line in found}) > 1
    return [_record(line, by, several, fids=_with_fid(found)) for line in found]


def _record(line: Line, by: str, several: bool, *, fids: bool) -> dict[str, Any]:
    row, printed = line.row, line.printed
    told: dict[str, Any] = {by: line.point.name}
    if several:
        told["epoch"] = row.epoch
    told |= {
        name: figure.text(scale=100, digits=1) if figure else "refused (n < 437)"
        for name, figure in (("ASR", row.figure("asr")), ("AUC", line.auc),
                             ("TPR@1%FPR", row.figure("tpr")))
    }  # fmt: skip
    told["TPR swapped"] = f"{100 * row.mean('tpr_swapped', 'attack'):.1f}"
    if fids:
        kid, fid = row.utility("kid_effnet"), row.inception("tf1", "fid")
        told |= {"KID": kid.text(digits=4) if kid else "-"}
        told |= {"FID": "-" if fid is None else f"{fid:.2f}"}
    if printed:
        told["paper: ASR / AUC / TPR"] = (
            f"{printed.asr:.2f} / {printed.auc:.2f} / {printed.tpr:.2f}"
        )
        told["AUC - paper"] = f"{100 * line.auc.estimate.value - printed.auc:+.1f}"
        if fids:
            told["paper: FID"] = "-" if printed.fid is None else f"{printed.fid:.2f}"
    return told


def _with_fid(found: Sequence[Line]) -> bool:
    return any(line.printed and line.printed.fid is not None for line in found)


def claims(setting: Setting, column: Column) -> list[Claim]:
    """What is held against ours: the paper's words, or every two rows of its table by AUC."""
    if setting.claims:
        return list(setting.claims)
    return [
        Claim(Point(one), Point(other))
        for one, other in (
            sorted(two, key=lambda name: -column[name].auc) for two in combinations(column, 2)
        )
        if column[one].auc > column[other].auc
    ]


@dataclass(frozen=True)
class Verdict:
    """How many claims hold, and those that do not, in words."""

    held: int
    of: int
    reversed_: tuple[str, ...]
    """The other way round, intervals apart."""
    open_: tuple[str, ...]
    """The other way round, intervals overlapping."""
    apart: int
    """How many compare two whose intervals are apart, either way round."""

    @property
    def word(self) -> str:
        """One of `agrees`, `not told apart` (all of them overlap), `disagrees`."""
        if self.reversed_:
            return "disagrees"
        return "agrees" if self.apart or not self.open_ else "not told apart"

    def sentences(self) -> Iterator[str]:
        """What a reader should know of the order."""
        told = {
            "agrees": "the order agrees",
            "not told apart": "these pairs tell no two apart, so there is no order to compare",
            "disagrees": "the order disagrees",
        }[self.word]
        if self.open_ and self.word == "agrees":
            told += " as far as these pairs can tell"
        yield f"{told}: {self.held} of {self.of} comparisons of AUC are the paper's way round."
        if self.reversed_:
            yield f"The other way round, intervals apart: {'; '.join(self.reversed_)}."
        if self.open_ and self.word != "not told apart":
            yield f"The other way round, intervals overlapping: {'; '.join(self.open_)}."


def verdict(setting: Setting, found: Sequence[Line], data: str) -> Verdict | None:
    """The paper's order against ours; None where there is nothing to compare.

    Intervals that overlap do not prove that two attacks are equal (they met the same pairs); that
    they are apart does show that two differ.
    """
    several = len({line.row.epoch for line in found}) > 1
    by = {(line.point.name, round(line.point.share, 2)): line for line in found}
    held = 0
    reversed_: list[str] = []
    open_: list[str] = []
    wanted = [
        (by.get((one.name, one.share)), by.get((other.name, other.share)))
        for one, other in claims(setting, setting.column(data))
    ]
    pairs = [(one, other) for one, other in wanted if one and other]
    apart = 0
    for one, other in pairs:
        above, below = one.auc.estimate, other.auc.estimate
        apart += above.low > below.high or below.low > above.high
        if above.value > below.value:
            held += 1
            continue
        said = (
            f"{other.told(several)} {other.auc.text(100, 1)} above {one.told(several)} "
            f"{one.auc.text(100, 1)}"
        )
        (reversed_ if below.low > above.high else open_).append(said)
    return Verdict(held, len(pairs), tuple(reversed_), tuple(open_), apart) if pairs else None
