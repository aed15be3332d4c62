"""What a report is made of: sections of sentences, figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Thumb:
    """A picture as a `data:` address, with what a reader who cannot see it is told."""

    address: str
    alt: str
    side: int
    """Pixels of its longer side as stored."""


@dataclass(frozen=True)
class Table:
    """Records under a title; columns are the keys of the first. A cell is text, or a `Thumb`."""

    title: str
    records: Sequence[Record]

    @property
    def columns(self) -> list[str]:
        return list(self.records[0]) if self.records else []


class Key(NamedTuple):
    """A line of a legend: which style (colour, dash and mark) means what."""

    style: int
    label: str
    kind: Literal["line", "area", "mark", "hollow"] = "line"


@dataclass(frozen=True)
class Figure:
    """A plot: its title, what it shows in words, the drawing, and its values as a table."""

    title: str
    alt: str
    drawing: str
    """SVG, every text in it escaped."""
    table: Table
    keys: Sequence[Key] = ()


@dataclass(frozen=True)
class Section:
    """One question that the runs answer; without figures it says why in its lead."""

    name: str
    """Short and unique, for links."""
    title: str
    lead: Sequence[str] = ()
    """How to read it, or why it is empty."""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    code: Sequence[str] = ()
    """Commands, one a line."""
    notes: Sequence[str] = ()
    """What stands below, in smaller print."""
    alarms: Sequence[str] = ()
    """What must be read first: why the figures may not mean what they say."""


@dataclass(frozen=True)
class Part:
    """What was measured in one setting (data, base, recipe): figures of two do not compare."""

    title: str
    sections: Sequence[Section] = field(default_factory=tuple)
