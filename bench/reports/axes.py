"""Axes: from values to places on a drawing, and where ticks stand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """One direction of a plot, linear or logarithmic, from `low` to `high`."""

    label: str
    low: float
    high: float
    log: bool = False
    percent: bool = False
    """Whether values are shares that ticks tell in per cent."""

    def place(self, value: float) -> float:
        """0 at `low`, 1 at `high`; what lies outside is put on the edge."""
        low, high, value = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """Values with their text."""
        return [(value, self.text(value)) for value in (self._tens() if self.log else self._even())]

    def text(self, value: float) -> str:
        shown = 100 * value if self.percent else value
        return f"{shown:.6g}" + ("%" if self.percent else "")

    def _tens(self) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        tens = [10.0**power for power in range(first, last + 1)]
        few = len([ten for ten in tens if self.low <= ten <= self.high]) < 3
        steps = (1, 2, 5) if few else (1,)
        found = [round(step * ten, 12) for ten in tens for step in steps]
        return [value for value in found if self.low * 0.999 <= value <= self.high * 1.001]

    def _even(self) -> list[float]:
        step = _step(self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first
        return [round((first + i) * step, 12) for i in range(count + 1)]


def around(
    label: str,
    values: Iterable[float],
    *,
    percent: bool = False,
    least: float | None = None,
    most: float | None = None,
) -> Axis:
    """A linear axis that holds all values with some air, its ends on ticks.

    `least` and `most` are values it must also hold; beyond them it does not go where they bound.
    """
    found = [*values, *(end for end in (least, most) if end is not None)] or [0.0, 1.0]
    low, high = min(found), max(found)
    step = _step((high - low) or abs(high) or 1.0)
    return Axis(
        label,
        math.floor(low / step + 1e-9) * step,
        max(math.ceil(high / step - 1e-9), math.floor(low / step + 1e-9) + 1) * step,
        percent=percent,
    )


def widened(label: str, values: Iterable[float], floor: float = 1e-9) -> Axis:
    """A logarithmic axis that holds all values with some air."""
    found = [max(value, floor) for value in values]
    return Axis(label, min(found) / 1.3, max(found) * 1.3, log=True)


def _step(span: float) -> float:
    """A round step that gives about five ticks."""
    rough = span / 5
    ten = 10.0 ** math.floor(math.log10(rough))
    return next(factor * ten for factor in (1, 2, 2.5, 5, 10) if factor * ten >= rough * 0.999)
